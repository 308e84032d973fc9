//! How long the core takes: from an event to its last action; from a take-over's last kernel report to the octets for a
//! neighbour, with 1,000 and 10,000 prefixes; and simulated stories per second.
//!
//! `cargo run --release -p srp-core --example core_time`

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp_glue::{Announcement, announced};
use bgp_proto::adj_rib_out::{AdjRibOut, OutContext};
use bgp_proto::attributes::NextHop;
use bgp_proto::originate::OriginatedSet;
use bgp_proto::types::{Asn, Families, PeerKind};
use bgp_proto::wire::header::MAX_MESSAGE_LEN;
use bgp_proto::wire::pack::Encoding;
use bgp_proto::wire::update::AsWidth;
use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};
use srp_core::chassis::{Action, Chassis, Event, Settings};
use srp_core::config::{ContextConfig, ContextTable, PoolConfig};
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority, RouteModifier, Span, Time};

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::sabotage::Sabotage;
use sim::story::Story;

/// What kind of work an event is, for a line of the report.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::DeadlineReached => "deadline",
        Event::Received(_) => "message",
        Event::LinkUp | Event::LinkDown => "link",
        Event::Installed { .. }
        | Event::Announced { .. }
        | Event::Withdrawn { .. }
        | Event::Removed { .. }
        | Event::Flushed { .. } => "report of a step",
        Event::BgpNeighbors { .. }
        | Event::SessionManagers { .. }
        | Event::PeerBfd { .. }
        | Event::Monitor { .. }
        | Event::ResetMonitor { .. }
        | Event::InitiateSwitchover { .. }
        | Event::ValidateSwitchover { .. }
        | Event::TerminatePostProcess { .. }
        | Event::Stop
        | Event::Reconfigured(_) => "other",
    }
}

/// Handles the recorded lives of some stories again and times each event.
fn time_events(stories: u64) -> Vec<(&'static str, u64)> {
    let mut times = Vec::new();
    for seed in 0..stories {
        for node in Story::of_seed(seed).tell(Sabotage::None, false, true).nodes {
            let Some(record) = node.record else { continue };
            let mut chassis: Chassis = record.born;
            for (time, event) in record.heard {
                let kind = kind(&event);
                let begin = Instant::now();
                chassis.handle(time, event);
                while let Some(action) = chassis.poll_action() {
                    black_box(action);
                }
                times.push((kind, nanos(begin)));
            }
        }
    }
    times
}

fn report(name: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let part = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let micros = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64() * 1e6;
    let worst = times.last().copied().unwrap_or_default();
    println!(
        "{name:<44} {:>8} times  p50 {:>9.2} us  p99 {:>9.2} us  worst {:>9.2} us",
        times.len(),
        micros(part(50)),
        micros(part(99)),
        micros(worst)
    );
}

fn nanos(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Half of them IPv4, half IPv6.
fn context(prefixes: u32) -> ContextConfig {
    let pool = |number: u32| {
        let v4 = || Ipv4Network::new((0x0a00_0000 + (number << 8)).into(), 24).map(IpNetwork::V4);
        let v6 = || Ipv6Network::new(((0x2001_0db8 << 96) + (u128::from(number) << 80)).into(), 48);
        let prefix = if number.is_multiple_of(2) { v4() } else { v6().map(IpNetwork::V6) };
        PoolConfig {
            srp_activate: true,
            ..PoolConfig::new(format!("pool-{number}"), prefix.expect("a prefix"))
        }
    };
    ContextConfig {
        name: "destination".into(),
        table: ContextTable::MAIN,
        interfaces: Vec::new(),
        loopbacks: Vec::new(),
        pools: (0..prefixes).map(pool).collect(),
        bgp: None,
    }
}

/// A chassis that has heard nobody for a dead-interval and waits for its kernel, and the event that ends this.
fn taking_over(objects: u32) -> (Chassis, Time, Event) {
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let identity = Identity { mode: ChassisMode::Backup, priority: Priority(1), mac, boot: BootId(1) };
    let settings = Settings {
        hello_interval: Span::millis(50),
        dead_interval: Span::millis(150),
        drain_interval: Span::ZERO,
        ..Settings::new(identity)
    };
    let mut chassis = Chassis::new(Time(0), settings);
    let now = Time(0) + Span::millis(150);
    chassis.handle(now, Event::DeadlineReached);
    let actions: Vec<Action> = std::iter::from_fn(|| chassis.poll_action()).collect();
    let ticket = actions.into_iter().find_map(|action| match action {
        Action::Install { ticket } => Some(ticket),
        _ => None,
    });
    let ticket = ticket.expect("nobody is there: it installs");
    (chassis, now, Event::Installed { ticket, installed: objects, refused: 0 })
}

/// From the kernel's report to the octets for one external neighbour, step by step.
fn time_origination(prefixes: u32) {
    let context = context(prefixes);
    let installed: BTreeSet<IpNetwork> = context.pools.iter().flat_map(PoolConfig::prefixes).collect();
    let out = OutContext {
        local_as: Asn(65_001),
        encoding: Encoding::new(AsWidth::Four, PeerKind::External),
        send_limit: MAX_MESSAGE_LEN,
        families: Families::ALL,
        enhanced_refresh: true,
        role: None,
        next_hop_v4: Some(NextHop::V4([192, 0, 2, 1].into())),
        next_hop_v6: Some(NextHop::V6 {
            address: (0x2001_0db8_0000_0000_0000_0000_0000_0001_u128).into(),
            link_local: None,
        }),
    };
    let runs = if prefixes > 1_000 { 2_000 } else { 10_000 };
    let mut steps: [Vec<u64>; 5] = std::array::from_fn(|_| Vec::with_capacity(runs));
    for _ in 0..runs {
        let (mut chassis, now, event) = taking_over(prefixes);
        let mut neighbor = AdjRibOut::new(out.clone(), Arc::default());
        let mut octets = Vec::with_capacity(64 * 1024);
        neighbor.fill(&mut octets, usize::MAX);
        octets.clear();

        let begin = Instant::now();
        chassis.handle(now, event);
        let mut modifier: Option<RouteModifier> = None;
        while let Some(action) = chassis.poll_action() {
            if let Action::Announce { modifier: wanted, .. } = action {
                modifier = Some(wanted);
            }
        }
        let core = nanos(begin);
        let routes = announced(&context, &Announcement { modifier, retiring: false, installed: &installed });
        let plan = nanos(begin);
        let set: Arc<OriginatedSet> = Arc::new(routes.into_iter().collect());
        let set_made = nanos(begin);
        neighbor.want(set);
        let messages = neighbor.fill(&mut octets, usize::MAX);
        let written = nanos(begin);
        assert!(messages > 0 && neighbor.len() == prefixes as usize);
        black_box(&octets);
        for (step, time) in
            steps.iter_mut().zip([core, plan - core, set_made - plan, written - set_made, written])
        {
            step.push(time);
        }
    }
    let names =
        ["core: event to last action", "what is announced (bgp-glue)", "as a set", "as octets", "all of it"];
    for (name, times) in names.into_iter().zip(steps) {
        report(&format!("{prefixes} prefixes, {name}"), times);
    }
}

fn main() {
    let times = time_events(500);
    for name in ["deadline", "message", "link", "report of a step", "other"] {
        report(name, times.iter().filter(|(kind, _)| *kind == name).map(|(_, time)| *time).collect());
    }
    report("all", times.into_iter().map(|(_, time)| time).collect());

    for prefixes in [1_000, 10_000] {
        time_origination(prefixes);
    }

    let (stories, begin) = (2_000_u32, Instant::now());
    let broken = (0..stories).filter(|seed| {
        Story::of_seed(u64::from(*seed)).tell(Sabotage::None, false, false).check.broken.is_some()
    });
    let broken = broken.count();
    let took = begin.elapsed().as_secs_f64();
    println!("{:.0} stories per second on one core, {broken} broken", f64::from(stories) / took);
}

//! What a host on a subnet of the chassis sees of a step: who says unasked and who answers where the layer-2 addresses are (CH-16),
//! which MAC address the host then knows, and what became of its probes.
//!
//! The host believes what it learnt for longer than any step takes. What its tables say of a new Active it was told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnetwork::IpNetwork;
use serde::Deserialize;

use super::collect::LEAD;
use super::measure::STEADY;
use super::stage::Stage;
use super::steps::{Act, active};
use crate::claims::{Capture, Claim, Word};
use crate::clock::Time;
use crate::error::LabError;
use crate::namespace::Namespace;
use crate::node::{Job, Node};
use crate::probe::gaps::Outcome;
use crate::probe::run::Running;
use crate::probe::send::{Ask, StreamSpec};
use crate::report::Step;

const LIMIT: Duration = Duration::from_secs(30);

/// Takes a step of a pair that settles with one Active, and adds to its checks those of the host of the lab.
pub fn watched(stage: &mut Stage<'_>, act: Act) -> Result<Step, LabError> {
    let lab = stage.lab;
    let Some(host) = lab.host.as_deref() else {
        let reason = "no host is on a subnet of the chassis".to_owned();
        return Err(LabError::Topology { topology: lab.topology.name.clone(), reason });
    };
    let services = lab.topology.layer_2_services(host.name());
    let mut cards = Cards::new();
    look_at_cards(stage, host, &mut cards)?;
    let before = active(stage)?;
    let name = format!("{}-{}", act.id, host.name());
    let probe = Running::on(host, lab, &name, &streams(host, services), Ask::Kernel)?;
    probe.flows(STEADY, None, LIMIT)?;
    let steady = Time::now() - LEAD;
    let link = host.ports().first().map_or("", |port| port.name.as_str());
    let capture = Capture::start(host, link, act.id)?;

    let mut step = (act.run)(stage)?;
    let active = active(stage)?;
    look_at_cards(stage, host, &mut cards)?;
    let known = known(host, link)?;
    probe.flows(STEADY, None, LIMIT)?;
    let mut record = probe.stop()?;
    record.forget_before(steady);
    // Now it is made to ask, for the services and for each chassis by its own addresses.
    host.run_ok(&Job::new("ip", ["neighbor", "flush", "dev", link]), LIMIT)?;
    let alive: Vec<_> = cards.iter().filter(|(chassis, _)| stage.srpd(chassis).is_ok()).collect();
    let own = alive.iter().flat_map(|(_, card)| card.addresses.iter().map(IpNetwork::ip));
    let asked: Vec<IpAddr> = services.iter().copied().chain(own).collect();
    for address in &asked {
        let words = ["-n", "-c", "1", "-W", "10", &address.to_string()].map(str::to_owned);
        host.run_ok(&Job::new("ping", words), LIMIT)?;
    }
    capture.until_answered(&asked)?;
    let seen = Seen { claims: capture.end()?, services };

    let now = cards.get(&active).map_or("", |card| card.mac.as_str());
    let moved = active != before;
    seen.judge(&mut step, &active, now, moved);
    let lacking: Vec<_> =
        services.iter().filter(|service| known.get(*service).is_none_or(|found| found != now)).collect();
    let found =
        services.iter().map(|one| format!("{one} at {}", known.get(one).map_or("nobody", String::as_str)));
    step.check(
        format!("the host knows the MAC address of {active} when the step is over"),
        lacking.is_empty(),
        found.collect::<Vec<_>>().join(", "),
    );
    for (chassis, card) in alive.iter().filter(|(chassis, _)| **chassis != active) {
        seen.hears(&mut step, chassis, card);
    }
    let all_on = alive.len() == cards.len();
    for stream in &record.streams {
        let outcome = Outcome::of(stream, &record);
        let found = format!("{} of {} lost", outcome.lost(), outcome.sent);
        // A chassis without power takes with it what was under way.
        let planned = moved && all_on;
        let wanted = if planned { "loses nothing" } else { "is answered again" };
        step.check(
            format!("stream {} of the host {wanted}", stream.name),
            !planned || outcome.lost() == 0,
            found,
        );
    }
    step.passed = step.checks.iter().all(|check| check.passed);
    Ok(step)
}

/// A stream from the host to each of the services.
fn streams(host: &Namespace, services: &[IpAddr]) -> Vec<StreamSpec> {
    let own = || host.ports().iter().flat_map(|port| port.addresses.iter().map(IpNetwork::ip));
    let to = |destination: &IpAddr| {
        let source = own().find(|source| source.is_ipv4() == destination.is_ipv4())?;
        let name = format!("host-{}", if source.is_ipv6() { "v6" } else { "v4" });
        Some(StreamSpec { name, source, destination: *destination })
    };
    services.iter().filter_map(to).collect()
}

/// The end of a chassis on the subnet of the host.
struct Card {
    mac: String,
    addresses: Vec<IpNetwork>,
}

/// By chassis.
type Cards = BTreeMap<String, Card>;

/// Adds those of chassis that run.
fn look_at_cards(stage: &Stage<'_>, host: &Namespace, cards: &mut Cards) -> Result<(), LabError> {
    for (_, far) in stage.lab.topology.ends(host.name()) {
        if stage.srpd(&far.node).is_ok() && !cards.contains_key(&far.node) {
            let job = Job::new("cat", [format!("/sys/class/net/{}/address", far.name)]);
            let mac = stage.lab.chassis(&far.node)?.run_ok(&job, LIMIT)?.text().trim().to_owned();
            cards.insert(far.node.clone(), Card { mac, addresses: far.addresses.clone() });
        }
    }
    Ok(())
}

/// What the host knows of its neighbours.
fn known(host: &Namespace, link: &str) -> Result<BTreeMap<IpAddr, String>, LabError> {
    #[derive(Deserialize)]
    struct Neighbor {
        dst: IpAddr,
        #[serde(default)]
        lladdr: String,
    }
    let job = Job::new("ip", ["-j", "neighbor", "show", "dev", link]);
    let output = host.run_ok(&job, LIMIT)?;
    let neighbors: Vec<Neighbor> = serde_json::from_slice(&output.stdout)
        .map_err(|error| LabError::Answer { command: job.line(), reason: error.to_string() })?;
    Ok(neighbors.into_iter().map(|neighbor| (neighbor.dst, neighbor.lladdr)).collect())
}

/// What was said on the subnet during a step.
struct Seen<'a> {
    claims: Vec<Claim>,
    services: &'a [IpAddr],
}

impl Seen<'_> {
    /// What was said of each service, by `active` with its MAC address `mac` and by others.
    fn judge(&self, step: &mut Step, active: &str, mac: &str, moved: bool) {
        let (mut told, mut asked, mut strange) = (Vec::new(), Vec::new(), Vec::<&Claim>::new());
        for service in self.services {
            let about: Vec<&Claim> = self.claims.iter().filter(|claim| claim.address == *service).collect();
            let is_told = |claim: &&&Claim| claim.word == Word::Tells && claim.by == mac;
            // Until the new Active's first word the old one is Active.
            let first = about.iter().position(|claim| is_told(&claim));
            let since = if moved { first.unwrap_or(about.len()) } else { 0 };
            let (before, since) = about.split_at(since);
            told.push((since.iter().filter(is_told).count(), *service));
            if moved && before.iter().any(|claim| claim.word == Word::Asks && claim.by != mac) {
                asked.push(*service);
            }
            let claims = since.iter().filter(|claim| claim.word != Word::Asks);
            let silent = |claim: &Claim| claim.word == Word::Answers && claim.mac.is_empty();
            let own = |claim: &Claim| claim.by == mac && (claim.mac == mac || silent(claim));
            strange.extend(claims.filter(|claim| !own(claim)));
            strange.extend(since.iter().filter(|claim| claim.word == Word::Tells && !claim.overrides));
            let answered = since.iter().any(|claim| claim.word == Word::Answers);
            step.check(format!("{active} answers who asks for {service}"), answered, mac);
        }
        if moved {
            let all = told.iter().all(|(count, _)| *count > 0) && asked.is_empty();
            let found: Vec<_> = told.iter().map(|(count, of)| format!("{count} times of {of}")).collect();
            let found = format!("{}; asked before: {}", found.join(", "), list(&asked));
            step.check(format!("{active} tells the host, unasked, before it asks"), all, found);
        }
        let name = format!(
            "from then on all that is said of the services is {active}'s, with its MAC address and Override"
        );
        step.check(name, strange.is_empty(), format!("against it: {}", list(&strange)));
    }

    /// The Standby hears what is asked on the subnet: its silence about the services is no accident.
    fn hears(&self, step: &mut Step, chassis: &str, card: &Card) {
        let own = |claim: &&Claim| claim.by == card.mac && claim.word == Word::Answers;
        let own: Vec<IpAddr> = self.claims.iter().filter(own).map(|claim| claim.address).collect();
        let hears = card.addresses.iter().all(|address| own.contains(&address.ip()));
        step.check(
            format!("{chassis}, Standby, answers for its own addresses on the subnet"),
            hears,
            list(&own),
        );
    }
}

fn list<T: std::fmt::Debug>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

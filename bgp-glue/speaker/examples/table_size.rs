//! What a table of a million routes costs: octets and time a route. Prints; run it with `--release`.
//!
//! `cargo run --release -p bgp-speaker --example table_size [ROUTES]`

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use bgp_proto::attributes::{AsPath, Attributes, NextHop};
use bgp_proto::decision::Multipath;
use bgp_proto::policy::{Changes, Conditions, Policy, PrefixRange, Rule, Verdict};
use bgp_proto::prefix::{Prefix, PrefixV4};
use bgp_proto::rib::{Local, Peer, PeerId, Rib};
use bgp_proto::types::{Asn, PeerKind, RouterId, ZeroRouterId};
use bgp_proto::wire::path_ids::PathIds;
use bgp_proto::wire::update::{Announcement, Update};

/// Routes that share their attributes: a full table has some seven a set.
const SHARING: u32 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse::<u32>())?;
    let local = Local { asn: Asn(65000), router_id: router_id(100)?, multipath: Multipath::OFF };
    let mut rib = Rib::new(local, 1);
    let empty = resident()?;
    println!("{count} prefixes, {SHARING} to an attribute set");
    for number in [1, 2] {
        let id = PeerId(number.into());
        rib.peer_up(id, peer(number)?);
        let before = resident()?;
        let (begin, updates) = (Instant::now(), updates(number, count));
        let made = begin.elapsed();
        let begin = Instant::now();
        for update in updates {
            rib.update(id, update);
        }
        let taken_in = begin.elapsed();
        let begin = Instant::now();
        let changes = rib.take_changes(usize::MAX).len();
        println!(
            "neighbor {number}: {:.0} octets a path; a route made in {} ns, taken in in {} ns, decided in {} ns; {changes} changes",
            per(resident()?.saturating_sub(before), count),
            made.as_nanos() / u128::from(count),
            taken_in.as_nanos() / u128::from(count),
            begin.elapsed().as_nanos() / u128::from(count),
        );
    }
    println!("both: {:.0} octets a prefix", per(resident()?.saturating_sub(empty), count));
    time("policy changed, everything judged and decided again", || {
        rib.set_policy(PeerId(1), preferring(50), 0);
        rib.take_changes(usize::MAX).len()
    });
    time("neighbor down", || {
        rib.peer_down(PeerId(2));
        rib.take_changes(usize::MAX).len()
    });
    Ok(())
}

fn time(what: &str, work: impl FnOnce() -> usize) {
    let begin = Instant::now();
    let changes = work();
    println!("{what}: {} ms, {changes} changes", begin.elapsed().as_millis());
}

fn per(octets: u64, count: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "to print")]
    let octets = octets as f64;
    octets / f64::from(count)
}

fn updates(number: u8, count: u32) -> Vec<Update> {
    let update = |first: u32| {
        let path = [65000 + u32::from(number), 3356, 64512 + first % 1000, first];
        let as_path = AsPath::sequence(&path.map(|asn| Asn(asn.max(1))));
        let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, number));
        let prefixes = (first..(first + SHARING).min(count))
            .map(|index| Prefix::V4(PrefixV4::containing(Ipv4Addr::from_bits(index << 8), 24)))
            .collect();
        let announcement = Announcement {
            attributes: Attributes::originated(as_path, next_hop),
            prefixes,
            path_ids: PathIds::default(),
        };
        Update { announced: vec![announcement], ..Update::default() }
    };
    (0..count).step_by(SHARING as usize).map(update).collect()
}

fn peer(number: u8) -> Result<Peer, ZeroRouterId> {
    Ok(Peer {
        kind: PeerKind::External,
        remote_as: Asn(65000 + u32::from(number)),
        router_id: router_id(number)?,
        address: Ipv4Addr::new(192, 0, 2, number).into(),
        own_addresses: vec![Ipv4Addr::new(192, 0, 2, 100).into()],
        policy: Arc::new([Rule::accept(PrefixRange::all_within(everything()))].into_iter().collect()),
        allow_own_as: 0,
        role: None,
        limits: bgp_proto::rib::PrefixLimits::default(),
    })
}

fn preferring(preference: u32) -> Arc<Policy> {
    let changes = Changes { preference: Some(preference), ..Changes::default() };
    Arc::new(
        [Rule { conditions: Conditions::default(), verdict: Verdict::Accept, changes }].into_iter().collect(),
    )
}

fn everything() -> Prefix {
    Prefix::V4(PrefixV4::containing(Ipv4Addr::UNSPECIFIED, 0))
}

fn router_id(number: u8) -> Result<RouterId, ZeroRouterId> {
    Ipv4Addr::new(10, 0, 0, number).try_into()
}

/// Resident memory of this process, octets.
fn resident() -> Result<u64, Box<dyn std::error::Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * 4096)
}

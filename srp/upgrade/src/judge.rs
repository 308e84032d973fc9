//! What makes an upgrade stop: facts in, doubts out. A doubt is a line for the operator, with what to do where that is known.
//!
//! The source looks at cards, resources, alarms and services; here these are what the kernel refused, the boot entry, monitors, and
//! `srpd`'s own state (OPS-2). SRP (OPS-3) and BGP (OPS-4) are as there.

use crate::facts::{Bgp, Boot, Counts, Entry, Event, Info, Monitors, Release};
use crate::plan::Side;

/// Entries that a boot stack has at most.
pub const MOST_ENTRIES: usize = 10;

/// Of a hundred, by how much counts may differ (OPS-5).
pub const TOLERANCE_PERCENT: u64 = 5;

const ACTIVE: &str = "Active";
const STANDBY: &str = "Standby";

/// Which chassis is Standby, where one is and the other one is Active.
///
/// # Errors
/// Why there is no such pair.
pub fn standby(here: &Info, peer: &Info) -> Result<Side, Vec<String>> {
    let roles = [here.chassis_state.as_str(), peer.chassis_state.as_str()];
    match roles {
        [STANDBY, ACTIVE] => Ok(Side::Here),
        [ACTIVE, STANDBY] => Ok(Side::Peer),
        [here, peer] => Err(vec![format!(
            "this chassis is {here} and the peer {peer}: one Active and one Standby are needed, see `show srp info`"
        )]),
    }
}

/// Doubts about a chassis that should be in `state` (`Active` or `Standby`) beside a peer in the other one, by its link (OPS-3).
pub fn link(side: Side, info: &Info, state: &str) -> Vec<String> {
    let mut doubts = Vec::new();
    let other = if state == ACTIVE { STANDBY } else { ACTIVE };
    if info.chassis_state != state {
        doubts.push(format!("{side} is {}, not {state}: see `show srp info`", info.chassis_state));
    }
    match &info.peer {
        Some(peer) if peer.state == other && info.connection_state == "Connected" => {}
        Some(peer) if info.connection_state == "Connected" => {
            doubts.push(format!("{side} sees its peer as {}, not {other}", peer.state));
        }
        Some(_) | None => {
            doubts.push(format!(
                "the SRP link of {side} is down ({}): see `show srp info`",
                info.connection_state
            ));
        }
    }
    if info.configuration_state != "In sync" {
        doubts.push(format!(
            "the configurations of the pair differ, says {side} ({}): see `srp validate-configuration`",
            info.configuration_state
        ));
    }
    doubts
}

/// Doubts about the health of a chassis (OPS-2), and what its monitors say (OPS-3).
pub fn health(side: Side, info: &Info, monitors: &Monitors, boot: &Boot) -> Vec<String> {
    let mut doubts = Vec::new();
    if !info.kernel_refused.is_empty() {
        doubts.push(format!("the kernel of {side} refused: {}", info.kernel_refused.join(", ")));
    }
    let failed =
        monitors.failures.iter().map(|failure| format!("monitors of {side} failed: {}", failure.what));
    doubts.extend(failed);
    match &boot.booted {
        None => doubts.push(format!(
            "{side} was not booted from an image by the appliance's loader: there is nothing to upgrade that way"
        )),
        Some(booted) if booted.last_resort => {
            doubts.push(format!("{side} was booted as last resort: see `show boot` there first"));
        }
        Some(_) => {}
    }
    doubts
}

/// Doubts about BGP (OPS-4): every neighbour that is configured is Established. Nothing where BGP is not used.
pub fn bgp(side: Side, contexts: &[Bgp]) -> Vec<String> {
    let mut doubts = Vec::new();
    for context in contexts {
        for neighbor in context.neighbors.iter().filter(|neighbor| neighbor.state != "Established") {
            let (address, name, state) = (&neighbor.address, &context.context, &neighbor.state);
            doubts.push(format!(
                "BGP neighbor {address} of {side} is {state}, not Established (context {name})"
            ));
        }
    }
    doubts
}

/// Doubts about AAA servers: the last word is that none answers (OPS-6).
pub fn aaa(side: Side, events: &[Event]) -> Vec<String> {
    const UNREACHABLE: &str = "starSRPAAAUnreachable";
    let last =
        events.iter().rev().find(|event| event.name == UNREACHABLE || event.name == "starSRPAAAReachable");
    match last {
        Some(event) if event.name == UNREACHABLE => {
            let detail = event.detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
            vec![format!(
                "no AAA server answers {side} ({UNREACHABLE}{detail}): see `show srp monitor authentication-probe`"
            )]
        }
        Some(_) | None => Vec::new(),
    }
}

/// AAA servers that nobody on this chassis has found Up yet.
pub fn aaa_unknown(monitors: &Monitors) -> Vec<&str> {
    let of_aaa = monitors.monitors.iter().filter(|monitor| monitor.kind == "AAA" && monitor.state != "Up");
    of_aaa.map(|monitor| monitor.name.as_str()).collect()
}

/// Doubts about counts that should be what they were (OPS-5): more is welcome, 5 % less is not too few. With checkpoints of sessions
/// their counts are compared here as well.
pub fn counts(side: Side, before: &Counts, now: &Counts) -> Vec<String> {
    let rows = [
        ("Established BGP neighbors", before.established, now.established),
        ("prefixes received", before.received, now.received),
        ("prefixes announced", before.announced, now.announced),
    ];
    let few = rows
        .into_iter()
        .filter(|(_, before, now)| now.saturating_mul(100) < before.saturating_mul(100 - TOLERANCE_PERCENT));
    few.map(|(what, before, now)| format!("{side} has {now} {what}, and had {before}")).collect()
}

/// Where an image stands in a boot stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is first, and will be booted.
    First(u8),
    /// It can be entered before all others.
    Free,
}

/// Where `image` with `config` stands, or can.
///
/// # Errors
/// The stack is full; which entry to delete.
pub fn place(side: Side, boot: &Boot, image: &str, config: &str) -> Result<Place, Vec<String>> {
    let is_ours = |entry: &Entry| entry.image == image && entry.config == config;
    match (boot.entries.first(), boot.entries.last()) {
        (Some(first), _) if is_ours(first) && first.state != "bad" => Ok(Place::First(first.priority)),
        (_, Some(last)) if boot.entries.len() >= MOST_ENTRIES => Err(vec![format!(
            "the boot stack of {side} is full: delete an entry there, `no boot system priority {}` ({})",
            last.priority, last.image
        )]),
        (_, Some(_) | None) => Ok(Place::Free),
    }
}

/// Doubts about a release that should follow another one.
pub fn follows(side: Side, runs: &Release, new: &Release, older_is_fine: bool) -> Vec<String> {
    if new.numbers() < runs.numbers() && !older_is_fine {
        return vec![format!(
            "{side} runs release {}, and {} is older: `upgrade rollback` goes back, or add --older",
            runs.version, new.version
        )];
    }
    Vec::new()
}

/// What the loader made of an image that does not run although it was first.
pub fn passed_over(side: Side, boot: &Boot, image: &str) -> String {
    let runs = boot.booted.as_ref().map_or("something else", |booted| booted.image.as_str());
    let why = boot.entries.iter().find(|entry| entry.image == image).and_then(|entry| entry.why.as_deref());
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(
        "{side} has restarted and runs {runs}, not {image}: its loader passed it over{why}, see `show boot` there"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::read;

    fn info(state: &str, peer: Option<&str>) -> Info {
        read(json!({
            "chassis_state": state, "peer": peer.map(|state| json!({ "state": state })), "peer_address": "192.0.2.2",
            "connection_state": if peer.is_some() { "Connected" } else { "Connecting" },
            "configuration_state": "In sync", "boot_id": "1", "kernel_refused": []
        }))
        .unwrap()
    }

    fn boot(entries: usize) -> Boot {
        let entry = |n: usize| json!({ "priority": n, "image": format!("/flash/{n}.bin"), "config": "/flash/c", "state": "good" });
        let entries: Vec<_> = (1..=entries).map(entry).collect();
        let booted = json!({ "image": "/flash/1.bin", "config": "/flash/c", "last-resort": false });
        read(json!({ "booted": booted, "next": null, "entries": entries })).unwrap()
    }

    #[test]
    fn ops_3_one_active_and_one_standby_that_hear_each_other_and_agree_are_no_doubt() {
        let (active, waiting) = (info("Active", Some("Standby")), info("Standby", Some("Active")));
        assert_eq!(standby(&active, &waiting), Ok(Side::Peer));
        assert_eq!(standby(&waiting, &active), Ok(Side::Here));
        assert!(link(Side::Here, &active, "Active").is_empty());
        for (name, state, said) in [
            ("no peer", info("Standby", None), "the SRP link of the peer is down (Connecting)"),
            ("both", info("Active", Some("Active")), "the peer is Active, not Standby"),
            ("between", info("Standby", Some("PendingActive")), "sees its peer as PendingActive"),
            (
                "another configuration",
                Info {
                    configuration_state: "Out of sync (2 differences)".into(),
                    ..info("Standby", Some("Active"))
                },
                "differ, says the peer (Out of sync (2 differences))",
            ),
        ] {
            let doubts = link(Side::Peer, &state, "Standby");
            assert!(doubts.iter().any(|doubt| doubt.contains(said)), "{name}: {doubts:?}");
        }
        for pair in [["Active", "Active"], ["Standby", "Init"], ["Standby", "Standby"]] {
            let [here, peer] = pair.map(|state| info(state, None));
            assert!(standby(&here, &peer).unwrap_err()[0].contains("one Active and one Standby are needed"));
        }
    }

    #[test]
    fn ops_2_each_ailment_is_a_doubt_of_its_own() {
        let well = info("Active", Some("Standby"));
        let none = Monitors::default();
        assert!(health(Side::Here, &well, &none, &boot(1)).is_empty());
        let refused = Info { kernel_refused: vec!["10.0.0.0/8".into()], ..well.clone() };
        assert_eq!(
            health(Side::Here, &refused, &none, &boot(1)),
            ["the kernel of this chassis refused: 10.0.0.0/8"]
        );
        let failed = read(json!({ "monitors": [], "failures": [{ "what": "BGP context a" }] })).unwrap();
        assert_eq!(
            health(Side::Here, &well, &failed, &boot(1)),
            ["monitors of this chassis failed: BGP context a"]
        );
        let foreign = Boot { booted: None, ..boot(1) };
        assert!(health(Side::Here, &well, &none, &foreign)[0].contains("nothing to upgrade"));
        let mut last = boot(1);
        last.booted.as_mut().unwrap().last_resort = true;
        assert!(health(Side::Here, &well, &none, &last)[0].contains("last resort"));
    }

    #[test]
    fn ops_4_a_neighbour_that_is_not_established_is_a_doubt_with_its_context() {
        let contexts: Vec<Bgp> = read(json!([{ "context": "isp", "originated": [], "neighbors": [
            { "address": "10.0.0.1", "state": "Established", "prefixes_received": 1 },
            { "address": "2001:db8::1", "state": "Connect", "prefixes_received": 0 }
        ] }]))
        .unwrap();
        let doubts = bgp(Side::Peer, &contexts);
        assert_eq!(
            doubts,
            ["BGP neighbor 2001:db8::1 of the peer is Connect, not Established (context isp)"]
        );
        assert!(bgp(Side::Peer, &[]).is_empty());
    }

    #[test]
    fn ops_5_counts_may_be_five_percent_less_and_any_number_more() {
        for (before, now, fine) in
            [(100, 95, true), (100, 94, false), (0, 0, true), (3, 9, true), (2, 1, false), (1, 0, false)]
        {
            let [before, now] = [before, now].map(|received| Counts { received, ..Counts::default() });
            assert_eq!(counts(Side::Here, &before, &now).is_empty(), fine, "{before:?} {now:?}");
        }
        let (before, now) = (Counts { established: 2, ..Counts::default() }, Counts::default());
        assert_eq!(
            counts(Side::Here, &before, &now),
            ["this chassis has 0 Established BGP neighbors, and had 2"]
        );
    }

    #[test]
    fn ops_6_the_last_word_about_aaa_counts() {
        let history = |names: &[&str]| -> Vec<Event> {
            names.iter().map(|name| Event { name: (*name).into(), detail: Some("all of 2".into()) }).collect()
        };
        let (un, re) = ("starSRPAAAUnreachable", "starSRPAAAReachable");
        assert!(aaa(Side::Here, &history(&[])).is_empty());
        assert!(aaa(Side::Here, &history(&[un, re, "starBGPPeerSessionUp"])).is_empty());
        assert!(aaa(Side::Here, &history(&[re, un, "other"]))[0].contains("all of 2"));
    }

    #[test]
    fn a_full_boot_stack_says_which_entry_to_delete() {
        assert_eq!(place(Side::Here, &boot(9), "/flash/n.bin", "/flash/c"), Ok(Place::Free));
        let full = place(Side::Here, &boot(10), "/flash/n.bin", "/flash/c").unwrap_err();
        assert!(full[0].contains("`no boot system priority 10` (/flash/10.bin)"), "{full:?}");
        // What is entered already is not entered again, full or not.
        assert_eq!(place(Side::Here, &boot(10), "/flash/1.bin", "/flash/c"), Ok(Place::First(1)));
        assert_eq!(place(Side::Here, &boot(2), "/flash/2.bin", "/flash/c"), Ok(Place::Free));
        let mut bad = boot(2);
        bad.entries[0].state = "bad".into();
        assert_eq!(place(Side::Here, &bad, "/flash/1.bin", "/flash/c"), Ok(Place::Free));
    }

    #[test]
    fn an_older_release_is_refused_unless_it_was_asked_for() {
        let of = |version: &str| Release { version: version.into(), build: "b".into() };
        assert!(follows(Side::Here, &of("0.1.0"), &of("0.1.0"), false).is_empty());
        assert!(follows(Side::Here, &of("0.2.0"), &of("0.1.9"), false)[0].contains("add --older"));
        assert!(follows(Side::Here, &of("0.2.0"), &of("0.1.9"), true).is_empty());
    }
}

//! Links of the machine that the configuration names.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{Interface, LinkState, Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

/// A pair whose wire has no addresses and is down at both ends.
fn bare() -> Pair {
    let pair = Pair::new();
    for place in [&pair.east, &pair.west] {
        place
            .netns
            .ip(&["addr flush dev srp".to_owned(), "link set srp down".to_owned()])
            .expect("a bare wire");
    }
    pair
}

/// A configuration whose redundancy context has the wire with this last octet of its address, and `more` of it.
fn configure(place: &Place, last: u8, more: &str) -> PathBuf {
    place.configure(
        &Keys::None,
        &format!(
            "\n[[context]]\nname = \"srp\"\n[[context.interface]]\nname = \"srp\"\naddresses = [\"192.0.2.{last}/30\"]\n{more}"
        ),
    )
}

/// What `ip` says of the wire at this end.
fn wire(place: &Place) -> String {
    let command = |arguments: &[&str]| {
        let output =
            std::process::Command::new("ip").args(["-n", place.netns.name()]).args(arguments).output();
        String::from_utf8_lossy(&output.expect("ip runs").stdout).into_owned()
    };
    command(&["link", "show", "dev", "srp"]) + &command(&["-o", "address", "show", "dev", "srp"])
}

fn await_wire(place: &Place, what: &str, holds: impl Fn(&str) -> bool) {
    until(what, PATIENCE, Duration::from_millis(20), || {
        let seen = wire(place);
        Ok(if holds(&seen) { Seen::Done(()) } else { Seen::NotYet(seen) })
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn cfg_6_the_interface_of_the_redundancy_context_is_made_before_the_link_and_changes_on_reload() {
    let pair = bare();
    let (east, west) = (&pair.east, &pair.west);
    let keys = "mtu = 1600\ndescription = \"to west\"\n";
    let file = configure(east, 1, keys);
    let primary = east.start(&file);
    let backup = west.start(&configure(west, 2, "mtu = 1600\n"));
    primary.await_state(ChassisState::Active);
    backup.await_state(ChassisState::Standby);
    let before = primary.await_info("a settled pair", |info| {
        info.chassis_state == ChassisState::Active
            && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    let made = wire(east);
    assert!(made.contains("mtu 1600") && made.contains("alias to west"), "{made}");

    // Another address comes, and goes, while the one of the link stays: no Hello is missed.
    let one = fs::read_to_string(&file).expect("the file");
    let two = one.replace("[\"192.0.2.1/30\"]", "[\"192.0.2.1/30\", \"198.51.100.1/30\"]");
    for (text, has) in [(&two, true), (&one, false)] {
        fs::write(&file, text).expect("the new file");
        primary.signal(Signal::SIGHUP);
        await_wire(east, "the second address", |seen| seen.contains("198.51.100.1/30") == has);
    }
    assert!(wire(east).contains("192.0.2.1/30"));
    let info = primary.await_state(ChassisState::Active);
    assert_eq!((info.connection_ups, info.switchovers), (before.connection_ups, before.switchovers));

    // What the system takes away, the next reload gives back; what was made stays when srpd stops.
    east.netns.ip(&["addr add 203.0.113.77/32 dev srp".to_owned()]).expect("an address of somebody else");
    east.netns.ip(&["link set srp mtu 1500".to_owned()]).expect("a change of somebody else");
    primary.signal(Signal::SIGHUP);
    await_wire(east, "the size", |seen| seen.contains("mtu 1600"));
    primary.signal(Signal::SIGTERM);
    assert_eq!(primary.exit_code(), Some(0));
    let left = wire(east);
    assert!(left.contains("192.0.2.1/30") && left.contains("203.0.113.77/32"), "{left}");
}

fn interfaces(daemon: &Daemon, context: Option<&str>, name: Option<&str>) -> Result<Vec<Interface>, String> {
    let (context, name) = (context.map(str::to_owned), name.map(str::to_owned));
    match daemon.ask(&Request::ShowInterfaces { context, name }) {
        Ok(Response::Interfaces(all)) => Ok(all),
        Ok(Response::Error { reasons }) => Err(reasons.join("\n")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn cfg_6_an_interface_is_shown_as_the_kernel_has_it_at_that_moment() {
    let pair = bare();
    let (east, west) = (&pair.east, &pair.west);
    let more =
        "mtu = 1600\ndescription = \"to west\"\n[[context.interface]]\nname = \"lo2\"\nshutdown = true\n";
    east.netns.ip(&["link add lo2 type bridge".to_owned()]).expect("a second link");
    let primary = east.start(&configure(east, 1, more));
    let backup = west.start(&configure(west, 2, ""));
    primary.await_state(ChassisState::Active);
    backup.await_state(ChassisState::Standby);

    let all = interfaces(&primary, None, None).expect("all");
    let names: Vec<_> = all.iter().map(|link| (link.context.as_str(), link.name.as_str())).collect();
    assert_eq!(names, [("srp", "srp"), ("srp", "lo2")]);
    let (wire_shown, second) = (&all[0], &all[1]);
    assert_eq!(wire_shown.state, LinkState::Up);
    assert_eq!((wire_shown.mtu, wire_shown.description.as_deref()), (Some(1600), Some("to west")));
    assert!(wire(east).contains(wire_shown.mac.as_deref().expect("an address")), "as ip shows it");
    assert!(wire_shown.received.packets > 0 && wire_shown.sent.octets > 0, "Hellos went both ways");
    assert!(second.shutdown && second.state == LinkState::Down, "{second:?}");

    // What somebody else does is seen at once, and said to be theirs.
    let theirs = ["addr add 203.0.113.77/32 dev srp", "link del lo2"].map(str::to_owned);
    east.netns.ip(&theirs).expect("a change of somebody else");
    let all = interfaces(&primary, Some("srp"), None).expect("those of a context");
    let address = |text: &str| all[0].addresses.iter().find(|found| found.address == text);
    let (own, theirs) = (address("192.0.2.1/30").expect("ours"), address("203.0.113.77/32").expect("theirs"));
    assert!(own.configured && own.present && !theirs.configured && theirs.present);
    assert!(all[1].state == LinkState::Absent && all[1].mtu.is_none(), "{:?}", all[1]);

    // The wire goes down at the other end.
    west.netns.ip(&["link set srp down".to_owned()]).expect("a cut");
    let shown = || interfaces(&primary, None, Some("srp")).expect("one");
    until("no carrier", PATIENCE, Duration::from_millis(20), || {
        let seen = shown();
        let down = seen.len() == 1 && seen[0].state == LinkState::NoCarrier;
        Ok(if down { Seen::Done(()) } else { Seen::NotYet(format!("{seen:?}")) })
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let refused = interfaces(&primary, None, Some("eth9")).expect_err("no such interface");
    assert!(refused.contains("it has: srp of context srp, lo2 of context srp"), "{refused}");
}

#[test]
fn cfg_6_what_the_driver_or_the_machine_does_not_have_refuses_the_start_by_name() {
    let pair = bare();
    let east = &pair.east;
    let before = wire(east);
    let rows = [
        (
            "speed = \"100\"\n",
            "interface \"srp\": its driver does not take speed 100 full: leave speed and duplex out",
        ),
        ("[[context.interface]]\nname = \"lost0\"\n", "interface \"lost0\": this machine has no such link"),
    ];
    for (keys, why) in rows {
        let (code, said) = east.refusal(&configure(east, 1, keys));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(wire(east), before, "{why}");
    }
}

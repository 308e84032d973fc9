//! What a start and a reload check beyond the file itself: keys in files of their own, links of this machine.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::neighbor_bfd::Router;
use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

/// A context with one neighbour that nobody is.
const LONELY: &str = "\n[[context]]\nname = \"red\"\ntable = 1001\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.101\"\n\
    [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nremote-as = 65101\nlocal-address = \"10.1.0.1\"\n";

/// East without a peer, and its log.
struct Alone {
    pair: Pair,
    file: PathBuf,
    log: PathBuf,
    daemon: Daemon,
}

impl Alone {
    fn with(pair: Pair, more: &str) -> Self {
        let log = pair.file("east.log");
        let file = pair.east.configure(&Keys::None, more);
        let sink = std::fs::File::create(&log).expect("a log file");
        let daemon = pair.east.start_logging_to(&file, sink.into());
        daemon.await_state(ChassisState::Active);
        Self { pair, file, log, daemon }
    }

    /// The log so far.
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("the log")
    }

    fn reload_until_said(&self, words: &[&str]) {
        self.daemon.signal(Signal::SIGHUP);
        until(&words.join(" and "), PATIENCE, Duration::from_millis(20), || {
            let text = self.said();
            let all = words.iter().all(|word| text.contains(word));
            Ok(if all { Seen::Done(()) } else { Seen::NotYet(text) })
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }

    fn running(&self) -> String {
        match self.daemon.ask(&Request::ShowConfiguration) {
            Ok(Response::Configuration(configuration)) => configuration.text,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn end_of_a_session_that_no_link_has_is_warned_of_and_nothing_waits_for_it() {
    let alone = Alone::with(Pair::new(), LONELY);
    let text = alone.said();
    assert!(text.contains("local-address = \"10.1.0.1\" is on no interface"), "{text}");
}

/// A reload of `more` is refused for `why`; configuration and kernel are those of before.
fn changes_nothing(more: &str, why: &str) {
    let alone = Alone::with(Pair::new(), LONELY);
    let east = &alone.pair.east;
    let before = (alone.running(), east.kernel());
    let text = std::fs::read_to_string(east.configure(&Keys::None, more)).expect("the file");
    // The kernel would show another pool if half of the file were taken over.
    let changed = text.replace("172.18.0.0/16", "172.19.0.0/16");
    assert_ne!(changed, text);
    std::fs::write(&alone.file, changed).expect("the new configuration");
    alone.reload_until_said(&["reload refused", why]);
    assert_eq!((alone.running(), east.kernel()), before);
}

#[test]
fn reload_that_names_a_key_file_that_is_not_there_changes_nothing() {
    changes_nothing(&format!("{LONELY}hold-time = \"30s\"\nmd5-key-file = \"lost.key\"\n"), "lost.key");
}

#[test]
fn reload_that_names_a_tcp_ao_key_that_the_kernel_does_not_take_changes_nothing() {
    let alone = Alone::with(Pair::new(), LONELY);
    let east = &alone.pair.east;
    std::fs::write(alone.pair.file("neighbour.keys"), "7 8 hmac-sha-1-96 hush\n").expect("a key file");
    let before = (alone.running(), east.kernel());
    east.configure(&Keys::None, &format!("{LONELY}hold-time = \"30s\"\nao-key-file = \"neighbour.keys\"\n"));
    alone.reload_until_said(&["reload refused", "TCP-AO key 7/8 hmac-sha-1-96 for 10.1.0.2/32"]);
    assert_eq!((alone.running(), east.kernel()), before);
    assert!(!alone.said().contains("hush"));
}

#[test]
fn reload_that_names_an_interface_that_is_not_there_changes_nothing() {
    let loopback =
        "[[context.loopback]]\nname = \"elsewhere\"\naddress = \"192.0.2.77/32\"\ninterface = \"lost0\"\n";
    changes_nothing(&LONELY.replace("[context.bgp]", &format!("{loopback}[context.bgp]")), "\"lost0\"");
}

#[test]
fn reload_takes_over_a_key_that_has_changed_in_its_file_alone() {
    let pair = Pair::new();
    let key = pair.file("neighbour.key");
    std::fs::write(&key, "first\n").expect("a key file");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("a mode");
    let alone = Alone::with(pair, &format!("{LONELY}md5-key-file = \"neighbour.key\"\n"));
    alone.reload_until_said(&["nothing has changed"]);
    std::fs::write(&key, "second\n").expect("a key file");
    alone.reload_until_said(&["other keys for BGP neighbours"]);
    alone.reload_until_said(&["reload done"]);
    let text = alone.said();
    assert!(text.contains("neighbour.key, a key of BGP neighbours, has mode 0644: others"), "{text}");
    assert!(!text.contains("second"), "a key does not belong into a log: {text}");
}

#[test]
fn who_asks_for_a_reload_is_told_what_changed_or_why_nothing_did() {
    let alone = Alone::with(Pair::new(), LONELY);
    let text = std::fs::read_to_string(&alone.file).expect("the file");
    let ask = |text: &str| {
        std::fs::write(&alone.file, text).expect("the new configuration");
        alone.daemon.ask(&Request::Reload).expect("an answer")
    };
    let Response::Reloaded(same) = ask(&text) else { panic!("taken over") };
    assert_eq!(same.changes, Vec::<String>::new());
    let Response::Reloaded(taken) = ask(&text.replace("drain-interval = \"0s\"", "drain-interval = \"1s\""))
    else {
        panic!("taken over")
    };
    assert_eq!(taken.changes, ["srp.drain-interval: \"0s\" -> \"1s\""]);
    let before = alone.running();
    for (wrong, why) in [
        (text.replace("drain-interval = \"0s\"", "drain-interval = \"61s\""), "out of range"),
        (
            text.replace("chassis-mode = \"primary\"", "chassis-mode = \"backup\""),
            "can only change with a restart",
        ),
    ] {
        let Response::Error { reasons } = ask(&wrong) else { panic!("refused") };
        assert!(reasons.len() == 1 && reasons[0].contains(why), "{reasons:?}");
        assert_eq!(alone.running(), before);
    }
}

/// What `ip monitor` says of a namespace while it lives.
struct Onlooker {
    child: Child,
    file: PathBuf,
}

impl Onlooker {
    /// One that sees what happens from now on.
    fn of(place: &Place) -> Self {
        let file = place.folder.join("seen");
        let sink = std::fs::File::create(&file).expect("a file");
        let mut command = Command::new("ip");
        command.args(["-n", place.netns.name(), "monitor", "route", "address"]).stdout(sink);
        let onlooker = Self { child: command.spawn().expect("ip runs"), file };
        // It is listening once it sees what is done for it to see.
        until("ip monitor listens", PATIENCE, Duration::from_millis(20), || {
            place.netns.ip(&["addr replace 127.0.0.9/32 dev lo".into()])?;
            let seen = onlooker.seen();
            Ok(if seen.contains("127.0.0.9") { Seen::Done(()) } else { Seen::NotYet(seen) })
        })
        .unwrap_or_else(|error| panic!("{error}"));
        onlooker
    }

    fn seen(&self) -> String {
        std::fs::read_to_string(&self.file).unwrap_or_default()
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

#[test]
fn reload_touches_nothing_that_has_not_changed() {
    let pair = Pair::new();
    let netns = Netns::create(format!("{}-r", next_prefix())).expect("a namespace (needs root)");
    let wire = format!("link add r1 type veth peer name net netns {}", netns.name());
    pair.east
        .netns
        .ip(&[wire, "addr add 10.1.0.1/30 dev r1".into(), "link set r1 up".into()])
        .expect("a wire");
    netns.ip(&["addr add 10.1.0.2/30 dev net".into(), "link set net up".into()]).expect("its other end");
    let mut router = Router::begin(netns);
    router.bgpd(
        "router bgp 65101\n no bgp ebgp-requires-policy\n neighbor 10.1.0.1 remote-as 65001\n \
         neighbor 10.1.0.1 timers connect 1\nexit\n",
    );
    let bgp = |id: u8| {
        format!(
            "\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.{id}\"\n\
             [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nremote-as = 65101\n"
        )
    };
    let east = pair.east.start(&pair.east.configure(&Keys::None, &bgp(1)));
    let west = pair.west.start(&pair.west.configure(&Keys::None, &bgp(2)));
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    east.await_info("the router is there", |_| east.neighbor("10.1.0.2").state == "Established");
    let before = east.neighbor("10.1.0.2");

    let onlooker = Onlooker::of(&pair.east);
    let more = "[[context.pool]]\nname = \"more\"\nprefix = \"172.19.0.0/20\"\nsrp-activate = true\n\
                [[srp.monitor.bgp]]\ncontext = \"destination\"\naddress = \"10.1.0.2\"\n\
                [srp.guard-timer.srp-redundancy-timers.bgp]\ndamping-period = \"5s\"\n";
    let file = pair.east.configure(&Keys::None, &format!("{}{more}", bgp(1)));
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.replace("drain-interval = \"0s\"", "drain-interval = \"1s\""))
        .expect("the file");
    let answer = east.ask(&Request::Reload).expect("an answer");
    let Response::Reloaded(reloaded) = answer else { panic!("{answer:?}") };
    assert_eq!(reloaded.changes.len(), 4, "{reloaded:?}");
    until("the new pool is seen", PATIENCE, Duration::from_millis(20), || {
        let seen = onlooker.seen();
        Ok(if seen.contains("172.19.0.0/20") { Seen::Done(()) } else { Seen::NotYet(seen) })
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let seen = onlooker.seen();
    assert!(
        !seen.contains("Deleted") && !seen.contains("203.0.113.1") && !seen.contains("172.18."),
        "{seen}"
    );
    let after = east.neighbor("10.1.0.2");
    assert_eq!((after.established, after.lost, after.state.as_str()), (before.established, 0, "Established"));
    router.await_that("the router hears of the new pool", |router| {
        router
            .asks("bgpd", "show bgp ipv4 unicast 172.19.0.0/20 json")
            .is_some_and(|route| route["paths"].as_array().is_some_and(|paths| !paths.is_empty()))
    });
    for daemon in [&east, &west] {
        let Ok(Response::SrpStatistics(statistics)) = daemon.ask(&Request::ShowSrpStatistics) else {
            panic!("statistics")
        };
        assert_eq!((statistics.link_ups, statistics.link_downs), (1, 0), "{statistics:?}");
    }
}

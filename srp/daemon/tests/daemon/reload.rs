//! What a start and a reload check beyond the file itself: keys in files of their own, links of this machine.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, PATIENCE, Pair};

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

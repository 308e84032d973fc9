//! Messages as each release wrote them: read for ever.
//!
//! A file for each release whose octets differ from those of the one before; none is ever changed. A test that fails here
//! says that a chassis would no longer understand its peer during an upgrade.

use super::frame::{FrameReader, encode};
use super::*;
use crate::hex::Text;
use crate::types::{BootId, ChassisMode, ChassisState, Mac, Priority, RouteModifier, Span, Time};

/// Lines of a name and the octets in hexadecimal.
const RELEASE_0_1_0: &str = include_str!("recorded/0.1.0.txt");

fn hello(state: ChassisState, full: bool) -> Message {
    Message::Hello(Hello {
        sequence: 4_294_967_296,
        sent_at: Time(8_124_989_663),
        echo_sent_at: full.then_some(Time(8_124_900_001)),
        boot: BootId(0xfeed_beef_0123_4567),
        release: "0.1.0".into(),
        state,
        mode: if full { ChassisMode::Primary } else { ChassisMode::Backup },
        priority: Priority(125),
        mac: Mac([0x02, 0x00, 0x5e, 0x10, 0x00, 0x01]),
        modifier: RouteModifier(18),
        standing: 7,
        echo_standing: full.then_some(300),
        view: full.then_some(PeerView { state: ChassisState::Standby, modifier: RouteModifier(2) }),
        config_digest: *b"0123456789abcdef0123456789ABCDEF",
        session_managers: 24,
        session_managers_connected: 23,
        bgp_neighbors: 4,
        bgp_established: 3,
        capabilities: 0,
        echo_held: full.then_some(Span(49_999)),
        monitors_failed: None,
        monitors_remembered: None,
    })
}

/// What the octets of release 0.1.0 say: every type of message, every state, every reason of a Close.
fn said_by_0_1_0() -> Vec<(&'static str, Message)> {
    let item = |key: &str, value: &str| ConfigItem { key: key.into(), value: value.into() };
    let items = vec![item("pool dynamic", "172.18.0.0/16"), item("srp hello-interval", "50ms")];
    let close = |reason, text: &str| Message::Close(Close { reason, text: text.into() });
    vec![
        ("hello-init", hello(ChassisState::Init, false)),
        ("hello-standby", hello(ChassisState::Standby, true)),
        ("hello-pending-active", hello(ChassisState::PendingActive, true)),
        ("hello-active", hello(ChassisState::Active, true)),
        ("hello-pending-standby", hello(ChassisState::PendingStandby, true)),
        ("configuration-items", Message::ConfigItems(ConfigItems { items })),
        (
            "switchover-request",
            Message::SwitchoverRequest(SwitchoverRequest { id: 3, force: true, reason: 11 }),
        ),
        (
            "switchover-abort",
            Message::SwitchoverAbort(SwitchoverAbort {
                id: 3,
                why: "the kernel refused 1 of 4 objects".into(),
            }),
        ),
        ("close-stopping", close(CloseReason::Stopping, "orderly stop")),
        ("close-collision", close(CloseReason::Collision, "")),
        ("close-version", close(CloseReason::Version, "")),
        ("close-protocol", close(CloseReason::Protocol, "")),
        ("close-silent", close(CloseReason::Silent, "no Hello within the dead-interval")),
        ("close-reconfigured", close(CloseReason::Reconfigured, "")),
        ("terminate-post-process", Message::TerminatePostProcess(TerminatePostProcess {})),
    ]
}

fn octets(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16).expect("hexadecimal")).expect("a digit"))
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn line(name: &str, message: &Message) -> String {
    format!("{name} {}", Text(&encode(message)))
}

#[test]
fn what_release_0_1_0_wrote_is_understood() {
    let lines: Vec<(&str, &str)> = RELEASE_0_1_0
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(name, _)| *name != "#")
        .collect();
    let said = said_by_0_1_0();
    assert_eq!(lines.len(), said.len());
    for ((name, written), (expected_name, message)) in lines.into_iter().zip(said) {
        assert_eq!(name, expected_name);
        let mut reader = FrameReader::default();
        reader.push(&octets(written));
        assert_eq!(reader.next_message(), Ok(Some(message)), "{name}");
        assert_eq!(reader.next_message(), Ok(None), "{name}");
    }
}

/// Also the guard of the list: a new type of message has to be recorded.
#[test]
fn what_this_release_writes_is_recorded() {
    let written: Vec<String> = said_by_0_1_0().iter().map(|(name, message)| line(name, message)).collect();
    let recorded: Vec<&str> = RELEASE_0_1_0.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        recorded, written,
        "other octets: keep that file, and record those of this release in one of its own"
    );
    for (_, message) in said_by_0_1_0() {
        match message {
            Message::Hello(_)
            | Message::ConfigItems(_)
            | Message::SwitchoverRequest(_)
            | Message::SwitchoverAbort(_)
            | Message::TerminatePostProcess(_)
            | Message::Close(_) => {}
            Message::Unknown(kind) => panic!("type {kind} is nobody's"),
        }
    }
}

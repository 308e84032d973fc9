//! `show srp info`.

use srp_core::api::{BfdSession, PeerInfo, SrpInfo};

use super::table::{fields, indented};
use super::time::{age, wall};

pub fn info(info: &SrpInfo, now_us: u64) -> String {
    let sections = [chassis(info), peer(info), link(info, now_us), history(info)];
    let mut text = sections.map(|section| fields(&section)).join("\n");
    if !info.link_counters.is_empty() {
        let counters =
            info.link_counters.iter().map(|counter| format!("{:>6}  {}", counter.count, counter.name));
        text = text + "\nLink Counters:\n" + &indented("  ", counters);
    }
    if !info.bfd_sessions.is_empty() {
        text = text
            + "\nBFD Sessions:\n"
            + &indented("  ", info.bfd_sessions.iter().map(|one| bfd(one, now_us)));
        if info.bfd_ignores_dead_interval {
            text += "  bfd-mon-ignore-dead-interval: the dead interval alone takes over nothing while the peer is Up\n";
        }
    }
    if let Some(disagreement) = &info.bfd_disagreement {
        text = text + "\nSigns Of Life Disagree:    " + disagreement + "\n";
    }
    if !info.kernel_refused.is_empty() {
        text = text + "\nRefused By The Kernel:\n" + &indented("  ", info.kernel_refused.iter().cloned());
    }
    text
}

fn chassis(info: &SrpInfo) -> Vec<(&'static str, String)> {
    vec![
        ("Context", info.context.clone()),
        ("Chassis State", info.chassis_state.to_string()),
        ("Chassis Mode", info.chassis_mode.to_string()),
        ("Chassis Priority", info.chassis_priority.to_string()),
        ("Chassis MAC", info.chassis_mac.clone()),
        ("Local Address", info.local_address.clone()),
        ("Route Modifier", info.route_modifier.to_string()),
        ("Route Modifier Threshold", info.route_modifier_threshold.to_string()),
        ("Release", info.release.clone()),
        ("Boot ID", info.boot_id.clone()),
    ]
}

fn peer(info: &SrpInfo) -> Vec<(&'static str, String)> {
    let known = |value: &dyn Fn(&PeerInfo) -> String| info.peer.as_ref().map_or("Unknown".to_owned(), value);
    vec![
        ("Peer Address", info.peer_address.clone()),
        ("Peer State", known(&|peer| peer.state.to_string())),
        ("Peer Mode", known(&|peer| peer.mode.to_string())),
        ("Peer Priority", known(&|peer| peer.priority.to_string())),
        ("Peer MAC", known(&|peer| peer.mac.clone())),
        ("Peer Route Modifier", known(&|peer| peer.route_modifier.to_string())),
        (
            "Peer BGP Neighbors",
            known(&|peer| format!("{} of {} Established", peer.bgp_established, peer.bgp_neighbors)),
        ),
        ("Peer Last Hello", known(&|peer| format!("{:.3} ms ago", peer.last_hello_ms))),
        ("Peer Release", known(&|peer| peer.release.clone())),
        ("Peer Boot ID", known(&|peer| peer.boot_id.clone())),
    ]
}

fn link(info: &SrpInfo, now_us: u64) -> Vec<(&'static str, String)> {
    vec![
        ("Connection State", info.connection_state.clone()),
        ("Connection Security", info.connection_security.clone()),
        ("Certificate", info.certificate.clone().unwrap_or_else(|| "None".into())),
        ("Pinned Peer Certificates", pinned(info)),
        ("Connection Since", since(info.connection_since_us, now_us)),
        ("Connections", info.connection_ups.to_string()),
        ("Hello Interval", format!("{} ms", info.hello_interval_ms)),
        ("Dead Interval", format!("{} ms", info.dead_interval_ms)),
        ("Hellos Sent", info.hellos_sent.to_string()),
        ("Hellos Received", info.hellos_received.to_string()),
        ("Round Trip Time", info.round_trip_ms.map_or("Unknown".into(), |ms| format!("{ms:.3} ms"))),
    ]
}

/// One line: whom, between which ends, its state and since when, how fast, and why it was down last.
fn bfd(session: &BfdSession, now_us: u64) -> String {
    let interface = session.interface.as_ref().map_or(String::new(), |name| format!("%{name}"));
    let vrf = session.vrf.as_ref().map(|vrf| format!(" in VRF {vrf}")).unwrap_or_default();
    let detects = session.detection_time_ms.map_or("unknown".into(), |ms| format!("{ms} ms"));
    let mut line = format!(
        "{}: {} -> {}{interface}{vrf}, {} (remote {}) for {}, detects in {detects}",
        session.watches,
        session.local_address,
        session.peer_address,
        session.state,
        session.remote_state.as_deref().unwrap_or("unknown"),
        age(session.since_us, now_us),
    );
    if let Some(cause) = &session.last_down {
        line = format!("{line}, last down: {cause}");
    }
    line
}

fn history(info: &SrpInfo) -> Vec<(&'static str, String)> {
    let last = info.last_switch.as_ref();
    let change = last.map_or("None".to_owned(), |last| format!("{} -> {}", last.from, last.to));
    let reason = last.map_or("None".to_owned(), |last| format!("{} ({})", last.reason_text, last.reason));
    vec![
        ("Configuration State", info.configuration_state.clone()),
        ("Last Validate Switchover Status", info.last_validate_switchover_status.clone()),
        ("Last Validate Configuration Status", info.last_validate_configuration_status.clone()),
        ("Last State Change", change),
        ("Last State Change Reason", reason),
        ("Last State Change Time", last.map_or("Never".to_owned(), |last| wall(last.at_us))),
        ("Switchovers", info.switchovers.to_string()),
    ]
}

fn pinned(info: &SrpInfo) -> String {
    if info.pinned_certificates.is_empty() { "None".into() } else { info.pinned_certificates.join(", ") }
}

fn since(since_us: u64, now_us: u64) -> String {
    if since_us == 0 { "Never".into() } else { format!("{} ({})", wall(since_us), age(since_us, now_us)) }
}

#[cfg(test)]
mod tests {
    use srp_core::api::{Counter, LastSwitch};
    use srp_core::types::{ChassisMode, ChassisState};

    use super::*;

    const START_US: u64 = 1_795_339_800_000_000;

    fn example() -> SrpInfo {
        SrpInfo {
            context: "srp".into(),
            release: "0.1.0".into(),
            chassis_state: ChassisState::Active,
            chassis_mode: ChassisMode::Primary,
            chassis_priority: 10,
            chassis_mac: "02:00:00:00:00:01".into(),
            local_address: "192.0.2.1".into(),
            route_modifier: 1,
            route_modifier_threshold: 16,
            boot_id: "00000000000000aa".into(),
            peer_address: "192.0.2.2".into(),
            peer: Some(PeerInfo {
                state: ChassisState::Standby,
                mode: ChassisMode::Backup,
                priority: 20,
                mac: "02:00:00:00:00:02".into(),
                route_modifier: 2,
                release: "0.1.0".into(),
                boot_id: "00000000000000bb".into(),
                bgp_established: 3,
                bgp_neighbors: 4,
                last_hello_ms: 12.3456,
            }),
            connection_state: "Connected".into(),
            connection_security: "mutual TLS 1.3, pinned".into(),
            certificate: Some("sha256:aa".into()),
            pinned_certificates: vec!["sha256:bb".into(), "sha256:cc".into()],
            connection_since_us: START_US,
            connection_ups: 1,
            hello_interval_ms: 50.0,
            dead_interval_ms: 150.0,
            hellos_sent: 840,
            hellos_received: 839,
            round_trip_ms: Some(0.1234),
            configuration_state: "In sync".into(),
            last_validate_switchover_status: "Success".into(),
            last_validate_configuration_status: "Success".into(),
            last_switch: Some(LastSwitch {
                at_us: START_US + 1_500_000,
                from: ChassisState::PendingActive,
                to: ChassisState::Active,
                reason: 9,
                reason_text: "Dead Timer Expiry".into(),
            }),
            switchovers: 1,
            link_counters: Vec::new(),
            kernel_refused: Vec::new(),
            bfd_sessions: Vec::new(),
            bfd_ignores_dead_interval: false,
            bfd_disagreement: None,
        }
    }

    #[test]
    fn show_1_an_active_chassis_beside_its_standby() {
        let expected = "\
Context:                   srp
Chassis State:             Active
Chassis Mode:              Primary
Chassis Priority:          10
Chassis MAC:               02:00:00:00:00:01
Local Address:             192.0.2.1
Route Modifier:            1
Route Modifier Threshold:  16
Release:                   0.1.0
Boot ID:                   00000000000000aa

Peer Address:         192.0.2.2
Peer State:           Standby
Peer Mode:            Backup
Peer Priority:        20
Peer MAC:             02:00:00:00:00:02
Peer Route Modifier:  2
Peer BGP Neighbors:   3 of 4 Established
Peer Last Hello:      12.346 ms ago
Peer Release:         0.1.0
Peer Boot ID:         00000000000000bb

Connection State:          Connected
Connection Security:       mutual TLS 1.3, pinned
Certificate:               sha256:aa
Pinned Peer Certificates:  sha256:bb, sha256:cc
Connection Since:          2026-11-22 09:30:00.000000 UTC (00:00:42)
Connections:               1
Hello Interval:            50 ms
Dead Interval:             150 ms
Hellos Sent:               840
Hellos Received:           839
Round Trip Time:           0.123 ms

Configuration State:                 In sync
Last Validate Switchover Status:     Success
Last Validate Configuration Status:  Success
Last State Change:                   Pending-Active -> Active
Last State Change Reason:            Dead Timer Expiry (9)
Last State Change Time:              2026-11-22 09:30:01.500000 UTC
Switchovers:                         1
";
        assert_eq!(info(&example(), START_US + 42_000_000), expected);
    }

    #[test]
    fn bfd_sessions_are_shown_with_what_they_last_died_of() {
        let session = BfdSession {
            watches: "peer chassis".into(),
            peer_address: "10.9.0.2".into(),
            local_address: "10.9.0.1".into(),
            interface: Some("eth2".into()),
            vrf: None,
            multihop: false,
            state: "Up".into(),
            remote_state: Some("Up".into()),
            since_us: START_US,
            transmit_interval_ms: Some(50.0),
            detection_time_ms: Some(150.0),
            ups: 2,
            downs: 1,
            last_down: Some("no packet for 150ms".into()),
            last_down_us: Some(START_US),
        };
        let in_vrf = BfdSession {
            watches: "BGP neighbour 10.1.1.2 of customer".into(),
            interface: None,
            vrf: Some("blue".into()),
            last_down: None,
            ..session.clone()
        };
        let shown = SrpInfo {
            bfd_sessions: vec![session, in_vrf],
            bfd_ignores_dead_interval: true,
            bfd_disagreement: Some("BFD is Up, no Hello comes".into()),
            ..example()
        };
        let tail = "
BFD Sessions:
  peer chassis: 10.9.0.1 -> 10.9.0.2%eth2, Up (remote Up) for 00:00:42, detects in 150 ms, last down: no packet for 150ms
  BGP neighbour 10.1.1.2 of customer: 10.9.0.1 -> 10.9.0.2 in VRF blue, Up (remote Up) for 00:00:42, detects in 150 ms
  bfd-mon-ignore-dead-interval: the dead interval alone takes over nothing while the peer is Up

Signs Of Life Disagree:    BFD is Up, no Hello comes
";
        let text = info(&shown, START_US + 42_000_000);
        assert!(text.ends_with(tail), "{text}");
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        let alone = SrpInfo {
            peer: None,
            round_trip_ms: None,
            last_switch: None,
            connection_since_us: 0,
            connection_state: "Connecting: connection refused".into(),
            link_counters: vec![Counter { name: "wrong certificate".into(), count: 3 }],
            kernel_refused: vec!["172.18.0.0/16: no such device".into()],
            ..example()
        };
        let text = info(&alone, START_US);
        for line in [
            "Peer State:           Unknown",
            "Connection State:          Connecting: connection refused",
            "Connection Since:          Never",
            "Round Trip Time:           Unknown",
            "Last State Change:                   None",
            "Last State Change Time:              Never",
        ] {
            assert!(text.lines().any(|is| is == line), "no line {line:?} in\n{text}");
        }
        let tail = "
Link Counters:
       3  wrong certificate

Refused By The Kernel:
  172.18.0.0/16: no such device
";
        assert!(text.ends_with(tail), "{text}");
    }
}

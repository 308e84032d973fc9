//! `show ip bgp neighbors`.

use std::fmt::Write as _;

use srp_core::api::BgpNeighborDetails;

use super::bgp::found;
use super::clean;
use super::table::{Edge, fields, indented, table};
use super::time::{age, wall};

pub fn neighbors(all: &[BgpNeighborDetails], now_us: u64) -> String {
    if all.is_empty() {
        return "No BGP neighbors.\n".into();
    }
    all.iter().map(|neighbor| one(neighbor, now_us)).collect::<Vec<_>>().join("\n")
}

fn one(neighbor: &BgpNeighborDetails, now_us: u64) -> String {
    let dynamic = if neighbor.dynamic { ", dynamic" } else { "" };
    let head = format!(
        "BGP neighbor {}{}, context {}, remote AS {}, local AS {}, {}{dynamic}\n",
        clean(&neighbor.address),
        found(neighbor.found.as_deref()),
        clean(&neighbor.context),
        neighbor.remote_as,
        neighbor.local_as,
        clean(&neighbor.kind),
    );
    let body = fields(&lines(neighbor, now_us));
    let body = indented("  ", body.lines().map(str::to_owned));
    let tables = [
        messages(neighbor),
        families(neighbor),
        limits(neighbor),
        capabilities(neighbor),
        notifications(neighbor),
    ];
    std::iter::once(head + &body).chain(tables).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn lines(neighbor: &BgpNeighborDetails, now_us: u64) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("State", format!("{} for {}", neighbor.state, age(neighbor.since_us, now_us))),
        ("Established", format!("{} times, {} lost", neighbor.established, neighbor.lost)),
    ];
    let loss = neighbor.last_loss_us.zip(neighbor.last_loss.as_ref());
    lines.extend(loss.map(|(at, why)| ("Last loss", format!("{}: {why}", wall(at)))));
    let error = neighbor.last_error.as_ref().filter(|error| neighbor.last_loss.as_ref() != Some(error));
    lines.extend(error.map(|error| ("Last error", error.clone())));
    lines.extend(neighbor.group.clone().map(|group| ("Group", group)));
    lines.extend(neighbor.router_id.clone().map(|id| ("Router identifier", id)));
    if let (Some(local), Some(remote)) = (&neighbor.local, &neighbor.remote) {
        let by = if neighbor.opened_by_us == Some(true) { "us" } else { "the neighbor" };
        lines.push(("Connection", format!("local {local}, remote {remote}, opened by {by}")));
    }
    if neighbor.passive {
        lines.push(("Passive", "waits for the neighbor".into()));
    }
    let offered = seconds(neighbor.hold_time_ms);
    lines.push(match neighbor.negotiated_hold_time_ms {
        None => ("Hold time", format!("{offered} configured")),
        Some(hold) => ("Hold time", format!("{}, {offered} configured", seconds(hold))),
    });
    lines.extend(neighbor.keepalive_ms.map(|time| ("Keepalive", seconds(time))));
    lines.extend(neighbor.send_hold_time_ms.map(|time| ("Send hold time", seconds(time))));
    if neighbor.delay_open_ms > 0 {
        lines.push(("Delay of OPEN", seconds(neighbor.delay_open_ms)));
    }
    lines.push(("TTL", neighbor.ttl.clone()));
    lines.push(("TCP-MD5", if neighbor.md5 { "signed" } else { "not signed" }.into()));
    if !neighbor.ao_keys.is_empty() {
        lines.push(("TCP-AO keys", clean(&neighbor.ao_keys.join(", "))));
    }
    lines.extend(bfd(neighbor, now_us));
    let prefixes =
        format!("{} received, {} accepted", neighbor.prefixes_received, neighbor.prefixes_accepted);
    lines.push(("Prefixes", prefixes));
    lines.push(("Waiting to be sent", format!("{} octets", neighbor.queued_octets)));
    lines.extend(limit(neighbor));
    let malformed = format!(
        "{} discarded, {} with their routes treated as withdrawn",
        neighbor.attributes_discarded, neighbor.treated_as_withdrawn
    );
    lines.push(("Malformed attributes", malformed));
    lines
}

fn bfd(neighbor: &BgpNeighborDetails, now_us: u64) -> Vec<(&'static str, String)> {
    let configured = neighbor.bfd.clone().unwrap_or_else(|| "not configured".into());
    let Some(session) = &neighbor.bfd_session else { return vec![("BFD", configured)] };
    let mut now = format!("{} for {}", clean(&session.state), age(session.since_us, now_us));
    if let Some(remote) = &session.remote_state {
        let _ = write!(now, ", the neighbor {}", clean(remote)); // a String takes every word
    }
    if let Some(time) = session.detection_time_ms {
        let _ = write!(now, ", detection time {time} ms");
    }
    let mut lines = vec![("BFD", format!("{now} ({configured})"))];
    let down = session.last_down_us.zip(session.last_down.as_ref());
    lines.extend(down.map(|(at, why)| ("BFD last down", format!("{}: {}", wall(at), clean(why)))));
    lines
}

/// What a limit of prefixes does, and has done.
fn limit(neighbor: &BgpNeighborDetails) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if neighbor.families.iter().any(|family| family.limit.is_some()) {
        let beyond = match neighbor.limit_action.as_str() {
            "end" => "the session ends".into(),
            "warn" => "a line in the log".into(),
            other => clean(other),
        };
        lines.push(("Beyond the limit", beyond));
    }
    lines.extend(neighbor.idle.as_ref().map(|idle| {
        let until = match idle.until_us {
            Some(until) => wall(until),
            None => format!("`clear ip bgp {}`", clean(&neighbor.address)),
        };
        ("Idle", format!("until {until}, for too many prefixes"))
    }));
    lines
}

fn seconds(ms: u64) -> String {
    match (ms / 1_000, ms % 1_000) {
        (0, 0) => "never expires".into(),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, rest) => format!("{seconds}.{rest:03} s"),
    }
}

fn messages(neighbor: &BgpNeighborDetails) -> String {
    let header = [("  Message", Edge::Left), ("Rcvd", Edge::Right), ("Sent", Edge::Right)];
    let row = |(kind, received, sent): (&str, u64, u64)| {
        vec![format!("  {kind}"), received.to_string(), sent.to_string()]
    };
    let mut rows: Vec<_> =
        neighbor.messages.iter().map(|count| row((&count.kind, count.received, count.sent))).collect();
    let (received, sent) = (neighbor.messages.iter().map(|count| count.received), neighbor.messages.iter());
    rows.push(row(("Total", received.sum(), sent.map(|count| count.sent).sum())));
    table(&header, &rows)
}

fn families(neighbor: &BgpNeighborDetails) -> String {
    let header = [
        ("  Family", Edge::Left),
        ("Exchanged", Edge::Left),
        ("PfxRcd", Edge::Right),
        ("PfxAcc", Edge::Right),
        ("PfxSnt", Edge::Right),
    ];
    let rows: Vec<_> = neighbor
        .families
        .iter()
        .map(|family| {
            let agreed = if family.agreed { "yes" } else { "no" };
            let counts = [family.received, family.accepted, family.announced].map(|count| count.to_string());
            [vec![format!("  {}", family.family), agreed.to_owned()], counts.to_vec()].concat()
        })
        .collect();
    table(&header, &rows)
}

/// Only of families that have one.
fn limits(neighbor: &BgpNeighborDetails) -> String {
    let header = [
        ("  Prefix limit", Edge::Left),
        ("Most", Edge::Right),
        ("Warn above", Edge::Right),
        ("Warned", Edge::Right),
        ("Exceeded", Edge::Right),
        ("Most told", Edge::Right),
        ("Held back", Edge::Right),
    ];
    let rows: Vec<_> = neighbor
        .families
        .iter()
        .filter(|family| family.limit.is_some() || family.limit_out.is_some())
        .map(|family| {
            let or_none =
                |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
            vec![
                format!("  {}", family.family),
                or_none(family.limit.map(u64::from)),
                or_none(family.warning_above),
                family.limit_warnings.to_string(),
                family.limit_exceeded.to_string(),
                or_none(family.limit_out.map(u64::from)),
                family.held_back.to_string(),
            ]
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(&header, &rows) }
}

fn capabilities(neighbor: &BgpNeighborDetails) -> String {
    let header = [("  Capability", Edge::Left), ("Ours", Edge::Left), ("Theirs", Edge::Left)];
    let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let rows: Vec<_> = neighbor
        .capabilities
        .iter()
        .map(|row| vec![format!("  {}", row.name), said(&row.ours), said(&row.theirs)])
        .collect();
    table(&header, &rows)
}

fn notifications(neighbor: &BgpNeighborDetails) -> String {
    if neighbor.notifications.is_empty() {
        return String::new();
    }
    let header = [
        ("  NOTIFICATION", Edge::Left),
        ("Code", Edge::Right),
        ("Count", Edge::Right),
        ("Meaning", Edge::Left),
    ];
    let rows: Vec<_> = neighbor
        .notifications
        .iter()
        .map(|row| {
            let way = if row.sent { "  sent" } else { "  received" };
            vec![
                way.to_owned(),
                format!("{}/{}", row.code, row.subcode),
                row.count.to_string(),
                row.name.clone(),
            ]
        })
        .collect();
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use srp_core::api::{
        BfdSession, BgpCapability, BgpFamily, BgpIdle, BgpMessageCount, BgpNotificationCount,
    };

    use super::*;

    fn neighbor() -> BgpNeighborDetails {
        let of = |kind: &str, received, sent| BgpMessageCount { kind: kind.into(), received, sent };
        BgpNeighborDetails {
            context: "destination".into(),
            address: "10.1.1.2".into(),
            found: None,
            dynamic: false,
            group: Some("transit".into()),
            remote_as: 65_101,
            local_as: 65_001,
            kind: "external".into(),
            state: "Established".into(),
            since_us: 1_795_359_492_691_773,
            established: 3,
            lost: 2,
            last_loss_us: Some(1_795_359_490_000_000),
            last_loss: Some("we sent NOTIFICATION hold timer expired (4/0)".into()),
            last_error: Some("we sent NOTIFICATION hold timer expired (4/0)".into()),
            router_id: Some("10.1.1.2".into()),
            local: Some("10.1.1.1:179".into()),
            remote: Some("10.1.1.2:41234".into()),
            opened_by_us: Some(false),
            passive: false,
            hold_time_ms: 9_000,
            negotiated_hold_time_ms: Some(3_000),
            keepalive_ms: Some(1_000),
            send_hold_time_ms: None,
            delay_open_ms: 0,
            ttl: "1".into(),
            md5: true,
            ao_keys: Vec::new(),
            bfd: Some("interval 50ms multiplier 3".into()),
            bfd_session: None,
            messages: vec![of("OPEN", 3, 3), of("KEEPALIVE", 120, 118)],
            families: vec![BgpFamily {
                family: "ipv4-unicast".into(),
                agreed: true,
                received: 7,
                accepted: 5,
                announced: 4,
                limit: None,
                warning_above: None,
                limit_warnings: 0,
                limit_exceeded: 0,
                limit_out: None,
                held_back: 0,
            }],
            limit_action: "end".into(),
            idle: None,
            prefixes_received: 7,
            prefixes_accepted: 5,
            capabilities: vec![
                BgpCapability {
                    name: "route refresh".into(),
                    ours: Some("yes".into()),
                    theirs: Some("yes".into()),
                },
                BgpCapability { name: "code 73".into(), ours: None, theirs: Some("12 octets".into()) },
            ],
            attributes_discarded: 1,
            treated_as_withdrawn: 2,
            notifications: vec![BgpNotificationCount {
                sent: true,
                code: 4,
                subcode: 0,
                name: "hold timer expired".into(),
                count: 2,
            }],
            queued_octets: 0,
        }
    }

    #[test]
    fn neighbor_that_is_up() {
        let expected = "\
BGP neighbor 10.1.1.2, context destination, remote AS 65101, local AS 65001, external
  State:                 Established for 00:01:00
  Established:           3 times, 2 lost
  Last loss:             2026-11-22 14:58:10.000000 UTC: we sent NOTIFICATION hold timer expired (4/0)
  Group:                 transit
  Router identifier:     10.1.1.2
  Connection:            local 10.1.1.1:179, remote 10.1.1.2:41234, opened by the neighbor
  Hold time:             3 s, 9 s configured
  Keepalive:             1 s
  TTL:                   1
  TCP-MD5:               signed
  BFD:                   interval 50ms multiplier 3
  Prefixes:              7 received, 5 accepted
  Waiting to be sent:    0 octets
  Malformed attributes:  1 discarded, 2 with their routes treated as withdrawn

  Message    Rcvd  Sent
  OPEN          3     3
  KEEPALIVE   120   118
  Total       123   121

  Family        Exchanged  PfxRcd  PfxAcc  PfxSnt
  ipv4-unicast  yes             7       5       4

  Capability     Ours  Theirs
  route refresh  yes   yes
  code 73        -     12 octets

  NOTIFICATION  Code  Count  Meaning
  sent           4/0      2  hold timer expired
";
        assert_eq!(neighbors(&[neighbor()], 1_795_359_552_691_773), expected);
    }

    #[test]
    fn keys_limits_and_bfd_are_said_where_there_are_some() {
        let mut neighbor = neighbor();
        neighbor.ao_keys = vec!["2/2 aes-128-cmac-96".into(), "1/1 hmac-sha-1-96".into()];
        neighbor.bfd_session = Some(BfdSession {
            watches: "BGP neighbour 10.1.1.2 of destination".into(),
            peer_address: "10.1.1.2".into(),
            local_address: "10.1.1.1".into(),
            interface: None,
            vrf: None,
            multihop: false,
            state: "Up".into(),
            remote_state: Some("Up".into()),
            since_us: 1_795_359_492_691_773,
            transmit_interval_ms: Some(50.0),
            detection_time_ms: Some(150.0),
            ups: 2,
            downs: 1,
            last_down: Some("no packet for 150ms".into()),
            last_down_us: Some(1_795_359_490_000_000),
        });
        neighbor.families[0].limit = Some(8);
        neighbor.families[0].warning_above = Some(6);
        neighbor.families[0].limit_warnings = 1;
        neighbor.families[0].limit_out = Some(4);
        neighbor.families[0].held_back = 3;
        let lines = |neighbor: &BgpNeighborDetails| {
            let text = neighbors(std::slice::from_ref(neighbor), 1_795_359_552_691_773);
            let wanted = ["TCP-AO", "BFD", "Beyond", "Idle", "Prefix limit", "ipv4-unicast"];
            let lines =
                text.lines().filter(|line| wanted.iter().any(|word| line.trim_start().starts_with(word)));
            lines.map(str::trim_start).collect::<Vec<_>>().join("\n")
        };
        let expected = "\
TCP-AO keys:           2/2 aes-128-cmac-96, 1/1 hmac-sha-1-96
BFD:                   Up for 00:01:00, the neighbor Up, detection time 150 ms (interval 50ms multiplier 3)
BFD last down:         2026-11-22 14:58:10.000000 UTC: no packet for 150ms
Beyond the limit:      the session ends
ipv4-unicast  yes             7       5       4
Prefix limit  Most  Warn above  Warned  Exceeded  Most told  Held back
ipv4-unicast     8           6       1         0          4          3";
        assert_eq!(lines(&neighbor), expected);
        neighbor.idle = Some(BgpIdle { until_us: None });
        assert!(
            lines(&neighbor)
                .contains("Idle:                  until `clear ip bgp 10.1.1.2`, for too many prefixes")
        );
        neighbor.idle = Some(BgpIdle { until_us: Some(1_795_359_490_000_000) });
        assert!(lines(&neighbor).contains("until 2026-11-22 14:58:10.000000 UTC, for too many prefixes"));
    }

    #[test]
    fn nobody_is_said_to_be_there() {
        assert_eq!(neighbors(&[], 0), "No BGP neighbors.\n");
    }
}

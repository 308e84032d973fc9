//! Capabilities (RFC 5492) in words.

use std::fmt::Display;

use bgp_glue::speaker::{Capability, Families, Family, Open};
use srp_core::api::BgpCapability;

/// Those of both sides, each in one row.
pub(super) fn of_both(ours: &Open, theirs: Option<&Open>) -> Vec<BgpCapability> {
    let mut rows: Vec<BgpCapability> = Vec::new();
    let all = ours.capabilities.iter().map(|capability| (true, capability));
    let all =
        all.chain(theirs.iter().flat_map(|open| &open.capabilities).map(|capability| (false, capability)));
    for (is_ours, capability) in all {
        let (name, value) = words(capability);
        let row = if let Some(known) = rows.iter_mut().find(|row| row.name == name) {
            known
        } else {
            rows.push(BgpCapability { name, ours: None, theirs: None });
            let Some(new) = rows.last_mut() else { continue };
            new
        };
        let side = if is_ours { &mut row.ours } else { &mut row.theirs };
        match side {
            Some(told) => *told = format!("{told}, {value}"),
            None => *side = Some(value),
        }
    }
    rows
}

/// A capability and what it says.
fn words(capability: &Capability) -> (String, String) {
    let yes = || "yes".to_owned();
    let (name, value) = match capability {
        Capability::MultiProtocol { afi, safi } => {
            let known = Family::ALL.into_iter().find(|family| (family.afi(), family.safi()) == (*afi, *safi));
            ("families", known.map_or_else(|| format!("AFI {afi} SAFI {safi}"), |family| family.to_string()))
        }
        Capability::RouteRefresh => ("route refresh", yes()),
        Capability::ExtendedNextHop(families) => ("IPv6 next hops", list(*families)),
        Capability::ExtendedMessage => ("extended messages", yes()),
        Capability::Role(role) => ("role", role.to_string()),
        Capability::GracefulRestart(restart) => ("graceful restart", format!("{} s", restart.time_secs)),
        Capability::FourOctetAs(asn) => ("four-octet AS", asn.to_string()),
        Capability::AddPath { receive, send } => {
            ("several paths", format!("receive {}, send {}", list(*receive), list(*send)))
        }
        Capability::EnhancedRouteRefresh => ("enhanced route refresh", yes()),
        Capability::LongLived(long) => {
            let of = |name: &str, secs: Option<u32>| secs.map(|secs| format!("{name} {secs} s"));
            let families = [of("ipv4-unicast", long.ipv4_secs), of("ipv6-unicast", long.ipv6_secs)];
            ("long-lived restart", join(families.into_iter().flatten()))
        }
        Capability::Unknown { code, value } => return unknown(*code, value),
    };
    (name.to_owned(), value)
}

/// One that the speaker does not use, by its name in IANA's registry, and what it says where that is text.
fn unknown(code: u8, value: &[u8]) -> (String, String) {
    let name = match code {
        3 | 129 | 130 => "outbound route filtering",
        4 => "multiple routes to a destination",
        7 => "BGPsec",
        8 => "multiple labels",
        67 => "dynamic capability",
        68 | 131 => "multisession",
        72 => "routing policy distribution",
        73 | 184 => "FQDN",
        74 => "BFD strict mode",
        75 => "software version",
        76 => "limit of paths",
        128 => "old route refresh",
        185 => "operational messages",
        _ => return (format!("code {code}"), octets(value)),
    };
    let said = match code {
        73 => texts(value).map(|texts| texts.join(".")),
        75 => texts(value).map(|texts| texts.join(" ")),
        _ => None,
    };
    (format!("{name} ({code})"), said.unwrap_or_else(|| octets(value)))
}

fn octets(value: &[u8]) -> String {
    if value.is_empty() { "yes".to_owned() } else { format!("{} octets", value.len()) }
}

/// Texts behind their lengths, but for empty ones. `None` where they are not that, or not fit to be printed.
fn texts(mut value: &[u8]) -> Option<Vec<&str>> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = value.split_first() {
        let (text, behind) = rest.split_at_checked(usize::from(*length))?;
        let text = str::from_utf8(text)
            .ok()
            .filter(|text| text.chars().all(|c| c.is_ascii_graphic() || c == ' '))?;
        texts.extend((!text.is_empty()).then_some(text));
        value = behind;
    }
    (!texts.is_empty()).then_some(texts)
}

fn list(families: Families) -> String {
    join(families.iter())
}

fn join<T: Display>(values: impl Iterator<Item = T>) -> String {
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

#[cfg(test)]
mod tests {
    use bgp_glue::speaker::{Asn, HoldTime, Role, RouterId};

    use super::*;

    #[test]
    fn capabilities_of_both_stand_beside_each_other() {
        let id = RouterId::try_from(std::net::Ipv4Addr::new(192, 0, 2, 1)).expect("an identifier");
        let ours = Open::ours(Asn(65001), HoldTime::DEFAULT, id, Families::ALL);
        let mut theirs =
            Open::ours(Asn(65101), HoldTime::DEFAULT, id, Families::from_iter([Family::Ipv4Unicast]));
        theirs.capabilities.push(Capability::Role(Role::Provider));
        let others: [(u8, &[u8]); 7] = [
            (128, &[]),
            (73, b"\x02r1\x07example"),
            (75, b"\x04FRR "),
            (73, b"\x09short"),
            (73, b"\x02\x1b[\x00"),
            (67, &[1, 2, 3]),
            (99, &[1, 2]),
        ];
        theirs
            .capabilities
            .extend(others.map(|(code, value)| Capability::Unknown { code, value: value.into() }));
        let rows: Vec<_> = of_both(&ours, Some(&theirs))
            .into_iter()
            .map(|row| [row.name, row.ours.unwrap_or_default(), row.theirs.unwrap_or_default()].join("|"))
            .collect();
        let expected = [
            "families|ipv4-unicast, ipv6-unicast|ipv4-unicast",
            "route refresh|yes|yes",
            "four-octet AS|65001|65101",
            "role||provider",
            "old route refresh (128)||yes",
            "FQDN (73)||r1.example, 6 octets, 4 octets",
            "software version (75)||FRR ",
            "dynamic capability (67)||3 octets",
            "code 99||2 octets",
        ];
        assert_eq!(rows, expected);
    }
}

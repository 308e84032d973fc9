//! An event as the PDU of a notification (RFC 3416 section 4.2.6).
//!
//! The objects that the public MIB names for the pair: context, address of the SRP link, port, reason of a switchover. After
//! them, where they are known, the BGP peer as the standard BGP4-MIB has it, and all of it in words (RFC 5676), because the
//! public objects have no place for an IPv6 address or for a cause.

use std::net::{IpAddr, Ipv4Addr};

use rasn::types::{Integer, ObjectIdentifier};
use rasn_smi::v1::{IpAddress, TimeTicks};
use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
use rasn_snmp::v2::{Pdu, Trap, VarBind, VarBindValue};
use rasn_snmp::v2c;
use srp_core::events::{Entry, Name, Occurrence};
use srp_core::types::{Span, SwitchReason};

/// The enterprise of the public MIB.
pub const ENTERPRISE: u32 = 8_164;

/// What could not be encoded. It should never happen: every value is of a type that has an encoding.
#[derive(Debug, thiserror::Error)]
#[error("notification not encoded: {0}")]
pub struct EncodeError(String);

impl EncodeError {
    /// What a library said.
    pub fn new(what: &impl ToString) -> Self {
        Self(what.to_string())
    }
}

const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
const NOTIFICATIONS: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 2];
const OBJECTS: &[u32] = &[1, 3, 6, 1, 4, 1, ENTERPRISE, 1, 31];
const CONTEXT_NAME: u32 = 5;
const UDP_PORT: u32 = 12;
const SRP_ADDRESS: u32 = 13;
const SWITCH_REASON: u32 = 135;
/// bgpPeerRemoteAddr (RFC 4273), by the address of the peer.
const BGP_PEER: &[u32] = &[1, 3, 6, 1, 2, 1, 15, 3, 1, 7];
/// syslogMsgMsg (RFC 5676), by the number of the event.
const SYSLOG_MESSAGE: &[u32] = &[1, 3, 6, 1, 2, 1, 192, 1, 2, 1, 11];

/// The PDU; `None` if the event has no public number. `up` is how long the daemon runs.
pub fn trap(entry: &Entry, up: Span) -> Option<Trap> {
    let occurrence = &entry.occurrence;
    let number = occurrence.name.trap()?;
    // RFC 2578 section 7.1.8: hundredths of a second, modulo 2^32.
    let ticks = u32::try_from((up.0 / 10_000) & u64::from(u32::MAX)).unwrap_or_default();
    let mut bindings = vec![
        bind(&[SYS_UP_TIME], ObjectSyntax::ApplicationWide(ApplicationSyntax::Ticks(TimeTicks(ticks)))),
        bind(
            &[SNMP_TRAP_OID],
            ObjectSyntax::Simple(SimpleSyntax::ObjectId(identifier(&[NOTIFICATIONS, &[number]]))),
        ),
    ];
    bindings.extend(objects(occurrence));
    let sequence = u32::try_from(entry.sequence & u64::from(u32::MAX)).unwrap_or_default();
    bindings.push(bind(&[SYSLOG_MESSAGE, &[sequence]], text(&in_words(occurrence))));
    let request_id = i32::try_from(entry.sequence & 0x7fff_ffff).unwrap_or_default();
    Some(Trap(Pdu { request_id, error_status: 0, error_index: 0, variable_bindings: bindings }))
}

/// A message of version 2c (RFC 1901).
pub fn v2c(community: &[u8], trap: Trap) -> Result<Vec<u8>, EncodeError> {
    let version = v2c::Message::<Trap>::VERSION.into();
    let message = v2c::Message { version, community: community.to_vec().into(), data: trap };
    rasn::ber::encode(&message).map_err(|error| EncodeError::new(&error))
}

/// The event in one line.
fn in_words(occurrence: &Occurrence) -> String {
    let fields = occurrence.fields().into_iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{}: {}{}", occurrence.name, occurrence.name.says(), fields.collect::<String>())
}

/// The public objects that the notification has, in their order.
fn objects(occurrence: &Occurrence) -> Vec<VarBind> {
    let context = scalar(CONTEXT_NAME, text(occurrence.context.as_deref().unwrap_or_default()));
    let address = || scalar(SRP_ADDRESS, address(ipv4(occurrence.srp_address)));
    let port = || scalar(UDP_PORT, number(occurrence.port.unwrap_or_default().into()));
    match occurrence.name {
        Name::BgpPeerSessionUp | Name::BgpPeerSessionDown => {
            [Some(context), bgp_peer(occurrence)].into_iter().flatten().collect()
        }
        Name::BgpPeerSessionIpv6Up | Name::BgpPeerSessionIpv6Down | Name::BfdSessUp | Name::BfdSessDown => {
            vec![context]
        }
        Name::SrpAaaReachable | Name::SrpAaaUnreachable => vec![context, address(), port()],
        Name::SrpSwitchoverOccured => {
            let reason = occurrence.reason.map_or(0, SwitchReason::number);
            vec![context, address(), scalar(SWITCH_REASON, number(reason.into()))]
        }
        // Of those that have a number, the rest carry context and address.
        name if name.trap().is_some() => vec![context, address()],
        _ => Vec::new(),
    }
}

/// The public object has room for IPv4 alone: 0.0.0.0 keeps its place where the link is IPv6.
fn ipv4(address: Option<IpAddr>) -> Ipv4Addr {
    match address {
        Some(IpAddr::V4(address)) => address,
        Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
    }
}

fn bgp_peer(occurrence: &Occurrence) -> Option<VarBind> {
    let peer: Ipv4Addr = occurrence.peer.as_ref()?.parse().ok()?;
    let index = peer.octets().map(u32::from);
    Some(bind(&[BGP_PEER, &index], address(peer)))
}

/// A scalar of the public MIB: its instance is 0 (RFC 2578 section 7.10).
fn scalar(object: u32, value: ObjectSyntax) -> VarBind {
    bind(&[OBJECTS, &[object, 0]], value)
}

fn bind(name: &[&[u32]], value: ObjectSyntax) -> VarBind {
    VarBind { name: identifier(name), value: VarBindValue::Value(value) }
}

fn identifier(parts: &[&[u32]]) -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(parts.concat().into())
}

fn text(text: &str) -> ObjectSyntax {
    ObjectSyntax::Simple(SimpleSyntax::String(text.as_bytes().to_vec().into()))
}

fn number(number: u32) -> ObjectSyntax {
    ObjectSyntax::Simple(SimpleSyntax::Integer(Integer::from(number)))
}

fn address(address: Ipv4Addr) -> ObjectSyntax {
    ObjectSyntax::ApplicationWide(ApplicationSyntax::Address(IpAddress(address.octets().into())))
}

#[cfg(test)]
mod tests {
    use srp_core::types::Time;

    use super::*;

    fn entry(occurrence: Occurrence) -> Entry {
        Entry { sequence: 7, at: Time(0), wall_us: 0, occurrence }
    }

    fn names(trap: &Trap) -> Vec<String> {
        trap.0.variable_bindings.iter().map(|bound| bound.name.to_string()).collect()
    }

    #[test]
    fn a_switchover_has_its_public_objects_in_their_order() {
        let occurrence = Occurrence {
            srp_address: Some([192, 0, 2, 1].into()),
            ..Occurrence::new(Name::SrpSwitchoverOccured)
                .in_context("srp")
                .because(SwitchReason::DeadTimerExpiry)
        };
        let trap = trap(&entry(occurrence), Span::secs(3)).expect("it has a number");
        let expected = [
            "1.3.6.1.2.1.1.3.0",
            "1.3.6.1.6.3.1.1.4.1.0",
            "1.3.6.1.4.1.8164.1.31.5.0",
            "1.3.6.1.4.1.8164.1.31.13.0",
            "1.3.6.1.4.1.8164.1.31.135.0",
            "1.3.6.1.2.1.192.1.2.1.11.7",
        ];
        assert_eq!(names(&trap), expected);
        let ticks = ObjectSyntax::ApplicationWide(ApplicationSyntax::Ticks(TimeTicks(300)));
        assert_eq!(trap.0.variable_bindings[0].value, VarBindValue::Value(ticks));
        assert_eq!(trap.0.variable_bindings[4].value, VarBindValue::Value(number(9)));
    }

    #[test]
    fn a_bgp_session_names_its_peer_as_the_standard_mib_does() {
        let occurrence = Occurrence::new(Name::BgpPeerSessionDown).in_context("destination").with("10.2.1.2");
        let trap = trap(&entry(occurrence), Span::ZERO).expect("it has a number");
        assert_eq!(names(&trap)[3], "1.3.6.1.2.1.15.3.1.7.10.2.1.2");
    }

    #[test]
    fn an_ipv6_address_leaves_its_place_empty_and_is_in_the_words() {
        let occurrence = Occurrence {
            srp_address: Some("2001:db8::1".parse().expect("an address")),
            ..Occurrence::new(Name::SrpActive)
        };
        let trap = trap(&entry(occurrence), Span::ZERO).expect("it has a number");
        assert_eq!(trap.0.variable_bindings[3].value, VarBindValue::Value(address(Ipv4Addr::UNSPECIFIED)));
        let words = "starSRPActive: this chassis is Active srp-address=2001:db8::1";
        assert_eq!(trap.0.variable_bindings[4].value, VarBindValue::Value(text(words)));
    }

    #[test]
    fn ops_6_unreachable_aaa_servers_have_the_port_too() {
        let occurrence = Occurrence { port: Some(4_493), ..Occurrence::new(Name::SrpAaaUnreachable) };
        let trap = trap(&entry(occurrence), Span::ZERO).expect("it has a number");
        assert_eq!(names(&trap)[4], "1.3.6.1.4.1.8164.1.31.12.0");
        assert_eq!(trap.0.variable_bindings[4].value, VarBindValue::Value(number(4_493)));
        let notification = ObjectSyntax::Simple(SimpleSyntax::ObjectId(identifier(&[NOTIFICATIONS, &[125]])));
        assert_eq!(trap.0.variable_bindings[1].value, VarBindValue::Value(notification));
    }

    #[test]
    fn events_of_our_own_are_no_notifications() {
        assert!(trap(&entry(Occurrence::new(Name::PeerTwins)), Span::ZERO).is_none());
    }
}

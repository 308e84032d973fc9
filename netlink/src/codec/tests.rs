//! What we write is what we read: each message goes through its octets, as it would through the kernel.

use netlink_packet_core::{NetlinkDeserializable, NetlinkHeader, NetlinkSerializable};
use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;

const MARK: Mark = Mark(83);

fn link(index: u32) -> LinkIndex {
    LinkIndex::new(index).unwrap()
}

fn through_octets(message: &RouteNetlinkMessage) -> RouteNetlinkMessage {
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    let mut header = NetlinkHeader::default();
    header.message_type = message.message_type();
    RouteNetlinkMessage::deserialize(&header, &octets).unwrap()
}

fn any_ip(v6: bool) -> BoxedStrategy<IpAddr> {
    if v6 {
        any::<[u8; 16]>().prop_map(IpAddr::from).boxed()
    } else {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    }
}

fn any_hop(v6_route: bool) -> impl Strategy<Value = NextHop> {
    let gateway = if v6_route { any_ip(true) } else { prop_oneof![any_ip(false), any_ip(true)].boxed() };
    (prop::option::of(gateway), 1..100_u32, any::<bool>(), 1..=255_u8).prop_map(
        |(gateway, on, onlink, weight)| {
            let hop = gateway.map_or_else(|| NextHop::direct(link(on)), |ip| NextHop::via_link(ip, link(on)));
            let hop = if onlink { hop.onlink() } else { hop };
            hop.weighing(NonZeroU8::new(weight).unwrap())
        },
    )
}

prop_compose! {
    fn any_key(v6: bool)(
        ip in any_ip(v6),
        len in 0..=if v6 { 128_u8 } else { 32 },
        table in any::<u32>().prop_filter_map("a table of ours", TableId::new),
        metric in 1..u32::MAX,
    ) -> RouteKey {
        RouteKey { table, prefix: Prefix::containing(ip, len).unwrap(), metric }
    }
}

fn any_route() -> impl Strategy<Value = (RouteKey, RouteTarget)> {
    any::<bool>().prop_flat_map(|v6| {
        let target = prop_oneof![
            Just(RouteTarget::Blackhole),
            Just(RouteTarget::Unreachable),
            btree_set(any_hop(v6), 1..5).prop_map(|hops| RouteTarget::Via(NextHops::new(hops).unwrap())),
        ];
        (any_key(v6), target)
    })
}

proptest! {
    #[test]
    fn a_route_that_we_write_is_read_as_ours_and_as_wanted((key, target) in any_route()) {
        for op in [Op::AddRoute(key, target.clone()), Op::ReplaceRoute(key, target.clone())] {
            let (message, _) = request(&op, MARK);
            let RouteNetlinkMessage::NewRoute(read) = through_octets(&message) else { panic!("{message:?}") };
            let found = found_route(&read).unwrap();
            prop_assert_eq!(found.key, key);
            prop_assert!(crate::plan::satisfies(&found.target, &target), "{:?} for {:?}", found.target, target);
            prop_assert!(found.held(MARK).foreign.is_none());
        }
    }

    #[test]
    fn a_deletion_names_table_metric_and_protocol((key, _) in any_route()) {
        let (message, flags) = request(&Op::DeleteRoute(key), MARK);
        let RouteNetlinkMessage::DelRoute(read) = through_octets(&message) else { panic!("{message:?}") };
        let found = found_route(&read).unwrap();
        prop_assert_eq!((found.key, found.protocol, flags), (key, MARK.0, 0));
    }

    #[test]
    fn an_address_that_we_write_is_read_as_ours(ip in any::<bool>().prop_flat_map(any_ip), on in 1..100_u32) {
        let key = AddressKey { link: link(on), ip };
        let (message, _) = request(&Op::AddAddress(key), MARK);
        let RouteNetlinkMessage::NewAddress(read) = through_octets(&message) else { panic!("{message:?}") };
        let found = found_address(&read, MARK).unwrap();
        prop_assert_eq!((found.key, found.prefix_len, found.ours), (key, max_len(ip), true));
        prop_assert!(!found_address(&read, Mark(84)).unwrap().ours, "another mark is another owner");
    }
}

#[test]
fn adding_never_overwrites_and_replacing_never_adds() {
    let key = RouteKey { table: TableId::MAIN, prefix: "10.0.0.0/8".parse().unwrap(), metric: 8 };
    let address = AddressKey { link: link(1), ip: "198.51.100.7".parse().unwrap() };
    let flags = |op| request(&op, MARK).1;
    assert_eq!(flags(Op::AddRoute(key, RouteTarget::Blackhole)), NLM_F_CREATE | NLM_F_EXCL);
    assert_eq!(flags(Op::AddAddress(address)), NLM_F_CREATE | NLM_F_EXCL);
    assert_eq!(flags(Op::ReplaceRoute(key, RouteTarget::Blackhole)), NLM_F_REPLACE);
}

#[test]
fn an_address_is_ours_by_protocol_or_where_there_is_none_by_priority() {
    let key = AddressKey { link: link(1), ip: "198.51.100.7".parse().unwrap() };
    let protocol = |number: u8| AddressAttribute::Protocol(AddressProtocol::from(number));
    let priority = AddressAttribute::RoutePriority(MARK.address_priority());
    let rows = [
        ("neither", vec![], false),
        ("our protocol", vec![protocol(83)], true),
        ("the protocol of OVN", vec![protocol(84)], false),
        ("our priority, a kernel without protocols", vec![priority.clone()], true),
        ("our priority, but somebody else's protocol", vec![priority, protocol(84)], false),
        ("some priority", vec![AddressAttribute::RoutePriority(1024)], false),
    ];
    for (name, attributes, ours) in rows {
        let mut message = bare_address(key, 32);
        message.attributes.extend(attributes);
        assert_eq!(found_address(&message, MARK).unwrap().ours, ours, "{name}");
    }
}

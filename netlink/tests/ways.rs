//! How the kernel reaches an address: by whose routes, and when that changes.

mod common;

use common::{Namespace, event, start, via};
use netlink::{Kernel, KernelEvent};

const NOTHING: &str = "no route";
const DEFAULT: &str = "no route but a default route";

/// The way to each address, as `ip route` would write it.
async fn ways(kernel: &Kernel, addresses: &[&str]) -> Vec<String> {
    let asked: Vec<std::net::IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let ways = kernel.ways(None, &asked).await.unwrap();
    assert_eq!(ways.len(), asked.len());
    let shown = asked.iter().zip(ways).map(|(address, way)| match way {
        Err(why) => why.to_string(),
        Ok(way) => {
            let hops: Vec<String> = way.toward(*address).map(|hop| hop.to_string()).collect();
            format!("{} metric {}", hops.join(", "), way.metric())
        }
    });
    shown.collect()
}

fn index(namespace: &Namespace, link: &str) -> u32 {
    let line = namespace.ip(&format!("-o link show {link}"));
    line.split(':').next().unwrap().trim().parse().unwrap()
}

fn is_change(event: &KernelEvent) -> bool {
    *event == KernelEvent::RoutesChanged
}

#[test]
fn way_is_by_the_longest_route_of_others_and_never_by_a_default_route() {
    let namespace = Namespace::with_veth();
    namespace.ip("route add default via 192.0.2.9");
    namespace.ip("route add 10.0.0.0/8 via 192.0.2.2 metric 20 proto ospf");
    namespace.ip("route add 10.9.0.0/16 proto ospf nexthop via 192.0.2.3 nexthop via 192.0.2.4 weight 2");
    namespace.ip("nexthop add id 7 via 192.0.2.5 dev east");
    namespace.ip("route add 10.7.0.0/16 nhid 7");
    namespace.ip("route add blackhole 10.6.0.0/16");
    namespace.ip("-6 route add 2001:db8:9::/48 via 2001:db8:e::2 metric 30");
    let east = index(&namespace, "east");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let addresses = [
            "10.1.0.1",
            "10.9.0.1",
            "10.7.0.1",
            "10.6.0.1",
            "198.51.100.1",
            "192.0.2.77",
            "192.0.2.1",
            "2001:db8:9::1",
            "2001:db8:8::1",
        ];
        assert_eq!(
            ways(&kernel, &addresses).await,
            [
                format!("via 192.0.2.2 on link {east} metric 20"),
                format!("via 192.0.2.3 on link {east}, via 192.0.2.4 on link {east} weight 2 metric 0"),
                format!("via 192.0.2.5 on link {east} metric 0"),
                "a route that drops".to_owned(),
                DEFAULT.to_owned(),
                format!("via 192.0.2.77 on link {east} metric 0"),
                "not another machine's address".to_owned(),
                format!("via 2001:db8:e::2 on link {east} metric 30"),
                NOTHING.to_owned(),
            ]
        );
    });
}

#[test]
fn learned_route_over_its_own_next_hop_hides_nothing() {
    let namespace = Namespace::with_veth();
    namespace.ip("route add 10.0.0.0/8 via 192.0.2.2 metric 20 proto ospf");
    namespace.ip("-6 route add 2001:db8::/32 via 2001:db8:e::2 metric 20");
    let east = index(&namespace, "east");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let learned = vec![
            via("10.1.0.0/16", "192.0.2.2"),
            via("2001:db8:1::/48", "2001:db8:e::2"),
            via("172.16.0.0/12", "192.0.2.2"),
            via("0.0.0.0/0", "192.0.2.2"),
        ];
        assert!(kernel.update_learned(learned).await.unwrap().is_complete());
        assert_eq!(
            ways(&kernel, &["10.1.0.1", "2001:db8:1::1", "172.16.0.1", "10.2.0.1", "198.51.100.1"]).await,
            [
                format!("via 192.0.2.2 on link {east} metric 20"),
                format!("via 2001:db8:e::2 on link {east} metric 20"),
                DEFAULT.to_owned(),
                format!("via 192.0.2.2 on link {east} metric 20"),
                DEFAULT.to_owned(),
            ]
        );
    });
}

#[test]
fn routes_by_a_nexthop_object_move_with_it() {
    let namespace = Namespace::with_veth();
    namespace.ip("nexthop add id 7 via 192.0.2.5 dev east");
    namespace.ip("route add 10.7.0.0/16 nhid 7");
    let east = index(&namespace, "east");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let by = |gateway: &str| vec![format!("via {gateway} on link {east} metric 0")];
        assert_eq!(ways(&kernel, &["10.7.0.1"]).await, by("192.0.2.5"));
        namespace.ip("nexthop replace id 7 via 192.0.2.6 dev east");
        event(&mut events, is_change).await;
        assert_eq!(ways(&kernel, &["10.7.0.1"]).await, by("192.0.2.6"));
    });
}

#[test]
fn only_the_main_table_counts() {
    let namespace = Namespace::with_veth();
    namespace.ip("route add 10.0.0.0/8 via 192.0.2.2 metric 20");
    namespace.ip("route add 10.9.0.0/16 via 192.0.2.3 table 100");
    namespace.ip("route add 172.16.0.0/12 via 192.0.2.3 table 100");
    namespace.ip("rule add lookup 100 priority 100");
    let east = index(&namespace, "east");
    namespace.run(|| async {
        let (kernel, _events) = start();
        assert_eq!(
            ways(&kernel, &["10.9.0.1", "172.16.0.1"]).await,
            [format!("via 192.0.2.2 on link {east} metric 20"), NOTHING.to_owned()]
        );
    });
}

#[test]
fn change_of_a_route_is_told_once_and_only_where_it_was_asked_about() {
    let namespace = Namespace::with_veth();
    let east = index(&namespace, "east");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        assert_eq!(ways(&kernel, &["10.9.0.1"]).await, [NOTHING]);
        // Neither concerns the address; the third does.
        namespace.ip("route add 10.8.0.0/16 via 192.0.2.2");
        namespace.ip("route add default via 192.0.2.2");
        namespace.ip("route add 10.9.0.0/16 via 192.0.2.2");
        event(&mut events, is_change).await;
        let by = |gateway: &str| vec![format!("via {gateway} on link {east} metric 0")];
        assert_eq!(ways(&kernel, &["10.9.0.1"]).await, by("192.0.2.2"));
        namespace.ip("route replace 10.9.0.0/16 via 192.0.2.3");
        event(&mut events, is_change).await;
        assert_eq!(ways(&kernel, &["10.9.0.1"]).await, by("192.0.2.3"));
        // Our own routes are no news; the deletion is, and is the next thing told.
        assert!(kernel.update_learned(vec![via("10.9.0.0/24", "192.0.2.2")]).await.unwrap().is_complete());
        namespace.ip("route del 10.9.0.0/16");
        event(&mut events, is_change).await;
        assert_eq!(ways(&kernel, &["10.9.0.1"]).await, [DEFAULT]);
    });
}

#[test]
fn way_ends_with_the_carrier_of_its_link() {
    let namespace = Namespace::with_veth();
    namespace.ip("route add 10.9.0.0/16 via 192.0.2.2");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        assert_ne!(ways(&kernel, &["10.9.0.1"]).await, [NOTHING]);
        namespace.ip("link set west down");
        event(&mut events, |event| matches!(event, KernelEvent::LinkDown { .. })).await;
        assert_eq!(ways(&kernel, &["10.9.0.1"]).await, ["a route by links without carrier"]);
    });
}

#[test]
fn storm_of_foreign_routes_is_one_event_and_no_way_is_wrong_after_it() {
    let namespace = Namespace::with_veth();
    let east = index(&namespace, "east");
    namespace.run(|| async {
        // So small a buffer that the storm overruns it.
        let settings = netlink::Settings { event_buffer: 1 << 14, ..netlink::Settings::default() };
        let (kernel, mut events) = Kernel::start(settings).unwrap();
        assert_eq!(ways(&kernel, &["10.200.0.1"]).await, [NOTHING]);
        let storm: String = (0..20_000_u32)
            .map(|i| {
                format!("route add 10.{}.{}.{}/32 via 192.0.2.2\n", i >> 14, (i >> 6) & 255, (i & 63) << 2)
            })
            .chain(["route add 10.200.0.0/16 via 192.0.2.7\n".to_owned()])
            .collect();
        namespace.ip_batch(&storm);
        event(&mut events, is_change).await;
        // The last change may come after the first telling.
        while ways(&kernel, &["10.200.0.1"]).await != [format!("via 192.0.2.7 on link {east} metric 0")] {
            event(&mut events, is_change).await;
        }
    });
}

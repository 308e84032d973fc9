//! What happens around us: links, addresses, and other people's hands on our objects.

mod common;

use std::time::Duration;

use common::{Namespace, address, event, section, start, via};
use netlink::{CompareCause, Kernel, KernelEvent, LinkDownCause, LinkName, Object, Section, Settings};

fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

fn is_up(wanted: &str) -> impl Fn(&KernelEvent) -> bool + use<'_> {
    move |event| matches!(event, KernelEvent::LinkUp { name, .. } if name.as_str() == wanted)
}

fn is_down(wanted: &str, why: LinkDownCause) -> impl Fn(&KernelEvent) -> bool + use<'_> {
    move |event| matches!(event, KernelEvent::LinkDown { name, cause, .. } if name.as_str() == wanted && *cause == why)
}

fn is_repair(event: &KernelEvent) -> bool {
    matches!(event, KernelEvent::Repaired { restored, .. } if !restored.is_empty())
}

#[test]
fn links_are_told_with_the_reason_why_they_are_down() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        namespace.ip("link set west down");
        event(&mut events, is_down("east", LinkDownCause::Carrier)).await;
        let east = kernel.links().by_name(&name("east")).cloned().unwrap();
        assert!(east.admin_up && !east.carrier);
        namespace.ip("link set west up");
        event(&mut events, is_up("east")).await;
        namespace.ip("link set east down");
        let down = event(&mut events, is_down("east", LinkDownCause::Admin)).await;
        let KernelEvent::LinkDown { addresses, .. } = down else { unreachable!() };
        let ipv6 = addresses.iter().any(|address| address.ip.to_string() == "2001:db8:e::1");
        assert!(ipv6, "what the kernel has taken away meanwhile: {addresses:?}");
        namespace.ip("link delete east");
        event(&mut events, is_down("east", LinkDownCause::Removed)).await;
        assert!(!kernel.has_interface(&name("east")));
    });
}

#[test]
fn a_link_that_comes_back_gets_its_routes_back() {
    let namespace = Namespace::with_veth();
    // The kernel forgets IPv6 addresses on link down unless told not to; this is about routes.
    namespace.sysctl("net.ipv6.conf.east.keep_addr_on_down=1");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let changes = vec![
            via("0.0.0.0/0", "192.0.2.2"),
            via("10.1.0.0/16", "192.0.2.2"),
            via("::/0", "2001:db8:e::2"),
            via("2001:db8:a::/48", "2001:db8:e::2"),
        ];
        kernel.update_learned(changes).await.unwrap();
        let before = namespace.our_routes();
        namespace.ip("link set east down");
        event(&mut events, is_down("east", LinkDownCause::Admin)).await;
        // What is gone is told as refused, one prefix at a time, and not told again.
        let refused = event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        let KernelEvent::Repaired { refused, .. } = refused else { unreachable!() };
        assert!(!refused.is_empty());
        assert_eq!(namespace.our_routes(), Vec::<String>::new());
        namespace.ip("link set east up");
        event(&mut events, is_up("east")).await;
        while namespace.our_routes() != before {
            event(&mut events, is_repair).await;
        }
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.kept, report.added, report.refused), (4, 0, vec![]));
    });
}

#[test]
fn multipath_lives_on_with_the_link_that_is_left() {
    let namespace = Namespace::with_veth();
    namespace.ip("link add north type veth peer name south");
    namespace.ip("address add 203.0.113.1/24 dev north");
    namespace.ip("link set south up");
    namespace.ip("link set north up");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let links = kernel.links();
        let index = |wanted| links.by_name(&name(wanted)).unwrap().index;
        let hops = netlink::NextHops::new([
            netlink::NextHop::via_link("192.0.2.2".parse().unwrap(), index("east")),
            netlink::NextHop::via_link("203.0.113.2".parse().unwrap(), index("north")),
        ]);
        let target = netlink::RouteTarget::Via(hops.unwrap());
        let route =
            netlink::Route::new(netlink::TableId::MAIN, common::prefix("10.1.0.0/16"), target).unwrap();
        // One link is down before the route comes: the kernel would refuse the whole of it.
        namespace.ip("link set north down");
        event(&mut events, is_down("north", LinkDownCause::Admin)).await;
        let report = kernel.update_learned(vec![netlink::RouteChange::Set(route)]).await.unwrap();
        assert_eq!((report.added, report.refused), (1, vec![]));
        assert_eq!(namespace.our_routes(), ["10.1.0.0/16 via 192.0.2.2 dev east metric 83"]);
        namespace.ip("link set north up");
        event(&mut events, is_repair).await;
        assert_eq!(
            namespace.our_routes(),
            [
                "10.1.0.0/16 metric 83",
                "nexthop via 192.0.2.2 dev east weight 1",
                "nexthop via 203.0.113.2 dev north weight 1",
            ]
        );
    });
}

#[test]
fn whatever_somebody_takes_away_from_us_is_put_back_and_told() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        kernel.set_srp(section()).await.unwrap();
        kernel.update_learned(vec![via("10.1.0.0/16", "192.0.2.2")]).await.unwrap();
        let (routes, addresses) = (namespace.our_routes(), namespace.lines("-o address show dev lo"));
        let thefts = [
            ("address delete 198.51.100.7/32 dev lo", "address 198.51.100.7 on lo"),
            ("address delete 2001:db8:1::7/128 dev lo", "address 2001:db8:1::7 on lo"),
            ("route delete blackhole 10.10.0.0/16 metric 8", "route 10.10.0.0/16 table main metric 8"),
            ("-6 route delete 2001:db8:1000::/36 metric 8", "route 2001:db8:1000::/36 table main metric 8"),
            ("route delete 10.1.0.0/16", "route 10.1.0.0/16 table main metric 83"),
            (
                "route change 10.1.0.0/16 via 192.0.2.9 proto 83 metric 83",
                "route 10.1.0.0/16 table main metric 83",
            ),
        ];
        for (theft, object) in thefts {
            namespace.ip(theft);
            let KernelEvent::Repaired { cause, restored, removed, refused } =
                event(&mut events, is_repair).await
            else {
                unreachable!()
            };
            assert_eq!(cause, CompareCause::ObjectChanged, "{theft}");
            assert_eq!(restored.iter().map(ToString::to_string).collect::<Vec<_>>(), [object], "{theft}");
            assert_eq!((removed, refused), (vec![], vec![]), "{theft}");
            assert_eq!(namespace.our_routes(), routes, "{theft}");
            assert_eq!(namespace.lines("-o address show dev lo"), addresses, "{theft}");
        }
    });
}

#[test]
fn a_route_of_ours_that_somebody_replaced_is_reported_and_left_alone() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        kernel.set_srp(section()).await.unwrap();
        namespace.ip("route replace 10.10.0.0/16 via 192.0.2.9 proto static metric 8");
        let told = event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        let KernelEvent::Repaired { restored, refused, .. } = told else { unreachable!() };
        assert_eq!(restored, vec![]);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].to_string().contains("(proto static)"), "{}", refused[0]);
        assert!(namespace.ip("route show 10.10.0.0/16").contains("proto static"));
        // Once the key is free, a comparison makes it ours again.
        namespace.ip("route delete 10.10.0.0/16 proto static metric 8");
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.refused), (1, vec![]));
    });
}

#[test]
fn objects_that_somebody_adds_under_our_mark_are_removed() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        kernel.set_srp(Section::default()).await.unwrap();
        kernel.sweep_learned().await.unwrap();
        namespace.ip("route add blackhole 10.66.0.0/16 proto 83 metric 5");
        let told = event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        let KernelEvent::Repaired { removed, .. } = told else { unreachable!() };
        assert_eq!(
            removed,
            [Object::Route {
                table: netlink::TableId::MAIN,
                prefix: common::prefix("10.66.0.0/16"),
                metric: 5
            }]
        );
        assert_eq!(namespace.our_routes(), Vec::<String>::new());
    });
}

#[test]
fn foreign_addresses_are_told_and_ours_are_not() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        kernel.set_srp(section()).await.unwrap();
        let east = kernel.links().by_name(&name("east")).unwrap().index;
        namespace.ip("address add 203.0.113.5/24 dev east");
        namespace.ip("address delete 203.0.113.5/24 dev east");
        let ip = "203.0.113.5".parse().unwrap();
        let mut told = Vec::new();
        while told.len() < 2 {
            match events.recv().await.unwrap() {
                KernelEvent::AddressAdded { index, ip, prefix_len } => {
                    told.push((true, index, ip, prefix_len));
                }
                KernelEvent::AddressRemoved { index, ip, prefix_len, .. } => {
                    told.push((false, index, ip, prefix_len));
                }
                // IPv6 link-local addresses of the fresh links come when they like.
                _ => {}
            }
            told.retain(|(_, _, ip, _)| ip.is_ipv4());
        }
        assert_eq!(told, [(true, east, ip, 24), (false, east, ip, 24)]);
    });
}

#[test]
fn the_mac_address_is_found_by_the_local_address() {
    let namespace = Namespace::with_veth();
    namespace.ip("link set east down");
    namespace.ip("link set east address 02:00:00:00:00:2a");
    namespace.ip("link set east up");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let mac = kernel.mac_of_address("192.0.2.1".parse().unwrap()).map(|mac| mac.to_string());
        assert_eq!(mac.as_deref(), Some("02:00:00:00:00:2a"));
        assert_eq!(kernel.mac_of_address("127.0.0.1".parse().unwrap()), None, "loopback has none");
        assert_eq!(kernel.mac_of_address("192.0.2.99".parse().unwrap()), None, "nobody has it");
        assert!(kernel.has_interface(&LinkName::lo()));
    });
}

#[test]
fn lost_events_end_in_the_right_state() {
    let namespace = Namespace::with_veth();
    // Made before, so that one command makes a thousand notifications faster than anybody reads them.
    let mut storm: Vec<String> =
        (0..2000).map(|n| format!("address add 203.0.{}.{}/32 dev east", 100 + (n >> 8), n & 0xff)).collect();
    storm.extend(
        [
            "route delete blackhole 10.10.0.0/16 metric 8",
            "address delete 198.51.100.7/32 dev lo",
            "link set west down",
        ]
        .map(str::to_owned),
    );
    namespace.run(|| async {
        let settings = Settings { event_buffer: 2304, ..Settings::default() };
        let (kernel, mut events) = Kernel::start(settings).unwrap();
        kernel.set_srp(section()).await.unwrap();
        let before = namespace.our_routes();
        namespace.ip_batch(&storm.join("\n"));
        let mut restored = Vec::new();
        let mut overruns = 0;
        while !restored.contains(&"route 10.10.0.0/16 table main metric 8".to_owned())
            || !restored.contains(&"address 198.51.100.7 on lo".to_owned())
        {
            match events.recv().await.unwrap() {
                KernelEvent::Overrun => overruns += 1,
                KernelEvent::Repaired { restored: more, .. } => {
                    restored.extend(more.iter().map(ToString::to_string));
                }
                _ => {}
            }
        }
        assert!(overruns > 0, "the buffer was too small for this storm");
        assert_eq!(namespace.our_routes(), before);
        // The last command of the storm may come after the two that are repaired.
        while kernel.links().by_name(&name("east")).unwrap().carrier {
            events.recv().await.unwrap();
        }
        let links = kernel.links();
        let east = links.by_name(&name("east")).unwrap();
        assert!(!east.carrier, "the link down among the lost events is known");
        assert_eq!(
            east.addresses.iter().filter(|held| held.ip.to_string().starts_with("203.0.1")).count(),
            2000
        );
    });
}

#[test]
fn the_periodic_comparison_finds_what_no_event_told() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let settings = Settings { compare_interval: Duration::from_millis(200), ..Settings::default() };
        let (kernel, mut events) = Kernel::start(settings).unwrap();
        // That the key of a refused route becomes free is no event that reaches us.
        namespace.ip("route add 10.10.0.0/16 via 192.0.2.9 proto static metric 8");
        let report = kernel.set_srp(section()).await.unwrap();
        assert_eq!(report.refused.len(), 1);
        namespace.ip("route delete 10.10.0.0/16 proto static metric 8");
        let told = event(&mut events, is_repair).await;
        assert!(matches!(told, KernelEvent::Repaired { cause: CompareCause::Periodic, .. }), "{told:?}");
    });
}

#[test]
fn a_slow_reader_is_told_how_many_events_were_missed() {
    let namespace = Namespace::with_veth();
    let storm: Vec<String> =
        (0..5000).map(|n| format!("address add 203.{}.{}.1/32 dev east", n >> 8, n & 0xff)).collect();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        namespace.ip_batch(&storm.join("\n"));
        // Each answer shows that the worker has heard everything before it.
        kernel.compare().await.unwrap();
        let mut told = 0;
        while told < 4096 {
            told += 1;
            events.recv().await.unwrap();
        }
        namespace.ip("address add 198.51.100.99/32 dev east");
        let missed = event(&mut events, |event| matches!(event, KernelEvent::Missed { .. })).await;
        let KernelEvent::Missed { count } = missed else { unreachable!() };
        assert!(count >= 900, "{count}");
        let links = kernel.links();
        let east = links.by_name(&name("east")).unwrap();
        let known = east.addresses.iter().filter(|held| held.ip.is_ipv4()).count();
        assert_eq!(known, 5000 + 2, "yet all are known");
    });
}

#[test]
fn two_addresses_come_back_after_their_link_was_made_anew() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let on_east = |ip: &str| netlink::Address::new(ip.parse().unwrap(), name("east")).unwrap();
        let want = Section::default()
            .with_address(on_east("198.51.100.7"))
            .with_address(on_east("2001:db8:1::7"))
            .with_address(address("198.51.100.8"));
        assert_eq!(kernel.set_srp(want).await.unwrap().added, 3);
        namespace.ip("link delete east");
        event(&mut events, is_down("east", LinkDownCause::Removed)).await;
        namespace.ip("link add east type veth peer name west");
        event(&mut events, is_repair).await;
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.kept, report.refused), (3, vec![]));
    });
}

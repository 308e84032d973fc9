//! The SRP section in a real kernel: loopbacks and pools, adoption, foreign objects, refusals.

mod common;

use std::net::{SocketAddr, UdpSocket};

use futures::TryStreamExt;
use netlink_packet_route::address::AddressAttribute;

use common::{Namespace, address, blackhole, prefix, section, start};
use netlink::{Address, LinkName, RefuseReason, Route, Section, TableId};

#[test]
fn loopbacks_and_pools_of_both_families_come_and_go() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let report = kernel.set_srp(section()).await.unwrap();
        assert_eq!((report.added, report.kept, report.refused), (4, 0, vec![]));
        let addresses = namespace.ip("address show dev lo");
        assert!(addresses.contains("inet 198.51.100.7/32 "), "{addresses}");
        assert!(addresses.contains("inet6 2001:db8:1::7/128 "), "{addresses}");
        // `ip` of this age does not show IFA_PROTO; the priority beside it, it shows.
        assert_eq!(addresses.matches("metric 1397903443").count(), 2, "{addresses}");
        assert_eq!(
            namespace.our_routes(),
            ["blackhole 10.10.0.0/16 metric 8", "unreachable 2001:db8:1000::/36 dev lo metric 8 pref medium",]
        );

        let report = kernel.set_srp(section()).await.unwrap();
        assert_eq!((report.added, report.removed, report.kept), (0, 0, 4));

        let report = kernel.set_srp(Section::default()).await.unwrap();
        assert_eq!((report.removed, report.kept, report.refused), (4, 0, vec![]));
        assert_eq!(namespace.our_routes(), Vec::<String>::new());
        assert!(!namespace.ip("address show dev lo").contains("metric 1397903443"));
    });
}

#[test]
fn addresses_are_usable_the_moment_the_answer_comes() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let east: LinkName = "east".parse().unwrap();
        let on_east = Address::new("2001:db8:1::9".parse().unwrap(), east).unwrap();
        kernel.set_srp(section().with_address(on_east)).await.unwrap();
        for ip in ["198.51.100.7", "2001:db8:1::7", "2001:db8:1::9"] {
            let socket = UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0));
            assert!(socket.is_ok(), "{ip}: {socket:?}");
        }
    });
}

#[test]
fn a_changed_section_touches_only_what_changed() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, _events) = start();
        kernel.set_srp(section()).await.unwrap();
        let next = Section::default()
            .with_address(address("198.51.100.7"))
            .with_address(address("198.51.100.8"))
            .with_route(Route::unreachable(TableId::MAIN, prefix("10.10.0.0/16")))
            .with_route(Route::blackhole(TableId::new(1000).unwrap(), prefix("10.20.0.0/16")));
        let report = kernel.set_srp(next).await.unwrap();
        assert_eq!((report.added, report.replaced, report.removed, report.kept), (2, 1, 2, 1));
        assert_eq!(
            namespace.our_routes(),
            ["blackhole 10.20.0.0/16 table 1000 metric 8", "unreachable 10.10.0.0/16 metric 8"]
        );
    });
}

#[test]
fn a_new_life_adopts_what_matches_and_removes_what_is_stale() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, _events) = start();
        kernel.set_srp(section().with_route(blackhole("10.99.0.0/16"))).await.unwrap();
        assert!(kernel.left_over().is_empty());
        // Dropping the handle removes nothing, as SIGKILL would not.
        drop(kernel);
        let (kernel, _events) = start();
        let left = kernel.left_over();
        assert_eq!((left.addresses.len(), left.routes.len(), left.learned.len()), (2, 3, 0));
        assert_eq!(namespace.our_routes().len(), 3, "nothing goes before the SRP side has spoken");
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.removed), (0, 0), "nor by a comparison");
        let report = kernel.set_srp(section()).await.unwrap();
        assert_eq!((report.added, report.removed, report.kept), (0, 1, 4));
        assert_eq!(namespace.our_routes().len(), 2);
    });
}

#[test]
fn foreign_objects_are_refused_by_name_and_stay_untouched() {
    let namespace = Namespace::with_veth();
    namespace.ip("address add 198.51.100.7/32 dev lo");
    namespace.ip("address add 2001:db8:1::7/128 dev lo");
    namespace.ip("route add 10.10.0.0/16 via 192.0.2.2 proto static metric 8");
    namespace.ip("-6 route add 2001:db8:1000::/36 via 2001:db8:e::2 proto bird metric 8");
    // Not in the way: another metric is another route.
    namespace.ip("route add 10.20.0.0/16 via 192.0.2.2 proto static metric 9");
    namespace.settle();
    let before = (namespace.lines("route show table all"), namespace.lines("-6 route show table all"));
    let addresses_before = namespace.lines("-o address show");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let want = section().with_route(blackhole("10.20.0.0/16"));
        let report = kernel.set_srp(want.clone()).await.unwrap();
        assert_eq!((report.added, report.kept), (1, 0));
        let mut refused: Vec<String> = report.refused.iter().map(ToString::to_string).collect();
        refused.sort();
        let remedy = "remove it, or take it out of our configuration";
        assert_eq!(
            refused,
            [
                format!("address 198.51.100.7 on lo: already there and not ours (198.51.100.7/32): {remedy}"),
                format!("address 2001:db8:1::7 on lo: already there and not ours (2001:db8:1::7/128): {remedy}"),
                format!("route 10.10.0.0/16 table main metric 8: already there and not ours (proto static): {remedy}"),
                format!(
                    "route 2001:db8:1000::/36 table main metric 8: already there and not ours (proto bird): {remedy}"
                ),
            ]
        );
        let report = kernel.set_srp(Section::default()).await.unwrap();
        assert_eq!((report.removed, report.refused), (1, vec![]));

        // Once the others are gone, a comparison puts ours there.
        kernel.set_srp(want).await.unwrap();
        namespace.ip("route delete 10.10.0.0/16 proto static metric 8");
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.refused.len()), (1, 3));
        assert!(namespace.our_routes().contains(&"blackhole 10.10.0.0/16 metric 8".to_owned()));
        kernel.remove_all_ours().await.unwrap();
    });
    namespace.ip("route add 10.10.0.0/16 via 192.0.2.2 proto static metric 8");
    assert_eq!(before, (namespace.lines("route show table all"), namespace.lines("-6 route show table all")));
    assert_eq!(addresses_before, namespace.lines("-o address show"));
}

#[test]
fn an_address_on_a_missing_link_is_refused_and_added_when_the_link_appears() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let east: LinkName = "east".parse().unwrap();
        assert!(!kernel.has_interface(&east));
        let want = section().with_address(Address::new("198.51.100.9".parse().unwrap(), east.clone()).unwrap());
        let report = kernel.set_srp(want).await.unwrap();
        assert_eq!(report.added, 4, "the rest is carried out");
        assert_eq!(report.refused.len(), 1);
        assert_eq!(report.refused[0].reason, RefuseReason::NoSuchLink(east.clone()));
        assert_eq!(
            report.refused[0].to_string(),
            "address 198.51.100.9 on east: there is no link east: create it, or correct the name"
        );
        namespace.ip("link add east type veth peer name west");
        let restored = |event: &netlink::KernelEvent| {
            matches!(event, netlink::KernelEvent::Repaired { restored, .. } if restored.len() == 1)
        };
        common::event(&mut events, restored).await;
        assert!(kernel.has_interface(&east));
        assert!(namespace.ip("address show dev east").contains("198.51.100.9/32"));
    });
}

#[test]
fn addresses_marked_by_priority_alone_are_ours_too() {
    // What a kernel before 5.18 keeps of our mark: no IFA_PROTO, but the priority ("SRP" and 83).
    let namespace = Namespace::new();
    namespace.ip("address add 198.51.100.7/32 dev lo metric 1397903443");
    namespace.ip("address add 198.51.100.66/32 dev lo metric 1397903443");
    namespace.ip("address add 198.51.100.77/32 dev lo metric 1397903444");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let report = kernel.set_srp(Section::default().with_address(address("198.51.100.7"))).await.unwrap();
        assert_eq!((report.kept, report.added, report.removed), (1, 0, 1));
        let left = namespace.ip("address show dev lo");
        assert!(left.contains("198.51.100.7/32") && left.contains("198.51.100.77/32"), "{left}");
        assert!(!left.contains("198.51.100.66/32"), "{left}");
    });
}

#[test]
fn addresses_carry_our_protocol_number() {
    let namespace = Namespace::new();
    namespace.run(|| async {
        let (kernel, _events) = start();
        kernel.set_srp(section()).await.unwrap();
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        let addresses: Vec<_> = handle.address().get().execute().try_collect().await.unwrap();
        let ours = AddressAttribute::Protocol(83.into());
        let marked = addresses.iter().filter(|address| address.attributes.contains(&ours)).count();
        assert_eq!(marked, 2, "{addresses:?}");
    });
}

//! Learned routes in a real kernel: next hops of every kind, many routes, an earlier life, the other owner.

mod common;

use std::net::IpAddr;
use std::num::NonZeroU8;

use common::{Namespace, blackhole, prefix, removal, section, start, via};
use netlink::{
    Kernel, LinkIndex, NextHop, NextHops, RefuseReason, Route, RouteChange, RouteTarget, Section, Settings,
    TableId,
};
use nix::errno::Errno;

fn index(kernel: &Kernel, name: &str) -> LinkIndex {
    kernel.links().by_name(&name.parse().unwrap()).expect("the link is there").index
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn set(table: TableId, text: &str, hops: impl IntoIterator<Item = NextHop>) -> RouteChange {
    let target = RouteTarget::Via(NextHops::new(hops).unwrap());
    RouteChange::Set(Route::new(table, prefix(text), target).unwrap())
}

#[test]
fn every_kind_of_next_hop_is_installed_and_recognised_again() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let east = index(&kernel, "east");
        let weight = NonZeroU8::new(3).unwrap();
        let table = TableId::new(1000).unwrap();
        let changes = || {
            vec![
                via("0.0.0.0/0", "192.0.2.2"),
                via("::/0", "2001:db8:e::2"),
                set(TableId::MAIN, "10.1.0.0/16", [NextHop::via_link(ip("192.0.2.2"), east)]),
                set(TableId::MAIN, "10.2.0.0/16", [NextHop::via_link(ip("fe80::2"), east)]),
                via("10.6.0.0/16", "2001:db8:e::2"),
                set(TableId::MAIN, "10.3.0.0/16", [NextHop::direct(east)]),
                set(TableId::MAIN, "10.4.0.0/16", [NextHop::via_link(ip("203.0.113.1"), east).onlink()]),
                set(
                    table,
                    "10.5.0.0/16",
                    [
                        NextHop::via(ip("192.0.2.2")).unwrap(),
                        NextHop::via_link(ip("192.0.2.3"), east).weighing(weight),
                    ],
                ),
                set(TableId::MAIN, "2001:db8:a::/48", [NextHop::via_link(ip("fe80::2"), east)]),
                set(
                    TableId::MAIN,
                    "2001:db8:b::/48",
                    [NextHop::via(ip("2001:db8:e::2")).unwrap(), NextHop::via(ip("2001:db8:e::3")).unwrap()],
                ),
                set(TableId::MAIN, "2001:db8:c::/48", [NextHop::direct(east)]),
            ]
        };
        let report = kernel.update_learned(changes()).await.unwrap();
        assert_eq!((report.added, report.refused), (11, vec![]));
        let v4 = namespace.lines("-4 route show table all proto 83");
        assert_eq!(
            v4,
            [
                "10.1.0.0/16 via 192.0.2.2 dev east metric 83",
                "10.2.0.0/16 via inet6 fe80::2 dev east metric 83",
                "10.3.0.0/16 dev east scope link metric 83",
                "10.4.0.0/16 via 203.0.113.1 dev east metric 83 onlink",
                "10.5.0.0/16 table 1000 metric 83",
                "10.6.0.0/16 via inet6 2001:db8:e::2 dev east metric 83",
                "default via 192.0.2.2 dev east metric 83",
                "nexthop via 192.0.2.2 dev east weight 1",
                "nexthop via 192.0.2.3 dev east weight 3",
            ]
        );
        assert_eq!(
            namespace.lines("-6 route show table all proto 83"),
            [
                "2001:db8:a::/48 via fe80::2 dev east metric 83 pref medium",
                "2001:db8:b::/48 metric 83 pref medium",
                "2001:db8:c::/48 dev east metric 83 pref medium",
                "default via 2001:db8:e::2 dev east metric 83 pref medium",
                "nexthop via 2001:db8:e::2 dev east weight 1",
                "nexthop via 2001:db8:e::3 dev east weight 1",
            ]
        );
        let report = kernel.update_learned(changes()).await.unwrap();
        assert_eq!(
            (report.added, report.replaced, report.kept),
            (0, 0, 11),
            "the same again changes nothing"
        );
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.replaced, report.removed, report.kept), (0, 0, 0, 11));

        // A new life recognises each of them.
        drop(kernel);
        let (kernel, _events) = start();
        let report = kernel.update_learned(changes()).await.unwrap();
        assert_eq!((report.added, report.replaced, report.kept), (0, 0, 11));
        let report = kernel.remove_all_ours().await.unwrap();
        assert_eq!(report.removed, 11);
        assert_eq!(namespace.our_routes(), Vec::<String>::new());
    });
}

#[test]
fn a_better_path_replaces_in_place_also_between_one_hop_and_several() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let rows = [
            ("-4", "10.1.0.0/16", "192.0.2.2", "192.0.2.3"),
            ("-6", "2001:db8:a::/48", "2001:db8:e::2", "2001:db8:e::3"),
        ];
        for (family, prefix, a, b) in rows {
            let [a, b] = [a, b].map(|gateway| NextHop::via(ip(gateway)).unwrap());
            let steps = [vec![a], vec![b], vec![a, b], vec![b], vec![a, b], vec![a]];
            for (step, hops) in steps.into_iter().enumerate() {
                let report =
                    kernel.update_learned(vec![set(TableId::MAIN, prefix, hops.clone())]).await.unwrap();
                let expected = if step == 0 { (1, 0) } else { (0, 1) };
                assert_eq!(
                    (report.added, report.replaced, &report.refused),
                    (expected.0, expected.1, &vec![])
                );
                let shown = namespace.ip(&format!("{family} route show {prefix} proto 83"));
                let gateways = shown.matches(" via ").count();
                assert_eq!(gateways, hops.len(), "{prefix} step {step}: {shown}");
                let report = kernel.compare().await.unwrap();
                assert_eq!(
                    (report.added, report.replaced, report.removed),
                    (0, 0, 0),
                    "{prefix} step {step}"
                );
            }
        }
    });
}

#[test]
fn the_last_change_of_a_prefix_counts() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let changes = vec![
            via("10.1.0.0/16", "192.0.2.2"),
            removal("10.1.0.0/16"),
            via("10.1.0.0/16", "192.0.2.3"),
            via("10.2.0.0/16", "192.0.2.2"),
            removal("10.2.0.0/16"),
        ];
        let report = kernel.update_learned(changes).await.unwrap();
        assert_eq!((report.added, report.removed), (1, 0));
        assert_eq!(namespace.our_routes(), ["10.1.0.0/16 via 192.0.2.3 dev east metric 83"]);
    });
}

#[test]
fn a_foreign_route_is_never_replaced_and_the_holder_is_named() {
    let namespace = Namespace::with_veth();
    namespace.ip("route add 10.1.0.0/16 via 192.0.2.9 proto static metric 83");
    namespace.ip("-6 route add 2001:db8:a::/48 via 2001:db8:e::9 proto static metric 83");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let changes = vec![via("10.1.0.0/16", "192.0.2.2"), via("2001:db8:a::/48", "2001:db8:e::2")];
        let report = kernel.update_learned(changes).await.unwrap();
        assert_eq!((report.added, report.refused.len()), (0, 2));
        for refused in report.refused {
            assert_eq!(refused.reason, RefuseReason::Foreign { holder: "proto static".to_owned() });
        }
        kernel.update_learned(vec![removal("10.1.0.0/16"), removal("2001:db8:a::/48")]).await.unwrap();
        kernel.remove_all_ours().await.unwrap();
    });
    assert!(namespace.ip("route show 10.1.0.0/16").contains("via 192.0.2.9"));
    assert!(namespace.ip("-6 route show 2001:db8:a::/48").contains("via 2001:db8:e::9"));
}

#[test]
fn a_foreign_copy_appended_to_ours_survives_our_removal() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        kernel.update_learned(vec![via("10.1.0.0/16", "192.0.2.2")]).await.unwrap();
        namespace.ip("route append 10.1.0.0/16 via 192.0.2.9 proto static metric 83");
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.replaced, report.removed, report.kept), (0, 0, 0, 1));
        let report = kernel.update_learned(vec![removal("10.1.0.0/16")]).await.unwrap();
        assert_eq!(report.removed, 1);
    });
    assert_eq!(
        namespace.lines("route show 10.1.0.0/16"),
        ["10.1.0.0/16 via 192.0.2.9 dev east proto static metric 83"]
    );
}

#[test]
fn what_the_kernel_refuses_is_reported_with_its_words_and_the_rest_is_carried_out() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let changes = vec![
            via("10.1.0.0/16", "192.0.2.2"),
            via("10.2.0.0/16", "203.0.113.1"),
            via("10.3.0.0/16", "192.0.2.2"),
        ];
        let report = kernel.update_learned(changes).await.unwrap();
        assert_eq!((report.added, report.refused.len()), (2, 1));
        assert_eq!(
            report.refused[0].to_string(),
            "route 10.2.0.0/16 table main metric 83: the kernel refused: Network is unreachable \
             (ENETUNREACH: Network is unreachable): Nexthop has invalid gateway"
        );
        assert!(matches!(report.refused[0].reason, RefuseReason::Kernel { errno: Errno::ENETUNREACH, .. }));
    });
}

#[test]
fn stale_learned_routes_stay_until_the_sweep() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        let changes = vec![
            via("10.1.0.0/16", "192.0.2.2"),
            via("10.2.0.0/16", "192.0.2.2"),
            via("10.3.0.0/16", "192.0.2.2"),
            via("2001:db8:a::/48", "2001:db8:e::2"),
        ];
        kernel.update_learned(changes).await.unwrap();
        drop(kernel);

        let (kernel, _events) = start();
        kernel.set_srp(section()).await.unwrap();
        kernel.compare().await.unwrap();
        let learned =
            |namespace: &Namespace| namespace.our_routes().iter().filter(|line| line.contains("83")).count();
        assert_eq!(learned(&namespace), 4, "neither the SRP section nor a comparison takes them away");
        let again = vec![via("10.1.0.0/16", "192.0.2.2"), via("10.2.0.0/16", "192.0.2.3")];
        let report = kernel.update_learned(again).await.unwrap();
        assert_eq!((report.kept, report.replaced, report.added), (1, 1, 0));
        let report = kernel.sweep_learned().await.unwrap();
        assert_eq!((report.kept, report.removed), (2, 2));
        assert_eq!(learned(&namespace), 2);
    });
}

#[test]
fn the_two_owners_do_not_disturb_each_other() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, _events) = start();
        kernel.set_srp(Section::default().with_route(blackhole("10.10.0.0/16"))).await.unwrap();
        // The peer's pool, learned from a router: the same prefix.
        kernel.update_learned(vec![via("10.10.0.0/16", "192.0.2.2")]).await.unwrap();
        kernel.sweep_learned().await.unwrap();
        let both = ["10.10.0.0/16 via 192.0.2.2 dev east metric 83", "blackhole 10.10.0.0/16 metric 8"];
        assert_eq!(namespace.our_routes(), both);
        kernel.set_srp(Section::default()).await.unwrap();
        assert_eq!(namespace.our_routes(), both[..1]);
        kernel.set_srp(Section::default().with_route(blackhole("10.10.0.0/16"))).await.unwrap();
        kernel.update_learned(vec![removal("10.10.0.0/16")]).await.unwrap();
        assert_eq!(namespace.our_routes(), both[1..]);
    });
}

#[test]
fn ten_thousand_routes_of_each_family_go_in_and_out() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let v4 = |n: u32| format!("10.{}.{}.0/24", n >> 8, n & 0xff);
        let v6 = |n: u32| format!("2001:db8:{:x}::/48", 0x1000 + n);
        let all = |gateway: &str, gateway6: &str| -> Vec<RouteChange> {
            (0..10_000)
                .map(|n| via(&v4(n), gateway))
                .chain((0..10_000).map(|n| via(&v6(n), gateway6)))
                .collect()
        };
        let report = kernel.update_learned(all("192.0.2.2", "2001:db8:e::2")).await.unwrap();
        assert_eq!((report.added, report.refused), (20_000, vec![]));
        let report = kernel.update_learned(all("192.0.2.3", "2001:db8:e::3")).await.unwrap();
        assert_eq!((report.replaced, report.refused), (20_000, vec![]));
        assert_eq!(namespace.our_routes().len(), 20_000);
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.added, report.removed, report.kept), (0, 0, 20_000));

        // A takeover does not wait for them: ten such updates are asked for first, and answered last.
        let gateways = [("192.0.2.2", "2001:db8:e::2"), ("192.0.2.3", "2001:db8:e::3")];
        let updates = (0..10).map(|n| kernel.update_learned(all(gateways[n % 2].0, gateways[n % 2].1)));
        let mut updates = futures::future::join_all(updates);
        let srp = tokio::select! {
            biased;
            _ = &mut updates => panic!("the SRP section waited for the learned routes"),
            srp = kernel.set_srp(section()) => srp.unwrap(),
        };
        assert_eq!((srp.added, srp.refused), (4, vec![]));
        for report in updates.await {
            assert_eq!(report.unwrap().replaced, 20_000);
        }

        let gone = (0..10_000).flat_map(|n| [removal(&v4(n)), removal(&v6(n))]).collect();
        let report = kernel.update_learned(gone).await.unwrap();
        assert_eq!((report.removed, report.refused), (20_000, vec![]));
        assert_eq!(namespace.our_routes().len(), 2, "the two pools");
        // Our own echoes are no events, and none of them was lost for want of room.
        drop(kernel);
        while let Some(event) = events.recv().await {
            assert!(!matches!(event, netlink::KernelEvent::Repaired { .. }), "{event:?}");
        }
    });
}

#[test]
fn other_metrics_of_an_earlier_life_are_found_and_removed() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        let earlier = Settings { srp_metric: 100, learned_metric: 200, ..Settings::default() };
        let (kernel, _events) = Kernel::start(earlier).unwrap();
        kernel.set_srp(section()).await.unwrap();
        kernel.update_learned(vec![via("10.1.0.0/16", "192.0.2.2")]).await.unwrap();
        drop(kernel);
        let (kernel, _events) = start();
        let report = kernel.set_srp(section()).await.unwrap();
        assert_eq!(
            (report.kept, report.added, report.removed),
            (2, 2, 2),
            "addresses stay, pools move metric"
        );
        let report = kernel.update_learned(vec![via("10.1.0.0/16", "192.0.2.2")]).await.unwrap();
        assert_eq!(report.added, 1);
        let report = kernel.sweep_learned().await.unwrap();
        assert_eq!(report.removed, 1);
        let old = |line: &String| line.contains("metric 100") || line.contains("metric 200");
        assert!(!namespace.our_routes().iter().any(old), "{:?}", namespace.our_routes());
    });
}

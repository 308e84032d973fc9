//! What not every kernel has: dummy links, VRFs, VLANs. Where one is missing, its test says so by name and ends, or fails where
//! [`REQUIRED`] is set, as it is in a machine whose kernel has all of them (`qemu-tests/tests/netlink.rs`).

mod common;

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};

use common::{Namespace, event, prefix, start};
use netlink::{
    Address, KernelEvent, LinkName, NextHop, Object, Port, PortAddress, Ports, Route, RouteChange,
    RouteTarget, Section, TableId, Way,
};

/// Names the environment variable that makes a missing feature a failure.
const REQUIRED: &str = "NETLINK_TESTS_SKIP_NOTHING";

/// Whether the kernel can make such a link; says on standard error what is not tested otherwise.
fn can(namespace: &Namespace, kind: &str, command: &str, untested: &str) -> bool {
    let can = namespace.ip_accepts(command);
    if !can {
        assert!(
            std::env::var_os(REQUIRED).is_none(),
            "this kernel cannot make {kind} links (`ip {command}`): {untested}"
        );
        // Straight to standard error, past the harness that keeps the output of passing tests to itself.
        let said = writeln!(
            std::io::stderr(),
            "SKIPPED: this kernel cannot make {kind} links (`ip {command}`); not tested: {untested}"
        );
        said.expect("standard error is open");
    }
    can
}

#[test]
fn loopbacks_live_on_a_dummy_link() {
    let namespace = Namespace::new();
    if !can(&namespace, "dummy", "link add loop0 type dummy", "loopbacks on a dummy link") {
        return;
    }
    namespace.ip("link set loop0 up");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let on = |ip: &str| Address::new(ip.parse().unwrap(), "loop0".parse().unwrap()).unwrap();
        let want = Section::default().with_address(on("198.51.100.7")).with_address(on("2001:db8:1::7"));
        let report = kernel.set_srp(want).await.unwrap();
        assert_eq!((report.added, report.refused), (2, vec![]));
        for ip in ["198.51.100.7", "2001:db8:1::7"] {
            let socket = UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 0));
            assert!(socket.is_ok(), "{ip}: {socket:?}");
        }
        namespace.ip("link delete loop0");
        namespace.ip("link add loop0 type dummy");
        let both = |event: &KernelEvent| matches!(event, KernelEvent::Repaired { restored, .. } if restored.len() == 2);
        event(&mut events, both).await;
    });
}

#[test]
fn a_vrf_holds_its_own_pools_and_learned_routes() {
    let namespace = Namespace::with_veth();
    if !can(&namespace, "VRF", "link add blue type vrf table 1000", "contexts as VRFs") {
        return;
    }
    namespace.ip("link set blue up");
    namespace.ip("link set east master blue");
    namespace.run(|| async {
        let (kernel, _events) = start();
        let table = TableId::new(1000).unwrap();
        let want = Section::default()
            .with_address(Address::new("198.51.100.7".parse().unwrap(), "blue".parse().unwrap()).unwrap())
            .with_route(Route::blackhole(table, prefix("10.10.0.0/16")));
        let report = kernel.set_srp(want).await.unwrap();
        assert_eq!((report.added, report.refused), (2, vec![]));
        let east = kernel.links().by_name(&"east".parse().unwrap()).unwrap().index;
        let hop = NextHop::via_link("192.0.2.2".parse().unwrap(), east);
        let route = Route::new(table, prefix("0.0.0.0/0"), RouteTarget::Via(hop.into())).unwrap();
        let report = kernel.update_learned(vec![RouteChange::Set(route)]).await.unwrap();
        assert_eq!((report.added, report.refused), (1, vec![]));
        assert_eq!(namespace.lines("route show vrf blue proto 83").len(), 2);
        assert_eq!(namespace.lines("route show table main proto 83").len(), 0);
    });
}

#[test]
fn two_vrfs_hold_the_same_address_and_pools_and_one_that_is_made_anew_gets_its_own_back() {
    let namespace = Namespace::new();
    if !can(&namespace, "VRF", "link add blue type vrf table 1000", "one address in two contexts") {
        return;
    }
    namespace.ip("link add red type vrf table 1001");
    namespace.ip("link set blue up");
    namespace.ip("link set red up");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let mut want = Section::default();
        for (vrf, table) in [("blue", 1000), ("red", 1001)] {
            let table = TableId::new(table).unwrap();
            let on = |ip: &str| Address::new(ip.parse().unwrap(), vrf.parse().unwrap()).unwrap();
            want = want
                .with_address(on("198.51.100.7"))
                .with_address(on("2001:db8:1::7"))
                .with_route(Route::blackhole(table, prefix("10.10.0.0/16")))
                .with_route(Route::unreachable(table, prefix("2001:db8:1000::/36")));
        }
        let report = kernel.set_srp(want).await.unwrap();
        assert_eq!((report.added, report.refused), (8, vec![]));
        for vrf in ["blue", "red"] {
            let addresses = namespace.ip(&format!("-o address show dev {vrf} scope global"));
            assert_eq!(addresses.lines().count(), 2, "{addresses}");
            assert_eq!(namespace.lines(&format!("-4 route show vrf {vrf} proto 83")).len(), 1);
            assert_eq!(namespace.lines(&format!("-6 route show vrf {vrf} proto 83")).len(), 1);
        }
        // With its device, the kernel takes a VRF's addresses away.
        let before = namespace.our_routes();
        namespace.ip("link delete blue");
        namespace.ip("link add blue type vrf table 1000");
        namespace.ip("link set blue up");
        let addresses = || namespace.ip("-o address show dev blue scope global").lines().count();
        while namespace.our_routes() != before || addresses() != 2 {
            event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        }
        let report = kernel.compare().await.unwrap();
        assert_eq!((report.kept, report.added, report.refused), (8, 0, vec![]));
    });
}

#[test]
fn cfg_6_a_vlan_is_a_link_like_any_other_for_who_names_its_addresses() {
    let namespace = Namespace::with_veth();
    if !can(&namespace, "VLAN", "link add link east name east.7 type vlan id 7", "addresses of a VLAN") {
        return;
    }
    namespace.run(|| async {
        let address = |text: &str, len| PortAddress { ip: text.parse().expect("an address"), len };
        let port = Port {
            link: "east.7".parse().expect("a name"),
            up: true,
            mtu: Some(1400),
            alias: None,
            speed: None,
            addresses: [address("203.0.113.1", 24), address("2001:db8:7::1", 64)].into(),
        };
        let mut ports = Ports::open(83).expect("sockets");
        assert_eq!(ports.make(std::slice::from_ref(&port)).map(|done| done.len()).map_err(|_| ()), Ok(4));
        assert_eq!(ports.make(&[port]).map(|done| done.len()).map_err(|_| ()), Ok(0));
    });
    let link = namespace.ip("link show dev east.7");
    assert!(link.contains(",UP") && link.contains("mtu 1400"), "{link}");
    assert_eq!(namespace.ip("-o address show dev east.7 scope global").lines().count(), 2);
    assert!(namespace.ip("link show dev east").contains("mtu 1500"));
}

#[test]
fn a_vlan_goes_down_with_its_parent_and_its_routes_come_back_with_it() {
    let namespace = Namespace::with_veth();
    if !can(&namespace, "VLAN", "link add link east name east.100 type vlan id 100", "routes through a VLAN")
    {
        return;
    }
    namespace.ip("address add 203.0.113.1/24 dev east.100");
    namespace.ip("link set east.100 up");
    namespace.run(|| async {
        let (kernel, mut events) = start();
        kernel.update_learned(vec![common::via("10.1.0.0/16", "203.0.113.2")]).await.unwrap();
        let before = namespace.our_routes();
        namespace.ip("link set east down");
        let down = |event: &KernelEvent| {
            matches!(event, KernelEvent::LinkDown { name, .. } if name.as_str() == "east.100")
        };
        event(&mut events, down).await;
        namespace.ip("link set east up");
        while namespace.our_routes() != before {
            event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        }
    });
}

#[test]
fn a_vrf_has_next_hops_pools_and_learned_routes_by_its_name_whatever_table_it_has() {
    let namespace = Namespace::with_veth();
    if !can(&namespace, "VRF", "link add blue type vrf table 1000", "next hops and routes of a VRF") {
        return;
    }
    namespace.ip("link set blue up");
    namespace.ip("link set east master blue");
    namespace.ip("route add 10.9.0.0/16 via 192.0.2.7 proto ospf metric 20 vrf blue");
    let blue: LinkName = "blue".parse().unwrap();
    namespace.run(|| async {
        let (kernel, mut events) = start();
        let ways = async |vrf: Option<&LinkName>| {
            let asked = ["10.9.0.1", "192.0.2.2", "172.16.0.1"].map(|ip| ip.parse().unwrap());
            let ways = kernel.ways(vrf, &asked).await.unwrap();
            ways.iter().map(|way| way.as_ref().map_err(ToString::to_string).map(Way::metric)).collect::<Vec<_>>()
        };
        let none = || Err("no route".to_owned());
        assert_eq!(ways(None).await, [none(), none(), none()]);
        assert_eq!(ways(Some(&blue)).await, [Ok(20), Ok(0), none()]);
        assert_eq!(ways(Some(&"red".parse().unwrap())).await[0], Err("no such VRF".to_owned()));

        let pool = prefix("10.10.0.0/16");
        let want = Section::default().with_vrf_route(blue.clone(), pool, RouteTarget::Blackhole);
        assert_eq!(kernel.set_srp(want.clone()).await.unwrap().added, 1);
        let table = kernel.links().vrf(&blue).unwrap().1;
        let east = kernel.links().by_name(&"east".parse().unwrap()).unwrap().index;
        let hop = NextHop::via_link("192.0.2.2".parse().unwrap(), east);
        let route = Route::new(table, prefix("10.1.0.0/16"), RouteTarget::Via(hop.into())).unwrap();
        assert_eq!(kernel.update_learned(vec![RouteChange::Set(route)]).await.unwrap().added, 1);
        // Ours hides that of somebody else, which is found below it.
        let ours = Route::new(table, prefix("10.9.0.0/24"), RouteTarget::Via(hop.into())).unwrap();
        assert_eq!(kernel.update_learned(vec![RouteChange::Set(ours)]).await.unwrap().added, 1);
        assert_eq!(ways(Some(&blue)).await[0], Ok(20));

        // A card that leaves its VRF is down in it.
        namespace.ip("link set east nomaster");
        let left = |event: &KernelEvent| {
            matches!(event, KernelEvent::LinkDown { name, vrf, .. }
                if name.as_str() == "east" && vrf.as_ref() == Some(&blue))
        };
        event(&mut events, left).await;
        // The VRF comes back with another table.
        namespace.ip("link delete blue");
        let gone = |event: &KernelEvent| {
            matches!(event, KernelEvent::LinkDown { name, vrf, .. } if *name == blue && vrf.as_ref() == Some(&blue))
        };
        event(&mut events, gone).await;
        let report = kernel.set_srp(want).await.unwrap();
        let missing = Object::RouteOfVrf { vrf: blue.clone(), prefix: pool };
        assert_eq!(report.refused.iter().map(|one| &one.object).collect::<Vec<_>>(), [&missing]);
        namespace.ip("link add blue type vrf table 1001");
        namespace.ip("link set blue up");
        namespace.ip("link set east master blue");
        let ours = |word: &str| namespace.our_routes().iter().filter(|line| line.contains(word)).count();
        while ours("blackhole 10.10.0.0/16 table 1001") != 1 {
            event(&mut events, |event| matches!(event, KernelEvent::Repaired { .. })).await;
        }
        let now = kernel.links().vrf(&blue).unwrap().1;
        assert_eq!((table.get(), now.get()), (1000, 1001));
        kernel.move_learned(table, now).await.unwrap();
        assert_eq!((ours("table 1000"), ours("table 1001")), (0, 3), "{:?}", namespace.our_routes());
    });
}

//! What not every kernel has: dummy links, VRFs, VLANs. Where one is missing, its test says so by name and ends.

mod common;

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};

use common::{Namespace, event, prefix, start};
use netlink::{Address, KernelEvent, NextHop, Route, RouteChange, RouteTarget, Section, TableId};

/// Whether the kernel can make such a link; says on standard error what is not tested otherwise.
fn can(namespace: &Namespace, kind: &str, command: &str, untested: &str) -> bool {
    let can = namespace.ip_accepts(command);
    if !can {
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

//! Chassis and client on one subnet: the client finds the service by ARP and Neighbor Discovery alone (CH-16).
//!
//! What the client once learnt stays reachable for an hour here, so it never asks again: where its entry changes, it was told.

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

const EAST_MAC: &str = "02:00:00:00:00:0e";
const WEST_MAC: &str = "02:00:00:00:00:0f";
const SERVICES: [&str; 2] = ["10.0.0.100", "2001:db8:a::100"];

const LOOPBACKS: &str = r#"
[[context.loopback]]
name = "on-link"
address = "10.0.0.100/32"
interface = "eth1"
srp-activate = true
layer-2 = true

[[context.loopback]]
name = "on-link-6"
address = "2001:db8:a::100/128"
interface = "eth1"
srp-activate = true
layer-2 = true
"#;

struct Subnet {
    pair: Pair,
    client: Netns,
}

impl Subnet {
    fn new() -> Self {
        let pair = Pair::new();
        let client = Netns::create(format!("{}client", next_prefix())).expect("a namespace (needs root)");
        client.ip(&["link add br0 type bridge".into(), "link set br0 up".into()]).expect("a bridge");
        for (place, port, mac, host) in [(&pair.east, "pe", EAST_MAC, 1), (&pair.west, "pw", WEST_MAC, 2)] {
            let wire = format!(
                "link add {port} type veth peer name eth1 address {mac} netns {}",
                place.netns.name()
            );
            let up = [wire, format!("link set {port} master br0"), format!("link set {port} up")];
            client.ip(&up).expect("a wire");
            let addresses = [
                format!("address add 10.0.0.{host}/24 dev eth1"),
                format!("address add 2001:db8:a::{host}/64 dev eth1 nodad"),
                "link set eth1 up".into(),
            ];
            place.netns.ip(&addresses).expect("addresses");
        }
        let addresses =
            ["address add 10.0.0.10/24 dev br0".into(), "address add 2001:db8:a::10/64 dev br0 nodad".into()];
        client.ip(&addresses).expect("addresses");
        let hour = "3600000";
        let settings = [
            ("ipv4/neigh/br0/base_reachable_time_ms", hour),
            ("ipv6/neigh/br0/base_reachable_time_ms", hour),
        ];
        client.sysctl(&settings).expect("settings of the client");
        Self { pair, client }
    }

    fn start(&self) -> (Daemon, Daemon) {
        let start = |place: &Place| place.start(&place.configure(&Keys::None, LOOPBACKS));
        let (east, west) = (start(&self.pair.east), start(&self.pair.west));
        east.await_info("Active beside a Standby", |info| {
            info.chassis_state == ChassisState::Active
                && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
        });
        (east, west)
    }

    /// Makes the client look for both services.
    fn look(&self) {
        let look = || {
            for (from, to) in [("0.0.0.0:0", SERVICES[0]), ("[::]:0", SERVICES[1])] {
                let socket = UdpSocket::bind(from).expect("a socket");
                let to = SocketAddr::new(to.parse().expect("an address"), 9);
                let _ = socket.send_to(b"?", to); // port 9 may refuse; asking for the neighbour is what counts
            }
        };
        self.client.enter(look).expect("enters");
    }

    fn await_mac(&self, what: &str, mac: &str) {
        for service in SERVICES {
            until(&format!("{service}: {what}"), PATIENCE, Duration::from_millis(5), || {
                let output = Command::new("ip")
                    .args(["-n", self.client.name(), "neighbor", "show", "to", service])
                    .output()
                    .expect("ip runs");
                let entry = String::from_utf8_lossy(&output.stdout).into_owned();
                Ok(if entry.contains(mac) { Seen::Done(()) } else { Seen::NotYet(entry) })
            })
            .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

/// The layer-2 addresses that the chassis' link has.
fn on_link(place: &Place) -> usize {
    let output = Command::new("ip")
        .args(["-n", place.netns.name(), "-o", "address", "show", "dev", "eth1"])
        .output()
        .expect("ip runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    SERVICES.iter().filter(|service| text.contains(**service)).count()
}

#[test]
fn ch_16_hosts_of_a_subnet_are_told_where_the_active_is() {
    let subnet = Subnet::new();
    let (east, west) = subnet.start();
    assert_eq!((on_link(&subnet.pair.east), on_link(&subnet.pair.west)), (2, 0));
    subnet.look();
    subnet.await_mac("found on east", EAST_MAC);

    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone { .. }), "{done:?}");
    subnet.await_mac("moved with the switchover", WEST_MAC);
    east.await_state(ChassisState::Standby);
    assert_eq!((on_link(&subnet.pair.east), on_link(&subnet.pair.west)), (0, 2));

    west.signal(Signal::SIGKILL);
    drop(west);
    east.await_state(ChassisState::Active);
    subnet.await_mac("moved with the take-over", EAST_MAC);
    let Response::Switchovers(shown) = east.ask(&Request::ShowSwitchover { last: 1 }).expect("an answer")
    else {
        panic!("switchovers")
    };
    let told = shown[0].steps.iter().find(|step| step.step == "hosts-told").expect("is in the timeline");
    assert_eq!(told.detail, "where 2 of 2 layer-2 addresses are");
}

#[test]
fn ch_16_winner_of_a_dual_active_tells_the_hosts_again() {
    let subnet = Subnet::new();
    let (east, west) = subnet.start();
    subnet.look();
    subnet.await_mac("found on east", EAST_MAC);

    subnet.pair.east.netns.ip(&["link set srp down".into()]).expect("cuts the link");
    west.await_state(ChassisState::Active);
    subnet.await_mac("taken by the second Active", WEST_MAC);
    subnet.pair.east.netns.ip(&["link set srp up".into()]).expect("heals the link");
    west.await_state(ChassisState::Standby);
    assert_eq!(east.info().expect("info").chassis_state, ChassisState::Active);
    subnet.await_mac("back with the winner", EAST_MAC);
}

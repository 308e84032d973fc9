//! Links that the configuration names, in the kernel.

mod common;

use std::process::Command;

use common::Namespace;
use netlink::{Port, PortAddress, PortError, Ports, Speed};

fn address(text: &str) -> PortAddress {
    let (ip, len) = text.split_once('/').expect("a mask");
    PortAddress { ip: ip.parse().expect("an address"), len: len.parse().expect("a length") }
}

fn port(link: &str, addresses: &[&str]) -> Port {
    Port {
        link: link.parse().expect("a name"),
        up: true,
        mtu: None,
        alias: None,
        speed: None,
        addresses: addresses.iter().map(|text| address(text)).collect(),
    }
}

fn make(want: &[Port]) -> Result<Vec<String>, Vec<String>> {
    let done = Ports::open(83).expect("sockets").make(want);
    done.map(|done| done.iter().map(|(link, op)| format!("{link}: {op}")).collect())
        .map_err(|errors| errors.iter().map(PortError::to_string).collect())
}

/// Addresses that an operator sees, without those that the kernel makes by itself.
fn addresses(namespace: &Namespace, link: &str) -> Vec<String> {
    let lines = namespace.ip(&format!("-o address show dev {link} scope global"));
    let mut addresses: Vec<_> =
        lines.lines().filter_map(|line| line.split_whitespace().nth(3).map(str::to_owned)).collect();
    addresses.sort();
    addresses
}

#[test]
fn cfg_6_a_link_gets_addresses_size_and_description_and_is_set_up_and_the_second_time_there_is_nothing_to_do()
{
    let namespace = Namespace::new();
    namespace.ip("link add srp1 type veth peer name far");
    namespace.run(|| async {
        let want = Port {
            mtu: Some(9000),
            alias: Some("to west, port 7".to_owned()),
            ..port("srp1", &["192.0.2.1/30", "192.0.2.9/32", "2001:db8::1/64"])
        };
        assert_eq!(make(std::slice::from_ref(&want)).map(|done| done.len()), Ok(6));
        assert_eq!(make(&[want]), Ok(vec![]));
    });
    assert_eq!(addresses(&namespace, "srp1"), ["192.0.2.1/30", "192.0.2.9/32", "2001:db8::1/64"]);
    let link = namespace.ip("link show dev srp1");
    assert!(
        link.contains("mtu 9000") && link.contains(",UP") && link.contains("alias to west, port 7"),
        "{link}"
    );
    assert!(!namespace.ip("link show dev far").contains(",UP"), "nobody named the other end");
}

#[test]
fn what_leaves_the_configuration_goes_and_what_others_gave_stays() {
    let namespace = Namespace::with_veth();
    namespace.ip("address add 10.77.0.1/24 dev west");
    namespace.run(|| async {
        // 192.0.2.1/24 is there already: adopted, so not ours to take away.
        make(&[port("east", &["192.0.2.1/24", "198.51.100.1/30", "198.51.100.5/30"])]).expect("made");
        assert_eq!(
            make(&[port("east", &["198.51.100.5/29"])]),
            Ok(vec![
                "east: no address 198.51.100.5/30".to_owned(),
                "east: address 198.51.100.5/29".to_owned(),
                "east: no address 198.51.100.1/30".to_owned()
            ])
        );
        assert_eq!(make(&[]), Ok(vec!["east: no address 198.51.100.5/29".to_owned()]));
    });
    assert_eq!(addresses(&namespace, "east"), ["192.0.2.1/24", "2001:db8:e::1/64"]);
    assert_eq!(addresses(&namespace, "west"), ["10.77.0.1/24"]);
}

#[test]
fn the_second_address_of_a_subnet_outlives_the_first() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        make(&[port("east", &["198.51.100.1/24", "198.51.100.2/24"])]).expect("made");
        make(&[port("east", &["198.51.100.2/24"])]).expect("made");
    });
    assert_eq!(addresses(&namespace, "east"), ["192.0.2.1/24", "198.51.100.2/24", "2001:db8:e::1/64"]);
}

#[test]
fn cfg_6_a_speed_is_refused_by_name_where_the_driver_has_none_and_nothing_else_is_changed() {
    let namespace = Namespace::new();
    namespace.ip("link add srp1 type veth peer name far");
    namespace.run(|| async {
        let speed = Speed::Fixed { megabits: 100, full_duplex: true };
        let want = Port { mtu: Some(9000), speed: Some(speed), ..port("srp1", &["192.0.2.1/30"]) };
        let refused =
            "interface \"srp1\": its driver does not take speed 100 full: leave speed and duplex out"
                .to_owned();
        assert_eq!(make(&[port("far", &["192.0.2.2/30"]), want]), Err(vec![refused]));
    });
    assert_eq!(addresses(&namespace, "srp1"), Vec::<String>::new());
    assert_eq!(addresses(&namespace, "far"), Vec::<String>::new());
    assert!(namespace.ip("link show dev srp1").contains("mtu 1500"));
}

#[test]
fn cfg_6_a_speed_is_set_where_the_driver_takes_it() {
    let namespace = Namespace::new();
    namespace.ip("tuntap add dev tap1 mode tap");
    let sysfs = |file: &str| {
        let path = format!("/sys/class/net/tap1/{file}");
        let output = Command::new("ip").args(["netns", "exec", &namespace.name, "cat", &path]).output();
        String::from_utf8_lossy(&output.expect("`ip` runs").stdout).trim().to_owned()
    };
    for (megabits, full_duplex, duplex) in [(1000, true, "full"), (100, false, "half"), (10, true, "full")] {
        namespace.run(|| async move {
            let speed = Some(Speed::Fixed { megabits, full_duplex });
            assert_eq!(make(&[Port { speed, ..port("tap1", &[]) }]).map(|done| done.is_empty()), Ok(false));
            assert_eq!(make(&[Port { speed, ..port("tap1", &[]) }]), Ok(vec![]));
        });
        // The driver is asked again by another way than ours.
        assert_eq!((sysfs("speed"), sysfs("duplex")), (megabits.to_string(), duplex.to_owned()));
    }
}

#[test]
fn what_the_kernel_refuses_half_way_is_put_back() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        // The kernel takes 198.51.100.1 and then refuses an address that no host can have.
        let refused =
            make(&[Port { mtu: Some(1400), ..port("east", &["198.51.100.1/30", "2001:db8::1/200"]) }]);
        assert!(refused.is_err_and(|errors| errors[0].contains("was refused by the kernel")));
    });
    assert_eq!(addresses(&namespace, "east"), ["192.0.2.1/24", "2001:db8:e::1/64"]);
    assert!(namespace.ip("link show dev east").contains("mtu 1500"));
}

#[test]
fn a_link_that_is_wanted_down_is_set_down_and_keeps_its_addresses() {
    let namespace = Namespace::with_veth();
    namespace.run(|| async {
        make(&[Port { up: false, ..port("east", &["192.0.2.1/24", "2001:db8:7::1/64"]) }]).expect("made");
    });
    assert!(namespace.ip("link show dev east").contains("state DOWN"));
    assert_eq!(addresses(&namespace, "east"), ["192.0.2.1/24", "2001:db8:7::1/64"]);
}

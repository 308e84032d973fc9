//! `show ip interface` and `show port`.

use srp_core::api::{Interface, InterfaceAddress, InterfaceCounts, LinkState};

use super::table::{Edge, fields, table};

const NONE: &str = "The configuration names no interfaces.\n";

/// Each with everything about it, by context.
pub fn interfaces(all: &[Interface]) -> String {
    if all.is_empty() {
        return NONE.into();
    }
    all.iter().map(interface).collect::<Vec<_>>().join("\n")
}

fn interface(interface: &Interface) -> String {
    let mut lines = vec![
        ("Interface", interface.name.clone()),
        ("Context", interface.context.clone()),
        ("State", state(interface)),
    ];
    if interface.state != LinkState::Absent {
        let dash = || "-".to_owned();
        lines.extend([
            ("Description", interface.description.clone().unwrap_or_else(dash)),
            ("MAC Address", interface.mac.clone().unwrap_or_else(dash)),
            ("MTU", interface.mtu.map_or_else(dash, |mtu| mtu.to_string())),
            ("Speed", interface.speed.clone().unwrap_or_else(|| "not told by the driver".into())),
            ("Received", counted(interface.received)),
            ("Sent", counted(interface.sent)),
        ]);
    }
    lines.extend(interface.addresses.iter().map(|found| ("IP Address", address(found))));
    fields(&lines)
}

/// A line each.
pub fn summary(all: &[Interface]) -> String {
    let header = [
        ("Context", Edge::Left),
        ("Interface", Edge::Left),
        ("State", Edge::Left),
        ("IP Address", Edge::Left),
    ];
    let row = |interface: &Interface| {
        let addresses: Vec<_> = interface.addresses.iter().map(address).collect();
        let addresses = if addresses.is_empty() { "-".to_owned() } else { addresses.join(", ") };
        vec![interface.context.clone(), interface.name.clone(), state(interface), addresses]
    };
    lines(&header, all, row)
}

/// Links as their drivers have them, a line each.
pub fn ports(all: &[Interface]) -> String {
    let header = [
        ("Port", Edge::Left),
        ("Context", Edge::Left),
        ("Admin", Edge::Left),
        ("Link", Edge::Left),
        ("Speed", Edge::Left),
        ("MTU", Edge::Right),
        ("MAC Address", Edge::Left),
        ("Description", Edge::Left),
    ];
    let row = |interface: &Interface| {
        let dash = || "-".to_owned();
        let (admin, link) = match interface.state {
            LinkState::Absent => ("-", "Absent"),
            LinkState::Down => ("Down", "Down"),
            LinkState::NoCarrier => ("Up", "Down"),
            LinkState::Up => ("Up", "Up"),
        };
        vec![
            interface.name.clone(),
            interface.context.clone(),
            admin.to_owned(),
            link.to_owned(),
            interface.speed.clone().unwrap_or_else(dash),
            interface.mtu.map_or_else(dash, |mtu| mtu.to_string()),
            interface.mac.clone().unwrap_or_else(dash),
            interface.description.clone().unwrap_or_else(dash),
        ]
    };
    lines(&header, all, row)
}

/// Counters alone.
pub fn counters(all: &[Interface]) -> String {
    let header = [
        ("Port", Edge::Left),
        ("RxOctets", Edge::Right),
        ("RxPackets", Edge::Right),
        ("RxErrors", Edge::Right),
        ("RxDropped", Edge::Right),
        ("TxOctets", Edge::Right),
        ("TxPackets", Edge::Right),
        ("TxErrors", Edge::Right),
        ("TxDropped", Edge::Right),
    ];
    let row = |interface: &Interface| {
        let numbers = [interface.received, interface.sent]
            .into_iter()
            .flat_map(|way| [way.octets, way.packets, way.errors, way.dropped]);
        std::iter::once(interface.name.clone()).chain(numbers.map(|number| number.to_string())).collect()
    };
    lines(&header, all, row)
}

fn lines(header: &[(&str, Edge)], all: &[Interface], row: impl Fn(&Interface) -> Vec<String>) -> String {
    if all.is_empty() {
        return NONE.into();
    }
    table(header, &all.iter().map(row).collect::<Vec<_>>())
}

/// What is wanted and what is, where that differs.
fn state(interface: &Interface) -> String {
    let said = match (interface.state, interface.shutdown) {
        (LinkState::Absent, _) => "Absent: this machine has no such link",
        (LinkState::Down, true) => "Down: shutdown",
        (LinkState::Down, false) => "Down: set down by somebody else; a reload sets it up",
        (LinkState::NoCarrier, false) => "Down: no carrier",
        (LinkState::Up, false) => "Up",
        (LinkState::NoCarrier | LinkState::Up, true) => "Up, in spite of shutdown; a reload sets it down",
    };
    said.to_owned()
}

fn address(found: &InterfaceAddress) -> String {
    let mark = match (found.configured, found.present) {
        (true, true) => "",
        (true, false) => " (missing; a reload gives it)",
        (false, _) => " (not of the configuration)",
    };
    format!("{}{mark}", found.address)
}

fn counted(counts: InterfaceCounts) -> String {
    let InterfaceCounts { octets, packets, errors, dropped } = counts;
    format!("{octets} octets, {packets} packets, {errors} errors, {dropped} dropped")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eth0() -> Interface {
        let own = |address: &str, configured, present| InterfaceAddress {
            address: address.into(),
            configured,
            present,
        };
        let counts = |octets| InterfaceCounts { octets, packets: 2, errors: 0, dropped: 1 };
        Interface {
            context: "srp".into(),
            name: "eth0".into(),
            shutdown: false,
            state: LinkState::Up,
            description: Some("to west".into()),
            mac: Some("52:54:00:5e:01:00".into()),
            mtu: Some(1500),
            speed: Some("1000 full".into()),
            addresses: vec![own("192.0.2.1/30", true, true), own("fe80::1/64", false, true)],
            received: counts(100),
            sent: counts(90),
        }
    }

    #[test]
    fn show_ip_interface_has_the_kernels_state_and_what_is_not_as_configured() {
        let mut second =
            Interface { name: "eth1".into(), state: LinkState::NoCarrier, speed: None, ..eth0() };
        second.addresses =
            vec![InterfaceAddress { address: "10.1.1.1/30".into(), configured: true, present: false }];
        let text = interfaces(&[eth0(), second.clone()]);
        for line in [
            "State:        Up\n",
            "Speed:        1000 full\n",
            "Received:     100 octets, 2 packets, 0 errors, 1 dropped\n",
            "IP Address:   192.0.2.1/30\n",
            "IP Address:   fe80::1/64 (not of the configuration)\n",
            "State:        Down: no carrier\n",
            "IP Address:   10.1.1.1/30 (missing; a reload gives it)\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let lines = summary(&[eth0(), second]);
        assert!(lines.lines().count() == 3 && lines.contains("eth1"), "{lines}");
        assert_eq!(interfaces(&[]), NONE);
    }

    #[test]
    fn a_link_that_this_machine_does_not_have_is_absent() {
        let absent = Interface {
            state: LinkState::Absent,
            description: None,
            mac: None,
            mtu: None,
            speed: None,
            addresses: Vec::new(),
            ..eth0()
        };
        let text = interfaces(std::slice::from_ref(&absent));
        assert!(text.contains("Absent: this machine has no such link") && !text.contains("MTU"), "{text}");
        assert!(ports(&[absent]).contains("Absent"));
    }

    #[test]
    fn show_port_has_a_line_each() {
        assert_eq!(
            ports(&[eth0()]).lines().nth(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")),
            Some("eth0 srp Up Up 1000 full 1500 52:54:00:5e:01:00 to west".to_owned())
        );
        let line = counters(&[eth0()]).lines().nth(1).map(str::to_owned).unwrap_or_default();
        let numbers: Vec<_> = line.split_whitespace().collect();
        assert_eq!(numbers, ["eth0", "100", "2", "0", "1", "90", "2", "0", "1"]);
    }
}

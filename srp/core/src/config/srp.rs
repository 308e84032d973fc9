//! `[srp]`: the pair.

use std::path::Path;

use super::across::Ledger;
use super::fault::Fault;
use super::kind::{Address, Choice, Duration, FilePath, Flag, Integer, MacAddress, Name};
use super::model::{MonitorBgp, Security, SrpConfig};
use super::reader::{Found, Reported, Section};
use super::DEFAULT_PORT;
use crate::types::{ChassisMode, Priority, Span};

const MODES: Choice<ChassisMode> =
    Choice(&[("primary", ChassisMode::Primary), ("backup", ChassisMode::Backup)]);

pub(super) fn read(s: &Section<'_, '_>, base: &Path, ledger: &mut Ledger) -> Result<SrpConfig, Reported> {
    let span = |min, max| Duration { min, max };
    let context = s.or("context", &Name, "srp".into());
    let chassis_mode = s.or("chassis-mode", &MODES, ChassisMode::Backup);
    let priority = s.or("priority", &Integer::<u8>::new(1, 255), Priority::default().0);
    let bind = s.required("bind-address", &Address);
    let peer = s.required("peer-ip-address", &Address);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), DEFAULT_PORT);
    let hello = s.or("hello-interval", &span(Span::millis(10), Span::secs(60)), Span::millis(100));
    let dead = s.or("dead-interval", &span(Span::millis(30), Span::secs(300)), Span::millis(300));
    let delay = s.or("delay-interval", &span(Span::ZERO, Span::secs(3_600)), Span::ZERO);
    let comparison =
        s.or("configuration-interval", &span(Span::secs(1), Span::secs(65_535)), Span::secs(3_600));
    let threshold = s.or("route-modifier-threshold", &Integer::<u16>::new(2, 32), 16);
    let in_standby = s.or("advertise-routes-in-standby-state", &Flag, false);
    let drain = s.or("drain-interval", &span(Span::ZERO, Span::secs(60)), Span::secs(2));
    let timeout = s.or("switchover-timeout", &span(Span::millis(100), Span::secs(60)), Span::secs(5));
    let mac = s.optional("mac", &MacAddress);
    let security = read_security(s, base);
    let monitor_bgp = read_monitors(s, ledger);

    let ends = check_ends(s, bind, peer, ledger);
    let timers = check_timers(s, hello, dead);
    if let Ok(port) = &port {
        ledger.link_port = Some(port.at.clone());
        ledger.link_port_number = port.value;
    }

    let (bind_address, peer_address) = ends?;
    let (hello_interval, dead_interval) = timers?;
    Ok(SrpConfig {
        context: context?.value,
        chassis_mode: chassis_mode?.value,
        priority: Priority(priority?.value),
        bind_address,
        peer_address,
        port: port?.value,
        hello_interval,
        dead_interval,
        delay_interval: delay?.value,
        configuration_interval: comparison?.value,
        route_modifier_threshold: threshold?.value,
        advertise_routes_in_standby_state: in_standby?.value,
        drain_interval: drain?.value,
        switchover_timeout: timeout?.value,
        mac: mac?.map(|mac| mac.value),
        security: security?,
        monitor_bgp: monitor_bgp?,
    })
}

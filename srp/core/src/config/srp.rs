//! `[srp]`: the pair.

use std::net::IpAddr;
use std::path::Path;

use super::DEFAULT_PORT;
use super::across::{Ledger, is_link_local};
use super::bfd;
use super::dscp::Dscp;
use super::fault::Fault;
use super::guard;
use super::kind::{Address, Choice, Duration, FilePath, Flag, Integer, MacAddress, Name};
use super::model::{MonitorBgp, Security, SrpConfig};
use super::probe::{self, AuthProbeConfig, DiameterConfig};
use super::reader::{Found, Reported, Section};
use super::watched::{self, MonitorBfd, MonitorInterface};
use crate::chassis::Retry;
use crate::types::{ChassisMode, Priority, Span};

const MODES: Choice<ChassisMode> =
    Choice(&[("primary", ChassisMode::Primary), ("backup", ChassisMode::Backup)]);

const DSCPS: Choice<Dscp> = Choice(&Dscp::ALL);

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
    let delta = s.or("delta-route-modifier", &Integer::<u16>::new(1, 31), 1);
    let in_standby = s.or("advertise-routes-in-standby-state", &Flag, false);
    let drain = s.or("drain-interval", &span(Span::ZERO, Span::secs(60)), Span::secs(2));
    let timeout = s.or("switchover-timeout", &span(Span::millis(100), Span::secs(60)), Span::secs(5));
    let retry = Retry::default();
    let retries = s.or("num-internal-switchover-retry", &Integer::<u32>::new(0, 65_535), retry.attempts);
    let retry_interval =
        s.or("internal-switchover-retry-interval", &span(Span::secs(1), Span::secs(3_600)), retry.interval);
    let guard_timers = guard::read(s);
    let mac = s.optional("mac", &MacAddress);
    let dscp = s.or("dscp-control", &DSCPS, Dscp::default());
    let security = read_security(s, base);
    let monitors = read_monitors(s, base, ledger);
    let sessions = bfd::read_peers(s, ledger);
    let ignore = bfd::read_ignore(s, sessions.as_deref().map_err(|reported| *reported));

    let ends = check_ends(s, bind, peer, ledger);
    if let (Ok(hello), Ok(dead)) = (&hello, &dead) {
        ledger.timers = Some((hello.clone(), dead.clone()));
    }
    if let (Ok(threshold), Ok(delta)) = (&threshold, &delta) {
        ledger.modifiers = Some((threshold.clone(), delta.clone()));
    }
    ledger.link_port = port.clone().ok();
    ledger.redundancy_context = context.clone().ok();
    ledger.advertise_in_standby = in_standby.as_ref().ok().filter(|on| on.value).map(|on| on.at.clone());

    let (bind_address, peer_address) = ends?;
    let monitors = monitors?;
    Ok(SrpConfig {
        context: context?.value,
        chassis_mode: chassis_mode?.value,
        priority: Priority(priority?.value),
        bind_address,
        peer_address,
        port: port?.value,
        hello_interval: hello?.value,
        dead_interval: dead?.value,
        delay_interval: delay?.value,
        configuration_interval: comparison?.value,
        route_modifier_threshold: threshold?.value,
        delta_route_modifier: delta?.value,
        advertise_routes_in_standby_state: in_standby?.value,
        drain_interval: drain?.value,
        switchover_timeout: timeout?.value,
        mac: mac?.map(|mac| mac.value),
        dscp_control: dscp?.value,
        security: security?,
        monitor_bgp: monitors.bgp,
        monitor_bfd: monitors.bfd,
        monitor_interface: monitors.interfaces,
        guard_timers: guard_timers?,
        switchover_retry: Retry { attempts: retries?.value, interval: retry_interval?.value },
        auth_probe: monitors.auth_probe,
        monitor_diameter: monitors.diameter,
        bfd: sessions?,
        bfd_mon_ignore_dead_interval: ignore?,
    })
}

/// Both ends in one family, each usable without naming an interface, and not the same.
fn check_ends(
    s: &Section<'_, '_>,
    bind: Result<Found<IpAddr>, Reported>,
    peer: Result<Found<IpAddr>, Reported>,
    ledger: &mut Ledger,
) -> Result<(IpAddr, IpAddr), Reported> {
    for end in [&bind, &peer].into_iter().flatten() {
        if is_link_local(end.value) {
            s.report(&end.at, Fault::LinkLocalEnd);
        }
    }
    ledger.bind_address = bind.clone().ok();
    ledger.peer_address = peer.clone().ok();
    let (bind, peer) = (bind?, peer?);
    if bind.value == peer.value {
        return Err(s.report(&peer.at, Fault::SameEnds { other: bind.at }));
    }
    if bind.value.is_ipv4() != peer.value.is_ipv4() {
        return Err(s.report(&peer.at, Fault::FamiliesDiffer { other: bind.at }));
    }
    Ok((bind.value, peer.value))
}

/// `[srp.tls]` or `plaintext = true`: one of the two is said, never silently chosen.
fn read_security(s: &Section<'_, '_>, base: &Path) -> Result<Security, Reported> {
    let plaintext = s.or("plaintext", &Flag, false);
    let tls = s.table("tls")?;
    let tls_at = tls.as_ref().map(|tls| tls.place().clone());
    let tls = tls.map(|tls| tls.read(|tls| read_tls(tls, base)));
    let plaintext = plaintext?;
    match (tls, tls_at) {
        (Some(_), Some(tls)) if plaintext.value => {
            Err(s.report(&plaintext.at, Fault::TwoProtections { tls }))
        }
        (Some(tls), _) => tls,
        (None, _) if plaintext.value => Ok(Security::Plaintext),
        (None, _) => Err(s.report(&s.place_of_absent("tls"), Fault::NoProtection)),
    }
}

fn read_tls(s: &Section<'_, '_>, base: &Path) -> Result<Security, Reported> {
    let path = FilePath { base };
    let key = s.required("key", &path);
    let certificate = s.required("certificate", &path);
    let peer_certificate = s.required("peer-certificate", &path);
    let (key, certificate, peer_certificate) = (key?, certificate?, peer_certificate?);
    for (other, path) in [(&key, &certificate), (&key, &peer_certificate), (&certificate, &peer_certificate)]
    {
        if other.value == path.value {
            return Err(s.report(&path.at, Fault::SameFile { other: other.at.clone() }));
        }
    }
    Ok(Security::Tls {
        key: key.value,
        certificate: certificate.value,
        peer_certificate: peer_certificate.value,
    })
}

/// Everything under `[srp.monitor]`.
#[derive(Default)]
struct Monitors {
    bgp: Vec<MonitorBgp>,
    bfd: Vec<MonitorBfd>,
    interfaces: Vec<MonitorInterface>,
    auth_probe: Option<AuthProbeConfig>,
    diameter: Vec<DiameterConfig>,
}

/// `[srp.monitor]` with its tables; whether contexts and neighbours exist is checked across sections.
fn read_monitors(s: &Section<'_, '_>, base: &Path, ledger: &mut Ledger) -> Result<Monitors, Reported> {
    let Some(monitor) = s.table("monitor")? else { return Ok(Monitors::default()) };
    monitor.read(|monitor| {
        let bgp = monitor.tables("bgp", "address").and_then(|monitors| {
            let monitors: Vec<_> =
                monitors.into_iter().map(|bgp| bgp.read(|bgp| read_monitor(bgp, ledger))).collect();
            monitors.into_iter().collect()
        });
        let bfd = watched::read_bfd(monitor, ledger);
        let interfaces = watched::read_interfaces(monitor);
        let auth_probe = probe::read_auth(monitor, base, ledger);
        let diameter = probe::read_diameter(monitor, ledger);
        Ok(Monitors {
            bgp: bgp?,
            bfd: bfd?,
            interfaces: interfaces?,
            auth_probe: auth_probe?,
            diameter: diameter?,
        })
    })
}

fn read_monitor(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<MonitorBgp, Reported> {
    let context = s.required("context", &Name);
    let address = s.required("address", &Address);
    let group = s.optional("group", &Integer::<u32>::new(1, 65_535));
    let (context, address) = (context?, address?);
    let monitor =
        MonitorBgp { context: context.value.clone(), address: address.value, group: group?.map(|g| g.value) };
    ledger.monitors.push((context, address));
    Ok(monitor)
}

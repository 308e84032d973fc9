//! The running configuration, printed and read again, is the same configuration.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnetwork::IpNetwork;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{FULL, parse};
use crate::chassis::{Guard, GuardTimers, Retry};
use crate::config::*;
use crate::events::{Name, Severity};
use crate::types::{ChassisMode, Mac, Priority, Span};

proptest! {
    #[test]
    fn reading_undoes_printing(config in any_config()) {
        prop_assert_eq!(super::read(&config.to_toml()), Ok(config));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(\\[\\[?[a-z.]{0,12}\\]?\\]?|[a-z-]{1,9} = [\"a-z0-9.:/\\[\\]{}']{0,12}|\\PC{0,20}|\n){0,12}") {
        let _ = super::read(&text);
    }

    #[test]
    fn no_cut_of_a_right_file_makes_the_reader_panic(from in 0..FULL.len(), to in 0..FULL.len()) {
        let _ = super::read(&format!("{}{}", &FULL[..from], &FULL[to..]));
    }
}

#[test]
fn the_full_example_survives_too() {
    let config = parse(FULL);
    assert_eq!(parse(&config.to_toml()), config);
}

fn any_config() -> impl Strategy<Value = Config> {
    let metrics = option::of((any::<bool>(), 1_u16..));
    let bulk = option::of((any_path(), 1_u64..86_400, 1_u16..10_000, any::<bool>()));
    let record = option::of((any_path(), 64_u64..1 << 24));
    let host = (any_path(), option::of("[a-z]{1,8}"), any_level(), any::<bool>(), 1_u32.., record);
    (any_srp(), host, (any_outlets(), metrics, bulk), vec(any_context(), 0..3)).prop_map(
        |(srp, (socket, group, level, json, metric, record), (outlets, metrics, bulk), mut contexts)| {
            // Names and tables of their own keep the contexts out of each other's way.
            for (table, context) in (300..).zip(&mut contexts) {
                context.name = format!("{}{table}", context.name);
                context.table = ContextTable::Number(table);
                if table == 301 {
                    context.table = ContextTable::Vrf("blue".into());
                    context.loopbacks.iter_mut().for_each(|loopback| {
                        if loopback.interface == "lo" {
                            loopback.interface = "blue".into();
                        }
                    });
                }
                for (number, interface) in (1..).zip(&mut context.interfaces) {
                    interface.name = format!("{}-{table}", interface.name);
                    let subnet = u8::try_from(table - 300).expect("few contexts");
                    let hosts = [false, true].map(|v6| numbered(v6, 20 + subnet, number).ip());
                    interface.addresses = hosts.map(IpNetwork::from).to_vec();
                }
                // Addresses repeat from context to context, and a path has one BFD session whichever asks for it.
                let neighbors = context.bgp.iter_mut().flat_map(|bgp| &mut bgp.neighbors);
                neighbors.filter(|_| table > 300).for_each(|neighbor| neighbor.bfd = None);
                // So do ports; our ends of the sessions tell the neighbours apart.
                if let Some(bgp) = &mut context.bgp {
                    bgp.port = 2_000 + u16::try_from(table).expect("few contexts");
                    bgp.ranges.iter_mut().for_each(|range| range.session.port = bgp.port);
                    let last = u8::try_from(table - 300).expect("few contexts");
                    for neighbor in &mut bgp.neighbors {
                        let local = numbered(is_v6(neighbor), 11, last).ip();
                        neighbor.local_address = Some(local);
                        if bgp.multipath > 1 && !bgp.listen.contains(&local) {
                            bgp.listen.push(local);
                        }
                    }
                    for range in &mut bgp.ranges {
                        range.session.local_address = None;
                    }
                }
                // A Standby that announces has no layer-2 addresses.
                let may_have = !srp.advertise_routes_in_standby_state;
                context.loopbacks.iter_mut().for_each(|loopback| loopback.layer_2 &= may_have);
            }
            Config {
                srp,
                control: ControlConfig { socket, group },
                log: LogConfig { level, format: if json { LogFormat::Json } else { LogFormat::Text } },
                kernel: KernelConfig {
                    protocol: 85,
                    metric,
                    learned_metric: if metric == 83 { 84 } else { 83 },
                },
                record: record.map(|(file, kib)| RecordConfig { file, max_size: Octets::kib(kib) }),
                metrics: metrics.map(|(v6, port)| MetricsConfig { address: numbered(v6, 23, 1).ip(), port }),
                bulk_statistics: bulk.map(|(folder, seconds, keep, gather_on_standby)| BulkConfig {
                    folder,
                    interval: Span::secs(seconds),
                    keep,
                    gather_on_standby,
                }),
                outlets,
                contexts,
            }
        },
    )
}

fn any_outlets() -> impl Strategy<Value = OutletConfig> {
    let engine = option::of(vec(1_u8..255, 5..=32).prop_map(EngineId));
    let v2c = any_path().prop_map(|community_file| SnmpSecurity::V2c { community_file });
    let auth = (prop_oneof![Just(SnmpAuth::Sha1), Just(SnmpAuth::Sha256)], any_path());
    let v3 = ("[a-z]{1,9}", option::of((auth, option::of(any_path())))).prop_map(|(user, proof)| {
        let (auth, privacy_file) = proof.map_or((None, None), |(auth, privacy)| (Some(auth), privacy));
        SnmpSecurity::V3 { user, auth, privacy_file }
    });
    let inform = option::of((0_u8..=10, 100_u64..=60_000))
        .prop_map(|inform| inform.map(|(retries, ms)| Inform { retries, timeout: Span::millis(ms) }));
    let snmp = vec((1_u16.., prop_oneof![v2c, v3], inform, any::<bool>(), any_filter()), 0..3);
    let syslog = vec((1_u16.., any::<bool>(), 16_u8..24, any::<bool>(), any_filter()), 0..3);
    (engine, snmp, syslog).prop_map(|(engine_id, snmp, syslog)| {
        let number = |index: usize| u8::try_from(index + 1).expect("few");
        let target = |(index, (port, security, inform, v6, filter))| SnmpTarget {
            address: numbered(v6, 20, number(index)).ip(),
            port,
            security,
            inform,
            source_address: Some(numbered(v6, 21, 1).ip()),
            filter,
        };
        let collector = |(index, (port, tcp, facility, v6, filter))| SyslogTarget {
            address: numbered(v6, 22, number(index)).ip(),
            port,
            transport: if tcp { SyslogTransport::Tcp } else { SyslogTransport::Udp },
            facility,
            source_address: None,
            filter,
        };
        OutletConfig {
            engine_id,
            snmp: snmp.into_iter().enumerate().map(target).collect(),
            syslog: syslog.into_iter().enumerate().map(collector).collect(),
        }
    })
}

fn any_filter() -> impl Strategy<Value = EventFilter> {
    let severity = select(Severity::WORDS).prop_map(|(_, severity)| severity);
    (severity, vec(select(Name::ALL), 0..3)).prop_map(|(severity, names)| EventFilter { severity, names })
}

fn any_srp() -> impl Strategy<Value = SrpConfig> {
    let who = (any::<bool>(), 1_u8.., option::of(any::<[u8; 5]>()), "[a-z][a-z0-9._-]{0,9}");
    let timers = (10_000_u64..60_000_000, 3_u64..5, 0_u64..3_600_000_000, 1_u64..65_535);
    let link = (any::<bool>(), 1_u16.., option::of((any_path(), any_path(), any_path())));
    (who, timers, link, (2_u16..=32, 1_u16..=31), (any::<bool>(), vec(any_bfd(), 0..3))).prop_map(
        |(
            (primary, priority, mac, context),
            (hello, times, delay, hour),
            (v6, port, files),
            (threshold, delta),
            (standby, mut bfd),
        )| {
            for (number, session) in (1..).zip(&mut bfd) {
                session.peer_address = numbered(session.peer_address.is_ipv6(), 9, number).ip();
            }
            let end = |last: u8| {
                if v6 {
                    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()))
                } else {
                    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
                }
            };
            SrpConfig {
                context,
                chassis_mode: if primary { ChassisMode::Primary } else { ChassisMode::Backup },
                priority: Priority(priority),
                bind_address: end(1),
                peer_address: end(2),
                port: if port == 179 { 1179 } else { port },
                hello_interval: Span(hello),
                dead_interval: Span(hello * times).max(Span::millis(30)),
                delay_interval: Span(delay),
                configuration_interval: Span::secs(hour),
                route_modifier_threshold: threshold,
                delta_route_modifier: delta.min(threshold - 1),
                advertise_routes_in_standby_state: standby,
                drain_interval: Span(delay % 60_000_000),
                switchover_timeout: Span(100_000 + delay % 59_000_000),
                dscp_control: Dscp::ALL[usize::from(priority) % Dscp::ALL.len()].1,
                mac: mac.map(|[b, c, d, e, f]| Mac([2, b, c, d, e, f])),
                security: match files {
                    // The three files must differ.
                    Some((a, b, c)) => Security::Tls {
                        key: a.join("1"),
                        certificate: b.join("2"),
                        peer_certificate: c.join("3"),
                    },
                    None => Security::Plaintext,
                },
                monitor_bgp: Vec::new(),
                monitor_bfd: Vec::new(),
                monitor_interface: vec![MonitorInterface { name: "eth1".into(), group: mac.map(|_| 7) }],
                guard_timers: GuardTimers {
                    aaa_switchover: Guard { damping: Span(delay % 1_000_000), period: Span(delay) },
                    ..GuardTimers::default()
                },
                switchover_retry: Retry {
                    attempts: u32::from(threshold),
                    interval: Span::secs(1 + u64::from(delta)),
                },
                auth_probe: None,
                monitor_diameter: Vec::new(),
                bfd_mon_ignore_dead_interval: standby && !bfd.is_empty(),
                bfd,
            }
        },
    )
}

fn any_bfd() -> impl Strategy<Value = BfdConfig> {
    (any::<bool>(), any::<bool>(), any_bfd_timers()).prop_map(|(v6, named, timers)| BfdConfig {
        peer_address: numbered(v6, 9, 0).ip(),
        local_address: numbered(v6, 8, 0).ip(),
        interface: named.then(|| "eth0".into()),
        timers,
    })
}

fn any_bfd_timers() -> impl Strategy<Value = BfdTimers> {
    (10_000_u64..=10_000_000, 2_u8..=50, option::of(1_u8..))
        .prop_map(|(us, multiplier, multihop)| BfdTimers { interval: Span(us), multiplier, multihop })
}

fn any_context() -> impl Strategy<Value = ContextConfig> {
    let prefixes = vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..5);
    let interfaces = vec((option::of(1280_u16..), 0_u8..4, any::<bool>(), option::of("[ -~]{1,9}")), 0..3);
    ("[a-z]{1,6}", interfaces, prefixes.clone(), prefixes, option::of(any_bgp())).prop_map(
        |(name, interfaces, loopbacks, pools, bgp)| ContextConfig {
            name,
            table: ContextTable::MAIN,
            interfaces: interfaces.into_iter().enumerate().map(interface).collect(),
            loopbacks: (1..)
                .zip(loopbacks)
                .map(|(number, (v6, lo, srp_activate))| LoopbackConfig {
                    name: format!("l{number}"),
                    address: numbered(v6, 203, number).ip().into(),
                    interface: if lo { "lo" } else { "dummy-0.1" }.into(),
                    srp_activate,
                    layer_2: srp_activate && !lo,
                })
                .collect(),
            pools: (1..)
                .zip(pools)
                .map(|(number, (v6, unreachable, srp_activate))| PoolConfig {
                    action: if unreachable { Action::Unreachable } else { Action::Blackhole },
                    srp_activate,
                    kind: match number % 3 {
                        0 => PoolKind::Static,
                        1 => PoolKind::Private(number),
                        _ => PoolKind::Public(number),
                    },
                    group_name: v6.then(|| format!("g{number}")),
                    address_hold_timer: Span::secs(u64::from(number)),
                    address_quarantine_timer: unreachable.then_some(Span::secs(20)),
                    busyout: v6 && srp_activate,
                    ..PoolConfig::new(format!("p{number}"), numbered(v6, 172, number))
                })
                .collect(),
            bgp,
        },
    )
}

/// Its names and addresses are its number's; what tells contexts apart is added where they are put together.
fn interface(
    (number, (mtu, speed, shutdown, description)): (usize, (Option<u16>, u8, bool, Option<String>)),
) -> InterfaceConfig {
    let duplex = if shutdown { Duplex::Half } else { Duplex::Full };
    InterfaceConfig {
        name: format!("p{number}"),
        addresses: Vec::new(),
        mtu,
        speed: match speed {
            0 => None,
            1 => Some(LinkSpeed::Auto),
            _ => Some(LinkSpeed::Fixed { megabits: 10 * 10_u32.pow(u32::from(speed) - 1), duplex }),
        },
        shutdown,
        description,
    }
}

fn any_bgp() -> impl Strategy<Value = BgpConfig> {
    let numbers = (1_u32..23_456, 23_457_u32..u32::MAX, 1_u32.., 5_000_u16..);
    (numbers, vec(any_neighbor(), 0..4), 0_u8..4).prop_map(|((a, b, id, port), mut neighbors, networks)| {
        for (number, neighbor) in (1..).zip(&mut neighbors) {
            neighbor.group = (networks > 1 && number % 2 == 1).then(|| "g2".into());
            neighbor.address = Some(numbered(is_v6(neighbor), 10, number).ip());
            neighbor.remote_as = if number % 2 == 0 { a } else { b };
        }
        BgpConfig {
            local_as: a,
            router_id: Ipv4Addr::from(id),
            port,
            listen: Vec::new(),
            multipath: 1 + networks,
            multipath_relax: networks > 1,
            mrt: (networks > 0).then(|| MrtConfig {
                file: format!("/var/log/{a}.mrt").into(),
                max_size: Octets::mib(u64::from(networks)),
                keep: networks,
            }),
            bmp: (0..networks)
                .map(|number| BmpConfig {
                    address: numbered(number % 2 == 0, 198, number).ip(),
                    port,
                    statistics_interval: Span::secs(1 + u64::from(number)),
                })
                .collect(),
            groups: (1..=networks).map(|number| GroupConfig { name: format!("g{number}") }).collect(),
            ranges: neighbors
                .iter()
                .take(usize::from(networks % 2))
                .map(|like| any_range(like, port))
                .collect(),
            restart: RestartConfig {
                mode: if port % 2 == 0 { RestartMode::On } else { RestartMode::Aware },
                time: Span::secs(u64::from(port) % 4_096),
                over_notification: networks > 2,
                long_lived: Span::secs(if port % 2 == 0 { u64::from(id >> 8) } else { 0 }),
            },
            graceful_shutdown: Span::secs(u64::from(networks)),
            neighbors,
            networks: (1..=networks)
                .map(|number| NetworkConfig { prefix: numbered(number % 2 == 0, 198, number) })
                .collect(),
        }
    })
}

fn is_v6(neighbor: &NeighborConfig) -> bool {
    neighbor.address.is_some_and(|address| address.is_ipv6())
}

/// A range with what a neighbour has, as far as ranges have it.
fn any_range(like: &NeighborConfig, port: u16) -> RangeConfig {
    let session = NeighborConfig {
        address: Some(numbered(is_v6(like), 13, 0).ip()),
        port,
        passive: true,
        bfd: None,
        ..like.clone()
    };
    RangeConfig {
        prefix: numbered(is_v6(like), 13, 0),
        limit: 1 + u16::from(like.allow_own_as),
        alternate_as: if like.passive { vec![64_999, 64_998] } else { Vec::new() },
        session,
    }
}

fn any_neighbor() -> impl Strategy<Value = NeighborConfig> {
    let session = (any::<bool>(), 1_u16.., prop_oneof![Just(0_u64), 3..=65_535_u64], any::<bool>());
    (session, any::<bool>(), vec(any_rule(), 0..4), option::of(any_bfd_timers())).prop_map(
        |((v6, port, hold, passive), both, mut import, bfd)| {
            let (ipv4, ipv6) = (both || !v6, both || v6);
            import.retain(|rule| rule.prefix.is_none_or(|prefix| if prefix.is_ipv4() { ipv4 } else { ipv6 }));
            let mut kept: Vec<PolicyRule> = Vec::new();
            for rule in import {
                if !kept.iter().any(|earlier| earlier.hides(&rule)) {
                    kept.push(rule);
                }
            }
            let export = kept
                .iter()
                .filter(|rule| rule.path_length.is_none() && rule.from_as.is_empty() && rule.via.is_empty())
                .cloned()
                .map(|rule| PolicyRule { prepend: (!rule.reject).then_some(2), ..rule })
                .collect();
            NeighborConfig {
                address: Some(numbered(v6, 10, 0).ip()),
                interface: None,
                group: None,
                remote_as: 1,
                local_address: passive.then(|| numbered(v6, 11, 1).ip()),
                port,
                local_as: both.then_some(7),
                multihop: v6.then_some(3),
                ttl_security: both,
                md5_key_file: passive.then(|| "/run/bgp.key".into()),
                ao_key_file: (!passive && v6).then(|| "/run/bgp.keys".into()),
                hold_time: Span::secs(hold),
                send_hold_time: both.then_some(Span::secs(20)),
                delay_open: Span::secs(u64::from(port) % 240),
                passive,
                role: BgpRole::WORDS.get(usize::from(port) % 7).map(|(_, role)| *role),
                role_strict: v6,
                ipv4,
                ipv6,
                next_hop_ipv4: (both && v6).then_some(Ipv4Addr::new(10, 0, 0, 1)),
                next_hop_ipv6: (both && !v6).then_some(Ipv6Addr::LOCALHOST),
                import: kept,
                export,
                prepends: if both { vec![0, 2, 3 + u8::from(passive)] } else { Vec::new() },
                allow_own_as: u8::from(passive) * 3,
                extended_next_hop: ipv4 && passive,
                add_path: AddPath::WORDS.get(usize::from(port) % 5).map(|(_, way)| *way),
                limits: PrefixLimits {
                    most: passive.then_some(u32::from(port)),
                    most_ipv6: both.then_some(1),
                    warning: if v6 { 100 } else { 75 },
                    action: if both { LimitAction::End } else { LimitAction::Warn },
                    restart: both.then_some(Span::secs(hold.max(1))),
                    out: v6.then_some(9),
                },
                bfd: bfd.filter(|_| passive),
            }
        },
    )
}

fn any_rule() -> impl Strategy<Value = PolicyRule> {
    let prefix = option::of((any::<bool>(), 1_u8.., 0_u8..=8, 0_u8..=8));
    let community = prop_oneof![
        any::<u32>().prop_map(Community::Standard),
        Just(Community::Standard(0xffff_ff01)),
        any::<[u32; 3]>().prop_map(Community::Large),
    ];
    let communities = vec(vec(community, 0..3), 3);
    let path = (option::of((0_u32..9, 0_u32..9)), vec(1_u32.., 0..3), vec(1_u8.., 0..2));
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>()));
    (any::<bool>(), prefix, communities, path, numbers).prop_map(
        |(reject, prefix, mut communities, (length, from_as, via), (preference, med, next_hop))| {
            let mut rule = PolicyRule {
                reject,
                communities: communities.pop().unwrap_or_default(),
                path_length: length.map(|(least, more)| (least, least + more)),
                from_as,
                via: via.into_iter().map(|number| numbered(false, 12, number)).collect(),
                ..PolicyRule::default()
            };
            if let Some((v6, number, more, most)) = prefix {
                let prefix = numbered(v6, 10, number);
                let ge = prefix.prefix() + more;
                (rule.prefix, rule.ge, rule.le) = (Some(prefix), ge, ge + most);
            }
            if !reject {
                (rule.preference, rule.med) = (preference, med);
                rule.next_hop = next_hop.map(|address| Ipv4Addr::from(address).into());
                rule.add = communities.pop().unwrap_or_default();
                rule.remove = communities.pop().unwrap_or_default();
            }
            rule
        },
    )
}

fn any_level() -> impl Strategy<Value = String> {
    prop_oneof![Just("error"), Just("warn"), Just("info"), Just("debug"), Just("trace")].prop_map(Into::into)
}

/// Paths with what a shell or TOML might stumble over.
fn any_path() -> impl Strategy<Value = PathBuf> {
    "/[a-z \"'\\\\\t\u{e4}]{1,12}".prop_map(PathBuf::from)
}

/// A prefix for each number: `10.7.0.0/16`, `2001:db8:a07::/48`.
fn numbered(v6: bool, first: u8, number: u8) -> IpNetwork {
    let text =
        if v6 { format!("2001:db8:{first:x}{number:02x}::/48") } else { format!("{first}.{number}.0.0/16") };
    text.parse().expect("a prefix")
}

//! What a checked configuration holds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use ipnetwork::IpNetwork;

use super::add_path::AddPath;
use super::dscp::Dscp;
use super::group::GroupConfig;
use super::interface::InterfaceConfig;
use super::kind::word;
use super::limits::PrefixLimits;
use super::measure::{BulkConfig, MetricsConfig};
use super::onlooker::{BmpConfig, MrtConfig};
use super::outlet::OutletConfig;
use super::pool::PoolConfig;
use super::probe::{AuthProbeConfig, DiameterConfig};
use super::range::RangeConfig;
use super::restart::RestartConfig;
use super::table::ContextTable;
use super::watched::{MonitorBfd, MonitorInterface};
use crate::chassis::{GuardTimers, Retry};
use crate::types::{ChassisMode, Mac, Priority, Span};

/// One configuration file, checked as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[srp]`: the pair.
    pub srp: SrpConfig,
    /// `[control]`: the socket of `srpctl`.
    pub control: ControlConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[kernel]`: how our kernel state is marked.
    pub kernel: KernelConfig,
    /// `[record]`: what the state machine is told and answers goes to a file.
    pub record: Option<RecordConfig>,
    /// `[snmp]` and `[[syslog]]`: who is told of events.
    pub outlets: OutletConfig,
    /// `[metrics]`: the Prometheus endpoint.
    pub metrics: Option<MetricsConfig>,
    /// `[bulk-statistics]`.
    pub bulk_statistics: Option<BulkConfig>,
    /// `[[context]]`, in configured order; names are unique.
    pub contexts: Vec<ContextConfig>,
}

/// The redundancy pair as this chassis sees it. Always: `dead_interval >= 3 x hello_interval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrpConfig {
    /// Name shown as "Context" by `show srp info`; default `srp`.
    pub context: String,
    /// Configured role; default backup.
    pub chassis_mode: ChassisMode,
    /// 1 ..= 255, lower wins; default 125.
    pub priority: Priority,
    /// Local end of the link; same family as `peer_address`, and not equal to it.
    pub bind_address: IpAddr,
    /// The other end of the link.
    pub peer_address: IpAddr,
    /// TCP port of the control connection on both chassis.
    pub port: u16,
    /// 10 ms ..= 60 s; default 100 ms.
    pub hello_interval: Span,
    /// At least three Hellos, at most 300 s; default 300 ms.
    pub dead_interval: Span,
    /// 0 ..= 3600 s; default 0: the first dead-interval starts this long after the configuration was loaded.
    pub delay_interval: Span,
    /// 1 ..= 65535 s; default 3600 s: how often configurations are compared again.
    pub configuration_interval: Span,
    /// 2 ..= 32; default 16.
    pub route_modifier_threshold: u16,
    /// 1 ..= 31, less than the threshold; default 1: how far the Standby's modifier is behind the Active's.
    pub delta_route_modifier: u16,
    /// Standby announces as well, with its longer path; default false.
    pub advertise_routes_in_standby_state: bool,
    /// 0 ..= 60 s; default 2 s: how long a chassis that stepped down keeps forwarding after its withdraw.
    pub drain_interval: Span,
    /// 100 ms ..= 60 s; default 5 s: a switchover that takes longer falls back.
    pub switchover_timeout: Span,
    /// Chassis MAC address, if the configuration names one; else that of the interface with `bind_address`.
    pub mac: Option<Mac>,
    /// DSCP of the control connection; default best effort (QOS-1).
    pub dscp_control: Dscp,
    /// How the link is protected.
    pub security: Security,
    /// `[[srp.monitor.bgp]]`.
    pub monitor_bgp: Vec<MonitorBgp>,
    /// `[[srp.monitor.bfd]]`.
    pub monitor_bfd: Vec<MonitorBfd>,
    /// `[[srp.monitor.interface]]`.
    pub monitor_interface: Vec<MonitorInterface>,
    /// `[srp.guard-timer]`; 60 s each by default.
    pub guard_timers: GuardTimers,
    /// `num-internal-switchover-retry`, `internal-switchover-retry-interval`.
    pub switchover_retry: Retry,
    /// `[srp.monitor.authentication-probe]`: AAA servers.
    pub auth_probe: Option<AuthProbeConfig>,
    /// `[[srp.monitor.diameter]]`: Diameter peers.
    pub monitor_diameter: Vec<DiameterConfig>,
    /// `[[srp.bfd]]`: sessions with the peer chassis.
    pub bfd: Vec<BfdConfig>,
    /// While one of them is Up the dead-interval alone takes over nothing; default false.
    pub bfd_mon_ignore_dead_interval: bool,
}

/// A BFD session with the peer chassis (RFC 5880).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BfdConfig {
    /// The peer's end.
    pub peer_address: IpAddr,
    /// Our end, in the same family.
    pub local_address: IpAddr,
    /// The only interface that packets leave by and come in by; always there for link-local addresses.
    pub interface: Option<String>,
    /// Timers and path.
    pub timers: BfdTimers,
}

/// How fast a BFD session detects, and over what path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdTimers {
    /// Between packets, each way: 10 ms ..= 10 s; default 50 ms.
    pub interval: Span,
    /// That many intervals without a packet end the session: 2 ..= 50; default 3.
    pub multiplier: u8,
    /// Over routers (RFC 5883), with this least TTL of received packets; `None`: over one link (RFC 5881).
    pub multihop: Option<u8>,
}

/// How the SRP link is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Mutual TLS 1.3 with the peer's certificate pinned (`[srp.tls]`). Paths are absolute or relative to the file.
    Tls {
        /// Private key, PEM.
        key: PathBuf,
        /// Our certificate, PEM.
        certificate: PathBuf,
        /// The only certificates that the peer may show, PEM; several while keys rotate.
        peer_certificate: PathBuf,
    },
    /// `plaintext = true`: no protection at all; logs and `show srp info` keep saying so.
    Plaintext,
}

/// A BGP neighbour whose state the pair watches (MON-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorBgp {
    /// Context of the neighbour.
    pub context: String,
    /// Address of the neighbour; configured in that context.
    pub address: IpAddr,
    /// Group, if any (MON-6).
    pub group: Option<u32>,
}

/// The control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlConfig {
    /// Path of the Unix socket; default `/run/srp/srpd.sock`.
    pub socket: PathBuf,
    /// Group that may use it (mode 0660); nobody but the owner (0600) if absent.
    pub group: Option<String>,
}

/// The log on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`; default `info`.
    pub level: String,
    /// One line of text or one JSON object a record.
    pub format: LogFormat,
}

/// Form of log records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; the default.
    #[default]
    Text,
    /// For collectors.
    Json,
}

/// How our objects are marked in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// Route and address protocol number, 5 ..= 255; default 83.
    pub protocol: u8,
    /// Metric of the routes of pools, 1 ..= `u32::MAX`; default 8: not shadowed by what other daemons install.
    pub metric: u32,
    /// Metric of learned BGP routes; another than `metric`, which tells the two apart; default 83.
    pub learned_metric: u32,
}

/// The record of the state machine, for replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordConfig {
    /// The file; an older half is beside it, with `.old` added to its name.
    pub file: PathBuf,
    /// Both halves together, 64 KiB ..= 16 GiB; default 16 MiB.
    pub max_size: Octets,
}

/// A size in octets. Prints in the largest unit that needs no fraction: `16MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(pub u64);

impl Octets {
    /// 1024 octets, so many times.
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// 1024 x 1024 octets, so many times.
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// 1024 x 1024 x 1024 octets, so many times.
    pub const fn gib(gib: u64) -> Self {
        Self(gib.saturating_mul(1 << 30))
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            octets if octets % (1 << 30) == 0 => write!(f, "{}GiB", octets >> 30),
            octets if octets % (1 << 20) == 0 => write!(f, "{}MiB", octets >> 20),
            octets if octets % (1 << 10) == 0 => write!(f, "{}KiB", octets >> 10),
            octets => write!(f, "{octets}B"),
        }
    }
}

/// One context: a routing domain with its loopbacks, pools and BGP instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextConfig {
    /// Unique name.
    pub name: String,
    /// Where its routes are, and its sockets.
    pub table: ContextTable,
    /// `[[context.interface]]`: links of this machine.
    pub interfaces: Vec<InterfaceConfig>,
    /// `[[context.loopback]]`.
    pub loopbacks: Vec<LoopbackConfig>,
    /// `[[context.pool]]`.
    pub pools: Vec<PoolConfig>,
    /// `[context.bgp]`.
    pub bgp: Option<BgpConfig>,
}

impl ContextConfig {
    /// The VRF that it is in; `None` for the main network.
    pub fn vrf(&self) -> Option<&str> {
        self.table.vrf()
    }
}

/// A service address on a loopback (POOL-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackConfig {
    /// Unique name within the context.
    pub name: String,
    /// Host address: /32 or /128.
    pub address: IpNetwork,
    /// Link that carries it: `lo` or the context's VRF (default), a dummy link, or with `layer_2` the link whose hosts reach it.
    pub interface: String,
    /// Installed and announced only by the Active; otherwise always.
    pub srp_activate: bool,
    /// It belongs to the subnet of `interface`, whose hosts find it by ARP or Neighbor Discovery (CH-16).
    pub layer_2: bool,
}

/// What the aggregate route of a pool does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// Drops in silence; the default.
    #[default]
    Blackhole,
    /// Answers with ICMP unreachable.
    Unreachable,
}

/// The BGP instance of a context (BGP-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpConfig {
    /// Own AS, 1 ..= 4294967294, not 23456.
    pub local_as: u32,
    /// BGP identifier; not 0.0.0.0.
    pub router_id: Ipv4Addr,
    /// Listen port, and the neighbours' default port; default 179.
    pub port: u16,
    /// Addresses to listen on; every address if empty.
    pub listen: Vec<IpAddr>,
    /// 1 ..= 64; default 1: how many equal paths to a prefix are used.
    pub multipath: u8,
    /// Equal paths need AS paths of one length only, not the same; default false.
    pub multipath_relax: bool,
    /// `[context.bgp.mrt]`: what neighbours say goes to a file.
    pub mrt: Option<MrtConfig>,
    /// `[[context.bgp.bmp]]`: monitoring stations.
    pub bmp: Vec<BmpConfig>,
    /// `[[context.bgp.group]]`; what neighbours have from them is in the neighbours.
    pub groups: Vec<GroupConfig>,
    /// Who keeps whose routes over a restart.
    pub restart: RestartConfig,
    /// How long srp-activated routes are announced as the last choice (RFC 8326) before a hand-over withdraws them, 0 ..= 10 s;
    /// default 1 s.
    pub graceful_shutdown: Span,
    /// Neighbours; addresses are unique.
    pub neighbors: Vec<NeighborConfig>,
    /// `[[context.bgp.range]]`: neighbours that are taken as they come; prefixes are unique.
    pub ranges: Vec<RangeConfig>,
    /// `[[context.bgp.network]]`: announced always, whatever the chassis' state.
    pub networks: Vec<NetworkConfig>,
}

impl BgpConfig {
    /// An instance of which nothing is configured but who it is.
    pub fn new(local_as: u32, router_id: Ipv4Addr) -> Self {
        Self {
            local_as,
            router_id,
            port: 179,
            listen: Vec::new(),
            multipath: 1,
            multipath_relax: false,
            mrt: None,
            bmp: Vec::new(),
            groups: Vec::new(),
            restart: RestartConfig::default(),
            graceful_shutdown: Span::secs(1),
            neighbors: Vec::new(),
            ranges: Vec::new(),
            networks: Vec::new(),
        }
    }
}

/// A BGP neighbour.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborConfig {
    /// Address of the neighbour; `None` for one that is found on its interface.
    pub address: Option<IpAddr>,
    /// Interface, for link-local addresses and without an address.
    pub interface: Option<String>,
    /// The group that it has keys from.
    pub group: Option<String>,
    /// Its AS.
    pub remote_as: u32,
    /// Our end of the connection, if it matters.
    pub local_address: Option<IpAddr>,
    /// Its TCP port; default that of the instance.
    pub port: u16,
    /// Our AS towards it, instead of that of the instance.
    pub local_as: Option<u32>,
    /// Hops to it, 1 ..= 254; without, an external neighbour is on a connected link.
    pub multihop: Option<u8>,
    /// Its packets have to show that they come from no further away (RFC 5082).
    pub ttl_security: bool,
    /// File with the key that signs every segment (RFC 2385).
    pub md5_key_file: Option<PathBuf>,
    /// File with the keys that sign every segment instead (RFC 5925).
    pub ao_key_file: Option<PathBuf>,
    /// 0 (none) or 3 s ..= 65535 s; default 9 s.
    pub hold_time: Span,
    /// How long it may take nothing of what is sent; without, what RFC 9687 says.
    pub send_hold_time: Option<Span>,
    /// How long our OPEN waits for its own; 0 not to wait.
    pub delay_open: Span,
    /// Never dials.
    pub passive: bool,
    /// What we are to it (RFC 9234).
    pub role: Option<BgpRole>,
    /// It has to say its role.
    pub role_strict: bool,
    /// IPv4 unicast is exchanged; default: if the neighbour's address is IPv4.
    pub ipv4: bool,
    /// IPv6 unicast is exchanged; default: if the neighbour's address is IPv6.
    pub ipv6: bool,
    /// Next hop of IPv4 routes to this neighbour, where it is not our end of the connection.
    pub next_hop_ipv4: Option<Ipv4Addr>,
    /// Next hop of IPv6 routes to this neighbour, where it is not our end of the connection.
    pub next_hop_ipv6: Option<Ipv6Addr>,
    /// What is accepted; nothing if empty (RFC 8212).
    pub import: Vec<PolicyRule>,
    /// What it is told, and with what changes; everything as it is if empty.
    pub export: Vec<PolicyRule>,
    /// Prepends of route modifier 1, 2 and so on, each more than the one before it; every further modifier has one more.
    /// As many as the modifier if empty.
    pub prepends: Vec<u8>,
    /// 0 ..= 10; default 0: how often our own AS may stand in an accepted path.
    pub allow_own_as: u8,
    /// How many routes it may announce, and is told.
    pub limits: PrefixLimits,
    /// IPv4 routes may have IPv6 next hops, in both directions (RFC 8950).
    pub extended_next_hop: bool,
    /// Several paths to a prefix, and in which direction (RFC 7911).
    pub add_path: Option<AddPath>,
    /// `[context.bgp.neighbor.bfd]`: BFD beside the session; `local_address` is there.
    pub bfd: Option<BfdTimers>,
}

impl NeighborConfig {
    /// How it is named: its address, with the interface where that is link-local, or the interface alone.
    pub fn name(&self) -> String {
        match (self.address, &self.interface) {
            (Some(address), None) => address.to_string(),
            (Some(address), Some(interface)) => format!("{address}%{interface}"),
            (None, interface) => interface.clone().unwrap_or_default(),
        }
    }
}

/// What two neighbours are to each other (RFC 9234 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BgpRole {
    /// Sells transit.
    Provider,
    /// Route server.
    RouteServer,
    /// Client of a route server.
    RouteServerClient,
    /// Buys transit.
    Customer,
    /// Exchanges own and customers' routes.
    Peer,
}

impl BgpRole {
    /// Each with its word in the configuration.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("provider", Self::Provider),
        ("route-server", Self::RouteServer),
        ("route-server-client", Self::RouteServerClient),
        ("customer", Self::Customer),
        ("peer", Self::Peer),
    ];
}

impl fmt::Display for BgpRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

/// One rule of an import or export policy; the first that matches a route decides. Text form:
/// `10.0.0.0/8 ge 16 le 24 community 65001:1 set preference 200`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// Refuses what it matches.
    pub reject: bool,
    /// The covering prefix; every prefix of both families if none.
    pub prefix: Option<IpNetwork>,
    /// Shortest matched mask; at least the prefix' own.
    pub ge: u8,
    /// Longest matched mask.
    pub le: u8,
    /// Communities that the route carries, all of them.
    pub communities: Vec<Community>,
    /// Shortest and longest AS path.
    pub path_length: Option<(u32, u32)>,
    /// The AS that the route was heard from is one of these.
    pub from_as: Vec<u32>,
    /// The next hop is in one of these.
    pub via: Vec<IpNetwork>,
    /// LOCAL_PREF to set.
    pub preference: Option<u32>,
    /// MULTI_EXIT_DISC to set.
    pub med: Option<u32>,
    /// Communities to take away; before `add`.
    pub remove: Vec<Community>,
    /// Communities to add.
    pub add: Vec<Community>,
    /// Own AS numbers to add in front, 1 ..= 32; for export.
    pub prepend: Option<u8>,
    /// Next hop to set.
    pub next_hop: Option<IpAddr>,
}

/// A community that rules can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Community {
    /// RFC 1997: two halves of 16 bits, or a well-known name.
    Standard(u32),
    /// RFC 8092: three numbers.
    Large([u32; 3]),
}

/// A prefix announced whatever the state of the chassis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The prefix; host bits are zero.
    pub prefix: IpNetwork,
}

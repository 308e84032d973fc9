//! `[snmp]` and `[[syslog]]`: who is told of events.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Place};
use super::kind::{Address, Choice, Duration, EngineIdText, EventName, FilePath, Flag, Integer, Name, word};
use super::reader::{Found, Reported, Section};
use crate::events::{self, Occurrence, Severity};
use crate::types::Span;

/// Everyone who is told of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutletConfig {
    /// Name of this SNMP engine (RFC 3411 section 5); from the chassis' MAC address if absent.
    pub engine_id: Option<EngineId>,
    /// `[[snmp.target]]`; address and port are unique.
    pub snmp: Vec<SnmpTarget>,
    /// `[[syslog]]`; address, port and transport are unique.
    pub syslog: Vec<SyslogTarget>,
}

/// 5 .. 32 octets. Prints in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineId(pub Vec<u8>);

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Which events somebody is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// This bad and worse, and what clears such events; default all.
    pub severity: Severity,
    /// Only these; all if empty.
    pub names: Vec<events::Name>,
}

impl EventFilter {
    /// True if it lets this through.
    pub fn takes(&self, occurrence: &Occurrence) -> bool {
        let name = occurrence.name;
        name.weight() >= self.severity && (self.names.is_empty() || self.names.contains(&name))
    }
}

/// A station that receives SNMP notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnmpTarget {
    /// Its address.
    pub address: IpAddr,
    /// Its UDP port; default 162.
    pub port: u16,
    /// How it is spoken to, and what proves us.
    pub security: SnmpSecurity,
    /// It acknowledges what it is told; traps, which nobody acknowledges, if absent.
    pub inform: Option<Inform>,
    /// Our address towards it, of its family; the kernel's choice if absent.
    pub source_address: Option<IpAddr>,
    /// What it is told.
    pub filter: EventFilter,
}

/// Notifications that are acknowledged (RFC 3416 section 4.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inform {
    /// After the first time that one is sent, 0 .. 10; default 3.
    pub retries: u8,
    /// For an acknowledgement, 100 ms .. 60 s; default 2 s.
    pub timeout: Span,
}

/// Version of SNMP and what proves who sends. Secrets stay in their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnmpSecurity {
    /// `version = "2c"`; the default.
    V2c {
        /// The community is the first line.
        community_file: PathBuf,
    },
    /// `version = "3"`: User-based Security Model (RFC 3414).
    V3 {
        /// Name of the user.
        user: String,
        /// Digest, and the file whose first line is the password; not authenticated if absent.
        auth: Option<(SnmpAuth, PathBuf)>,
        /// AES-128 (RFC 3826): the file whose first line is the password; only with `auth`.
        privacy_file: Option<PathBuf>,
    },
}

/// Digest that proves who sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnmpAuth {
    /// HMAC-SHA-96 (RFC 3414).
    Sha1,
    /// HMAC-192-SHA-256 (RFC 7860); the default.
    #[default]
    Sha256,
}

impl SnmpAuth {
    const WORDS: &'static [(&'static str, Self)] = &[("sha-1", Self::Sha1), ("sha-256", Self::Sha256)];
}

impl fmt::Display for SnmpAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

/// A collector of syslog messages (RFC 5424).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogTarget {
    /// Its address.
    pub address: IpAddr,
    /// Its port; default 514.
    pub port: u16,
    /// How it is reached.
    pub transport: SyslogTransport,
    /// Facility, 0 .. 23; default 3, daemon.
    pub facility: u8,
    /// Our address towards it, of its family; the kernel's choice if absent.
    pub source_address: Option<IpAddr>,
    /// What it is told.
    pub filter: EventFilter,
}

/// Transport of syslog messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyslogTransport {
    /// One message a datagram (RFC 5426); the default.
    #[default]
    Udp,
    /// Counted octets (RFC 6587 section 3.4.1).
    Tcp,
}

impl SyslogTransport {
    const WORDS: &'static [(&'static str, Self)] = &[("udp", Self::Udp), ("tcp", Self::Tcp)];
}

impl fmt::Display for SyslogTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

/// RFC 5424 section 6.2.1, those that a daemon may have.
const FACILITIES: &[(&str, u8)] = &[
    ("daemon", 3),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The word of a facility.
pub(super) fn facility_word(facility: u8) -> &'static str {
    word(FACILITIES, &facility)
}

const VERSIONS: &[(&str, u8)] = &[("2c", 2), ("3", 3)];

pub(super) fn read(root: &Section<'_, '_>, base: &Path) -> Result<OutletConfig, Reported> {
    let snmp = match root.table("snmp") {
        Ok(Some(snmp)) => snmp.read(|snmp| read_snmp(snmp, base)),
        Ok(None) => Ok((None, Vec::new())),
        Err(reported) => Err(reported),
    };
    let syslog = root.tables("syslog", "address").and_then(|collectors| {
        let mut seen = Vec::new();
        let all: Vec<_> = collectors.into_iter().map(|s| s.read(|s| read_collector(s, &mut seen))).collect();
        all.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let (engine_id, snmp) = snmp?;
    Ok(OutletConfig { engine_id, snmp, syslog: syslog? })
}

type Snmp = (Option<EngineId>, Vec<SnmpTarget>);

fn read_snmp(s: &Section<'_, '_>, base: &Path) -> Result<Snmp, Reported> {
    let engine_id = s.optional("engine-id", &EngineIdText);
    let mut seen = Vec::new();
    let targets: Vec<_> = s
        .tables("target", "address")?
        .into_iter()
        .map(|target| target.read(|target| read_target(target, base, &mut seen)))
        .collect();
    let targets: Result<Vec<_>, _> = targets.into_iter().collect();
    Ok((engine_id?.map(|found| found.value), targets?))
}

/// Where somebody is, and the place of that in the file.
type Seen<T> = Vec<(IpAddr, u16, T, Place)>;

fn check_unique<T: PartialEq>(
    s: &Section<'_, '_>,
    seen: &mut Seen<T>,
    (address, port, more): (&Found<IpAddr>, u16, T),
) -> Result<(), Reported> {
    let same = seen.iter().find(|(a, p, m, _)| (a, p, m) == (&address.value, &port, &more));
    if let Some((_, _, _, first)) = same {
        return Err(s.report(&address.at, Fault::Twice { what: "target", first: first.clone() }));
    }
    seen.push((address.value, port, more, address.at.clone()));
    Ok(())
}

/// Our end is of the family of theirs.
fn check_source(
    s: &Section<'_, '_>,
    address: &Found<IpAddr>,
    source: Option<Found<IpAddr>>,
) -> Result<Option<IpAddr>, Reported> {
    match source {
        Some(source) if source.value.is_ipv4() != address.value.is_ipv4() => {
            Err(s.report(&source.at, Fault::FamiliesDiffer { other: address.at.clone() }))
        }
        source => Ok(source.map(|source| source.value)),
    }
}

fn read_filter(s: &Section<'_, '_>) -> Result<EventFilter, Reported> {
    let severity = s.or("severity", &Choice(Severity::WORDS), Severity::Info);
    let names = s.list("events", &EventName, "[\"starSRPSwitchoverOccured\"]");
    let names = names?.into_iter().map(|name| name.value).collect();
    Ok(EventFilter { severity: severity?.value, names })
}

fn read_target(s: &Section<'_, '_>, base: &Path, seen: &mut Seen<()>) -> Result<SnmpTarget, Reported> {
    let address = s.required("address", &Address);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), 162);
    let security = read_security(s, base);
    let inform = read_inform(s);
    let source = s.optional("source-address", &Address);
    let filter = read_filter(s);
    let (address, port) = (address?, port?.value);
    check_unique(s, seen, (&address, port, ()))?;
    let source_address = check_source(s, &address, source?)?;
    Ok(SnmpTarget {
        address: address.value,
        port,
        security: security?,
        inform: inform?,
        source_address,
        filter: filter?,
    })
}

fn read_inform(s: &Section<'_, '_>) -> Result<Option<Inform>, Reported> {
    let inform = s.or("inform", &Flag, false);
    let retries = s.or("retries", &Integer::<u8>::new(0, 10), 3);
    let timeout = s.or("timeout", &Duration { min: Span::millis(100), max: Span::secs(60) }, Span::secs(2));
    let (inform, retries, timeout) = (inform?.value, retries?, timeout?);
    if inform {
        return Ok(Some(Inform { retries: retries.value, timeout: timeout.value }));
    }
    match [retries.at, timeout.at].into_iter().find(|at| at.written.is_some()) {
        Some(at) => Err(s.report(&at, Fault::WithoutEffect { needs: "inform = true" })),
        None => Ok(None),
    }
}

fn read_security(s: &Section<'_, '_>, base: &Path) -> Result<SnmpSecurity, Reported> {
    let path = FilePath { base };
    let version = s.or("version", &Choice(VERSIONS), 2);
    let community_file = s.optional("community-file", &path);
    let user = s.optional("user", &Name);
    let auth = s.or("auth", &Choice(SnmpAuth::WORDS), SnmpAuth::default());
    let auth_file = s.optional("auth-file", &path);
    let privacy_file = s.optional("privacy-file", &path);
    let missing = |key, wanted: &str| {
        Err(s.report(&s.place_of_absent(key), Fault::Missing { key, wanted: wanted.to_owned() }))
    };
    let idle = |at: &Place, needs| Err(s.report(at, Fault::WithoutEffect { needs }));
    let (community_file, user, auth_file, privacy_file) = (community_file?, user?, auth_file?, privacy_file?);
    if version?.value == 2 {
        let of_v3 = [&auth_file, &privacy_file].into_iter().flatten().map(|found| &found.at);
        if let Some(at) = user.iter().map(|user| &user.at).chain(of_v3).next() {
            return idle(at, "version = \"3\"");
        }
        return match community_file {
            Some(file) => Ok(SnmpSecurity::V2c { community_file: file.value }),
            None => missing("community-file", "path of a file whose first line is the community"),
        };
    }
    if let Some(file) = &community_file {
        return idle(&file.at, "version = \"2c\"");
    }
    let Some(user) = user else { return missing("user", "name of the user at the station") };
    if let (None, Some(file)) = (&auth_file, &privacy_file) {
        return idle(&file.at, "auth-file");
    }
    let auth = auth?.value;
    Ok(SnmpSecurity::V3 {
        user: user.value,
        auth: auth_file.map(|file| (auth, file.value)),
        privacy_file: privacy_file.map(|file| file.value),
    })
}

fn read_collector(s: &Section<'_, '_>, seen: &mut Seen<SyslogTransport>) -> Result<SyslogTarget, Reported> {
    let address = s.required("address", &Address);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), 514);
    let transport = s.or("transport", &Choice(SyslogTransport::WORDS), SyslogTransport::default());
    let facility = s.or("facility", &Choice(FACILITIES), 3);
    let source = s.optional("source-address", &Address);
    let filter = read_filter(s);
    let (address, port, transport) = (address?, port?.value, transport?.value);
    check_unique(s, seen, (&address, port, transport))?;
    let source_address = check_source(s, &address, source?)?;
    Ok(SyslogTarget {
        address: address.value,
        port,
        transport,
        facility: facility?.value,
        source_address,
        filter: filter?,
    })
}

//! `[srp.monitor.authentication-probe]` and `[[srp.monitor.diameter]]`: AAA servers and Diameter peers that are probed.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::across::Ledger;
use super::fault::Fault;
use super::kind::{
    Address, AttributeText, Choice, DomainName, Duration, FilePath, Integer, Kind, Name, word,
};
use super::reader::{Found, Reader, Reported, Section};
use crate::types::Span;

/// RFC 2865 section 3.
const RADIUS_PORT: u16 = 1812;
/// RFC 6733 section 2.1.
const DIAMETER_PORT: u16 = 3868;
/// The application of relays (RFC 6733 section 2.4), which every peer has in common.
const RELAY: u32 = u32::MAX;

/// AAA servers that are probed (MON-1, MON-8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthProbeConfig {
    /// What is asked.
    pub question: AuthQuestion,
    /// NAS-Identifier; default `srp`.
    pub nas_identifier: String,
    /// NAS-IP-Address or NAS-IPv6-Address, if it says one (CTX-1).
    pub nas_ip_address: Option<IpAddr>,
    /// From one round of requests to the next, 100 ms ..= 3600 s; default 10 s.
    pub probe_interval: Span,
    /// How long an answer may take, 100 ms ..= 60 s; default 3 s.
    pub retry_interval: Span,
    /// Repeats of a request before its server is Down; default 5.
    pub max_retries: u16,
    /// Whether answers without a Message-Authenticator are none; default auto.
    pub require_message_authenticator: SignedAnswers,
    /// One or more; address and port are unique.
    pub servers: Vec<AuthServerConfig>,
}

/// What an AAA server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthQuestion {
    /// `access-request`, for this user (RFC 2865).
    AccessRequest {
        /// User-Name.
        user: String,
        /// File with the password.
        password_file: PathBuf,
    },
    /// `status-server` (RFC 5997).
    StatusServer,
}

/// Whether an AAA server has to sign its answers by a Message-Authenticator (CVE-2024-3596).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedAnswers {
    /// Once it has.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

impl SignedAnswers {
    /// Each with its word in the configuration.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("yes", Self::Yes), ("no", Self::No)];
}

impl fmt::Display for SignedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

/// An AAA server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthServerConfig {
    /// Context in which it is reached.
    pub context: String,
    /// Its address.
    pub address: IpAddr,
    /// Its UDP port; default 1812.
    pub port: u16,
    /// Our end, if it matters; of the same family.
    pub source_address: Option<IpAddr>,
    /// File with the secret that it shares with us.
    pub secret_file: PathBuf,
}

/// A Diameter peer that is watched (MON-7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiameterConfig {
    /// Context in which it is reached.
    pub context: String,
    /// Its address.
    pub address: IpAddr,
    /// Its TCP port; default 3868.
    pub port: u16,
    /// Our end, if it matters; of the same family.
    pub local_address: Option<IpAddr>,
    /// Group of the monitor.
    pub group: Option<u32>,
    /// The identity that it has to have, if it matters.
    pub host: Option<String>,
    /// Our identity.
    pub origin_host: String,
    /// Our realm.
    pub origin_realm: String,
    /// The application that we say we have; default that of relays.
    pub application_id: u32,
    /// Vendor of the application, where it is a vendor's.
    pub application_vendor_id: Option<u32>,
    /// Tw of RFC 3539, 6 s ..= 300 s; default 10 s.
    pub watchdog_interval: Span,
    /// Between attempts to connect, and how long one may take, 1 s ..= 300 s; default 5 s.
    pub reconnect_interval: Span,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    AccessRequest,
    StatusServer,
}

const MODES: Choice<Mode> =
    Choice(&[("access-request", Mode::AccessRequest), ("status-server", Mode::StatusServer)]);

impl AuthQuestion {
    /// The word of a file.
    pub fn word(&self) -> &'static str {
        word(
            MODES.0,
            match self {
                Self::AccessRequest { .. } => &Mode::AccessRequest,
                Self::StatusServer => &Mode::StatusServer,
            },
        )
    }
}

/// `[srp.monitor.authentication-probe]`, if it is there.
pub(super) fn read_auth(
    monitor: &Section<'_, '_>,
    base: &Path,
    ledger: &mut Ledger,
) -> Result<Option<AuthProbeConfig>, Reported> {
    let Some(probe) = monitor.table("authentication-probe")? else { return Ok(None) };
    probe.read(|s| read_probe(s, base, ledger)).map(Some)
}

fn read_probe(s: &Section<'_, '_>, base: &Path, ledger: &mut Ledger) -> Result<AuthProbeConfig, Reported> {
    let question = read_question(s, base);
    let nas_identifier = s.or("nas-identifier", &AttributeText, "srp".into());
    let nas_ip_address = s.optional("nas-ip-address", &Address);
    let interval = |max| Duration { min: Span::millis(100), max };
    let probe_interval = s.or("probe-interval", &interval(Span::secs(3_600)), Span::secs(10));
    let retry_interval = s.or("retry-interval", &interval(Span::secs(60)), Span::secs(3));
    let max_retries = s.or("max-retries", &Integer::<u16>::new(0, 65_535), 5);
    let signed = Choice(SignedAnswers::WORDS);
    let signed = s.or("require-message-authenticator", &signed, SignedAnswers::Auto);
    let servers = s.tables("server", "address").and_then(|servers| {
        let read = |server: Section<'_, '_>| server.read(|s| read_server(s, base, ledger));
        let servers: Vec<_> = servers.into_iter().map(read).collect();
        servers.into_iter().collect::<Result<Vec<_>, _>>()
    });
    let servers = servers?;
    if servers.is_empty() {
        let wanted = "[[srp.monitor.authentication-probe.server]] with address and secret-file".into();
        return Err(s.report(&s.place_of_absent("server"), Fault::Missing { key: "server", wanted }));
    }
    Ok(AuthProbeConfig {
        question: question?,
        nas_identifier: nas_identifier?.value,
        nas_ip_address: nas_ip_address?.map(|address| address.value),
        probe_interval: probe_interval?.value,
        retry_interval: retry_interval?.value,
        max_retries: max_retries?.value,
        require_message_authenticator: signed?.value,
        servers,
    })
}

/// `mode`, and `user` and `password-file` where it has them.
fn read_question(s: &Section<'_, '_>, base: &Path) -> Result<AuthQuestion, Reported> {
    let mode = s.or("mode", &MODES, Mode::AccessRequest);
    let path = FilePath { base };
    let user = s.optional("user", &AttributeText);
    let password_file = s.optional("password-file", &path);
    let (mode, user, password_file) = (mode?.value, user?, password_file?);
    let needs = "mode = \"access-request\"";
    match mode {
        Mode::StatusServer => {
            let places = [user.map(|user| user.at), password_file.map(|file| file.at)];
            for at in places.iter().flatten() {
                s.report(at, Fault::WithoutEffect { needs });
            }
            Ok(AuthQuestion::StatusServer)
        }
        Mode::AccessRequest => {
            let user = user.ok_or_else(|| missing(s, "user", &AttributeText));
            let password_file = password_file.ok_or_else(|| missing(s, "password-file", &path));
            let (user, password_file) = (user?.value, password_file?.value);
            Ok(AuthQuestion::AccessRequest { user, password_file })
        }
    }
}

fn missing<K: Kind>(s: &Section<'_, '_>, key: &'static str, kind: &K) -> Reported {
    s.report(&s.place_of_absent(key), Fault::Missing { key, wanted: kind.wanted() })
}

fn read_server(s: &Section<'_, '_>, base: &Path, ledger: &mut Ledger) -> Result<AuthServerConfig, Reported> {
    let context = s.required("context", &Name);
    let address = s.required("address", &Address);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), RADIUS_PORT);
    let source = s.optional("source-address", &Address);
    let secret_file = s.required("secret-file", &FilePath { base });
    let (context, address, port, source) = (context?, address?, port?, source?);
    check_family(s, &address, source.as_ref())?;
    ledger.probed.push(Probed {
        what: "server",
        context: context.clone(),
        address: address.clone(),
        port: port.value,
    });
    Ok(AuthServerConfig {
        context: context.value,
        address: address.value,
        port: port.value,
        source_address: source.map(|source| source.value),
        secret_file: secret_file?.value,
    })
}

/// `[[srp.monitor.diameter]]`.
pub(super) fn read_diameter(
    monitor: &Section<'_, '_>,
    ledger: &mut Ledger,
) -> Result<Vec<DiameterConfig>, Reported> {
    let peers = monitor.tables("diameter", "address")?;
    let peers: Vec<_> = peers.into_iter().map(|peer| peer.read(|s| read_peer(s, ledger))).collect();
    peers.into_iter().collect()
}

fn read_peer(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<DiameterConfig, Reported> {
    let span = |min, max| Duration { min: Span::secs(min), max: Span::secs(max) };
    let context = s.required("context", &Name);
    let address = s.required("address", &Address);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), DIAMETER_PORT);
    let local = s.optional("local-address", &Address);
    let group = s.optional("group", &Integer::<u32>::new(1, 65_535));
    let host = s.optional("host", &DomainName);
    let origin_host = s.required("origin-host", &DomainName);
    let origin_realm = s.required("origin-realm", &DomainName);
    let application = s.or("application-id", &Integer::<u32>::new(0, u32::MAX), RELAY);
    let vendor = s.optional("application-vendor-id", &Integer::<u32>::new(1, u32::MAX));
    let watchdog = s.or("watchdog-interval", &span(6, 300), Span::secs(10));
    let reconnect = s.or("reconnect-interval", &span(1, 300), Span::secs(5));
    let (context, address, port, local) = (context?, address?, port?, local?);
    check_family(s, &address, local.as_ref())?;
    let peer = Probed { what: "peer", context: context.clone(), address: address.clone(), port: port.value };
    ledger.probed.push(peer);
    Ok(DiameterConfig {
        context: context.value,
        address: address.value,
        port: port.value,
        local_address: local.map(|local| local.value),
        group: group?.map(|group| group.value),
        host: host?.map(|host| host.value),
        origin_host: origin_host?.value,
        origin_realm: origin_realm?.value,
        application_id: application?.value,
        application_vendor_id: vendor?.map(|vendor| vendor.value),
        watchdog_interval: watchdog?.value,
        reconnect_interval: reconnect?.value,
    })
}

fn check_family(
    s: &Section<'_, '_>,
    address: &Found<IpAddr>,
    ours: Option<&Found<IpAddr>>,
) -> Result<(), Reported> {
    let Some(ours) = ours else { return Ok(()) };
    if ours.value.is_ipv4() != address.value.is_ipv4() {
        return Err(s.report(&ours.at, Fault::FamiliesDiffer { other: address.at.clone() }));
    }
    if ours.value == address.value {
        return Err(s.report(&address.at, Fault::OurOwnAddress { ours: ours.at.clone() }));
    }
    Ok(())
}

/// A target, for what is checked across sections.
pub(super) struct Probed {
    /// `server` or `peer`.
    what: &'static str,
    context: Found<String>,
    address: Found<IpAddr>,
    port: u16,
}

/// The contexts exist, and nothing is probed twice.
pub(super) fn check(reader: &Reader<'_>, ledger: &Ledger) {
    let names_unread = ledger.contexts_unread || ledger.contexts.iter().any(|c| c.name.is_none());
    let names = || ledger.contexts.iter().filter_map(|claims| claims.name.as_ref()).map(|name| &name.value);
    for (index, target) in ledger.probed.iter().enumerate() {
        let context = &target.context;
        if !names_unread && !names().any(|name| *name == context.value) {
            reader.report(&context.at, Fault::UnknownContext { known: names().cloned().collect() });
        }
        let is_same = |other: &&Probed| {
            other.what == target.what
                && other.context.value == context.value
                && other.address.value == target.address.value
                && other.port == target.port
        };
        if let Some(first) = ledger.probed[..index].iter().find(is_same) {
            let first = first.address.at.clone();
            reader.report(&target.address.at, Fault::Twice { what: target.what, first });
        }
    }
}

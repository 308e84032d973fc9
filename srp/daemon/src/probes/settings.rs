//! What is to be probed: the configuration, with the secrets of the files that it names.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::probe::Secret;
use ::probe::diameter::Settings as DiameterSettings;
use ::probe::radius::packet::MAX_PASSWORD;
use ::probe::radius::{Nas, Question, Requirement, Settings as RadiusSettings};
use srp_core::chassis::MonitorId;
use srp_core::config::{
    AuthProbeConfig, AuthQuestion, AuthServerConfig, Config, DiameterConfig, SignedAnswers,
};

/// An AAA server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// How the chassis knows it.
    pub monitor: MonitorId,
    /// Context in which it is reached.
    pub context: String,
    /// The VRF of that context.
    pub vrf: Option<String>,
    /// Its address and port.
    pub server: SocketAddr,
    /// Our end.
    pub source: Option<IpAddr>,
    /// How it is asked.
    pub settings: RadiusSettings,
}

/// A Diameter peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// How the chassis knows it.
    pub monitor: MonitorId,
    /// Context in which it is reached.
    pub context: String,
    /// The VRF of that context.
    pub vrf: Option<String>,
    /// Its address and port.
    pub peer: SocketAddr,
    /// Our end.
    pub local: Option<IpAddr>,
    /// Group of the monitor.
    pub group: Option<u32>,
    /// How it is watched.
    pub settings: DiameterSettings,
}

/// Everything that is to be probed, in configured order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// AAA servers.
    pub servers: Vec<ServerSettings>,
    /// Diameter peers.
    pub peers: Vec<PeerSettings>,
}

/// A file with a secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("{what} cannot be read from {}: {error}", .file.display())]
    Unreadable {
        /// What is in it.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is empty, or has more than one line.
    #[error("{}: {what} is one line, and this file has {lines}", .file.display())]
    Lines {
        /// What is in it.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// How many lines it has.
        lines: usize,
    },
    /// RFC 2865 section 5.2.
    #[error("{}: a password for RADIUS has at most {MAX_PASSWORD} octets, and this one {length}", .file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
        /// Octets.
        length: usize,
    },
}

/// What the configuration wants probed. Secrets are read from their files here.
pub fn wanted(config: &Config) -> Result<Wanted, SecretError> {
    let servers = config.srp.auth_probe.as_ref();
    let servers = servers.map_or_else(|| Ok(Vec::new()), |probe| servers_of(probe, config))?;
    let peers = config.srp.monitor_diameter.iter().map(|one| peer(one, config)).collect();
    Ok(Wanted { servers, peers })
}

/// The files with secrets that it names, each once.
pub fn secret_files(config: &Config) -> BTreeSet<&Path> {
    let probe = config.srp.auth_probe.as_ref();
    let password = probe.and_then(|probe| match &probe.question {
        AuthQuestion::AccessRequest { password_file, .. } => Some(password_file.as_path()),
        AuthQuestion::StatusServer => None,
    });
    let servers = probe.into_iter().flat_map(|probe| &probe.servers);
    password.into_iter().chain(servers.map(|server| server.secret_file.as_path())).collect()
}

/// Of the context with that name.
fn vrf(config: &Config, context: &str) -> Option<String> {
    let context = config.contexts.iter().find(|one| one.name == context)?;
    context.vrf().map(str::to_owned)
}

fn servers_of(probe: &AuthProbeConfig, config: &Config) -> Result<Vec<ServerSettings>, SecretError> {
    let question = match &probe.question {
        AuthQuestion::StatusServer => Question::StatusServer,
        AuthQuestion::AccessRequest { user, password_file: file } => {
            let password = read(file, "the password of the authentication probe")?;
            if password.len() > MAX_PASSWORD {
                return Err(SecretError::TooLong { file: file.clone(), length: password.len() });
            }
            Question::AccessRequest { user: user.clone(), password: Secret::new(password) }
        }
    };
    let server = |server: &AuthServerConfig| {
        let secret = Secret::new(read(&server.secret_file, "the secret of an AAA server")?);
        Ok(ServerSettings {
            monitor: server.id(),
            context: server.context.clone(),
            vrf: vrf(config, &server.context),
            server: SocketAddr::new(server.address, server.port),
            source: server.source_address,
            settings: RadiusSettings {
                question: question.clone(),
                nas: Nas { identifier: probe.nas_identifier.clone(), address: probe.nas_ip_address },
                secret,
                probe_interval: Duration::from(probe.probe_interval),
                retry_interval: Duration::from(probe.retry_interval),
                max_retries: probe.max_retries,
                require_message_authenticator: match probe.require_message_authenticator {
                    SignedAnswers::Auto => Requirement::Auto,
                    SignedAnswers::Yes => Requirement::Yes,
                    SignedAnswers::No => Requirement::No,
                },
            },
        })
    };
    probe.servers.iter().map(server).collect()
}

fn peer(peer: &DiameterConfig, config: &Config) -> PeerSettings {
    PeerSettings {
        monitor: peer.id(),
        context: peer.context.clone(),
        vrf: vrf(config, &peer.context),
        peer: SocketAddr::new(peer.address, peer.port),
        local: peer.local_address,
        group: peer.group,
        settings: DiameterSettings {
            origin_host: peer.origin_host.clone(),
            origin_realm: peer.origin_realm.clone(),
            host: peer.host.clone(),
            application: peer.application_id,
            vendor: peer.application_vendor_id,
            watchdog_interval: Duration::from(peer.watchdog_interval),
            reconnect_interval: Duration::from(peer.reconnect_interval),
        },
    }
}

/// The one line of a file, without its end.
fn read(file: &Path, what: &'static str) -> Result<Vec<u8>, SecretError> {
    let mut text =
        fs::read(file).map_err(|error| SecretError::Unreadable { what, file: file.to_owned(), error })?;
    for end in [b'\n', b'\r'] {
        if text.last() == Some(&end) {
            text.pop();
        }
    }
    let lines = if text.is_empty() { 0 } else { text.split(|octet| *octet == b'\n').count() };
    if lines == 1 { Ok(text) } else { Err(SecretError::Lines { what, file: file.to_owned(), lines }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a file holds, and its secret or the end of the error.
    type Row = (&'static [u8], Result<&'static [u8], &'static str>);

    #[test]
    fn secret_is_the_one_line_of_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let rows: [Row; 7] = [
            (b"testing123", Ok(b"testing123")),
            (b"testing123\n", Ok(b"testing123")),
            (b"testing123\r\n", Ok(b"testing123")),
            (b" with blanks \n", Ok(b" with blanks ")),
            (b"", Err("a secret is one line, and this file has 0")),
            (b"\n", Err("a secret is one line, and this file has 0")),
            (b"one\ntwo\n", Err("a secret is one line, and this file has 2")),
        ];
        for (text, expected) in rows {
            fs::write(&file, text).expect("a file");
            match (read(&file, "a secret"), expected) {
                (Ok(secret), Ok(expected)) => assert_eq!(secret, expected),
                (Err(error), Err(expected)) => assert!(error.to_string().ends_with(expected), "{error}"),
                (result, _) => panic!("{text:?}: {:?}", result.map_err(|error| error.to_string())),
            }
        }
        let missing = read(&folder.path().join("none"), "a secret").expect_err("no file");
        assert!(missing.to_string().starts_with("a secret cannot be read from"), "{missing}");
    }
}

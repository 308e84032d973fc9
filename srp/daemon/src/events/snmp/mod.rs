//! SNMP notifications: traps and informs of versions 2c and 3.
//!
//! ```text
//!  Entry -> notification (varbinds, PDU) -> v2c: community | v3: usm (AES-128, HMAC) -> one datagram
//! ```
//!
//! An inform is answered ([`inform`]). A trap is sent once and not answered, so a station that cannot be reached delays nothing: what the system refuses to send
//! is counted. Encoding is that of a library; the User-based Security Model is here, over primitives of the `RustCrypto` project.
//! Sources: RFC 3416 (PDU), RFC 3412 and 3414 (version 3), RFC 7860 (SHA-256), RFC 3826 (AES-128).

mod inform;
mod notification;
mod usm;

use std::path::{Path, PathBuf};

use srp_core::config::{EngineId, SnmpAuth, SnmpSecurity, SnmpTarget};
use srp_core::events::Entry;
use srp_core::types::{Mac, Time};

use usm::{Clock, User};

pub use inform::{Asker, Heard};
pub use notification::EncodeError;

/// Why a station cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum SnmpError {
    /// The file is not there, or not ours to read.
    #[error("snmp.target: cannot read {}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing stands in the first line.
    #[error("snmp.target: the first line of {} is empty: write the {what} there", .0.display(), what = .1)]
    Empty(PathBuf, &'static str),
    /// RFC 3414 section 11.2 wants at least eight characters.
    #[error("snmp.target: the password in {} has fewer than 8 characters (RFC 3414 section 11.2)", .0.display())]
    Short(PathBuf),
}

/// What proves us to a station: secrets are read from its files, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Of version 2c.
    Community(String),
    /// Of version 3.
    User {
        /// Its name.
        name: String,
        /// Digest and password of authentication.
        auth: Option<(SnmpAuth, String)>,
        /// Password of privacy.
        privacy: Option<String>,
    },
}

impl Credentials {
    /// Those for a target.
    pub fn load(target: &SnmpTarget) -> Result<Self, SnmpError> {
        Ok(match &target.security {
            SnmpSecurity::V2c { community_file } => Self::Community(first_line(community_file, "community")?),
            SnmpSecurity::V3 { user, auth, privacy_file } => Self::User {
                name: user.clone(),
                auth: auth.as_ref().map(|(digest, file)| Ok((*digest, password(file)?))).transpose()?,
                privacy: privacy_file.as_deref().map(password).transpose()?,
            },
        })
    }
}

/// Makes the datagrams for one station.
pub struct Speaker {
    proof: Proof,
    engine: EngineId,
    clock: Clock,
    started: Time,
}

enum Proof {
    Community(Vec<u8>),
    User(Box<User>),
}

/// The name of this engine: what the configuration says, else of its MAC address (RFC 3411 section 5, format 3), with the
/// enterprise of the notifications.
pub fn engine_id(configured: Option<&EngineId>, mac: Mac) -> EngineId {
    configured.cloned().unwrap_or_else(|| {
        let enterprise = notification::ENTERPRISE | 0x8000_0000;
        EngineId([&enterprise.to_be_bytes()[..], &[3], &mac.0].concat())
    })
}

impl Speaker {
    /// Makes its keys, which takes some milliseconds. `started` is when the daemon began, on the monotonic clock and on that of
    /// the wall; `salt` is a random number.
    pub fn new(
        credentials: &Credentials,
        engine: &EngineId,
        (started, started_us): (Time, u64),
        salt: u64,
    ) -> Self {
        let proof = match credentials {
            Credentials::Community(community) => Proof::Community(community.clone().into_bytes()),
            Credentials::User { name, auth, privacy } => {
                Proof::User(Box::new(User::new(name, auth.as_ref(), privacy.as_deref(), engine, salt)))
            }
        };
        Self { proof, engine: engine.clone(), clock: Clock::of_start(started_us), started }
    }

    /// The datagram that tells of this; `None` if the event has no public number.
    pub fn datagram(&mut self, entry: &Entry) -> Result<Option<Vec<u8>>, EncodeError> {
        let up = entry.at.since(self.started);
        let Some(trap) = notification::trap(entry, up) else { return Ok(None) };
        match &mut self.proof {
            Proof::Community(community) => notification::v2c(community, trap).map(Some),
            Proof::User(user) => {
                let number = u32::try_from(entry.sequence & 0x7fff_ffff).unwrap_or_default();
                user.message(&self.engine, self.clock.at(up), number, trap).map(Some)
            }
        }
    }
}

fn first_line(file: &Path, what: &'static str) -> Result<String, SnmpError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| SnmpError::Unreadable { file: file.to_owned(), source })?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err(SnmpError::Empty(file.to_owned(), what)) } else { Ok(line.to_owned()) }
}

fn password(file: &Path) -> Result<String, SnmpError> {
    let password = first_line(file, "password")?;
    if password.len() < 8 { Err(SnmpError::Short(file.to_owned())) } else { Ok(password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_has_the_name_of_its_mac_address_unless_it_is_given_one() {
        let mac = Mac([2, 0, 0x5e, 0x10, 0, 1]);
        assert_eq!(engine_id(None, mac).to_string(), "80001fe40302005e100001");
        let given = EngineId(vec![1, 2, 3, 4, 5]);
        assert_eq!(engine_id(Some(&given), mac), given);
    }

    #[test]
    fn secrets_are_first_lines_and_passwords_are_not_short() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        for (text, says) in [("\nx", "is empty"), ("seven77\n", "fewer than 8")] {
            std::fs::write(&file, text).expect("a file");
            let error = password(&file).expect_err("a fault").to_string();
            assert!(error.contains(says) && !error.contains("seven77"), "{error}");
        }
        std::fs::write(&file, "maplesyrup  \nrest").expect("a file");
        assert_eq!(password(&file).expect("a password"), "maplesyrup");
        std::fs::remove_file(&file).expect("gone");
        assert!(matches!(password(&file), Err(SnmpError::Unreadable { .. })));
    }
}

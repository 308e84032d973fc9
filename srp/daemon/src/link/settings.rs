//! What a link is told before it opens, and what can go wrong while it opens.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::{fmt, io};

use srp_core::config::{Security, SrpConfig};
use srp_core::types::Span;

use super::tls::CredentialsError;

/// How many mio tokens a link asks for: one for the listener, the rest for connections.
pub const TOKENS: usize = 64;

/// Everything a link needs to know.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// Local end: listened on, and dialled from.
    pub bind_address: IpAddr,
    /// The only address that is dialled, and the only one that is accepted.
    pub peer_address: IpAddr,
    /// TCP port that both chassis listen on.
    pub port: u16,
    /// Keys and certificates, or none.
    pub security: Security,
    /// Silence after which the peer counts as dead; TCP gives up unacknowledged data on the same scale.
    pub dead_interval: Span,
    /// DSCP of every packet, 0 ..= 63.
    pub dscp: u8,
    /// Seed of the jitter between dials.
    pub seed: u64,
    /// mio tokens for this link alone, at least [`TOKENS`] of them.
    pub tokens: Range<usize>,
}

impl LinkSettings {
    /// Settings of the control connection; `seed` spreads the dials, `tokens` are for this link alone.
    pub fn new(srp: &SrpConfig, seed: u64, tokens: Range<usize>) -> Self {
        Self {
            bind_address: srp.bind_address,
            peer_address: srp.peer_address,
            port: srp.port,
            security: srp.security.clone(),
            dead_interval: srp.dead_interval,
            dscp: srp.dscp_control.value(),
            seed,
            tokens,
        }
    }
}

/// Why a link cannot open.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The listening socket cannot be had.
    #[error("SRP link cannot listen on {address}: {source}{}", ListenHint(.source, .address))]
    Listen {
        /// Bind address and port.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The token range is too small: an error of the caller.
    #[error("SRP link was given {given} poll tokens and needs {TOKENS}")]
    Tokens {
        /// Length of the range.
        given: usize,
    },
}

/// The remedy, where the kernel's answer has a usual one.
struct ListenHint<'a>(&'a io::Error, &'a SocketAddr);

impl fmt::Display for ListenHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.1.port();
        match self.0.kind() {
            io::ErrorKind::AddrInUse => {
                write!(f, ": does another srpd run? `ss -ltnp sport = :{port}` shows who holds the port")
            }
            io::ErrorKind::PermissionDenied => {
                write!(
                    f,
                    ": ports below 1024 need CAP_NET_BIND_SERVICE; choose srp.port above 1023, or run as root"
                )
            }
            io::ErrorKind::InvalidInput => {
                write!(f, ": link-local addresses cannot carry the link; use a global or unique local one")
            }
            _ => Ok(()),
        }
    }
}

//! The BFD Control packet (RFC 5880 section 4.1): octets to value and back.
//!
//! ```text
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//!  | 1   |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//!  +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//!  |                       My Discriminator                        |
//!  +---------------------------------------------------------------+
//!  |                      Your Discriminator                       |
//!  +---------------------------------------------------------------+
//!  |                    Desired Min TX Interval                    |
//!  +---------------------------------------------------------------+
//!  |                   Required Min RX Interval                    |
//!  +---------------------------------------------------------------+
//!  |                 Required Min Echo RX Interval                 |
//!  +---------------------------------------------------------------+
//!  |   Auth Type   |   Auth Len    |    Authentication Data...     |   if A
//!  +---------------+---------------+-------------------------------+
//! ```
//!
//! [`decode`] applies those checks of section 6.8.6 that need nothing but the packet, in the order given there. The
//! checks that need a session follow: its choice is the driver's, authentication is refused by [`Session`].
//!
//! [`Session`]: crate::session::Session

use std::num::NonZeroU8;

use crate::types::{Diagnostic, Discriminator, Interval, State};

/// Octets of the mandatory section: all that we ever send.
pub const LEN: usize = 24;

/// The longest packet that the Length field can state.
pub const MAX_LEN: usize = 255;

/// Least Length of a packet with an authentication section.
const LEN_WITH_AUTHENTICATION: u8 = 26;

const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// The mandatory section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent flags of the wire")]
pub struct Packet {
    /// Why the sender's session last changed its state.
    pub diagnostic: Diagnostic,
    /// State of the sender's session.
    pub state: State,
    /// P: the sender wants an answer with [`is_final`](Self::is_final).
    pub poll: bool,
    /// F: the answer to a packet with [`poll`](Self::poll).
    pub is_final: bool,
    /// C: the sender's BFD does not share the fate of its control plane.
    pub control_plane_independent: bool,
    /// D: the sender wants no periodic packets while both are Up.
    pub demand: bool,
    /// Detection time, in intervals of the sender.
    pub detect_mult: NonZeroU8,
    /// What the sender calls the session.
    pub my_discriminator: Discriminator,
    /// What the receiver calls the session, where the sender knows it; zero on the wire where not.
    pub your_discriminator: Option<Discriminator>,
    /// The least interval at which the sender would send.
    pub desired_min_tx: Interval,
    /// The least interval at which the sender can receive; zero: it wants no periodic packets.
    pub required_min_rx: Interval,
    /// The least interval at which the sender can return Echo packets; zero: it returns none.
    pub required_min_echo_rx: Interval,
}

/// A packet that passed all checks that need no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its mandatory section.
    pub packet: Packet,
    /// Its authentication section, if it has one.
    pub authentication: Option<AuthenticationType>,
}

/// Kinds of authentication (RFC 5880 section 4.1). Recognised, to be refused by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationType {
    /// 1: a password in clear text.
    SimplePassword,
    /// 2: keyed MD5.
    KeyedMd5,
    /// 3: keyed MD5 with a sequence number that always rises.
    MeticulousKeyedMd5,
    /// 4: keyed SHA1.
    KeyedSha1,
    /// 5: keyed SHA1 with a sequence number that always rises.
    MeticulousKeyedSha1,
    /// 0 and 6 ..= 255: reserved.
    Reserved(u8),
}

impl AuthenticationType {
    /// The kind with this number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::SimplePassword,
            2 => Self::KeyedMd5,
            3 => Self::MeticulousKeyedMd5,
            4 => Self::KeyedSha1,
            5 => Self::MeticulousKeyedSha1,
            reserved => Self::Reserved(reserved),
        }
    }
}

impl std::fmt::Display for AuthenticationType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SimplePassword => "simple password",
            Self::KeyedMd5 => "keyed MD5",
            Self::MeticulousKeyedMd5 => "meticulous keyed MD5",
            Self::KeyedSha1 => "keyed SHA1",
            Self::MeticulousKeyedSha1 => "meticulous keyed SHA1",
            Self::Reserved(number) => return write!(f, "reserved type {number}"),
        })
    }
}

/// Why a received packet is discarded, in the order of RFC 5880 section 6.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// Not even the first four octets.
    #[error("{got} octets are no BFD packet: it takes {LEN} or more")]
    Short {
        /// Octets received.
        got: usize,
    },
    /// Another version.
    #[error("BFD version {version}: only version 1 is spoken here")]
    Version {
        /// The version.
        version: u8,
    },
    /// The stated length has no room for what must be there.
    #[error("stated length {stated} is less than the {least} octets that its flags call for")]
    Length {
        /// The Length field.
        stated: u8,
        /// What the A bit calls for.
        least: u8,
    },
    /// Fewer octets than stated.
    #[error("stated length {stated}, but only {got} octets arrived")]
    Truncated {
        /// The Length field.
        stated: u8,
        /// Octets received.
        got: usize,
    },
    /// A detection time of nothing.
    #[error("Detect Mult is zero")]
    ZeroDetectMult,
    /// Reserved for point-to-multipoint.
    #[error("the Multipoint bit is set")]
    Multipoint,
    /// A session without a name.
    #[error("My Discriminator is zero")]
    ZeroMyDiscriminator,
    /// No session of ours has that discriminator.
    #[error(
        "no session has discriminator {0}: the peer remembers a session of an earlier run, or this is a forgery"
    )]
    UnknownDiscriminator(Discriminator),
    /// Only who is Down may not know our discriminator.
    #[error("Your Discriminator is zero in state {0}")]
    NoDiscriminator(State),
    /// No session is configured for the source of this packet.
    #[error("no session is configured for its source")]
    UnknownSource,
    /// Authentication is not supported, so it is in use on no session.
    #[error("it is authenticated ({0}), and authentication is not supported here: switch it off on the peer")]
    Authentication(AuthenticationType),
}

impl Discard {
    /// Names of all counters, for a driver that counts without allocating.
    pub const NAMES: [&'static str; 11] = [
        "short",
        "version",
        "length",
        "truncated",
        "zero-detect-mult",
        "multipoint",
        "zero-my-discriminator",
        "unknown-discriminator",
        "no-discriminator",
        "unknown-source",
        "authentication",
    ];

    /// Name of the counter: stable, for metrics and for grep.
    pub const fn name(&self) -> &'static str {
        Self::NAMES[match self {
            Self::Short { .. } => 0,
            Self::Version { .. } => 1,
            Self::Length { .. } => 2,
            Self::Truncated { .. } => 3,
            Self::ZeroDetectMult => 4,
            Self::Multipoint => 5,
            Self::ZeroMyDiscriminator => 6,
            Self::UnknownDiscriminator(_) => 7,
            Self::NoDiscriminator(_) => 8,
            Self::UnknownSource => 9,
            Self::Authentication(_) => 10,
        }]
    }
}

/// Reads a packet. Octets beyond the stated length are ignored, as RFC 5880 section 6.8.6 lets them be.
pub fn decode(octets: &[u8]) -> Result<Received, Discard> {
    let got = octets.len();
    let Some(&[vers_diag, flags, detect_mult, length]) = octets.first_chunk() else {
        return Err(Discard::Short { got });
    };
    let version = vers_diag >> 5;
    if version != VERSION {
        return Err(Discard::Version { version });
    }
    let authenticated = flags & AUTHENTICATION != 0;
    let least = if authenticated { LEN_WITH_AUTHENTICATION } else { 24 };
    if length < least {
        return Err(Discard::Length { stated: length, least });
    }
    let (Some(mandatory), true) = (octets.first_chunk::<LEN>(), usize::from(length) <= got) else {
        return Err(Discard::Truncated { stated: length, got });
    };
    let detect_mult = NonZeroU8::new(detect_mult).ok_or(Discard::ZeroDetectMult)?;
    if flags & MULTIPOINT != 0 {
        return Err(Discard::Multipoint);
    }
    let my_discriminator = Discriminator::new(word(mandatory, 1)).ok_or(Discard::ZeroMyDiscriminator)?;
    let your_discriminator = Discriminator::new(word(mandatory, 2));
    let state = State::from_bits(flags >> 6);
    // "If the Your Discriminator field is zero and the State field is not Down or AdminDown, the packet MUST be
    // discarded."
    if your_discriminator.is_none() && matches!(state, State::Init | State::Up) {
        return Err(Discard::NoDiscriminator(state));
    }
    let packet = Packet {
        diagnostic: Diagnostic::from_bits(vers_diag),
        state,
        poll: flags & POLL != 0,
        is_final: flags & FINAL != 0,
        control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
        demand: flags & DEMAND != 0,
        detect_mult,
        my_discriminator,
        your_discriminator,
        desired_min_tx: Interval(word(mandatory, 3)),
        required_min_rx: Interval(word(mandatory, 4)),
        required_min_echo_rx: Interval(word(mandatory, 5)),
    };
    let section = octets.get(LEN).filter(|_| authenticated);
    Ok(Received { packet, authentication: section.map(|kind| AuthenticationType::from_number(*kind)) })
}

impl Packet {
    /// Writes the packet, without authentication.
    pub fn encode(&self) -> [u8; LEN] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = (self.state as u8) << 6
            | flag(self.poll, POLL)
            | flag(self.is_final, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND);
        let head = [VERSION << 5 | self.diagnostic.number(), flags, self.detect_mult.get(), 24];
        let words = [
            u32::from_be_bytes(head),
            self.my_discriminator.get(),
            self.your_discriminator.map_or(0, Discriminator::get),
            self.desired_min_tx.0,
            self.required_min_rx.0,
            self.required_min_echo_rx.0,
        ];
        let mut octets = [0; LEN];
        for (into, word) in octets.chunks_exact_mut(4).zip(words) {
            into.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }
}

/// The 32-bit word with this number.
fn word(octets: &[u8; LEN], number: usize) -> u32 {
    let word = octets.chunks_exact(4).nth(number).and_then(|word| word.first_chunk());
    u32::from_be_bytes(*word.unwrap_or(&[0; 4])) // six words are always there
}

#[cfg(test)]
mod tests;

//! Requests and answers: values to octets, and octets to a value that is proved to be the server's.
//!
//! ```text
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  +---------------+---------------+-------------------------------+
//!  |     Code      |  Identifier   |            Length             |
//!  +---------------+---------------+-------------------------------+
//!  |                   Authenticator (16 octets)                   |
//!  +---------------+---------------+-------------------------------+
//!  |     Type      |    Length     |  Value ...                       attributes
//! ```
//!
//! Message-Authenticator (RFC 2869 section 5.14, RFC 3579 section 3.2) is the first attribute of a request, so that
//! nothing a stranger chooses stands between header and proof (CVE-2024-3596); in an answer it may stand anywhere.
//! Sources: RFC 2865 sections 3, 4 and 5, RFC 5997 sections 3 and 4.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

use crate::types::Secret;

/// The longest packet (RFC 2865 section 3).
pub const MAX_LEN: usize = 4096;

/// The longest value of an attribute.
pub const MAX_VALUE: usize = 253;

/// The longest password (RFC 2865 section 5.2).
pub const MAX_PASSWORD: usize = 128;

const HEADER: usize = 20;

const ACCESS_REQUEST: u8 = 1;
const STATUS_SERVER: u8 = 12;

const USER_NAME: u8 = 1;
const USER_PASSWORD: u8 = 2;
const NAS_IP_ADDRESS: u8 = 4;
const SERVICE_TYPE: u8 = 6;
const NAS_IDENTIFIER: u8 = 32;
const MESSAGE_AUTHENTICATOR: u8 = 80;
const NAS_IPV6_ADDRESS: u8 = 95;

/// Service-Type 8: nobody is to be let in, only judged (RFC 2865 section 5.6).
const AUTHENTICATE_ONLY: [u8; 4] = [0, 0, 0, 8];

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Access-Request for a user. One that does not exist does as well: a server that rejects, answers.
    AccessRequest {
        /// User-Name, 1 ..= 253 octets.
        user: String,
        /// User-Password, at most 128 octets.
        password: Secret,
    },
    /// Status-Server: the server answers for itself, whatever stands behind it.
    StatusServer,
}

/// Who asks, as the server knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nas {
    /// NAS-Identifier, 1 ..= 253 octets.
    pub identifier: String,
    /// NAS-IP-Address (RFC 2865 section 5.4) or NAS-IPv6-Address (RFC 3162 section 2.1), if it says one.
    pub address: Option<IpAddr>,
}

/// Whether an answer has to have a Message-Authenticator (CVE-2024-3596). One that is there has to be right in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// From the first answer of the server on that has one: nobody can take it away again.
    Auto,
    /// Always.
    Yes,
    /// Never.
    No,
}

/// What an answer is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number among those that are out.
    pub identifier: u8,
    /// Request Authenticator: unpredictable, and never twice with one secret.
    pub authenticator: [u8; 16],
}

/// The kinds of answer to an authentication port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnswerCode {
    /// 2.
    AccessAccept,
    /// 3.
    AccessReject,
    /// 11.
    AccessChallenge,
}

impl std::fmt::Display for AnswerCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AccessAccept => "Access-Accept",
            Self::AccessReject => "Access-Reject",
            Self::AccessChallenge => "Access-Challenge",
        })
    }
}

/// Why a datagram is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Not even a header.
    #[error("{got} octets are no RADIUS packet: it takes {HEADER} or more")]
    Short {
        /// Octets received.
        got: usize,
    },
    /// The Length field is less than a header, more than what arrived, or more than 4096.
    #[error("stated length {stated}, but {got} octets arrived")]
    Length {
        /// The Length field.
        stated: usize,
        /// Octets received.
        got: usize,
    },
    /// An attribute that is shorter than its own header, or ends behind the packet.
    #[error("an attribute at octet {at} does not fit into its packet")]
    Attribute {
        /// Where it begins.
        at: usize,
    },
    /// Another kind of packet.
    #[error("code {code} is no answer of an authentication server")]
    Code {
        /// The Code field.
        code: u8,
    },
    /// It answers nothing that was asked lately.
    #[error("no request with identifier {identifier} is out")]
    Identifier {
        /// The Identifier field.
        identifier: u8,
    },
    /// It was not made with our secret and for our request.
    #[error("the Response Authenticator is wrong: is the secret the same on both ends?")]
    ResponseAuthenticator,
    /// Nothing proves its attributes (CVE-2024-3596).
    #[error(
        "no Message-Authenticator: update the server (CVE-2024-3596), or set require-message-authenticator = \"no\""
    )]
    NoMessageAuthenticator,
    /// There is one, and it is wrong, or there are two.
    #[error("the Message-Authenticator is wrong")]
    MessageAuthenticator,
    /// Valid, but after its retry-interval.
    #[error("the answer came late: raise retry-interval above the time that the server takes")]
    Late,
}

impl Bad {
    /// Names of all counters.
    pub const NAMES: [&'static str; 9] = [
        "short",
        "length",
        "attribute",
        "code",
        "identifier",
        "response-authenticator",
        "no-message-authenticator",
        "message-authenticator",
        "late",
    ];

    /// Place of its counter in [`Self::NAMES`].
    pub const fn index(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Length { .. } => 1,
            Self::Attribute { .. } => 2,
            Self::Code { .. } => 3,
            Self::Identifier { .. } => 4,
            Self::ResponseAuthenticator => 5,
            Self::NoMessageAuthenticator => 6,
            Self::MessageAuthenticator => 7,
            Self::Late => 8,
        }
    }

    /// Name of the counter: stable, for metrics and for grep.
    pub const fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

/// Writes a request. Texts that are too long are cut; the configuration refuses them before.
pub fn encode(request: &Request, question: &Question, nas: &Nas, secret: &Secret) -> Vec<u8> {
    let code = match question {
        Question::AccessRequest { .. } => ACCESS_REQUEST,
        Question::StatusServer => STATUS_SERVER,
    };
    let mut packet = vec![code, request.identifier, 0, 0];
    packet.extend(request.authenticator);
    put(&mut packet, MESSAGE_AUTHENTICATOR, &[0; 16]);
    if let Question::AccessRequest { user, password } = question {
        put(&mut packet, USER_NAME, user.as_bytes());
        put(&mut packet, USER_PASSWORD, &hidden(password, &request.authenticator, secret));
        put(&mut packet, SERVICE_TYPE, &AUTHENTICATE_ONLY);
    }
    match nas.address {
        Some(IpAddr::V4(address)) => put(&mut packet, NAS_IP_ADDRESS, &address.octets()),
        Some(IpAddr::V6(address)) => put(&mut packet, NAS_IPV6_ADDRESS, &address.octets()),
        None => {}
    }
    put(&mut packet, NAS_IDENTIFIER, nas.identifier.as_bytes());
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX); // six attributes of 255 octets at most
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    let proof = keyed(secret, &[&packet]);
    packet[HEADER + 2..HEADER + 18].copy_from_slice(&proof.finalize().into_bytes());
    packet
}

fn put(packet: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = &value[..value.len().min(MAX_VALUE)];
    let length = u8::try_from(value.len() + 2).unwrap_or(u8::MAX);
    packet.extend([kind, length]);
    packet.extend(value);
}

/// RFC 2865 section 5.2: the password in blocks of 16 octets, each under the MD5 of the secret and the block before.
fn hidden(password: &Secret, authenticator: &[u8; 16], secret: &Secret) -> Vec<u8> {
    let password = &password.octets()[..password.octets().len().min(MAX_PASSWORD)];
    let mut plain = password.to_vec();
    plain.resize(password.len().next_multiple_of(16).max(16), 0);
    let mut before = *authenticator;
    let mut cipher = Vec::with_capacity(plain.len());
    for block in plain.chunks_exact(16) {
        let pad = Md5::new().chain_update(secret.octets()).chain_update(before).finalize();
        for (octet, (clear, pad)) in before.iter_mut().zip(block.iter().zip(pad)) {
            *octet = clear ^ pad;
        }
        cipher.extend(before);
    }
    cipher
}

/// An answer whose form is right, not proved yet.
#[derive(Clone, Copy, Debug)]
pub struct Unproved<'a> {
    octets: &'a [u8],
    code: AnswerCode,
    /// Where the value of the Message-Authenticator stands.
    proof: Proof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Absent,
    At(usize),
    Twice,
}

/// Reads an answer. Octets behind its stated length are padding (RFC 2865 section 3).
pub fn decode(datagram: &[u8]) -> Result<Unproved<'_>, Bad> {
    let got = datagram.len();
    let Some(&[code, _, high, low]) = datagram.first_chunk().filter(|_| got >= HEADER) else {
        return Err(Bad::Short { got });
    };
    let stated = usize::from(u16::from_be_bytes([high, low]));
    let octets = datagram.get(..stated).filter(|_| (HEADER..=MAX_LEN).contains(&stated));
    let octets = octets.ok_or(Bad::Length { stated, got })?;
    let code = match code {
        2 => AnswerCode::AccessAccept,
        3 => AnswerCode::AccessReject,
        11 => AnswerCode::AccessChallenge,
        code => return Err(Bad::Code { code }),
    };
    let mut proof = Proof::Absent;
    let mut at = HEADER;
    while let [kind, length, ..] = octets[at..] {
        let end = at + usize::from(length);
        if length < 2 || end > octets.len() {
            return Err(Bad::Attribute { at });
        }
        if kind == MESSAGE_AUTHENTICATOR {
            proof = match proof {
                Proof::Absent if length == 18 => Proof::At(at + 2),
                Proof::Absent | Proof::At(_) | Proof::Twice => Proof::Twice,
            };
        }
        at = end;
    }
    if at != octets.len() {
        return Err(Bad::Attribute { at });
    }
    Ok(Unproved { octets, code, proof })
}

impl Unproved<'_> {
    /// Which request it says that it answers.
    pub const fn identifier(&self) -> u8 {
        self.octets[1] // there is a header
    }

    /// Whether it has a Message-Authenticator, right or wrong.
    pub fn has_message_authenticator(&self) -> bool {
        self.proof != Proof::Absent
    }

    /// Whether the server made it, for this request. `strict`: it has to have a Message-Authenticator.
    pub fn prove(&self, request: &Request, secret: &Secret, strict: bool) -> Result<AnswerCode, Bad> {
        let (head, rest) = self.octets.split_at(4);
        let (stated, attributes) = rest.split_at(16);
        let digest = Md5::new()
            .chain_update(head)
            .chain_update(request.authenticator)
            .chain_update(attributes)
            .chain_update(secret.octets())
            .finalize();
        // Both are public once the packet is on the wire, and a forger gets one guess each: no timing to hide.
        if digest.as_slice() != stated {
            return Err(Bad::ResponseAuthenticator);
        }
        match self.proof {
            Proof::Absent if strict => Err(Bad::NoMessageAuthenticator),
            Proof::Absent => Ok(self.code),
            Proof::Twice => Err(Bad::MessageAuthenticator),
            Proof::At(at) => {
                let (before, proof) = (&self.octets[HEADER..at], &self.octets[at..at + 16]);
                let parts = [head, &request.authenticator, before, &[0; 16], &self.octets[at + 16..]];
                let proved = keyed(secret, &parts).verify_slice(proof);
                proved.map(|()| self.code).map_err(|_| Bad::MessageAuthenticator)
            }
        }
    }
}

/// HMAC-MD5 over the parts.
fn keyed(secret: &Secret, parts: &[&[u8]]) -> Hmac<Md5> {
    let mut mac = Hmac::new_from_slice(secret.octets()).expect("HMAC takes keys of every length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
pub(crate) mod tests;

//! Signatures as GRUB's `pgp` module takes them: detached, binary, OpenPGP version 4, RSA.
//!
//! What holds:
//! - What [`Keys::verify`] takes the loader takes, and what it refuses the loader refuses, for the two digests that the loader
//!   has (SHA-256 and SHA-512): one verdict, before an image is installed and when it boots. So the rules are GRUB's: no trust
//!   database, no expiry, the issuer is looked for in the unhashed part only, and a signature is its first packet.
//! - The private key is used by [`SigningKey`] alone, in constant time (ring). Verifying needs no secret.
//! - The same key and octets give the same signature: RSA PKCS#1 v1.5, dated like the key.
//!
//! How data moves: files are read in pieces into the digest; only what is signed is in memory as a whole, once. [`packet`] has
//! the octets of signatures and keys.
//!
//! Sources: RFC 4880 sections 4.2, 5.2.3, 5.2.4, 5.5.2, 12.2; RFC 8017 sections 8.2 and 9.2; GRUB 2.06
//! `grub-core/commands/pgp.c` for what is looked at.

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use num_bigint::BigUint;
use sha2::{Digest, Sha256, Sha512};

use crate::digest::in_pieces;

mod packet;
mod sign;

pub use sign::{KeyError, KeyFiles, SigningKey, keygen};

use packet::{Packet, SignaturePacket};

/// The keys that the loader has, on the box.
pub const KEYRING: &str = "/etc/srp/image-keys.gpg";

/// The last eight octets of a key's fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_be_bytes(self.0))
    }
}

/// Why a signature does not hold. Each says what it is; what to do depends on whose signature it is.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The octets are no OpenPGP signature, or end too early.
    #[error(
        "it is no binary OpenPGP signature (octet {at}): make it with `gpg --detach-sign` without --armor, or with `image sign`"
    )]
    Form {
        /// Where reading ended.
        at: usize,
    },
    /// It is a signature of a sort that the loader does not take.
    #[error("its {what} is {found}, the loader takes {wanted}")]
    Sort {
        /// Which property.
        what: &'static str,
        /// Its number in OpenPGP.
        found: u8,
        /// What it should be.
        wanted: &'static str,
    },
    /// It does not say who made it where the loader looks.
    #[error(
        "it does not name its key in the unhashed part, where the loader looks for it: sign with gpg or `image sign`"
    )]
    NoIssuer,
    /// It is by somebody else.
    #[error("it is by key {found}, and the loader knows {}", list(.known))]
    UnknownKey {
        /// Who made it.
        found: KeyId,
        /// Whom the loader knows.
        known: Vec<KeyId>,
    },
    /// The octets are not those that were signed.
    #[error("what is there is not what key {by} signed")]
    Mismatch {
        /// Who signed.
        by: KeyId,
    },
    /// What is signed could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn list(keys: &[KeyId]) -> String {
    if keys.is_empty() {
        return "no key".to_owned();
    }
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A digest that the loader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// RFC 4880 section 9.4.
    fn of(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Sha256),
            10 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// RFC 8017 section 9.2, note 1: what stands before the digest.
    fn prefix(self) -> [u8; 19] {
        let (algorithm, length) = match self {
            Self::Sha256 => (1, 32),
            Self::Sha512 => (3, 64),
        };
        [
            0x30,
            length + 17,
            0x30,
            0x0d,
            0x06,
            0x09,
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            algorithm,
            0x05,
            0x00,
            0x04,
            length,
        ]
    }

    fn digest(self, content: impl Read, trailer: &[u8]) -> io::Result<Vec<u8>> {
        fn all<D: Digest>(content: impl Read, trailer: &[u8]) -> io::Result<Vec<u8>> {
            let mut digest = D::new();
            in_pieces(content, |piece| digest.update(piece))?;
            digest.update(trailer);
            Ok(digest.finalize().to_vec())
        }
        match self {
            Self::Sha256 => all::<Sha256>(content, trailer),
            Self::Sha512 => all::<Sha512>(content, trailer),
        }
    }
}

/// A public RSA key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    /// Seconds since 1970 when it was made; part of what its fingerprint is made of.
    created: u32,
    modulus: BigUint,
    exponent: BigUint,
}

impl PublicKey {
    /// What signatures name it by.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// RFC 8017 section 8.2.2: what the signature stands for has to be what the digest is encoded as.
    fn holds(&self, hash: Hash, digest: &[u8], signature: &BigUint) -> bool {
        let octets = usize::try_from(self.modulus.bits().div_ceil(8)).unwrap_or_default();
        let tail = [&[0], &hash.prefix()[..], digest].concat();
        // Eight octets of padding at least; a key that is too short for that signs nothing.
        let Some(padding) = octets.checked_sub(tail.len() + 2).filter(|padding| *padding >= 8) else {
            return false;
        };
        let encoded = [&[0, 1], &vec![0xff; padding][..], &tail].concat();
        *signature < self.modulus
            && signature.modpow(&self.exponent, &self.modulus) == BigUint::from_bytes_be(&encoded)
    }
}

/// Keys whose signatures are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<PublicKey>);

/// Why there are no keys to verify with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read the image keys in {path}: {source}; name the loader's public keys with --keys FILE")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no key ring.
    #[error(
        "{path} has no RSA key in it that the loader can read: make it with `gpg --export KEY` (without --armor) or `image keygen`"
    )]
    None {
        /// The file.
        path: String,
    },
}

impl Keys {
    /// The RSA keys of a binary key ring, as `gpg --export` and [`keygen`] write it; other packets are passed over.
    pub fn decode(ring: &[u8]) -> Self {
        let mut rest = ring;
        let mut keys = Vec::new();
        while let Ok(packet) = Packet::take(&mut rest) {
            keys.extend(PublicKey::decode(&packet));
        }
        Self(keys)
    }

    /// Reads them from a file; a file without a usable key is an error.
    pub fn read(path: &Path) -> Result<Self, KeysError> {
        let name = || path.display().to_string();
        let ring = std::fs::read(path).map_err(|source| KeysError::Io { path: name(), source })?;
        let keys = Self::decode(&ring);
        if keys.0.is_empty() { Err(KeysError::None { path: name() }) } else { Ok(keys) }
    }

    /// What signatures name them by.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(PublicKey::id).collect()
    }

    /// Who signed `content`. Reads it in pieces, to its end.
    pub fn verify(&self, content: impl Read, signature: &[u8]) -> Result<KeyId, SignatureError> {
        let packet = SignaturePacket::decode(signature)?;
        let by = packet.issuer.ok_or(SignatureError::NoIssuer)?;
        let key = self.0.iter().find(|key| key.id == by);
        let key = key.ok_or_else(|| SignatureError::UnknownKey { found: by, known: self.ids() })?;
        let digest = packet.hash.digest(content, &packet.trailer())?;
        let value = BigUint::from_bytes_be(&packet.value);
        if digest[..2] != packet.start || !key.holds(packet.hash, &digest, &value) {
            return Err(SignatureError::Mismatch { by });
        }
        Ok(by)
    }
}

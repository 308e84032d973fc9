//! OpenPGP packets: the octets of signatures and public keys.
//!
//! ```text
//! packet      old: 10tttt00 length(1) | 10tttt01 length(2) | 10tttt10 length(4)     new: 11tttttt length(1, 2 or 5)
//! signature   04 sort(00: of a file) algorithm hash hashed-length(2) hashed unhashed-length(2) unhashed start(2) MPI
//! public key  04 created(4) algorithm(01) MPI modulus, MPI exponent
//! MPI         bits(2) octets, the first one not 0
//! ```
//!
//! What is signed is the file, then the signature's own octets from version to hashed, then 04 ff and their number in four
//! octets (RFC 4880 section 5.2.4). We write the old form of lengths, as gpg does: GRUB 2.06 computes the two-octet length of
//! the new form without its 192.

use num_bigint::BigUint;
use sha1::{Digest, Sha1};

use super::{Hash, KeyId, PublicKey, SignatureError};

const SIGNATURE: u8 = 2;
const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;
const VERSION: u8 = 4;
const RSA: u8 = 1;
const RSA_SIGN_ONLY: u8 = 3;
/// Subpackets: when it was made, and by which key.
const CREATED: u8 = 2;
const ISSUER: u8 = 16;

/// Takes octets from the front and knows where it is.
struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    fn error(&self) -> SignatureError {
        SignatureError::Form { at: self.at }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], SignatureError> {
        let end = self.at.checked_add(count).ok_or_else(|| self.error())?;
        let taken = self.octets.get(self.at..end).ok_or_else(|| self.error())?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, octets: usize) -> Result<usize, SignatureError> {
        Ok(self.take(octets)?.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
    }

    fn octet(&mut self) -> Result<u8, SignatureError> {
        Ok(self.take(1)?[0])
    }

    fn mpi(&mut self) -> Result<&'a [u8], SignatureError> {
        let bits = self.number(2)?;
        self.take(bits.div_ceil(8))
    }

    /// RFC 4880 section 4.2: sort and length of what follows.
    fn header(&mut self) -> Result<(u8, usize), SignatureError> {
        let first = self.octet()?;
        let (sort, length) = match (first >> 6, first & 3) {
            (2, 0) => (first >> 2 & 15, self.number(1)?),
            (2, 1) => (first >> 2 & 15, self.number(2)?),
            (2, 2) => (first >> 2 & 15, self.number(4)?),
            (3, _) => {
                let length = match self.number(1)? {
                    short @ 0..192 => short,
                    medium @ 192..224 => ((medium - 192) << 8) + self.number(1)? + 192,
                    255 => self.number(4)?,
                    _ => return Err(self.error()),
                };
                (first & 63, length)
            }
            _ => return Err(self.error()),
        };
        Ok((sort, length))
    }
}

/// One packet of a key ring.
pub(super) struct Packet<'a> {
    sort: u8,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The next packet; `rest` is what comes behind it.
    pub(super) fn take(rest: &mut &'a [u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::new(rest);
        let (sort, length) = reader.header()?;
        let body = reader.take(length)?;
        *rest = &rest[reader.at..];
        Ok(Self { sort, body })
    }
}

/// A packet in the old form.
pub(super) fn packet(sort: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&[0x81 | sort << 2], &length.to_be_bytes()[..], body].concat()
}

fn mpi(number: &BigUint) -> Vec<u8> {
    let bits = u16::try_from(number.bits()).unwrap_or(u16::MAX);
    [&bits.to_be_bytes()[..], &number.to_bytes_be()].concat()
}

/// A signature, but for its unhashed part.
#[derive(Debug)]
pub(super) struct SignaturePacket {
    /// Version to hashed subpackets.
    pub(super) hashed: Vec<u8>,
    pub(super) hash: Hash,
    /// From the unhashed part.
    pub(super) issuer: Option<KeyId>,
    /// First octets of the digest.
    pub(super) start: [u8; 2],
    /// The number itself.
    pub(super) value: Vec<u8>,
}

impl SignaturePacket {
    /// The first packet of a file. What follows it is not looked at.
    pub(super) fn decode(octets: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::new(octets);
        let (sort, _) = reader.header()?;
        if sort != SIGNATURE {
            return Err(SignatureError::Form { at: 0 });
        }
        let from = reader.at;
        let version = reader.octet()?;
        let refuse = |what, found, wanted| Err(SignatureError::Sort { what, found, wanted });
        if version != VERSION {
            return refuse("version", version, "version 4");
        }
        let of = reader.octet()?;
        if of != 0 {
            return refuse("type", of, "those of binary files (0)");
        }
        let algorithm = reader.octet()?;
        if !matches!(algorithm, RSA | RSA_SIGN_ONLY) {
            return refuse("algorithm", algorithm, "RSA (1)");
        }
        let number = reader.octet()?;
        let Some(hash) = Hash::of(number) else {
            return refuse("digest", number, "SHA-256 (8) and SHA-512 (10): sign with --digest-algo SHA256");
        };
        let hashed = reader.number(2)?;
        reader.take(hashed)?;
        let hashed = octets[from..reader.at].to_vec();
        let unhashed = reader.number(2)?;
        let issuer = issuer(reader.take(unhashed)?);
        let start = [reader.octet()?, reader.octet()?];
        Ok(Self { hashed, hash, issuer, start, value: reader.mpi()?.to_vec() })
    }

    /// What is signed behind the file.
    pub(super) fn trailer(&self) -> Vec<u8> {
        trailer(&self.hashed)
    }
}

/// What is signed behind the file, for the octets from version to hashed subpackets.
pub(super) fn trailer(hashed: &[u8]) -> Vec<u8> {
    let length = u32::try_from(hashed.len()).unwrap_or(u32::MAX);
    [hashed, &[VERSION, 0xff], &length.to_be_bytes()].concat()
}

/// The issuer that unhashed subpackets name; of several the last, as the loader has it.
fn issuer(subpackets: &[u8]) -> Option<KeyId> {
    let mut reader = Reader::new(subpackets);
    let mut found = None;
    while reader.at < subpackets.len() {
        let length = match reader.number(1).ok()? {
            short @ 0..192 => short,
            medium @ 192..255 => ((medium - 192) << 8) + reader.number(1).ok()? + 192,
            _ => reader.number(4).ok()?,
        };
        let Ok(body) = reader.take(length) else { break };
        if let [ISSUER, id @ ..] = body {
            found = id.first_chunk().map(|id| KeyId(*id)).or(found);
        }
    }
    found
}

/// Version to hashed subpackets of a signature that we make: SHA-256, dated.
pub(super) fn hashed_part(of: u8, created: u32) -> Vec<u8> {
    let subpacket = [&[5, CREATED], &created.to_be_bytes()[..]].concat();
    [&[VERSION, of, RSA, 8, 0, 6], &subpacket[..]].concat()
}

/// The whole signature.
pub(super) fn signature(hashed: &[u8], by: KeyId, start: [u8; 2], value: &[u8]) -> Vec<u8> {
    let unhashed = [&[0, 10, 9, ISSUER], &by.0[..]].concat();
    packet(SIGNATURE, &[hashed, &unhashed, &start, &mpi(&BigUint::from_bytes_be(value))].concat())
}

impl PublicKey {
    pub(super) fn new(created: u32, modulus: BigUint, exponent: BigUint) -> Self {
        let mut key = Self { id: KeyId([0; 8]), created, modulus, exponent };
        key.id = key.key_id();
        key
    }

    /// The octets of the key, without the packet around it.
    pub(super) fn body(&self) -> Vec<u8> {
        let head = [&[VERSION], &self.created.to_be_bytes()[..], &[RSA]].concat();
        [head, mpi(&self.modulus), mpi(&self.exponent)].concat()
    }

    /// RFC 4880 section 12.2: the end of the SHA-1 of the key.
    fn key_id(&self) -> KeyId {
        let digest = Sha1::digest(key_as_signed(&self.body()));
        KeyId(digest.last_chunk().copied().unwrap_or_default())
    }

    /// `None` for what is no RSA key of version 4.
    pub(super) fn decode(packet: &Packet<'_>) -> Option<Self> {
        if !matches!(packet.sort, PUBLIC_KEY | PUBLIC_SUBKEY) {
            return None;
        }
        let mut reader = Reader::new(packet.body);
        let version = reader.octet().ok()?;
        let created = u32::try_from(reader.number(4).ok()?).ok()?;
        let algorithm = reader.octet().ok()?;
        let modulus = BigUint::from_bytes_be(reader.mpi().ok()?);
        let exponent = BigUint::from_bytes_be(reader.mpi().ok()?);
        // Even moduli are no RSA keys, and long ones cost hours: gpg makes none above 4096 bits.
        let usable = version == VERSION && algorithm == RSA && modulus.bit(0) && modulus.bits() <= 8192;
        (usable && exponent.bits() <= 64).then(|| Self::new(created, modulus, exponent))
    }

    /// The key as a packet of a key ring.
    pub(super) fn packet(&self) -> Vec<u8> {
        packet(PUBLIC_KEY, &self.body())
    }
}

/// A key as it stands in its fingerprint and in signatures over it.
pub(super) fn key_as_signed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&[0x99], &length.to_be_bytes()[..], body].concat()
}

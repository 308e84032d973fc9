//! The User-based Security Model (RFC 3414): keys of one engine, and messages that they protect.
//!
//! This engine is the authoritative one of what it sends, so it needs no answer first. RFC 3414 section 2.2 wants a number of
//! boots that grows: it is the minute of the start, so that nothing has to be kept on a disk, and two starts within a minute
//! stay within the 150 s that a receiver allows.

use std::ops::Range;

use aes::Aes128;
use cfb_mode::cipher::KeyIvInit;
use cfb_mode::{Decryptor, Encryptor};
use hmac::{Hmac, KeyInit, Mac};
use rasn_snmp::v2::{Pdus, Trap};
use rasn_snmp::v3::{HeaderData, Message, ScopedPdu, ScopedPduData, USMSecurityParameters};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use srp_core::config::{EngineId, SnmpAuth};
use srp_core::types::Span;

use super::EncodeError;

/// RFC 3414 section 2.6: a password is repeated to so many octets.
const EXPANDED: usize = 1 << 20;

/// The largest message that a receiver of ours would have to take; nothing is received here (RFC 3412 section 6.3).
const MAX_SIZE: u32 = 65_507;

/// Flags of RFC 3412 section 6.4.
const AUTH: u8 = 1;
const REPORTABLE: u8 = 4;

/// RFC 3412 section 6.5.
const USM: u32 = 3;

/// snmpEngineBoots and snmpEngineTime.
pub struct Clock {
    boots: u32,
    /// Seconds into the minute of the start.
    ahead: u32,
}

impl Clock {
    /// Of a daemon that started then, microseconds since 1970 UTC.
    pub fn of_start(started_us: u64) -> Self {
        let seconds = started_us / 1_000_000;
        let boots = u32::try_from((seconds / 60) & 0x7fff_ffff).unwrap_or_default();
        Self { boots, ahead: u32::try_from(seconds % 60).unwrap_or_default() }
    }

    /// After so long.
    pub fn at(&self, up: Span) -> (u32, u32) {
        let time = up.as_secs().saturating_add(self.ahead.into()) & 0x7fff_ffff;
        (self.boots, u32::try_from(time).unwrap_or_default())
    }
}

/// A user, with keys for this engine alone.
pub struct User {
    name: Vec<u8>,
    auth: Option<(SnmpAuth, Vec<u8>)>,
    privacy: Option<[u8; 16]>,
    salt: u64,
}

impl User {
    /// Makes the keys, which takes some milliseconds. `salt` is where the counter of encrypted messages begins: a random number.
    pub fn new(
        name: &str,
        auth: Option<&(SnmpAuth, String)>,
        privacy: Option<&str>,
        engine: &EngineId,
        salt: u64,
    ) -> Self {
        let digest = auth.map_or_else(SnmpAuth::default, |(digest, _)| *digest);
        let key = |password: &str| localized(digest, password.as_bytes(), &engine.0);
        // RFC 3826 section 1.2: the first 128 bits of the localized key.
        let privacy = privacy.and_then(|password| key(password).first_chunk().copied());
        let auth = auth.map(|(digest, password)| (*digest, key(password)));
        Self { name: name.as_bytes().to_vec(), auth, privacy, salt }
    }

    /// The whole message; `number` is that of the message.
    pub fn message(
        &mut self,
        engine: &EngineId,
        (boots, time): (u32, u32),
        number: u32,
        trap: Trap,
    ) -> Result<Vec<u8>, EncodeError> {
        // Nobody answers a trap.
        self.sealed((engine, engine), (boots, time), number, 0, Pdus::Trap(trap))
    }

    /// A message to the engine `authority` that is to be answered: by a Report, if it has to.
    pub fn request(
        &mut self,
        authority: &EngineId,
        own: &EngineId,
        clock: (u32, u32),
        number: u32,
        pdu: Pdus,
    ) -> Result<Vec<u8>, EncodeError> {
        self.sealed((authority, own), clock, number, REPORTABLE, pdu)
    }

    fn sealed(
        &mut self,
        (engine, own): (&EngineId, &EngineId),
        (boots, time): (u32, u32),
        number: u32,
        more_flags: u8,
        data: Pdus,
    ) -> Result<Vec<u8>, EncodeError> {
        let pdu = ScopedPdu { engine_id: own.0.clone().into(), name: Vec::new().into(), data };
        let (scoped_data, salt) = match &self.privacy {
            None => (ScopedPduData::CleartextPdu(pdu), Vec::new()),
            Some(key) => {
                self.salt = self.salt.wrapping_add(1);
                let mut octets = encode(&pdu)?;
                encrypt(key, (boots, time), self.salt, &mut octets);
                (ScopedPduData::EncryptedPdu(octets.into()), self.salt.to_be_bytes().to_vec())
            }
        };
        let digest_length = self.auth.as_ref().map_or(0, |(digest, _)| length(*digest));
        let after_digest = 2 + salt.len();
        let parameters = encode(&USMSecurityParameters {
            authoritative_engine_id: engine.0.clone().into(),
            authoritative_engine_boots: boots.into(),
            authoritative_engine_time: time.into(),
            user_name: self.name.clone().into(),
            authentication_parameters: vec![0; digest_length].into(),
            privacy_parameters: salt.into(),
        })?;
        let flags = u8::from(self.auth.is_some()) | u8::from(self.privacy.is_some()) << 1 | more_flags;
        let mut message = encode(&Message {
            version: 3.into(),
            global_data: HeaderData {
                message_id: number.into(),
                max_size: MAX_SIZE.into(),
                flags: vec![flags].into(),
                security_model: USM.into(),
            },
            security_parameters: parameters.clone().into(),
            scoped_data,
        })?;
        if let Some((digest, key)) = &self.auth {
            // RFC 3414 section 6.3.1: the digest is that of the whole message with zeros in its place.
            let proof = proof(*digest, key, &message);
            let parameters_at = message.windows(parameters.len()).position(|window| window == parameters);
            let at = parameters_at.map(|at| at + parameters.len() - after_digest - digest_length);
            let place = at.and_then(|at| message.get_mut(at..at + digest_length));
            let Some(place) = place else { return Err(EncodeError::new(&"no place for its digest")) };
            place.copy_from_slice(&proof[..digest_length]);
        }
        Ok(message)
    }

    /// The PDU of an answer that has the proof of this user, or what is wrong with it. A user without a password takes answers
    /// without proof.
    pub fn proved(&self, octets: &[u8], opened: Opened) -> Result<Pdus, &'static str> {
        if let Some((digest, key)) = &self.auth {
            let tag_length = length(*digest);
            let place = opened.digest_at.filter(|_| opened.flags & AUTH != 0);
            let place = place.ok_or("without proof")?;
            let mut blank = octets.to_vec();
            let tag =
                blank.get_mut(place.clone()).filter(|tag| tag.len() == tag_length).ok_or("without proof")?;
            tag.fill(0);
            let tag = octets.get(place).unwrap_or_default();
            if !is_proof(*digest, key, &blank, tag) {
                return Err("with another proof than its password gives");
            }
        }
        match (opened.scoped_data, &self.privacy) {
            (ScopedPduData::CleartextPdu(pdu), _) => Ok(pdu.data),
            (ScopedPduData::EncryptedPdu(octets), Some(key)) => {
                let salt = opened.salt.ok_or("without a salt")?;
                let mut octets = octets.to_vec();
                decrypt(key, (opened.boots, opened.time), salt, &mut octets);
                let pdu: ScopedPdu = rasn::ber::decode(&octets).map_err(|_| "not to be decrypted")?;
                Ok(pdu.data)
            }
            (ScopedPduData::EncryptedPdu(_), None) => Err("encrypted for somebody else"),
        }
    }
}

/// A message of version 3 whose proof is not looked at yet.
pub struct Opened {
    /// Number of the message.
    pub number: u32,
    /// The authoritative engine.
    pub engine: Vec<u8>,
    /// Its boots.
    pub boots: u32,
    /// Its time, seconds.
    pub time: u32,
    flags: u8,
    salt: Option<u64>,
    /// Where the digest is.
    digest_at: Option<Range<usize>>,
    scoped_data: ScopedPduData,
}

impl Opened {
    /// It is a Report in clear.
    pub fn is_report(&self) -> bool {
        matches!(&self.scoped_data, ScopedPduData::CleartextPdu(pdu) if matches!(pdu.data, Pdus::Report(_)))
    }
}

/// Takes a message apart; `None` for what is none of version 3 and this security model.
pub fn open(octets: &[u8]) -> Option<Opened> {
    let message: Message = rasn::ber::decode(octets).ok()?;
    let header = &message.global_data;
    if message.version != 3.into() || header.security_model != USM.into() {
        return None;
    }
    let raw = message.security_parameters.as_ref();
    let parameters: USMSecurityParameters = rasn::ber::decode(raw).ok()?;
    let [flags] = header.flags.as_ref() else { return None };
    let digest = parameters.authentication_parameters.len();
    // The digest stands before the salt, which ends the parameters: each has one octet of length before it.
    let behind = 2 + parameters.privacy_parameters.len();
    let at = octets.windows(raw.len()).position(|window| window == raw);
    let digest_at = at.and_then(|at| {
        let end = (at + raw.len()).checked_sub(behind)?;
        Some(end.checked_sub(digest)?..end)
    });
    Some(Opened {
        number: u32::try_from(&header.message_id).ok()?,
        engine: parameters.authoritative_engine_id.to_vec(),
        boots: u32::try_from(&parameters.authoritative_engine_boots).ok()?,
        time: u32::try_from(&parameters.authoritative_engine_time).ok()?,
        flags: *flags,
        salt: parameters.privacy_parameters.as_ref().try_into().ok().map(u64::from_be_bytes),
        digest_at,
        scoped_data: message.scoped_data,
    })
}

/// A message that asks an engine for its name and clock (RFC 3414 section 4).
pub fn question(number: u32, data: Pdus) -> Result<Vec<u8>, EncodeError> {
    let parameters = encode(&USMSecurityParameters {
        authoritative_engine_id: Vec::new().into(),
        authoritative_engine_boots: 0.into(),
        authoritative_engine_time: 0.into(),
        user_name: Vec::new().into(),
        authentication_parameters: Vec::new().into(),
        privacy_parameters: Vec::new().into(),
    })?;
    encode(&Message {
        version: 3.into(),
        global_data: HeaderData {
            message_id: number.into(),
            max_size: MAX_SIZE.into(),
            flags: vec![REPORTABLE].into(),
            security_model: USM.into(),
        },
        security_parameters: parameters.into(),
        scoped_data: ScopedPduData::CleartextPdu(ScopedPdu {
            engine_id: Vec::new().into(),
            name: Vec::new().into(),
            data,
        }),
    })
}

fn encode<T: rasn::Encode>(value: &T) -> Result<Vec<u8>, EncodeError> {
    rasn::ber::encode(value).map_err(|error| EncodeError::new(&error))
}

/// How much of a digest is sent, octets: RFC 3414 section 6.3.1 and RFC 7860 section 4.2.1.
const fn length(digest: SnmpAuth) -> usize {
    match digest {
        SnmpAuth::Sha1 => 12,
        SnmpAuth::Sha256 => 24,
    }
}

/// A password as the key of one engine (RFC 3414 appendix A.2).
fn localized(digest: SnmpAuth, password: &[u8], engine: &[u8]) -> Vec<u8> {
    match digest {
        SnmpAuth::Sha1 => localized_by::<Sha1>(password, engine),
        SnmpAuth::Sha256 => localized_by::<Sha256>(password, engine),
    }
}

fn localized_by<D: Digest>(password: &[u8], engine: &[u8]) -> Vec<u8> {
    let expanded: Vec<u8> = password.iter().copied().cycle().take(EXPANDED).collect();
    let key = D::digest(expanded);
    D::new().chain_update(&key).chain_update(engine).chain_update(&key).finalize().to_vec()
}

fn proof(digest: SnmpAuth, key: &[u8], message: &[u8]) -> Vec<u8> {
    match digest {
        SnmpAuth::Sha1 => mac::<Hmac<Sha1>>(key, message),
        SnmpAuth::Sha256 => mac::<Hmac<Sha256>>(key, message),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    <M as KeyInit>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// Compares in constant time.
fn is_proof(digest: SnmpAuth, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    match digest {
        SnmpAuth::Sha1 => is_mac::<Hmac<Sha1>>(key, message, tag),
        SnmpAuth::Sha256 => is_mac::<Hmac<Sha256>>(key, message, tag),
    }
}

fn is_mac<M: Mac + KeyInit>(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(message).verify_truncated_left(tag).is_ok())
}

/// The other way round.
fn decrypt(key: &[u8; 16], (boots, time): (u32, u32), salt: u64, octets: &mut [u8]) {
    Decryptor::<Aes128>::new(key.into(), &vector(boots, time, salt).into()).decrypt(octets);
}

/// RFC 3826 section 3.1.2.1: the initialization vector is boots, time and salt.
fn vector(boots: u32, time: u32, salt: u64) -> [u8; 16] {
    let mut vector = [0; 16];
    vector[..4].copy_from_slice(&boots.to_be_bytes());
    vector[4..8].copy_from_slice(&time.to_be_bytes());
    vector[8..].copy_from_slice(&salt.to_be_bytes());
    vector
}

fn encrypt(key: &[u8; 16], (boots, time): (u32, u32), salt: u64, octets: &mut [u8]) {
    Encryptor::<Aes128>::new(key.into(), &vector(boots, time, salt).into()).encrypt(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let octet = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(octet).collect()
    }

    /// Of the example of RFC 3414 appendix A.3.
    const ENGINE: &str = "000000000000000000000002";

    #[test]
    fn keys_are_those_of_the_example_of_rfc_3414() {
        let key = localized(SnmpAuth::Sha1, b"maplesyrup", &hex(ENGINE));
        assert_eq!(key, hex("6695febc9288e36282235fc7151f128497b38f3f"));
    }

    #[test]
    fn keys_of_sha_256_have_its_length() {
        // RFC 7860 has no example; the live test with snmptrapd has the same key at both ends.
        assert_eq!(localized(SnmpAuth::Sha256, b"maplesyrup", &hex(ENGINE)).len(), 32);
    }

    #[test]
    fn encryption_is_that_of_the_example_of_nist() {
        // SP 800-38A, F.3.13: CFB128-AES128.Encrypt, first segment.
        let key: [u8; 16] = hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().expect("16 octets");
        let mut octets = hex("6bc1bee22e409f96e93d7e117393172a");
        encrypt(&key, (0x0001_0203, 0x0405_0607), 0x0809_0a0b_0c0d_0e0f, &mut octets);
        assert_eq!(octets, hex("3b3fd92eb72dad20333449f8e83cfb4a"));
    }

    #[test]
    fn a_later_start_has_more_boots_or_a_later_time() {
        let second = |second: u64| Clock::of_start(second * 1_000_000).at(Span::ZERO);
        assert!(second(61) > second(59) && second(62) > second(61));
        assert_eq!(Clock::of_start(90_000_000).at(Span::secs(40)), (1, 70));
    }
}

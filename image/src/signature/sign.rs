//! Signing, and the keys for it.
//!
//! A key is two files: `NAME.key`, PKCS#8 in PEM as `openssl genpkey` writes it, for the machine that makes releases and nothing
//! else; and `NAME.gpg`, the same key's public half as an OpenPGP key ring, which goes into the loader and every image.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use num_bigint::BigUint;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::packet::{hashed_part, key_as_signed, packet, signature, trailer};
use super::{Keys, PublicKey};
use crate::error::ImageError;
use crate::tool::Tool;

const OPENSSL: Tool = Tool::new("openssl", "openssl");

const USER_ID: u8 = 13;
/// Sorts of signatures: over a file, and over a key with its user's name.
const OF_A_FILE: u8 = 0;
const OF_A_KEY: u8 = 0x13;

/// Why a key cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name of a key becomes a file and a user id.
    #[error("{name:?} cannot be the name of a key: use letters, digits, `-`, `_` and `.`, not `.` first")]
    Name {
        /// The name.
        name: String,
    },
    /// A key is never overwritten: what it signed could never be extended.
    #[error("{} exists and is never overwritten: move it away, or choose another name", .file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The private key is not one that can be signed with.
    #[error("{}: {why}: an RSA key of 2048 to 4096 bits in PKCS#8 PEM is wanted, as `image keygen` makes it", .file.display())]
    Private {
        /// The file.
        file: PathBuf,
        /// What the library says.
        why: String,
    },
    /// The public file beside it is of another key.
    #[error("{} is not the public half of {}: keep the two files of a key together", .public.display(), .private.display())]
    Pair {
        /// The public file.
        public: PathBuf,
        /// The private file.
        private: PathBuf,
    },
    /// The system gave no randomness.
    #[error("the system has no randomness to sign with")]
    Random,
    /// openssl could not be run.
    #[error(transparent)]
    Tool(#[from] ImageError),
}

/// The two files of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFiles {
    /// PKCS#8, PEM, mode 0600.
    pub private: PathBuf,
    /// An OpenPGP key ring with the one key.
    pub public: PathBuf,
}

impl KeyFiles {
    /// The public file stands beside the private one.
    pub fn beside(private: &Path) -> Self {
        Self { private: private.to_owned(), public: private.with_extension("gpg") }
    }
}

/// Makes a key of 3072 bits: `NAME.key` and `NAME.gpg` in `folder`. `created` is in seconds since 1970.
pub fn keygen(folder: &Path, name: &str, created: u32) -> Result<KeyFiles, KeyError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
        return Err(KeyError::Name { name: name.to_owned() });
    }
    let io = |file: &Path| {
        let file = file.to_owned();
        move |source| KeyError::Io { file, source }
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let files =
        KeyFiles { private: folder.join(format!("{name}.key")), public: folder.join(format!("{name}.gpg")) };
    for file in [&files.private, &files.public] {
        if file.exists() {
            return Err(KeyError::Exists { file: file.clone() });
        }
    }
    let mut openssl = OPENSSL.command();
    openssl.args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]);
    let pem = OPENSSL.output(&mut openssl)?;
    let pair = pair(&pem, &files.private)?;
    let key = SigningKey { public: public(&pair, created), pair };
    write(&files.private, &pem, 0o600).map_err(io(&files.private))?;
    write(&files.public, &key.ring(name)?, 0o644).map_err(io(&files.public))?;
    Ok(files)
}

fn write(file: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(file)?;
    file.write_all(octets)?;
    file.sync_all()
}

fn pair(pem: &[u8], file: &Path) -> Result<RsaKeyPair, KeyError> {
    let refuse = |why: String| KeyError::Private { file: file.to_owned(), why };
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| refuse(error.to_string()))?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|error| refuse(error.to_string()))
}

fn public(pair: &RsaKeyPair, created: u32) -> PublicKey {
    let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    PublicKey::new(created, BigUint::from_bytes_be(&parts.n), BigUint::from_bytes_be(&parts.e))
}

/// A key that signs.
pub struct SigningKey {
    pair: RsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// Reads both files of a key, and refuses two that do not belong together.
    pub fn read(files: &KeyFiles) -> Result<Self, KeyError> {
        let read =
            |file: &Path| fs::read(file).map_err(|source| KeyError::Io { file: file.to_owned(), source });
        let pair = pair(&read(&files.private)?, &files.private)?;
        let ring = Keys::decode(&read(&files.public)?);
        let of_pair = |key: &PublicKey| public(&pair, key.created) == *key;
        let public = ring
            .0
            .into_iter()
            .find(of_pair)
            .ok_or_else(|| KeyError::Pair { public: files.public.clone(), private: files.private.clone() })?;
        Ok(Self { pair, public })
    }

    /// The keys that verify what it signs.
    pub fn public(&self) -> Keys {
        Keys(vec![self.public.clone()])
    }

    /// A detached signature over `content`, with the date of the key: the same octets each time.
    pub fn sign(&self, content: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        self.sign_as(OF_A_FILE, content)
    }

    /// The octets are taken along and not copied: an image is in memory once.
    fn sign_as(&self, of: u8, mut content: Vec<u8>) -> Result<Vec<u8>, KeyError> {
        let hashed = hashed_part(of, self.public.created);
        content.extend(trailer(&hashed));
        let digest = Sha256::digest(&content);
        let mut value = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &content, &mut value);
        signed.map_err(|_| KeyError::Random)?;
        Ok(signature(&hashed, self.public.id, [digest[0], digest[1]], &value))
    }

    /// The key ring: the key, its name, and its own signature over both, without which gpg imports nothing.
    fn ring(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        let user = format!("{name} (srp-appliance images)").into_bytes();
        let length = u32::try_from(user.len()).unwrap_or(u32::MAX);
        let signed =
            [&key_as_signed(&self.public.body())[..], &[0xb4], &length.to_be_bytes(), &user].concat();
        let itself = self.sign_as(OF_A_KEY, signed)?;
        Ok([self.public.packet(), packet(USER_ID, &user), itself].concat())
    }
}

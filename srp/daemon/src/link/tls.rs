//! Mutual TLS 1.3 with pinned certificates.
//!
//! A pair has two members and no certificate authority: each is given the other's certificate as a file and accepts
//! that certificate, octet for octet, and no other. Names, issuers, chains and dates are deliberately not looked at:
//! a pin says more than they could, and a link that dies of an expired certificate at three in the morning helps
//! nobody. What is checked is the pin, and the handshake signature, which proves that the peer holds the private key.
//! Several certificates may be pinned while keys are rotated. Sessions are never resumed, so every connection proves
//! itself.
//!
//! Sources: RFC 8446 (TLS 1.3), RFC 7468 (PEM), `docs/decisions/0005-link-security.md`.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, InconsistentKeys, OtherError, ServerConfig,
    ServerConnection,
};
use sha2::{Digest, Sha256};

use super::event::Fault;
use super::pins::{NotPinned, Pins};
use crate::key_files;

/// SHA-256 of a certificate in DER, as `openssl x509 -noout -fingerprint -sha256` computes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why keys and certificates cannot be used. `key` is the configuration key that names the file.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{key} = {}: {source}; `srpctl keygen` makes a key pair", .path.display())]
    Read {
        /// Configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The file holds no such PEM section.
    #[error("{key} = {}: no usable PEM section of type {wanted} ({what})", .path.display())]
    Pem {
        /// Configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// PEM label that must be there.
        wanted: &'static str,
        /// What was found instead.
        what: String,
    },
    /// The private key is of a kind that TLS 1.3 cannot use.
    #[error("srp.tls.key = {}: {source}; ECDSA P-256 or P-384, Ed25519 and RSA keys work", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: Error,
    },
    /// Key and certificate do not belong together.
    #[error(
        "the private key {} does not belong to the certificate {}: srp.tls.key and srp.tls.certificate must name \
         two files of one `srpctl keygen`", .key.display(), .certificate.display()
    )]
    Mismatch {
        /// The private key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// The certificate cannot be read as X.509.
    #[error("srp.tls.certificate = {}: {source}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the library said.
        source: Error,
    },
    /// A chassis that would accept itself as its peer.
    #[error(
        "srp.tls.peer-certificate = {} holds our own certificate {fingerprint}: it must hold the peer's; each chassis \
         needs its own key", .path.display()
    )]
    OwnPinned {
        /// The file.
        path: PathBuf,
        /// The certificate in question.
        fingerprint: Fingerprint,
    },
}

/// Our key, our certificate and the pinned ones, ready for connections.
#[derive(Clone)]
pub struct Credentials {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    ours: Fingerprint,
    pinned: Arc<[Fingerprint]>,
    exposed_key: Option<ExposedKey>,
}

/// A private key file that others than its owner can read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "srp.tls.key = {} has mode {mode:04o}: others than its owner can read it; `chmod 600 {}`",
    .path.display(), .path.display()
)]
pub struct ExposedKey {
    path: PathBuf,
    mode: u32,
}

impl Credentials {
    /// Reads and checks the three files of `[srp.tls]`.
    pub fn load(key: &Path, certificate: &Path, peer_certificate: &Path) -> Result<Self, CredentialsError> {
        let provider = Arc::new(ring::default_provider());
        let certified = certified_key(&provider, key, certificate)?;
        let ours = certified.cert.first().map(Fingerprint::of);
        let certificates_pinned = certificates("srp.tls.peer-certificate", peer_certificate)?;
        let pinned: Vec<Fingerprint> = certificates_pinned.iter().map(Fingerprint::of).collect();
        if let Some(fingerprint) = pinned.iter().copied().find(|pin| Some(*pin) == ours) {
            return Err(CredentialsError::OwnPinned { path: peer_certificate.into(), fingerprint });
        }
        let certificate_error = |source| CredentialsError::Certificate { path: certificate.into(), source };
        let verifier = Arc::new(Pins { pinned: certificates_pinned, provider: Arc::clone(&provider) });
        let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(certified));

        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(certificate_error)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
            .with_client_cert_resolver(Arc::clone(&resolver) as _);
        client.resumption = Resumption::disabled();
        client.enable_sni = false;

        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(certificate_error)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        server.send_tls13_tickets = 0;

        Ok(Self {
            client: Arc::new(client),
            server: Arc::new(server),
            ours: ours.unwrap_or(Fingerprint([0; 32])),
            pinned: pinned.into(),
            exposed_key: exposed_key(key)?,
        })
    }

    /// The certificate that the peer must pin.
    pub const fn ours(&self) -> Fingerprint {
        self.ours
    }

    /// The certificates that the peer may show.
    pub fn pinned(&self) -> &[Fingerprint] {
        &self.pinned
    }

    /// True if a handshake with the other ones has the same outcome.
    pub fn are(&self, other: &Self) -> bool {
        // A certificate has one key, and both belong together: `load` has seen to that.
        (self.ours, &self.pinned) == (other.ours, &other.pinned)
    }

    /// What to warn of, if the private key is readable by others.
    pub const fn exposed_key(&self) -> Option<&ExposedKey> {
        self.exposed_key.as_ref()
    }

    pub(super) fn dial(&self, peer: IpAddr) -> Result<rustls::Connection, Error> {
        Ok(ClientConnection::new(Arc::clone(&self.client), ServerName::from(peer))?.into())
    }

    pub(super) fn accept(&self) -> Result<rustls::Connection, Error> {
        Ok(ServerConnection::new(Arc::clone(&self.server))?.into())
    }

    /// What an error of the TLS library means for the pair.
    pub(super) fn fault(&self, error: Error, handshaking: bool) -> Fault {
        use rustls::AlertDescription as Alert;
        match &error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
                match other.downcast_ref::<NotPinned>() {
                    Some(NotPinned(shown)) => Fault::WrongKey { shown: *shown },
                    None => Fault::Tls(error),
                }
            }
            Error::NoCertificatesPresented => Fault::NoKey,
            Error::AlertReceived(
                Alert::CertificateUnknown
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::UnsupportedCertificate,
            ) => Fault::OurKeyRefused { ours: self.ours },
            Error::InvalidMessage(_) if handshaking => Fault::NotTls,
            _ => Fault::Tls(error),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ours", &self.ours).finish_non_exhaustive()
    }
}

/// For `show srp info`: protocol, cipher suite and the certificate that the peer proved to own.
pub(super) fn security_text(tls: &rustls::Connection) -> String {
    let suite = tls
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str().map(str::to_owned))
        .unwrap_or_else(|| "unknown suite".into());
    let peer = tls
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map_or_else(|| "none".into(), |certificate| Fingerprint::of(certificate).to_string());
    format!("mutual TLS 1.3, {suite}, peer certificate {peer}")
}

fn certified_key(
    provider: &CryptoProvider,
    key: &Path,
    certificate: &Path,
) -> Result<CertifiedKey, CredentialsError> {
    let chain = certificates("srp.tls.certificate", certificate)?;
    let octets = read("srp.tls.key", key)?;
    let private = PrivateKeyDer::from_pem_slice(&octets).map_err(|error| CredentialsError::Pem {
        key: "srp.tls.key",
        path: key.into(),
        wanted: "PRIVATE KEY",
        what: error.to_string(),
    })?;
    let signer = provider
        .key_provider
        .load_private_key(private)
        .map_err(|source| CredentialsError::Key { path: key.into(), source })?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(CredentialsError::Mismatch { key: key.into(), certificate: certificate.into() })
        }
        Err(source) => Err(CredentialsError::Certificate { path: certificate.into(), source }),
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let octets = read(key, path)?;
    let pem_error =
        |what: String| CredentialsError::Pem { key, path: path.into(), wanted: "CERTIFICATE", what };
    let found = CertificateDer::pem_slice_iter(&octets)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| pem_error(error.to_string()))?;
    if found.is_empty() {
        return Err(pem_error("none found".into()));
    }
    // A pin that is no certificate would silently match nothing.
    for certificate in &found {
        rustls::server::ParsedCertificate::try_from(certificate)
            .map_err(|error| pem_error(error.to_string()))?;
    }
    Ok(found)
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, CredentialsError> {
    std::fs::read(path).map_err(|source| CredentialsError::Read { key, path: path.into(), source })
}

fn exposed_key(path: &Path) -> Result<Option<ExposedKey>, CredentialsError> {
    let mode = key_files::exposed_mode(path).map_err(|source| CredentialsError::Read {
        key: "srp.tls.key",
        path: path.into(),
        source,
    })?;
    Ok(mode.map(|mode| ExposedKey { path: path.into(), mode }))
}

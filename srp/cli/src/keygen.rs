//! `srpctl keygen`: a private key and a self-signed certificate for each chassis.
//!
//! The peers pin each other's certificate, so nothing else in it counts: it names the chassis and has no end of life
//! that could stop a pair at night.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::owner;

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeygenError {
    /// Not a name of a file.
    #[error("{name:?} cannot be the name of a chassis: use letters, digits, `-`, `_` and `.`, not `.` first")]
    Name {
        /// The name.
        name: String,
    },
    /// Two of the names are equal.
    #[error("{name} is named twice: each chassis has its own key")]
    Twice {
        /// The name.
        name: String,
    },
    /// A key is never overwritten: the pair that uses it would fall apart.
    #[error("{} exists and is never overwritten: move it away, or choose another name or folder", .file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The system refuses a file or folder.
    #[error("cannot write {}: {source}", .file.display())]
    Write {
        /// The file or folder.
        file: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// The cryptographic library refuses.
    #[error("cannot make a certificate for {name}: {source}")]
    Certificate {
        /// The name.
        name: String,
        /// Its words.
        source: rcgen::Error,
    },
}

/// Writes `NAME.key` (mode 0600) and `NAME.crt` for each name into `folder`, and says what goes where. Nothing is
/// written if one of the files exists.
pub fn keygen(folder: &Path, names: &[String]) -> Result<String, KeygenError> {
    for (index, name) in names.iter().enumerate() {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.starts_with('.') || !name.chars().all(fits) {
            return Err(KeygenError::Name { name: name.clone() });
        }
        if names[..index].contains(name) {
            return Err(KeygenError::Twice { name: name.clone() });
        }
        for file in [key_file(folder, name), certificate_file(folder, name)] {
            // A dangling link counts as existing too.
            if file.symlink_metadata().is_ok() {
                return Err(KeygenError::Exists { file });
            }
        }
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| KeygenError::Write { file: folder.to_owned(), source })?;
    for name in names {
        make(folder, name)?;
    }
    Ok(advice(folder, names))
}

fn make(folder: &Path, name: &str) -> Result<(), KeygenError> {
    let refused = |source| KeygenError::Certificate { name: name.to_owned(), source };
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused)?;
    let mut params = CertificateParams::new([name.to_owned()]).map_err(refused)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).map_err(refused)?;
    let key_file = key_file(folder, name);
    write(&key_file, 0o600, &key.serialize_pem())?;
    write(&certificate_file(folder, name), 0o644, &certificate.pem()).inspect_err(|_| {
        // A key without its certificate is of no use, and would be in the way of the next try.
        let _ = fs::remove_file(&key_file);
    })
}

/// A new file, readable by nobody else from its first moment, and on the disk when this returns.
fn write(file: &Path, mode: u32, text: &str) -> Result<(), KeygenError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => KeygenError::Exists { file: file.to_owned() },
        _ => KeygenError::Write { file: file.to_owned(), source },
    };
    let mut new = OpenOptions::new().write(true).create_new(true).mode(mode).open(file).map_err(failed)?;
    let given = owner::give(&new, owner::folder(file));
    given.and_then(|()| new.write_all(text.as_bytes())).and_then(|()| new.sync_all()).map_err(|source| {
        let _ = fs::remove_file(file);
        failed(source)
    })
}

fn key_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.key"))
}

fn certificate_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.crt"))
}

/// What goes where.
fn advice(folder: &Path, names: &[String]) -> String {
    let mut lines = Vec::new();
    for name in names {
        lines.push(format!(
            "{}  private key of {name}: stays on {name}, mode 0600",
            key_file(folder, name).display()
        ));
        let certificate = certificate_file(folder, name);
        lines.push(format!("{}  certificate of {name}: copy it to the peer", certificate.display()));
    }
    for name in names {
        let peer = match names {
            [a, b] => certificate_file(folder, if name == a { b } else { a }).display().to_string(),
            _ => "FILE COPIED FROM THE PEER".to_owned(),
        };
        lines.extend([
            String::new(),
            format!("In the configuration of {name}:"),
            "[srp.tls]".to_owned(),
            format!("key = \"{}\"", key_file(folder, name).display()),
            format!("certificate = \"{}\"", certificate_file(folder, name).display()),
            format!("peer-certificate = \"{peer}\""),
        ]);
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_private_from_birth_and_match_their_certificates() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("keys");
        keygen(&out, &names(&["east", "west"])).expect("keys are made");
        for name in ["east", "west"] {
            let mode = key_file(&out, name).metadata().expect("the key exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let key = fs::read_to_string(key_file(&out, name)).expect("the key can be read");
            let key = KeyPair::from_pem(&key).expect("the key is a key");
            let certificate = fs::read(certificate_file(&out, name)).expect("the certificate can be read");
            let der = CertificateDer::from_pem_slice(&certificate).expect("the certificate is one");
            let public = key.public_key_raw();
            assert!(der.windows(public.len()).any(|octets| octets == public), "{name}.crt is of another key");
        }
    }

    #[test]
    fn an_existing_key_is_never_overwritten_and_stops_everything() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("west.key"), "precious").expect("a file is written");
        let error = keygen(folder.path(), &names(&["east", "west"])).expect_err("west.key exists");
        assert!(matches!(&error, KeygenError::Exists { file } if file.ends_with("west.key")), "{error}");
        assert_eq!(fs::read(folder.path().join("west.key")).expect("it is there"), b"precious");
        assert!(!folder.path().join("east.key").exists(), "nothing is written by halves");
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["../east", "", ".east", "a/b", "a b"] {
            let error = keygen(folder.path(), &names(&[name])).expect_err("not a name");
            assert!(matches!(error, KeygenError::Name { .. }), "{name:?}: {error}");
        }
        let error = keygen(folder.path(), &names(&["east", "east"])).expect_err("twice");
        assert!(matches!(error, KeygenError::Twice { .. }), "{error}");
    }

    #[test]
    fn the_advice_can_be_pasted_into_the_configuration() {
        let expected = "\
k/east.key  private key of east: stays on east, mode 0600
k/east.crt  certificate of east: copy it to the peer
k/west.key  private key of west: stays on west, mode 0600
k/west.crt  certificate of west: copy it to the peer

In the configuration of east:
[srp.tls]
key = \"k/east.key\"
certificate = \"k/east.crt\"
peer-certificate = \"k/west.crt\"

In the configuration of west:
[srp.tls]
key = \"k/west.key\"
certificate = \"k/west.crt\"
peer-certificate = \"k/east.crt\"
";
        assert_eq!(advice(Path::new("k"), &names(&["east", "west"])), expected);
    }
}

//! Files that cannot be used, and addresses that cannot be had, are named with the remedy before anything opens.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use srp_core::config::Security;
use srpd::link::{Credentials, CredentialsError, LinkError};

use crate::pair::{Bench, EAST, Keys, WEST, isolate, plaintext, port, settings};

fn load(security: &Security) -> Result<Credentials, CredentialsError> {
    let Security::Tls { key, certificate, peer_certificate } = security else { panic!("TLS") };
    Credentials::load(key, certificate, peer_certificate)
}

fn error(security: &Security) -> CredentialsError {
    load(security).expect_err("these files cannot be used")
}

fn with(security: &Security, change: impl FnOnce(&mut Security)) -> Security {
    let mut changed = security.clone();
    change(&mut changed);
    changed
}

fn key_path(security: &mut Security) -> &mut std::path::PathBuf {
    let Security::Tls { key, .. } = security else { panic!("TLS") };
    key
}

fn pins_path(security: &mut Security) -> &mut std::path::PathBuf {
    let Security::Tls { peer_certificate, .. } = security else { panic!("TLS") };
    peer_certificate
}

#[test]
fn each_unusable_file_is_named_with_its_configuration_key() {
    let keys = Keys::new(&["east", "west"]);
    let good = keys.security("east", &["west"]);
    load(&good).expect("good files");
    let note = keys.path("note", "txt");
    std::fs::write(&note, "not PEM at all").expect("note");
    let torn = keys.path("torn", "crt");
    let pem = std::fs::read_to_string(keys.path("west", "crt")).expect("certificate");
    std::fs::write(&torn, &pem[..pem.len() / 2]).expect("torn");
    let wrong = |path: &Path| with(&good, |security| path.clone_into(pins_path(security)));

    let missing = error(&with(&good, |security| *key_path(security) = keys.path("absent", "key")));
    assert!(missing.to_string().starts_with("srp.tls.key = "), "{missing}");
    assert!(missing.to_string().contains("srpctl keygen"), "{missing}");
    for path in [&note, &torn, &keys.path("west", "key")] {
        let error = error(&wrong(path));
        assert!(error.to_string().starts_with("srp.tls.peer-certificate = "), "{error}");
        assert!(error.to_string().contains("CERTIFICATE"), "{error}");
    }
    let no_key = error(&with(&good, |security| *key_path(security) = keys.path("east", "crt")));
    assert!(no_key.to_string().contains("PRIVATE KEY"), "{no_key}");
    let mismatch = error(&with(&good, |security| *key_path(security) = keys.path("west", "key")));
    assert!(matches!(mismatch, CredentialsError::Mismatch { .. }), "{mismatch}");
    let own = error(&wrong(&keys.path("east", "crt")));
    assert!(matches!(own, CredentialsError::OwnPinned { .. }), "{own}");
}

#[test]
fn private_key_that_others_can_read_is_warned_of_with_the_remedy() {
    let keys = Keys::new(&["east", "west"]);
    let security = keys.security("east", &["west"]);
    assert!(load(&security).expect("good files").exposed_key().is_none());
    let key = keys.path("east", "key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("mode");
    let warning = load(&security).expect("good files").exposed_key().map(ToString::to_string);
    assert!(warning.as_deref().is_some_and(|text| text.contains("mode 0644") && text.contains("chmod 600")));
}

#[test]
fn link_does_not_open_with_files_that_cannot_be_used() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    std::fs::remove_file(keys.path("east", "key")).expect("remove");
    let settings = settings(EAST, WEST, keys.security("east", &["west"]));
    let error = Bench::new().try_open(0, settings, 1).expect_err("no key");
    assert!(matches!(error, LinkError::Credentials(CredentialsError::Read { .. })), "{error}");
}

#[test]
fn second_listener_on_the_port_is_told_where_to_look() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 1);
    let error = bench.try_open(1, plaintext(EAST, WEST), 2).expect_err("the port is taken");
    let remedy = format!("does another srpd run? `ss -ltnp sport = :{}`", port());
    assert!(error.to_string().contains(&remedy), "{error}");
}

#[test]
fn address_that_comes_up_later_can_be_listened_on_already() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext("192.0.2.1", "192.0.2.2"), 1);
    bench.open(1, plaintext("fd00:9::1", "fd00:9::2"), 2);
    bench.run_until("a failed dial", |bench| bench.end(0).link.last_trouble().is_some());
    assert!(!bench.end(0).link.is_up());
}

//! Without the right to change addresses and routes, the start says so, and says nothing else.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::start_error;

/// Run by the test below as an ordinary user, in a copy of this program.
#[test]
#[ignore = "half of a test: run as an ordinary user by `a_process_without_privilege_gets_one_clear_error`"]
fn start_as_an_ordinary_user() {
    println!("start said: {}", start_error());
}

#[test]
fn a_process_without_privilege_gets_one_clear_error() {
    // Where an ordinary user can reach it, unlike perhaps the build tree.
    let place = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let copy = place.path().join("privilege");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = Command::new(&copy)
        .args(["--ignored", "--exact", "--nocapture", "start_as_an_ordinary_user"])
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = "start said: no permission to change addresses and routes: run as root, or give the process \
                    CAP_NET_ADMIN in this network namespace";
    assert!(
        said.lines().any(|line| line.contains(expected)),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

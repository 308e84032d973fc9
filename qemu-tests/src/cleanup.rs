//! Removing what an earlier lab left when it was killed with SIGKILL.
//!
//! Every process with a lab listens on an abstract Unix socket named after its process id. The kernel takes the name away
//! when the process ends, however it ends, so a namespace whose PID has no such socket has no owner; a PID that was given
//! to another program in the meantime does not deceive us, and no lock file is left behind.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::OnceLock;

use crate::netns::{NAME_PREFIX, remove};

static SIGN_OF_LIFE: OnceLock<Option<UnixListener>> = OnceLock::new();

/// Puts up this process's sign of life, once. To be done before the first namespace is made: a lab that starts at the same
/// moment would take it for left behind.
pub(crate) fn show_life() {
    SIGN_OF_LIFE.get_or_init(|| {
        let listener = sign(std::process::id()).and_then(|address| UnixListener::bind_addr(&address).ok());
        if listener.is_none() {
            eprintln!("lab: no sign of life could be put up; a lab started later may take this one for dead");
        }
        listener
    });
}

/// Removes the namespaces of processes without a sign of life. Returns the names of what was removed.
pub fn sweep() -> Vec<String> {
    show_life();
    let mut removed = Vec::new();
    for name in names() {
        if owner(&name).is_some_and(|pid| !lives(pid)) {
            remove(&name);
            removed.push(name);
        }
    }
    removed
}

/// Removes the namespaces of the process `pid`, unless it lives. Returns the names of what was removed.
pub fn sweep_of(pid: u32) -> Vec<String> {
    let left: Vec<String> =
        if lives(pid) { Vec::new() } else { names().filter(|name| owner(name) == Some(pid)).collect() };
    for name in &left {
        remove(name);
    }
    left
}

/// Makes a panic remove the namespaces of this process where a panic aborts it (release builds) and no value is dropped.
pub fn on_abort() {
    if cfg!(panic = "abort") {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            for name in names().filter(|name| owner(name) == Some(std::process::id())) {
                remove(&name);
            }
        }));
    }
}

fn names() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten();
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

/// The process id in a namespace's name, if it is one of ours.
fn owner(name: &str) -> Option<u32> {
    let (pid, _node) = name.strip_prefix(NAME_PREFIX)?.split_once('-')?;
    pid.split('.').next()?.parse().ok()
}

fn lives(pid: u32) -> bool {
    pid == std::process::id() || sign(pid).is_some_and(|address| UnixStream::connect_addr(&address).is_ok())
}

fn sign(pid: u32) -> Option<SocketAddr> {
    SocketAddr::from_abstract_name(format!("srp-lab-{pid}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_read_from_the_name() {
        assert_eq!(owner("srplab-4711-east"), Some(4711));
        assert_eq!(owner("srplab-4711.3-r1"), Some(4711));
        for foreign in ["east", "srplab-east", "srplab-x-east", "srp-4711-here", "other-4711-east"] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }
}

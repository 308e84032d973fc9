//! What is probed, with the servers of others: FreeRADIUS and freeDiameter, each in the namespace beside the chassis.

mod freediameter;
mod freeradius;
mod pair;
mod pair_of_diameter;
mod traps;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use srp_core::api::{AuthServer, DiameterPeer, Request, Response};

use crate::support::{Daemon, PATIENCE, Place};

/// A server of others; ends with its value.
struct Server(Child);

impl Server {
    /// Runs `program` in the namespace of a place, its output in a file beside its configuration.
    fn start(place: &Place, program: &str, arguments: &[&str], log: &Path) -> Self {
        let log = fs::File::create(log).expect("a log");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place.netns.name(), program]).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("the log")).stderr(log);
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent's memory.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        Self(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"));
        kill(pid, signal).expect("the server is there");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill(); // may have ended
        let _ = self.0.wait();
    }
}

/// A program of a Debian package; without it the test fails and says its name.
fn needs(program: &str, package: &str) {
    assert!(Path::new(program).exists(), "{program} is not there: run `scripts/setup --tests` ({package})");
}

fn secret(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("{text}\n")).expect("a secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
}

fn servers(daemon: &Daemon) -> Vec<AuthServer> {
    match daemon.ask(&Request::ShowSrpMonitorAuthenticationProbe) {
        Ok(Response::AuthServers(servers)) => servers,
        other => panic!("{other:?}"),
    }
}

fn peers(daemon: &Daemon) -> Vec<DiameterPeer> {
    match daemon.ask(&Request::ShowSrpMonitorDiameter) {
        Ok(Response::DiameterPeers(peers)) => peers,
        other => panic!("{other:?}"),
    }
}

/// Waits until what is shown is so.
fn shown<T: std::fmt::Debug>(what: &str, show: impl Fn() -> Vec<T>, holds: impl Fn(&[T]) -> bool) -> Vec<T> {
    until(what, PATIENCE, Duration::from_millis(10), || {
        let all = show();
        Ok(if holds(&all) { Seen::Done(all) } else { Seen::NotYet(format!("{all:?}")) })
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

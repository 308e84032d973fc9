//! Two namespaces with a wire between them and real daemons in them, for tests. Everything ends with its value.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use srp_core::api::{BgpNeighborDetails, Request, Response, SrpInfo};
use srp_core::types::ChassisState;

/// Long enough for a loaded machine; a condition that holds is seen within milliseconds.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A chassis' place: a namespace and a folder.
pub struct Place {
    pub netns: Netns,
    pub folder: PathBuf,
    pub name: &'static str,
}

/// Two places, their SRP addresses on a wire between them, and a folder that goes with them.
pub struct Pair {
    pub east: Place,
    pub west: Place,
    _folder: tempfile::TempDir,
}

impl Pair {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let prefix = next_prefix();
        let place = |name: &'static str| Place {
            netns: Netns::create(format!("{prefix}-{name}")).expect("a namespace (needs root)"),
            folder: folder.path().to_owned(),
            name,
        };
        let (east, west) = (place("east"), place("west"));
        let wire =
            format!("link add srp index 101 type veth peer name srp index 102 netns {}", west.netns.name());
        let up = |address: &str| {
            [format!("addr add {address}/30 dev srp"), "link set srp up".into(), "link set lo up".into()]
        };
        east.netns.ip(&[wire]).expect("a wire");
        east.netns.ip(&up("192.0.2.1")).expect("east's end");
        west.netns.ip(&up("192.0.2.2")).expect("west's end");
        Self { east, west, _folder: folder }
    }

    /// Makes a key pair in the folder, as `srpctl keygen` does.
    pub fn make_keys(&self, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let write = |ending: &str, text: String| {
            let file = self.file(&format!("{name}.{ending}"));
            fs::write(&file, text).expect("a key file");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
        };
        write("crt", made.cert.pem());
        write("key", made.signing_key.serialize_pem());
    }

    /// A file of the folder that both share.
    pub fn file(&self, name: &str) -> PathBuf {
        self.east.folder.join(name)
    }
}

/// How the two ends prove who they are.
pub enum Keys<'a> {
    None,
    Files { own: &'a str, peer: &'a str },
}

impl Place {
    /// Writes a configuration with a loopback and a pool, and `more` at its end.
    pub fn configure(&self, keys: &Keys<'_>, more: &str) -> PathBuf {
        let (mode, bind, peer) = match self.name {
            "east" => ("primary", "192.0.2.1", "192.0.2.2"),
            _ => ("backup", "192.0.2.2", "192.0.2.1"),
        };
        let (plain, tls) = match keys {
            Keys::None => ("plaintext = true", String::new()),
            Keys::Files { own, peer } => (
                "",
                format!(
                    "[srp.tls]\nkey = \"{own}.key\"\ncertificate = \"{own}.crt\"\npeer-certificate = \"{peer}.crt\"\n"
                ),
            ),
        };
        let text = format!(
            r#"[srp]
chassis-mode = "{mode}"
bind-address = "{bind}"
peer-ip-address = "{peer}"
hello-interval = "50ms"
dead-interval = "300ms"
drain-interval = "0s"
{plain}
{tls}
[control]
socket = "{name}.sock"

[[context]]
name = "destination"

[[context.loopback]]
name = "service"
address = "203.0.113.1/32"
srp-activate = true

[[context.pool]]
name = "subscribers"
prefix = "172.18.0.0/16"
srp-activate = true
{more}"#,
            name = self.name
        );
        let file = self.folder.join(format!("{}.toml", self.name));
        fs::write(&file, text).expect("the configuration file");
        file
    }

    /// A daemon in this place, not waited for.
    pub fn start(&self, file: &Path) -> Daemon {
        self.start_in(file, &[])
    }

    /// The same, with more in its environment.
    pub fn start_in(&self, file: &Path, environment: &[(&str, &Path)]) -> Daemon {
        self.started(self.command(file).envs(environment.iter().copied()))
    }

    /// The same, with its log elsewhere.
    pub fn start_logging_to(&self, file: &Path, log: Stdio) -> Daemon {
        self.started(self.command(file).stderr(log))
    }

    /// The same, by a command of one's own.
    pub fn started(&self, command: &mut Command) -> Daemon {
        Daemon { child: command.spawn().expect("srpd starts"), socket: self.socket() }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!("{}.sock", self.name))
    }

    /// `srpd run FILE` in this namespace; the process is srpd itself, without anything in between.
    pub fn command(&self, file: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.netns.name(), env!("CARGO_BIN_EXE_srpd"), "run"]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        // Dies with the test, whatever happens to the test.
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent's memory.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        command
    }

    /// Exit code and standard error of a daemon that is expected not to run.
    pub fn refusal(&self, file: &Path) -> (Option<i32>, String) {
        let output = self.command(file).stderr(Stdio::piped()).output().expect("srpd starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Addresses and routes as `ip` prints them, to compare before and after.
    pub fn kernel(&self) -> String {
        let ip = |arguments: &[&str]| {
            let output =
                Command::new("ip").args(["-n", self.netns.name()]).args(arguments).output().expect("ip runs");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        ip(&["-o", "addr", "show", "lo"]) + &ip(&["route", "show", "table", "main"])
    }

    /// The service address and the pool are in the kernel.
    pub fn serves(&self) -> bool {
        let kernel = self.kernel();
        kernel.contains("203.0.113.1/32") && kernel.contains("172.18.0.0/16")
    }

    pub fn await_that(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        until(what, PATIENCE, Duration::from_millis(5), || {
            Ok(if holds(self) { Seen::Done(()) } else { Seen::NotYet(self.kernel()) })
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A running srpd.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    pub fn ask(&self, request: &Request) -> std::io::Result<Response> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&[serde_json::to_vec(request)?, b"\n".to_vec()].concat())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    pub fn info(&self) -> std::io::Result<SrpInfo> {
        match self.ask(&Request::ShowSrpInfo)? {
            Response::SrpInfo(info) => Ok(*info),
            other => Err(std::io::Error::other(format!("{other:?}"))),
        }
    }

    /// `show ip bgp neighbors NAME`, of one.
    pub fn neighbor(&self, name: &str) -> BgpNeighborDetails {
        match self.ask(&Request::ShowBgpNeighbors { neighbor: Some(name.into()) }) {
            Ok(Response::BgpNeighbors(mut all)) if all.len() == 1 => all.remove(0),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until `show srp info` says so.
    pub fn await_info(&self, what: &str, holds: impl Fn(&SrpInfo) -> bool) -> SrpInfo {
        until(what, PATIENCE, Duration::from_millis(5), || {
            Ok(match self.info() {
                Ok(info) if holds(&info) => Seen::Done(info),
                Ok(info) => Seen::NotYet(format!("{info:?}")),
                Err(error) => Seen::NotYet(error.to_string()),
            })
        })
        .unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn await_state(&self, state: ChassisState) -> SrpInfo {
        self.await_info(&format!("state {state}"), |info| info.chassis_state == state)
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("srpd is there");
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"))
    }

    /// Waits for its end.
    pub fn exit_code(mut self) -> Option<i32> {
        self.child.wait().expect("srpd ends").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill(); // may have ended
        let _ = self.child.wait();
    }
}

//! Network namespaces with a name, made by `ip netns` and removed when the value is dropped.
//!
//! Names are `srplab-PID-NODE` for the first lab of a process and `srplab-PID.N-NODE` for the next ones, so that two labs never
//! meet and whoever looks at `ip netns list` sees what belongs together. [`crate::cleanup`] reads the PID back.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cleanup;
use crate::error::LabError;

/// What every namespace of a lab starts with. Labs alone use it: what has it and no living owner is removed.
pub const NAME_PREFIX: &str = "srplab-";

static LABS: AtomicU32 = AtomicU32::new(0);

/// A prefix for the namespaces of one more lab of this process, which from now on is known to live.
pub fn next_prefix() -> String {
    cleanup::show_life();
    let pid = std::process::id();
    match LABS.fetch_add(1, Ordering::SeqCst) {
        0 => format!("{NAME_PREFIX}{pid}-"),
        lab => format!("{NAME_PREFIX}{pid}.{lab}-"),
    }
}

/// A network namespace of ours.
#[derive(Debug)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// Makes a namespace with its loopback up.
    pub fn create(name: String) -> Result<Self, LabError> {
        run_ip(&["netns", "add", &name], None)?;
        let netns = Self { name };
        netns.ip(&["link set lo up".to_owned()])?;
        Ok(netns)
    }

    /// The name, as `ip netns exec` takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace as a file, for `setns`.
    pub fn open(&self) -> Result<File, LabError> {
        let path = PathBuf::from("/run/netns").join(&self.name);
        File::open(&path).map_err(LabError::file("opening", &path))
    }

    /// Runs lines of `ip -batch` inside, all or the first error.
    pub fn ip(&self, lines: &[String]) -> Result<(), LabError> {
        batch(Some(&self.name), lines)
    }

    /// Runs `work` on a thread inside the namespace. Sockets opened there stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let file = self.open()?;
        let doing = || format!("enter namespace {}", self.name);
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(&file, CloneFlags::CLONE_NEWNET)?;
                Ok::<T, nix::Error>(work())
            });
            match inside.join() {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(LabError::Network { doing: doing(), reason: error.to_string() }),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Sets `/proc/sys/net/KEY` inside.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<(), LabError> {
        self.enter(|| {
            for (key, value) in settings {
                let path = PathBuf::from("/proc/sys/net").join(key);
                std::fs::write(&path, value).map_err(LabError::file("writing", &path))?;
            }
            Ok(())
        })?
    }

    /// Ids of all processes inside.
    pub fn processes(&self) -> Vec<Pid> {
        processes_in(&self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Kills what runs in the namespace called `name` and removes it. A part that fails is said on standard error, because
/// clean-up goes on with the rest.
pub fn remove(name: &str) {
    for process in processes_in(name) {
        // Gone already is what we want.
        let _ = kill(process, Signal::SIGKILL);
    }
    if let Err(error) = run_ip(&["netns", "del", name], None) {
        eprintln!("lab: namespace {name} stays behind: {error}");
    }
}

/// Runs lines of `ip -batch`, in the namespace `netns` or outside of all.
pub fn batch(netns: Option<&str>, lines: &[String]) -> Result<(), LabError> {
    let mut args = Vec::new();
    if let Some(netns) = netns {
        args.extend(["-n", netns]);
    }
    args.extend(["-batch", "-"]);
    run_ip(&args, Some(&lines.join("\n")))
}

/// As [`batch`] in the namespace `netns`, for lines whose family does not show from an address.
pub fn batch_v6(netns: &str, lines: &[String]) -> Result<(), LabError> {
    run_ip(&["-6", "-n", netns, "-batch", "-"], Some(&lines.join("\n")))
}

fn run_ip(args: &[&str], input: Option<&str>) -> Result<(), LabError> {
    let doing = || match input {
        Some(lines) => format!("run `ip {}` on: {}", args.join(" "), lines.replace('\n', "; ")),
        None => format!("run `ip {}`", args.join(" ")),
    };
    let mut command = Command::new("ip");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            LabError::ToolMissing { tool: "ip".to_owned(), remedy: "apt-get install iproute2".to_owned() }
        }
        _ => LabError::Network { doing: doing(), reason: source.to_string() },
    })?;
    if let (Some(mut stdin), Some(lines)) = (child.stdin.take(), input) {
        // A batch that ends early closes its input; what it said on standard error is the better story.
        let _ = stdin.write_all(lines.as_bytes()).and_then(|()| stdin.write_all(b"\n"));
    }
    let output = child
        .wait_with_output()
        .map_err(|source| LabError::Network { doing: doing(), reason: source.to_string() })?;
    if output.status.success() {
        Ok(())
    } else {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(LabError::Network { doing: doing(), reason })
    }
}

fn processes_in(name: &str) -> Vec<Pid> {
    use std::os::unix::fs::MetadataExt;
    let Ok(wanted) = std::fs::metadata(PathBuf::from("/run/netns").join(name)) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        // Our own threads may be inside for a moment; our process is not.
        .filter(|pid| *pid != own)
        .filter(|pid| {
            std::fs::metadata(format!("/proc/{pid}/ns/net"))
                .is_ok_and(|found| found.ino() == wanted.ino() && found.dev() == wanted.dev())
        })
        .filter_map(|pid| i32::try_from(pid).ok().map(Pid::from_raw))
        .collect()
}

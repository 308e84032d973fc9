//! A node that is a network namespace of this host.
//!
//! Its processes are children of the lab (never daemons), so the lab always knows what runs. Power off is as abrupt as a
//! namespace allows: all processes are stopped in their tracks (no farewell can leave), all links go down in one system
//! call, then the processes are killed and what the kernel kept for them (addresses on the loopback, routes, packet
//! filter) is wiped, as a machine without power would have lost it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnetwork::IpNetwork;
use nix::sys::signal::{Signal as Sig, kill};
use nix::unistd::Pid;

use crate::clock::Time;
use crate::error::LabError;
use crate::interrupt;
use crate::netns::{self, Netns};
use crate::node::{Job, Kind, Node, NodeError, Output, ProcessId, Program, Signal};
use crate::rtnl::Rtnl;
use crate::spawner;

/// How often a wait looks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// A link of this node, as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The link's name.
    pub name: String,
    /// Its interface index in the namespace.
    pub index: u32,
    /// Its addresses.
    pub addresses: Vec<IpNetwork>,
}

/// Where this host keeps the programs of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// The redundancy daemon.
    pub srpd: PathBuf,
    /// The operator's commands.
    pub srpctl: PathBuf,
    /// This program.
    pub lab: PathBuf,
}

/// A namespace with its links, processes and folder.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    folder: PathBuf,
    programs: Programs,
    ports: Vec<Port>,
    children: Mutex<BTreeMap<ProcessId, Child>>,
    on: AtomicBool,
    rtnl: Rtnl,
    netns: Netns, // last: dropped after everything that lives in it
}

impl Namespace {
    /// A node in `netns`, whose links exist already and are still down. Makes `folder`, sets addresses, and links up.
    pub fn new(
        name: &str,
        netns: Netns,
        ports: Vec<Port>,
        folder: PathBuf,
        programs: Programs,
    ) -> Result<Self, LabError> {
        std::fs::create_dir_all(&folder).map_err(LabError::file("making", &folder))?;
        let rtnl = Rtnl::open(&netns, &[])?;
        let node = Self {
            name: name.to_owned(),
            folder,
            programs,
            ports,
            children: Mutex::default(),
            on: AtomicBool::new(true),
            rtnl,
            netns,
        };
        node.raise(&node.ports)?;
        Ok(node)
    }

    /// The namespace itself.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The node's links.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Links up, addresses on.
    fn raise(&self, ports: &[Port]) -> Result<(), LabError> {
        let mut lines = Vec::new();
        for port in ports {
            lines.push(format!("link set {} up", port.name));
            for address in &port.addresses {
                let dad = if address.is_ipv6() { " nodad" } else { "" };
                lines.push(format!("address replace {address} dev {}{dad}", port.name));
            }
        }
        self.netns.ip(&lines)
    }

    /// What a machine without power forgets.
    fn forget(&self) -> Result<(), LabError> {
        let routes = "route flush table all".to_owned();
        self.netns.ip(&["link set lo down".to_owned(), "address flush dev lo".to_owned(), routes.clone()])?;
        netns::batch_v6(self.netns.name(), &[routes])?;
        self.netns.ip(&["link set lo up".to_owned()])?;
        // A namespace whose nft cannot be asked has no rules that this lab's programs could have made.
        let nft = Job::new("nft", ["flush", "ruleset"]);
        let _ = self.execute(&nft, Duration::from_secs(5));
        Ok(())
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<ProcessId, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn powered(&self, doing: &str) -> Result<(), NodeError> {
        if self.is_on() {
            Ok(())
        } else {
            Err(NodeError::Off { node: self.name.clone(), doing: doing.to_owned() })
        }
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = Command::new(&job.program);
        command.args(&job.args).envs(job.env.iter().cloned()).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn start(&self, job: &Job, command: Command) -> Result<Child, NodeError> {
        let failed = |source| NodeError::Start { node: self.name.clone(), line: job.line(), source };
        let netns = self.netns.open().map_err(|error| failed(io::Error::other(error.to_string())))?;
        spawner::spawn(command, Some(netns)).map_err(failed)
    }

    fn execute(&self, job: &Job, limit: Duration) -> Result<Output, NodeError> {
        let mut command = self.command(job);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start(job, command)?;
        let (done, finished) = channel();
        let out = drain(child.stdout.take(), done.clone());
        let err = drain(child.stderr.take(), done);
        let deadline = Instant::now() + limit;
        let mut closed = 0;
        while closed < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            match finished.recv_timeout(left.min(LOOK)) {
                Ok(()) => closed += 1,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if interrupt::came() => {
                    end(&mut child);
                    return Err(NodeError::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    end(&mut child);
                    return Err(NodeError::TooLong { node: self.name.clone(), line: job.line(), limit });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let status = child.wait().map_err(|source| NodeError::Start {
            node: self.name.clone(),
            line: job.line(),
            source,
        })?;
        Ok(Output {
            code: Output::code_of(status),
            stdout: out.join().unwrap_or_default(),
            stderr: err.join().unwrap_or_default(),
        })
    }

    fn file_error(&self, path: &Path) -> impl FnOnce(io::Error) -> NodeError {
        let (node, path) = (self.name.clone(), path.to_owned());
        move |source| NodeError::File { node, path, source }
    }

    fn machine_error(&self, doing: &str, error: &LabError) -> NodeError {
        NodeError::Machine { node: self.name.clone(), doing: doing.to_owned(), reason: error.to_string() }
    }
}

impl Node for Namespace {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Namespace
    }

    fn namespace(&self) -> Option<&Namespace> {
        Some(self)
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn program(&self, program: Program) -> PathBuf {
        match program {
            Program::Srpd => self.programs.srpd.clone(),
            Program::Srpctl => self.programs.srpctl.clone(),
            Program::Lab => self.programs.lab.clone(),
        }
    }

    fn spawn(&self, job: &Job) -> Result<ProcessId, NodeError> {
        self.powered(&format!("start `{}`", job.line()))?;
        let mut command = self.command(job);
        match &job.log {
            Some(name) => {
                let path = self.folder.join(name);
                let log = OpenOptions::new().create(true).append(true).open(&path);
                let log = log.map_err(self.file_error(&path))?;
                let again = log.try_clone().map_err(self.file_error(&path))?;
                command.stdout(Stdio::from(log)).stderr(Stdio::from(again));
            }
            None => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
        }
        let child = self.start(job, command)?;
        let id = ProcessId(child.id());
        self.children().insert(id, child);
        Ok(id)
    }

    fn is_running(&self, process: ProcessId) -> Result<bool, NodeError> {
        let mut children = self.children();
        let Some(child) = children.get_mut(&process) else { return Ok(false) };
        match child.try_wait() {
            Ok(None) => Ok(true),
            Ok(Some(_)) => {
                children.remove(&process);
                Ok(false)
            }
            Err(error) => Err(NodeError::Machine {
                node: self.name.clone(),
                doing: format!("look after process {}", process.0),
                reason: error.to_string(),
            }),
        }
    }

    fn signal(&self, process: ProcessId, signal: Signal) -> Result<(), NodeError> {
        // Only a child that was not waited for keeps its id, so that no stranger is ever hit.
        if self.is_running(process)? {
            let signal = match signal {
                Signal::Terminate => Sig::SIGTERM,
                Signal::Kill => Sig::SIGKILL,
                Signal::Hangup => Sig::SIGHUP,
                Signal::Stop => Sig::SIGSTOP,
                Signal::Continue => Sig::SIGCONT,
            };
            let _ = kill(pid(process), signal);
        }
        Ok(())
    }

    fn run(&self, job: &Job, limit: Duration) -> Result<Output, NodeError> {
        self.powered(&format!("run `{}`", job.line()))?;
        self.execute(job, limit)
    }

    fn put_file(&self, path: &Path, contents: &[u8], mode: u32) -> Result<(), NodeError> {
        self.powered("write a file")?;
        let path = self.folder.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(self.file_error(folder))?;
        }
        // A running program's file cannot be written to, but it can be replaced.
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(self.file_error(&path)(error));
        }
        let open = || OpenOptions::new().create_new(true).write(true).mode(mode).open(&path);
        let write = |mut file: File| {
            io::Write::write_all(&mut file, contents)?;
            file.set_permissions(PermissionsExt::from_mode(mode))
        };
        open().and_then(write).map_err(self.file_error(&path))
    }

    fn get_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        let path = self.folder.join(path);
        std::fs::read(&path).map_err(self.file_error(&path))
    }

    fn set_link(&self, link: &str, up: bool) -> Result<(), NodeError> {
        self.powered("change a link")?;
        let doing = if up { "set it up" } else { "set it down" };
        let error = |reason: String| NodeError::Link {
            node: self.name.clone(),
            link: link.to_owned(),
            doing: doing.to_owned(),
            reason,
        };
        let Some(port) = self.ports.iter().find(|port| port.name == link) else {
            return Err(error(format!("the node has no link {link}")));
        };
        self.rtnl.set_links(&[port.index], up).map_err(|source| error(source.to_string()))?;
        if up {
            // The kernel took the IPv6 addresses away when the link went down.
            self.raise(std::slice::from_ref(port)).map_err(|source| error(source.to_string()))?;
        }
        Ok(())
    }

    fn power_off(&self) -> Result<Time, NodeError> {
        let processes = self.netns.processes();
        let indices: Vec<u32> = self.ports.iter().map(|port| port.index).collect();
        let at = Time::now();
        if !self.on.swap(false, Ordering::SeqCst) {
            return Ok(at);
        }
        for process in &processes {
            // Gone already is what we want.
            let _ = kill(*process, Sig::SIGSTOP);
        }
        let down = self.rtnl.set_links(&indices, false);
        for process in self.netns.processes() {
            let _ = kill(process, Sig::SIGKILL);
        }
        for child in self.children().values_mut() {
            end(child);
        }
        self.children().clear();
        down.map_err(|source| NodeError::Link {
            node: self.name.clone(),
            link: "(all)".to_owned(),
            doing: "take the power away".to_owned(),
            reason: source.to_string(),
        })?;
        self.forget().map_err(|error| self.machine_error("forget its state", &error))?;
        Ok(at)
    }

    fn power_on(&self) -> Result<(), NodeError> {
        if !self.is_on() {
            self.raise(&self.ports).map_err(|error| self.machine_error("power on", &error))?;
            self.on.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    fn clock_ahead(&self) -> Result<i64, NodeError> {
        Ok(0) // a namespace has the host's clock
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        for child in self.children().values_mut() {
            end(child);
        }
    }
}

fn pid(process: ProcessId) -> Pid {
    Pid::from_raw(i32::try_from(process.0).unwrap_or(i32::MAX))
}

fn end(child: &mut Child) {
    // Both fail only for a child that is gone.
    let _ = child.kill();
    let _ = child.wait();
}

fn drain(
    pipe: Option<impl Read + Send + 'static>,
    done: std::sync::mpsc::Sender<()>,
) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut octets = Vec::new();
        if let Some(mut pipe) = pipe {
            // What could be read before an error is still the best there is to show.
            let _ = pipe.read_to_end(&mut octets);
        }
        let _ = done.send(());
        octets
    })
}

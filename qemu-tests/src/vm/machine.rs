//! One machine: QEMU, the agent in it, and the trait by which a scenario knows it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal as Sig, kill};
use nix::unistd::Pid;

use super::accelerator::Choice;
use super::channel::{Channel, ChannelError};
use super::frame::{Reply, Request, Task};
use super::place::{Place, tap};
use super::qmp::Qmp;
use super::{FOLDER, PORT};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::{Job, Kind, Node, NodeError, Output, ProcessId, Program, Signal};
use crate::spawner;

/// Longest start of a machine, on a host that is busy with something else.
const BOOT_LIMIT: Duration = Duration::from_mins(2);
/// Longest answer to a question that the agent answers at once, on such a host.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// What the agent needs beyond a job's own limit to report that it was reached.
const REPORT_LIMIT: Duration = Duration::from_secs(10);
/// How many questions a reading of the machine's clock takes; the quickest answer is the most exact one.
const CLOCK_READINGS: usize = 16;

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The kernel.
    pub kernel: PathBuf,
    /// The image's archive.
    pub initramfs: PathBuf,
    /// What executes it.
    pub choice: Choice,
    /// Memory in MiB.
    pub memory_mib: u32,
}

/// When the stages of a start were reached, on the host's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootTimes {
    /// QEMU was started.
    pub qemu: Time,
    /// The kernel had started the first script.
    pub init: Time,
    /// Links were up with their addresses.
    pub links: Time,
    /// Services of the image had been started.
    pub services: Time,
    /// The agent had said its first word.
    pub agent: Time,
}

/// QEMU while the machine is on.
#[derive(Debug)]
struct Running {
    child: Child,
    qmp: Qmp,
    channel: Arc<Channel>,
    started: Time,
    ready: Time,
}

/// What the watch of carriers shares with the machine.
#[derive(Debug, Default)]
struct Shared {
    running: Mutex<Option<Running>>,
}

/// A virtual machine in its place.
#[derive(Debug)]
pub struct Machine {
    name: String,
    host_folder: PathBuf,
    initramfs: PathBuf,
    parts: Parts,
    shared: Arc<Shared>,
    watch: Option<(UnixStream, JoinHandle<()>)>,
    place: Place, // last: dropped after QEMU
}

impl Machine {
    /// Makes the machine and starts it; returns when it can be used as a node. `host_folder` takes its console and what
    /// QEMU says.
    pub fn start(name: &str, place: Place, host_folder: PathBuf, parts: Parts) -> Result<Self, LabError> {
        fs::create_dir_all(&host_folder).map_err(LabError::file("making", &host_folder))?;
        let initramfs = host_folder.join("initramfs");
        let own = own_archive(name, &place, &parts.initramfs)?;
        fs::write(&initramfs, own).map_err(LabError::file("writing", &initramfs))?;
        let shared = Arc::new(Shared::default());
        let watch = watch(&place, &shared, name)?;
        let machine =
            Self { name: name.to_owned(), host_folder, initramfs, parts, shared, watch: Some(watch), place };
        machine.power_on()?;
        Ok(machine)
    }

    /// The namespace around the machine.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What executes the machine, and why.
    pub fn choice(&self) -> &Choice {
        &self.parts.choice
    }

    /// When the last start reached its stages.
    pub fn boot_times(&self) -> Result<BootTimes, NodeError> {
        let doing = "tell its times of start";
        let (qemu, agent) = {
            let running = self.running();
            let Some(running) = running.as_ref() else { return Err(self.off(doing)) };
            (running.started, running.ready)
        };
        let file = Path::new("/run/boot-times");
        let text = self.get_file(file)?;
        let text = String::from_utf8_lossy(&text);
        let ahead = self.clock_ahead()?;
        let stage = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let seconds =
                line.and_then(|seconds| Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok());
            let nanos = seconds.and_then(|seconds| i64::try_from(seconds.as_nanos()).ok());
            let host = nanos.and_then(|nanos| u64::try_from(nanos - ahead).ok()).map(Time);
            host.ok_or_else(|| self.error(doing, format!("{} has no line {name:?}: {text}", file.display())))
        };
        Ok(BootTimes {
            qemu,
            init: stage("init ")?,
            links: stage("links ")?,
            services: stage("services ")?,
            agent,
        })
    }

    /// Stops the machine in good order: services end, then the power goes. QEMU must have ended within `limit`.
    pub fn shut_down(&self, limit: Duration) -> Result<(), NodeError> {
        let doing = "shut down";
        match self.ask(doing, &Request::PowerOff, &[], ANSWER_LIMIT)? {
            (Reply::Done, _) => {}
            (other, _) => return Err(self.misfit(doing, &other)),
        }
        let deadline = Time::now() + limit;
        loop {
            if let Some(running) = self.running().as_mut()
                && running.child.try_wait().is_ok_and(|status| status.is_none())
            {
                if Time::now() >= deadline {
                    return Err(
                        self.error(doing, format!("QEMU still runs after {limit:?}{}", self.console()))
                    );
                }
            } else {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.power_off().map(|_| ())
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        lock(&self.shared)
    }

    /// Starts QEMU, waits for the agent.
    fn boot(&self) -> Result<Running, NodeError> {
        let doing = "power on";
        let error = |reason: String| self.error(doing, reason);
        let address =
            SocketAddr::from_abstract_name(self.port_name()).map_err(|source| error(source.to_string()))?;
        // Names without a file belong to a namespace: QEMU looks for this one in the place.
        let listener = self.place.netns().enter(|| UnixListener::bind_addr(&address));
        let listener = listener.map_err(|source| error(source.to_string()))?;
        let listener = listener.map_err(|source| error(format!("no socket for the agent: {source}")))?;

        let log = self.host_folder.join("qemu.log");
        let log = File::create(&log).map_err(self.file_error(&log))?;
        let mut command = self.qemu();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let netns = self.place.netns().open().map_err(|source| error(source.to_string()))?;
        let started = Time::now();
        let mut child = spawner::spawn(command, Some(netns)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                error("qemu-system-x86_64 is not on this host: apt-get install qemu-system-x86".to_owned())
            }
            _ => error(format!("qemu-system-x86_64 does not start: {source}")),
        })?;
        let connected = connect(&mut child, &listener);
        let (qmp, channel) =
            match connected.and_then(|(qmp, port)| self.greet(port).map(|channel| (qmp, channel))) {
                Ok(both) => both,
                Err(reason) => {
                    end(&mut child);
                    return Err(match reason {
                        Failure::Interrupted => NodeError::Interrupted,
                        Failure::Other(reason) => error(format!("{reason}{}{}", self.said(), self.console())),
                    });
                }
            };
        Ok(Running { child, qmp, channel: Arc::new(channel), started, ready: Time::now() })
    }

    fn greet(&self, port: UnixStream) -> Result<Channel, Failure> {
        let (channel, first) = Channel::open(port).map_err(|error| Failure::Other(error.to_string()))?;
        first.wait(BOOT_LIMIT).map_err(|error| match error {
            ChannelError::Interrupted => Failure::Interrupted,
            ChannelError::Gone => Failure::Other("QEMU ended before the agent spoke".to_owned()),
            ChannelError::Silent(_) | ChannelError::Write(_) => Failure::Other(format!(
                "the agent of the machine did not speak ({error}, on {})",
                self.parts.choice
            )),
        })?;
        Ok(channel)
    }

    fn qemu(&self) -> Command {
        let parts = &self.parts;
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-name", &self.name, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-M", "q35", "-cpu", "max", "-smp", "1", "-m", &parts.memory_mib.to_string()])
            .args(["-accel", parts.choice.accelerator.option()])
            .arg("-kernel")
            .arg(&parts.kernel)
            .arg("-initrd")
            .arg(&self.initramfs)
            // A panic ends QEMU, and with it the wait for the agent.
            .args(["-append", "console=ttyS0 quiet panic=-1"])
            .arg("-serial")
            .arg(format!("file:{}", self.host_folder.join("console.log").display()))
            .args(["-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control"])
            .args(["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"])
            .args(["-chardev", &format!("socket,id=agent,abstract=on,path={}", self.port_name())])
            .args(["-device", &format!("virtserialport,chardev=agent,name={PORT}")]);
        for at in 0..self.place.ports().len() {
            command
                .args(["-netdev", &format!("tap,id=net{at},ifname={},script=no,downscript=no", tap(at))])
                .arg("-device")
                .arg(format!(
                    "virtio-net-pci,id={},netdev=net{at},mac={},romfile=",
                    nic(at),
                    self.place.mac(at)
                ));
        }
        command
    }

    /// Only this place's QEMU can see the name, and only one QEMU runs in it.
    fn port_name(&self) -> String {
        format!("{PORT}.{}", self.name)
    }

    fn ask(
        &self,
        doing: &str,
        request: &Request,
        body: &[u8],
        limit: Duration,
    ) -> Result<(Reply, Vec<u8>), NodeError> {
        let channel = match self.running().as_ref() {
            Some(running) => Arc::clone(&running.channel),
            None => return Err(self.off(doing)),
        };
        channel.ask(request, body, limit).map_err(|error| match error {
            ChannelError::Interrupted => NodeError::Interrupted,
            // A machine that lost its power meanwhile is off, not broken.
            ChannelError::Gone if !self.is_on() => self.off(doing),
            ChannelError::Gone | ChannelError::Silent(_) | ChannelError::Write(_) => {
                self.error(doing, format!("{error}{}", self.console()))
            }
        })
    }

    fn port(&self, link: &str, doing: &str) -> Result<usize, NodeError> {
        let at = self.place.ports().iter().position(|port| port.name == link);
        at.ok_or_else(|| self.link_error(link, doing, "the node has no such link".to_owned()))
    }

    fn link_error(&self, link: &str, doing: &str, reason: String) -> NodeError {
        NodeError::Link { node: self.name.clone(), link: link.to_owned(), doing: doing.to_owned(), reason }
    }

    fn file_error(&self, path: &Path) -> impl FnOnce(io::Error) -> NodeError {
        let (node, path) = (self.name.clone(), path.to_owned());
        move |source| NodeError::File { node, path, source }
    }

    fn error(&self, doing: &str, reason: String) -> NodeError {
        NodeError::Machine { node: self.name.clone(), doing: doing.to_owned(), reason }
    }

    fn off(&self, doing: &str) -> NodeError {
        NodeError::Off { node: self.name.clone(), doing: doing.to_owned() }
    }

    /// An answer that does not fit the question: lab and image are from different builds.
    fn misfit(&self, doing: &str, reply: &Reply) -> NodeError {
        self.error(doing, format!("the agent answered {reply:?}; build the image again"))
    }

    /// The end of the machine's console, for errors.
    fn console(&self) -> String {
        tail("its console ends with", &self.host_folder.join("console.log"))
    }

    /// What QEMU said, for errors.
    fn said(&self) -> String {
        tail("QEMU said", &self.host_folder.join("qemu.log"))
    }
}

impl Node for Machine {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn folder(&self) -> &Path {
        Path::new(FOLDER)
    }

    fn program(&self, program: Program) -> PathBuf {
        PathBuf::from(match program {
            Program::Srpd => "/usr/bin/srpd",
            Program::Srpctl => "/usr/bin/srpctl",
            Program::Lab => "/usr/bin/lab",
        })
    }

    fn spawn(&self, job: &Job) -> Result<ProcessId, NodeError> {
        let doing = format!("start `{}`", job.line());
        let request = Request::Spawn { task: task(job), log: job.log.clone() };
        match self.ask(&doing, &request, &[], ANSWER_LIMIT)? {
            (Reply::Spawned { process }, _) => Ok(ProcessId(process)),
            (Reply::Failed { errno, reason }, _) => Err(self.start_error(job, errno, reason)),
            (other, _) => Err(self.misfit(&doing, &other)),
        }
    }

    fn is_running(&self, process: ProcessId) -> Result<bool, NodeError> {
        if !self.is_on() {
            return Ok(false);
        }
        let doing = format!("look after process {}", process.0);
        match self.ask(&doing, &Request::IsRunning { process: process.0 }, &[], ANSWER_LIMIT)? {
            (Reply::Running(running), _) => Ok(running),
            (other, _) => Err(self.misfit(&doing, &other)),
        }
    }

    fn signal(&self, process: ProcessId, signal: Signal) -> Result<(), NodeError> {
        let number = match signal {
            Signal::Terminate => Sig::SIGTERM,
            Signal::Kill => Sig::SIGKILL,
            Signal::Hangup => Sig::SIGHUP,
            Signal::Stop => Sig::SIGSTOP,
            Signal::Continue => Sig::SIGCONT,
        };
        let doing = format!("send {number} to process {}", process.0);
        let request = Request::Signal { process: process.0, number: number as i32 };
        match self.ask(&doing, &request, &[], ANSWER_LIMIT)? {
            (Reply::Done, _) => Ok(()),
            (Reply::Failed { reason, .. }, _) => Err(self.error(&doing, reason)),
            (other, _) => Err(self.misfit(&doing, &other)),
        }
    }

    fn run(&self, job: &Job, limit: Duration) -> Result<Output, NodeError> {
        let doing = format!("run `{}`", job.line());
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let request = Request::Run { task: task(job), limit_ms };
        match self.ask(&doing, &request, &[], limit + REPORT_LIMIT)? {
            (Reply::Ran { code, stdout_octets }, mut body) => {
                let middle = usize::try_from(stdout_octets).unwrap_or(usize::MAX).min(body.len());
                let stderr = body.split_off(middle);
                Ok(Output { code, stdout: body, stderr })
            }
            (Reply::TooLong, _) => {
                Err(NodeError::TooLong { node: self.name.clone(), line: job.line(), limit })
            }
            (Reply::Failed { errno, reason }, _) => Err(self.start_error(job, errno, reason)),
            (other, _) => Err(self.misfit(&doing, &other)),
        }
    }

    fn put_file(&self, path: &Path, contents: &[u8], mode: u32) -> Result<(), NodeError> {
        let doing = "write a file";
        let request = Request::PutFile { path: path.display().to_string(), mode };
        match self.ask(doing, &request, contents, ANSWER_LIMIT)? {
            (Reply::Done, _) => Ok(()),
            (Reply::Failed { errno, reason }, _) => Err(self.file_error(path)(refusal(errno, reason))),
            (other, _) => Err(self.misfit(doing, &other)),
        }
    }

    fn get_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        let doing = "read a file";
        let request = Request::GetFile { path: path.display().to_string() };
        match self.ask(doing, &request, &[], ANSWER_LIMIT)? {
            (Reply::File, contents) => Ok(contents),
            (Reply::Failed { errno, reason }, _) => Err(self.file_error(path)(refusal(errno, reason))),
            (other, _) => Err(self.misfit(doing, &other)),
        }
    }

    fn set_link(&self, link: &str, up: bool) -> Result<(), NodeError> {
        let doing = if up { "set it up" } else { "set it down" };
        let at = self.port(link, doing)?;
        let port = self.place.ports().get(at);
        let port =
            port.ok_or_else(|| self.link_error(link, doing, "the node has no such link".to_owned()))?;
        self.place.set(port, up).map_err(|error| self.link_error(link, doing, error.to_string()))?;
        // The watch would do the same in a moment; the caller wants it done when this returns. Up it can only go as far
        // as the far end is up too, which is for the watch to see.
        if !up && let Some(running) = self.running().as_ref() {
            running
                .qmp
                .set_link(&nic(at), up)
                .map_err(|error| self.link_error(link, doing, error.to_string()))?;
        }
        Ok(())
    }

    fn power_off(&self) -> Result<Time, NodeError> {
        let mut running = self.running();
        let at = Time::now();
        let Some(mut running) = running.take() else { return Ok(at) };
        let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap_or(i32::MAX));
        // Gone already is what we want. Killing takes the kernel a while (256 MiB to free); standing still does not.
        let _ = kill(pid, Sig::SIGSTOP);
        let down = self.place.set_all(false);
        end(&mut running.child);
        running.channel.close();
        down.map_err(|error| self.link_error("(all)", "take the power away", error.to_string()))?;
        Ok(at)
    }

    fn power_on(&self) -> Result<(), NodeError> {
        if self.is_on() {
            return Ok(());
        }
        let running = self.boot()?;
        *self.running() = Some(running);
        // The far ends get their carrier only now: a router that sees a link up may count on someone being there.
        self.place.set_all(true).map_err(|error| self.link_error("(all)", "power on", error.to_string()))
    }

    fn is_on(&self) -> bool {
        self.running().is_some()
    }

    fn clock_ahead(&self) -> Result<i64, NodeError> {
        let doing = "read its clock";
        let mut best = None;
        for _ in 0..CLOCK_READINGS {
            let before = Time::now();
            let (reply, _) = self.ask(doing, &Request::Clock, &[], ANSWER_LIMIT)?;
            let after = Time::now();
            let Reply::Clock { nanos } = reply else { return Err(self.misfit(doing, &reply)) };
            let took = after.0 - before.0;
            let middle = before.0 + took / 2;
            if best.is_none_or(|(quickest, _)| took < quickest) {
                best = Some((took, nanos.cast_signed() - middle.cast_signed()));
            }
        }
        best.map(|(_, ahead)| ahead).ok_or_else(|| self.error(doing, "no reading".to_owned()))
    }
}

impl Machine {
    fn start_error(&self, job: &Job, errno: Option<i32>, reason: String) -> NodeError {
        NodeError::Start { node: self.name.clone(), line: job.line(), source: refusal(errno, reason) }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What fails here leaves something to the namespace's own removal, which kills whatever is inside.
        let _ = self.power_off();
        if let Some((stop, thread)) = self.watch.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// Why a start failed.
enum Failure {
    Interrupted,
    Other(String),
}

/// QEMU's control connection and the agent's port. QEMU connects to the port before it greets.
fn connect(child: &mut Child, listener: &UnixListener) -> Result<(Qmp, UnixStream), Failure> {
    let other = |reason: String| Failure::Other(reason);
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(other("QEMU has no control connection".to_owned()));
    };
    let qmp = Qmp::open(input, output).map_err(|error| other(error.to_string()))?;
    listener.set_nonblocking(true).map_err(|error| other(error.to_string()))?;
    let (port, _) =
        listener.accept().map_err(|error| other(format!("QEMU has not opened the agent's port: {error}")))?;
    port.set_nonblocking(false).map_err(|error| other(error.to_string()))?;
    Ok((qmp, port))
}

/// Passes carriers that the far ends change into the machine.
fn watch(place: &Place, shared: &Arc<Shared>, name: &str) -> Result<(UnixStream, JoinHandle<()>), LabError> {
    let doing = || format!("watch the links of {name}");
    let network = |error: io::Error| LabError::Network { doing: doing(), reason: error.to_string() };
    let (stop, stopped) = UnixStream::pair().map_err(network)?;
    let watch = place.watch()?;
    let (shared, owner) = (Arc::clone(shared), name.to_owned());
    let thread = thread::Builder::new().name(format!("carrier {name}")).spawn(move || {
        let result = watch.run(&stopped, |at, carrier| {
            if let Some(running) = lock(&shared).as_ref()
                // QEMU that is gone has no guest to tell.
                && let Err(error) = running.qmp.set_link(&nic(at), carrier)
            {
                eprintln!("lab: {owner}: carrier of {} not passed on: {error}", nic(at));
            }
        });
        if let Err(error) = result {
            eprintln!("lab: {owner}: carriers are no longer passed on: {error}");
        }
    });
    Ok((stop, thread.map_err(network)?))
}

fn own_archive(name: &str, place: &Place, initramfs: &Path) -> Result<Vec<u8>, LabError> {
    let links: Vec<_> = place
        .ports()
        .iter()
        .enumerate()
        .map(|(at, port)| image::overlay::Link {
            mac: place.mac(at),
            name: port.name.clone(),
            addresses: port.addresses.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let own = image::overlay::overlay(name, &links).map_err(|error| LabError::Network {
        doing: format!("describe {name}"),
        reason: error.to_string(),
    })?;
    let shared = fs::read(initramfs).map_err(LabError::file("reading", initramfs))?;
    Ok(image::overlay::append(&shared, &own))
}

fn nic(at: usize) -> String {
    format!("nic{at}")
}

fn task(job: &Job) -> Task {
    Task { program: job.program.display().to_string(), args: job.args.clone(), env: job.env.clone() }
}

fn refusal(errno: Option<i32>, reason: String) -> io::Error {
    errno.map_or_else(|| io::Error::other(reason), io::Error::from_raw_os_error)
}

fn tail(title: &str, file: &Path) -> String {
    /// Lines that say enough.
    const LINES: usize = 12;
    let Ok(octets) = fs::read(file) else { return String::new() };
    let text = String::from_utf8_lossy(&octets);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    let mut shown = String::new();
    if !last.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(shown, "; {title} ({}):\n  {}", file.display(), last.join("\n  "));
    }
    shown
}

fn end(child: &mut Child) {
    // Both fail only for a child that is gone.
    let _ = child.kill();
    let _ = child.wait();
}

fn lock(shared: &Shared) -> MutexGuard<'_, Option<Running>> {
    shared.running.lock().unwrap_or_else(PoisonError::into_inner)
}

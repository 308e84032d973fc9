//! One machine: QEMU, the agent in it, and the trait by which a scenario knows it.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal as Sig, kill};
use nix::unistd::Pid;

use super::FOLDER;
use super::accelerator::Choice;
use super::archive;
use super::carriers;
use super::channel::ChannelError;
use super::frame::{Reply, Request, Task};
use super::place::Place;
use super::qemu::{self, AGENT, Qemu, Start, StartError, nic};
pub use super::qemu::{Boot, Disk, Parts};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::{Job, Kind, Node, NodeError, Output, ProcessId, Program, Signal};

/// Longest answer to a question that the agent answers at once, on a host that is busy with something else.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// What the agent needs beyond a job's own limit to report that it was reached.
const REPORT_LIMIT: Duration = Duration::from_secs(10);
/// How many questions a reading of the machine's clock takes; the quickest answer is the most exact one.
const CLOCK_READINGS: usize = 16;

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

/// What the watch of carriers shares with the machine.
#[derive(Debug, Default)]
struct Shared {
    running: Mutex<Option<Qemu>>,
}

/// A virtual machine in its place.
#[derive(Debug)]
pub struct Machine {
    name: String,
    host_folder: PathBuf,
    parts: Parts,
    shared: Arc<Shared>,
    watch: Option<(UnixStream, JoinHandle<()>)>,
    place: Place, // last: dropped after QEMU
}

impl Machine {
    /// Makes the machine and starts it; returns when it can be used as a node. `host_folder` takes its console and what
    /// QEMU says.
    pub fn start(name: &str, place: Place, host_folder: PathBuf, mut parts: Parts) -> Result<Self, LabError> {
        fs::create_dir_all(&host_folder).map_err(LabError::file("making", &host_folder))?;
        match &mut parts.boot {
            Boot::Kernel { initramfs, .. } => {
                let own = archive::own(name, &place, initramfs)?;
                *initramfs = host_folder.join("initramfs");
                fs::write(&*initramfs, own).map_err(LabError::file("writing", initramfs))?;
            }
            Boot::Disk(_) => {} // its own configuration names its links
        }
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let watch = carriers::watch(&place, name, move |at, carrier| match lock(&told).as_ref() {
            Some(running) => running.qmp.set_link(&nic(at), carrier),
            None => Ok(()), // QEMU that is gone has no guest to tell
        })?;
        let machine = Self { name: name.to_owned(), host_folder, parts, shared, watch: Some(watch), place };
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

    /// What it is made of.
    pub(super) fn parts(&self) -> &Parts {
        &self.parts
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
                    return Err(self.error(
                        doing,
                        format!("QEMU still runs after {limit:?}{}", qemu::console(&self.host_folder)),
                    ));
                }
            } else {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.power_off().map(|_| ())
    }

    pub(super) fn running(&self) -> MutexGuard<'_, Option<Qemu>> {
        lock(&self.shared)
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
                self.error(doing, format!("{error}{}", qemu::console(&self.host_folder)))
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

    pub(super) fn error(&self, doing: &str, reason: String) -> NodeError {
        NodeError::Machine { node: self.name.clone(), doing: doing.to_owned(), reason }
    }

    pub(super) fn off(&self, doing: &str) -> NodeError {
        NodeError::Off { node: self.name.clone(), doing: doing.to_owned() }
    }

    /// An answer that does not fit the question: lab and image are from different builds.
    fn misfit(&self, doing: &str, reply: &Reply) -> NodeError {
        self.error(doing, format!("the agent answered {reply:?}; build the image again"))
    }
}

impl Node for Machine {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> Kind {
        match self.parts.boot {
            Boot::Kernel { .. } => Kind::Machine,
            Boot::Disk(_) => Kind::Appliance,
        }
    }

    fn folder(&self) -> &Path {
        Path::new(FOLDER)
    }

    fn program(&self, program: Program) -> PathBuf {
        PathBuf::from(match program {
            Program::Srpd => "/usr/bin/srpd",
            Program::Srpctl => "/usr/bin/srpctl",
            Program::Lab => match self.parts.boot {
                Boot::Kernel { .. } => "/usr/bin/lab",
                Boot::Disk(_) => AGENT,
            },
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
        if !self.is_on() {
            return Err(self.off(doing));
        }
        self.place.set(at, up).map_err(|error| self.link_error(link, doing, error.to_string()))?;
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
        running.end();
        down.map_err(|error| self.link_error("(all)", "take the power away", error.to_string()))?;
        Ok(at)
    }

    fn power_on(&self) -> Result<(), NodeError> {
        if self.is_on() {
            return Ok(());
        }
        let plan =
            Start { name: &self.name, place: &self.place, parts: &self.parts, folder: &self.host_folder };
        let failed = |error| match plan.told(error) {
            StartError::Interrupted => NodeError::Interrupted,
            StartError::Failed(reason) => self.error("power on", reason),
        };
        let (running, booting) = plan.run().map_err(failed)?;
        *self.running() = Some(running);
        let carriers = || {
            self.place.set_all(true).map_err(|error| self.link_error("(all)", "power on", error.to_string()))
        };
        match &self.parts.boot {
            // The far ends get their carrier last: a router that sees a link up may count on someone being there.
            Boot::Kernel { .. } => {
                self.waited(booting.agent().map_err(failed))?;
                carriers()
            }
            // What it does of itself when it starts, it does over its links.
            Boot::Disk(_) => {
                carriers()?;
                self.waited(booting.agent().map_err(failed))
            }
        }
    }

    fn is_on(&self) -> bool {
        self.running().is_some()
    }

    fn machine(&self) -> Option<&Machine> {
        Some(self)
    }

    fn clock_ahead(&self) -> Result<i64, NodeError> {
        let doing = "read its clock";
        let mut best = None;
        for _ in 0..CLOCK_READINGS {
            let before = Time::now();
            let (reply, _) = self.ask(doing, &Request::Clock, &[], ANSWER_LIMIT)?;
            let after = Time::now();
            let Reply::Clock { nanos, .. } = reply else { return Err(self.misfit(doing, &reply)) };
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
    /// By how many microseconds its wall clock (since 1970) is ahead of the host's `CLOCK_MONOTONIC`. A machine sets it anew, to a
    /// second, when it starts.
    pub fn wall_ahead(&self) -> Result<i64, NodeError> {
        let doing = "read its wall clock";
        let before = Time::now();
        let (reply, _) = self.ask(doing, &Request::Clock, &[], ANSWER_LIMIT)?;
        let Reply::Clock { wall_us, .. } = reply else { return Err(self.misfit(doing, &reply)) };
        let middle_us = (before.0 + (Time::now().0 - before.0) / 2) / 1000;
        Ok(wall_us.cast_signed() - middle_us.cast_signed())
    }

    /// Notes that the agent has spoken; a machine whose agent does not is switched off.
    fn waited(&self, spoken: Result<(), NodeError>) -> Result<(), NodeError> {
        match spoken {
            Ok(()) => {
                if let Some(running) = self.running().as_mut() {
                    running.ready = Time::now();
                }
                Ok(())
            }
            Err(error) => {
                self.power_off()?;
                Err(error)
            }
        }
    }

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

fn task(job: &Job) -> Task {
    Task { program: job.program.display().to_string(), args: job.args.clone(), env: job.env.clone() }
}

fn refusal(errno: Option<i32>, reason: String) -> io::Error {
    errno.map_or_else(|| io::Error::other(reason), io::Error::from_raw_os_error)
}

fn lock(shared: &Shared) -> MutexGuard<'_, Option<Qemu>> {
    shared.running.lock().unwrap_or_else(PoisonError::into_inner)
}

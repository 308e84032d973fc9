//! QEMU as our child: its command line, its start up to the agent's first word, its end.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::PORT;
use super::accelerator::{Accelerator, Choice};
use super::channel::{Channel, ChannelError, FirstWord};
use super::console::{Console, ConsoleError};
use super::firmware::Firmware;
use super::place::{Place, tap};
use super::qmp::Qmp;
use crate::clock::Time;
use crate::spawner;

/// Longest start of a machine, on a host that is busy with something else.
const BOOT_LIMIT: Duration = Duration::from_mins(3);

/// Where a machine that starts from its disk keeps the program that is its agent; `/flash` executes nothing.
pub const AGENT: &str = "/tmp/lab";

/// The command of a machine of one processor without network, disk or any port, with a source of random numbers.
pub(super) fn bare(accelerator: Accelerator, memory_mib: u32) -> Command {
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-M", "q35", "-cpu", "max", "-smp", "1", "-m", &memory_mib.to_string()])
        .args(["-accel", accelerator.option(), "-device", "virtio-rng-pci"]);
    command
}

/// What a machine starts from.
#[derive(Clone, Debug)]
pub enum Boot {
    /// QEMU loads the development image itself; the image starts the agent.
    Kernel {
        /// The kernel.
        kernel: PathBuf,
        /// The image's archive.
        initramfs: PathBuf,
    },
    /// An appliance, from its disk.
    Disk(Disk),
}

/// An appliance's disk, and what starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// A raw image; it is written to.
    pub image: PathBuf,
    /// What starts it.
    pub firmware: Firmware,
    /// The lab's own program on the disk's `/flash`, as a path of the machine.
    pub agent: String,
}

/// What a machine is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What it starts from.
    pub boot: Boot,
    /// What executes it.
    pub choice: Choice,
    /// Memory in MiB.
    pub memory_mib: u32,
}

/// QEMU while its machine is on.
#[derive(Debug)]
pub struct Qemu {
    /// The process.
    pub child: Child,
    /// Its control connection.
    pub qmp: Qmp,
    /// The way to the agent.
    pub channel: Arc<Channel>,
    /// An appliance's console. The development image's is a file.
    pub console: Option<Arc<Mutex<Console>>>,
    /// When it was started.
    pub started: Time,
    /// When the agent had said its first word.
    pub ready: Time,
}

impl Qemu {
    /// Kills it, if it still runs; whoever waits for the agent hears that it is gone.
    pub fn end(&mut self) {
        end(&mut self.child);
        self.channel.close();
    }
}

/// Why a machine did not start.
#[derive(Debug)]
pub enum StartError {
    /// The lab was interrupted meanwhile.
    Interrupted,
    /// Something failed; in words, with the ends of the logs.
    Failed(String),
}

impl StartError {
    #[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
    fn of(error: impl ToString) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What a start needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The machine's name.
    pub name: &'a str,
    /// Where it stands.
    pub place: &'a Place,
    /// What it is made of.
    pub parts: &'a Parts,
    /// Folder on the host for its console and for what QEMU says.
    pub folder: &'a Path,
}

impl Start<'_> {
    /// Starts QEMU. The machine runs when this returns; [`Booting::agent`] waits until it can be asked.
    pub fn run(&self) -> Result<(Qemu, Booting), StartError> {
        let agent = self.listen(PORT)?;
        let console = match &self.parts.boot {
            Boot::Kernel { .. } => None,
            Boot::Disk(disk) => Some((self.listen(CONSOLE_PORT)?, disk)),
        };
        let log = File::create(self.folder.join(LOG)).map_err(StartError::of)?;
        let mut command = self.command()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let netns = self.place.netns().open().map_err(StartError::of)?;
        let started = Time::now();
        let mut child = spawner::spawn(command, Some(netns)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StartError::Failed(
                "qemu-system-x86_64 is not on this host: apt-get install qemu-system-x86".to_owned(),
            ),
            _ => StartError::Failed(format!("qemu-system-x86_64 does not start: {error}")),
        })?;
        let connected = connect(&mut child, &agent).and_then(|(qmp, port)| {
            let (channel, first) = Channel::open(port).map_err(StartError::of)?;
            let console = console.map(|(listener, disk)| Ok((open(&listener)?, disk.clone()))).transpose()?;
            Ok((qmp, channel, first, console))
        });
        match connected {
            Ok((qmp, channel, first, console)) => {
                let console = console.map(|(console, disk)| (Arc::new(Mutex::new(console)), disk));
                let qemu = Qemu {
                    child,
                    qmp,
                    channel: Arc::new(channel),
                    console: console.as_ref().map(|(console, _)| Arc::clone(console)),
                    started,
                    ready: started,
                };
                Ok((qemu, Booting { first, console, on: self.parts.choice.to_string() }))
            }
            Err(error) => {
                end(&mut child);
                Err(self.told(error))
            }
        }
    }

    /// The error with what QEMU and the machine said.
    pub fn told(&self, error: StartError) -> StartError {
        match error {
            StartError::Interrupted => StartError::Interrupted,
            StartError::Failed(reason) => {
                let said = tail("QEMU said", &self.folder.join(LOG));
                StartError::Failed(format!("{reason}{said}{}", console(self.folder)))
            }
        }
    }

    /// A socket for one of the machine's ports. Names without a file belong to a namespace: QEMU looks for this one in the place.
    fn listen(&self, port: &str) -> Result<UnixListener, StartError> {
        let address = SocketAddr::from_abstract_name(self.port_name(port)).map_err(StartError::of)?;
        let listener =
            self.place.netns().enter(|| UnixListener::bind_addr(&address)).map_err(StartError::of)?;
        listener.map_err(|error| StartError::Failed(format!("no socket for {port}: {error}")))
    }

    fn command(&self) -> Result<Command, StartError> {
        let parts = self.parts;
        let mut command = bare(parts.choice.accelerator, parts.memory_mib);
        command.args(["-name", self.name]);
        let console = self.folder.join(CONSOLE);
        match &parts.boot {
            Boot::Kernel { kernel, initramfs } => {
                command.arg("-no-reboot").arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
                // A panic ends QEMU, and with it the wait for the agent.
                command.args(["-append", "console=ttyS0 quiet panic=-1"]);
                command.arg("-serial").arg(format!("file:{}", console.display()));
            }
            Boot::Disk(disk) => {
                command.args(disk.firmware.arguments(self.folder).map_err(StartError::of)?);
                // A disk that can be pulled out.
                let image = disk.image.display();
                command
                    .args(["-device", "virtio-scsi-pci,id=scsi0", "-drive"])
                    .arg(format!("file={image},if=none,id=disk0,format=raw,cache=writeback"))
                    .args(["-device", &format!("scsi-hd,drive=disk0,bus=scsi0.0,id={DISK}")]);
                let (name, file) = (self.port_name(CONSOLE_PORT), console.display());
                command
                    .args(["-chardev", &format!("socket,id=console,abstract=on,path={name},logfile={file}")])
                    .args(["-serial", "chardev:console"]);
            }
        }
        command
            .args(["-chardev", "stdio,id=qmp,signal=off", "-mon", "chardev=qmp,mode=control"])
            .args(["-device", "virtio-serial-pci"])
            .args(["-chardev", &format!("socket,id=agent,abstract=on,path={}", self.port_name(PORT))])
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
        Ok(command)
    }

    /// Only this place's QEMU can see the name, and only one QEMU runs in it.
    fn port_name(&self, port: &str) -> String {
        format!("{port}.{}", self.name)
    }
}

/// A machine whose agent has not spoken yet.
#[derive(Debug)]
pub struct Booting {
    first: FirstWord,
    console: Option<(Arc<Mutex<Console>>, Disk)>,
    on: String,
}

impl Booting {
    /// Waits for the agent's first word; starts it first, at the console, where the machine does not.
    pub fn agent(self) -> Result<(), StartError> {
        if let Some((console, disk)) = self.console {
            let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
            start_agent(&mut console, &disk, BOOT_LIMIT).map_err(StartError::of)?;
        }
        self.first.wait(BOOT_LIMIT).map_err(|error| match error {
            ChannelError::Interrupted => StartError::Interrupted,
            ChannelError::Gone => StartError::Failed("QEMU ended before the agent spoke".to_owned()),
            ChannelError::Silent(_) | ChannelError::Write(_) => StartError::Failed(format!(
                "the agent of the machine did not speak ({error}, on {})",
                self.on
            )),
        })
    }
}

/// The console behind a port that QEMU has opened.
fn open(listener: &UnixListener) -> Result<Console, StartError> {
    let port = accept(listener)?;
    let keyboard = port.try_clone().map_err(StartError::of)?;
    Ok(Console::open(port, keyboard))
}

/// Logs in at the prompt that is next, within `limit`, and starts the agent. Its first word comes over its own port.
pub fn start_agent(console: &mut Console, disk: &Disk, limit: Duration) -> Result<(), ConsoleError> {
    console.log_in(limit)?;
    let (from, to) = (&disk.agent, AGENT);
    let begin =
        format!("cp {from} {to} && chmod 700 {to} && {{ {to} agent </dev/null >/var/log/lab-agent 2>&1 & }}");
    let ran = console.run(&begin, limit)?;
    if ran.code == 0 { Ok(()) } else { Err(ConsoleError::Failed { line: begin, ran }) }
}

/// The name of an appliance's disk, for QMP.
pub const DISK: &str = "disk";

/// The name of network device `at`, for QMP.
pub fn nic(at: usize) -> String {
    format!("nic{at}")
}

/// The end of the console that is kept in `folder`, for errors.
pub fn console(folder: &Path) -> String {
    tail("its console ends with", &folder.join(CONSOLE))
}

/// Name of the port to an appliance's console.
const CONSOLE_PORT: &str = "srp.console";

/// Names of the files in a machine's folder on the host.
const CONSOLE: &str = "console.log";
const LOG: &str = "qemu.log";

/// QEMU's control connection and the agent's port. QEMU connects to the port before it greets.
fn connect(child: &mut Child, listener: &UnixListener) -> Result<(Qmp, UnixStream), StartError> {
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(StartError::Failed("QEMU has no control connection".to_owned()));
    };
    let qmp = Qmp::open(input, output).map_err(StartError::of)?;
    Ok((qmp, accept(listener)?))
}

/// A port, which QEMU has opened when it greets.
fn accept(listener: &UnixListener) -> Result<UnixStream, StartError> {
    listener.set_nonblocking(true).map_err(StartError::of)?;
    let (port, _) = listener
        .accept()
        .map_err(|error| StartError::Failed(format!("QEMU has not opened a port: {error}")))?;
    port.set_nonblocking(false).map_err(StartError::of)?;
    Ok(port)
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

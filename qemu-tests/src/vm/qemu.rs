//! QEMU as our child: its command line, its start up to the agent's first word, its end.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::PORT;
use super::accelerator::Choice;
use super::channel::{Channel, ChannelError};
use super::place::{Place, tap};
use super::qmp::Qmp;
use crate::clock::Time;
use crate::spawner;

/// Longest start of a machine, on a host that is busy with something else.
const BOOT_LIMIT: Duration = Duration::from_mins(2);

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

/// QEMU while its machine is on.
#[derive(Debug)]
pub struct Qemu {
    /// The process.
    pub child: Child,
    /// Its control connection.
    pub qmp: Qmp,
    /// The way to the agent.
    pub channel: Arc<Channel>,
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
    /// The image's archive with the machine's own behind it.
    pub initramfs: &'a Path,
    /// Folder on the host for its console and for what QEMU says.
    pub folder: &'a Path,
}

impl Start<'_> {
    /// Starts QEMU and waits for the agent.
    pub fn run(&self) -> Result<Qemu, StartError> {
        let address = SocketAddr::from_abstract_name(self.port_name()).map_err(StartError::of)?;
        // Names without a file belong to a namespace: QEMU looks for this one in the place.
        let listener =
            self.place.netns().enter(|| UnixListener::bind_addr(&address)).map_err(StartError::of)?;
        let listener =
            listener.map_err(|error| StartError::Failed(format!("no socket for the agent: {error}")))?;
        let log = File::create(self.folder.join(LOG)).map_err(StartError::of)?;
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::from(log));
        let netns = self.place.netns().open().map_err(StartError::of)?;
        let started = Time::now();
        let mut child = spawner::spawn(command, Some(netns)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StartError::Failed(
                "qemu-system-x86_64 is not on this host: apt-get install qemu-system-x86".to_owned(),
            ),
            _ => StartError::Failed(format!("qemu-system-x86_64 does not start: {error}")),
        })?;
        let connected = connect(&mut child, &listener);
        match connected.and_then(|(qmp, port)| Ok((qmp, self.greet(port)?))) {
            Ok((qmp, channel)) => {
                Ok(Qemu { child, qmp, channel: Arc::new(channel), started, ready: Time::now() })
            }
            Err(error) => {
                end(&mut child);
                Err(match error {
                    StartError::Interrupted => StartError::Interrupted,
                    StartError::Failed(reason) => {
                        let said = tail("QEMU said", &self.folder.join(LOG));
                        StartError::Failed(format!("{reason}{said}{}", console(self.folder)))
                    }
                })
            }
        }
    }

    fn greet(&self, port: UnixStream) -> Result<Channel, StartError> {
        let (channel, first) = Channel::open(port).map_err(StartError::of)?;
        first.wait(BOOT_LIMIT).map_err(|error| match error {
            ChannelError::Interrupted => StartError::Interrupted,
            ChannelError::Gone => StartError::Failed("QEMU ended before the agent spoke".to_owned()),
            ChannelError::Silent(_) | ChannelError::Write(_) => StartError::Failed(format!(
                "the agent of the machine did not speak ({error}, on {})",
                self.parts.choice
            )),
        })?;
        Ok(channel)
    }

    fn command(&self) -> Command {
        let parts = self.parts;
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-name", self.name, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
            .args(["-M", "q35", "-cpu", "max", "-smp", "1", "-m", &parts.memory_mib.to_string()])
            .args(["-accel", parts.choice.accelerator.option()])
            .arg("-kernel")
            .arg(&parts.kernel)
            .arg("-initrd")
            .arg(self.initramfs)
            // A panic ends QEMU, and with it the wait for the agent.
            .args(["-append", "console=ttyS0 quiet panic=-1"])
            .arg("-serial")
            .arg(format!("file:{}", self.folder.join(CONSOLE).display()))
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
}

/// The name of network device `at`, for QMP.
pub fn nic(at: usize) -> String {
    format!("nic{at}")
}

/// The end of the console that is kept in `folder`, for errors.
pub fn console(folder: &Path) -> String {
    tail("its console ends with", &folder.join(CONSOLE))
}

/// Names of the files in a machine's folder on the host.
const CONSOLE: &str = "console.log";
const LOG: &str = "qemu.log";

/// QEMU's control connection and the agent's port. QEMU connects to the port before it greets.
fn connect(child: &mut Child, listener: &UnixListener) -> Result<(Qmp, UnixStream), StartError> {
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(StartError::Failed("QEMU has no control connection".to_owned()));
    };
    let qmp = Qmp::open(input, output).map_err(StartError::of)?;
    listener.set_nonblocking(true).map_err(StartError::of)?;
    let (port, _) = listener
        .accept()
        .map_err(|error| StartError::Failed(format!("QEMU has not opened the agent's port: {error}")))?;
    port.set_nonblocking(false).map_err(StartError::of)?;
    Ok((qmp, port))
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

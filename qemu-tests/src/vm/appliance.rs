//! The appliance as a machine of its own: firmware, disk and a serial port, and nobody inside who answers but a login.
//!
//! Unlike [`super::Machine`] it starts from its disk, as hardware does, and it has no agent: what it says is read from its
//! serial port, and what it is to do is typed there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::accelerator::Choice;
use super::console::{Console, ConsoleError};
pub use super::firmware::Firmware;
use super::firmware::FirmwareError;
use super::qemu;
use super::writes::SECTOR;
use crate::clock::Time;
use crate::error::LabError;
use crate::netns::Netns;
use crate::spawner;

/// What the machine's interface has to have for its address in a namespace; QEMU answers for all others of 10.0.2.0/24, and passes what
/// is sent to [`HOST`] on to the loopback of the namespace.
pub const ADDRESS: &str = "10.0.2.15";
/// The namespace, as the machine sees it.
pub const HOST: &str = "10.0.2.2";
/// The port on the loopback of the namespace that leads to the machine's port 22.
pub const SSH_PORT: u16 = 2222;

/// What a machine is started with.
#[derive(Clone, Debug)]
pub struct Hardware<'a> {
    /// Its disk, a raw image; it is written to.
    pub disk: &'a Path,
    /// What starts the disk.
    pub firmware: Firmware,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// What executes it.
    pub choice: &'a Choice,
    /// Folder on the host for the variables of UEFI.
    pub folder: &'a Path,
    /// Kernel, initrd and command line, for QEMU to start itself instead of the disk's loader.
    pub direct: Option<(&'a Path, &'a Path, &'a str)>,
    /// A namespace for QEMU, with one interface in the machine that leads into it; without one there is none.
    pub network: Option<&'a Netns>,
    /// A file for the log of its writes to the disk ([`super::writes`]).
    pub writes: Option<&'a Path>,
}

/// A machine that is on. It is switched off, as if its plug were pulled, when the value goes.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    console: Console,
    started: Time,
}

/// Why a machine did not do what was expected; the text ends with what it said.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// Something that it needs is not on this host.
    #[error("{path} is not on this host: apt-get install {package}")]
    Lacks {
        /// The file or program.
        path: PathBuf,
        /// The package that has it.
        package: &'static str,
    },
    /// Its namespace cannot be used.
    #[error(transparent)]
    Network(#[from] LabError),
    /// It did not start, or a file could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// Its firmware is not to be had.
    #[error(transparent)]
    Firmware(#[from] FirmwareError),
    /// It did not say what was waited for, or cannot be typed to.
    #[error(transparent)]
    Console(#[from] ConsoleError),
}

/// The option that is the disk.
fn drive(hardware: &Hardware<'_>) -> Result<String, ApplianceError> {
    let disk = hardware.disk.display();
    let Some(log) = hardware.writes else {
        return Ok(format!("file={disk},if=virtio,format=raw,cache=writeback"));
    };
    File::create(log).map_err(|source| ApplianceError::Io { what: "beginning the log of writes", source })?;
    Ok(format!(
        "if=virtio,driver=blklogwrites,log-sector-size={SECTOR},file.driver=file,file.filename={disk},log.driver=file,log.filename={}",
        log.display()
    ))
}

impl Appliance {
    /// Switches a machine on.
    pub fn start(hardware: &Hardware<'_>) -> Result<Self, ApplianceError> {
        let mut command = qemu::bare(hardware.choice.accelerator, hardware.memory_mib);
        command
            .args(["-serial", "stdio", "-drive"])
            .arg(drive(hardware)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command.args(hardware.firmware.arguments(hardware.folder)?);
        if let Some((kernel, initrd, line)) = hardware.direct {
            command.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd).args(["-append", line]);
        }
        let netns = hardware.network.map(Netns::open).transpose()?;
        if netns.is_some() {
            let forward = format!("hostfwd=tcp:127.0.0.1:{SSH_PORT}-{ADDRESS}:22");
            command.args(["-netdev", &format!("user,id=net0,{forward}")]);
            command.args(["-device", "virtio-net-pci,netdev=net0,romfile="]);
        }
        let started = Time::now();
        let mut child = spawner::spawn(command, netns).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                ApplianceError::Lacks { path: "qemu-system-x86_64".into(), package: "qemu-system-x86" }
            }
            _ => ApplianceError::Io { what: "starting qemu-system-x86_64", source },
        })?;
        let (Some(keyboard), Some(port)) = (child.stdin.take(), child.stdout.take()) else {
            let source = io::Error::from(io::ErrorKind::BrokenPipe);
            return Err(ApplianceError::Io { what: "opening the serial port", source });
        };
        Ok(Self { child, console: Console::open(port, keyboard), started })
    }

    /// Waits until the machine has said `wanted` behind what was waited for before; how long after its start that was.
    pub fn hear(&mut self, wanted: &str, limit: Duration) -> Result<Duration, ApplianceError> {
        Ok(self.console.hear(wanted, limit)?.since(self.started))
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<(), ApplianceError> {
        Ok(self.console.type_line(line)?)
    }

    /// Logs in as root at the prompt that is next.
    pub fn log_in(&mut self, limit: Duration) -> Result<(), ApplianceError> {
        Ok(self.console.log_in(limit)?)
    }

    /// Runs a command in the shell that was logged into; what it printed.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<String, ApplianceError> {
        Ok(self.console.run(command, limit)?.text)
    }

    /// All that it has said and that was waited for.
    pub fn said(&self) -> &str {
        self.console.said()
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Both fail only for a child that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

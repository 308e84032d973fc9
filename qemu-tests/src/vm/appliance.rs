//! The appliance as a machine of its own: firmware, disk and a serial port, and nobody inside who answers but a login.
//!
//! Unlike [`super::Machine`] it starts from its disk, as hardware does, and it has no agent: what it says is read from its
//! serial port, and what it is to do is typed there.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::accelerator::Choice;
use crate::clock::Time;
use crate::error::LabError;
use crate::netns::Netns;
use crate::spawner;

/// Where Debian's package ovmf puts the UEFI firmware: its code, and the variables that each machine has for itself.
const OVMF: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// What the machine's interface has to have for its address in a namespace; QEMU answers for all others of 10.0.2.0/24, and passes what
/// is sent to [`HOST`] on to the loopback of the namespace.
pub const ADDRESS: &str = "10.0.2.15";
/// The namespace, as the machine sees it.
pub const HOST: &str = "10.0.2.2";
/// The port on the loopback of the namespace that leads to the machine's port 22.
pub const SSH_PORT: u16 = 2222;

/// What starts the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// `SeaBIOS`, which QEMU brings.
    Bios,
    /// OVMF.
    Uefi,
}

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
}

/// A machine that is on. It is switched off, as if its plug were pulled, when the value goes.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    keyboard: ChildStdin,
    serial: Receiver<(Time, Vec<u8>)>,
    said: String,
    heard: usize,
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
    /// It did not say what was waited for.
    #[error("the machine did not say {wanted:?} {why}; it said:\n{said}")]
    Silent {
        /// What was waited for.
        wanted: String,
        /// How the wait ended.
        why: String,
        /// All that it said.
        said: String,
    },
}

impl Appliance {
    /// Switches a machine on.
    pub fn start(hardware: &Hardware<'_>) -> Result<Self, ApplianceError> {
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args([
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-M",
                "q35",
                "-cpu",
                "max",
                "-smp",
                "1",
            ])
            .args(["-m", &hardware.memory_mib.to_string(), "-accel", hardware.choice.accelerator.option()])
            .args(["-serial", "stdio", "-device", "virtio-rng-pci"])
            .arg("-drive")
            .arg(format!("file={},if=virtio,format=raw,cache=writeback", hardware.disk.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        if hardware.firmware == Firmware::Uefi {
            let [code, variables] = OVMF.map(Path::new);
            if !code.exists() {
                return Err(ApplianceError::Lacks { path: code.to_owned(), package: "ovmf" });
            }
            let own = hardware.folder.join("uefi-variables.fd");
            fs::copy(variables, &own)
                .map_err(|source| ApplianceError::Io { what: "copying the variables of UEFI", source })?;
            command.arg("-drive").arg(format!("if=pflash,format=raw,readonly=on,file={}", code.display()));
            command.arg("-drive").arg(format!("if=pflash,format=raw,file={}", own.display()));
        }
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
        let (Some(keyboard), Some(mut port)) = (child.stdin.take(), child.stdout.take()) else {
            let source = io::Error::from(io::ErrorKind::BrokenPipe);
            return Err(ApplianceError::Io { what: "opening the serial port", source });
        };
        let (sender, serial) = channel();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(read @ 1..) = port.read(&mut octets) {
                if sender.send((Time::now(), octets[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, keyboard, serial, said: String::new(), heard: 0, started })
    }

    /// Waits until the machine has said `wanted` behind what was waited for before; how long after its start that was.
    pub fn hear(&mut self, wanted: &str, limit: Duration) -> Result<Duration, ApplianceError> {
        let mut at = Time::now();
        let end = at + limit;
        loop {
            if let Some(place) = self.said[self.heard..].find(wanted) {
                self.heard += place + wanted.len();
                return Ok(at.since(self.started));
            }
            let silent = |why: String, said: &str| {
                let (wanted, said) = (wanted.to_owned(), said.to_owned());
                Err(ApplianceError::Silent { wanted, why, said })
            };
            match self.serial.recv_timeout(end.since(Time::now())) {
                Ok((time, octets)) => {
                    at = time;
                    self.said.push_str(&String::from_utf8_lossy(&octets));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return silent(format!("within {} s", limit.as_secs()), &self.said);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return silent("before it ended".to_owned(), &self.said);
                }
            }
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<(), ApplianceError> {
        let typed = writeln!(self.keyboard, "{line}").and_then(|()| self.keyboard.flush());
        typed.map_err(|source| ApplianceError::Io { what: "typing", source })
    }

    /// Logs in as root at the prompt that is next.
    pub fn log_in(&mut self, limit: Duration) -> Result<(), ApplianceError> {
        self.hear("login: ", limit)?;
        self.type_line("root")?;
        self.hear("# ", limit)?;
        Ok(())
    }

    /// Runs a command in the shell that was logged into; what it printed.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<String, ApplianceError> {
        // The shell echoes what is typed: the marks are other words there than in its output.
        self.type_line(&format!("echo beg''in; {command}; echo en''d"))?;
        self.hear("begin\r\n", limit)?;
        let from = self.heard;
        self.hear("end\r\n", limit)?;
        let to = self.heard - "end\r\n".len();
        Ok(self.said[from..to].replace('\r', ""))
    }

    /// All that it has said and that was waited for.
    pub fn said(&self) -> &str {
        &self.said[..self.heard]
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        // Both fail only for a child that is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Whether KVM can be trusted on this host, found out by running something in it.
//!
//! A `/dev/kvm` that opens proves little: inside another hypervisor without nested virtualisation a guest may never execute
//! its first instruction, and QEMU says nothing. So a machine of one disk sector is started: its firmware runs as in any
//! machine, loads the sector, and the sector writes one octet to a port that makes QEMU end with a status of our choice.
//! No such end within [`LIMIT`], or any other end, and machines are emulated instead.

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::spawner;

/// Time given to the probe. A working KVM needs well under a second.
pub const LIMIT: Duration = Duration::from_secs(4);

/// How often the probe's end is looked for; there is no event that would not need a thread.
const LOOK: Duration = Duration::from_millis(10);

/// What the sector writes, and what QEMU makes of it (`isa-debug-exit`: twice the octet plus one).
const OCTET: u8 = 0x21;
const STATUS: i32 = 2 * OCTET as i32 + 1;

/// What executes a guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor, through the kernel's KVM.
    Kvm,
    /// QEMU's translator: slower by an order of magnitude, but always there.
    Tcg,
}

impl Accelerator {
    /// As `qemu -accel` takes it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }
}

/// An accelerator and why it was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What machines run on.
    pub accelerator: Accelerator,
    /// Why, for the report.
    pub why: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.accelerator {
            Accelerator::Kvm => "KVM",
            Accelerator::Tcg => "TCG (emulation)",
        };
        write!(f, "{name}: {}", self.why)
    }
}

/// Chooses: KVM if a probe guest runs in it, else TCG with the reason.
pub fn choose() -> Choice {
    let tcg = |why: String| Choice { accelerator: Accelerator::Tcg, why };
    if !std::path::Path::new("/dev/kvm").exists() {
        return tcg("this host has no /dev/kvm".to_owned());
    }
    match probe(Accelerator::Kvm) {
        Ok(took) => Choice {
            accelerator: Accelerator::Kvm,
            why: format!("a probe guest ran to its end in {} ms", took.as_millis()),
        },
        Err(why) => tcg(format!("/dev/kvm is there, but {why}")),
    }
}

/// Runs the probe guest; the time it took, or what was wrong.
pub fn probe(accelerator: Accelerator) -> Result<Duration, String> {
    let mut disk = tempfile::NamedTempFile::new().map_err(|error| format!("no probe disk: {error}"))?;
    disk.write_all(&boot_sector()).map_err(|error| format!("no probe disk: {error}"))?;
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args(["-M", "pc", "-accel", accelerator.option(), "-cpu", "max", "-m", "32"])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"])
        .args(["-device", &format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1"), "-drive"])
        .arg(format!("if=ide,format=raw,readonly=off,snapshot=on,file={}", disk.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = spawner::spawn(command, None)
        .map_err(|error| format!("qemu-system-x86_64 does not start: {error}"))?;
    let verdict = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.code() == Some(STATUS) => break Ok(started.elapsed()),
            Ok(Some(status)) => break Err(format!("a probe guest ended with {status}")),
            Ok(None) if started.elapsed() >= LIMIT => {
                break Err(format!("a probe guest did nothing for {} s", LIMIT.as_secs()));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => break Err(format!("a probe guest was lost: {error}")),
        }
    };
    // Both fail only for a child that is gone.
    let _ = child.kill();
    let _ = child.wait();
    verdict
}

/// The port of the debug device.
const EXIT_PORT: u16 = 0xf4;

/// `mov al, OCTET; out EXIT_PORT, al; hlt; jmp $-1`, and the mark by which firmware knows a boot sector.
fn boot_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    let [port, _] = EXIT_PORT.to_le_bytes();
    for (at, octet) in sector.iter_mut().zip([0xb0, OCTET, 0xe6, port, 0xf4, 0xeb, 0xfd]) {
        *at = octet;
    }
    let [.., first, last] = &mut sector;
    (*first, *last) = (0x55, 0xaa);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_guest_runs_to_its_end_under_emulation() {
        probe(Accelerator::Tcg).expect("TCG always executes; is qemu-system-x86 installed?");
    }

    #[test]
    fn a_choice_is_made_within_the_limit_and_says_why() {
        let choice = choose();
        assert!(!choice.why.is_empty());
        println!("{choice}");
    }
}

//! Whether KVM can be trusted on this host, found out by running something in it.
//!
//! A `/dev/kvm` that opens proves little. Inside another hypervisor a guest may never execute its first instruction, or
//! execute firmware and a boot sector and then stand still for ever at the first instruction that this KVM cannot emulate
//! (`cmpxchg16b` in the kernel's allocator was one), and QEMU ends in neither case. So the guest of the probe is the real
//! one: the image's kernel with the image's drivers, told by `srp.probe` on its command line to say so and power off. No
//! such end within [`LIMIT`], or any other end, and machines are emulated instead.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::qemu;
use crate::machines::MEMORY_MIB;
use crate::spawner;

/// Time given to the probe. A working KVM needs about one second; one that needs more than this is slower than emulation.
pub const LIMIT: Duration = Duration::from_secs(6);

/// How often the probe's end is looked for; there is no event that would not need a thread.
const LOOK: Duration = Duration::from_millis(10);

/// What the image's first script says when it was started as a probe (`image/guest/rcS`).
const WORD: &str = "srp.probe: ok";

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

/// Chooses: KVM if the image's kernel runs in it, else TCG with the reason.
pub fn choose(kernel: &Path, initramfs: &Path) -> Choice {
    let tcg = |why: String| Choice { accelerator: Accelerator::Tcg, why };
    if !Path::new("/dev/kvm").exists() {
        return tcg("this host has no /dev/kvm".to_owned());
    }
    match probe(Accelerator::Kvm, kernel, initramfs, LIMIT) {
        Ok(took) => Choice {
            accelerator: Accelerator::Kvm,
            why: format!("a probe machine ran to its end in {} ms", took.as_millis()),
        },
        Err(why) => tcg(format!("/dev/kvm is there, but {why}")),
    }
}

/// Runs the probe for at most `limit`; the time it took, or what was wrong.
pub fn probe(
    accelerator: Accelerator,
    kernel: &Path,
    initramfs: &Path,
    limit: Duration,
) -> Result<Duration, String> {
    let console =
        tempfile::NamedTempFile::new().map_err(|error| format!("no file for its console: {error}"))?;
    let mut command = qemu::bare(accelerator, MEMORY_MIB);
    command
        .args(["-no-reboot", "-append", "console=ttyS0 quiet panic=-1 srp.probe"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .arg("-serial")
        .arg(format!("file:{}", console.path().display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = Instant::now();
    let mut child = spawner::spawn(command, None)
        .map_err(|error| format!("qemu-system-x86_64 does not start: {error}"))?;
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if started.elapsed() >= limit => {
                break Err(format!("a probe machine did not come to its end in {} s", limit.as_secs()));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => break Err(format!("a probe machine was lost: {error}")),
        }
    };
    let took = started.elapsed();
    // Both fail only for a child that is gone.
    let _ = child.kill();
    let _ = child.wait();
    let status = ended?;
    let said = std::fs::read(console.path()).unwrap_or_default();
    if String::from_utf8_lossy(&said).contains(WORD) {
        Ok(took)
    } else {
        Err(format!("a probe machine ended with {status} before its first script had run"))
    }
}

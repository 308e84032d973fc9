//! What starts a machine's disk: the BIOS that QEMU brings, or OVMF.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where Debian's package ovmf puts the UEFI firmware: its code, and the variables that each machine has for itself.
const OVMF: [&str; 2] = ["/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"];

/// What starts the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// `SeaBIOS`, which QEMU brings.
    Bios,
    /// OVMF.
    Uefi,
}

/// Why a machine has no firmware.
#[derive(Debug, thiserror::Error)]
pub enum FirmwareError {
    /// It is not on this host.
    #[error("{path} is not on this host: apt-get install ovmf")]
    Lacks {
        /// The file.
        path: PathBuf,
    },
    /// Its variables could not be copied.
    #[error("copying the variables of UEFI to {path}: {source}")]
    Variables {
        /// Where to.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Firmware {
    /// QEMU's arguments for it. What UEFI remembers is in `folder`, and is kept there while the machine is off.
    pub fn arguments(self, folder: &Path) -> Result<Vec<String>, FirmwareError> {
        if self == Self::Bios {
            return Ok(Vec::new());
        }
        let [code, variables] = OVMF.map(Path::new);
        if !code.exists() {
            return Err(FirmwareError::Lacks { path: code.to_owned() });
        }
        let own = folder.join("uefi-variables.fd");
        if !own.exists() {
            fs::copy(variables, &own)
                .map_err(|source| FirmwareError::Variables { path: own.clone(), source })?;
        }
        Ok(vec![
            "-drive".to_owned(),
            format!("if=pflash,format=raw,readonly=on,file={}", code.display()),
            "-drive".to_owned(),
            format!("if=pflash,format=raw,file={}", own.display()),
        ])
    }
}

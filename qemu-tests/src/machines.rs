//! Chassis as QEMU machines: the image is built from the static programs, then a factory boots it.

use std::path::Path;

use crate::error::LabError;
use crate::vm::machine::{Boot, Parts};
use crate::vm::{Factory, accelerator};

/// Memory of a chassis.
const MEMORY_MIB: u32 = 256;
/// Where `scripts/build-static` puts programs, below the target folder.
pub const STATIC: &str = "static/x86_64-unknown-linux-gnu/release";

/// Builds the image in `out` from the static programs below the target folder `target`, and returns what boots it and
/// what there is to say about it.
pub fn factory(target: &Path, out: &Path) -> Result<(Factory, String), LabError> {
    let mut programs = Vec::new();
    for name in ["srpd", "srpctl", "lab"] {
        let file = target.join(STATIC).join(name);
        if !file.exists() {
            return Err(LabError::ToolMissing {
                tool: file.display().to_string(),
                remedy: "scripts/build-static".to_owned(),
            });
        }
        programs.push(image::Program { name: name.to_owned(), file });
    }
    let recipe = image::Recipe {
        programs,
        compression: image::Compression::None,
        cache: target.join("image-cache"),
        out: out.to_owned(),
    };
    let image = image::build(&recipe).map_err(|error| LabError::Answer {
        command: "the builder of the image".to_owned(),
        reason: error.to_string(),
    })?;
    let choice = accelerator::choose(&image.kernel, &image.initramfs);
    let said = format!("initramfs of {} KiB; {choice}", image.manifest.initramfs.octets / 1024);
    let boot = Boot::Kernel { kernel: image.kernel, initramfs: image.initramfs };
    let parts = Parts { boot, choice, memory_mib: MEMORY_MIB };
    Ok((Factory::new(parts), said))
}

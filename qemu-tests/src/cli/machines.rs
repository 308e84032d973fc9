//! Chassis as QEMU machines: the image is built from the static programs, then a factory boots it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lab::error::LabError;
use lab::vm::machine::Parts;
use lab::vm::{Factory, accelerator, agent};

/// Memory of a chassis.
const MEMORY_MIB: u32 = 256;
/// Where `scripts/build-static` puts programs, below the target folder.
const STATIC: &str = "static/x86_64-unknown-linux-gnu/release";

/// Builds the image and returns what boots it. Says on standard output what it found.
pub fn factory(out: &Path) -> Result<Factory, LabError> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
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
        out: out.join("image"),
    };
    let image = image::build(&recipe).map_err(|error| LabError::Answer {
        command: "the builder of the image".to_owned(),
        reason: error.to_string(),
    })?;
    let choice = accelerator::choose(&image.kernel, &image.initramfs);
    println!("{choice}");
    Ok(Factory::new(Parts {
        kernel: image.kernel,
        initramfs: image.initramfs,
        choice,
        memory_mib: MEMORY_MIB,
    }))
}

/// `lab agent`.
pub fn agent() -> Result<ExitCode, LabError> {
    agent::serve()
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| LabError::Answer { command: "lab agent".to_owned(), reason: error.to_string() })
}

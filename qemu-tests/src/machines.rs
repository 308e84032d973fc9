//! Chassis as QEMU machines: what cargo has built, the image that is made of it, and what boots it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Compression, Image, Program, Recipe};

use crate::appliances;
use crate::error::LabError;
use crate::node::Kind;
use crate::scenario::stage::Appliances;
use crate::topology::Topology;
use crate::vm::machine::{Boot, Parts};
use crate::vm::{Factory, accelerator};
use crate::works::Works;

/// Memory of a chassis, and of a router, in MiB.
pub const MEMORY_MIB: u32 = 256;
/// The programs of a chassis, with the lab's own, which is its agent.
pub const PROGRAMS: [&str; 3] = ["srpd", "srpctl", AGENT];
/// The lab's own program.
pub const AGENT: &str = "lab";

/// Where `scripts/build-static` puts programs, below cargo's target folder.
const STATIC: &str = "static/x86_64-unknown-linux-gnu/release";
const BUILD_STATIC: &str = "scripts/build-static";

/// What cargo has built of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Cargo's target folder.
    target: PathBuf,
}

impl Built {
    /// That of the repository `root`: in `CARGO_TARGET_DIR`, or in its folder `target`.
    pub fn of(root: &Path) -> Self {
        let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        Self { target: named.unwrap_or_else(|| root.join("target")) }
    }

    /// The same, after `scripts/build-static`.
    pub fn anew(root: &Path) -> Result<Self, LabError> {
        build_static(root).map(|()| Self::of(root))
    }

    /// The static program called `name`; one that is not there is an error that says how to build it.
    pub fn program(&self, name: &str) -> Result<Program, LabError> {
        let file = self.target.join(STATIC).join(name);
        if !file.exists() {
            let (tool, remedy) = (file.display().to_string(), BUILD_STATIC.to_owned());
            return Err(LabError::ToolMissing { tool, remedy });
        }
        Ok(Program { name: name.to_owned(), file })
    }

    /// Several of them.
    pub fn programs<const COUNT: usize>(&self, names: [&str; COUNT]) -> Result<[Program; COUNT], LabError> {
        let found = names.into_iter().map(|name| self.program(name)).collect::<Result<Vec<_>, _>>()?;
        found.try_into().map_err(|_| LabError::Answer {
            command: "the list of programs".to_owned(),
            reason: "it has another length than its names".to_owned(),
        })
    }

    /// Where packages are kept between builds.
    pub fn cache(&self) -> PathBuf {
        self.target.join("image-cache")
    }

    /// The development image with `programs`, made in the folder `out`.
    pub fn image(&self, programs: Vec<Program>, out: &Path) -> Result<Image, LabError> {
        let (compression, cache, out) = (Compression::None, self.cache(), out.to_owned());
        let built = image::build(&Recipe { programs, compression, cache, out });
        built.map_err(|error| LabError::Answer {
            command: "the builder of the image".to_owned(),
            reason: error.to_string(),
        })
    }
}

/// The repository that this crate was compiled in, for tests: a program that is carried elsewhere finds none there.
pub fn repository() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Runs `scripts/build-static` of the repository `root`.
fn build_static(root: &Path) -> Result<(), LabError> {
    let script = root.join(BUILD_STATIC);
    let output = Command::new(&script).output().map_err(LabError::file("starting", &script))?;
    if output.status.success() {
        return Ok(());
    }
    let command = script.display().to_string();
    Err(LabError::Answer { command, reason: String::from_utf8_lossy(&output.stderr).into_owned() })
}

/// What a machine is made of that boots `image`.
pub fn parts(image: &Image, memory_mib: u32) -> Parts {
    let (kernel, initramfs) = (image.kernel.clone(), image.initramfs.clone());
    let choice = accelerator::choose(&kernel, &initramfs);
    Parts { boot: Boot::Kernel { kernel, initramfs }, choice, memory_mib }
}

/// Builds the image of a chassis in `out`, and returns what boots it and what there is to say about it.
pub fn factory(built: &Built, out: &Path) -> Result<(Factory, String), LabError> {
    let image = built.image(built.programs(PROGRAMS)?.to_vec(), out)?;
    let parts = parts(&image, MEMORY_MIB);
    let said = format!("initramfs of {} KiB; {}", image.manifest.initramfs.octets / 1024, parts.choice);
    Ok((Factory::new(parts), said))
}

/// What the nodes of a lab are made of that are not namespaces.
#[derive(Default)]
pub struct Made {
    /// What starts them.
    pub factory: Option<Factory>,
    /// What there is besides for appliances.
    pub appliances: Option<Appliances>,
    /// What there is to say about them.
    pub said: Option<String>,
}

/// Makes what chassis and routers of a kind are made of, in the lab's folder.
pub fn made(
    kind: Kind,
    routers: Kind,
    built: &Built,
    topology: &Topology,
    configurations: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<Made, LabError> {
    let made = match kind {
        Kind::Namespace => Made::default(),
        Kind::Machine => {
            let (factory, said) = factory(built, &folder.join("image"))?;
            Made { factory: Some(factory), appliances: None, said: Some(said) }
        }
        Kind::Appliance => {
            let works = Works::on(&built.target.join("appliance"), built)?;
            let out = folder.join("appliances");
            let (factory, appliances) = appliances::pair(&works, built, topology, configurations, &out)?;
            let said = format!("images and disks are in {}; {}", out.display(), works.choice);
            Made { factory: Some(factory), appliances: Some(appliances), said: Some(said) }
        }
    };
    if routers == Kind::Namespace {
        return Ok(made);
    }
    let parts = router(built, &folder.join("router-image"))?;
    let said = made.said.unwrap_or_else(|| parts.choice.to_string());
    let factory = match made.factory {
        Some(factory) => factory.with_routers(parts),
        None => Factory::of_routers(parts),
    };
    Ok(Made { factory: Some(factory), said: Some(said), ..made })
}

/// Builds the image of a router in `out`, and returns what boots it: it has the lab's agent alone, through which it gets its
/// software.
pub fn router(built: &Built, out: &Path) -> Result<Parts, LabError> {
    Ok(parts(&built.image(vec![built.program(AGENT)?], out)?, MEMORY_MIB))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_not_built_is_told_with_what_builds_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let built = Built { target: folder.path().to_owned() };
        let error = built.programs(PROGRAMS).expect_err("nothing is there").to_string();
        assert!(error.contains("release/srpd") && error.contains(BUILD_STATIC), "{error}");
    }
}

//! What every root file system of ours is filled with: busybox, programs of Debian's packages with the libraries these need,
//! kernel modules with their index, and our own static programs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cpio::Tree;
use crate::elf::Elf;
use crate::error::ImageError;
use crate::modules::{Kernel, alias_index, dependency_index};
use crate::packages::{Cache, Unpacked};
use crate::read;
use crate::tool::Tool;

/// The name under which the loader of x86-64 programs is asked for; it is a program itself and found by absolute path.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// Folders where Debian packages keep shared libraries.
const LIBRARY_FOLDERS: [&str; 4] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"];

/// Packages of every root: the shell with its tools, iproute2 (busybox's `ip` knows neither JSON nor batches, its `tc` no
/// netem), and what that is linked with.
pub(crate) const PACKAGES: [&str; 11] = [
    "busybox-static",
    "iproute2",
    "libbpf1",
    "libbsd0",
    "libc6",
    "libcap2",
    "libelf1",
    "libmd0",
    "libmnl0",
    "libxtables12",
    "zlib1g",
];

/// Programs of every root, taken from [`PACKAGES`].
pub(crate) const PROGRAMS: [&str; 3] = ["bin/ip", "sbin/bridge", "sbin/tc"];

/// Modules of every root: drivers of the machine's cards, and the links, schedulers and filters that srpd uses or that are
/// looked for when something is wrong.
pub(crate) const MODULES: [&str; 28] = [
    "virtio_net",
    "virtio_console",
    "virtio_rng",
    "dummy",
    "vrf",
    "8021q",
    "veth",
    "bridge",
    "bonding",
    "macvlan",
    "tun",
    "ip_gre",
    "sch_netem",
    "sch_tbf",
    "sch_ingress",
    "cls_matchall",
    "act_mirred",
    "nf_tables",
    "nft_ct",
    "nft_log",
    "nft_reject_inet",
    "nft_fib_inet",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "tcp_diag",
    "udp_diag",
    "unix_diag",
    "softdog",
];

/// What a root file system takes from elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<'a> {
    /// Packages whose programs and libraries it may take; busybox-static is one of them.
    pub(crate) packages: &'a [&'a str],
    /// Programs of these packages, by path in the package; they stand in `/usr/sbin`.
    pub(crate) programs: &'a [&'a str],
    /// Kernel modules beside what these need.
    pub(crate) modules: &'a [&'a str],
}

/// A program of ours for the image: its name in `/usr/bin`, and the file here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the image.
    pub name: String,
    /// The static program on this machine.
    pub file: PathBuf,
}

/// Fills `tree` with the selection and our own programs; names and versions of the packages that were used.
pub(crate) fn fill(
    tree: &mut Tree,
    kernel: &Kernel,
    cache: &Cache,
    selection: &Selection<'_>,
    programs: &[Program],
) -> Result<BTreeMap<String, String>, ImageError> {
    let unpacked = cache.unpack(selection.packages)?;
    let shell = find(&unpacked, "bin/busybox")?;
    tree.file("bin/busybox", 0o755, read(&shell)?)?;
    for applet in applets(&shell, selection.programs)? {
        tree.symlink(&format!("bin/{applet}"), "busybox")?;
    }
    // The kernel asks /sbin/modprobe for modules.
    for name in ["modprobe", "poweroff"] {
        tree.symlink(&format!("sbin/{name}"), "../bin/busybox")?;
    }
    add_programs_of_packages(tree, &unpacked, selection.programs)?;

    let modules = kernel.closure(selection.modules)?;
    let folder = format!("lib/modules/{}", kernel.release);
    tree.file(&format!("{folder}/modules.dep"), 0o644, dependency_index(&modules).into_bytes())?;
    tree.file(&format!("{folder}/modules.alias"), 0o644, alias_index(&modules).into_bytes())?;
    tree.file(&format!("{folder}/modules.symbols"), 0o644, Vec::new())?;
    for module in modules.into_values() {
        tree.file(&format!("{folder}/{}", module.path), 0o644, module.contents)?;
    }

    for program in programs {
        tree.file(&format!("usr/bin/{}", program.name), 0o755, read_static(&program.file)?)?;
    }
    Ok(unpacked.into_iter().map(|package| (package.name, package.version)).collect())
}

/// The tools inside `busybox`, without those that the image has from elsewhere.
fn applets(busybox: &Path, instead: &[&str]) -> Result<Vec<String>, ImageError> {
    let tool = Tool::new("busybox", "busybox-static");
    let list = tool.output(Command::new(busybox).arg("--list").stdin(Stdio::null()))?;
    let foreign =
        |name: &str| name == "busybox" || instead.iter().any(|path| path.rsplit('/').next() == Some(name));
    let list = String::from_utf8_lossy(&list);
    Ok(list.lines().filter(|name| !foreign(name)).map(str::to_owned).collect())
}

/// Takes the programs and, from the same packages, every library they need.
fn add_programs_of_packages(
    tree: &mut Tree,
    packages: &[Unpacked],
    programs: &[&str],
) -> Result<(), ImageError> {
    if programs.is_empty() {
        return Ok(());
    }
    let mut open: Vec<(String, String)> = Vec::new();
    for path in programs {
        let name = path.rsplit('/').next().unwrap_or(path);
        let file = find(packages, path)?;
        let contents = read(&file)?;
        open.extend(needed(&file, &contents)?.into_iter().map(|library| (library, name.to_owned())));
        tree.file(&format!("usr/sbin/{name}"), 0o755, contents)?;
    }
    let place = |library: &str| {
        let folder = if library == LOADER { "lib64" } else { "lib/x86_64-linux-gnu" };
        format!("{folder}/{library}")
    };
    add_libraries(tree, open, |library| find_library(packages, library), place)
}

/// Adds libraries, each with the name of what needs it, whatever they need in their turn, and the loader of all.
pub(crate) fn add_libraries(
    tree: &mut Tree,
    mut open: Vec<(String, String)>,
    find: impl Fn(&str) -> Option<PathBuf>,
    place: impl Fn(&str) -> String,
) -> Result<(), ImageError> {
    open.push((LOADER.to_owned(), "every dynamic program".to_owned()));
    while let Some((library, needed_by)) = open.pop() {
        let path = place(&library);
        if tree.contains(&path) {
            continue;
        }
        let Some(file) = find(&library) else {
            return Err(ImageError::NoLibrary { library, needed_by });
        };
        let contents = read(&file)?;
        open.extend(needed(&file, &contents)?.into_iter().map(|next| (next, library.clone())));
        tree.file(&path, 0o755, contents)?;
    }
    Ok(())
}

fn find(packages: &[Unpacked], path: &str) -> Result<PathBuf, ImageError> {
    let files = packages.iter().map(|package| package.root.join(path));
    files
        .into_iter()
        .find(|file| file.is_file())
        .ok_or_else(|| ImageError::NoLibrary { library: path.to_owned(), needed_by: "the image".to_owned() })
}

fn find_library(packages: &[Unpacked], library: &str) -> Option<PathBuf> {
    packages
        .iter()
        .flat_map(|package| LIBRARY_FOLDERS.iter().map(|folder| package.root.join(folder).join(library)))
        .find_map(|file| resolve(&file))
}

/// The file behind a library's name. Packages link names to versions beside them; a link that leads out of the package
/// (libc's loader is one) would lead to this machine's own file, so only the name counts, never the path.
pub(crate) fn resolve(file: &Path) -> Option<PathBuf> {
    let metadata = fs::symlink_metadata(file).ok()?;
    if metadata.is_file() {
        return Some(file.to_owned());
    }
    let target = fs::read_link(file).ok()?;
    let beside = file.parent()?.join(target.file_name()?);
    fs::symlink_metadata(&beside).ok().filter(fs::Metadata::is_file).map(|_| beside)
}

pub(crate) fn needed(file: &Path, contents: &[u8]) -> Result<Vec<String>, ImageError> {
    let libraries = Elf::parse(contents).and_then(|elf| elf.needed());
    let libraries = libraries.map_err(|source| ImageError::Elf { path: file.to_owned(), source })?;
    Ok(libraries.into_iter().map(str::to_owned).collect())
}

fn read_static(file: &Path) -> Result<Vec<u8>, ImageError> {
    let contents = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ImageError::NoProgram { path: file.to_owned() });
        }
        read => read.map_err(ImageError::file(file))?,
    };
    // A script is no ELF file and needs no library of its own; its interpreter is in the image or it will say so.
    if contents.starts_with(b"#!") {
        return Ok(contents);
    }
    let needs = needed(file, &contents)?;
    if needs.is_empty() {
        return Ok(contents);
    }
    Err(ImageError::NotStatic { path: file.to_owned(), needs: needs.join(", ") })
}

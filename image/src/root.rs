//! The root file system of the development image: which packages, which modules, which files.

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
use crate::tool::Tool;

/// Packages whose programs and libraries the image may take: the shell with its tools, iproute2 (busybox's `ip` knows
/// neither JSON nor batches, its `tc` no netem), and what that is linked with.
const GUEST_PACKAGES: [&str; 11] = [
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

/// Programs taken from [`GUEST_PACKAGES`], by path in the package; they stand in `/usr/sbin` of the image.
const GUEST_PROGRAMS: [&str; 3] = ["bin/ip", "sbin/bridge", "sbin/tc"];

/// Modules of the image beside what these need: drivers of the machine, and the links, schedulers and filters that srpd
/// and its labs use.
const MODULES: [&str; 33] = [
    "virtio_pci",
    "virtio_net",
    "virtio_console",
    "virtio_rng",
    "virtio_blk",
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
    "af_packet_diag",
    "nlmon",
    "softdog",
    "loop",
];

/// The name under which the loader of x86-64 programs is asked for; it is a program itself and found by absolute path.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// Folders where Debian packages keep shared libraries.
const LIBRARY_FOLDERS: [&str; 4] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"];

const SETTINGS: &[u8] =
    include_bytes!("../../buildroot-ext/board/srp/x86_64/rootfs-overlay/etc/sysctl.d/90-srp.conf");

/// Small files of our own: path, permission bits, contents.
const FILES: [(&str, u32, &[u8]); 8] = [
    ("etc/init.d/rcS", 0o755, include_bytes!("../guest/rcS")),
    ("etc/init.d/rcK", 0o755, include_bytes!("../guest/rcK")),
    ("etc/passwd", 0o644, include_bytes!("../guest/passwd")),
    ("etc/group", 0o644, include_bytes!("../guest/group")),
    ("etc/hosts", 0o644, include_bytes!("../guest/hosts")),
    ("etc/profile", 0o644, include_bytes!("../guest/profile")),
    // As in the production image: its service script and its kernel settings.
    ("etc/init.d/S50srpd", 0o755, include_bytes!("../../buildroot-ext/package/srpd/S50srpd")),
    ("etc/sysctl.d/90-srp.conf", 0o644, SETTINGS),
];

/// A program of ours for the image: its name in `/usr/bin`, and the file here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Name in the image.
    pub name: String,
    /// The static program on this machine.
    pub file: PathBuf,
}

/// The tree of the image, and the names and versions of the packages it was made from.
pub(crate) fn assemble(
    kernel: &Kernel,
    cache: &Cache,
    programs: &[Program],
) -> Result<(Tree, BTreeMap<String, String>), ImageError> {
    let mut tree = Tree::new();
    skeleton(&mut tree, programs.iter().any(|program| program.name == "lab"))?;

    let unpacked = cache.unpack(&GUEST_PACKAGES)?;
    let shell = find(&unpacked, "bin/busybox")?;
    tree.file("bin/busybox", 0o755, read(&shell)?)?;
    for applet in applets(&shell)? {
        tree.symlink(&format!("bin/{applet}"), "busybox")?;
    }
    // The kernel starts /init, and asks /sbin/modprobe for modules.
    tree.symlink("init", "bin/busybox")?;
    tree.symlink("sbin/modprobe", "../bin/busybox")?;
    tree.symlink("sbin/poweroff", "../bin/busybox")?;
    add_programs_of_packages(&mut tree, &unpacked)?;

    let modules = kernel.closure(&MODULES)?;
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
    Ok((tree, unpacked.into_iter().map(|package| (package.name, package.version)).collect()))
}

fn skeleton(tree: &mut Tree, with_agent: bool) -> Result<(), ImageError> {
    for folder in ["dev", "etc/srp", "proc", "root", "run", "sys", "var/lib/srp", "var/log"] {
        tree.folder(folder, 0o755)?;
    }
    tree.folder("tmp", 0o1777)?;
    tree.symlink("var/run", "../run")?;
    // Before devtmpfs is there, init talks to these.
    tree.character_device("dev/console", 0o600, 5, 1)?;
    tree.character_device("dev/null", 0o666, 1, 3)?;
    for (path, permissions, contents) in FILES {
        tree.file(path, permissions, contents.to_vec())?;
    }
    let mut inittab = include_bytes!("../guest/inittab").to_vec();
    if with_agent {
        inittab.extend_from_slice(b"::respawn:/usr/bin/lab agent\n");
    }
    tree.file("etc/inittab", 0o644, inittab)
}

/// The tools inside `busybox`, without those that the image has from elsewhere.
fn applets(busybox: &Path) -> Result<Vec<String>, ImageError> {
    let tool = Tool::new("busybox", "busybox-static");
    let list = tool.output(Command::new(busybox).arg("--list").stdin(Stdio::null()))?;
    let foreign = |name: &str| {
        name == "busybox" || GUEST_PROGRAMS.iter().any(|path| path.rsplit('/').next() == Some(name))
    };
    let list = String::from_utf8_lossy(&list);
    Ok(list.lines().filter(|name| !foreign(name)).map(str::to_owned).collect())
}

/// Takes the programs and, from the same packages, every library they need.
fn add_programs_of_packages(tree: &mut Tree, packages: &[Unpacked]) -> Result<(), ImageError> {
    let mut open: Vec<(String, String)> = Vec::new();
    for path in GUEST_PROGRAMS {
        let name = path.rsplit('/').next().unwrap_or(path);
        let file = find(packages, path)?;
        let contents = read(&file)?;
        open.extend(needed(&file, &contents)?.into_iter().map(|library| (library, name.to_owned())));
        tree.file(&format!("usr/sbin/{name}"), 0o755, contents)?;
    }
    open.push((LOADER.to_owned(), "every dynamic program".to_owned()));
    while let Some((library, needed_by)) = open.pop() {
        let folder = if library == LOADER { "lib64" } else { "lib/x86_64-linux-gnu" };
        let path = format!("{folder}/{library}");
        if tree.contains(&path) {
            continue;
        }
        let Some(file) = find_library(packages, &library) else {
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
fn resolve(file: &Path) -> Option<PathBuf> {
    let metadata = fs::symlink_metadata(file).ok()?;
    if metadata.is_file() {
        return Some(file.to_owned());
    }
    let target = fs::read_link(file).ok()?;
    let beside = file.parent()?.join(target.file_name()?);
    fs::symlink_metadata(&beside).ok().filter(fs::Metadata::is_file).map(|_| beside)
}

fn needed(file: &Path, contents: &[u8]) -> Result<Vec<String>, ImageError> {
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

fn read(file: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(file).map_err(ImageError::file(file))
}

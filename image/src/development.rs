//! The root file system of the development image: which packages, which modules, which files.

use std::collections::BTreeMap;

use crate::cpio::Tree;
use crate::error::ImageError;
use crate::modules::Kernel;
use crate::packages::Cache;
use crate::root::{self, Program, Selection};

/// Packages whose programs and libraries the image may take: the shell with its tools, iproute2 (busybox's `ip` knows
/// neither JSON nor batches, its `tc` no netem), and what that is linked with.
const PACKAGES: [&str; 11] = [
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

/// Programs taken from [`PACKAGES`], by path in the package; they stand in `/usr/sbin` of the image.
const PROGRAMS: [&str; 3] = ["bin/ip", "sbin/bridge", "sbin/tc"];

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

pub(crate) const SETTINGS: &[u8] =
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

/// The tree of the image, and the names and versions of the packages it was made from.
pub(crate) fn assemble(
    kernel: &Kernel,
    cache: &Cache,
    programs: &[Program],
) -> Result<(Tree, BTreeMap<String, String>), ImageError> {
    let mut tree = Tree::new();
    skeleton(&mut tree, programs.iter().any(|program| program.name == "lab"))?;
    let selection = Selection { packages: &PACKAGES, programs: &PROGRAMS, modules: &MODULES };
    let packages = root::fill(&mut tree, kernel, cache, &selection, programs)?;
    // The kernel starts /init.
    tree.symlink("init", "bin/busybox")?;
    Ok((tree, packages))
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

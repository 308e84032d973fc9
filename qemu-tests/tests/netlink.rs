//! The whole suite of the netlink crate inside a machine: its kernel has the links that this host's may lack (dummy, VRF, VLAN), so
//! nothing is skipped there.
//!
//! Needs root, qemu-system-x86_64 and Debian's package lists (`apt-get update`); fails naming what is missing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::machines::{AGENT, Built, build_static, parts, repository};
use lab::netns::{Netns, next_prefix};
use lab::node::{Job, Node};
use lab::vm::Machine;
use lab::vm::place::Place;

/// Longest run of one test program. The slowest puts 20,000 routes in and out, several times over, under emulation.
const LIMIT: Duration = Duration::from_mins(4);
/// Longest answer to anything else.
const SHORT: Duration = Duration::from_mins(1);

/// The test programs of the crate: `netlink-learned` is tests/learned.rs, `netlink-netlink` what stands beside the code itself.
fn test_programs() -> Vec<image::Program> {
    let files = build_static(repository(), &["--tests", "netlink"]).unwrap_or_else(|error| panic!("{error}"));
    let program = |line: &str| {
        let file = PathBuf::from(line);
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        // cargo puts a hash behind it.
        let (name, _) = name.rsplit_once('-').expect("a name and a hash");
        image::Program { name: format!("netlink-{name}"), file: file.clone() }
    };
    files.lines().map(program).collect()
}

/// A machine with these programs and no interface but its loopback.
fn machine(programs: &[image::Program], folder: &Path) -> Machine {
    let built = Built::anew(repository()).unwrap_or_else(|error| panic!("{error}"));
    let agent = built.program(AGENT).unwrap_or_else(|error| panic!("{error}"));
    let programs = programs.iter().cloned().chain([agent]).collect();
    let image = built.image(programs, &folder.join("image")).unwrap_or_else(|error| panic!("{error}"));
    let parts = parts(&image, 1024);
    println!("{}; {} octets of initramfs", parts.choice, image.manifest.initramfs.octets);
    let netns =
        Netns::create(format!("{}nl", next_prefix())).expect("a namespace; tests of machines need root");
    let place = Place::new(netns, Vec::new(), 1).expect("a place");
    Machine::start("nl", place, folder.join("machine"), parts).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn whole_netlink_suite_passes_where_the_kernel_has_vrf_vlan_and_dummy_links() {
    let programs = test_programs();
    let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    for expected in ["netlink-netlink", "netlink-kernel_features", "netlink-learned", "netlink-watch"] {
        assert!(names.contains(&expected), "no {expected} among {names:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let machine = machine(&programs, folder.path());
    machine.run_ok(&Job::new("/sbin/modprobe", ["tun"]), SHORT).expect("its kernel has taps");
    let mut failed = Vec::new();
    for name in names {
        let mut job = Job::new(format!("/usr/bin/{name}"), ["--test-threads", "1"]);
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        job.env = vec![set("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), set("NETLINK_TESTS_SKIP_NOTHING", "1")];
        let began = Instant::now();
        match machine.run(&job, LIMIT) {
            Ok(output) => {
                let text = output.text();
                let told = text.lines().find(|line| line.starts_with("test result")).unwrap_or("no result");
                println!("{name}: {told}, {} s as seen from here", began.elapsed().as_secs());
                let whole = output.code == 0 && told.contains("test result: ok");
                let skipped = String::from_utf8_lossy(&output.stderr).contains("SKIPPED");
                if !whole || skipped {
                    let said = String::from_utf8_lossy(&output.stderr);
                    failed.push(format!("{name}, exit code {}:\n{text}{said}", output.code));
                }
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "in the machine:\n{}", failed.join("\n"));
}

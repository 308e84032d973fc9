//! The whole suite of the netlink crate inside a machine: its kernel has the links that this host's may lack (dummy, VRF, VLAN), so
//! nothing is skipped there.
//!
//! Needs root, qemu-system-x86_64 and Debian's package lists (`apt-get update`); fails naming what is missing.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::machines::{AGENT, Built, parts, repository};
use lab::netns::{Netns, next_prefix};
use lab::node::{Job, Node};
use lab::vm::Machine;
use lab::vm::carry::carry;
use lab::vm::place::Place;
use serde_json::Value;

/// Longest run of one test program. The slowest puts 20,000 routes in and out, several times over, under emulation.
const LIMIT: Duration = Duration::from_mins(4);
/// Longest answer to anything else.
const SHORT: Duration = Duration::from_mins(1);

/// The test programs of the crate as the tests of the whole workspace are built: in a run of these nothing is left to compile.
/// `netlink-learned` is tests/learned.rs, `netlink-netlink` what stands beside the code itself.
fn test_programs() -> Vec<image::Program> {
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--no-run", "--workspace", "--locked", "--message-format", "json"]);
    // Started by a test, cargo has told it which crate it is: ring's build script takes that for its own and builds anew.
    let of_this_crate = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars().filter(|(name, _)| of_this_crate(name)) {
        cargo.env_remove(name);
    }
    let built = cargo.current_dir(repository()).output().expect("cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = built.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    let messages = messages.map(|line| serde_json::from_slice::<Value>(line).expect("cargo speaks JSON"));
    let own = repository().join("netlink/Cargo.toml");
    let programs = messages.filter(|message| {
        message["profile"]["test"] == true && message["manifest_path"].as_str().map(Path::new) == Some(&own)
    });
    let program = |message: Value| {
        let (name, file) = (message["target"]["name"].as_str()?, message["executable"].as_str()?);
        Some(image::Program { name: format!("netlink-{name}"), file: file.into() })
    };
    programs.filter_map(program).collect()
}

/// Puts the programs into `/usr/bin`, without what only a debugger reads.
fn put(machine: &Machine, programs: &[image::Program], folder: &Path) {
    for program in programs {
        let bare = folder.join(&program.name);
        let strip = Command::new("strip").arg("-o").arg(&bare).arg(&program.file).status();
        assert!(
            strip.expect("strip starts, of the package binutils").success(),
            "{}",
            program.file.display()
        );
        let to = format!("/usr/bin/{}", program.name);
        carry(machine, [(bare.as_path(), to.as_str())]).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A machine with no interface but its loopback.
fn machine(folder: &Path) -> Machine {
    let built = Built::anew(repository()).unwrap_or_else(|error| panic!("{error}"));
    let agent = built.program(AGENT).unwrap_or_else(|error| panic!("{error}"));
    let image = built.image(vec![agent], &folder.join("image")).unwrap_or_else(|error| panic!("{error}"));
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
    let machine = machine(folder.path());
    put(&machine, &programs, folder.path());
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

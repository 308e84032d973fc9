//! Machines under QEMU: the development image starts, does what a chassis needs, and loses its carriers as hardware would.
//!
//! Needs root, qemu-system-x86_64 and Debian's package lists (`apt-get update`); fails naming what is missing.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use lab::clock::Time;
use lab::error::LabError;
use lab::lab::{Lab, Machines, Plan};
use lab::machines::{self, Built, MEMORY_MIB, PROGRAMS, repository};
use lab::namespace::{Port, Programs};
use lab::netns::{Netns, next_prefix};
use lab::node::{Job, Kind, Node, NodeError, Program, Signal};
use lab::pair::{self, Srpd};
use lab::scenario::stage::{Settings, Stage};
use lab::topology::{End, Link, Topology, Wire};
use lab::vm::machine::Parts;
use lab::vm::{Accelerator, Factory, Machine, accelerator};
use lab::wait::until_true;

const LIMIT: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(5);

/// Our own programs, and the image with them in it, built once for all tests of a process.
fn built() -> &'static (Built, image::Image) {
    static BUILT: OnceLock<(Built, image::Image)> = OnceLock::new();
    let build = || {
        let built = Built::anew(repository())?;
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vm-image");
        let image = built.image(built.programs(PROGRAMS)?.to_vec(), &out)?;
        println!("initramfs: {} octets", image.manifest.initramfs.octets);
        Ok::<_, LabError>((built, image))
    };
    BUILT.get_or_init(|| build().unwrap_or_else(|error| panic!("{error}")))
}

/// What machines are made of here.
fn parts() -> Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    let choose = || {
        let parts = machines::parts(&built().1, MEMORY_MIB);
        println!("{}", parts.choice);
        parts
    };
    PARTS.get_or_init(choose).clone()
}

/// A machine with one wire to a router that is a namespace.
struct Bench {
    machine: Machine,
    router: Netns,
    _folder: tempfile::TempDir,
}

/// One chassis whose peer is not there, for the service script.
const SERVICE_CONFIGURATION: &str = r#"
[srp]
chassis-mode = "primary"
bind-address = "10.9.0.1"
peer-ip-address = "10.9.0.2"
plaintext = true

[control]
socket = "/run/srp/srpd.sock"

[[context]]
name = "destination"

[[context.loopback]]
name = "gateway"
address = "203.0.113.1/32"
srp-activate = true
"#;

const IN_ROUTER: &str = "m1";
const IN_MACHINE: &str = "r1";

impl Bench {
    fn start() -> Self {
        let factory = Factory::new(parts());
        let router =
            Netns::create(format!("{}r1", next_prefix())).expect("a namespace; tests of machines need root");
        let end = |node: &str, name: &str, addresses: [&str; 2]| End {
            node: node.to_owned(),
            name: name.to_owned(),
            addresses: addresses.map(|address| address.parse().expect("an address")).to_vec(),
        };
        let link = Link {
            a: end("m1", IN_MACHINE, ["10.9.0.1/30", "2001:db8:9::1/64"]),
            b: end("r1", IN_ROUTER, ["10.9.0.2/30", "2001:db8:9::2/64"]),
            wire: Wire::Cable,
        };
        let port = Port { name: IN_ROUTER.to_owned(), index: 100, addresses: link.b.addresses.clone() };
        factory.wire(&link, Some((&router, &port))).expect("wired");
        let lines = [
            format!("link set {IN_ROUTER} up"),
            format!("address add 10.9.0.2/30 dev {IN_ROUTER}"),
            format!("address add 2001:db8:9::2/64 dev {IN_ROUTER} nodad"),
        ];
        router.ip(&lines).expect("addressed");
        let folder = tempfile::tempdir().expect("a folder");
        let machine = factory.boot("m1", folder.path()).expect("the machine starts");
        Self { machine, router, _folder: folder }
    }

    /// The carrier of the wire as the router sees it.
    fn router_has_carrier(&self) -> bool {
        let path = format!("/sys/class/net/{IN_ROUTER}/carrier");
        // A file system that was mounted in a namespace shows that namespace's interfaces.
        let read = Command::new("ip").args(["netns", "exec", self.router.name(), "cat", &path]).output();
        read.expect("ip netns exec").stdout.starts_with(b"1")
    }

    /// The carrier of the wire as the machine sees it.
    fn machine_has_carrier(&self) -> bool {
        let file = format!("/sys/class/net/{IN_MACHINE}/carrier");
        self.machine.get_file(Path::new(&file)).is_ok_and(|carrier| carrier.starts_with(b"1"))
    }

    fn ping(&self, address: &str) -> bool {
        let ping = ["netns", "exec", self.router.name(), "ping", "-n", "-c", "1", "-W", "5", address];
        Command::new("ip").args(ping).output().expect("ping").status.success()
    }

    fn shell(&self, script: &str) -> String {
        let output = self.machine.run_ok(&Job::new("/bin/sh", ["-c", script]), LIMIT);
        output.unwrap_or_else(|error| panic!("{error}")).text()
    }
}

#[test]
fn a_probe_machine_comes_to_its_end_under_emulation_and_is_given_up_where_it_does_not() {
    let image = &built().1;
    let (kernel, initramfs) = (&image.kernel, &image.initramfs);
    let took = accelerator::probe(Accelerator::Tcg, kernel, initramfs, LIMIT).expect("TCG always runs");
    println!("a probe machine under TCG took {} ms", took.as_millis());
    let why = accelerator::probe(Accelerator::Tcg, kernel, initramfs, Duration::from_millis(100));
    let why = why.expect_err("no kernel starts in a tenth of a second under TCG");
    assert!(why.contains("did not come to its end"), "{why}");
}

#[test]
fn a_machine_does_what_a_chassis_needs() {
    let bench = Bench::start();
    let machine = &bench.machine;
    let times = machine.boot_times().expect("times of start");
    let after = |time: Time| time.millis_since(times.qemu) / 1000.0;
    println!(
        "from QEMU's start, in s: first script {:.2}, links {:.2}, services {:.2}, agent {:.2}",
        after(times.init),
        after(times.links),
        after(times.services),
        after(times.agent)
    );

    // The wire carries both families, and interfaces have the topology's names.
    assert!(bench.ping("10.9.0.1") && bench.ping("2001:db8:9::1"), "the machine answers");

    // Links that the host's own kernel may not have. Modules are loaded when they are asked for.
    let ip = "set -e; ip=/usr/sbin/ip; ";
    bench.shell(&format!("{ip} $ip link add d0 type dummy && $ip link set d0 up"));
    bench.shell(&format!(
        "{ip} $ip link add red type vrf table 100 && $ip link set red up && $ip link set d0 master red"
    ));
    bench.shell(&format!(
        "{ip} $ip link add link {IN_MACHINE} name r1.7 type vlan id 7 && $ip link set r1.7 up"
    ));
    bench.shell("/usr/sbin/tc qdisc add dev d0 root netem delay 10ms loss 1%");
    let shown =
        bench.shell(&format!("{ip} $ip -json -details link show; /usr/sbin/tc qdisc show dev d0; lsmod"));
    for word in [
        "\"info_kind\":\"dummy\"",
        "\"info_kind\":\"vrf\"",
        "\"info_kind\":\"vlan\"",
        "qdisc netem",
        "8021q",
        "sch_netem",
    ] {
        assert!(shown.contains(word), "no {word} in: {shown}");
    }

    // Commands: output, code, a limit that is kept, a program that is not there.
    let output =
        machine.run(&Job::new("/bin/sh", ["-c", "echo out; echo err >&2; exit 3"]), LIMIT).expect("runs");
    assert_eq!(
        (output.code, output.text().as_str(), output.stderr.as_slice()),
        (3, "out\n", b"err\n".as_slice())
    );
    let slow = machine.run(&Job::new("/bin/sleep", ["600"]), Duration::from_millis(200));
    assert!(matches!(slow, Err(NodeError::TooLong { .. })), "{slow:?}");
    let missing = machine.run(&Job::new("/no/such/program", [""; 0]), LIMIT);
    assert!(matches!(missing, Err(NodeError::Start { .. })), "{missing:?}");

    // Files, large enough to need many reads of the port, and the programs of this repository.
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    machine.put_file(Path::new("some/file"), &large, 0o600).expect("put");
    assert_eq!(machine.get_file(Path::new("some/file")).expect("got"), large);
    for program in [Program::Srpd, Program::Srpctl, Program::Lab] {
        let path = machine.program(program);
        bench.shell(&format!("test -x {}", path.display()));
    }

    // Processes.
    let job = Job::new("/bin/sh", ["-c", "echo began; exec sleep 600"]).logged("job.log");
    let process = machine.spawn(&job).expect("starts");
    assert!(machine.is_running(process).expect("looks"));
    let log = || machine.get_file(Path::new("job.log")).unwrap_or_default();
    until_true("its first line", LIMIT, LOOK, || Ok(log() == b"began\n")).expect("logged");
    machine.signal(process, Signal::Kill).expect("signals");
    until_true("the process to end", LIMIT, LOOK, || Ok(!machine.is_running(process)?)).expect("ends");

    // The service script of the production image, with the real daemon.
    machine.put_file(Path::new("/etc/srp/srpd.toml"), SERVICE_CONFIGURATION.as_bytes(), 0o644).expect("put");
    bench.shell("/etc/init.d/S50srpd start");
    let show = Job::new(machine.program(Program::Srpctl), ["show", "srp", "info"]);
    let answers = || machine.run(&show, LIMIT).is_ok_and(|output| output.code == 0);
    until_true("srpd to answer", LIMIT, LOOK, || Ok(answers())).expect("answers");
    bench.shell(
        "/etc/init.d/S50srpd reload && /etc/init.d/S50srpd stop && ! pidof srpd && ! test -e /run/srpd.pid",
    );
    bench.shell("/etc/init.d/S50srpd start");

    // Its clock can be read well enough to put its time stamps on the host's line.
    let ahead = machine.clock_ahead().expect("clock");
    assert!(ahead < 0, "a machine that was started after the host is behind it: {ahead}");

    // It goes in good order, and is off then.
    machine.shut_down(LIMIT).expect("power off");
    assert!(!machine.is_on());
    assert!(matches!(machine.run(&job, LIMIT), Err(NodeError::Off { .. })));
}

#[test]
fn carriers_go_and_come_on_both_sides() {
    let bench = Bench::start();
    let machine = &bench.machine;
    let wait = |what: &str, condition: &dyn Fn() -> bool| {
        until_true(what, LIMIT, LOOK, || Ok(condition())).unwrap_or_else(|error| panic!("{error}"));
    };
    wait("both carriers", &|| bench.router_has_carrier() && bench.machine_has_carrier());

    // Cut at the machine's end.
    machine.set_link(IN_MACHINE, false).expect("cut");
    wait("the router to lose its carrier", &|| !bench.router_has_carrier());
    wait("the machine to lose its carrier", &|| !bench.machine_has_carrier());
    machine.set_link(IN_MACHINE, true).expect("healed");
    wait("both carriers again", &|| bench.router_has_carrier() && bench.machine_has_carrier());
    wait("an answer after healing", &|| bench.ping("10.9.0.1") && bench.ping("2001:db8:9::1"));

    // Cut at the far end: the machine sees it too.
    bench.router.ip(&[format!("link set {IN_ROUTER} down")]).expect("down");
    wait("the machine to see the far end go", &|| !bench.machine_has_carrier());
    bench.router.ip(&[format!("link set {IN_ROUTER} up")]).expect("up");
    wait("the machine to see the far end come", &|| bench.machine_has_carrier());

    // No power, no carrier, no process; the next start is a bare machine.
    machine.put_file(Path::new("mark"), b"before", 0o644).expect("put");
    machine.power_off().expect("off");
    assert!(!bench.router_has_carrier(), "the carrier is gone when power_off returns");
    assert!(machine.place().netns().processes().is_empty(), "QEMU is gone");
    machine.power_off().expect("off twice is no error");
    machine.power_on().expect("on");
    wait("the carrier after power on", &|| bench.router_has_carrier());
    assert!(machine.get_file(Path::new("mark")).is_err(), "memory is all a machine has");
    wait("an answer after power on", &|| bench.ping("10.9.0.1"));
}

/// Says how long a chassis takes from nothing to sessions with its routers. Nothing is judged but that it comes up.
#[test]
fn a_chassis_comes_up_from_no_power_to_established_sessions() {
    let parts = parts();
    let folder = tempfile::tempdir().expect("a folder");
    let [srpd, srpctl, lab] = built().0.programs(PROGRAMS).expect("were built").map(|program| program.file);
    let programs = Programs { srpd, srpctl, lab };
    let topology = Topology::pair();
    let configurations = topology.chassis().into_iter().map(|name| {
        (name.to_owned(), pair::configuration(name, Kind::Machine).expect("is built in").to_owned())
    });
    let settings = Settings {
        srpctl: programs.srpctl.clone(),
        configurations: configurations.collect(),
        leave_running: false,
        appliances: None,
    };
    let plan = Plan { topology, out: folder.path().to_owned(), programs };
    let lab = Lab::build(plan, Some(&Factory::new(parts))).unwrap_or_else(|error| panic!("{error}"));
    let mut stage = Stage::new(&lab, settings).expect("a stage");
    let east = lab.chassis("east").expect("east");
    east.power_off().expect("off");

    let began = Time::now();
    let mut stages = Vec::new();
    let mut reached = |what: &str| stages.push(format!("{:7.0} ms  {what}", Time::now().millis_since(began)));
    east.power_on().expect("on");
    reached("agent ready, links up");
    stage.start("east").expect("srpd starts");
    reached("configuration put and checked, srpd started");
    stage.srpd("east").and_then(Srpd::answers).expect("answers");
    reached("srpd answers");
    stage.until_bgp_established("east").expect("sessions");
    reached("BGP Established with all four neighbours (two FRR routers, IPv4 and IPv6)");
    println!("from QEMU's start:\n{}", stages.join("\n"));
    stage.stop().expect("stops");
}

//! Two contexts of one chassis in a machine whose kernel has VRFs: one in the main network and one in a VRF, with the same addresses on
//! their links and the same loopback, and a router each that takes the other's for its own.
//!
//! The VRF is made as the appliance makes it, by `link =` lines and its own script, and `srpd` is no longer root, as it is there.
//!
//! Needs root, FRR, qemu-system-x86_64 and Debian's package lists (`apt-get update`); fails naming what is missing.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use ipnetwork::IpNetwork;
use lab::error::LabError;
use lab::frr::Frr;
use lab::lab::{Lab, Plan};
use lab::machines::{self, Built, MEMORY_MIB, PROGRAMS, repository};
use lab::namespace::Programs;
use lab::node::{Job, Node};
use lab::topology::{Role, Topology, Watch};
use lab::vm::Factory;
use lab::wait::until_true;

const LIMIT: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(100);

/// Of the chassis on both of its links.
const OURS: [&str; 2] = ["10.1.1.1", "2001:db8:1:1::1"];
/// What both contexts announce.
const SHARED: [&str; 2] = ["203.0.113.1/32", "2001:db8:113::1/128"];
/// What each context announces alone, and what its router does.
const MAIN: [&str; 2] = ["172.18.0.0/16", "10.201.0.0/16"];
const BLUE: [&str; 2] = ["172.19.0.0/16", "10.202.0.0/16"];

/// The lines that an operator writes into `system.conf` of an appliance.
fn links(table: u32) -> String {
    format!(
        "link = add blue type vrf table {table}\nlink = set blue up\nlink = set r2 master blue\nlink = set r2 up\n"
    )
}

/// One context; what is the same in both is written once.
fn context(name: &str, head: &str, link: &str, remote_as: u32, [pool, learned]: [&str; 2]) -> String {
    let mut text = format!(
        "[[context]]\nname = \"{name}\"\n{head}\n\
         [[context.interface]]\nname = \"{link}\"\naddresses = [\"10.1.1.1/30\", \"2001:db8:1:1::1/64\"]\n\
         [[context.loopback]]\nname = \"gateway-v4\"\naddress = \"{}\"\nsrp-activate = true\n\
         [[context.loopback]]\nname = \"gateway-v6\"\naddress = \"{}\"\nsrp-activate = true\n\
         [[context.pool]]\nname = \"pool\"\nprefix = \"{pool}\"\nsrp-activate = true\n\
         [context.bgp]\nas = 65001\nrouter-id = \"10.1.1.1\"\n",
        SHARED[0], SHARED[1]
    );
    for (local, remote, import) in [
        (OURS[0], "10.1.1.2", format!("\"{learned}\"")),
        (OURS[1], "2001:db8:1:1::2", "\"2001:db8:200::/39 le 48\"".to_owned()),
    ] {
        let _ = write!(
            text,
            "[[context.bgp.neighbor]]\naddress = \"{remote}\"\nlocal-address = \"{local}\"\nremote-as = {remote_as}\n\
             import = [{import}]\n[context.bgp.neighbor.bfd]\ninterval = \"1s\"\nmultiplier = 5\n"
        ); // a String takes every line
    }
    text
}

fn configuration() -> String {
    // There is no other chassis: this one becomes Active.
    let srp = "[srp]\nchassis-mode = \"primary\"\nbind-address = \"127.0.0.1\"\npeer-ip-address = \"127.0.0.2\"\n\
               plaintext = true\n";
    let main = context("main", "", "r1", 65101, MAIN);
    let blue = context("customer", "vrf = \"blue\"", "r2", 65102, BLUE);
    format!("{srp}{main}{blue}")
}

/// One chassis between two routers; its two links have the same addresses.
fn topology() -> Topology {
    let mut topology = Topology { name: "vrf".to_owned(), ..Topology::pair() };
    topology.nodes.retain(|node| node.name != "west");
    topology.links.retain(|link| link.a.node != "west" && link.b.node != "west");
    let own: Vec<_> = topology.links.iter().filter(|link| link.a.node == "east").cloned().collect();
    for link in topology.links.iter_mut().filter(|link| link.a.node == "east") {
        link.a.addresses.clone_from(&own[0].a.addresses);
        link.b.addresses.clone_from(&own[0].b.addresses);
    }
    topology.services =
        SHARED.iter().chain([&MAIN[0], &BLUE[0]]).map(|prefix| prefix.parse().expect("a prefix")).collect();
    topology.watch = Watch::Bfd { interval_ms: 1000, multiplier: 5 };
    assert!(matches!(topology.node("east").expect("is there").role, Role::Chassis { asn: 65001 }));
    topology
}

fn done<T>(result: Result<T, LabError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

struct Bench {
    lab: Lab,
}

impl Bench {
    fn start(out: &Path) -> Self {
        let built = done(Built::anew(repository()));
        let image = done(built.image(done(built.programs(PROGRAMS)).to_vec(), &out.join("image")));
        let parts = machines::parts(&image, MEMORY_MIB);
        println!("{}", parts.choice);
        let program = |name: &str| done(built.program(name)).file;
        let programs = Programs { srpd: program("srpd"), srpctl: program("srpctl"), lab: program("lab") };
        let plan = Plan { topology: topology(), out: out.to_owned(), programs };
        let lab = done(Lab::build(plan, Some(&Factory::new(parts))));
        Self { lab }
    }

    fn chassis(&self) -> &dyn Node {
        self.lab.chassis("east").expect("east").as_ref()
    }

    fn shell(&self, script: &str) -> String {
        // The shell's own `ip` knows no VRFs, and it takes that one first.
        let script =
            format!("export PATH=/usr/sbin:/usr/bin:/sbin:/bin; ip() {{ /usr/sbin/ip \"$@\"; }}; {script}");
        let job = Job::new("/bin/sh", ["-c".to_owned(), script]);
        self.chassis().run_ok(&job, LIMIT).unwrap_or_else(|error| panic!("{error}")).text()
    }

    fn put(&self, path: &str, text: &str, mode: u32) {
        self.chassis().put_file(Path::new(path), text.as_bytes(), mode).expect("put");
    }

    fn frr(&self, router: &str) -> &Frr {
        self.lab.router(router).expect("a router").routing.frr().expect("FRR")
    }

    fn wait(&self, what: &str, condition: impl FnMut() -> Result<bool, LabError>) {
        until_true(what, LIMIT, LOOK, condition).unwrap_or_else(|error| {
            panic!(
                "{error}\n{}",
                self.shell("ip address; ip rule; ip route show table all; cat /var/log/srpd.log; srpctl show ip bgp summary || true")
            )
        });
    }

    /// Both sessions of a router and both of its BFD sessions, and the services that it has.
    fn has(&self, router: &str, pool: &str, others: &str) {
        let frr = self.frr(router);
        self.wait(&format!("the sessions of {router}"), || {
            // Under load its shell may take longer than it is given; it is asked again.
            Ok(frr.summary().is_ok_and(|summary| summary.not_established().is_empty()))
        });
        self.wait(&format!("BFD of {router}"), || {
            let Ok(peers) = frr.bfd_peers() else { return Ok(false) };
            Ok(peers.len() == 2 && peers.iter().all(|peer| peer.status == "up"))
        });
        for prefix in SHARED.iter().chain([&pool]) {
            self.wait(&format!("{prefix} in {router}"), || Ok(self.knows(router, prefix)));
        }
        assert!(!self.knows(router, others), "{others} of the other network is in {router}");
    }

    fn knows(&self, router: &str, prefix: &str) -> bool {
        let prefix: IpNetwork = prefix.parse().expect("a prefix");
        self.frr(router).paths(&prefix).expect("paths").best().is_some()
    }

    /// Destinations of our routes in a table; none where there is no such table.
    fn routes(&self, table: &str) -> Vec<String> {
        let shown = self.shell(&format!("ip route show table {table} proto 83 2>/dev/null || true"));
        let word = |line: &str| line.split_whitespace().find(|word| word.contains('/')).map(str::to_owned);
        let mut found: Vec<_> = shown.lines().filter_map(word).collect();
        found.sort();
        found
    }

    fn until_routes(&self, table: &str, expected: &[&str]) {
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        expected.sort();
        self.wait(&format!("{expected:?} in table {table}"), || Ok(self.routes(table) == expected));
    }

    /// The loopback answers what comes by the router from a network that was learned.
    fn answers(&self, router: &str, from: &str) {
        for (from, to) in
            [(from, SHARED[0]), (&from.replace("10.20", "2001:db8:20").replace(".0.1", "::1"), SHARED[1])]
        {
            let to = to.split('/').next().unwrap_or_default();
            let job = Job::new("ping", ["-n", "-c", "1", "-W", "5", "-I", from, to]);
            let node = &self.lab.router(router).expect("a router").node;
            self.wait(&format!("an answer of {to} to {router}"), || Ok(node.run(&job, LIMIT)?.code == 0));
        }
    }

    /// What the main network alone has, its router reaches and that of the VRF does not: an address of the chassis, and what the
    /// other router has announced.
    fn keeps_apart(&self) {
        self.shell("ip address replace 192.0.2.77/32 dev lo; ip address replace 2001:db8:77::1/128 dev lo");
        let of_main = [("192.0.2.77", OURS[0]), ("2001:db8:77::1", OURS[1])];
        let of_r1 = [("10.201.0.1", OURS[0]), ("2001:db8:201::1", OURS[1])];
        let ping = |router: &str, to: &str, way: &str| {
            let node = &self.lab.router(router).expect("a router").node;
            let route = ["route", "replace", to, "via", way];
            node.run_ok(&Job::new("ip", route), LIMIT).expect("a route");
            node.run(&Job::new("ping", ["-n", "-c", "1", "-W", "5", to]), LIMIT).expect("ping")
        };
        for (to, way) in of_main {
            self.wait(&format!("an answer of {to} to r1"), || Ok(ping("r1", to, way).code == 0));
        }
        for (to, way) in of_main.into_iter().chain(of_r1) {
            let refused = format!("r2 to be told that {to} cannot be reached");
            self.wait(&refused, || Ok(ping("r2", to, way).text().contains("nreachable")));
            let answer = ping("r2", to, way);
            assert_ne!(answer.code, 0, "{to} answers r2: {}", answer.text());
        }
    }

    /// Everything of both contexts.
    fn is_whole(&self, table: &str) {
        self.has("r1", MAIN[0], BLUE[0]);
        self.has("r2", BLUE[0], MAIN[0]);
        self.until_routes("main", &MAIN);
        self.until_routes(table, &BLUE);
        self.answers("r1", "10.201.0.1");
        self.answers("r2", "10.202.0.1");
    }
}

#[test]
fn a_context_in_a_vrf_has_its_own_addresses_sessions_and_routes_and_comes_back_with_its_vrf() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::start(folder.path());
    let script = |path: &str| std::fs::read_to_string(repository().join(path)).expect("of the repository");
    bench.put("/usr/lib/srp/settings", &script("image/appliance/root/usr/lib/srp/settings"), 0o644);
    bench.put("/etc/init.d/S40links", &script("image/appliance/root/etc/init.d/S40links"), 0o755);
    bench.put("/flash/etc/system.conf", &links(1000), 0o644);
    bench.put("/flash/srp/srpd.toml", &configuration(), 0o644);
    bench.shell(
        "set -e; echo srp:x:200:200::/nonexistent:/bin/false >>/etc/passwd; echo srp:x:200: >>/etc/group; \
         mkdir -p /run/srp; chown srp:srp /run/srp; modprobe vrf",
    );

    // Without the VRF nothing begins, and what to do is said.
    let refused = bench.shell("srpd run /flash/srp/srpd.toml --user srp 2>&1 || true");
    assert!(
        refused.contains("context customer: there is no VRF \"blue\" on this machine: create it"),
        "{refused}"
    );

    bench.shell("/etc/init.d/S40links start");
    // Nor with an address that would be in the other network.
    let outside = configuration().replace("vrf = \"blue\"", "vrf = \"blue\"\n[[context.loopback]]\nname = \"outside\"\naddress = \"203.0.113.9/32\"\ninterface = \"r1\"");
    bench.put("/tmp/outside.toml", &outside, 0o644);
    let refused = bench.shell("srpd run /tmp/outside.toml --user srp 2>&1 || true");
    assert!(
        refused.contains("loopback outside: interface \"r1\" is in no VRF, and the context in VRF blue"),
        "{refused}"
    );

    bench.shell("/etc/init.d/S50srpd start");
    bench.is_whole("1000");
    let user = bench.shell("sed -n 's/^Uid:[[:space:]]*\\([0-9]*\\).*/\\1/p' /proc/$(pidof srpd)/status");
    assert_eq!(user.trim(), "200");
    bench.keeps_apart();
    let shown = bench.shell("srpctl show ip bgp summary; srpctl show srp info");
    for expected in [
        "Context main, BGP",
        "Context customer, VRF blue, BGP",
        " -> 10.1.1.2, Up",
        " -> 10.1.1.2 in VRF blue, Up",
    ] {
        assert!(shown.contains(expected), "no {expected} in\n{shown}");
    }

    // A withdrawal in both.
    let without =
        configuration().replace(&format!("address = \"{}\"", SHARED[0]), "address = \"203.0.113.2/32\"");
    bench.put("/flash/srp/srpd.toml", &without, 0o644);
    bench.shell("/etc/init.d/S50srpd reload");
    for router in ["r1", "r2"] {
        bench.wait(&format!("{} to go from {router}", SHARED[0]), || Ok(!bench.knows(router, SHARED[0])));
    }
    bench.put("/flash/srp/srpd.toml", &configuration(), 0o644);
    bench.shell("/etc/init.d/S50srpd reload");
    bench.is_whole("1000");
    // Of one alone: what a router withdraws goes from the table of its network.
    let frr = bench.frr("r2");
    let network = |word: &str| {
        let lines = ["configure terminal", "router bgp 65102", "address-family ipv4 unicast"];
        let job = lines.map(str::to_owned).into_iter().chain([format!("{word}network {}", BLUE[1])]);
        let job = job.flat_map(|line| ["-c".to_owned(), line]);
        let arguments = ["--vty_socket", ".", "--config_dir", "."].map(str::to_owned).into_iter().chain(job);
        let node = &bench.lab.router("r2").expect("r2").node;
        node.run_ok(&Job::new("vtysh", arguments), LIMIT).expect("FRR takes it");
    };
    network("no ");
    bench.until_routes("1000", &BLUE[..1]);
    bench.until_routes("main", &MAIN);
    network("");
    bench.until_routes("1000", &BLUE);

    // The VRF goes: its router loses the chassis, and nobody else does.
    // A card that is up would be in the main network then, with the addresses that another one has there.
    bench.shell("ip link set r2 down; ip link delete blue");
    bench.wait("r2 to lose its sessions", || Ok(frr.summary()?.not_established().len() == 2));
    bench.until_routes("main", &MAIN);
    // It is made again, with another table.
    bench.put("/flash/etc/system.conf", &links(1001), 0o644);
    bench.shell("/etc/init.d/S40links start && /etc/init.d/S50srpd reload");
    bench.is_whole("1001");
    bench.until_routes("1000", &[]);
    let losses = bench.frr("r1").losses().expect("its log");
    assert!(losses.is_empty(), "r1 lost a session: {losses:?}");
    bench.shell("/etc/init.d/S50srpd stop");
    bench.until_routes("1001", &[]);
}

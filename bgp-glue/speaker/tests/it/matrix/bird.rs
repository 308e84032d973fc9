//! BIRD in the matrix. BIRD 2 and BIRD 3 read the same configuration and name attributes differently.

use std::fmt::Write;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::peer::{Heard, Peer, Release, Session};
use crate::frr::until;
use crate::netns::{Daemon, Netns};

pub struct Bird<'a> {
    netns: &'a Netns,
    release: Release,
    directory: TempDir,
    daemon: Daemon,
}

impl<'a> Bird<'a> {
    pub fn of_matrix(release: Release, netns: &'a Netns, session: &Session) -> Self {
        Self::start(release, netns, session, "")
    }

    /// `more` is what stands in the protocol besides.
    pub fn start(release: Release, netns: &'a Netns, session: &Session, more: &str) -> Self {
        Self::run(release, netns, &configuration(session, more))
    }

    /// With a configuration of its own.
    pub fn run(release: Release, netns: &'a Netns, configuration: &str) -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("there is a directory for temporary files");
        let log = directory.path().join("log");
        let text = format!("log \"{}\" all;\n{configuration}", log.display());
        std::fs::write(directory.path().join("bird.conf"), text).expect("it can be written");
        let daemon = daemon(release, netns, &directory, &[]);
        let bird = Self { netns, release, directory, daemon };
        bird.until_it_answers();
        bird
    }

    fn until_it_answers(&self) {
        until("BIRD answers", || self.show("show status").contains("Daemon is up and running"));
    }

    pub fn show(&self, command: &str) -> String {
        let mut birdc = self.netns.program(self.release.debian(), &program(self.release, "birdc"));
        birdc.arg("-s").arg(self.directory.path().join("ctl")).args(command.split(' '));
        let output = birdc.output().expect("`ip` (package iproute2) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The process stops in its tracks.
    pub fn stop(&self) {
        let pid = Pid::from_raw(self.daemon.0.id().try_into().expect("a process id"));
        kill(pid, Signal::SIGSTOP).expect("the test may stop its own process");
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// `bird` or `birdc`. Debian 13 has 3.1 in its usual place; 2.17 lies beside it.
fn program(release: Release, name: &str) -> String {
    let beside = if release == Release::Bird217 { "/opt/bird2" } else { "" };
    format!("{beside}/usr/sbin/{name}")
}

fn daemon(release: Release, netns: &Netns, directory: &TempDir, more: &[&str]) -> Daemon {
    let mut command = netns.program(release.debian(), &program(release, "bird"));
    command.arg("-f").arg("-c").arg(directory.path().join("bird.conf")).args(more);
    command.arg("-s").arg(directory.path().join("ctl")).arg("-P").arg(directory.path().join("pid"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Daemon(child.expect("`ip` (package iproute2) is installed"))
}

fn configuration(session: &Session, more: &str) -> String {
    let paths = if session.add_path { "add paths on; " } else { "" };
    let by_ipv6 = if session.ipv6_next_hops { "extended next hop on; " } else { "" };
    let channel = |source: &str, next_hop: &str, more: &str| {
        format!(
            "{{ {paths}{more}import all; next hop address {next_hop}; export filter {{ if proto = \"{source}\" then {{ \
             bgp_community.add((65001,77)); bgp_large_community.add((65001,1,2)); \
             bgp_ext_community.add((rt,65001,9)); accept; }} reject; }}; }}"
        )
    };
    let mut bgp = format!(
        "local {} as {}; neighbor {} as {}; connect delay time 1; ",
        session.their_address(),
        session.their_as,
        session.our_address(),
        session.our_as
    );
    if !session.peer_opens {
        bgp.push_str("passive on; ");
    }
    if let Some(key) = session.key {
        // Writing to a String cannot fail, here and below.
        let _ = write!(bgp, "password \"{key}\"; ");
    }
    if session.ttl_security {
        bgp.push_str("ttl security on; ");
    }
    if let Some(role) = session.role {
        let _ = write!(bgp, "local role {}; ", role.to_string().replace('-', "_"));
    }
    if session.restart {
        bgp.push_str("graceful restart on; graceful restart time 60; ");
    }
    if session.two_octet {
        bgp.push_str("enable as4 off; ");
    }
    // An internal session leads somewhere only over a connected next hop or a route to it.
    let direct = if session.external() { "direct; " } else { "" };
    format!(
        "router id 192.0.2.2;\nprotocol device {{}}\nprotocol direct {{ ipv4; ipv6; }}\n\
         protocol static s4 {{ ipv4; route 10.9.0.0/16 blackhole; }}\n\
         protocol static s6 {{ ipv6; route 2001:db8:9::/48 blackhole; }}\n\
         protocol bgp b {{ debug {{ packets, events }}; {bgp}{direct}enable extended messages on; {more} \
         ipv4 {}; ipv6 {}; }}\n",
        channel("s4", session.their_next_hop_v4(), by_ipv6),
        channel("s6", "2001:db8::2", ""),
    )
}

/// `(65000,1) (65000,2)` as `65000:1` and `65000:2`.
fn communities(text: &str) -> Vec<String> {
    let one = |text: &str| text.trim_matches(['(', ')']).replace(' ', "").replace(',', ":");
    text.split_inclusive(')').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

impl Peer for Bird<'_> {
    fn established(&self) -> bool {
        self.show("show protocols b").contains("Established")
    }

    fn heard(&self, prefix: &str) -> Option<Heard> {
        let text = self.show(&format!("show route for {prefix} protocol b all"));
        if !text.contains(prefix) {
            return None;
        }
        // `BGP.as_path: 65000 65000` of BIRD 2 is `bgp_path: 65000 65000` of BIRD 3.
        let value = |names: [&str; 2]| {
            text.lines().find_map(|line| {
                let (name, value) = line.trim().split_once(':')?;
                names.contains(&name).then(|| value.trim())
            })
        };
        let number = |names| value(names).and_then(|text| text.parse().ok());
        let list = |names| value(names).map(communities).unwrap_or_default();
        let as_path = value(["BGP.as_path", "bgp_path"]).unwrap_or_default();
        let next_hop = value(["BGP.next_hop", "bgp_next_hop"])?;
        Some(Heard {
            as_path: as_path.split(' ').filter_map(|asn| asn.parse().ok()).collect(),
            next_hop: next_hop.split(' ').next().unwrap_or_default().to_owned(),
            communities: list(["BGP.community", "bgp_community"]),
            large_communities: list(["BGP.large_community", "bgp_large_community"]),
            med: number(["BGP.med", "bgp_med"]),
            local_pref: number(["BGP.local_pref", "bgp_local_pref"]),
        })
    }

    fn end_of_rib(&self) -> Option<bool> {
        Some(self.log().matches("Got END-OF-RIB").count() >= 2)
    }

    fn forget(&self) {
        self.show("disable s4");
    }

    fn ask_again(&self) -> bool {
        let bgp = if self.release == Release::Bird3 { "bgp " } else { "" };
        self.show(&format!("reload {bgp}in b"));
        true
    }

    fn farewell(&self) -> String {
        self.show("show protocols all b") + &self.log()
    }

    fn shut_down(&self, text: &str) -> bool {
        self.show(&format!("disable b \"{text}\""));
        true
    }

    fn die(&mut self) {
        self.daemon.end();
    }

    fn rise(&mut self) {
        self.daemon = daemon(self.release, self.netns, &self.directory, &["-R"]);
        self.until_it_answers();
    }
}

//! GoBGP in the matrix. It has no forwarding of its own: what it tells by `gobgp` is the verdict.

use std::fmt::Write;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use super::peer::{Heard, Peer, Session};
use crate::frr::until;
use crate::netns::{Daemon, Debian, Netns};

pub struct GoBgp<'a> {
    netns: &'a Netns,
    debian: Debian,
    session: Session,
    directory: TempDir,
    daemon: Daemon,
}

impl<'a> GoBgp<'a> {
    pub fn start(debian: Debian, netns: &'a Netns, session: &Session) -> Self {
        let gobgp = Self::run(debian, netns, session, &configuration(session));
        gobgp.announce();
        gobgp
    }

    /// With a configuration of its own.
    pub fn run(debian: Debian, netns: &'a Netns, session: &Session, configuration: &str) -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("there is a directory for temporary files");
        std::fs::write(directory.path().join("gobgpd.toml"), configuration).expect("it can be written");
        let daemon = daemon(debian, netns, &directory, &[]);
        let gobgp = Self { netns, debian, session: *session, directory, daemon };
        gobgp.until_it_answers();
        gobgp
    }

    fn until_it_answers(&self) {
        until("gobgpd answers", || self.ask(&["global"]).is_some());
    }

    fn announce(&self) {
        for (family, route, next_hop) in
            [("ipv4", "10.9.0.0/16", "192.0.2.2"), ("ipv6", "2001:db8:9::/48", "2001:db8::2")]
        {
            let words = format!(
                "global rib -a {family} add {route} nexthop {next_hop} community 65001:77 large-community 65001:1:2 \
                 rt 65001:9"
            );
            assert!(self.ask(&words.split(' ').collect::<Vec<_>>()).is_some(), "{words}");
        }
    }

    /// What it answers; `None` when it refuses.
    pub fn ask(&self, words: &[&str]) -> Option<String> {
        let output = self.netns.program(self.debian, "/usr/bin/gobgp").args(words).output();
        let output = output.expect("`ip` (package iproute2) is installed");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn json(&self, words: &[&str]) -> Value {
        let text = self.ask(&[words, &["-j"]].concat()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn neighbor(&self) -> Value {
        self.json(&["neighbor", self.session.our_address()])
    }
}

fn daemon(debian: Debian, netns: &Netns, directory: &TempDir, more: &[&str]) -> Daemon {
    let mut command = netns.program(debian, "/usr/bin/gobgpd");
    command.arg("-f").arg(directory.path().join("gobgpd.toml")).arg("-p").args(more);
    let log = std::fs::File::options().create(true).append(true).open(directory.path().join("log"));
    let log = log.expect("it can be written");
    command.stdout(log.try_clone().expect("a file")).stderr(log).stdin(Stdio::null());
    Daemon(command.spawn().expect("`ip` (package iproute2) is installed"))
}

fn configuration(session: &Session) -> String {
    let mut text = format!(
        "[global.config]\nas = {}\nrouter-id = \"192.0.2.2\"\n[[neighbors]]\n[neighbors.config]\n\
         neighbor-address = \"{}\"\npeer-as = {}\n",
        session.their_as,
        session.our_address(),
        session.our_as
    );
    // Writing to a String cannot fail, here and below.
    if let Some(key) = session.key {
        let _ = writeln!(text, "auth-password = \"{key}\"");
    }
    let _ = writeln!(text, "[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = 1");
    let _ = writeln!(text, "[neighbors.transport.config]\nlocal-address = \"{}\"", session.their_address());
    let _ = writeln!(text, "passive-mode = {}", !session.peer_opens);
    if session.ttl_security {
        let _ = writeln!(text, "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255");
    }
    // Without it GoBGP does not tell of End-of-RIB.
    let _ = writeln!(text, "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 60");
    for family in ["ipv4-unicast", "ipv6-unicast"] {
        let _ = writeln!(
            text,
            "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{family}\"\n\
             [neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true"
        );
        if session.add_path {
            let _ = writeln!(text, "[neighbors.afi-safis.add-paths.config]\nreceive = true\nsend-max = 8");
        }
    }
    text
}

/// The value of an attribute by its type code.
fn attribute(path: &Value, code: u64) -> Option<&Value> {
    path["attrs"].as_array()?.iter().find(|attribute| attribute["type"] == code)
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

impl Peer for GoBgp<'_> {
    fn established(&self) -> bool {
        // By number (6) since 3.0, by name before and after.
        let state = &self.neighbor()["state"]["session_state"];
        *state == 6 || *state == "ESTABLISHED"
    }

    fn heard(&self, prefix: &str) -> Option<Heard> {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let found = self.json(&["global", "rib", "-a", family, prefix]);
        let path =
            found.as_object()?.values().next()?.as_array()?.iter().find(|path| path["best"] == true)?;
        let as_path = attribute(path, 2).and_then(|attribute| attribute["as_paths"].as_array());
        let asns = as_path.into_iter().flatten().filter_map(|segment| segment["asns"].as_array()).flatten();
        let next_hop = attribute(path, 14).or_else(|| attribute(path, 3))?["nexthop"].as_str()?.to_owned();
        let communities = attribute(path, 8).and_then(|attribute| attribute["communities"].as_array());
        let community = |value: u32| format!("{}:{}", value >> 16, value & 0xffff);
        let large = attribute(path, 32).and_then(|attribute| attribute["value"].as_array());
        let large = large.into_iter().flatten().filter_map(|value| {
            let part = |name: &str| number(&value[name]);
            Some(format!("{}:{}:{}", part("ASN")?, part("LocalData1")?, part("LocalData2")?))
        });
        Some(Heard {
            as_path: asns.filter_map(number).collect(),
            next_hop,
            communities: communities.into_iter().flatten().filter_map(number).map(community).collect(),
            large_communities: large.collect(),
            med: attribute(path, 4).and_then(|attribute| number(&attribute["metric"])),
            local_pref: attribute(path, 5).and_then(|attribute| number(&attribute["value"])),
        })
    }

    fn end_of_rib(&self) -> Option<bool> {
        let neighbor = self.neighbor();
        let families = neighbor["afi_safis"].as_array()?;
        let heard = |family: &&Value| {
            let state = &family["mp_graceful_restart"]["state"];
            state["end_of_rib_received"] == true
        };
        Some(families.iter().filter(heard).count() == 2)
    }

    fn forget(&self) {
        self.ask(&["global", "rib", "del", "10.9.0.0/16"]);
    }

    fn ask_again(&self) -> bool {
        // `softresetin` judges anew what it has kept.
        false
    }

    fn farewell(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn report(&self) -> String {
        self.farewell() + &self.neighbor().to_string() + &self.json(&["global", "rib"]).to_string()
    }

    fn shut_down(&self, text: &str) -> bool {
        self.ask(&["neighbor", self.session.our_address(), "shutdown", "--reason", text]).is_some()
    }

    fn die(&mut self) {
        self.daemon.end();
    }

    fn rise(&mut self) {
        // Its routes come by `gobgp`, not from a file, and would come after its End-of-RIB if somebody connected sooner.
        self.netns.ip("link set v0 down");
        self.daemon = daemon(self.debian, self.netns, &self.directory, &["-r"]);
        self.until_it_answers();
        self.announce();
        self.netns.ip("link set v0 up");
    }
}

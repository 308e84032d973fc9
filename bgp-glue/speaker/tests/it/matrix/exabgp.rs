//! ExaBGP in the matrix. It has no table: a program of its own is told every message as JSON, and writes them down.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Stdio;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use tempfile::TempDir;

use super::peer::{Heard, Peer, Session};
use crate::netns::{Daemon, Debian, Netns};

/// What ExaBGP starts: writes down what it is told, and tells what comes through the pipe of commands. It ends when nothing
/// more can be told, which is with ExaBGP.
const API: &str = r#"
import sys, threading
folder = sys.argv[1]
def tell():
    while True:
        with open(folder + "/commands") as commands:
            sys.stdout.writelines(commands)
            sys.stdout.flush()
threading.Thread(target=tell, daemon=True).start()
with open(folder + "/heard", "a", buffering=1) as heard:
    for line in sys.stdin:
        heard.write(line)
"#;

pub struct ExaBgp<'a> {
    netns: &'a Netns,
    debian: Debian,
    session: Session,
    directory: TempDir,
    daemon: Daemon,
}

impl<'a> ExaBgp<'a> {
    pub fn start(debian: Debian, netns: &'a Netns, session: &Session) -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("there is a directory for temporary files");
        let file = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("it can be written");
        };
        file("api.py", API);
        mkfifo(&directory.path().join("commands"), Mode::S_IRUSR | Mode::S_IWUSR)
            .expect("a pipe with a name");
        file("heard", "");
        file("exabgp.conf", &configuration(session, &directory.path().display().to_string()));
        let daemon = daemon(debian, netns, session, &directory);
        Self { netns, debian, session: *session, directory, daemon }
    }

    /// All messages since the start.
    fn messages(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.directory.path().join("heard")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn command(&self, line: &str) {
        // Waits until the program listens.
        let commands = std::fs::File::options().write(true).open(self.directory.path().join("commands"));
        let mut commands = commands.expect("it is there");
        std::io::Write::write_all(&mut commands, format!("{line}\n").as_bytes()).expect("it can be written");
    }
}

fn daemon(debian: Debian, netns: &Netns, session: &Session, directory: &TempDir) -> Daemon {
    let mut command = netns.program(debian, "/usr/sbin/python3-exabgp");
    command.arg(directory.path().join("exabgp.conf"));
    for (name, value) in [
        ("daemon_user", "root"),
        ("daemon_drop", "false"),
        ("api_cli", "false"),
        ("log_destination", "stdout"),
        ("log_level", "INFO"),
        ("tcp_port", "179"),
    ] {
        command.env(format!("exabgp_{name}"), value);
    }
    if !session.peer_opens {
        command.env("exabgp_tcp_bind", session.their_address());
    }
    let log = std::fs::File::options().create(true).append(true).open(directory.path().join("log"));
    let log = log.expect("it can be written");
    command.stdout(log.try_clone().expect("a file")).stderr(log).stdin(Stdio::null());
    Daemon(command.spawn().expect("`ip` (package iproute2) is installed"))
}

fn configuration(session: &Session, directory: &str) -> String {
    let mut text = format!(
        "process api {{ run /usr/bin/python3 {directory}/api.py {directory}; encoder json; }}\n\
         neighbor {} {{\n router-id 192.0.2.2;\n local-address {};\n local-as {};\n peer-as {};\n",
        session.our_address(),
        session.their_address(),
        session.their_as,
        session.our_as
    );
    // Writing to a String cannot fail, here and below.
    if !session.peer_opens {
        text.push_str(" passive true;\n");
    }
    if let Some(key) = session.key {
        let _ = writeln!(text, " md5-password \"{key}\";");
    }
    if session.ttl_security {
        text.push_str(" incoming-ttl 255;\n outgoing-ttl 255;\n");
    }
    text.push_str(" family { ipv4 unicast; ipv6 unicast; }\n capability { route-refresh enable; ");
    if session.two_octet {
        text.push_str("asn4 disable; ");
    }
    if session.add_path {
        text.push_str("add-path send/receive; ");
    }
    if session.restart {
        text.push_str("graceful-restart 60; ");
    }
    if session.ipv6_next_hops {
        text.push_str("nexthop enable; ");
    }
    text.push_str("}\n");
    if session.ipv6_next_hops {
        text.push_str(" nexthop { ipv4 unicast ipv6; }\n");
    }
    text.push_str(
        " api { processes [ api ]; neighbor-changes; receive { parsed; update; open; refresh; } }\n static {\n",
    );
    for (route, next_hop) in
        [("10.9.0.0/16", session.their_next_hop_v4()), ("2001:db8:9::/48", "2001:db8::2")]
    {
        let path = if session.add_path { "path-information 7 " } else { "" };
        let _ = writeln!(text, "  route {route} {path}{};", tagged(next_hop));
    }
    text.push_str(" }\n}\n");
    text
}

fn tagged(next_hop: &str) -> String {
    format!(
        "next-hop {next_hop} community [ 65001:77 ] large-community [ 65001:1:2 ] \
         extended-community [ target:65001:9 ]"
    )
}

/// `[65000, 1]` as `65000:1`.
fn joined(values: &Value) -> Vec<String> {
    let words = |value: &Value| {
        let parts = value.as_array().into_iter().flatten();
        parts.map(ToString::to_string).collect::<Vec<_>>().join(":")
    };
    values.as_array().into_iter().flatten().map(words).collect()
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The routes of one family that an update announces, by prefix.
fn announced(update: &Value, family: &str) -> BTreeMap<String, Heard> {
    let attribute = &update["attribute"];
    let as_path = attribute["as-path"].as_array();
    let heard = Heard {
        as_path: as_path.into_iter().flatten().filter_map(number).collect(),
        next_hop: String::new(),
        communities: joined(&attribute["community"]),
        large_communities: joined(&attribute["large-community"]),
        med: number(&attribute["med"]),
        local_pref: number(&attribute["local-preference"]),
    };
    let by_next_hop = update["announce"][family].as_object().into_iter().flatten();
    let routes = by_next_hop.flat_map(|(next_hop, routes)| {
        let routes = routes.as_array().into_iter().flatten().filter_map(|route| route["nlri"].as_str());
        routes.map(|route| (route.to_owned(), Heard { next_hop: next_hop.clone(), ..heard.clone() }))
    });
    routes.collect()
}

impl Peer for ExaBgp<'_> {
    fn established(&self) -> bool {
        let messages = self.messages();
        let mut states = messages.iter().filter_map(|message| message["neighbor"]["state"].as_str());
        states.next_back() == Some("up")
    }

    fn heard(&self, prefix: &str) -> Option<Heard> {
        let family = if prefix.contains(':') { "ipv6 unicast" } else { "ipv4 unicast" };
        let mut last = None;
        for message in self.messages() {
            let update = &message["neighbor"]["message"]["update"];
            let withdrawn = update["withdraw"][family].as_array().into_iter().flatten();
            if withdrawn.filter_map(|route| route["nlri"].as_str()).any(|route| route == prefix) {
                last = None;
            }
            last = announced(update, family).remove(prefix).or(last);
        }
        last
    }

    fn end_of_rib(&self) -> Option<bool> {
        let messages = self.messages();
        let ended = |family: &str| {
            messages
                .iter()
                .any(|message| message["neighbor"]["message"]["eor"]["afi"].as_str() == Some(family))
        };
        Some(ended("ipv4") && ended("ipv6"))
    }

    fn forget(&self) {
        let path = if self.session.add_path { "path-information 7 " } else { "" };
        self.command(&format!(
            "withdraw route 10.9.0.0/16 {path}{}",
            tagged(self.session.their_next_hop_v4())
        ));
    }

    fn ask_again(&self) -> bool {
        self.command("announce route-refresh ipv4 unicast");
        self.command("announce route-refresh ipv6 unicast");
        true
    }

    fn farewell(&self) -> String {
        let text = std::fs::read_to_string(self.directory.path().join("heard")).unwrap_or_default();
        text + &std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// ExaBGP 4.2 formats octets as text, fails at that, and answers every shutdown with a text by NOTIFICATION 1/0.
    fn hears_farewells(&self) -> bool {
        false
    }

    fn shut_down(&self, _text: &str) -> bool {
        false
    }

    fn die(&mut self) {
        self.daemon.end();
    }

    fn rise(&mut self) {
        self.daemon = daemon(self.debian, self.netns, &self.session, &self.directory);
    }
}

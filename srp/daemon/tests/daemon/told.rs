//! Who is told of events: management stations and collectors of Debian, in the namespace of the other chassis.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use serde_json::Value;
use srp_core::api::{EventTarget, Request, Response};
use srp_core::types::ChassisState;

use crate::events::{await_events, has};
use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

/// A daemon of Debian in a namespace; ends with its value.
pub struct Receiver {
    child: Child,
    output: PathBuf,
}

impl Receiver {
    /// Runs `program` in the foreground; what it writes goes to `output`. It listens there when this returns.
    fn start(
        place: &Place,
        program: &str,
        arguments: &[&str],
        output: PathBuf,
        ports: &[(&str, u16)],
    ) -> Self {
        let found = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(program));
        let Some(program) = found.iter().find(|path| path.exists()) else {
            panic!("{program} is not installed: run scripts/setup --tests");
        };
        let log = fs::File::create(&output).expect("a file for its output");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place.netns.name()]).arg(program).args(arguments);
        command.env("SNMP_PERSISTENT_DIR", &place.folder).env("SNMPCONFPATH", &place.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent's memory.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let receiver = Self { child: command.spawn().expect("it starts"), output };
        for (protocol, port) in ports {
            let table = format!("/proc/{}/net/{protocol}", receiver.child.id());
            let wanted = format!(":{port:04X} ");
            receiver.await_that(&format!("{protocol} port {port}"), || {
                fs::read_to_string(&table).unwrap_or_default().contains(&wanted)
            });
        }
        receiver
    }

    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }

    fn await_that(&self, what: &str, holds: impl Fn() -> bool) {
        until(what, PATIENCE, Duration::from_millis(10), || {
            Ok(if holds() { Seen::Done(()) } else { Seen::NotYet(self.output()) })
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }

    /// The line with all of this.
    pub fn await_line(&self, parts: &[&str]) -> String {
        let line = || {
            self.output().lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        self.await_that(&format!("{parts:?}"), || line().is_some());
        line().expect("it was there")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill(); // may have ended
        let _ = self.child.wait();
    }
}

pub fn station(pair: &Pair, name: &str, port: u16, configuration: &str) -> Receiver {
    let file = pair.file(&format!("{name}.conf"));
    fs::write(&file, configuration).expect("its configuration");
    let (file, end) = (file.display().to_string(), format!("udp:192.0.2.1:{port}"));
    let arguments = ["-f", "-Lo", "-On", "-m", "", "-C", "-c", &file, &end];
    Receiver::start(&pair.east, "snmptrapd", &arguments, pair.file(&format!("{name}.out")), &[("udp", port)])
}

const ENGINE: &str = "80001fe40302005e100001";

#[test]
fn snmptrapd_receives_a_takeover_as_v2c_and_v3_and_a_dead_station_delays_nothing() {
    let pair = Pair::new();
    for (file, secret) in [
        ("community", "fish tank\n"),
        ("auth-256", "eight or more\n"),
        ("privacy", "others than that\n"),
        ("auth-1", "older but valid\n"),
    ] {
        fs::write(pair.file(file), secret).expect("a secret");
    }
    let v2c = station(&pair, "v2c", 162, "authCommunity log \"fish tank\"\n");
    let v3 = |name, port, user: &str| {
        let configuration = format!("createUser -e 0x{ENGINE} {user}\nauthUser log srp auth\n");
        station(&pair, name, port, &configuration)
    };
    let sha_256 = v3("sha-256", 1162, "srp SHA-256 \"eight or more\" AES \"others than that\"");
    let sha_1 = v3("sha-1", 1163, "srp SHA \"older but valid\"");
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let targets = format!(
        r#"
[snmp]
engine-id = "{ENGINE}"
[[snmp.target]]
address = "192.0.2.1"
community-file = "community"
severity = "minor"
[[snmp.target]]
address = "192.0.2.1"
port = 1162
version = "3"
user = "srp"
auth-file = "auth-256"
privacy-file = "privacy"
[[snmp.target]]
address = "192.0.2.1"
port = 1163
version = "3"
user = "srp"
auth = "sha-1"
auth-file = "auth-1"
events = ["starSRPSwitchoverOccured"]
[[snmp.target]]
address = "198.51.100.77"
community-file = "community"
"#
    );
    let west = pair.west.start(&pair.west.configure(&Keys::None, &targets));
    west.await_state(ChassisState::Standby);
    east.signal(Signal::SIGKILL);
    west.await_state(ChassisState::Active);

    let occured = ".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.4.1.8164.2.1278";
    for station in [&v2c, &sha_256, &sha_1] {
        let line = station.await_line(&[occured]);
        for bound in [
            ".1.3.6.1.2.1.1.3.0 = Timeticks: (",
            ".1.3.6.1.4.1.8164.1.31.5.0 = STRING: \"srp\"",
            ".1.3.6.1.4.1.8164.1.31.13.0 = IpAddress: 192.0.2.2",
            ".1.3.6.1.4.1.8164.1.31.135.0 = INTEGER: 9",
            "detail=Standby -> Pending-Active",
        ] {
            assert!(line.contains(bound), "{bound}: {line}");
        }
    }
    sha_256.await_line(&[".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.4.1.8164.2.120"]);
    let all = v2c.output() + &sha_1.output();
    assert!(!all.contains("8164.2.120"), "not bad enough for the one, not named by the other: {all}");
    assert_eq!(sha_1.output().matches(occured).count(), 1);

    let Ok(Response::SrpStatistics(statistics)) = west.ask(&Request::ShowSrpStatistics) else {
        panic!("statistics");
    };
    let dead = statistics.event_targets.iter().find(|told| told.target == "198.51.100.77:162").expect("it");
    assert!(dead.lost > 0 && dead.sent == 0 && dead.trouble.is_some(), "{dead:?}");
    let shown = format!("{statistics:?}");
    for secret in ["fish tank", "eight or more", "others than that"] {
        assert!(!shown.contains(secret));
    }
}

#[test]
fn a_reload_takes_another_secret_from_the_same_file() {
    let pair = Pair::new();
    fs::write(pair.file("community"), "first\n").expect("a secret");
    let station = station(&pair, "v2c", 162, "authCommunity log second\n");
    let target = "[[snmp.target]]\naddress = \"192.0.2.1\"\ncommunity-file = \"community\"\n";
    let west = pair.west.start(&pair.west.configure(&Keys::None, target));
    west.await_state(ChassisState::Active);
    fs::write(pair.file("community"), "second\n").expect("a secret");
    west.signal(Signal::SIGHUP);
    await_events(&west, "the reload", |events| has(events, "srpConfigurationReloaded"));
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Standby);
    east.signal(Signal::SIGKILL);
    station.await_line(&["OID: .1.3.6.1.4.1.8164.2.1037"]);
    assert!(!station.output().contains("8164.2.120"), "what the first secret proved was not taken");
}

#[test]
fn a_secret_that_is_not_there_is_found_before_anything_starts() {
    let pair = Pair::new();
    let target = "[[snmp.target]]\naddress = \"192.0.2.2\"\ncommunity-file = \"nowhere\"\n";
    let (code, said) = pair.east.refusal(&pair.east.configure(&Keys::None, target));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("snmp.target: cannot read") && said.contains("nowhere"), "{said}");
}

#[test]
fn rsyslogd_reads_events_by_udp_and_tcp_with_their_fields() {
    let pair = Pair::new();
    let (file, log) = (pair.file("rsyslog.conf"), pair.file("rsyslog.json"));
    let configuration = format!(
        r#"global(workDirectory="{folder}")
module(load="imudp")
module(load="imtcp")
input(type="imudp" address="192.0.2.1" port="514")
input(type="imtcp" address="192.0.2.1" port="601")
template(name="all" type="list") {{ property(name="jsonmesg") constant(value="\n") }}
action(type="omfile" file="{log}" template="all")
"#,
        folder = pair.east.folder.display(),
        log = log.display()
    );
    fs::write(&file, configuration).expect("its configuration");
    let process_file = pair.file("rsyslog.pid").display().to_string();
    let arguments = ["-n", "-f", &file.display().to_string(), "-i", &process_file];
    let output = pair.file("rsyslog.out");
    let mut collector =
        Receiver::start(&pair.east, "rsyslogd", &arguments, output, &[("udp", 514), ("tcp", 601)]);
    collector.output = log;
    let targets = "[[syslog]]\naddress = \"192.0.2.1\"\n\
                   [[syslog]]\naddress = \"192.0.2.1\"\nport = 601\ntransport = \"tcp\"\nfacility = \"local3\"\n";
    let west = pair.west.start(&pair.west.configure(&Keys::None, targets));
    west.await_state(ChassisState::Active);
    for (input, facility) in [("imudp", "3"), ("imtcp", "19")] {
        let line = collector.await_line(&[&format!("\"inputname\": \"{input}\""), "starSRPActive"]);
        let message: Value = serde_json::from_str(&line).expect("JSON");
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("msgid"), text("app-name")), ("starSRPActive".into(), "srpd".into()));
        assert_eq!((text("syslogfacility"), text("syslogseverity")), (facility.into(), "6".into()));
        assert_eq!(text("procid"), west.pid().to_string());
        let fields = text("structured-data");
        assert!(fields.starts_with("[srp@8164 ") && fields.contains("srp-address=\"192.0.2.2\""), "{fields}");
        assert!(text("msg").contains("this chassis is Active"), "{line}");
    }
}

#[test]
fn a_collector_that_comes_late_by_tcp_has_everything() {
    let pair = Pair::new();
    let collector = "[[syslog]]\naddress = \"192.0.2.1\"\nport = 601\ntransport = \"tcp\"\n";
    let west = pair.west.start(&pair.west.configure(&Keys::None, collector));
    await_events(&west, "Active", |events| has(events, "starSRPActive"));
    let listener = pair.east.netns.enter(|| std::net::TcpListener::bind("192.0.2.1:601"));
    let listener = listener.expect("a namespace").expect("a port");
    let (mut stream, _) = listener.accept().expect("it calls again");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    // RFC 6587 section 3.4.1: MSG-LEN SP SYSLOG-MSG.
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "starSRPActive") {
        let message = read_frame(&mut stream);
        names.push(message.split(' ').nth(5).unwrap_or_default().to_owned());
    }
    assert!(names.contains(&"srpStarted".to_owned()), "{names:?}");
}

fn read_frame(stream: &mut impl std::io::Read) -> String {
    let mut length = 0_usize;
    loop {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a frame");
        match octet[0] {
            b' ' => break,
            digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
            other => panic!("octet {other} in a length"),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).expect("the message");
    String::from_utf8(message).expect("text")
}

/// What became of what a station was told.
fn told(daemon: &Daemon, target: &str) -> EventTarget {
    let Ok(Response::SrpStatistics(statistics)) = daemon.ask(&Request::ShowSrpStatistics) else {
        panic!("statistics");
    };
    statistics.event_targets.into_iter().find(|told| told.target == target).expect("a target")
}

fn await_told(
    daemon: &Daemon,
    target: &str,
    what: &str,
    holds: impl Fn(&EventTarget) -> bool,
) -> EventTarget {
    until(what, PATIENCE, Duration::from_millis(10), || {
        let told = told(daemon, target);
        Ok(if holds(&told) { Seen::Done(told) } else { Seen::NotYet(format!("{told:?}")) })
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn snmptrapd_acknowledges_informs_of_v2c_and_v3_and_one_that_comes_late_has_them_all() {
    let pair = Pair::new();
    for (file, secret) in
        [("community", "fish tank\n"), ("auth", "eight or more\n"), ("privacy", "others than that\n")]
    {
        fs::write(pair.file(file), secret).expect("a secret");
    }
    let v3 = "createUser srp SHA-256 \"eight or more\" AES \"others than that\"\nauthUser log srp priv\n";
    let sealed = station(&pair, "sealed", 1162, v3);
    let targets = r#"
[[snmp.target]]
address = "192.0.2.1"
community-file = "community"
inform = true
retries = 10
timeout = "500ms"
[[snmp.target]]
address = "192.0.2.1"
port = 1162
version = "3"
user = "srp"
auth-file = "auth"
privacy-file = "privacy"
inform = true
[[snmp.target]]
address = "192.0.2.1"
port = 1163
community-file = "community"
inform = true
retries = 1
timeout = "100ms"
events = ["starSRPActive"]
"#;
    let west = pair.west.start(&pair.west.configure(&Keys::None, targets));
    west.await_state(ChassisState::Active);
    let active = "OID: .1.3.6.1.4.1.8164.2.120";
    sealed.await_line(&[active, "STRING: \"srp\""]);
    let acknowledged = |told: &EventTarget| told.acknowledged.is_some_and(|count| count > 0);
    let told = await_told(&west, "192.0.2.1:1162", "acknowledged by v3", acknowledged);
    assert_eq!((told.kind.as_str(), told.lost, &told.trouble), ("snmp-3-inform", 0, &None));
    assert!(Some(told.sent) > told.acknowledged, "its engine was asked first: {told:?}");

    // Nobody has listened there until now.
    await_told(&west, "192.0.2.1:162", "sent again", |told| told.sent > 1);
    let late = station(&pair, "late", 162, "authCommunity log \"fish tank\"\n");
    late.await_line(&[active]);
    let told = await_told(&west, "192.0.2.1:162", "acknowledged by v2c", acknowledged);
    assert_eq!((told.kind.as_str(), told.lost), ("snmp-2c-inform", 0));
    assert_eq!(late.output().matches(active).count(), 1, "once, however often it was sent");

    // Nobody listens there ever: given up after two times, and counted.
    let given_up = |told: &EventTarget| told.lost == 1;
    let told = await_told(&west, "192.0.2.1:1163", "given up", given_up);
    assert_eq!((told.sent, told.acknowledged), (2, Some(0)));
    assert!(told.trouble.is_some());
}

#[test]
fn an_inform_that_another_user_or_nobody_acknowledges_is_lost() {
    let pair = Pair::new();
    fs::write(pair.file("auth"), "not the password\n").expect("a secret");
    let user = "createUser srp SHA-256 \"eight or more\"\nauthUser log srp auth\n";
    let station = station(&pair, "other", 1162, user);
    let target = "[[snmp.target]]\naddress = \"192.0.2.1\"\nport = 1162\nversion = \"3\"\nuser = \"srp\"\n\
                  auth-file = \"auth\"\ninform = true\nretries = 0\ntimeout = \"300ms\"\n";
    let west = pair.west.start(&pair.west.configure(&Keys::None, target));
    west.await_state(ChassisState::Active);
    let told = await_told(&west, "192.0.2.1:1162", "lost", |told| told.lost > 0);
    assert_eq!(told.acknowledged, Some(0));
    assert!(told.trouble.is_some_and(|why| why.contains("without proof") || why.contains("proof")));
    assert!(!station.output().contains("8164.2.120"), "{}", station.output());
}

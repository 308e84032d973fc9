//! Those who look on: what MRT files and BMP stations get, as bgpdump, a script and tshark read it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bgp_proto::wire::capability::Capability;
use bgp_proto::wire::header::first_frame;
use bgp_speaker::{
    Event, Families, MonitorConfig, MonitorSummary, MrtConfig, NeighborConfig, Offer, SpeakerConfig,
    StationConfig,
};

use crate::netns::Netns;
use crate::owner::{Owner, PATIENCE, config, neighbor};
use crate::scripted_peer::{ScriptedPeer, listen, open, routes, update};

const PEER: &str = "192.0.2.2";

/// A speaker of AS 65000 with a scripted neighbor of AS 65001 that has to connect.
struct Watched {
    here: Netns,
    there: Netns,
    folder: tempfile::TempDir,
}

impl Watched {
    fn new() -> Self {
        let (here, there) = Netns::pair();
        Self { here, there, folder: tempfile::tempdir().expect("there is a folder for temporary files") }
    }

    fn config(monitors: Vec<MonitorConfig>) -> SpeakerConfig {
        let neighbor = NeighborConfig { passive: true, ..neighbor(PEER, 65001) };
        SpeakerConfig { neighbors: vec![neighbor], monitors, ..config(65000, 1) }
    }

    fn start(&self, monitors: Vec<MonitorConfig>) -> Owner {
        Owner::start(&self.here, Self::config(monitors))
    }

    fn established(&self, owner: &mut Owner) -> ScriptedPeer {
        let mut peer = ScriptedPeer::connect(&self.there, "192.0.2.2:0", "192.0.2.1:179");
        peer.establish(&open(65001, 90, 2));
        owner.until_up();
        peer
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn mrt(file: PathBuf, size_limit: u64) -> MonitorConfig {
    MonitorConfig::Mrt(MrtConfig { file, size_limit, keep: 2 })
}

fn station(port: u16) -> MonitorConfig {
    let address = format!("192.0.2.2:{port}").parse().unwrap();
    MonitorConfig::Station(StationConfig { address, statistics_interval: Duration::from_millis(200) })
}

/// A route of AS 65001 to `2001:db8:1::/48`.
fn v6_route() -> Vec<u8> {
    let mut body = vec![0, 0, 0, 48, 0x80, 14, 28, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8];
    body.extend([0; 11]);
    body.extend([2, 0, 48, 0x20, 1, 0x0d, 0xb8, 0, 1]);
    body.extend([0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9]);
    let length = u8::try_from(body.len() - 4).unwrap();
    body[3] = length;
    update(&body)
}

/// Waits for what no event tells.
fn until_monitor(owner: &Owner, wanted: impl Fn(&MonitorSummary) -> bool) -> MonitorSummary {
    let end = Instant::now() + PATIENCE;
    loop {
        let monitor = owner.summary().monitors.remove(0);
        if wanted(&monitor) {
            return monitor;
        }
        assert!(Instant::now() < end, "still {monitor:?}");
        std::thread::yield_now();
    }
}

fn tshark(file: &Path, options: &[&str]) -> String {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(options);
    let output = tshark.stderr(Stdio::null()).output().expect("tshark (package tshark) is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every record of an MRT file as bgpdump reads it, one a line, its fields separated by `|`, and its complaints.
fn bgpdump(file: &Path) -> (Vec<String>, String) {
    let output = Command::new("bgpdump").args(["-v", "-m"]).arg(file).output();
    let output = output.expect("bgpdump (package bgpdump) is installed");
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (lines, said.lines().filter(|line| !line.contains("[info]")).collect())
}

/// The same line without the time, its second field.
fn without_time(line: &str) -> String {
    let fields: Vec<_> =
        line.split('|').enumerate().filter(|(at, _)| *at != 1).map(|(_, text)| text).collect();
    fields.join("|")
}

#[test]
fn dump_of_the_table_is_read_by_bgpdump_with_every_path_and_attribute() {
    let watched = Watched::new();
    let mut owner = watched.start(Vec::new());
    let mut peer = watched.established(&mut owner);
    peer.send(&routes(2));
    peer.send(&v6_route());
    owner.until_route("2001:db8:1::/48");
    let file = watched.file("table.mrt");
    std::fs::write(&file, owner.answer(owner.handle.dump_table("gateway"))).unwrap();
    let (lines, complaints) = bgpdump(&file);
    let lines: Vec<_> = lines.iter().map(|line| without_time(line)).collect();
    let expected = [
        "TABLE_DUMP2|B|192.0.2.2|65001|10.0.0.0/8|65001|IGP|192.0.2.2|0|0||NAG||",
        "TABLE_DUMP2|B|192.0.2.2|65001|172.16.0.0/24|65001|IGP|192.0.2.2|0|0||NAG||",
        "TABLE_DUMP2|B|192.0.2.2|65001|172.16.1.0/24|65001|IGP|192.0.2.2|0|0||NAG||",
        "TABLE_DUMP2|B|192.0.2.2|65001|2001:db8:1::/48|65001|IGP|2001:db8::2|0|0||NAG||",
    ];
    assert_eq!(lines, expected);
    assert_eq!(complaints, "");
}

#[test]
fn dump_of_updates_is_read_by_bgpdump_with_states_and_routes() {
    let watched = Watched::new();
    let file = watched.file("updates.mrt");
    let mut owner = watched.start(vec![mrt(file.clone(), 1 << 20)]);
    until_monitor(&owner, |monitor| monitor.works);
    let mut peer = watched.established(&mut owner);
    peer.send(&routes(1));
    peer.send(&v6_route());
    peer.send(&update(&[0, 2, 8, 10, 0, 0]));
    owner.until_route("2001:db8:1::/48");
    peer.hang_up();
    owner.until_down();
    until_monitor(&owner, |monitor| monitor.written == 7);
    let (lines, complaints) = bgpdump(&file);
    let lines: Vec<_> = lines.iter().map(|line| without_time(line)).collect();
    let expected = [
        "BGP4MP_ET|STATE|192.0.2.2|65001|5|6",
        "BGP4MP_ET|A|192.0.2.2|65001|10.0.0.0/8|65001|IGP|192.0.2.2|0|0||NAG||",
        "BGP4MP_ET|A|192.0.2.2|65001|172.16.0.0/24|65001|IGP|192.0.2.2|0|0||NAG||",
        "BGP4MP_ET|A|192.0.2.2|65001|2001:db8:1::/48|65001|IGP|2001:db8::2|0|0||NAG||",
        "BGP4MP_ET|W|192.0.2.2|65001|10.0.0.0/8",
        "BGP4MP_ET|STATE|192.0.2.2|65001|6|1",
    ];
    assert_eq!(lines, expected);
    assert_eq!(complaints, "");
}

#[test]
fn station_is_told_path_identifiers_where_the_neighbor_sends_them() {
    let watched = Watched::new();
    let listener = listen(&watched.there, "192.0.2.2:5000");
    let mut config = Watched::config(vec![station(5000)]);
    config.neighbors[0].offer = Offer { add_path_receive: Families::ALL, ..Offer::default() };
    let mut owner = Owner::start(&watched.here, config);
    let mut station = Station::accept(&listener);
    let mut peer = ScriptedPeer::connect(&watched.there, "192.0.2.2:0", "192.0.2.1:179");
    let mut theirs = open(65001, 90, 2);
    theirs.capabilities.push(Capability::AddPath { receive: Families::NONE, send: Families::ALL });
    peer.establish(&theirs);
    owner.until_up();
    station.hear_only(4);
    station.hear_only(3);
    let mut body =
        vec![0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 192, 0, 2, 2];
    body.extend([0, 0, 0, 7, 8, 10]);
    peer.send(&update(&body));
    assert_eq!(station.hear_only(0)[PER_PEER..], update(&body));
    let withdrawal = update(&[0, 6, 0, 0, 0, 7, 8, 10, 0, 0]);
    peer.send(&withdrawal);
    assert_eq!(station.hear_only(0)[PER_PEER..], withdrawal);
}

#[test]
fn dump_gives_way_to_a_new_file_and_a_reload_ends_it() {
    let watched = Watched::new();
    let file = watched.file("updates.mrt");
    let mut owner = watched.start(vec![mrt(file.clone(), 2000)]);
    until_monitor(&owner, |monitor| monitor.works);
    let mut peer = watched.established(&mut owner);
    for count in 1..40 {
        peer.send(&routes(count));
    }
    until_monitor(&owner, |monitor| monitor.written == 42);
    for name in ["updates.mrt", "updates.mrt.1", "updates.mrt.2"] {
        let length = std::fs::metadata(watched.file(name)).expect("it was made").len();
        assert!(length <= 2000, "{name} has {length} octets");
    }
    assert!(!watched.file("updates.mrt.3").exists());
    owner.answer(owner.handle.reload(Watched::config(Vec::new()))).expect("it is good");
    assert_eq!(owner.summary().monitors, []);
    assert!(owner.only_neighbor().established_count == 1, "the session stays");
}

#[test]
fn full_disk_stops_the_dump_and_not_the_speaker() {
    let watched = Watched::new();
    let mut owner = watched.start(vec![mrt("/dev/full".into(), 1 << 20)]);
    // A session that is up before it looks on gives it nothing to write.
    until_monitor(&owner, |monitor| monitor.works);
    let mut peer = watched.established(&mut owner);
    let monitor = until_monitor(&owner, |monitor| monitor.state.starts_with("stopped"));
    assert!(monitor.state.contains("No space left on device"), "{monitor:?}");
    peer.send(&routes(0));
    assert_eq!(owner.until_route("10.0.0.0/8"), Some("192.0.2.2".into()));
}

/// A monitoring station.
struct Station {
    stream: TcpStream,
    input: Vec<u8>,
}

/// A message of BMP: its type and what follows the common header.
type Told = (u8, Vec<u8>);

impl Station {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("the speaker connects");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, input: Vec::new() }
    }

    /// `None` at the end of the connection.
    fn hear(&mut self) -> Option<Told> {
        loop {
            if let Some((&[version, a, b, c, d, kind], _)) = self.input.split_first_chunk() {
                assert_eq!(version, 3, "RFC 7854 section 4.1");
                let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
                if self.input.len() >= length {
                    let message = self.input.drain(..length).collect::<Vec<_>>();
                    return Some((kind, message[6..].to_vec()));
                }
            }
            let mut buffer = [0; 16384];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came from the speaker: {error}"),
            }
        }
    }

    /// The next message of a type, whatever comes before it but counters.
    fn hear_only(&mut self, wanted: u8) -> Vec<u8> {
        loop {
            match self.hear().expect("the speaker keeps the connection") {
                (kind, body) if kind == wanted => return body,
                (1, _) => {}
                (kind, body) => panic!("type {wanted} was expected, not {kind}: {body:02x?}"),
            }
        }
    }
}

/// Octets of the header that names the neighbor.
const PER_PEER: usize = 42;

#[test]
fn station_is_told_sessions_routes_counts_and_the_end() {
    let watched = Watched::new();
    let listener = listen(&watched.there, "192.0.2.2:5000");
    let mut owner = watched.start(vec![station(5000)]);
    let mut station = Station::accept(&listener);
    assert_eq!(station.hear_only(4)[..2], [0, 2], "sysName is first");
    let mut peer = watched.established(&mut owner);
    let up = station.hear_only(3);
    assert_eq!(up[10..26], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]);
    assert_eq!(up[26..34], [0, 0, 0xfd, 0xe9, 192, 0, 2, 2]);
    let opens = &up[PER_PEER + 20..];
    let sent = first_frame(opens, 4096).unwrap().expect("our OPEN is whole");
    let received = first_frame(&opens[sent.wire_len()..], 4096).unwrap().expect("the neighbor's is whole");
    assert_eq!((sent.body[0], received.body[0]), (4, 4));
    assert_eq!(opens.len(), sent.wire_len() + received.wire_len());

    peer.send(&routes(2));
    let told = station.hear_only(0);
    assert_eq!(told[PER_PEER..], routes(2), "RFC 7854 section 4.6: an UPDATE");
    peer.send(&update(&[0, 2, 8, 10, 0, 0]));
    assert_eq!(station.hear_only(0)[PER_PEER + 19..], [0, 2, 8, 10, 0, 0]);
    let counts = loop {
        let (kind, body) = station.hear().expect("the connection stays");
        assert_eq!(kind, 1);
        // Counters are asked from another thread: they follow the routes at some distance.
        if body[PER_PEER + 15] == 2 {
            break body;
        }
    };
    assert_eq!(counts[PER_PEER..PER_PEER + 8], [0, 0, 0, 2, 0, 7, 0, 8]);

    peer.hang_up();
    assert_eq!(station.hear_only(2)[PER_PEER], 4, "remote, without a NOTIFICATION");
    owner.answer(owner.handle.shutdown("noon"));
    assert_eq!(station.hear_only(5), [0, 1, 0, 2, 0, 0], "Termination: administratively closed");
    assert_eq!(station.hear(), None);
}

#[test]
fn station_that_comes_late_or_comes_back_gets_the_whole_table() {
    let watched = Watched::new();
    let mut owner = watched.start(vec![station(5000)]);
    let mut peer = watched.established(&mut owner);
    peer.send(&routes(2));
    peer.send(&update(&[0, 0, 0, 0]));
    owner.until_route("10.0.0.0/8");
    let listener = listen(&watched.there, "192.0.2.2:5000");
    for _ in 0..2 {
        let mut station = Station::accept(&listener);
        station.hear_only(4);
        station.hear_only(3);
        let told = station.hear_only(0);
        assert_eq!(told.len() - PER_PEER, routes(2).len(), "all three in one UPDATE");
        assert_eq!(station.hear_only(0)[PER_PEER + 19..], [0, 0, 0, 0], "End-of-RIB");
        station.stream.shutdown(Shutdown::Both).unwrap();
    }
}

#[test]
fn station_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let watched = Watched::new();
    let listener = listen(&watched.there, "192.0.2.2:5000");
    let mut owner = watched.start(vec![station(5000)]);
    let station = Station::accept(&listener);
    let mut peer = watched.established(&mut owner);
    // Far more than its queue and the buffers of two sockets hold.
    let message = routes(900);
    for _ in 0..10_000 {
        peer.send(&message);
    }
    until_monitor(&owner, |monitor| monitor.lost == 1);
    peer.send(&v6_route());
    assert!(owner.until_route("2001:db8:1::/48").is_some(), "the session lives");
    drop(station);
    // The next connection is told what there is now.
    let mut station = Station::accept(&listener);
    station.hear_only(4);
    station.hear_only(3);
    let prefixes: usize = (0..2).map(|_| station.hear_only(0).len()).sum();
    assert!(prefixes > 900 * 4);
}

#[test]
fn tshark_reads_everything_that_a_station_is_told_without_a_malformed_mark() {
    let watched = Watched::new();
    let listener = listen(&watched.there, "192.0.2.2:5000");
    let mut owner = watched.start(vec![station(5000)]);
    let mut told = Station::accept(&listener);
    let mut peer = watched.established(&mut owner);
    peer.send(&routes(3));
    peer.send(&v6_route());
    peer.send(&update(&[0, 0, 0, 0]));
    owner.until(|event| matches!(event, Event::BestPathsChanged(_)).then_some(()));
    let mut stream = Vec::new();
    let mut kinds = Vec::new();
    let mut take = |(kind, body): Told| {
        kinds.push(kind);
        let length = u32::try_from(body.len() + 6).unwrap();
        stream.push([&[3][..], &length.to_be_bytes(), &[kind], &body].concat());
        kind
    };
    while take(told.hear().expect("the connection stays")) != 1 {}
    owner.answer(owner.handle.shutdown("noon"));
    while let Some(message) = told.hear() {
        take(message);
    }
    for kind in 0..=5 {
        assert!(kinds.contains(&kind), "no message of type {kind} in {kinds:?}");
    }
    // The same octets as a capture of TCP, in the form that text2pcap reads.
    let text = watched.file("bmp.txt");
    let mut file = std::fs::File::create(&text).unwrap();
    for message in &stream {
        let octets: Vec<_> = message.iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(file, "000000 {}", octets.join(" ")).unwrap();
    }
    let capture = watched.file("bmp.pcap");
    let made = Command::new("text2pcap").args(["-T", "11019,11019"]).arg(&text).arg(&capture).output();
    assert!(made.expect("text2pcap (package wireshark-common) is installed").status.success());
    let read = ["-d", "tcp.port==11019,bmp", "-Y", "bmp", "-T", "fields", "-e", "bmp.type"];
    assert_eq!(tshark(&capture, &read).lines().count(), stream.len());
    let marks = ["-d", "tcp.port==11019,bmp", "-Y", "_ws.malformed || _ws.expert.severity >= error"];
    assert_eq!(tshark(&capture, &marks), "");
}

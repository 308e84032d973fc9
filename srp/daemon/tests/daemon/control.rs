//! The control socket: who may use it, and what those cannot do who use it badly.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use srp_core::api::{Request, Response, SrpStatistics};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair};

/// `nobody`, and Debian's group `staff`.
const NOBODY: u32 = 65_534;
const STAFF: u32 = 50;

fn statistics(daemon: &Daemon) -> SrpStatistics {
    match daemon.ask(&Request::ShowSrpStatistics) {
        Ok(Response::SrpStatistics(statistics)) => *statistics,
        other => panic!("{other:?}"),
    }
}

/// Asks as somebody else; what was answered, or why it was not.
fn ask_as(group: u32, socket: &str) -> String {
    let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\n\
                  except OSError as e:\n print(e.strerror)\n sys.exit()\n\
                  s.sendall(b'{\"request\":\"show-srp-info\"}\\n')\nprint(s.recv(40).decode())\n";
    let mut command = Command::new("python3");
    command.args(["-c", script, socket]).uid(NOBODY).gid(group);
    let output = command.output().expect("python3 runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn who_is_not_in_the_group_cannot_ask() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, "");
    let text = fs::read_to_string(&file).expect("the file");
    let text = text.replace("socket = \"east.sock\"", "socket = \"east.sock\"\ngroup = \"staff\"");
    fs::write(&file, text).expect("the file");
    fs::set_permissions(&pair.east.folder, fs::Permissions::from_mode(0o755)).expect("a way to the socket");
    let east = pair.east.start(&file);
    east.await_state(ChassisState::Active);
    let socket = pair.east.socket();
    let socket = socket.to_str().expect("text");
    assert_eq!(ask_as(NOBODY, socket), "Permission denied\n");
    assert!(ask_as(STAFF, socket).starts_with("{\"response\":\"srp-info\""));
}

#[test]
fn clients_that_say_nothing_give_way_to_one_that_asks_the_oldest_first() {
    /// Places of srpd, and clients that say nothing.
    const PLACES: usize = 16;
    const SILENT: usize = 40;
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let mut silent: Vec<UnixStream> =
        (0..SILENT).map(|_| UnixStream::connect(pair.east.socket()).expect("a connection")).collect();
    // Half a request is none.
    silent[SILENT - 1].write_all(b"{\"request\":").expect("half a request");
    statistics(&east);
    // All that came have been let in by now, and all but the last ones had to go: one more for who asked.
    let gone = SILENT - PLACES + 1;
    for (number, client) in silent.iter_mut().enumerate() {
        client.set_nonblocking(true).expect("a mode");
        let read = client.read(&mut [0; 1]).map_err(|error| error.kind());
        let expected = if number < gone { Ok(0) } else { Err(ErrorKind::WouldBlock) };
        assert_eq!(read, expected, "client {number}");
    }
    // Who has a place still is answered once the request is whole.
    let mut last = silent.pop().expect("the last one");
    last.set_nonblocking(false).expect("a mode");
    last.write_all(b"\"show-srp-info\"}\n").expect("the other half");
    let mut answer = [0; 10];
    last.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"{\"response");
}

#[test]
fn clients_that_hang_flood_or_talk_nonsense_cost_no_link() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    let before = statistics(&east).hello_messages_sent;
    let connect = || {
        let stream = UnixStream::connect(pair.east.socket()).expect("a connection");
        stream.set_write_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        stream
    };
    // Half a request, and nothing more; one that asks and asks and never reads; one that writes what is none.
    let mut hanging: Vec<UnixStream> = (0..8).map(|_| connect()).collect();
    for client in &mut hanging {
        client.write_all(b"{\"request\":").expect("half a request");
    }
    let mut deaf: Vec<UnixStream> = (0..4).map(|_| connect()).collect();
    let asking = b"{\"request\":\"show-srp-details\"}\n".repeat(64);
    let nonsense = [b"\xff\x00nonsense\n".repeat(200), vec![b'x'; 1 << 20]].concat();
    // As long as it takes for a hundred Hellos to pass.
    while statistics(&east).hello_messages_sent < before + 100 {
        for client in &mut deaf {
            // It is full after a while, and stays so.
            let _ = client.write(&asking);
        }
        let mut babbler = connect();
        let _ = babbler.write_all(&nonsense); // srpd hangs up in the middle
        let mut answer = Vec::new();
        babbler.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let _ = babbler.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"{\"response\":\"error\""));
    }
    for daemon in [&east, &west] {
        let seen = statistics(daemon);
        assert_eq!((seen.link_ups, seen.link_downs), (1, 0), "{seen:?}");
    }
    assert_eq!(east.info().expect("info").chassis_state, ChassisState::Active);
    assert_eq!(west.info().expect("info").chassis_state, ChassisState::Standby);
}

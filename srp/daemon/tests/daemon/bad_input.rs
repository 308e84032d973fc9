//! What is refused, in which words, and that the kernel stays as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Keys, Pair};
use srp_core::api::Response;
use srp_core::types::ChassisState;

#[test]
fn second_daemon_on_one_socket_is_refused() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, "");
    let first = pair.east.start(&file);
    first.await_state(ChassisState::Active);
    let before = pair.east.kernel();
    let (code, text) = pair.east.refusal(&file);
    assert_eq!(code, Some(1));
    assert!(text.contains("east.sock is in use by another srpd"), "{text}");
    assert_eq!(pair.east.kernel(), before);
    assert_eq!(first.info().expect("the first still answers").chassis_state, ChassisState::Active);
}

#[test]
fn missing_privilege_is_named() {
    let pair = Pair::new();
    let before = pair.east.kernel();
    let file = pair.east.configure(&Keys::None, "");
    let everyone = fs::Permissions::from_mode(0o777);
    fs::set_permissions(&pair.east.folder, everyone).expect("a folder for everyone");
    let as_nobody = pair.east.netns.enter(|| {
        Command::new(env!("CARGO_BIN_EXE_srpd")).arg("run").arg(&file).uid(65534).gid(65534).output()
    });
    let output = as_nobody.expect("the namespace").expect("srpd starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("CAP_NET_ADMIN"), "{text}");
    assert_eq!(pair.east.kernel(), before);
}

#[test]
fn interface_that_does_not_exist_is_named_and_nothing_is_installed() {
    let pair = Pair::new();
    let before = pair.east.kernel();
    let more =
        "\n[[context.loopback]]\nname = \"lost\"\naddress = \"203.0.113.9/32\"\ninterface = \"dummy7\"\n";
    let (code, text) = pair.east.refusal(&pair.east.configure(&Keys::None, more));
    assert_eq!(code, Some(1));
    assert!(text.contains("loopback lost: interface \"dummy7\" does not exist"), "{text}");
    assert_eq!(pair.east.kernel(), before);
}

#[test]
fn every_fault_of_a_file_is_told_at_once_and_nothing_runs() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, "");
    let text = fs::read_to_string(&file).expect("configuration");
    let text = text.replace("\"300ms\"", "\"100ms\"").replace("chassis-mode", "chasis-mode");
    fs::write(&file, text.replace("203.0.113.1/32", "203.0.113.1/24")).expect("a faulty configuration");
    for verb in ["run", "check"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_srpd")).arg(verb).arg(&file).output().expect("srpd starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in ["dead-interval", "chasis-mode", "203.0.113.1/24", "3 error(s)"] {
            assert!(text.contains(part), "{verb}: {part} is missing from {text}");
        }
    }
}

#[test]
fn key_file_that_does_not_exist_is_named() {
    let pair = Pair::new();
    let before = pair.east.kernel();
    let keys = Keys::Files { own: "nobody", peer: "west" };
    let (code, text) = pair.east.refusal(&pair.east.configure(&keys, ""));
    assert_eq!(code, Some(1));
    assert!(text.contains("nobody.crt"), "{text}");
    assert_eq!(pair.east.kernel(), before);
}

/// A context with a neighbour that has TCP-AO keys.
const SIGNED: &str = "\n[[context]]\nname = \"red\"\ntable = 1001\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.101\"\n\
    [[context.bgp.group]]\nname = \"signed\"\nao-key-file = \"neighbour.keys\"\n\
    [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nremote-as = 65101\ngroup = \"signed\"\n";

#[test]
fn tcp_ao_key_is_refused_by_name_where_the_kernel_has_none_and_never_shown() {
    let pair = Pair::new();
    let before = pair.east.kernel();
    let file = pair.east.configure(&Keys::None, SIGNED);
    let keys = pair.file("neighbour.keys");
    let rows = [
        ("", "ao-key-file", "no key in it"),
        ("1 2 hmac-sha-1-96 hush\n3 2 hmac-sha-1-96 hush\n", "neighbour.keys", "line 2: RECEIVE-ID 2"),
        (
            "7 8 hmac-sha-1-96 hush\n",
            "context red: TCP-AO key 7/8 hmac-sha-1-96 for 10.1.0.2/32: the kernel refuses it",
            "use a kernel of Linux 6.7 or later with CONFIG_TCP_AO, or md5-key-file at both ends",
        ),
    ];
    for (text, where_, why) in rows {
        fs::write(&keys, text).expect("a key file");
        let check = Command::new(env!("CARGO_BIN_EXE_srpd")).arg("check").arg(&file).output().expect("srpd");
        let (code, said) = pair.east.refusal(&file);
        for (code, said) in
            [(code, said), (check.status.code(), String::from_utf8_lossy(&check.stderr).into())]
        {
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains(where_) && said.contains(why), "{said}");
            assert!(!said.contains("hush"), "{said}");
        }
    }
    assert_eq!(pair.east.kernel(), before);
}

#[test]
fn peer_with_the_wrong_key_is_counted_and_never_a_peer() {
    let pair = Pair::new();
    for name in ["east", "west", "mallory"] {
        pair.make_keys(name);
    }
    let east = pair.east.start(&pair.east.configure(&Keys::Files { own: "east", peer: "west" }, ""));
    let mallory = pair.west.start(&pair.west.configure(&Keys::Files { own: "mallory", peer: "east" }, ""));
    let info = east.await_info("a wrong key counted", |info| {
        info.link_counters.iter().any(|counter| counter.name == "wrong-key" && counter.count > 0)
    });
    assert_eq!(info.peer, None);
    assert_eq!(info.connection_ups, 0);
    drop(mallory);

    let west = pair.west.start(&pair.west.configure(&Keys::Files { own: "west", peer: "east" }, ""));
    let info = east.await_info("the right peer", |info| info.peer.is_some());
    assert!(info.connection_security.contains("TLS"), "{}", info.connection_security);
    drop(west);
}

#[test]
fn garbage_on_the_control_socket_gets_an_answer_and_harms_nobody() {
    use std::io::{BufRead, BufReader, Write};
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let mut stream = std::os::unix::net::UnixStream::connect(pair.east.socket()).expect("the socket");
    stream.write_all(b"show everything\n").expect("written");
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).expect("an answer");
    let answer: Response = serde_json::from_str(&line).expect("a response");
    assert!(
        matches!(&answer, Response::Error { reasons } if reasons[0].contains("not a request")),
        "{answer:?}"
    );
    // A client that hangs does not keep others out.
    let _hanging: Vec<_> = (0..8)
        .map(|_| std::os::unix::net::UnixStream::connect(pair.east.socket()).expect("the socket"))
        .collect();
    assert_eq!(east.info().expect("info").chassis_state, ChassisState::Active);
}

#[test]
fn control_socket_is_for_its_owner_only() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let mode = fs::metadata(pair.east.socket()).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn unknown_command_is_a_usage_error() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_srpd")).arg("chekc").stderr(Stdio::piped()).output().expect("srpd");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("check"));
}

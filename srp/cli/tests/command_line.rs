//! The binary itself: exit status, standard error, and a srpd that misbehaves.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

/// A socket in a folder of its own, with one scripted conversation behind it.
struct Scripted {
    folder: TempDir,
    server: Option<JoinHandle<String>>,
}

impl Scripted {
    /// Takes one connection, reads the question, then does as `answer` says. Returns the question in the end.
    fn new(answer: impl FnOnce(UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("srpctl connects");
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).expect("a question");
            answer(stream);
            question
        });
        Self { folder, server: Some(server) }
    }

    fn saying(answer: &'static str) -> Self {
        Self::new(move |mut stream| {
            stream.write_all(answer.as_bytes()).expect("srpctl reads");
        })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    fn question(mut self) -> String {
        let server = self.server.take().expect("asked once");
        server.join().expect("the conversation went as scripted")
    }
}

fn srpctl(socket: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_srpctl"));
    command.env("SRP_SOCKET", socket).args(arguments).output().expect("srpctl runs")
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).expect("text")
}

#[test]
fn import_prints_the_configuration_and_lists_what_it_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("chassis.cfg");
    let import = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).expect("a file");
        let arguments = [&["import", file.to_str().expect("a path")], more].concat();
        srpctl(Path::new("/nowhere"), &arguments)
    };
    let done = import("context a\n  subscriber default\n  exit\nend\n", &[]);
    assert!(done.status.success());
    assert!(text(&done.stdout).contains("[[context]]\nname = \"a\"\n"));
    assert!(text(&done.stderr).contains("line 2: left out: subscriber default: srpd has no subscribers\n"));
    let done = import("context a\n", &["--json"]);
    assert!(text(&done.stdout).starts_with("{\"configuration\":\"[srp]"));
    let refused = import("hello\n", &[]);
    assert_eq!((refused.status.code(), text(&refused.stdout)), (Some(1), ""));
    assert!(text(&refused.stderr).contains("no `context NAME` in it"));
}

#[test]
fn an_answer_is_printed_and_the_status_is_zero() {
    let srpd = Scripted::saying("{\"response\":\"switchover-done\",\"body\":{\"took_ms\":1.5}}\n");
    let output = srpctl(&srpd.socket(), &["srp", "initiate-switchover", "force"]);
    assert_eq!(text(&output.stdout), "Switchover done in 1.500 ms.\n");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(srpd.question(), "{\"request\":\"initiate-switchover\",\"force\":true}\n");
}

#[test]
fn json_is_the_body_of_the_answer() {
    let srpd = Scripted::saying("{\"response\":\"bgp-summary\",\"body\":[]}\n");
    let output = srpctl(&srpd.socket(), &["--json", "show", "ip", "bgp", "summary"]);
    assert_eq!(text(&output.stdout), "[]\n");
    assert_eq!(srpd.question(), "{\"request\":\"show-bgp-summary\"}\n");
}

#[test]
fn a_refusal_is_status_one_with_its_reasons() {
    let srpd = Scripted::saying(
        "{\"response\":\"error\",\"body\":{\"reasons\":[\"the peer is down\",\"4 differences\"]}}\n",
    );
    let output = srpctl(&srpd.socket(), &["srp", "initiate-switchover"]);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "srpctl: the peer is down\nsrpctl: 4 differences\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_failed_validation_is_status_one() {
    let srpd = Scripted::saying(
        "{\"response\":\"validation\",\"body\":{\"checks\":[{\"name\":\"link\",\"passed\":false,\"detail\":\"down\"}]}}\n",
    );
    let output = srpctl(&srpd.socket(), &["srp", "validate-switchover"]);
    assert!(text(&output.stdout).ends_with("A planned switchover would be refused.\n"));
    assert_eq!(text(&output.stderr), "srpctl: link: down\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_option_names_the_socket_before_the_environment_does() {
    let srpd = Scripted::saying("{\"response\":\"bgp-summary\",\"body\":[]}\n");
    let socket = srpd.socket();
    let socket = socket.to_str().expect("text");
    let output = srpctl(Path::new("/nowhere"), &["show", "ip", "bgp", "summary", "--socket", socket]);
    assert_eq!(text(&output.stdout), "No context runs BGP.\n");
}

#[test]
fn a_srpd_that_hangs_is_given_up_after_the_limit() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let srpd = Scripted::new(move |stream| {
        // Open and silent until the test is over.
        let _ = held.recv();
        drop(stream);
    });
    let output = srpctl(&srpd.socket(), &["show", "srp", "info", "--timeout", "1"]);
    drop(release);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "srpctl: no answer from srpd on {} within 1 s: it hangs or is very busy; see its log, or wait longer \
         (--timeout SECONDS)\n",
        srpd.socket().display()
    );
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_connection_closed_without_an_answer_is_said() {
    let srpd = Scripted::new(drop);
    let output = srpctl(&srpd.socket(), &["show", "srp", "info"]);
    assert!(text(&output.stderr).contains("closed the connection without an answer"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn garbage_is_shown_without_harm_to_the_terminal() {
    let srpd = Scripted::saying("SSH-2.0-\u{1b}[2J\n");
    let output = srpctl(&srpd.socket(), &["show", "srp", "info"]);
    let said = text(&output.stderr);
    assert!(said.contains("is not one of srpd"), "{said}");
    assert!(said.ends_with("It begins: SSH-2.0-?[2J?\n"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_socket_that_is_not_there_or_stale_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("s");
    let output = srpctl(&socket, &["show", "srp", "info"]);
    let expected = format!(
        "srpctl: {} does not exist: srpd is not running, or its configuration names another socket \
         (--socket PATH or SRP_SOCKET)\n",
        socket.display()
    );
    assert_eq!(text(&output.stderr), expected);
    drop(UnixListener::bind(&socket).expect("a socket"));
    let output = srpctl(&socket, &["show", "srp", "info"]);
    assert!(text(&output.stderr).contains("nobody listens on"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn wrong_usage_is_status_two_and_suggests_the_nearest_word() {
    let output = srpctl(Path::new("/nowhere"), &["show", "srp", "ifno"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("'info'"), "{output:?}");
}

#[test]
fn keygen_needs_no_srpd_and_never_overwrites() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("keys");
    let arguments = ["keygen", "--out", out.to_str().expect("text"), "east", "west"];
    let output = srpctl(Path::new("/nowhere"), &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let key = out.join("east.key");
    let before = std::fs::read(&key).expect("a key");
    assert_eq!(key.metadata().expect("a key").permissions().mode() & 0o777, 0o600);

    let output = srpctl(Path::new("/nowhere"), &arguments);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "srpctl: {} exists and is never overwritten: move it away, or choose another name or folder\n",
        key.display()
    );
    assert_eq!(text(&output.stderr), expected);
    assert_eq!(std::fs::read(&key).expect("a key"), before);
}

#[test]
fn watching_asks_again_until_nobody_reads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).expect("a question");
            let answer = b"{\"response\":\"bgp-summary\",\"body\":[]}\n";
            (&stream).write_all(answer).expect("srpctl reads");
        }
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_srpctl"));
    command.env("SRP_SOCKET", &socket).args(["--json", "--watch=1", "show", "ip", "bgp", "summary"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("srpctl runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    for _ in 0..3 {
        assert_eq!(lines.next().expect("another line").expect("text"), "[]");
    }
    drop(lines);
    // It writes into nothing now, and ends by itself.
    assert!(child.wait().expect("it ends").success());
    let refused = srpctl(&socket, &["--watch", "srp", "validate-switchover"]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
}

#[test]
fn show_10_an_archive_for_support_has_what_there_is_and_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("support.tar.gz");
    let name = file.to_str().expect("text").to_owned();
    for scope in ["icsr", "icshr"] {
        let output = srpctl(&folder.path().join("nobody"), &["show", "support", "details", scope, &name]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("Not in it: show srp info: "), "{}", text(&output.stdout));
        let list = Command::new("tar").arg("-tzf").arg(&file).output().expect("tar runs");
        let list = text(&list.stdout).to_owned();
        assert!(list.contains("/versions.txt") && list.contains("/missing.txt"), "{list}");
        assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    }
    let output =
        srpctl(&folder.path().join("nobody"), &["show", "support", "details", "icsr", "/proc/none/x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write /proc/none/x"), "{}", text(&output.stderr));
}

#[test]
fn shells_complete_commands_and_each_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("nobody");
    for shell in ["bash", "zsh", "fish"] {
        let output = srpctl(&socket, &["completion", shell]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("initiate-switchover"), "{shell}");
    }
    let pages = folder.path().join("man1");
    let output = srpctl(&socket, &["man", pages.to_str().expect("text")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(pages.join("srpctl-srp-initiate-switchover.1")).expect("its page");
    assert!(page.contains("srpctl") && page.contains(".SH"), "{page}");
}

#[test]
fn an_unknown_command_names_the_nearest() {
    let output = srpctl(Path::new("/nowhere"), &["srp", "initiate-swichover"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("initiate-switchover"), "{said}");
}

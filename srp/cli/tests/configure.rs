//! `srpctl configure` on a file, with a srpd that takes over or refuses.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

const FIRST: &str = "# the pair\n[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\npriority = 10 # lower wins\nplaintext = true\n";

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("srp.toml"), FIRST).expect("a file");
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("srp.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).expect("the file")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_srpctl"));
        command
            .env("SRP_SOCKET", self.folder.path().join("s"))
            .env("EDITOR", "sed -i s/20/30/")
            .env_remove("VISUAL");
        command.arg("configure").args(words).arg("--file").arg(self.file()).output().expect("srpctl runs")
    }

    /// What a command prints; it has to succeed.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What a command complains of; it has to fail.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// A srpd that gives this answer to one question, which is returned.
    fn srpd(&self, answer: &'static str) -> JoinHandle<String> {
        let socket = self.folder.path().join("s");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("srpctl connects");
            let mut question = String::new();
            BufReader::new(&stream).read_line(&mut question).expect("a question");
            stream.write_all(answer.as_bytes()).expect("srpctl reads");
            question
        })
    }
}

const TAKEN: &str = "{\"response\":\"reloaded\",\"body\":{\"changes\":[\"srp.priority: 10 -> 20\"]}}\n";
const REFUSED: &str = "{\"response\":\"error\",\"body\":{\"reasons\":[\"reload refused, srp.priority can only change with a restart\"]}}\n";

#[test]
fn a_change_is_compared_checked_committed_and_taken_back() {
    let bench = Bench::new();
    bench.done(&["set", "srp.priority", "20"]);
    assert_eq!(bench.text(), FIRST, "nothing happens before the commit");
    assert_eq!(bench.done(&["compare"]), "srp.priority: 10 -> 20 (needs a restart of srpd)\n");
    assert!(bench.done(&["check"]).ends_with("no errors\n"));
    let srpd = bench.srpd(TAKEN);
    assert_eq!(bench.done(&["commit", "as", "agreed"]), "srp.priority: 10 -> 20\n");
    assert_eq!(srpd.join().expect("asked"), "{\"request\":\"reload\"}\n");
    // Comments stay where they were.
    assert_eq!(bench.text(), FIRST.replace("10 #", "20 #"));
    let history = bench.done(&["history"]);
    assert!(history.starts_with(" 1  ") && history.ends_with("  as agreed\n"), "{history}");
    assert!(bench.refused(&["commit"]).contains("there is no candidate"));

    assert!(bench.refused(&["rollback", "2"]).contains("there are 1 commits to go back"));
    bench.done(&["rollback", "1"]);
    assert_eq!(bench.done(&["compare"]), "srp.priority: 20 -> 10 (needs a restart of srpd)\n");
    let srpd = bench.srpd(TAKEN);
    bench.done(&["commit"]);
    srpd.join().expect("asked");
    assert_eq!(bench.text(), FIRST);
}

#[test]
fn what_srpd_refuses_leaves_the_file_as_it_was_and_the_candidate_there() {
    let bench = Bench::new();
    bench.done(&["set", "srp.priority", "20"]);
    let srpd = bench.srpd(REFUSED);
    let said = bench.refused(&["commit"]);
    srpd.join().expect("asked");
    assert!(
        said.contains("can only change with a restart") && said.contains("the file is as it was before"),
        "{said}"
    );
    assert_eq!(bench.text(), FIRST);
    assert_eq!(bench.done(&["history"]), "");
    assert!(bench.done(&["compare"]).contains("10 -> 20"));
    // The editor goes on with the same candidate.
    assert!(bench.done(&["edit"]).contains("10 -> 30"));
    bench.done(&["discard"]);
    assert!(bench.refused(&["compare"]).contains("there is no candidate"));
}

#[test]
fn a_candidate_that_is_wrong_is_never_written() {
    let bench = Bench::new();
    bench.done(&["set", "srp.priority", "300"]);
    for words in [["check"], ["compare"], ["commit"]] {
        let said = bench.refused(&words);
        assert!(
            said.contains("srp.priority = 300: out of range")
                && said.contains("1 error(s): nothing was changed"),
            "{said}"
        );
    }
    assert_eq!(bench.text(), FIRST);
    assert!(bench.refused(&["set", "srp..x", "1"]).contains("is not a key"));
    assert!(bench.refused(&["delete", "srp.mac"]).contains("srp.mac is not in the candidate"));
}

#[test]
fn a_file_that_somebody_else_changed_meanwhile_is_not_overwritten() {
    let bench = Bench::new();
    bench.done(&["set", "srp.priority", "20"]);
    let theirs = FIRST.replace("plaintext = true", "plaintext = true # sure");
    fs::write(bench.file(), &theirs).expect("a file");
    assert!(bench.refused(&["commit"]).contains("was changed by somebody else"));
    assert_eq!(bench.text(), theirs);
}

#[test]
fn without_srpd_a_commit_waits_for_its_start_and_the_file_has_to_be_named() {
    let bench = Bench::new();
    bench.done(&["set", "srp.priority", "20"]);
    assert_eq!(bench.done(&["commit"]), "srpd does not run: it takes this over when it starts.\n");
    let output = Command::new(env!("CARGO_BIN_EXE_srpctl"))
        .env("SRP_SOCKET", bench.folder.path().join("s"))
        .args(["configure", "history"])
        .output()
        .expect("srpctl runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("name it with --file PATH"));
}

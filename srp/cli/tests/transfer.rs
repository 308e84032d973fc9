//! `save configuration URL`, `configure load URL` and `copy`, with OpenSSH's and a TLS server at the other end, in a namespace.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::until_true;
use tempfile::TempDir;

const TEXT: &str = "[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n";

/// A namespace with a server in it, and a srpd that says which file it has.
struct Bench {
    server: Option<Child>,
    folder: TempDir,
    netns: Netns,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill(); // may have ended
            let _ = server.wait();
        }
    }
}

impl Bench {
    fn new() -> Self {
        let netns = Netns::create(format!("{}copy", next_prefix())).expect("a namespace (needs root)");
        let folder = tempfile::tempdir().expect("a folder");
        for inner in ["bin", "there"] {
            fs::create_dir(folder.path().join(inner)).expect("a folder");
        }
        fs::write(folder.path().join("srp.toml"), TEXT).expect("a file");
        Self { server: None, folder, netns }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `program` in the namespace.
    fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.netns.name()]).arg(program).stdin(Stdio::null());
        command
    }

    fn serve(&mut self, mut command: Command, port: u16) {
        self.server = Some(command.spawn().expect("the server starts"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let answers = || self.netns.enter(|| TcpStream::connect(address).is_ok()).expect("the namespace");
        until_true("the server", Duration::from_secs(30), Duration::from_millis(20), || Ok(answers()))
            .unwrap_or_else(|error| panic!("{error}"));
    }

    fn srpctl(&self, words: &[&str]) -> Output {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").expect("PATH"));
        let mut command = self.inside(Path::new(env!("CARGO_BIN_EXE_srpctl")));
        command.env("SRP_SOCKET", self.path("s")).env("PATH", path);
        command.env("CURL_CA_BUNDLE", self.path("localhost.crt")).args(words);
        command.output().expect("srpctl runs")
    }

    /// `save configuration TO` beside a srpd that runs what is in the file.
    fn save(&self, to: &str) -> Output {
        let socket = self.path("s");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(socket).expect("a socket");
        let text =
            srp_core::config::Config::from_toml(TEXT, &self.path("srp.toml")).expect("right").to_toml();
        let body = serde_json::json!({"text": text, "differences": null, "file": self.path("srp.toml")});
        let answer = serde_json::json!({"response": "configuration", "body": body}).to_string() + "\n";
        let srpd = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("srpctl connects");
            BufReader::new(&stream).read_line(&mut String::new()).expect("a question");
            stream.write_all(answer.as_bytes()).expect("srpctl reads");
        });
        let output = self.srpctl(&["save", "configuration", to]);
        srpd.join().expect("srpd");
        output
    }

    /// Saves to `to`, which is the file `there`, and brings it back as a candidate.
    fn goes_and_comes(&self, to: &str, there: &Path) {
        let saved = self.save(to);
        let said = String::from_utf8_lossy(&saved.stderr).into_owned();
        assert!(saved.status.success(), "{said}");
        assert_eq!(String::from_utf8_lossy(&saved.stdout), format!("{to}: written\n"));
        assert_eq!(fs::read_to_string(there).expect("it arrived"), TEXT);

        fs::write(there, TEXT.replace("192.0.2.2", "192.0.2.6")).expect("another one there");
        let file = self.path("srp.toml").display().to_string();
        let loaded = self.srpctl(&["configure", "load", to, "--file", &file]);
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        let compared = self.srpctl(&["configure", "compare", "--json", "--file", &file]);
        let compared: serde_json::Value = serde_json::from_slice(&compared.stdout).expect("JSON");
        assert_eq!(compared["changes"][0]["what"], "srp.peer-ip-address: \"192.0.2.2\" -> \"192.0.2.6\"");
        assert_eq!(compared["changes"][0]["needs_restart"], true);
    }

    /// Copies an image that lies in `folder`, which is `url`, to a `/flash` of its own; returns what was said, and the `/flash`.
    fn copies_an_image(&self, folder: &Path, url: &str) -> (String, TempDir) {
        let flash = tempfile::tempdir().expect("a folder");
        fs::write(folder.join("a.bin"), "an image").expect("a file");
        let to = flash.path().display().to_string();
        let copied = self.srpctl(&["--flash", &to, "copy", &format!("{url}/a.bin"), &to]);
        let said = String::from_utf8_lossy(&copied.stdout).into_owned();
        assert!(copied.status.success(), "{said}{}", String::from_utf8_lossy(&copied.stderr));
        assert_eq!(fs::read_to_string(flash.path().join("a.bin")).expect("it arrived"), "an image");
        (said, flash)
    }

    /// An image comes to `/flash` with its signature, and without one where there is none.
    fn images_come_with_their_signatures(&self, folder: &Path, url: &str) {
        let (said, _) = self.copies_an_image(folder, url);
        assert!(said.contains("Not signed yet, and the loader boots nothing unsigned: "), "{said}");
        fs::write(folder.join("a.bin.sig"), "its signature").expect("a file");
        let (said, flash) = self.copies_an_image(folder, url);
        assert!(said.contains("Its signature came with it"), "{said}");
        assert_eq!(fs::read_to_string(flash.path().join("a.bin.sig")).expect("it arrived"), "its signature");
        let left = fs::read_dir(flash.path().join("boot/incoming")).expect("a folder").count();
        assert_eq!(left, 0, "no partial file is left");
        for name in ["a.bin", "a.bin.sig"] {
            fs::remove_file(folder.join(name)).expect("it was there");
        }
    }

    fn refused(&self, to: &str, says: &str) {
        let saved = self.save(to);
        let said = String::from_utf8_lossy(&saved.stderr).into_owned();
        assert!(saved.status.code() == Some(1) && said.contains(says), "{to}: {said}");
    }
}

fn tool(line: &[&str], package: &str) {
    let output = Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{} ({package}) is needed: {error}", line[0]));
    assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn ops_10_a_configuration_is_kept_on_and_fetched_from_a_machine_with_openssh() {
    let mut bench = Bench::new();
    let path = |name: &str| bench.path(name).display().to_string();
    for name in ["host", "own"] {
        tool(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", &path(name)], "openssh-client");
    }
    let server = format!(
        "Port 2022\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PermitRootLogin yes\nPidFile none\nSubsystem sftp internal-sftp\n",
        path("host"),
        path("own.pub")
    );
    fs::write(bench.path("sshd.conf"), server).expect("a file");
    let known = fs::read_to_string(bench.path("host.pub")).expect("a key");
    fs::write(bench.path("known"), format!("[127.0.0.1]:2022 {known}")).expect("a file");
    // Whose keys ssh takes is its user's affair; this user has theirs in a folder of the test.
    let client = format!(
        "IdentityFile {}\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
        path("own"),
        path("known")
    );
    fs::write(bench.path("ssh.conf"), client).expect("a file");
    let sftp = format!("#!/bin/sh\nexec /usr/bin/sftp -F {} \"$@\"\n", path("ssh.conf"));
    fs::write(bench.path("bin/sftp"), sftp).expect("a file");
    fs::set_permissions(bench.path("bin/sftp"), fs::Permissions::from_mode(0o755)).expect("its mode");

    assert!(Path::new("/usr/sbin/sshd").exists(), "/usr/sbin/sshd is needed (openssh-server)");
    // sshd refuses to start without its folder, which its service would make.
    fs::create_dir_all("/run/sshd").expect("sshd's folder");
    let mut sshd = bench.inside(Path::new("/usr/sbin/sshd"));
    sshd.args(["-D", "-q", "-f", &path("sshd.conf")]);
    let folder = bench.path("there");
    bench.serve(sshd, 2022);

    let there = folder.join("a \"copy\" [1].toml");
    let to = format!("sftp://root@127.0.0.1:2022{}/a%20%22copy%22%20[1].toml", folder.display());
    let plain = to.replace("%20", " ").replace("%22", "\"");
    let saved = bench.save(&to);
    assert!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
    assert_eq!(String::from_utf8_lossy(&saved.stdout), format!("{plain}: written\n"));
    assert_eq!(fs::read_to_string(&there).expect("it arrived"), TEXT);
    let simple = format!("sftp://root@127.0.0.1:2022{}/copy.toml", folder.display());
    bench.goes_and_comes(&simple, &folder.join("copy.toml"));
    let names = fs::read_dir(&folder).expect("a folder").count();
    assert_eq!(names, 2, "no partial file is left");

    bench.images_come_with_their_signatures(
        &folder,
        &format!("sftp://root@127.0.0.1:2022{}", folder.display()),
    );
    let elsewhere = format!("sftp://root@127.0.0.1:2022{}/again.toml", folder.display());
    let copied = bench.srpctl(&["copy", &bench.path("srp.toml").display().to_string(), &elsewhere]);
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    assert_eq!(fs::read_to_string(folder.join("again.toml")).expect("it arrived"), TEXT);

    bench.refused(&format!("sftp://root@127.0.0.1:2022{}/no/copy.toml", folder.display()), "No such file");
    // A host that nobody vouches for gets nothing.
    fs::write(bench.path("known"), "").expect("a file");
    bench.refused(&simple, "Host key verification failed");
}

/// Takes files by PUT and gives them by GET, over TLS.
const SERVER: &str = "
import http.server, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_PUT(self):
        if 'no' in self.path.split('/'):
            return self.send_error(403)
        body = self.rfile.read(int(self.headers['Content-Length']))
        open('.' + self.path, 'wb').write(body)
        self.send_response(201)
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(('127.0.0.1', 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
";

#[test]
fn ops_10_a_configuration_is_kept_on_and_fetched_from_a_web_server_over_tls() {
    let mut bench = Bench::new();
    let made = bench.srpctl(&["keygen", "--out", &bench.path("").display().to_string(), "localhost"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut server = bench.inside(Path::new("python3"));
    server.current_dir(bench.path("there")).args(["-c", SERVER]);
    server.args([bench.path("localhost.crt"), bench.path("localhost.key")]);
    bench.serve(server, 8443);

    let there = bench.path("there/copy.toml");
    bench.goes_and_comes("https://localhost:8443/copy.toml", &there);
    bench.images_come_with_their_signatures(&bench.path("there"), "https://localhost:8443");
    bench.refused("https://localhost:8443/no/copy.toml", "403");
    // The name of the certificate is another one.
    bench.refused("https://127.0.0.1:8443/copy.toml", "127.0.0.1");
    // Nobody vouches for it.
    fs::write(bench.path("localhost.crt"), "").expect("a file");
    bench.refused("https://localhost:8443/copy.toml", "certificate");
}

#[test]
fn a_place_that_is_none_is_refused_before_anything_is_asked() {
    let bench = Bench::new();
    let saved = bench.srpctl(&["save", "configuration", "https://anna:secret@192.0.2.9/x", "--json"]);
    assert_eq!(saved.status.code(), Some(1));
    let body: serde_json::Value = serde_json::from_slice(&saved.stdout).expect("JSON");
    let reason = body["reasons"][0].as_str().expect("a reason");
    assert!(reason.contains("~/.netrc") && !reason.contains("secret"), "{reason}");
}

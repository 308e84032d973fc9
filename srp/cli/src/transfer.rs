//! Files from and to other places: a path, `file://`, `sftp://` by OpenSSH, `https://`, `http://` and `ftp://` by curl.
//!
//! What holds:
//! - Whoever reads the file at the other end sees the old one or the new one, where the other end can rename: here and with
//!   sftp. A web server decides that itself.
//! - No password is in a URL, because every user of the machine reads command lines: keys and prompts are those of ssh,
//!   passwords for curl are in `~/.netrc`. Certificates are checked (`CURL_CA_BUNDLE` names others than the system's).
//! - A machine that answers nothing ends the transfer, and does not hang it.
//!
//! The two programs are asked for when they are needed: the appliance works without them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

/// A place for a file, as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here.
    File(PathBuf),
    /// On a machine with an SSH server.
    Sftp(Sftp),
    /// What curl takes, without a password.
    Web {
        /// `https`, `http` or `ftp`.
        scheme: &'static str,
        /// All of it.
        url: String,
    },
}

/// The parts of `sftp://[USER@]HOST[:PORT]/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sftp {
    /// Login name; ssh knows one if it is absent.
    pub user: Option<String>,
    /// Name or address; IPv6 without brackets.
    pub host: String,
    /// Port; ssh knows one if it is absent.
    pub port: Option<u16>,
    /// Absolute path there; `/~/x` is relative to the login's folder.
    pub path: String,
}

/// Why a text is no place. Each says what is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Another kind of URL.
    #[error("{0}:// is not known here: a path, or file://, sftp://, https://, http:// or ftp://")]
    Scheme(String),
    /// A password.
    #[error(
        "a password in a URL is seen by everyone who lists processes: leave it out, ssh asks for it or has a key, and \
         curl finds it in ~/.netrc"
    )]
    Password,
    /// Something is missing or cannot be.
    #[error("{0}: expected {1}")]
    Form(String, &'static str),
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file here.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program is not on this machine.
    #[error(
        "{program} is needed for {scheme}:// and is not on this machine: install {package}, or use a path"
    )]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
        /// What was asked for.
        scheme: &'static str,
    },
    /// It said no.
    #[error("{place}: {said}")]
    Failed {
        /// The other end.
        place: Place,
        /// The last lines of the program.
        said: String,
    },
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::File(PathBuf::from(text)));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => match rest.strip_prefix("localhost").unwrap_or(rest) {
                path if path.starts_with('/') => Ok(Self::File(PathBuf::from(decoded(path, text)?))),
                _ => Err(PlaceError::Form(text.to_owned(), "file:///PATH")),
            },
            "sftp" => Ok(Self::Sftp(sftp(rest, text)?)),
            "https" => web("https", rest, text),
            "http" => web("http", rest, text),
            "ftp" => web("ftp", rest, text),
            _ => Err(PlaceError::Scheme(scheme.to_owned())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Sftp(Sftp { user, host, port, path }) => {
                f.write_str("sftp://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                f.write_str(path)
            }
            Self::Web { url, .. } => f.write_str(url),
        }
    }
}

/// Brings the file `from`, which is here, to `to`.
///
/// # Errors
/// It did not arrive.
pub fn put(from: &Path, to: &Place) -> Result<(), TransferError> {
    match to {
        Place::File(path) => copied(from, path),
        Place::Sftp(sftp) => {
            let partial = format!("{}.partial", sftp.target());
            let put = format!("put {} {}", quoted(from.as_os_str()), quoted(OsStr::new(&partial)));
            let rename =
                format!("rename {} {}", quoted(OsStr::new(&partial)), quoted(OsStr::new(sftp.target())));
            ssh(sftp, &format!("{put}\n{rename}\n"))
        }
        Place::Web { scheme, url } => curl(scheme, url, ["--upload-file".as_ref(), from.as_os_str()]),
    }
}

/// Brings the file at `from` to the path `to` here, as a whole or not at all.
///
/// # Errors
/// It did not arrive; `to` is as it was.
pub fn get(from: &Place, to: &Path) -> Result<(), TransferError> {
    let partial = partial(to);
    let got = match from {
        Place::File(path) => return copied(path, to),
        Place::Sftp(sftp) => {
            let (there, here) = (quoted(OsStr::new(sftp.target())), quoted(partial.as_os_str()));
            ssh(sftp, &format!("get {there} {here}\n"))
        }
        Place::Web { scheme, url } => curl(scheme, url, ["--output".as_ref(), partial.as_os_str()]),
    };
    let finished = got.and_then(|()| finish(&partial, to));
    if finished.is_err() {
        let _ = fs::remove_file(&partial); // it may never have been made
    }
    finished
}

impl Sftp {
    /// The path as the server takes it.
    fn target(&self) -> &str {
        self.path.strip_prefix("/~/").unwrap_or(&self.path)
    }
}

fn sftp(rest: &str, text: &str) -> Result<Sftp, PlaceError> {
    const FORM: &str = "sftp://[USER@]HOST[:PORT]/PATH";
    let form = || PlaceError::Form(text.to_owned(), FORM);
    let (login, path) = rest.split_once('/').ok_or_else(form)?;
    let (user, host, port) = authority(login, text, FORM)?;
    if path.is_empty() || path.ends_with('/') {
        return Err(form());
    }
    let path = format!("/{}", decoded(path, text)?);
    if path.contains(char::is_control) {
        return Err(form());
    }
    Ok(Sftp { user: user.map(str::to_owned), host: host.to_owned(), port, path })
}

/// `[USER@]HOST[:PORT]` of `text`, for ssh, in its parts; IPv6 without brackets.
pub fn authority<'a>(
    login: &'a str,
    text: &str,
    form: &'static str,
) -> Result<(Option<&'a str>, &'a str, Option<u16>), PlaceError> {
    let form = || PlaceError::Form(text.to_owned(), form);
    let (user, host) = authority_parts(login)?;
    let (host, port) = match host.strip_prefix('[').map(|host| host.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, port))) => (host, Some(port.strip_prefix(':').ok_or_else(form)?)),
        Some(None) => return Err(form()),
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(|port| port.parse().map_err(|_| form())).transpose()?;
    // ssh would take a leading dash for an option.
    let plain =
        |word: &str| !word.is_empty() && !word.starts_with('-') && !word.contains(char::is_whitespace);
    if !plain(host) || user.is_some_and(|user| !plain(user)) {
        return Err(form());
    }
    Ok((user, host, port))
}

fn web(scheme: &'static str, rest: &str, text: &str) -> Result<Place, PlaceError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (_, host) = authority_parts(authority)?;
    let bad = |c: char| c.is_whitespace() || c.is_control();
    if host.is_empty() || path.is_empty() || path.ends_with('/') || rest.contains(bad) {
        return Err(PlaceError::Form(text.to_owned(), "SCHEME://[USER@]HOST[:PORT]/PATH of a file"));
    }
    Ok(Place::Web { scheme, url: format!("{scheme}://{rest}") })
}

/// User and host with port.
fn authority_parts(authority: &str) -> Result<(Option<&str>, &str), PlaceError> {
    match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => Err(PlaceError::Password),
        Some((user, host)) => Ok((Some(user), host)),
        None => Ok((None, authority)),
    }
}

/// `%41` is `A`.
fn decoded(path: &str, text: &str) -> Result<String, PlaceError> {
    let form = || PlaceError::Form(text.to_owned(), "two hexadecimal digits after % (%25 is %)");
    let mut octets = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let (digits, behind) = behind.split_at_checked(2).ok_or_else(form)?;
            let digits = std::str::from_utf8(digits).map_err(|_| form())?;
            octets.push(u8::from_str_radix(digits, 16).map_err(|_| form())?);
            rest = behind;
        } else {
            octets.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(octets).map_err(|_| form())
}

/// A file name as sftp's command line takes it. Between quotes no letter is a pattern.
fn quoted(name: &OsStr) -> String {
    let mut quoted = String::from("\"");
    for letter in name.to_string_lossy().chars() {
        if matches!(letter, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}

/// Runs OpenSSH's sftp with `commands`; it ends at the first that fails.
fn ssh(sftp: &Sftp, commands: &str) -> Result<(), TransferError> {
    let mut command = Command::new("sftp");
    // The first of two settings counts, and -b sets BatchMode: without this one nobody could type a password.
    command.args(["-oBatchMode=no", "-oConnectTimeout=20", "-oServerAliveInterval=10", "-b", "-"]);
    if let Some(port) = sftp.port {
        command.args(["-P", &port.to_string()]);
    }
    let host = if sftp.host.contains(':') { format!("[{}]", sftp.host) } else { sftp.host.clone() };
    command.arg(sftp.user.as_ref().map_or_else(|| host.clone(), |user| format!("{user}@{host}")));
    let tool = Tool { program: "sftp", package: "openssh-client", scheme: "sftp" };
    tool.run(command, commands, &Place::Sftp(sftp.clone()))
}

fn curl(scheme: &'static str, url: &str, file: [&OsStr; 2]) -> Result<(), TransferError> {
    let mut command = Command::new("curl");
    command.args(["--disable", "--fail", "--silent", "--show-error", "--netrc-optional", "--globoff"]);
    command.args(["--connect-timeout", "20", "--speed-limit", "1", "--speed-time", "30"]);
    // Nobody leads us from a protected place to another one, or to a file of this machine.
    command.args(["--proto", &format!("={scheme}"), "--proto-redir", "=https", "--location"]);
    command.args(file).args(["--url", url]);
    let tool = Tool { program: "curl", package: "curl", scheme };
    tool.run(command, "", &Place::Web { scheme, url: url.to_owned() })
}

struct Tool {
    program: &'static str,
    package: &'static str,
    scheme: &'static str,
}

impl Tool {
    fn run(&self, mut command: Command, input: &str, place: &Place) -> Result<(), TransferError> {
        let failed = |said: String| TransferError::Failed { place: place.clone(), said };
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                TransferError::NoProgram { program: self.program, package: self.package, scheme: self.scheme }
            }
            _ => failed(format!("{} does not start: {error}", self.program)),
        })?;
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes()); // one that ended early says why on standard error
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines: Vec<&str> =
            said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        lines.reverse();
        let said =
            if lines.is_empty() { format!("{} {}", self.program, output.status) } else { lines.join("; ") };
        Err(failed(said))
    }
}

fn copied(from: &Path, to: &Path) -> Result<(), TransferError> {
    let partial = partial(to);
    let copied = fs::copy(from, &partial)
        .map_err(|source| {
            let path = if from.is_file() { to.to_owned() } else { from.to_owned() };
            TransferError::Io { doing: "copy", path, source }
        })
        .and_then(|_| finish(&partial, to));
    if copied.is_err() {
        let _ = fs::remove_file(&partial); // it may never have been made
    }
    copied
}

/// On the disk, then in its place, also over a crash.
fn finish(partial: &Path, to: &Path) -> Result<(), TransferError> {
    let failed = |source| TransferError::Io { doing: "write", path: to.to_owned(), source };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(partial)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(partial, to))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(failed)
}

fn partial(to: &Path) -> PathBuf {
    let mut name = to.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".partial");
    to.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sftp_place(user: Option<&str>, host: &str, port: Option<u16>, path: &str) -> Place {
        Place::Sftp(Sftp { user: user.map(str::to_owned), host: host.into(), port, path: path.into() })
    }

    #[test]
    fn a_place_is_a_path_or_a_url() {
        for (text, expected) in [
            ("/mnt/x.toml", Place::File("/mnt/x.toml".into())),
            ("x.toml", Place::File("x.toml".into())),
            ("file:///mnt/a%20b", Place::File("/mnt/a b".into())),
            ("sftp://anna@192.0.2.9:2022/srv/x", sftp_place(Some("anna"), "192.0.2.9", Some(2022), "/srv/x")),
            ("sftp://[2001:db8::9]/srv/x", sftp_place(None, "2001:db8::9", None, "/srv/x")),
            ("SFTP://h/~/x", sftp_place(None, "h", None, "/~/x")),
            ("https://h:8443/x.toml", Place::Web { scheme: "https", url: "https://h:8443/x.toml".into() }),
            ("ftp://anna@h/x", Place::Web { scheme: "ftp", url: "ftp://anna@h/x".into() }),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_told_what_is() {
        for (text, says) in [
            ("tftp://h/x", "tftp:// is not known here"),
            ("https://anna:secret@h/x", "~/.netrc"),
            ("sftp://anna:secret@h/x", "a password in a URL"),
            ("sftp://h", "sftp://[USER@]HOST[:PORT]/PATH"),
            ("sftp://-oProxyCommand=x/y", "sftp://[USER@]HOST[:PORT]/PATH"),
            ("sftp://h:ssh/x", "sftp://[USER@]HOST[:PORT]/PATH"),
            ("sftp://h/folder/", "sftp://[USER@]HOST[:PORT]/PATH"),
            ("sftp://h/a%0arm%20x", "sftp://[USER@]HOST[:PORT]/PATH"),
            ("https://h/", "of a file"),
            ("file://other/x", "file:///PATH"),
            ("file:///x%2", "two hexadecimal digits"),
        ] {
            let error = text.parse::<Place>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_place_is_shown_as_it_was_typed() {
        for text in ["/x", "sftp://anna@[2001:db8::9]:2022/srv/x", "sftp://h/~/x", "https://h/x"] {
            assert_eq!(text.parse::<Place>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_name_with_quotes_and_patterns_is_one_word_for_sftp() {
        assert_eq!(quoted(OsStr::new("a \"b\" *[x]?")), "\"a \\\"b\\\" *[x]?\"");
    }

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").expect("a file");
        fs::write(&to, "old").expect("a file");
        put(&from, &Place::File(to.clone())).expect("copied");
        assert_eq!(fs::read_to_string(&to).expect("there"), "new");
        get(&Place::File(to.clone()), &folder.path().join("back")).expect("copied");
        let error = put(&folder.path().join("none"), &Place::File(to.clone())).expect_err("nothing to copy");
        assert!(error.to_string().contains("none"), "{error}");
        let error = put(&from, &Place::File(folder.path().join("no/to"))).expect_err("no folder");
        assert!(error.to_string().contains("no/to"), "{error}");
        assert_eq!(fs::read_to_string(&to).expect("there"), "new");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing is left behind");
    }
}

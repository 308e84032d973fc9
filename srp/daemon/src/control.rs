//! The control socket: one request a line, one response a line, for whoever the socket's mode lets in.
//!
//! It runs beside the chassis thread and can only ask it; a client that hangs, floods or sends garbage costs a task
//! of its own, and no Hello, and gives way to the next one where there are too many ([`places`]).

mod places;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Group, chown};
use srp_core::api::{Request, Response};
use srp_core::config::ControlConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::answer::Answers;
use places::{Place, Places};

/// No request is longer, in octets.
const LONGEST_REQUEST: u64 = 16 * 1024;

/// A client that is silent, or does not read, for longer is let go.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that has not taken its answer by then may have to give way to others.
const PROMPT: Duration = Duration::from_secs(1);

/// Clients at a time; one more takes the place of one that is waited for, or waits.
const CLIENTS: usize = 16;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another srpd has it.
    #[error("{} is in use by another srpd: stop that one, or give this one another control.socket", .0.display())]
    InUse(PathBuf),
    /// The group does not exist.
    #[error("control.group \"{0}\" does not exist: create it (`groupadd {0}`), or name another")]
    NoSuchGroup(String),
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The right to use a control socket: a locked file beside it, so that two daemons never share one.
#[derive(Debug)]
pub struct Claim {
    _lock: Flock<File>,
    socket: PathBuf,
    mode: u32,
    group: Option<Group>,
}

impl Claim {
    /// Claims the socket before anything else of the system is touched.
    pub fn new(config: &ControlConfig) -> Result<Self, ControlError> {
        let group = config.group.as_ref().map(|name| find_group(name)).transpose()?;
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| ControlError::Io { doing, path, source }
        };
        if let Some(folder) = config.socket.parent() {
            fs::create_dir_all(folder).map_err(failed("create folder", folder))?;
        }
        let lock_path = config.socket.with_added_extension("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|_| ControlError::InUse(config.socket.clone()))?;
        let mode = if group.is_some() { 0o660 } else { 0o600 };
        Ok(Self { _lock: lock, socket: config.socket.clone(), mode, group })
    }

    /// Opens the socket. What a killed daemon left there is removed: the lock says that nobody listens to it.
    pub fn listen(&self) -> Result<UnixListener, ControlError> {
        let failed = |doing| move |source| ControlError::Io { doing, path: self.socket.clone(), source };
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("remove")(error)),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&self.socket).map_err(failed("listen on"))?;
        // The group first: a socket that is open to a group must never be open to the wrong one.
        if let Some(group) = &self.group {
            chown(&self.socket, None, Some(group.gid))
                .map_err(|errno| failed("change group of")(errno.into()))?;
        }
        fs::set_permissions(&self.socket, fs::Permissions::from_mode(self.mode))
            .map_err(failed("set mode of"))?;
        Ok(listener)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket); // may never have been made
    }
}

fn find_group(name: &str) -> Result<Group, ControlError> {
    Group::from_name(name).ok().flatten().ok_or_else(|| ControlError::NoSuchGroup(name.to_owned()))
}

/// Serves clients for ever.
pub async fn serve(listener: UnixListener, answers: Arc<Answers>) {
    let places = Places::new(CLIENTS);
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let place = places.enter().await;
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    if let Err(error) = serve_client(client, &answers, &place).await {
                        debug!(%error, "control client let go");
                    }
                });
                // What it has sent already is read before others come that it could have to give way to.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                warn!(%error, "control socket");
                // Out of descriptors, most likely: accepting again at once would spin.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_client(client: UnixStream, answers: &Answers, place: &Place) -> io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(LONGEST_REQUEST);
        let read = awaited(place, limited.read_until(b'\n', &mut line)).await?;
        if read == 0 {
            return Ok(());
        }
        if !place.work() {
            return Err(gave_way());
        }
        let complete = line.ends_with(b"\n");
        let response = match serde_json::from_slice::<Request>(&line) {
            Ok(request) if complete => answers.answer(request).await,
            Ok(_) | Err(_) => not_understood(&line),
        };
        let mut text = serde_json::to_vec(&response)?;
        text.push(b'\n');
        let mut write = pin!(writer.write_all(&text));
        match timeout(PROMPT, &mut write).await {
            Ok(written) => written?,
            Err(_elapsed) => {
                place.wait();
                awaited(place, write).await?;
            }
        }
        if !complete {
            return Ok(());
        }
        place.wait();
    }
}

/// What a client has to do, for as long as it may take.
async fn awaited<T>(place: &Place, act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::select! {
        biased; // what is there already is taken
        done = timeout(PATIENCE, act) => done?,
        () = place.given_away() => Err(gave_way()),
    }
}

fn gave_way() -> io::Error {
    io::Error::other("it was waited for longest, and another one came")
}

fn not_understood(line: &[u8]) -> Response {
    let start: String = String::from_utf8_lossy(line).chars().take(60).collect();
    let reason = format!(
        "not a request: {start:?}; send one JSON object of at most {LONGEST_REQUEST} octets on one line, such as \
         {{\"request\":\"show-srp-info\"}}"
    );
    Response::Error { reasons: vec![reason] }
}

//! The lab's hand inside a machine: `lab agent`, started by the image's init once the links are up.
//!
//! It answers [`Request`]s from the serial port one after the other; only [`Request::Run`] gets a thread of its own, so that
//! a command that takes long keeps nobody waiting. What it starts belongs to it: ended children are waited for, so that
//! "is running" never says yes of a zombie.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::frame::{self, FIRST_WORD, Reply, Request, Task};
use super::{FOLDER, PORT};
use crate::clock::Time;
use crate::node::Output;

/// How long to wait between looks for a port that is not there yet.
const LOOK: Duration = Duration::from_millis(100);

/// Finds the port and serves it until it fails.
pub fn serve() -> io::Result<()> {
    let folder = Path::new(FOLDER);
    fs::create_dir_all(folder)?;
    let port = find_port()?;
    let port = OpenOptions::new().read(true).write(true).open(port)?;
    let mut reader = Patient(port.try_clone()?);
    let agent =
        Agent { folder: folder.to_owned(), port: Arc::new(Mutex::new(port)), children: BTreeMap::new() };
    agent.answer(FIRST_WORD, &Reply::Ready, &[])?;
    agent.run(&mut reader)
}

/// The port's device. The driver names devices by number; the name that QEMU was given stands in sysfs.
fn find_port() -> io::Result<PathBuf> {
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten() {
            let entry = entry?;
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            if name.trim() == PORT {
                return Ok(Path::new("/dev").join(entry.file_name()));
            }
        }
        // A machine that no lab started has no such port, and may have it plugged in later.
        thread::sleep(LOOK);
    }
}

/// A port read that waits while nobody is at the other end, where the driver would report an end of file.
struct Patient(File);

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(into)? {
                0 => thread::sleep(LOOK),
                octets => return Ok(octets),
            }
        }
    }
}

struct Agent {
    folder: PathBuf,
    port: Arc<Mutex<File>>,
    children: BTreeMap<u32, Child>,
}

impl Agent {
    fn run(mut self, reader: &mut impl Read) -> io::Result<()> {
        loop {
            let (number, request, body) = frame::read::<Request>(reader)?;
            let answer = match request {
                Request::Run { task, limit_ms } => {
                    self.run_aside(number, task, Duration::from_millis(limit_ms));
                    continue;
                }
                Request::Spawn { task, log } => self.spawn(&task, log.as_deref()).map(plain),
                Request::IsRunning { process } => Ok(plain(Reply::Running(self.is_running(process)))),
                Request::Signal { process, number } => self.signal(process, number).map(plain),
                Request::PutFile { path, mode } => self.put_file(&path, mode, &body).map(plain),
                Request::GetFile { path } => fs::read(self.folder.join(path)).map(|file| (Reply::File, file)),
                Request::Clock => Ok(plain(Reply::Clock { nanos: Time::now().0, wall_us: wall_us() })),
                Request::PowerOff => power_off().map(plain),
            };
            let (reply, body) = answer.unwrap_or_else(|error| plain(failed(&error)));
            self.answer(number, &reply, &body)?;
        }
    }

    fn answer(&self, number: u64, reply: &Reply, body: &[u8]) -> io::Result<()> {
        frame::write(&mut *lock(&self.port), number, reply, body)
    }

    fn run_aside(&self, number: u64, task: Task, limit: Duration) {
        let (folder, port) = (self.folder.clone(), Arc::clone(&self.port));
        thread::spawn(move || {
            let (reply, body) = run(&folder, &task, limit).unwrap_or_else(|error| plain(failed(&error)));
            // A port that cannot be written to ends the agent at the next request.
            let _ = frame::write(&mut *lock(&port), number, &reply, &body);
        });
    }

    fn spawn(&mut self, task: &Task, log: Option<&str>) -> io::Result<Reply> {
        let mut command = command(&self.folder, task);
        if let Some(log) = log {
            let log = OpenOptions::new().create(true).append(true).open(self.folder.join(log))?;
            command.stdout(log.try_clone()?).stderr(log);
        } else {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let child = command.spawn()?;
        let process = child.id();
        self.children.insert(process, child);
        Ok(Reply::Spawned { process })
    }

    fn is_running(&mut self, process: u32) -> bool {
        let Some(child) = self.children.get_mut(&process) else { return false };
        let running = matches!(child.try_wait(), Ok(None));
        if !running {
            self.children.remove(&process);
        }
        running
    }

    fn signal(&mut self, process: u32, number: i32) -> io::Result<Reply> {
        // Only a child that was not waited for keeps its id, so that no stranger is ever hit.
        if self.is_running(process) {
            kill(pid(process), Signal::try_from(number)?)?;
        }
        Ok(Reply::Done)
    }

    fn put_file(&self, path: &str, mode: u32, contents: &[u8]) -> io::Result<Reply> {
        let path = self.folder.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // A running program's file cannot be written to, but it can be replaced.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&path)?;
        file.write_all(contents)?;
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
        Ok(Reply::Done)
    }
}

fn run(folder: &Path, task: &Task, limit: Duration) -> io::Result<(Reply, Vec<u8>)> {
    let mut command = command(folder, task);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (done, finished) = channel();
    let mut drains = Vec::new();
    for pipe in
        [child.stdout.take().map(Stream::Out), child.stderr.take().map(Stream::Error)].into_iter().flatten()
    {
        let done = done.clone();
        drains.push(thread::spawn(move || {
            let octets = pipe.drain();
            let _ = done.send(());
            octets
        }));
    }
    let deadline = Instant::now() + limit;
    for _ in &drains {
        if finished.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            == Err(RecvTimeoutError::Timeout)
        {
            // The group: a shell's children hold the pipes open too.
            let _ = killpg(pid(child.id()), Signal::SIGKILL);
            child.wait()?;
            return Ok(plain(Reply::TooLong));
        }
    }
    let code = Output::code_of(child.wait()?);
    let mut outputs = drains.into_iter().map(|drain| drain.join().unwrap_or_default());
    let mut body = outputs.next().unwrap_or_default();
    let stdout_octets = body.len() as u64;
    body.extend(outputs.flatten());
    Ok((Reply::Ran { code, stdout_octets }, body))
}

/// One of the two pipes of a running task.
enum Stream {
    Out(std::process::ChildStdout),
    Error(std::process::ChildStderr),
}

impl Stream {
    fn drain(self) -> Vec<u8> {
        let mut octets = Vec::new();
        // What could be read before an error is still the best there is to show.
        let _ = match self {
            Self::Out(mut pipe) => pipe.read_to_end(&mut octets),
            Self::Error(mut pipe) => pipe.read_to_end(&mut octets),
        };
        octets
    }
}

/// Asks init to stop all services and turn the power off; the answer still gets out, because init gives everyone time.
fn power_off() -> io::Result<Reply> {
    Command::new("/sbin/poweroff").stdin(Stdio::null()).status()?;
    Ok(Reply::Done)
}

fn command(folder: &Path, task: &Task) -> Command {
    let mut command = Command::new(&task.program);
    command.args(&task.args).envs(task.env.iter().cloned());
    command.current_dir(folder).stdin(Stdio::null()).process_group(0);
    command
}

fn plain(reply: Reply) -> (Reply, Vec<u8>) {
    (reply, Vec::new())
}

fn failed(error: &io::Error) -> Reply {
    Reply::Failed { errno: error.raw_os_error(), reason: error.to_string() }
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(i32::try_from(process).unwrap_or(i32::MAX))
}

fn lock(port: &Mutex<File>) -> MutexGuard<'_, File> {
    port.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(script: &str) -> Task {
        Task {
            program: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: vec![("GREETING".to_owned(), "hello".to_owned())],
        }
    }

    #[test]
    fn a_task_answers_with_both_outputs_and_its_code() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let task = task("echo $GREETING; pwd; echo oh >&2; exit 3");
        let (reply, body) = run(folder.path(), &task, Duration::from_secs(20)).expect("runs");
        let Reply::Ran { code: 3, stdout_octets } = reply else { panic!("{reply:?}") };
        let (out, err) = body.split_at(usize::try_from(stdout_octets).expect("small"));
        assert_eq!(String::from_utf8_lossy(out), format!("hello\n{}\n", folder.path().display()));
        assert_eq!(err, b"oh\n");
    }

    #[test]
    fn a_task_that_takes_too_long_is_killed_with_its_children() {
        let (reply, _) =
            run(Path::new("/"), &task("sleep 600 & wait"), Duration::from_millis(50)).expect("runs");
        assert_eq!(reply, Reply::TooLong);
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure_with_its_number() {
        let task = Task { program: "/no/such/program".to_owned(), args: Vec::new(), env: Vec::new() };
        let error = run(Path::new("/"), &task, Duration::from_secs(20)).expect_err("not there");
        assert_eq!(failed(&error), Reply::Failed { errno: Some(2), reason: error.to_string() });
    }
}

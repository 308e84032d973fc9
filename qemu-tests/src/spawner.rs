//! Starts processes that cannot outlive this one.
//!
//! The kernel's parent-death signal fires when the *thread* that forked ends, not the process, so all children are forked
//! by one thread that lives as long as the process. Each child gets its own process group: a Ctrl-C at the terminal
//! reaches the lab alone, which then stops its children in good order.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

struct Request {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();

/// Starts `command`, in the network namespace `netns` when one is given. The child is killed when this process ends.
pub fn spawn(mut command: Command, netns: Option<File>) -> io::Result<Child> {
    let parent = nix::unistd::getpid();
    command.process_group(0);
    let prepare = move || {
        if let Some(netns) = &netns {
            setns(netns, CloneFlags::CLONE_NEWNET)?;
        }
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the line above: then no signal will ever come.
        if getppid() != parent {
            return Err(io::Error::other("the lab is gone"));
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes three system calls and neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
    let spawner = SPAWNER.get_or_init(start);
    let (reply, answer) = channel();
    let gone = |_| io::Error::other("the thread that starts processes is gone");
    spawner.send(Request { command, reply }).map_err(|error| gone(error.to_string()))?;
    answer.recv().map_err(|error| gone(error.to_string()))?
}

fn start() -> Sender<Request> {
    let (requests, inbox) = channel::<Request>();
    std::thread::Builder::new()
        .name("spawner".to_owned())
        .spawn(move || {
            for mut request in inbox {
                let child = request.command.spawn();
                if let Err(unsent) = request.reply.send(child) {
                    // Whoever asked is gone: nobody would ever stop this child.
                    if let Ok(mut child) = unsent.0 {
                        let _ = child.kill();
                        let _ = child.wait();
                    }
                }
            }
        })
        .expect("a process that cannot start one thread cannot run a lab");
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let mut child = std::thread::spawn(move || spawn(sleep, None).expect("sleep starts"))
            .join()
            .expect("thread ends");
        assert!(child.try_wait().expect("waits").is_none());
        child.kill().expect("kills");
        child.wait().expect("ends");
    }

    #[test]
    fn a_missing_program_is_an_error_of_the_call() {
        let error = spawn(Command::new("/nonexistent/program"), None).expect_err("missing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

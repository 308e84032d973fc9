//! The lab's end of the serial port: questions with numbers, answers to whoever waits for them.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::frame::{self, FIRST_WORD, Reply, Request};
use crate::interrupt;

/// How often a wait looks for an interrupt.
const LOOK: Duration = Duration::from_millis(50);

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The machine or its agent is gone.
    #[error("the machine is gone")]
    Gone,
    /// No answer within the time given.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The lab was interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The question could not be written.
    #[error("writing to the machine's serial port: {0}")]
    Write(#[from] io::Error),
}

type Answer = (Reply, Vec<u8>);

/// Who waits for which number; nobody can wait any more once the port is closed.
#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    senders: BTreeMap<u64, Sender<Answer>>,
}

/// The lab's end of one machine's serial port. Any number of threads may ask at a time.
#[derive(Debug)]
pub struct Channel {
    port: Mutex<UnixStream>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU64,
}

impl Channel {
    /// Takes the port over and starts listening. The second value hears the agent's first word.
    pub fn open(port: UnixStream) -> io::Result<(Self, FirstWord)> {
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let (sender, first) = channel();
        lock(&waiting).senders.insert(FIRST_WORD, sender);
        let mut reader = port.try_clone()?;
        let inbox = Arc::clone(&waiting);
        thread::Builder::new().name("agent".to_owned()).spawn(move || {
            listen(&mut reader, &inbox);
            let mut waiting = lock(&inbox);
            waiting.closed = true;
            waiting.senders.clear();
        })?;
        Ok((Self { port: Mutex::new(port), waiting, next: AtomicU64::new(FIRST_WORD + 1) }, FirstWord(first)))
    }

    /// Asks and waits for the answer.
    pub fn ask(&self, request: &Request, body: &[u8], limit: Duration) -> Result<Answer, ChannelError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        {
            let mut waiting = lock(&self.waiting);
            if waiting.closed {
                return Err(ChannelError::Gone);
            }
            waiting.senders.insert(number, sender);
        }
        let written = {
            let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
            frame::write(&mut *port, number, request, body).and_then(|()| port.flush())
        };
        let result = match written {
            Ok(()) => wait(&answer, limit),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ChannelError::Gone),
            Err(error) => Err(ChannelError::Write(error)),
        };
        lock(&self.waiting).senders.remove(&number);
        result
    }

    /// The first word of the next agent, that of a machine which starts anew.
    pub fn first_word(&self) -> FirstWord {
        let (sender, first) = channel();
        lock(&self.waiting).senders.insert(FIRST_WORD, sender);
        FirstWord(first)
    }

    /// Closes the port: whoever waits hears [`ChannelError::Gone`].
    pub fn close(&self) {
        // Fails only for a port that is closed.
        let _ = self.port.lock().unwrap_or_else(PoisonError::into_inner).shutdown(std::net::Shutdown::Both);
    }
}

/// The agent's first word, not heard yet.
#[derive(Debug)]
pub struct FirstWord(Receiver<Answer>);

impl FirstWord {
    /// Waits for it.
    pub fn wait(&self, limit: Duration) -> Result<(), ChannelError> {
        wait(&self.0, limit).map(|_| ())
    }
}

fn listen(port: &mut impl Read, waiting: &Mutex<Waiting>) {
    // Ends with the port: an error is an agent that is gone, or that says what no agent of ours says.
    while let Ok((number, reply, body)) = frame::read::<Reply>(port) {
        // An answer that nobody waits for any more came too late.
        if let Some(sender) = lock(waiting).senders.remove(&number) {
            let _ = sender.send((reply, body));
        }
    }
}

fn wait(answer: &Receiver<Answer>, limit: Duration) -> Result<Answer, ChannelError> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left.min(LOOK)) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(ChannelError::Gone),
            Err(RecvTimeoutError::Timeout) if interrupt::came() => return Err(ChannelError::Interrupted),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(ChannelError::Silent(limit)),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn answers_find_whoever_asked_in_any_order() {
        let (ours, mut theirs) = UnixStream::pair().expect("pair");
        let (channel, first) = Channel::open(ours).expect("opens");
        let agent = thread::spawn(move || {
            frame::write(&mut theirs, FIRST_WORD, &Reply::Ready, &[]).expect("writes");
            let mut asked: Vec<(u64, Request, Vec<u8>)> =
                (0..2).map(|_| frame::read(&mut theirs).expect("reads")).collect();
            asked.reverse();
            for (number, request, _) in asked {
                let Request::IsRunning { process } = request else { panic!("{request:?}") };
                frame::write(&mut theirs, number, &Reply::Running(process == 1), &[]).expect("writes");
            }
        });
        first.wait(LIMIT).expect("ready");
        thread::scope(|scope| {
            for process in [1, 2] {
                let channel = &channel;
                scope.spawn(move || {
                    let (reply, _) =
                        channel.ask(&Request::IsRunning { process }, &[], LIMIT).expect("answers");
                    assert_eq!(reply, Reply::Running(process == 1));
                });
            }
        });
        agent.join().expect("ends");
    }

    #[test]
    fn a_machine_that_goes_ends_every_wait() {
        let (ours, theirs) = UnixStream::pair().expect("pair");
        let (channel, first) = Channel::open(ours).expect("opens");
        drop(theirs);
        assert!(matches!(first.wait(LIMIT), Err(ChannelError::Gone)));
        assert!(matches!(channel.ask(&Request::Clock, &[], LIMIT), Err(ChannelError::Gone)));
    }
}

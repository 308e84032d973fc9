//! The sender: one packet per stream and interval, by absolute deadlines, and a second thread that takes the answers.
//!
//! All memory is taken before the first packet. The two threads share one table of atomics per stream; each field has one
//! writer, and the record is read when both have ended. A status file is rewritten ten times a second, so that a lab can
//! wait for the stream to flow without asking the threads that must not wait.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use serde::{Deserialize, Serialize};

use super::packet::{NAME, Reply, Request, WINDOW, name_text};
use super::record::{Packet, Record, Stream};
use super::socket::Datagrams;
use crate::clock::Time;
use crate::realtime;

/// Longest wait for the answers to the last packets: an emulated chassis on a busy host was seen to hold a queue of 0.8 s.
const LINGER: Duration = Duration::from_secs(3);
/// How often the status file is rewritten.
const STATUS_EVERY: Duration = Duration::from_millis(100);
/// Chassis that can be told apart in one run.
const RESPONDERS: usize = 8;

/// A stream to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Name in the record.
    pub name: String,
    /// Source address; it decides the router.
    pub source: IpAddr,
    /// The loopback.
    pub destination: IpAddr,
}

/// Who answers probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The responder on each chassis: it says who it is, and which packets reached it.
    Responder,
    /// The kernel of whichever chassis is Active, by ICMP echo: nothing has to run on one that restarts, and nobody says who
    /// answers, nor on which way a packet was lost.
    Kernel,
}

/// What a sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The streams, at most 255.
    pub streams: Vec<StreamSpec>,
    /// Who answers.
    pub ask: Ask,
    /// Port of the responders.
    pub port: u16,
    /// Time between two packets of a stream.
    pub interval: Duration,
    /// Packets per stream at which the run ends by itself; memory for all of them is taken at the start.
    pub count: u32,
}

/// The status file: how the streams do at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Nanoseconds of `CLOCK_MONOTONIC` when it was written.
    pub at_ns: u64,
    /// Real-time rights that were refused; empty is good.
    pub refused: Vec<String>,
    /// One per stream.
    pub streams: Vec<StreamStatus>,
}

/// One stream in the status file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStatus {
    /// Name of the stream.
    pub name: String,
    /// Packets sent so far.
    pub sent: u32,
    /// Packets answered so far.
    pub answered: u32,
    /// Answers without a loss between them, up to the newest one.
    pub in_a_row: u32,
    /// Who gave the newest answer.
    pub responder: Option<String>,
}

#[derive(Default)]
struct Slot {
    sent: AtomicU64,
    reached_at: AtomicU64,
    answered: AtomicU64,
    /// Index of the responder plus one; zero is nobody.
    reached: AtomicU8,
}

struct Table {
    slots: Vec<Slot>,
    sent: AtomicU32,
    answered: AtomicU32,
    in_a_row: AtomicU32,
    newest: AtomicU8,
}

/// Names of responders in order of appearance; only the receiving thread adds to it.
struct Names(Vec<std::sync::OnceLock<[u8; NAME]>>);

impl Names {
    fn number(&self, name: &[u8; NAME]) -> Option<u8> {
        for (index, slot) in self.0.iter().enumerate() {
            if slot.get_or_init(|| *name) == name {
                return u8::try_from(index + 1).ok();
            }
        }
        None // more chassis than a pair can have: not ours
    }

    fn text(&self, number: u8) -> Option<String> {
        self.0.get(usize::from(number).checked_sub(1)?)?.get().map(name_text)
    }
}

impl Sender {
    /// Sends until `stop` says so or all packets are out, then waits a moment for the last answers.
    pub fn run(&self, status: &Path, stop: &(dyn Fn() -> bool + Sync)) -> io::Result<Record> {
        let sockets = self
            .streams
            .iter()
            .map(|stream| match self.ask {
                Ask::Responder => Datagrams::bind(SocketAddr::new(stream.source, 0)),
                Ask::Kernel => Datagrams::echo(stream.source),
            })
            .collect::<io::Result<Vec<_>>>()?;
        let tables: Vec<Table> = self.streams.iter().map(|_| Table::new(self.count)).collect();
        let names = Names((0..RESPONDERS).map(|_| std::sync::OnceLock::new()).collect());
        let run = std::process::id() ^ u32::try_from(Time::now().0 & 0xffff_ffff).unwrap_or(0);
        let (sending, ended) = (AtomicBool::new(true), AtomicBool::new(false));
        let (refusals, refused) = std::sync::mpsc::channel();
        std::thread::scope(|scope| -> io::Result<()> {
            let receiver = scope.spawn(|| {
                realtime::precede(realtime::SENDER);
                receive(self.ask, &sockets, &tables, &names, run, &ended)
            });
            let sender = scope.spawn(|| {
                // Nobody is left to tell when the receiver of this message is gone.
                let _ = refusals.send(realtime::precede(realtime::SENDER));
                self.send(&sockets, &tables, run, stop);
                sending.store(false, Relaxed);
            });
            let refused = refused.recv().unwrap_or_default();
            let mut result = Ok(());
            while sending.load(Relaxed) && result.is_ok() {
                result = self.write_status(status, &tables, &names, &refused);
                std::thread::sleep(STATUS_EVERY); // a period, not a wait
            }
            join(sender)?;
            let deadline = Time::now() + LINGER;
            while Time::now() < deadline && tables.iter().any(|table| !table.last_answered()) {
                std::thread::sleep(Duration::from_millis(5));
            }
            ended.store(true, Relaxed);
            join(receiver)??;
            result.and_then(|()| self.write_status(status, &tables, &names, &refused))
        })?;
        Ok(self.record(&tables, &names))
    }

    fn send(&self, sockets: &[Datagrams], tables: &[Table], run: u32, stop: &(dyn Fn() -> bool + Sync)) {
        let mut due = Time::now() + self.interval;
        for sequence in 0..self.count {
            if stop() {
                return;
            }
            sleep_until(due);
            for (index, ((socket, table), spec)) in sockets.iter().zip(tables).zip(&self.streams).enumerate()
            {
                let now = Time::now();
                table.slots[sequence as usize].sent.store(now.0, Relaxed);
                let stream = u8::try_from(index).unwrap_or(u8::MAX);
                let request = Request { run, stream, sequence, sent_ns: now.0 };
                // A packet that the kernel refuses (no route just now) is a lost packet.
                let _ = match self.ask {
                    Ask::Responder => {
                        socket.send_to(&request.encode(), SocketAddr::new(spec.destination, self.port))
                    }
                    Ask::Kernel => socket.send_to(
                        &request.encode_echo(spec.destination.is_ipv6()),
                        SocketAddr::new(spec.destination, 0),
                    ),
                };
                table.sent.store(sequence + 1, Relaxed);
            }
            due = due + self.interval;
        }
    }

    fn record(&self, tables: &[Table], names: &Names) -> Record {
        let mut record = Record::default();
        for (spec, table) in self.streams.iter().zip(tables) {
            let sent = table.sent.load(Relaxed) as usize;
            let time = |at: &AtomicU64| Some(at.load(Relaxed)).filter(|ns| *ns != 0).map(Time);
            let mut packets = Vec::with_capacity(sent);
            for slot in table.slots.iter().take(sent) {
                let name = names.text(slot.reached.load(Relaxed));
                packets.push(Packet {
                    sent: time(&slot.sent),
                    reached: name.map(|name| record.responder(&name)),
                    reached_at: time(&slot.reached_at),
                    answered: time(&slot.answered),
                });
            }
            record.streams.push(Stream {
                name: spec.name.clone(),
                source: Some(spec.source),
                destination: Some(spec.destination),
                packets,
            });
        }
        record
    }

    fn write_status(
        &self,
        path: &Path,
        tables: &[Table],
        names: &Names,
        refused: &[String],
    ) -> io::Result<()> {
        let stream = |(spec, table): (&StreamSpec, &Table)| StreamStatus {
            name: spec.name.clone(),
            sent: table.sent.load(Relaxed),
            answered: table.answered.load(Relaxed),
            in_a_row: table.in_a_row.load(Relaxed),
            responder: names.text(table.newest.load(Relaxed)),
        };
        let streams = self.streams.iter().zip(tables).map(stream).collect();
        let status = Status { at_ns: Time::now().0, refused: refused.to_vec(), streams };
        // Whoever reads must never see half a file.
        let draft = path.with_extension("draft");
        std::fs::write(&draft, serde_json::to_vec(&status)?)?;
        std::fs::rename(&draft, path)
    }
}

impl Table {
    fn new(count: u32) -> Self {
        Self {
            slots: (0..count).map(|_| Slot::default()).collect(),
            sent: AtomicU32::new(0),
            answered: AtomicU32::new(0),
            in_a_row: AtomicU32::new(0),
            newest: AtomicU8::new(0),
        }
    }

    /// Whether there is an answer to the last packet: those before it came too, or will not come any more.
    fn last_answered(&self) -> bool {
        let last = (self.sent.load(Relaxed) as usize).checked_sub(1);
        last.and_then(|last| self.slots.get(last)).is_none_or(|slot| slot.answered.load(Relaxed) != 0)
    }
}

/// What the receiving thread remembers of a stream between answers.
#[derive(Clone, Copy, Default)]
struct Progress {
    newest: Option<u32>,
    told: [u32; RESPONDERS],
}

fn receive(
    ask: Ask,
    sockets: &[Datagrams],
    tables: &[Table],
    names: &Names,
    run: u32,
    ended: &AtomicBool,
) -> io::Result<()> {
    let mut progress = vec![Progress::default(); tables.len()];
    let mut buffer = [0; 2048];
    let look = PollTimeout::from(20_u8); // milliseconds between looks at `ended`
    while !ended.load(Relaxed) {
        let mut waiting: Vec<_> =
            sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        match poll(&mut waiting, look) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        for ((socket, table), progress) in sockets.iter().zip(tables).zip(&mut progress) {
            while let Some(got) = socket.receive(&mut buffer)? {
                let octets = &buffer[..got.len];
                // An answer to an earlier life of ours, or a stranger's packet, is none.
                match ask {
                    Ask::Responder => {
                        if let Some(reply) = Reply::decode(octets).filter(|reply| reply.request.run == run) {
                            take(&reply, got.at_ns, table, names, progress);
                        }
                    }
                    Ask::Kernel => {
                        if let Some(request) = Request::decode_echo(octets).filter(|one| one.run == run) {
                            answered(request.sequence, got.at_ns, table, progress);
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Notes the first answer to a packet; its place in the table. `None` for one that was doubled on the way.
fn answered<'a>(sequence: u32, at_ns: u64, table: &'a Table, progress: &mut Progress) -> Option<&'a Slot> {
    let slot = table.slots.get(sequence as usize).filter(|slot| slot.answered.load(Relaxed) == 0)?;
    slot.answered.store(at_ns, Relaxed);
    table.answered.fetch_add(1, Relaxed);
    let row = match progress.newest {
        Some(newest) if sequence == newest + 1 => table.in_a_row.load(Relaxed) + 1,
        Some(_) | None => 1,
    };
    table.in_a_row.store(row, Relaxed);
    progress.newest = Some(progress.newest.map_or(sequence, |newest| newest.max(sequence)));
    Some(slot)
}

fn take(reply: &Reply, at_ns: u64, table: &Table, names: &Names, progress: &mut Progress) {
    let sequence = reply.request.sequence;
    let Some(number) = names.number(&reply.name) else { return };
    let Some(slot) = answered(sequence, at_ns, table, progress) else { return };
    slot.reached_at.store(reply.reached_ns, Relaxed);
    slot.reached.store(number, Relaxed);
    table.newest.store(number, Relaxed);
    // Packets since this responder's last answer: which of them did he see?
    let told = &mut progress.told[usize::from(number) - 1];
    let window = u32::try_from(WINDOW).unwrap_or(u32::MAX);
    for earlier in (*told).max(sequence.saturating_sub(window))..sequence {
        if let Some(slot) = table.slots.get(earlier as usize)
            && reply.seen.contains(sequence - earlier)
            && slot.reached.load(Relaxed) == 0
        {
            slot.reached.store(number, Relaxed);
        }
    }
    *told = (*told).max(sequence);
}

fn sleep_until(at: Time) {
    let seconds = i64::try_from(at.0 / 1_000_000_000).unwrap_or(i64::MAX);
    let nanos = i64::try_from(at.0 % 1_000_000_000).unwrap_or(0);
    let at = TimeSpec::new(seconds, nanos);
    let absolute = ClockNanosleepFlags::TIMER_ABSTIME;
    // A signal wakes us early: sleep on, the deadline stands.
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, absolute, &at) == Err(nix::errno::Errno::EINTR) {}
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a thread of the probe panicked"))
}

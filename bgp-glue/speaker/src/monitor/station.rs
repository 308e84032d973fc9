//! The thread that connects to a monitoring station and tells it what happens.
//!
//! A station that cannot be reached, or that does not read, is tried again after 1 s, and then after twice as long each
//! time, up to a minute; it then gets the whole table anew.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bgp_proto::wire::bmp::{
    BmpCounts, push_initiation, push_peer_down, push_peer_up, push_route_monitoring, push_statistics,
    push_termination,
};
use bgp_proto::wire::header::{MAX_EXTENDED_MESSAGE_LEN, first_frame};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Begin, QUEUE, Seen, SessionSeen, StationConfig, Task, wall_time};
use crate::rib_task::total;
use crate::socket::bind_device;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A station that takes nothing for so long is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_mins(1);
/// Octets that are gathered before they are written.
const AT_ONCE: usize = 64 * 1024;

/// Why a connection ended.
enum End {
    /// Nobody wants it any more.
    Stopped,
    /// Its queue was full, or it took nothing for [`WRITE_TIMEOUT`].
    TooSlow,
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // What a socket says whose time for a write is over.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TooSlow,
            _ => Self::Failed(error),
        }
    }
}

/// Ends when the task is stopped.
pub(super) fn run(config: &StationConfig, device: Option<&str>, task: &Task) {
    let mut retry = FIRST_RETRY;
    loop {
        let began = Instant::now();
        let (Err(end) | Ok(end)) = connect(config, device).map_err(End::Failed).and_then(|stream| {
            tracing::info!(station = %config.address, "BMP station connected");
            Session { stream, out: Vec::new(), up: BTreeMap::new(), task }.run(config)
        });
        let why = match end {
            End::Stopped => return,
            End::TooSlow => {
                task.status.change(|summary| summary.lost += 1);
                "it reads too slowly".to_owned()
            }
            End::Failed(error) => error.to_string(),
        };
        if began.elapsed() > LAST_RETRY {
            retry = FIRST_RETRY;
        }
        tracing::warn!(station = %config.address, %why, retry = ?retry, "no BMP station");
        task.status.is(false, format!("{why}; tried again every {} s", retry.as_secs()));
        if !task.waited(retry) {
            return;
        }
        retry = (retry * 2).min(LAST_RETRY);
    }
}

fn connect(config: &StationConfig, device: Option<&str>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(config.address), Type::STREAM, Some(Protocol::TCP))?;
    bind_device(&socket, device)?;
    socket.connect_timeout(&config.address.into(), CONNECT_TIMEOUT)?;
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Session<'a> {
    stream: TcpStream,
    out: Vec<u8>,
    /// Of whom counters are told.
    up: BTreeMap<IpAddr, Arc<SessionSeen>>,
    task: &'a Task,
}

impl Session<'_> {
    fn run(mut self, config: &StationConfig) -> Result<End, End> {
        push_initiation(&mut self.out, &host_name(), concat!("srp-appliance ", env!("CARGO_PKG_VERSION")));
        let (sink, seen) = mpsc::sync_channel(QUEUE);
        let (table, tables) = mpsc::channel();
        if !self.task.watch(sink, Begin::Table(table)) {
            return Ok(End::Stopped);
        }
        for seen in tables.recv().map_err(|_| End::Stopped)? {
            self.tell(&seen)?;
        }
        self.write()?;
        self.task.status.is(true, "connected");
        let end = self.follow(&seen, config.statistics_interval)?;
        if matches!(end, End::Stopped) {
            push_termination(&mut self.out);
            self.write()?;
        }
        Ok(end)
    }

    fn follow(&mut self, seen: &Receiver<Seen>, interval: Duration) -> io::Result<End> {
        let mut report_at = Instant::now() + interval;
        loop {
            match seen.recv_timeout(report_at.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    self.tell(&first)?;
                    while let Ok(more) = seen.try_recv() {
                        self.tell(&more)?;
                    }
                    self.write()?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    report_at = Instant::now() + interval;
                    self.report()?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let stopped = self.task.is_stopped() || self.task.rib.upgrade().is_none();
                    return Ok(if stopped { End::Stopped } else { End::TooSlow });
                }
            }
        }
    }

    fn tell(&mut self, seen: &Seen) -> io::Result<()> {
        let mut count = 1;
        match seen {
            Seen::Up(session) => {
                let opens = (&session.sent_open[..], &session.received_open[..]);
                let ends = (session.local, session.remote);
                push_peer_up(&mut self.out, session.peer, session.since, ends, opens);
                self.up.insert(session.peer.address, Arc::clone(session));
            }
            Seen::Down(session, reason, now) => {
                push_peer_down(&mut self.out, session.peer, *now, reason);
                self.up.remove(&session.peer.address);
            }
            Seen::Updates(session, _, octets, now) => {
                count = 0;
                let mut rest = &octets[..];
                while let Ok(Some(frame)) = first_frame(rest, MAX_EXTENDED_MESSAGE_LEN) {
                    let (message, after) = rest.split_at(frame.wire_len());
                    push_route_monitoring(&mut self.out, session.peer, *now, message);
                    rest = after;
                    count += 1;
                }
            }
        }
        self.task.status.change(|summary| summary.written += count);
        if self.out.len() > AT_ONCE { self.write() } else { Ok(()) }
    }

    fn report(&mut self) -> io::Result<()> {
        let now = wall_time();
        for session in self.up.values() {
            let counts = BmpCounts {
                routes: total(&session.counts.received),
                treated_as_withdraw: session.counts.treated_as_withdraw.load(Ordering::Relaxed),
            };
            push_statistics(&mut self.out, session.peer, now, counts);
        }
        self.task.status.change(|summary| summary.written += self.up.len() as u64);
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }
}

/// What the machine calls itself; nothing where it does not say.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim_end().to_owned()
}

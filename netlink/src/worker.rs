//! The worker thread: owns the sockets and the ledger, takes requests, tells events.
//!
//! A plain thread, because a write waits for the kernel's own lock (tens of milliseconds when somebody renames links)
//! and must not make an executor wait with it. One loop, three sources, in this order: requests, events, and the
//! next slice of whatever takes long. Long work (a full table of changes, a comparison) is cut into slices of about
//! a millisecond, and the SRP section overtakes it: a takeover never waits for a full table.

use std::collections::VecDeque;
use std::io;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{mpsc as events, oneshot};

use crate::apply::{Applied, Hands, Outcome};
use crate::codec::Mark;
use crate::job::Job;
use crate::kernel::{RequestError, StartError};
use crate::ledger::{self, Book, Ledger};
use crate::left_over::LeftOver;
use crate::links::{Links, SharedLinks};
use crate::lookup::{Watch, WaysAnswer};
use crate::names::{LinkName, TableId};
use crate::plan::Op;
use crate::report::{CompareCause, KernelEvent, Refused, Report};
use crate::settings::Settings;
use crate::socket::{DumpSocket, EventSocket, WriteSocket};
use crate::types::{RouteChange, Section};

/// Events that wait for a slow reader before they are counted instead of kept.
const EVENTS_KEPT: usize = 4096;
/// A comparison on account of an event waits this long after the one before, so that a burst of events costs few.
const COMPARE_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Before another try to read links and addresses that changed while they were read.
const RELEARN_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

pub(crate) type Answer = oneshot::Sender<Result<Report, RequestError>>;

#[derive(Debug)]
pub(crate) enum Request {
    SetSrp(Section, Answer),
    UpdateLearned(Vec<RouteChange>, Answer),
    SweepLearned(Answer),
    RemoveAllOurs(Answer),
    Compare(Answer),
    MoveLearned(TableId, TableId, Answer),
    Ways(Option<LinkName>, Vec<IpAddr>, WaysAnswer),
}

/// The way in: a channel, and a socket that wakes the worker from its wait.
#[derive(Debug)]
pub(crate) struct Requests {
    queue: mpsc::Sender<Request>,
    bell: UnixStream,
}

impl Requests {
    pub(crate) fn send(&self, request: Request) -> Result<(), RequestError> {
        self.queue.send(request).map_err(|_| RequestError::Stopped)?;
        match (&self.bell).write(&[0]) {
            Ok(_) => Ok(()),
            // The bell has rung so often that it will be heard.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(RequestError::Stopped),
        }
    }
}

/// The way out for events.
#[derive(Debug)]
pub(crate) struct EventSource(events::Receiver<KernelEvent>);

impl EventSource {
    pub(crate) async fn recv(&mut self) -> Option<KernelEvent> {
        self.0.recv().await
    }
}

/// Events on their way to a reader who may be slow: what finds no room is counted. They are let out only after the
/// picture of the links is published, so that whoever hears of a link can look it up.
pub(crate) struct Outlet {
    channel: events::Sender<KernelEvent>,
    held_back: Vec<KernelEvent>,
    missed: u64,
}

impl Outlet {
    pub(crate) fn tell(&mut self, event: KernelEvent) {
        self.held_back.push(event);
    }

    fn let_out(&mut self) {
        for event in self.held_back.drain(..) {
            // What was missed is told before anything newer.
            if self.missed > 0 && self.channel.try_send(KernelEvent::Missed { count: self.missed }).is_ok() {
                self.missed = 0;
            }
            if self.missed > 0 || self.channel.try_send(event).is_err() {
                self.missed += 1;
            }
        }
    }
}

/// Opens the sockets in the calling thread's network namespace, reads what is there, and starts the thread.
pub(crate) fn spawn(
    settings: Settings,
    shared: SharedLinks,
) -> Result<(Requests, EventSource, LeftOver), StartError> {
    let doing = |doing: &'static str| move |source: io::Error| StartError::Io { doing, source };
    let writer = WriteSocket::open().map_err(doing("open the netlink socket for writing"))?;
    let reader = DumpSocket::open().map_err(doing("open the netlink socket for reading"))?;
    let own_port = writer.port().map_err(doing("read the port of the netlink socket"))?;
    let mut hands = Hands { mark: Mark(settings.protocol), writer, reader };
    if !hands.may_write().map_err(doing("ask whether the kernel lets us change anything"))? {
        return Err(StartError::Privilege);
    }
    // Listening begins before reading: what changes in between is then heard of.
    let listener = EventSocket::open(settings.event_buffer, own_port, settings.protocol)
        .map_err(doing("open the netlink socket for events"))?;
    let (links, consistent) = hands.links().map_err(doing("read the links"))?;
    let found = hands.all_ours().map_err(doing("read the addresses and routes"))?;
    shared.publish(&links);
    let left_over = LeftOver::of(&found, settings.learned_metric);

    let (queue, requests) = mpsc::channel();
    let (bell, wake) = UnixStream::pair().map_err(doing("make a socket pair"))?;
    for end in [&bell, &wake] {
        end.set_nonblocking(true).map_err(doing("set up a socket pair"))?;
    }
    let (channel, source) = events::channel(EVENTS_KEPT);
    let worker = Worker {
        ledger: Ledger::new(&settings, found),
        hands,
        listener,
        links,
        shared,
        outlet: Outlet { channel, held_back: Vec::new(), missed: 0 },
        jobs: VecDeque::new(),
        compare_at: Instant::now() + settings.compare_interval,
        settings,
        compare_cause: CompareCause::Periodic,
        compared_at: None,
        srp_changed: false,
        events_lost: !consistent,
        watch: Watch::default(),
    };
    let name = "netlink".to_owned();
    std::thread::Builder::new()
        .name(name)
        .spawn(move || worker.run(&requests, &wake))
        .map_err(doing("start the netlink thread"))?;
    Ok((Requests { queue, bell }, EventSource(source), left_over))
}

/// Everything the thread owns.
pub(crate) struct Worker {
    pub(crate) hands: Hands,
    pub(crate) ledger: Ledger,
    pub(crate) links: Links,
    pub(crate) outlet: Outlet,
    pub(crate) listener: EventSocket,
    /// Whether the SRP section was carried out since the comparison under way began, or since it judged.
    pub(crate) srp_changed: bool,
    /// Whether the picture of the links must be made afresh.
    pub(crate) events_lost: bool,
    pub(crate) settings: Settings,
    pub(crate) watch: Watch,
    shared: SharedLinks,
    jobs: VecDeque<Job>,
    compare_at: Instant,
    compare_cause: CompareCause,
    compared_at: Option<Instant>,
}

impl Worker {
    fn run(mut self, requests: &mpsc::Receiver<Request>, wake: &UnixStream) {
        loop {
            if !self.take_requests(requests) {
                return;
            }
            if let Err(error) = self.hear_events().and_then(|()| self.hear_routes()) {
                tracing::error!(%error, "netlink event socket failed; the kernel side stops");
                return;
            }
            if Instant::now() >= self.compare_at && self.jobs.is_empty() {
                self.begin_compare();
            }
            if let Some(job) = self.jobs.pop_front() {
                if let Some(rest) = job.step(&mut self) {
                    self.jobs.push_front(rest);
                }
                self.outlet.let_out();
                continue;
            }
            if let Err(error) = self.wait(wake) {
                tracing::error!(%error, "netlink poll failed; the kernel side stops");
                return;
            }
        }
    }

    fn wait(&self, mut wake: &UnixStream) -> io::Result<()> {
        let left = if self.events_lost {
            RELEARN_PAUSE
        } else {
            self.compare_at.saturating_duration_since(Instant::now())
        };
        // Rounded up, or the last fraction of a millisecond would be spent spinning.
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let sources =
            [Some(self.listener.as_fd()), Some(wake.as_fd()), self.watch.socket.as_ref().map(AsFd::as_fd)];
        let mut fds: Vec<_> =
            sources.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // The bell only wakes; what there is to do stands in the channel.
        let mut rings = [0; 64];
        while wake.read(&mut rings).is_ok_and(|rung| rung == rings.len()) {}
        Ok(())
    }

    /// False when the handle is gone and nothing is left to do for it.
    fn take_requests(&mut self, requests: &mpsc::Receiver<Request>) -> bool {
        loop {
            match requests.try_recv() {
                Ok(request) => self.take(request),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return !self.jobs.is_empty(),
            }
        }
    }

    fn take(&mut self, request: Request) {
        let taken = Instant::now();
        match request {
            Request::SetSrp(want, answer) => {
                // It overtakes everything but a removal, which it must not survive.
                if self.jobs.iter().any(Job::removes_everything) {
                    self.jobs.push_back(Job::set_srp(want, answer, taken));
                } else {
                    let report = self.set_srp(want, taken);
                    let _ = answer.send(Ok(report));
                }
            }
            Request::UpdateLearned(changes, answer) => {
                self.jobs.push_back(Job::learned(changes, answer, taken));
            }
            Request::SweepLearned(answer) => self.jobs.push_back(Job::sweep(answer, taken)),
            Request::RemoveAllOurs(answer) => self.jobs.push_back(Job::remove_all(answer, taken)),
            Request::MoveLearned(from, to, answer) => {
                self.jobs.push_back(Job::move_learned(from, to, answer, taken));
            }
            Request::Ways(vrf, addresses, answer) => self.find_ways(vrf.as_ref(), addresses, answer),
            Request::Compare(answer) => {
                self.jobs.push_back(Job::compare(CompareCause::Requested, Some(answer), taken));
            }
        }
    }

    /// Does this behind everything else.
    pub(crate) fn put_off(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Makes `want` the whole SRP section and carries it out at once.
    pub(crate) fn set_srp(&mut self, want: Section, taken: Instant) -> Report {
        self.srp_changed = true;
        self.ledger.srp.set_want(want);
        let (plan, missing) = self.ledger.srp.plan(&self.links);
        let mut report = Report { kept: plan.kept, refused: missing, ..Report::default() };
        let foreign = plan.refused.into_iter().map(|(key, holder)| ledger::foreign(key, holder, &self.links));
        report.refused.extend(foreign);
        self.carry_out(plan.ops, &mut report);
        self.ledger.settle_refusals(Book::Srp, &report.refused);
        report.took = taken.elapsed();
        report
    }

    /// Makes a slice of changes of learned routes.
    pub(crate) fn change_learned(&mut self, changes: impl Iterator<Item = RouteChange>, report: &mut Report) {
        let plan = self.ledger.change_learned(changes, &self.links);
        report.kept += plan.kept;
        for Applied { op, outcome } in self.carry_out(plan.ops, report) {
            if let Outcome::Refused(reason) = outcome {
                self.ledger.refuse(&Refused { object: ledger::object(op.key(), Some(&self.links)), reason });
            }
        }
    }

    /// Carries operations out, enters them in the books and counts them in the report.
    pub(crate) fn carry_out(&mut self, ops: Vec<Op>, report: &mut Report) -> Vec<Applied> {
        if ops.is_empty() {
            return Vec::new();
        }
        let applied = self.hands.carry_out(ops);
        for Applied { op, outcome } in &applied {
            match (outcome, op) {
                (Outcome::Done, Op::AddAddress(_) | Op::AddRoute(..)) => report.added += 1,
                (Outcome::Done, Op::ReplaceRoute(..)) => report.replaced += 1,
                (Outcome::Done, Op::DeleteAddress(..) | Op::DeleteRoute(_)) => report.removed += 1,
                (Outcome::Already, _) => report.kept += 1,
                (Outcome::Refused(reason), _) => {
                    let object = ledger::object(op.key(), Some(&self.links));
                    report.refused.push(Refused { object, reason: reason.clone() });
                }
            }
            match outcome {
                Outcome::Done | Outcome::Already => self.ledger.done(op, &self.links),
                Outcome::Refused(_) => self.ledger.not_done(op),
            }
        }
        applied
    }

    /// Wants a comparison soon.
    pub(crate) fn want_compare(&mut self, cause: CompareCause) {
        if self.compare_cause == CompareCause::Periodic {
            let now = Instant::now();
            self.compare_at = self.compared_at.map_or(now, |last| now.max(last + COMPARE_PAUSE));
        }
        self.compare_cause = self.compare_cause.max(cause);
    }

    fn begin_compare(&mut self) {
        self.jobs.push_back(Job::compare(self.compare_cause, None, Instant::now()));
        self.compare_at = Instant::now() + self.settings.compare_interval;
        self.compare_cause = CompareCause::Periodic;
    }

    /// A comparison has ended.
    pub(crate) fn compared(&mut self) {
        let now = Instant::now();
        self.compared_at = Some(now);
        self.compare_at = if self.compare_cause == CompareCause::Periodic {
            now + self.settings.compare_interval
        } else {
            self.compare_at.max(now + COMPARE_PAUSE)
        };
    }

    /// Lets everybody see the links as they are now, then hear what happened.
    pub(crate) fn publish(&mut self) {
        self.shared.publish(&self.links);
        self.outlet.let_out();
    }
}

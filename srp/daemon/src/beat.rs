//! The chassis thread: Hellos, BFD, timers and the link, and nothing that can wait.
//!
//! One loop around the state machine: what came over the link and from BFD, what other threads sent, what time it is;
//! then the actions, in their order. What has arrived always goes before the clock. Kernel and BGP steps are handed to
//! the step thread and reported back through the inbox, so no Hello waits for them.

mod told;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use mio::{Events, Poll, Token};
use srp_core::chassis::{Action, Answer, Chassis, Event, Fact};
use srp_core::config::differences;
use srp_core::events::Observation;
use srp_core::types::{ChassisState, Span, Time};
use srp_core::wire::{Close, CloseReason, ConfigItem, ConfigItems, Message};
use tokio::sync::{mpsc as tokio_mpsc, oneshot};
use tracing::{error, info, warn};

use crate::alarm::Alarm;
use crate::clock;
use crate::counts::Counts;
use crate::events::Herald;
use crate::inbox::{Input, Noted, Snapshot};
use crate::journal::Journal;
use crate::link::{Fault, Link, LinkEvent};
use crate::paths::Paths;
use crate::record::Recorder;
use crate::steps::Step;
use told::{log, refused};

/// Token of the inbox.
pub const INBOX: Token = Token(0);

/// Token of the alarm clock.
pub const ALARM: Token = Token(1);

/// First token of the link.
pub const LINK_TOKENS: usize = 2;

/// First token of BFD.
pub const PATH_TOKENS: usize = LINK_TOKENS + crate::link::TOKENS;

/// A goodbye that the peer does not read is not waited for any longer.
const GOODBYE: Span = Span::millis(200);

/// What the thread is made of.
pub struct Beat {
    poll: Poll,
    alarm: Alarm,
    chassis: Chassis,
    link: Link,
    paths: Paths,
    inputs: mpsc::Receiver<Input>,
    steps: tokio_mpsc::UnboundedSender<Step>,
    stopped: Option<oneshot::Sender<()>>,
    journal: Journal,
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    next_request: u64,
    items: Vec<ConfigItem>,
    recorder: Option<Box<Recorder>>,
    herald: Herald,
    states: Option<tokio_mpsc::UnboundedSender<ChassisState>>,
    watched: Watched,
}

/// What the thread wakes up for, beside its inbox.
pub struct Ears {
    /// All of them are registered here.
    pub poll: Poll,
    /// Its deadlines.
    pub alarm: Alarm,
    /// The SRP link.
    pub link: Link,
    /// BFD.
    pub paths: Paths,
}

/// What `show srp info` says beyond the state machine.
struct Watched {
    peer_items: Option<Vec<ConfigItem>>,
    security: Option<String>,
    connection: &'static str,
    connection_since: Time,
    counts: Counts,
    started: Time,
    heard: Option<Time>,
    round_trip: Option<Span>,
    last_validation: String,
}

impl Beat {
    /// A chassis that has just started. `items` are what its configuration digest was made of.
    pub fn new(
        Ears { poll, alarm, link, paths }: Ears,
        chassis: Chassis,
        items: Vec<ConfigItem>,
        inputs: mpsc::Receiver<Input>,
        steps: tokio_mpsc::UnboundedSender<Step>,
        stopped: oneshot::Sender<()>,
        herald: Herald,
    ) -> Self {
        let watched = Watched {
            peer_items: None,
            security: None,
            connection: "Connecting",
            connection_since: clock::now(),
            counts: Counts::default(),
            started: clock::now(),
            heard: None,
            round_trip: None,
            last_validation: "None".into(),
        };
        Self {
            poll,
            alarm,
            chassis,
            link,
            paths,
            inputs,
            steps,
            stopped: Some(stopped),
            journal: Journal::default(),
            asked: HashMap::new(),
            next_request: 1,
            items,
            recorder: None,
            herald,
            states: None,
            watched,
        }
    }

    /// Records from the start on.
    #[must_use]
    pub fn recorded_by(mut self, recorder: Option<Recorder>) -> Self {
        self.recorder = recorder.map(Box::new);
        self
    }

    /// Tells each new state of the chassis.
    #[must_use]
    pub fn telling(mut self, states: tokio_mpsc::UnboundedSender<ChassisState>) -> Self {
        self.states = Some(states);
        self
    }

    /// Runs until the chassis has stopped in good order. An error is one of `epoll` itself.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(128);
        let mut leave_at = None;
        loop {
            self.wait(&mut events, self.next_deadline().min(leave_at.unwrap_or(Time(u64::MAX))))?;
            let now = clock::now();
            // Everything that has arrived goes before the clock: a Hello that waited in a buffer was not late.
            for event in &events {
                if event.token() != INBOX && !self.alarm.is_rung_by(event.token()) {
                    self.link.handle(now, event);
                    self.paths.handle(now, event);
                }
            }
            self.take_link_events(now);
            self.take_path_events(now);
            while let Ok(input) = self.inputs.try_recv() {
                self.take(now, input);
            }
            self.link.handle_deadline(now);
            self.take_link_events(now);
            self.paths.handle_deadline(now);
            self.take_path_events(now);
            if now >= self.chassis.next_deadline() {
                self.feed(now, Event::DeadlineReached);
            }
            self.take_link_events(now);
            if self.stopped.is_none() {
                let leave_at = *leave_at.get_or_insert(now + GOODBYE);
                if now >= leave_at || self.link.is_drained() {
                    return Ok(());
                }
            }
        }
    }

    fn next_deadline(&self) -> Time {
        let others = [self.link.next_deadline(), self.paths.next_deadline()];
        others.into_iter().flatten().fold(self.chassis.next_deadline(), Time::min)
    }

    /// Waits for the deadline, or for something to arrive.
    fn wait(&mut self, events: &mut Events, deadline: Time) -> io::Result<()> {
        self.alarm.set(deadline)?;
        let mut patience = None;
        loop {
            match self.poll.poll(events, patience) {
                // Whoever stops and continues the process ends the wait without a look at what has arrived meanwhile.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => patience = Some(Duration::ZERO),
                result => return result,
            }
        }
    }

    fn take_path_events(&mut self, now: Time) {
        while let Some(event) = self.paths.poll(now) {
            self.feed(now, event);
        }
    }

    fn take_link_events(&mut self, now: Time) {
        while let Some(event) = self.link.poll_event() {
            match event {
                LinkEvent::WantsGreeting(connection) => {
                    let hello = self.chassis.greeting(now);
                    self.link.greet(now, connection, hello);
                }
                LinkEvent::Up { security, peer, .. } => {
                    info!(%peer, security, "SRP link up");
                    self.watched.connection = "Connected";
                    self.watched.connection_since = now;
                    self.watched.counts.link_ups += 1;
                    self.watched.security = Some(security);
                    self.herald.tell_at(now, Observation::LinkUp);
                    self.feed(now, Event::LinkUp);
                    self.send_items(now);
                }
                LinkEvent::Down { peer, why } => {
                    warn!(%peer, %why, "SRP link down");
                    self.herald.tell_at(now, Observation::LinkDown { why: why.to_string() });
                    self.watched.connection = "Not connected";
                    self.watched.counts.link_downs += 1;
                    self.watched.connection_since = now;
                    self.watched.security = None;
                    self.watched.peer_items = None;
                    if let Fault::ClosedByPeer { reason, text } = why {
                        let close = Message::Close(Close { reason, text });
                        self.watched.counts.received(&close);
                        self.feed(now, Event::Received(close));
                    } else if let Fault::ClosedHere { reason, text } = why {
                        self.watched.counts.sent(&Message::Close(Close { reason, text }));
                    }
                    self.feed(now, Event::LinkDown);
                }
                LinkEvent::Message(message) => self.receive(now, message),
                LinkEvent::Refused { peer, why, unreported } => {
                    warn!(%peer, counter = why.name(), unreported, "SRP connection refused: {why}");
                    self.herald.tell_at(now, refused(peer.ip(), &why));
                }
            }
        }
    }

    fn receive(&mut self, now: Time, message: Message) {
        self.watched.counts.received(&message);
        match &message {
            Message::Hello(hello) => {
                let before = self.watched.heard.replace(now);
                if let Some(before) = before.filter(|before| *before >= self.watched.connection_since) {
                    let interval = self.chassis.settings().hello_interval;
                    self.watched.counts.hello_after(now.since(before), interval);
                }
                if let (Some(sent), Some(held)) = (hello.echo_sent_at, hello.echo_held) {
                    self.watched.round_trip = Some(now.since(sent + held));
                }
            }
            Message::ConfigItems(theirs) => {
                for line in differences(&self.items, &theirs.items) {
                    warn!("configuration differs from the peer's: {line}");
                }
                self.watched.peer_items = Some(theirs.items.clone());
            }
            Message::SwitchoverRequest(_)
            | Message::SwitchoverAbort(_)
            | Message::Close(_)
            | Message::TerminatePostProcess(_)
            | Message::Unknown(_) => {}
        }
        self.feed(now, Event::Received(message));
    }

    fn send_items(&mut self, now: Time) {
        let items = self.items.clone();
        self.send(now, &Message::ConfigItems(ConfigItems { items }));
    }

    fn send(&mut self, now: Time, message: &Message) {
        // What is dropped because the link is down has its own counter.
        if self.link.is_up() {
            self.watched.counts.sent(message);
        }
        self.link.send(now, message);
    }

    fn take(&mut self, now: Time, input: Input) {
        match input {
            Input::Event(event, noted) => {
                for step in noted {
                    self.journal.step(step);
                }
                self.feed(now, event);
            }
            Input::InitiateSwitchover { force, reply } => {
                let request = self.expect(reply);
                self.feed(now, Event::InitiateSwitchover { request, force });
            }
            Input::ValidateSwitchover(reply) => {
                let request = self.expect(reply);
                self.feed(now, Event::ValidateSwitchover { request });
            }
            Input::CompareConfiguration => self.send_items(now),
            Input::TerminatePostProcess(reply) => {
                let request = self.expect(reply);
                self.feed(now, Event::TerminatePostProcess { request });
            }
            Input::ResetMonitor { kind, reply } => {
                let request = self.expect(reply);
                self.feed(now, Event::ResetMonitor { request, kind });
            }
            Input::Snapshot(reply) => {
                // An operator who did not wait is no fault of ours.
                let _ = reply.send(Box::new(self.snapshot()));
            }
            Input::Reconfigured(settings, items) => {
                self.items = items;
                self.feed(now, Event::Reconfigured(settings));
                self.paths.tell_monitors_again();
                self.take_path_events(now);
                self.send_items(now);
            }
            Input::Bfd(wanted, reply) => {
                let _ = reply.send(self.paths.reconfigure(now, wanted)); // the reload may have lost its patience
            }
            Input::LinkDown { interface } => self.paths.link_down(now, interface),
            Input::AddressGone { address, vrf } => self.paths.address_gone(now, address, vrf.as_deref()),
            Input::Credentials(credentials) => self.link.set_credentials(*credentials),
            Input::Record(recorder) => self.recorder = recorder,
        }
    }

    fn expect(&mut self, reply: oneshot::Sender<Answer>) -> u64 {
        let request = self.next_request;
        self.next_request += 1;
        self.asked.insert(request, reply);
        request
    }

    /// Tells the state machine, and does what it says; what follows at once from that is told after it.
    fn feed(&mut self, now: Time, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.handle(now, event) {
                events.extend(self.perform(now, action));
            }
        }
    }

    fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        let chassis = &mut self.chassis;
        let recorded = self.recorder.as_mut().map(|recorder| {
            recorder.before(chassis);
            event.clone()
        });
        chassis.handle(now, event);
        let actions: Vec<Action> = std::iter::from_fn(|| chassis.poll_action()).collect();
        if let (Some(recorder), Some(event)) = (&mut self.recorder, recorded) {
            recorder.step(now, event, actions.clone(), chassis.next_deadline());
        }
        actions
    }

    /// Returns the event that the action itself is, if it is one.
    fn perform(&mut self, now: Time, action: Action) -> Option<Event> {
        match action {
            Action::Send(message) => self.send(now, &message),
            Action::CloseLink(reason, text) => self.link.close(now, reason, text),
            Action::Install { ticket } => self.hand_over(now, "installing", Step::Install { ticket }),
            Action::Announce { ticket, modifier } => {
                self.hand_over(now, "announcing", Step::Announce { ticket, modifier });
            }
            Action::Retire => self.hand_over(now, "retiring", Step::Retire),
            // No step of a switchover, and nothing waits for it.
            Action::TellHosts => self.begin(Step::TellHosts),
            Action::Withdraw { ticket } => self.hand_over(now, "withdrawing", Step::Withdraw { ticket }),
            Action::Remove { ticket } => self.hand_over(now, "removing", Step::Remove { ticket }),
            // No session manager is configured in this release, so nothing is ever left to flush.
            Action::Flush { ticket } => return Some(Event::Flushed { ticket }),
            Action::Reply { request, answer } => {
                if let Answer::Validated(checks) = &answer {
                    let failed = checks.iter().filter(|check| !check.passed).count();
                    let counts = &mut self.watched.counts;
                    self.watched.last_validation = if failed == 0 {
                        counts.validations_passed += 1;
                        "Success".into()
                    } else {
                        counts.validations_failed += 1;
                        format!("Failed ({failed} of {} checks)", checks.len())
                    };
                }
                if let Some(reply) = self.asked.remove(&request) {
                    let _ = reply.send(answer); // the operator may have left
                }
            }
            Action::Record(fact) => {
                log(&fact);
                self.watched.counts.fact(&fact);
                self.herald.tell_at(now, Observation::Fact(fact.clone()));
                self.journal.record(now, self.chassis.state(), &fact);
                if let (Fact::State { to, .. }, Some(states)) = (&fact, &self.states) {
                    let _ = states.send(*to); // who listened has ended
                }
                if let Fact::SwitchoverBegan { bfd_failed: Some(at), .. } = fact {
                    let detail = self.paths.last_failure().unwrap_or_default();
                    self.journal.step(Noted { at, step: "bfd-down", detail });
                }
            }
            Action::Stopped => {
                // To those who watch us by BFD this is no failure.
                self.paths.stop(now);
                // Also where no link is up: half-made connections have an end then, too.
                self.link.close(now, CloseReason::Stopping, "orderly stop");
                if let Some(stopped) = self.stopped.take() {
                    let _ = stopped.send(()); // nobody waits any more: the process ends anyway
                }
            }
        }
        None
    }

    fn hand_over(&mut self, now: Time, name: &'static str, step: Step) {
        self.journal.step(Noted { at: now, step: name, detail: step.to_string() });
        self.begin(step);
    }

    fn begin(&self, step: Step) {
        if let Err(unsent) = self.steps.send(step) {
            error!(step = %unsent.0, "the step thread has ended: restart srpd");
        }
    }

    fn snapshot(&self) -> Snapshot {
        let watched = &self.watched;
        Snapshot {
            chassis: self.chassis.clone(),
            peer: self.chassis.peer().cloned().zip(watched.heard),
            credentials: self.link.credentials().cloned(),
            security: watched.security.clone(),
            connection: match self.link.last_trouble() {
                Some(trouble) if !self.link.is_up() => format!("{}: {trouble}", watched.connection),
                Some(_) | None => watched.connection.to_owned(),
            },
            connection_since: watched.connection_since,
            counts: watched.counts.clone(),
            recorded: self.recorder.as_ref().map_or((0, 0), |recorder| recorder.counters()),
            started: watched.started,
            paths: self.paths.views(),
            round_trip_ms: watched.round_trip.map(Span::as_millis_f64),
            differences: watched.peer_items.as_ref().map(|theirs| differences(&self.items, theirs)),
            last_validation: watched.last_validation.clone(),
            last_switch: self.journal.last_switch(),
            switchovers: self.journal.show(clock::wall_us),
            switchover_count: self.journal.count(),
            link_counters: named(self.link.counters(), ""),
            bfd_counters: named(self.paths.counters(), "bfd-"),
        }
    }
}

fn named(counters: Vec<(&'static str, u64)>, prefix: &str) -> Vec<(String, u64)> {
    counters.into_iter().map(|(name, count)| (format!("{prefix}{name}"), count)).collect()
}

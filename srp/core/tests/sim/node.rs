//! One chassis with the driver, the kernel and the BGP speaker around it.

use std::collections::BTreeSet;

use srp_core::api::Check;
use srp_core::chassis::{Action, Answer, Chassis, Event, Fact, Settings, Ticket};
use srp_core::types::{BootId, ChassisState, Span, SwitchReason, Time};
use srp_core::wire::{Close, CloseReason, FrameReader, Hello, Message, encode};

use super::bgp::PREFIXES;
use super::monitors::Surroundings;
use super::net::{Arrival, End};
use super::speaker::Speaker;
use super::world::{Due, NAMES, ROUTERS, World};

/// Something that waits for a node that does not run.
#[derive(Clone, Debug)]
pub enum Parcel {
    Event(Event),
    Link(u64, Arrival),
    /// A BFD packet by that path.
    Path(usize, bfd::Packet),
}

/// What the kernel holds of the srp-activated objects.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// By the numbers of `bgp`.
    pub holds: [bool; PREFIXES],
    /// Of ten objects.
    pub refuses: u32,
    free_at: Time,
}

impl Kernel {
    pub fn holds_any(&self) -> bool {
        self.holds.contains(&true)
    }
}

/// A life as it was lived: the core at its start, all that it heard, all that it did.
#[derive(Clone, Debug)]
pub struct Record {
    pub born: Chassis,
    pub heard: Vec<(Time, Event)>,
    pub did: Vec<Action>,
}

/// One chassis.
#[derive(Debug)]
pub struct Node {
    pub settings: Settings,
    /// `None` while `srpd` does not run.
    pub chassis: Option<Chassis>,
    /// Counts starts.
    pub life: u64,
    /// Suspended: nothing is handled, what arrives waits.
    pub frozen: bool,
    pub inbox: Vec<Parcel>,
    pub linked: Option<u64>,
    pub reader: FrameReader,
    pub kernel: Kernel,
    pub surroundings: Surroundings,
    pub speaker: Speaker,
    /// Operators that wait for an answer.
    pub requests: BTreeSet<u64>,
    pub next_request: u64,
    pub last_request: Option<Time>,
    pub stop_asked: Option<Time>,
    pub hellos: u64,
    /// The last Hello that arrived in this life, and what it said.
    pub heard: Option<(Time, ChassisState)>,
    /// When it last handled an event.
    pub ran: Time,
    /// Every event of this life and every action that followed, for the replay.
    pub record: Option<Record>,
    pub recording: bool,
    /// Of its last Hello, for those who break rules.
    pub told: u64,
    /// For them too.
    pub bfd_failed: bool,
    wake: Option<(Time, Time)>,
}

impl Node {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            chassis: None,
            life: 0,
            frozen: false,
            inbox: Vec::new(),
            linked: None,
            reader: FrameReader::default(),
            kernel: Kernel { holds: [false; PREFIXES], refuses: 0, free_at: Time(0) },
            surroundings: Surroundings::default(),
            speaker: Speaker::default(),
            requests: BTreeSet::new(),
            next_request: 1,
            last_request: None,
            stop_asked: None,
            hellos: 0,
            heard: None,
            ran: Time(0),
            record: None,
            recording: false,
            told: 0,
            bfd_failed: false,
            wake: None,
        }
    }

    /// When the driver's timer fires next.
    pub fn wake_at(&self) -> Option<Time> {
        if self.frozen || self.chassis.is_none() { None } else { self.wake.map(|(_, at)| at) }
    }
}

impl World {
    /// Starts `srpd`.
    pub fn boot(&mut self, side: usize) {
        if self.nodes[side].chassis.is_some() {
            return;
        }
        let boot = BootId(self.rng.next());
        let node = &mut self.nodes[side];
        node.life += 1;
        node.settings.identity.boot = boot;
        let chassis = Chassis::new(self.now, node.settings.clone());
        node.record =
            node.recording.then(|| Record { born: chassis.clone(), heard: Vec::new(), did: Vec::new() });
        node.chassis = Some(chassis);
        node.speaker = Speaker::default();
        node.ran = self.now;
        node.heard = None;
        node.bfd_failed = false;
        self.set_alarm(side);
        self.check.started(side);
        self.note(side, "starts");
        self.tell_neighbors(side);
        for router in 0..ROUTERS {
            let wait = self.rng.span(self.pace.session);
            self.after(wait, Due::SessionUp { side, router });
        }
        self.open_paths(side);
        self.find_everything(side);
    }

    /// One event into the core, and all that follows from it.
    pub fn feed(&mut self, side: usize, mut event: Event) {
        let now = self.now;
        if let Event::Received(Message::Hello(hello)) = &event {
            self.nodes[side].heard = Some((now, hello.state));
        }
        if !self.sabotage.event(&mut self.nodes[side], &mut event) {
            return;
        }
        if self.detail && event != Event::DeadlineReached {
            self.note(side, format_args!("    < {}", heard(&event)));
        }
        self.was_told(side, &event);
        self.nodes[side].surroundings.asked = matches!(event, Event::Received(Message::SwitchoverRequest(_)));
        let longest_silence = self.longest_silence(side);
        let node = &mut self.nodes[side];
        let Some(chassis) = node.chassis.as_mut() else { return };
        if now.since(node.ran) > longest_silence {
            self.check.was_suspended(side, chassis.state());
        }
        if let Some(record) = &mut node.record {
            record.heard.push((now, event.clone()));
        }
        let ran = std::mem::replace(&mut node.ran, now);
        let actions = self.sabotage.live(chassis, (ran, now), node.settings.dead_interval, event);
        if let Some(record) = &mut node.record {
            record.did.extend(actions.iter().cloned());
        }
        self.set_alarm(side);
        self.check_node(side);
        for mut action in actions {
            if let Some(lie) = self.sabotage.action(&mut self.nodes[side], &mut action) {
                let life = self.nodes[side].life;
                self.after(Span::ZERO, Due::Tell { side, life, event: lie });
            } else {
                self.perform(side, action);
            }
        }
    }

    fn set_alarm(&mut self, side: usize) {
        let node = &mut self.nodes[side];
        let Some(deadline) = node.chassis.as_ref().map(Chassis::next_deadline) else { return };
        if node.wake.is_none_or(|(known, _)| known != deadline) {
            let late = self.rng.span(self.pace.late);
            node.wake = Some((deadline, deadline + late));
        }
    }

    fn perform(&mut self, side: usize, action: Action) {
        if self.detail && !matches!(action, Action::Record(_)) {
            self.note(side, format_args!("    > {}", wanted(&action)));
        }
        let peer = 1 - side;
        match action {
            Action::Send(message) => {
                if let Message::SwitchoverRequest(_) = &message {
                    self.asks(side);
                }
                if let Message::Hello(hello) = &message {
                    self.nodes[side].hellos += 1;
                    self.nodes[side].told = hello.standing;
                }
                let linked = self.nodes[side].linked;
                if linked.is_some() && linked == self.net.conn.as_ref().map(|conn| conn.id) {
                    self.send(peer, encode(&message));
                }
            }
            Action::CloseLink(reason, text) => {
                let linked = self.nodes[side].linked.take();
                if linked.is_some() && linked == self.net.conn.as_ref().map(|conn| conn.id) {
                    let close = Message::Close(Close { reason, text: text.to_owned() });
                    self.send(peer, encode(&close));
                    self.hang_up(side);
                }
                if reason != CloseReason::Stopping && self.rng.chance(50) {
                    self.feed(side, Event::LinkDown);
                }
            }
            Action::Install { ticket } => self.kernel_asked(side, ticket, true),
            Action::Remove { ticket } => {
                self.check_remove(side);
                self.kernel_asked(side, ticket, false);
            }
            Action::Announce { ticket, modifier } => {
                if !self.nodes[side].kernel.holds_any() {
                    self.check
                        .fail(format!("{}: invariant 5: announced before it is installed", NAMES[side]));
                }
                self.note(side, format_args!("announces with {modifier}"));
                self.speak(side, Some(modifier.0), Event::Announced { ticket });
            }
            Action::Retire => {
                self.check_withdraw(side);
                self.note(side, "announces itself as the last choice");
                self.retire(side);
            }
            // Routers keep both answers; there are no hosts here.
            Action::TellHosts => {}
            Action::Withdraw { ticket } => {
                if self.nodes[side].speaker.rib.is_some() {
                    self.check_withdraw(side);
                    self.note(side, "withdraws");
                }
                self.speak(side, None, Event::Withdrawn { ticket });
            }
            Action::Flush { .. } if self.rng.chance(self.never_flushed) => {}
            Action::Flush { ticket } => {
                let (wait, life) = (self.rng.span(self.pace.link), self.nodes[side].life);
                self.after(wait, Due::Tell { side, life, event: Event::Flushed { ticket } });
            }
            Action::Reply { request, answer } => {
                self.note(side, format_args!("answers: {}", spoken(&answer)));
                if !self.nodes[side].requests.remove(&request) {
                    self.check.fail(format!("{}: request {request} is answered twice", NAMES[side]));
                }
            }
            Action::Record(fact) => self.recorded(side, &fact),
            Action::Stopped => {
                self.note(side, "has stopped");
                let node = &self.nodes[side];
                if node.kernel.holds_any() || node.speaker.rib.is_some() {
                    self.check.fail(format!("{}: stopped, and left something behind", NAMES[side]));
                }
                self.end_life(side, true, false);
                if let Some(wait) = self.restart {
                    self.after(wait, Due::Boot { side });
                }
            }
        }
    }

    fn recorded(&mut self, side: usize, fact: &Fact) {
        match fact {
            Fact::State { from, to, reason } => {
                self.check.changes.insert((*from, *to, *reason));
                self.check_failover(side, (*from, *to), *reason);
                if *to == ChassisState::Standby {
                    self.steps_down(side);
                }
                match (from, to, reason) {
                    (
                        ChassisState::Standby,
                        ChassisState::PendingActive,
                        SwitchReason::DeadTimerExpiry | SwitchReason::ChassisChassisBfdFailure,
                    ) => {
                        self.check_death(side, *reason);
                        // Whatever lives there afterwards: nobody knows that it serves.
                        self.nodes[side].heard = None;
                    }
                    (ChassisState::Init, ChassisState::PendingActive, SwitchReason::DeadTimerExpiry) => {
                        self.check.serves_alone(side);
                    }
                    (_, ChassisState::PendingActive, SwitchReason::NotDefined)
                        if self.is_operational(side) && !self.nodes[side].surroundings.asked =>
                    {
                        self.check.agreed(side);
                    }
                    _ => {}
                }
                self.note(side, format_args!("{from} -> {to} ({reason})"));
            }
            Fact::Modifier { from, to, why } => {
                if *why == "could not take over" {
                    self.check.stood_back(side);
                }
                self.note(side, format_args!("modifier {from} -> {to} ({why})"));
            }
            Fact::SwitchoverBegan { .. } | Fact::FailoverHeld(None) => {}
            Fact::Aborted { why } => self.note(side, format_args!("called off: {why}")),
            Fact::Suspended { gap } => {
                self.check.stood_back(side);
                self.note(side, format_args!("did not run for {gap}"));
            }
            Fact::CutOff => {
                self.check.stood_back(side);
                self.note(side, "is cut off");
            }
            Fact::PeerRestarted => self.note(side, "sees that its peer has restarted"),
            Fact::Twins => self.note(side, "reports a twin: same mode, priority and MAC on both chassis"),
            Fact::ConfigInSync(in_sync) => {
                if !in_sync {
                    self.note(side, "reports that the configurations differ");
                }
            }
            Fact::SignsOfLife(Some(found)) => {
                self.note(side, format_args!("signs of life disagree: {found}"));
            }
            Fact::SignsOfLife(None) => self.note(side, "signs of life agree again"),
            Fact::StopUnanswered => self.note(side, "stops without an answer"),
            Fact::MonitorFailed(failure) => self.note(side, format_args!("failed: {}", failure.what)),
            Fact::MonitorBack { what, .. } => self.note(side, format_args!("works again: {what}")),
            Fact::FailoverHeld(Some(held)) => self.note(side, format_args!("stays: {held}")),
            Fact::KernelRefused { refused } => {
                self.note(side, format_args!("kernel refuses {refused} objects"));
            }
        }
    }

    // The kernel: one request after the other.

    fn kernel_asked(&mut self, side: usize, ticket: Ticket, install: bool) {
        let took = self.rng.span(self.pace.kernel);
        let node = &mut self.nodes[side];
        let at = node.kernel.free_at.max(self.now) + took;
        node.kernel.free_at = at;
        let life = node.life;
        self.at(at, Due::Kernel { side, life, ticket, install });
    }

    pub fn kernel_done(&mut self, side: usize, life: u64, ticket: Ticket, install: bool) {
        if self.nodes[side].life != life || self.nodes[side].chassis.is_none() {
            return;
        }
        let node = &mut self.nodes[side];
        let kernel = &mut node.kernel;
        let event = if install {
            // What it held already, from an earlier life, it does not refuse.
            kernel.holds = [kernel.holds[0] || kernel.refuses < 10, kernel.holds[1] || kernel.refuses == 0];
            node.speaker.installed = kernel.holds;
            let (installed, refused) = (10 - kernel.refuses, kernel.refuses);
            self.note(side, format_args!("kernel holds {installed} of 10 objects"));
            Event::Installed { ticket, installed, refused }
        } else {
            node.speaker.installed = [false; PREFIXES];
            if kernel.holds_any() {
                kernel.holds = [false; PREFIXES];
                self.note(side, "kernel holds nothing");
            }
            Event::Removed { ticket }
        };
        self.hand_over(side, Parcel::Event(event));
    }

    // Ends of life.

    /// This side of the connection is gone; the other side will see it.
    pub fn hang_up(&mut self, side: usize) {
        self.transmit(1 - side, Arrival::Down);
        if let Some(conn) = &mut self.net.conn {
            conn.ends[side] = End::Closed;
        }
    }

    /// `srpd` ends, in good order or not; with `power` gone nobody hears of it.
    pub fn end_life(&mut self, side: usize, orderly: bool, power: bool) {
        if self.nodes[side].chassis.is_none() {
            return;
        }
        self.check.replay(side, &mut self.nodes[side]);
        self.close_paths(side, orderly);
        if power {
            self.nodes[side].kernel.holds = [false; PREFIXES];
            if let Some(conn) = &mut self.net.conn {
                conn.ends[side] = End::Closed;
            }
        } else {
            self.hang_up(side);
        }
        for router in 0..ROUTERS {
            let stale = power || (!orderly && self.rng.chance(self.pace.keeps));
            self.session_down(side, router, stale);
        }
        let node = &mut self.nodes[side];
        node.chassis = None;
        node.linked = None;
        node.frozen = false;
        node.inbox.clear();
        node.requests.clear();
        node.stop_asked = None;
        node.wake = None;
        node.kernel.free_at = self.now;
        self.check.ended(side);
    }

    /// Runs again after a suspension, with all that has waited.
    pub fn thaw(&mut self, side: usize) {
        if !self.nodes[side].frozen {
            return;
        }
        self.note(side, "runs again");
        self.nodes[side].frozen = false;
        let parcels = std::mem::take(&mut self.nodes[side].inbox);
        if self.rng.chance(50) {
            self.feed(side, Event::DeadlineReached);
        }
        // As the driver does: the link, then BFD, then the clock.
        let (packets, others): (Vec<_>, Vec<_>) =
            parcels.into_iter().partition(|parcel| matches!(parcel, Parcel::Path(..)));
        for parcel in glue(others).into_iter().chain(packets) {
            self.hand_over(side, parcel);
        }
        self.run_paths(side);
        for router in 0..ROUTERS {
            self.session_up(side, router);
        }
    }
}

/// Octets of one connection that have waited are read at once.
fn glue(parcels: Vec<Parcel>) -> Vec<Parcel> {
    let mut glued: Vec<Parcel> = Vec::new();
    for parcel in parcels {
        match (glued.last_mut(), parcel) {
            (
                Some(Parcel::Link(last, Arrival::Octets(octets))),
                Parcel::Link(conn, Arrival::Octets(more)),
            ) if *last == conn => octets.extend(more),
            (_, parcel) => glued.push(parcel),
        }
    }
    glued
}

fn hello(hello: &Hello) -> String {
    let echo = hello.echo_standing.map_or("-".into(), |number| number.to_string());
    let view = hello.view.map_or("-".into(), |view| format!("{} {}", view.state, view.modifier));
    format!(
        "Hello {}: {} {}, standing {}, echo {echo}, peer {view}",
        hello.sequence, hello.state, hello.modifier, hello.standing
    )
}

fn heard(event: &Event) -> String {
    match event {
        Event::Received(Message::Hello(body)) => hello(body),
        other => format!("{other:?}"),
    }
}

fn wanted(action: &Action) -> String {
    match action {
        Action::Send(Message::Hello(body)) => hello(body),
        other => format!("{other:?}"),
    }
}

fn spoken(answer: &Answer) -> String {
    match answer {
        Answer::PostProcessTerminated { here, peer } => {
            format!("ends forwarding: here {here}, on the peer {peer}")
        }
        Answer::MonitorReset { was_disregarded } => format!("reset; disregarded before: {was_disregarded}"),
        Answer::Done { took } => format!("done in {took}"),
        Answer::Refused(reasons) => format!("refused: {}", reasons.join("; ")),
        Answer::Validated(checks) => {
            let word = |check: &Check| if check.passed { "passed" } else { "FAILED" };
            let lines =
                checks.iter().map(|check| format!("{} {}: {}", check.name, word(check), check.detail));
            lines.collect::<Vec<_>>().join("; ")
        }
    }
}

//! One chassis of a redundancy pair: events in, ordered actions out.
//!
//! No socket, no clock, no randomness inside: the same events at the same times give the same actions (invariant 7).
//! After each event the rules in `rules.rs` run until none applies any more; each looks at what *is* (our role, the
//! peer's last Hello, the time), not at what just happened, so that a lost or repeated message changes nothing.
//!
//! A rule in which both chassis could act on old news of each other asks first that the peer has seen our present
//! *standing* (state and modifier, numbered): its Hello repeats the number.

mod event;
mod failover;
mod guard;
mod handover;
mod monitor;
mod monitors;
mod presence;
mod relative;
mod role;
mod rules;
mod signs;
mod validate;

use std::collections::VecDeque;

pub use event::{Action, Answer, Disagreement, Event, Fact, PeerBfdSettings, Retry, Settings};
pub use failover::{Held, Monitoring};
pub use guard::{Guard, GuardTimers};
pub use monitor::{Disregarded, Failure, MonitorId, MonitorKind, MonitorState, Monitored, Probed, Watched};
pub use presence::Ticket;
pub use relative::{Counters, Origin};
use serde::{Deserialize, Serialize};

use crate::types::{ChassisState, RouteModifier, Span, SwitchReason, Time};
use crate::wire::{CloseReason, Hello, Message, PeerView};
use failover::Failover;
use monitors::Monitors;
use presence::{Presence, Step, Target};
use role::{HandOver, Role, TakeOver};
use signs::PeerBfd;

/// One chassis.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chassis {
    settings: Settings,
    role: Role,
    modifier: RouteModifier,
    presence: Presence,
    /// Counts changes of what the peer is told of us: state and effective modifier.
    standing: u64,
    shown: (ChassisState, RouteModifier),
    link: Option<Link>,
    /// What we believe of the peer; outlives its restart so that we can vouch for it, not our own take-over.
    view: Option<PeerView>,
    /// When the peer was last heard.
    heard: Option<Time>,
    /// Until then the peer has had a Hello of ours within its dead-interval: nobody has taken over behind our back.
    lease: Time,
    /// After a take-over that failed: does not begin another of its own accord.
    rests_until: Time,
    /// The modifier has been raised above all that the peer can hold, and nothing was heard of it since.
    stood_back: bool,
    /// The peer counts as alive until one dead-interval after this.
    alive: Time,
    hello_at: Time,
    /// When we last ran: a gap longer than the dead-interval is a suspension.
    ran: Time,
    bgp: Count,
    session_managers: Count,
    #[serde(default)]
    peer_bfd: PeerBfd,
    #[serde(default)]
    monitors: Monitors,
    #[serde(default)]
    failover: Failover,
    next_switchover: u64,
    stopping: bool,
    /// In Standby and stopping: what is not reported done by then is not waited for.
    #[serde(default)]
    stop_until: Option<Time>,
    stopped: bool,
    #[serde(skip)]
    out: VecDeque<Action>,
}

/// Things of which some work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Count {
    all: u32,
    working: u32,
}

/// An established SRP link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Link {
    sequence: u64,
    /// The peer's last Hello on this link.
    peer: Option<Hello>,
    in_sync: Option<bool>,
}

impl Chassis {
    /// A chassis that has just started.
    pub fn new(now: Time, settings: Settings) -> Self {
        let modifier = settings.initial_modifier();
        Self {
            role: Role::Init,
            modifier,
            presence: Presence::new(),
            standing: 1,
            shown: (ChassisState::Init, modifier),
            link: None,
            view: None,
            heard: None,
            lease: now,
            rests_until: now,
            stood_back: true,
            alive: now + settings.delay_interval,
            hello_at: now,
            ran: now,
            bgp: Count::default(),
            session_managers: Count::default(),
            peer_bfd: PeerBfd::default(),
            monitors: Monitors::new(now, &settings.monitors),
            failover: Failover::default(),
            next_switchover: 1,
            stopping: false,
            stop_until: None,
            stopped: false,
            out: VecDeque::new(),
            settings,
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Time, event: Event) {
        let gap = now.since(self.ran);
        self.ran = now;
        if gap > self.soonest_take_over() {
            self.resume(now, gap);
        }
        match event {
            Event::DeadlineReached => {}
            Event::LinkUp => {
                self.notice_cut_off(now);
                if self.link.is_some() {
                    self.lose_link(now);
                }
                self.link = Some(Link { sequence: 0, peer: None, in_sync: None });
                self.sign_of_life(now);
            }
            Event::LinkDown => self.lose_link(now),
            Event::Received(message) => self.receive(now, message),
            Event::Installed { ticket, installed, refused } => {
                self.installed(now, ticket, installed, refused);
            }
            Event::Announced { ticket } | Event::Withdrawn { ticket } | Event::Removed { ticket } => {
                let step = self.presence.done(now, ticket);
                self.take(step);
            }
            Event::Flushed { ticket } => self.flushed(ticket),
            Event::BgpNeighbors { configured, established } => {
                self.notice_cut_off(now);
                self.bgp = Count { all: configured, working: established };
            }
            Event::SessionManagers { configured, connected } => {
                self.session_managers = Count { all: configured, working: connected };
            }
            Event::PeerBfd { configured, up, failed } => self.bfd_changed(now, configured, up, failed),
            Event::Monitor { monitor, state } => self.monitor_changed(now, &monitor, state),
            Event::ResetMonitor { request, kind } => self.reset_monitor(now, request, kind),
            Event::InitiateSwitchover { request, force } => self.initiate(now, request, force),
            Event::ValidateSwitchover { request } => {
                let answer = Answer::Validated(self.validate());
                self.out.push_back(Action::Reply { request, answer });
            }
            Event::TerminatePostProcess { request } => self.terminate_post_process(request),
            Event::Stop => self.stop(now),
            Event::Reconfigured(settings) => {
                self.settings = *settings;
                self.configure_monitors(now);
                // The peer may wait for less than our old interval, and shall compare configurations now.
                self.hello_at = now;
            }
        }
        self.note_failures();
        self.apply_rules(now);
        self.note_disagreement();
        self.note_failures();
        self.note_held(now);
        self.tell_peer(now);
    }

    /// The only way out: actions in the order in which they must be performed.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// The earliest time at which `handle` can change anything by itself.
    pub fn next_deadline(&self) -> Time {
        let pending = match self.role {
            Role::PendingActive { until, .. } | Role::PendingStandby { until, .. } => Some(until),
            Role::Init | Role::Standby | Role::Active => None,
        };
        let lease = self.cut_off_at();
        let rested = (self.role == Role::Standby && self.rests_until > self.ran).then_some(self.rests_until);
        let silent = self.link.is_some().then_some(self.dead_at());
        let waits = matches!(self.role, Role::Init | Role::Standby) && !self.stopping;
        let dead = self.death().filter(|_| waits).map(|(at, _)| at);
        let stop = self.stop_until.filter(|_| !self.stopped);
        let failover = self.failover_deadline();
        [pending, silent, dead, lease, rested, stop, failover, self.presence.next_deadline()]
            .into_iter()
            .flatten()
            .fold(self.hello_at, Time::min)
    }

    /// A Hello for a connection that is not yet the link: says who we are, and counts as number 0.
    pub fn greeting(&self, now: Time) -> Hello {
        // What we heard on another connection may be of an earlier life of the peer.
        Hello { echo_sent_at: None, echo_held: None, echo_standing: None, ..self.hello(now, 0) }
    }

    /// Present state.
    pub fn state(&self) -> ChassisState {
        self.role.state()
    }

    /// Present modifier: the one that routers may hold of us, where that is worse than the wanted one.
    pub fn modifier(&self) -> RouteModifier {
        self.presence.announced().map_or(self.modifier, |announced| announced.max(self.modifier))
    }

    /// The peer's last Hello on the present link.
    pub fn peer(&self) -> Option<&Hello> {
        self.link.as_ref().and_then(|link| link.peer.as_ref())
    }

    /// The peer's configuration is ours; `None` while it is not known.
    pub fn config_in_sync(&self) -> Option<bool> {
        self.link.as_ref().and_then(|link| link.in_sync)
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn dead_at(&self) -> Time {
        self.alive + self.settings.dead_interval
    }

    fn hello(&self, now: Time, sequence: u64) -> Hello {
        let identity = &self.settings.identity;
        let peer = self.peer();
        Hello {
            sequence,
            sent_at: now,
            echo_sent_at: peer.map(|hello| hello.sent_at),
            boot: identity.boot,
            release: self.settings.release.clone(),
            state: self.state(),
            mode: identity.mode,
            priority: identity.priority,
            mac: identity.mac,
            modifier: self.modifier(),
            standing: self.standing,
            echo_standing: peer.map(|hello| hello.standing),
            view: self.view,
            config_digest: self.settings.config_digest,
            session_managers: self.session_managers.all,
            session_managers_connected: self.session_managers.working,
            bgp_neighbors: self.bgp.all,
            bgp_established: self.bgp.working,
            capabilities: Hello::CAPABILITIES,
            echo_held: peer.and(self.heard).map(|heard| now.since(heard)),
            monitors_failed: self.own_failures(),
            monitors_remembered: self.own_past_failures(),
        }
    }

    /// Sends the Hello that is due, and one at once where our standing changed (CH-4).
    fn tell_peer(&mut self, now: Time) {
        let shown = (self.state(), self.modifier());
        let changed = shown != self.shown;
        if changed {
            self.shown = shown;
            self.standing += 1;
        }
        let failures = self.own_failures().unwrap_or(0);
        let other_failures = std::mem::replace(&mut self.failover.shown, failures) != failures;
        let due = now >= self.hello_at;
        if due {
            self.hello_at = now + self.settings.hello_interval;
        }
        let answer_owed = self.link.as_ref().is_some_and(|link| link.sequence == 0);
        if (changed || other_failures || due || answer_owed) && !self.stopped {
            self.send_hello(now);
        }
    }

    fn send_hello(&mut self, now: Time) {
        let Some(sequence) = self.link.as_mut().map(|link| {
            link.sequence += 1;
            link.sequence
        }) else {
            return;
        };
        let hello = self.hello(now, sequence);
        self.out.push_back(Action::Send(Message::Hello(hello)));
    }

    fn receive(&mut self, now: Time, message: Message) {
        if self.link.is_none() {
            return; // from a link that is already gone
        }
        match message {
            Message::Hello(hello) => self.hear(now, hello),
            Message::SwitchoverRequest(request) => self.asked_to_take_over(now, &request),
            Message::SwitchoverAbort(abort) => self.called_off(now, &abort),
            Message::TerminatePostProcess(_) => {
                self.end_drain();
            }
            Message::Close(close) => {
                // An Active that stops has withdrawn before it says so: nothing is gained by waiting.
                if close.reason == CloseReason::Stopping && !self.stopping {
                    self.peer_stopped(now);
                }
            }
            // Compared item by item by the driver, for people.
            Message::ConfigItems(_) | Message::Unknown(_) => {}
        }
    }

    fn hear(&mut self, now: Time, hello: Hello) {
        let in_sync = hello.config_digest == self.settings.config_digest;
        let soonest_take_over = self.soonest_take_over();
        let Some(link) = self.link.as_mut() else { return };
        if link.in_sync != Some(in_sync) {
            link.in_sync = Some(in_sync);
            self.out.push_back(Action::Record(Fact::ConfigInSync(in_sync)));
        }
        if link.peer.is_none() && crate::types::are_twins(&hello.identity(), &self.settings.identity) {
            self.out.push_back(Action::Record(Fact::Twins));
        }
        self.heard = Some(now);
        self.stood_back = false;
        if let Some(sent_at) = hello.echo_sent_at {
            self.lease = self.lease.max(sent_at + soonest_take_over);
        }
        self.alive = self.alive.max(now);
        self.peer_bfd.refute();
        // A peer in Init has no past of its own: what we knew of its earlier life stays, to vouch for it.
        if hello.state == ChassisState::Init {
            if link.peer.is_none() && self.view.is_some() {
                self.out.push_back(Action::Record(Fact::PeerRestarted));
            }
        } else {
            self.view = Some(PeerView { state: hello.state, modifier: hello.modifier });
        }
        // The peer cannot act before we repeat its new standing: do so at once, not at the next interval.
        if link.peer.as_ref().is_none_or(|last| last.standing != hello.standing) {
            self.hello_at = now;
        }
        let stands_by = |state: ChassisState| state == ChassisState::Standby;
        let was_beside_us = !link.peer.as_ref().is_some_and(|last| stands_by(last.state));
        if self.role == Role::Active && was_beside_us && stands_by(hello.state) {
            self.out.push_back(Action::TellHosts);
        }
        link.peer = Some(hello);
        self.peer_failures_heard();
    }

    fn lose_link(&mut self, now: Time) {
        self.link = None;
        match self.role {
            // The old Active may live and stay Active: only the dead-interval tells.
            Role::PendingActive { take_over: TakeOver::Planned { .. }, .. } => {
                self.fall_back(now, "the SRP link was lost");
            }
            Role::PendingStandby { step: HandOver::Flushing { .. } | HandOver::Waiting { .. }, .. } => {
                // It may have taken over already, as we asked.
                self.lease = now;
                self.stay_active(now, "the SRP link was lost during the switchover");
            }
            Role::Init
            | Role::Standby
            | Role::Active
            | Role::PendingActive { take_over: TakeOver::Unplanned(_), .. }
            | Role::PendingStandby { step: HandOver::Leaving, .. } => {}
        }
    }

    /// We did not run for so long that the peer may have taken over: what we know is old.
    fn resume(&mut self, now: Time, gap: Span) {
        self.out.push_back(Action::Record(Fact::Suspended { gap }));
        self.monitors.local_failure(now);
        // What waits in a buffer was said to what we were then: it shall not count as an answer to what we are now.
        self.standing += 1;
        self.hello_at = now;
        // The bound of a Pending state is for what we wait for, and its report may wait in a buffer too.
        if let Role::PendingActive { until, .. } | Role::PendingStandby { until, .. } = &mut self.role {
            *until = *until + gap;
        }
        // The Active that asked us may have given up, left service, or died: what it says now, or that it is gone, is
        // no reason to call off what may be the only path that routers have. An Active that lives still wins.
        if let Role::PendingActive { take_over, .. } = &mut self.role {
            *take_over = TakeOver::Unplanned(take_over.reason());
        }
        if let Some(until) = &mut self.stop_until {
            *until = *until + gap;
        }
        match self.role {
            // The peer's Hellos wait in a buffer: give it one dead-interval to be heard.
            Role::Init | Role::Standby => self.sign_of_life(now),
            // It may have taken over: whoever kept serving shall win (invariant 2), so step behind it first.
            Role::PendingActive { .. } | Role::Active | Role::PendingStandby { .. } => {
                self.sign_of_life(now);
                self.stand_back(now, "suspended for longer than the dead-interval");
            }
        }
    }

    /// Raises the modifier to its initial value, or higher, and says so to routers first of all.
    fn stand_back(&mut self, now: Time, why: &'static str) {
        // The peer may have taken over with what it last showed, or with the value after ours: either can be as high
        // as the initial one while the pair starts again below its threshold.
        let peers =
            self.behind(self.modifier()).max(self.view.map_or(RouteModifier::FIRST, |view| view.modifier));
        let behind = if self.stood_back { self.modifier } else { peers.behind(1) };
        self.stood_back = true;
        self.set_modifier(self.settings.initial_modifier().max(behind), why);
        if let Target::Present(_) = self.presence.target() {
            self.aim(now, Target::Present(self.modifier));
        }
    }

    /// The modifier of a Standby beside an Active with this one.
    fn behind(&self, active: RouteModifier) -> RouteModifier {
        active.behind(self.settings.delta_route_modifier)
    }

    fn set_modifier(&mut self, modifier: RouteModifier, why: &'static str) {
        if modifier != self.modifier {
            let from = std::mem::replace(&mut self.modifier, modifier);
            self.out.push_back(Action::Record(Fact::Modifier { from, to: modifier, why }));
        }
    }

    fn enter(&mut self, role: Role, reason: SwitchReason) {
        let from = self.state();
        let forced =
            matches!(self.role, Role::PendingActive { take_over: TakeOver::Planned { force: true, .. }, .. });
        self.role = role;
        let to = self.state();
        match (from, to) {
            (ChassisState::PendingActive, ChassisState::Active) => self.begin_to_serve(reason, forced),
            (ChassisState::Active | ChassisState::PendingStandby, ChassisState::Standby) => {
                self.monitors.end_to_serve(self.ran, reason);
            }
            (_, _) => {}
        }
        if from != to {
            self.out.push_back(Action::Record(Fact::State { from, to, reason }));
        }
    }

    fn aim(&mut self, now: Time, target: Target) {
        if self.presence.target() != target {
            let step = self.presence.aim(now, target);
            self.take(step);
        }
    }

    fn take(&mut self, step: Option<Step>) {
        let action = match step {
            None => return,
            Some(Step::Install(ticket)) => Action::Install { ticket },
            Some(Step::Announce(ticket, modifier)) => Action::Announce { ticket, modifier },
            Some(Step::Retire) => Action::Retire,
            Some(Step::Withdraw(ticket)) => Action::Withdraw { ticket },
            Some(Step::Remove(ticket)) => Action::Remove { ticket },
        };
        self.out.push_back(action);
    }
}

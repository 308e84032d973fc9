//! What goes into a chassis and what comes out of it.

use serde::{Deserialize, Serialize};

use super::failover::Held;
use super::guard::GuardTimers;
use super::monitor::{Failure, MonitorId, MonitorKind, MonitorState, Monitored, Probed};
use super::presence::Ticket;
use crate::api::Check;
use crate::types::{ChassisState, Identity, RouteModifier, Span, SwitchReason, Time};
use crate::wire::{CloseReason, Message};

/// What a chassis must know of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Who it is.
    pub identity: Identity,
    /// Release, as the peer is told.
    pub release: String,
    /// Period of Hellos (CH-4).
    pub hello_interval: Span,
    /// That long without a Hello, and the peer is dead (CH-5). At least three Hellos.
    pub dead_interval: Span,
    /// The first dead-interval starts this long after the start (CH-6).
    pub delay_interval: Span,
    /// Highest operational route modifier (BGP-5).
    pub threshold: u16,
    /// How far the Standby's modifier is behind the Active's; less than the threshold. 1 in records that do not say.
    #[serde(default = "one")]
    pub delta_route_modifier: u16,
    /// Installs and announces as Standby too, with the longer path.
    pub advertise_in_standby: bool,
    /// Keeps forwarding this long after its withdraw.
    pub drain_interval: Span,
    /// Announces itself as the last choice so long before its withdraw; not at all if zero.
    #[serde(default, skip_serializing_if = "is_default")]
    pub graceful_shutdown: Span,
    /// A switchover that takes longer falls back.
    pub switchover_timeout: Span,
    /// Digest of the configuration items that must be equal (CH-12).
    #[serde(with = "crate::hex")]
    pub config_digest: [u8; 32],
    /// BFD with the peer, where it is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_bfd: Option<PeerBfdSettings>,
    /// What is watched, in configured order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<Monitored>,
    /// What protects from hasty switchovers for monitors.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guard_timers: GuardTimers,
    /// A switchover for a monitor that has fallen back is tried again, before a change is waited for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub switchover_retry: Retry,
}

/// How a switchover for a monitor is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retry {
    /// How often: 0 ..= 65535, default 3.
    pub attempts: u32,
    /// How long after it fell back: 1 ..= 3600 s, default 10 s.
    pub interval: Span,
}

/// BFD with the peer, by another path than the SRP link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeerBfdSettings {
    /// While a session is Up the dead-interval alone takes over nothing (`bfd-mon-ignore-dead-interval`).
    pub ignore_dead_interval: bool,
}

impl Settings {
    /// Those of a configuration that says nothing but who the chassis is: the defaults, no BFD, and a digest of zeros.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            release: String::new(),
            hello_interval: Span::millis(100),
            dead_interval: Span::millis(300),
            delay_interval: Span::ZERO,
            threshold: 16,
            delta_route_modifier: 1,
            advertise_in_standby: false,
            drain_interval: Span::secs(2),
            graceful_shutdown: Span::ZERO,
            switchover_timeout: Span::secs(5),
            config_digest: [0; 32],
            peer_bfd: None,
            monitors: Vec::new(),
            guard_timers: GuardTimers::default(),
            switchover_retry: Retry::default(),
        }
    }

    /// What this chassis carries until it has met its peer.
    pub fn initial_modifier(&self) -> RouteModifier {
        RouteModifier::initial(self.identity.mode, self.threshold, self.delta_route_modifier)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 3, interval: Span::secs(10) }
    }
}

fn one() -> u16 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What happened. Reports of steps carry the ticket of the action that asked for them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The time that `next_deadline` named has come; harmless at any other time.
    DeadlineReached,
    /// The SRP link is established. There is one at a time: a second `LinkUp` ends the first link.
    LinkUp,
    /// It is gone. Harmless after `Action::CloseLink`, but not after the `LinkUp` of another link.
    LinkDown,
    /// A message came over it: over the present link, never over an earlier one.
    Received(Message),
    /// The kernel holds `installed` of the wanted objects and refused `refused`.
    Installed {
        /// Of `Action::Install`.
        ticket: Ticket,
        /// Objects in place.
        installed: u32,
        /// Objects refused.
        refused: u32,
    },
    /// Every Established neighbour has acknowledged the announcement, as far as the driver can know.
    Announced {
        /// Of `Action::Announce`.
        ticket: Ticket,
    },
    /// Every Established neighbour has acknowledged the withdraw.
    Withdrawn {
        /// Of `Action::Withdraw`.
        ticket: Ticket,
    },
    /// The kernel holds nothing of ours any more.
    Removed {
        /// Of `Action::Remove`.
        ticket: Ticket,
    },
    /// Critical checkpoints have reached the peer (SW-8).
    Flushed {
        /// Of `Action::Flush`.
        ticket: Ticket,
    },
    /// BGP neighbours of all contexts, as they are now.
    BgpNeighbors {
        /// Configured.
        configured: u32,
        /// Established.
        established: u32,
    },
    /// Session managers, as they are now (SW-2).
    SessionManagers {
        /// Configured here.
        configured: u32,
        /// Connected to the peer's.
        connected: u32,
    },
    /// BFD sessions with the peer, as they are now. RFC 5882 section 3.2: one that an operator holds down, at either
    /// end, says nothing of the peer, and is not counted.
    PeerBfd {
        /// Not held down.
        configured: u32,
        /// Up.
        up: u32,
        /// Were Up, failed, and have not been Up since.
        failed: u32,
    },
    /// A monitor has found something. Of those that only the Active can see, nothing is taken from others; each is to be
    /// reported afresh when the chassis becomes Active, and all of them after `Reconfigured`.
    Monitor {
        /// Which one.
        monitor: MonitorId,
        /// What it has found.
        state: MonitorState,
    },
    /// `srp reset-auth-probe-fail`, `srp reset-diameter-fail` (EXEC-3, EXEC-4).
    ResetMonitor {
        /// Comes back in `Action::Reply`.
        request: u64,
        /// Of what.
        kind: Probed,
    },
    /// `srp initiate-switchover [force]` (SW-1).
    InitiateSwitchover {
        /// Comes back in `Action::Reply`.
        request: u64,
        /// Skips validation, never ordering.
        force: bool,
    },
    /// `srp validate-switchover` (EXEC-2).
    ValidateSwitchover {
        /// Comes back in `Action::Reply`.
        request: u64,
    },
    /// `srp terminate-post-process` (SW-13): what is left to do after a switchover ends now.
    TerminatePostProcess {
        /// Comes back in `Action::Reply`.
        request: u64,
    },
    /// Orderly stop: an Active hands over first, if it can. Ends with `Action::Stopped`.
    Stop,
    /// The configuration was reloaded.
    Reconfigured(Box<Settings>),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Send this over the link.
    Send(Message),
    /// Close the link, telling the peer why.
    CloseLink(CloseReason, &'static str),
    /// Put loopbacks and pools into the kernel; answered by `Installed`.
    Install {
        /// To be repeated in the answer.
        ticket: Ticket,
    },
    /// Announce what is installed; answered by `Announced`.
    Announce {
        /// To be repeated in the answer.
        ticket: Ticket,
        /// Prepends.
        modifier: RouteModifier,
    },
    /// Announce what is announced as the last choice (RFC 8326): the peer serves. Not answered; ends with the next
    /// `Announce` or `Withdraw`.
    Retire,
    /// The peer had the services too and now stands by: tell those who keep one answer of two, the hosts of layer-2 links,
    /// once more that they are here.
    TellHosts,
    /// Withdraw everything srp-activated; answered by `Withdrawn`.
    Withdraw {
        /// To be repeated in the answer.
        ticket: Ticket,
    },
    /// Take loopbacks and pools out of the kernel; answered by `Removed`.
    Remove {
        /// To be repeated in the answer.
        ticket: Ticket,
    },
    /// Flush critical checkpoints to the peer; answered by `Flushed`.
    Flush {
        /// To be repeated in the answer.
        ticket: Ticket,
    },
    /// Answer an operator.
    Reply {
        /// Of the event that asked.
        request: u64,
        /// The answer.
        answer: Answer,
    },
    /// Note a fact in journal and log.
    Record(Fact),
    /// Everything is withdrawn and removed: the process may end.
    Stopped,
}

/// Answers to operators.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The switchover is complete.
    Done {
        /// From the request to the peer's confirmation.
        took: Span,
    },
    /// Not begun, or fallen back: one line each, with what to do.
    Refused(Vec<String>),
    /// Result of a validation.
    Validated(Vec<Check>),
    /// Failures of a kind count again.
    MonitorReset {
        /// They did not, as this chassis had taken over for one.
        was_disregarded: bool,
    },
    /// Post-switchover processing ends.
    PostProcessTerminated {
        /// This chassis was forwarding for routers that had not yet turned away, and no longer does.
        here: bool,
        /// The Standby was told to end the same.
        peer: bool,
    },
}

/// What the journal keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact {
    /// The state changed.
    State {
        /// Before.
        from: ChassisState,
        /// After.
        to: ChassisState,
        /// Why.
        reason: SwitchReason,
    },
    /// The route modifier changed.
    Modifier {
        /// Before.
        from: RouteModifier,
        /// After.
        to: RouteModifier,
        /// In words.
        why: &'static str,
    },
    /// A switchover began on this chassis.
    SwitchoverBegan {
        /// Why.
        reason: SwitchReason,
        /// The peer's last Hello, if there was one.
        last_heard: Option<Time>,
        /// When BFD with the peer failed, if that is why.
        #[serde(skip_serializing_if = "Option::is_none")]
        bfd_failed: Option<Time>,
    },
    /// The planned switchover was called off and the old Active stays.
    Aborted {
        /// In words.
        why: String,
    },
    /// We did not run for longer than the dead-interval.
    Suspended {
        /// That long.
        gap: Span,
    },
    /// Active, and neither the peer nor any BGP neighbour can be reached.
    CutOff,
    /// The peer is another life than the one before.
    PeerRestarted,
    /// Mode, priority and MAC of both chassis are equal: a configuration error.
    Twins,
    /// The peer's configuration digest is (not) ours.
    ConfigInSync(bool),
    /// Link and BFD have begun to say different things of the peer, or no longer do.
    SignsOfLife(Option<Disagreement>),
    /// An orderly stop ends although withdraw and removal were not reported done within its bound.
    StopUnanswered,
    /// Everything of a set of monitors is down.
    MonitorFailed(Failure),
    /// Something of it works again, or it is not watched any more.
    MonitorBack {
        /// Of what.
        kind: MonitorKind,
        /// In words.
        what: String,
    },
    /// Active with failed monitors: why it stays; `None` once nothing holds it any more.
    FailoverHeld(Option<Held>),
    /// The kernel refused objects.
    KernelRefused {
        /// That many.
        refused: u32,
    },
}

/// What one sign of life says of the peer and the other denies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disagreement {
    /// BFD is Up, and the SRP link is not, or is silent.
    BfdAlone,
    /// Hellos come, and BFD has failed.
    LinkAlone,
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BfdAlone => "BFD is Up, no Hello comes",
            Self::LinkAlone => "Hellos come, BFD is Down",
        })
    }
}

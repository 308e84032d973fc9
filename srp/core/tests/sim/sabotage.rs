//! Rules broken on purpose, between the core and its world: the simulator must catch each of them.
//!
//! The core stays as it is shipped. What it hears or does is changed so that the pair behaves as if the rule were not
//! there; a check that cannot tell the difference checks nothing.

use srp_core::chassis::{Action, Chassis, Event};
use srp_core::types::{ChassisState, RouteModifier, Span, Time};
use srp_core::wire::{Hello, Message};

use super::node::Node;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    None,
    /// Acts on what the peer knew of us, not on what it knows: every Hello seems to repeat our present standing.
    TrustsOldNews,
    /// A Standby takes the Active's modifier, not the one behind it.
    StandsLevel,
    /// Names a new modifier as soon as it is wanted, not when routers have it.
    TellsTooEarly,
    /// Announces while the kernel is still at work.
    AnnouncesUninstalled,
    /// Removes what was never withdrawn.
    RemovesUnwithdrawn,
    /// Does not notice that it did not run.
    ForgetsSuspension,
    /// Does not notice that all its BGP neighbours are gone.
    ForgetsCutOff,
    /// Does not believe that the other one is Active too.
    SeesNoOtherActive,
    /// Takes over after one Hello that is late.
    HastyTakeOver,
    /// Steps down as soon as the other one begins to take over.
    BreaksBeforeMake,
    /// Leaves an operator waiting.
    NeverAnswers,
    /// Once BFD has failed, Hellos prove nothing.
    BelievesBfdAlone,
    /// The dead-interval alone counts, although BFD is Up.
    ForgetsSecondSign,
    /// Hands over for a monitor whatever the peer says of its own, and does not let it decline.
    ThinksThePeerBetter,
}

impl Sabotage {
    /// Every broken rule of a pair without BFD.
    pub const ALL: [Self; 11] = [
        Self::TrustsOldNews,
        Self::StandsLevel,
        Self::TellsTooEarly,
        Self::AnnouncesUninstalled,
        Self::RemovesUnwithdrawn,
        Self::ForgetsSuspension,
        Self::ForgetsCutOff,
        Self::SeesNoOtherActive,
        Self::HastyTakeOver,
        Self::BreaksBeforeMake,
        Self::NeverAnswers,
    ];

    /// Those that need BFD between the two.
    pub const OF_BFD: [Self; 2] = [Self::BelievesBfdAlone, Self::ForgetsSecondSign];

    /// Those that need monitors.
    pub const OF_MONITORS: [Self; 1] = [Self::ThinksThePeerBetter];

    /// May change what the core hears; false keeps it from the core.
    pub fn event(self, node: &mut Node, event: &mut Event) -> bool {
        match (self, event) {
            (Self::TrustsOldNews, Event::Received(Message::Hello(hello))) => {
                hello.echo_standing = Some(node.told);
            }
            (Self::StandsLevel, Event::Received(Message::Hello(hello)))
                if hello.state == ChassisState::Active =>
            {
                let step = node.settings.delta_route_modifier;
                hello.modifier = RouteModifier(hello.modifier.0.saturating_sub(step));
            }
            (Self::BreaksBeforeMake, Event::Received(Message::Hello(hello)))
                if hello.state == ChassisState::PendingActive =>
            {
                hello.state = ChassisState::Active;
            }
            (Self::SeesNoOtherActive, Event::Received(Message::Hello(hello))) => deny(node, hello),
            (Self::ThinksThePeerBetter, Event::Received(Message::Hello(hello))) => {
                hello.monitors_failed = Some(0);
            }
            (Self::ThinksThePeerBetter, Event::Received(Message::SwitchoverRequest(request))) => {
                request.force = true;
            }
            (Self::ForgetsCutOff, Event::BgpNeighbors { .. }) => return false,
            (Self::BelievesBfdAlone, Event::PeerBfd { up, failed, .. }) => {
                node.bfd_failed = *up == 0 && *failed > 0;
            }
            (Self::BelievesBfdAlone, Event::Received(Message::Hello(_))) => return !node.bfd_failed,
            (Self::ForgetsSecondSign, Event::PeerBfd { up, .. }) => *up = 0,
            _ => {}
        }
        true
    }

    /// May change what the core wants, or answer it with a lie instead of doing it.
    pub fn action(self, node: &mut Node, action: &mut Action) -> Option<Event> {
        match (self, action) {
            (Self::TellsTooEarly, Action::Send(Message::Hello(hello))) => {
                if let Some(wanted) = node.speaker.rib {
                    hello.modifier = RouteModifier(wanted);
                }
                None
            }
            (Self::AnnouncesUninstalled, Action::Install { ticket }) => {
                Some(Event::Installed { ticket: *ticket, installed: 10, refused: 0 })
            }
            (Self::RemovesUnwithdrawn, Action::Withdraw { ticket }) => {
                Some(Event::Withdrawn { ticket: *ticket })
            }
            (Self::NeverAnswers, Action::Reply { .. }) => Some(Event::DeadlineReached),
            _ => None,
        }
    }

    /// The core's life from when it `ran` last until the event, and what it wants done. One that shall not notice that it
    /// did not run is told of the time in pieces of a dead-interval.
    pub fn live(
        self,
        chassis: &mut Chassis,
        (ran, now): (Time, Time),
        dead_interval: Span,
        event: Event,
    ) -> Vec<Action> {
        if self == Self::ForgetsSuspension {
            let mut at = ran;
            while now.since(at) > dead_interval {
                at = at + dead_interval;
                chassis.handle(at, Event::DeadlineReached);
            }
        }
        chassis.handle(now, event);
        std::iter::from_fn(|| chassis.poll_action()).collect()
    }

    /// What stands in the configuration of one side.
    pub fn dead_interval(self, configured: Span) -> Span {
        if self == Self::HastyTakeOver { Span::millis(90) } else { configured }
    }
}

/// The peer's Active becomes Pending-Active in our ears, once we are Active ourselves.
fn deny(node: &Node, hello: &mut Hello) {
    let active = node.chassis.as_ref().is_some_and(|chassis| chassis.state() == ChassisState::Active);
    if active && hello.state == ChassisState::Active {
        hello.state = ChassisState::PendingActive;
    }
}

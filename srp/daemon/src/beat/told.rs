//! What people are told of decisions and refusals.

use std::net::IpAddr;

use srp_core::chassis::Fact;
use srp_core::events::Observation;
use srp_core::types::ChassisState;
use srp_core::wire::{CloseReason, WireError};
use tracing::{error, info, warn};

use crate::link::Fault;

/// One line per decision.
pub(super) fn log(fact: &Fact) {
    match fact {
        Fact::State { from, to, reason } => {
            let cause = reason.to_string();
            if *to == ChassisState::Active || *from == ChassisState::Active {
                warn!(%from, %to, cause, reason = reason.number(), "chassis state changed");
            } else {
                info!(%from, %to, cause, reason = reason.number(), "chassis state changed");
            }
        }
        Fact::Modifier { from, to, why } => info!(%from, %to, why, "route modifier changed"),
        Fact::SwitchoverBegan { reason, .. } => info!(cause = %reason, "switchover began"),
        Fact::Aborted { why } => warn!(why, "switchover called off"),
        Fact::Suspended { gap } => {
            warn!(%gap, "did not run for so long that the peer may have taken over: is the machine overloaded?");
        }
        Fact::CutOff => warn!("cut off: neither the peer nor any BGP neighbour can be reached"),
        Fact::PeerRestarted => info!("the peer's srpd has restarted"),
        Fact::Twins => {
            error!("mode, priority and MAC of both chassis are equal: give one of them another srp.priority");
        }
        Fact::ConfigInSync(true) => info!("configuration in sync with the peer"),
        Fact::ConfigInSync(false) => {
            warn!("configuration differs from the peer's: see `show configuration srp`");
        }
        Fact::SignsOfLife(Some(found)) => {
            warn!(%found, "link and BFD disagree about the peer: see `show srp info`");
        }
        Fact::SignsOfLife(None) => info!("link and BFD agree about the peer again"),
        Fact::StopUnanswered => {
            error!("withdraw and removal not confirmed within the switchover-timeout: stopping all the same");
        }
        Fact::MonitorFailed(failure) => warn!(kind = %failure.kind, "monitor failed: {}", failure.what),
        Fact::MonitorBack { kind, what } => info!(%kind, "monitor works again: {what}"),
        Fact::FailoverHeld(Some(held)) => {
            info!("stays Active with failed monitors: {held}; see `show srp monitor`");
        }
        Fact::FailoverHeld(None) => info!("nothing holds back a switchover for failed monitors any more"),
        Fact::KernelRefused { refused } => error!(refused, "the kernel refused objects"),
    }
}

/// What is told of somebody that was turned away.
pub(super) fn refused(peer: IpAddr, why: &Fault) -> Observation {
    let version = matches!(
        why,
        Fault::Wire(WireError::Version { .. }) | Fault::ClosedByPeer { reason: CloseReason::Version, .. }
    );
    Observation::LinkRefused { peer, why: why.to_string(), version }
}

//! Guard timers (GRD-1 .. GRD-4): a failure inside a guard period is damped, which is to say that it counts once it has lasted for
//! the damping-period without a break.
//!
//! Guard periods begin when the chassis starts or was suspended (`srp-redundancy-timers`), and with a switchover for the
//! same kind of failure (`aaa-switchover-timers`, `diameter-switchover-timers`).

use serde::{Deserialize, Serialize};

use super::monitor::{MonitorKind, Probed};
use crate::types::Span;

/// A guard period, and how long a failure inside it must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Guard {
    /// A failure counts once it has lasted so long: 0 ..= 3600 s.
    pub damping: Span,
    /// Failures that begin so long after the guarded event are damped: 0 ..= 3600 s.
    pub period: Span,
}

/// The five groups of `guard-timer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GuardTimers {
    /// After a switchover for an AAA failure (GRD-1).
    pub aaa_switchover: Guard,
    /// After a switchover for a Diameter failure (GRD-2).
    pub diameter_switchover: Guard,
    /// AAA failures after a local one (GRD-3).
    pub redundancy_aaa: Guard,
    /// BGP and BFD failures after a local one (GRD-3).
    pub redundancy_bgp: Guard,
    /// Diameter failures after a local one (GRD-3).
    pub redundancy_diameter: Guard,
}

impl Default for Guard {
    fn default() -> Self {
        Self { damping: Span::secs(60), period: Span::secs(60) }
    }
}

impl GuardTimers {
    /// No failure counts later than so long after the guarded event, or after its own beginning.
    pub(super) fn longest(&self) -> Span {
        let all = [
            self.aaa_switchover,
            self.diameter_switchover,
            self.redundancy_aaa,
            self.redundancy_bgp,
            self.redundancy_diameter,
        ];
        all.iter().map(|guard| Span(guard.damping.0 + guard.period.0)).max().unwrap_or(Span::ZERO)
    }

    /// After a local failure, for what is not local itself.
    pub(super) fn of_local_failure(&self, kind: MonitorKind) -> Option<Guard> {
        match kind {
            MonitorKind::Aaa => Some(self.redundancy_aaa),
            MonitorKind::Bgp | MonitorKind::Bfd | MonitorKind::Announcement => Some(self.redundancy_bgp),
            MonitorKind::Diameter => Some(self.redundancy_diameter),
            // These are local themselves: they need no time to converge.
            MonitorKind::Interface | MonitorKind::Kernel => None,
        }
    }
    /// After a switchover for such a failure.
    pub(super) fn of_switchover(&self, probed: Probed) -> Guard {
        match probed {
            Probed::Aaa => self.aaa_switchover,
            Probed::Diameter => self.diameter_switchover,
        }
    }
}

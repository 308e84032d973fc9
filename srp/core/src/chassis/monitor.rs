//! What a chassis watches beside its peer, and which failures follow from what is down (MON-1 .. MON-8).
//!
//! | Kind | A failure | Reason | Seen by |
//! |---|---|---|---|
//! | AAA | no server answers | 1 | the Active |
//! | BGP, BFD, Diameter | all of a context are down, or all of one of its groups | 2, 3, 4 | both; Diameter: the Active |
//! | announcement | BGP neighbours are configured, and none of any context is Established | 2 | both |
//! | interface | it is down; with a group: all of the group are | 0 | both |
//! | kernel | it refuses objects of the Active | 0 | the Active |
//!
//! What is remembered of them is in `monitors.rs`, and when a failure counts in `guard.rs`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{SwitchReason, Time};

/// What is watched, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorKind {
    /// A RADIUS server.
    Aaa,
    /// A BGP neighbour.
    Bgp,
    /// A router, by BFD.
    Bfd,
    /// A Diameter peer.
    Diameter,
    /// A network interface.
    Interface,
    /// The kernel takes what the Active has to install.
    Kernel,
    /// Somebody hears what the chassis announces.
    Announcement,
}

/// What is seen only by asking, which the Active does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probed {
    /// RADIUS servers.
    Aaa,
    /// Diameter peers.
    Diameter,
}

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MonitorId {
    /// What it is.
    pub kind: MonitorKind,
    /// The context that it serves; empty for those of the whole chassis.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Such as `10.1.1.2`, or `eth1`: unique within kind and context.
    pub name: String,
}

/// A monitor as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Monitored {
    /// Which one.
    pub id: MonitorId,
    /// Those of one context and group fail together (MON-6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
}

/// What a monitor has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorState {
    /// Nothing yet, or it does not look.
    #[default]
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// A failure: everything of a set is down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Failure {
    /// Of what.
    pub kind: MonitorKind,
    /// In words, such as `BGP context destination group 1`.
    pub what: String,
    /// Since the last of them went down.
    pub since: Time,
    /// When it counts; later than `since` where it is damped.
    pub due: Time,
    /// Why it moves nothing, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disregarded: Option<Disregarded>,
}

/// Why a failure moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disregarded {
    /// This chassis became Active for a failure of this kind (MON-3). It ends when it is Active no more, or an operator
    /// resets the failure.
    TookOverForIt,
    /// An operator forced the switchover to this chassis in spite of it. It ends with the failure.
    Forced,
}

/// A monitor and what it has found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Watched {
    /// As it is configured.
    pub monitored: Monitored,
    /// What it found last.
    pub state: MonitorState,
    /// Since when.
    pub since: Time,
}

impl MonitorKind {
    /// Why a switchover for it happens.
    pub const fn reason(self) -> SwitchReason {
        match self {
            Self::Aaa => SwitchReason::AaaFailure,
            Self::Bgp | Self::Announcement => SwitchReason::BgpFailure,
            Self::Bfd => SwitchReason::BfdFailure,
            Self::Diameter => SwitchReason::DiameterFailure,
            // The public list has none for these.
            Self::Interface | Self::Kernel => SwitchReason::NotDefined,
        }
    }

    /// Whether it works is only seen by asking.
    pub(super) const fn probed(self) -> Option<Probed> {
        match self {
            Self::Aaa => Some(Probed::Aaa),
            Self::Diameter => Some(Probed::Diameter),
            Self::Bgp | Self::Bfd | Self::Interface | Self::Kernel | Self::Announcement => None,
        }
    }

    /// A Standby cannot tell.
    pub fn only_on_active(self) -> bool {
        self.probed().is_some() || self == Self::Kernel
    }
}

impl Probed {
    /// Among monitors.
    pub const fn kind(self) -> MonitorKind {
        match self {
            Self::Aaa => MonitorKind::Aaa,
            Self::Diameter => MonitorKind::Diameter,
        }
    }

    /// For whose failure a switchover with this reason happens.
    pub(super) fn of(reason: SwitchReason) -> Option<Self> {
        [Self::Aaa, Self::Diameter].into_iter().find(|probed| probed.kind().reason() == reason)
    }
}

impl Monitored {
    /// What fails together with it, in words; two where it counts for its group and for its whole context.
    pub(super) fn sets(&self, context_has_ungrouped: bool) -> [Option<String>; 2] {
        let Self { id: MonitorId { kind, context, name }, group } = self;
        let grouped = |of: &str| group.map(|group| format!("{kind}{of} group {group}"));
        match kind {
            MonitorKind::Aaa => [Some("AAA, every server".into()), None],
            MonitorKind::Bgp | MonitorKind::Bfd | MonitorKind::Diameter => {
                let of = format!(" context {context}");
                let whole = context_has_ungrouped.then(|| format!("{kind}{of}"));
                [grouped(&of), whole]
            }
            MonitorKind::Interface => [grouped("").or_else(|| Some(format!("interface {name}"))), None],
            MonitorKind::Kernel => [Some("kernel, objects refused".into()), None],
            MonitorKind::Announcement => [Some("BGP, every neighbour".into()), None],
        }
    }
}

impl fmt::Display for MonitorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aaa => "AAA",
            Self::Bgp => "BGP",
            Self::Bfd => "BFD",
            Self::Diameter => "Diameter",
            Self::Interface => "interface",
            Self::Kernel => "kernel",
            Self::Announcement => "announcement",
        })
    }
}

impl fmt::Display for Disregarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TookOverForIt => "this chassis took over for such a failure",
            Self::Forced => "an operator forced the switchover in spite of it",
        })
    }
}

impl fmt::Display for MonitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, context, name } = self;
        if context.is_empty() { write!(f, "{kind} {name}") } else { write!(f, "{kind} {context} {name}") }
    }
}

impl fmt::Display for MonitorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Up => "Up",
            Self::Down => "Down",
        })
    }
}

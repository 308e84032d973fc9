//! What can be wrong with a BGP instance beyond its single values: groups, ranges, listeners and prepends.

use super::fault::{Fault, Place};

/// What is wrong with it. Displays the reason; [`InstanceFault::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstanceFault {
    /// Two route modifiers that a router could not tell apart, or would take the wrong way round.
    #[error(
        "a router would not prefer the chassis with the lower route modifier, as the entry before is {before}"
    )]
    PrependsNotRising {
        /// The entry before.
        before: u8,
    },
    /// Prepends towards a neighbour of our own AS.
    #[error("an internal neighbour sees no prepends: the route modifier is its LOCAL_PREF")]
    PrependsInternal,
    /// A group that is not configured.
    #[error("no group of this name is configured in this instance")]
    UnknownGroup {
        /// Names that are.
        known: Vec<String>,
    },
    /// A key of named neighbours at a range or group.
    #[error("has no meaning here: {why}")]
    NamedOnly {
        /// Why.
        why: &'static str,
    },
    /// An internal neighbour among external ones.
    #[error(
        "our own AS among those of external neighbours: a session is internal or external before it begins"
    )]
    InternalAlternate,
    /// An instance that leaves no address for another.
    #[error("listens on every address, port {port}, and so would {other}: the two cannot tell who is meant")]
    ListensEverywhere {
        /// The port.
        port: u16,
        /// The other instance.
        other: Place,
    },
    /// Two kinds of keys for one connection.
    #[error("a segment has one signature, and {other} signs it already")]
    SignedTwice {
        /// The other key.
        other: Place,
    },
    /// Our end of a session, where nobody listens.
    #[error("the instance does not listen on this address, so the neighbour could not connect")]
    NotListened,
    /// A key that is of no use before the neighbour's address is known.
    #[error("needs the neighbour's address: {why}")]
    NeedsAddress {
        /// Why.
        why: &'static str,
    },
    /// Two neighbours on a link where one is whoever is found.
    #[error("the link of another neighbour, {first}: of the two, the one without an address could be either")]
    LinkShared {
        /// The other one.
        first: Place,
    },
    /// One neighbour in two contexts, and nothing to know it by.
    #[error("the neighbour of another context, {first}, and the two sessions have no ends of their own")]
    NotToldApart {
        /// The other one.
        first: Place,
    },
}

impl From<InstanceFault> for Fault {
    fn from(fault: InstanceFault) -> Self {
        Self::Instance(fault)
    }
}

impl InstanceFault {
    /// What to do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::PrependsNotRising { before } => {
                format!("write {} or more: entries are strictly increasing", before.saturating_add(1))
            }
            Self::PrependsInternal => "remove it, or correct remote-as".into(),
            Self::UnknownGroup { known } if known.is_empty() => "add a [[context.bgp.group]] table".into(),
            Self::UnknownGroup { known } => format!("write one of: {}", known.join(", ")),
            Self::NamedOnly { .. } => "remove it, or name the neighbour in [[context.bgp.neighbor]]".into(),
            Self::InternalAlternate => "remove it; internal neighbours have a range of their own".into(),
            Self::ListensEverywhere { .. } => {
                "add listen = [\"ADDRESS\"] to both, or give one of them another port".into()
            }
            Self::SignedTwice { .. } => "keep the one that the neighbour has too".into(),
            Self::NeedsAddress { .. } => "add address to the neighbour, or remove this".into(),
            Self::LinkShared { .. } => "add address to both, or remove one".into(),
            Self::NotListened => "add it to listen, or write one that is there".into(),
            Self::NotToldApart { .. } => "give both a local-address, each another one".into(),
        }
    }
}

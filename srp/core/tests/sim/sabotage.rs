//! Rules broken on purpose, between the core and its world: the simulator must catch each of them.

use srp_core::chassis::{Action, Event};
use srp_core::types::Time;

use super::node::Node;

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    None,
}

impl Sabotage {
    /// May change what the core hears; false keeps it from the core.
    pub fn event(self, _node: &mut Node, _event: &mut Event, _now: Time) -> bool {
        match self {
            Self::None => true,
        }
    }

    /// May change what the core wants; false keeps it from the world.
    pub fn action(self, _node: &mut Node, _action: &mut Action) -> bool {
        match self {
            Self::None => true,
        }
    }
}

//! Links that come and go, the VRF device of the speaker among them.

use super::Engine;
use crate::config::{NeighborConfig, SpeakerConfig};
use crate::handle::Link;
use crate::peer::Order;
use crate::socket;

impl Engine {
    /// Tells everybody who is on the link.
    pub(super) fn on_link(&self, link: &Link, order: impl Fn() -> Order) {
        // A VRF takes everybody who is in it along.
        let is_vrf = self.is_device(link);
        let neighbors = self.neighbors.values();
        for running in neighbors.filter(|running| is_vrf || link.reaches(&running.config)) {
            running.order(order());
        }
    }

    /// A listener is bound to the device, not to its name: in the place of one that went, another one listens.
    pub(super) fn follow_device(&mut self, link: &Link) {
        if !self.is_device(link) {
            return;
        }
        let index = self.config.device_index();
        if index == self.device_index {
            return;
        }
        self.device_index = index;
        self.listeners.clear();
        match self.open_listeners(&self.config) {
            Ok(listeners) => self.listeners = listeners,
            // It may be gone once more; then it is told again when it comes.
            Err(error) => {
                self.device_index = None;
                tracing::warn!(vrf = %link.name, %error, "not listening in the VRF");
            }
        }
    }

    /// Whether it is the VRF that the speaker is in.
    fn is_device(&self, link: &Link) -> bool {
        self.config.device.as_deref() == Some(&*link.name)
    }
}

impl SpeakerConfig {
    /// The index that its VRF device has now.
    pub(super) fn device_index(&self) -> Option<u32> {
        self.device.as_deref().and_then(|name| socket::interface_index(name).ok())
    }
}

impl Link {
    /// Whether the neighbor is on this link.
    fn reaches(&self, neighbor: &NeighborConfig) -> bool {
        match &neighbor.interface {
            Some(interface) => **interface == *self.name,
            None => neighbor
                .address
                .is_some_and(|address| self.subnets.iter().any(|subnet| subnet.contains(address))),
        }
    }
}

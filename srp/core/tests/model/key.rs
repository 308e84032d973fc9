//! Which states are the same: those that differ in nothing but the time of day and in how far numbers have been
//! counted (`Chassis::relative`), or in what people are told.

use std::hash::{DefaultHasher, Hash, Hasher};

use srp_core::chassis::{Chassis, Event, Origin, Ticket};

use super::link::{Arrival, End};
use super::world::World;

impl World {
    /// Equal for equal states; different ones share it with a chance of one in 2^64.
    pub fn key(&self) -> u64 {
        let mut key = DefaultHasher::new();
        let now = self.nodes.each_ref().map(|node| node.chassis.as_ref().map(Chassis::counters));
        for side in [0, 1] {
            let other = 1 - side;
            let dead_interval = self.pair.settings[side].dead_interval;
            let own = now[side].unwrap_or_default();
            // What it knows and what is under way may be of the peer's last life.
            let present = now[other].unwrap_or_default();
            let known = self.nodes[other].last_life.unwrap_or(present);
            let origin = Origin { now: self.now, own, peer: known, dead_interval, twins: false };
            self.hash_node(side, &origin, &mut key);
            let peer = if self.link.ends[other] == End::Closed { known } else { present };
            let origin = Origin { peer, ..origin };
            self.link.to[side].len().hash(&mut key);
            for under_way in &self.link.to[side] {
                under_way.pace.hash(&mut key);
                std::mem::discriminant(&under_way.what).hash(&mut key);
                if let Arrival::Message(message) = &under_way.what {
                    message.relative(&origin).hash(&mut key);
                }
            }
        }
        // An abort repeats a number of either chassis.
        if let [Some(east), Some(west)] = now {
            east.switchover.wrapping_sub(west.switchover).hash(&mut key);
        }
        (self.link.cut, self.link.ends, self.link.dial_due, self.left, self.turn).hash(&mut key);
        (self.check.memory, self.check.stopping).hash(&mut key);
        key.finish()
    }

    fn hash_node(&self, side: usize, origin: &Origin, key: &mut DefaultHasher) {
        let node = &self.nodes[side];
        let chassis = node.chassis.as_ref().map(|chassis| chassis.relative(self.now, origin.peer));
        (chassis, node.frozen, node.linked, node.holds, node.requests).hash(key);
        node.kernel.len().hash(key);
        for request in &node.kernel {
            (request.pace, request.what.install, origin.ticket(request.what.ticket)).hash(key);
        }
        let flush = node.flush.as_ref();
        flush.map(|flush| (flush.pace, flush.what.0.wrapping_sub(origin.own.switchover))).hash(key);
        let session = &node.session;
        (session.up, session.age, session.rib, session.decided, &session.updates).hash(key);
        (session.path, session.stale_for, session.news).hash(key);
        session.report.as_ref().map(|report| (report.pace, reported(&report.what, origin))).hash(key);
        if node.chassis.is_some() {
            node.told.wrapping_sub(origin.own.standing).hash(key);
        }
        for lie in &node.lies {
            reported(lie, origin).hash(key);
        }
    }
}

/// A report of a step, whose ticket counts from the newest one.
fn reported(event: &Event, origin: &Origin) -> (std::mem::Discriminant<Event>, Option<Ticket>) {
    let ticket = match event {
        Event::Installed { ticket, .. }
        | Event::Announced { ticket }
        | Event::Withdrawn { ticket }
        | Event::Removed { ticket } => Some(origin.ticket(*ticket)),
        _ => None,
    };
    (std::mem::discriminant(event), ticket)
}

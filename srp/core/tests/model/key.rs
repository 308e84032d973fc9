//! Which states are the same: those that differ in nothing but the time of day and in how far numbers have been
//! counted (`Chassis::relative`), or in what people are told.

use std::hash::{DefaultHasher, Hash, Hasher};

use srp_core::chassis::{Chassis, Event, Origin, Ticket};

use super::link::{Arrival, Late};
use super::world::World;

impl World {
    /// Equal for equal states; different ones share it with a chance of one in 2^64.
    pub fn key(&self) -> u64 {
        let mut key = DefaultHasher::new();
        let counters =
            [0, 1].map(|side: usize| self.nodes[side].chassis.as_ref().map(Chassis::counters).unwrap_or_default());
        for side in [0, 1] {
            let (own, peer) = (counters[side], counters[1 - side]);
            let dead_interval = self.pair.settings[side].dead_interval;
            let origin = Origin { now: self.now, own, peer, dead_interval, twins: false };
            self.hash_node(side, &origin, &mut key);
            self.link.to[side].len().hash(&mut key);
            for Late { what, late } in &self.link.to[side] {
                late.hash(&mut key);
                std::mem::discriminant(what).hash(&mut key);
                if let Arrival::Message(message) = what {
                    message.relative(&origin).hash(&mut key);
                }
            }
        }
        // An abort repeats a number of either chassis.
        counters[0].switchover.wrapping_sub(counters[1].switchover).hash(&mut key);
        (self.link.cut, self.link.ends, self.link.dial_due, self.faults_left).hash(&mut key);
        (self.check.memory, self.check.stopping, self.check.settled_once).hash(&mut key);
        key.finish()
    }

    fn hash_node(&self, side: usize, origin: &Origin, key: &mut DefaultHasher) {
        let node = &self.nodes[side];
        let chassis = node.chassis.as_ref().map(|chassis| chassis.relative(self.now, origin.peer));
        (chassis, node.frozen, node.linked, node.holds, node.requests).hash(key);
        node.kernel.len().hash(key);
        for Late { what, late } in &node.kernel {
            (late, what.install, origin.ticket(what.ticket)).hash(key);
        }
        let flush = node.flush.as_ref();
        flush.map(|flush| (flush.late, flush.what.0.wrapping_sub(origin.own.switchover))).hash(key);
        let session = &node.session;
        (session.up, session.age, session.said, &session.updates).hash(key);
        (session.path, session.stale_for, session.news).hash(key);
        session.report.as_ref().map(|report| (report.late, reported(&report.what, origin))).hash(key);
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

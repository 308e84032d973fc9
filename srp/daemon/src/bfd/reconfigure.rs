//! Sessions of a new configuration against those that run: what is the same is not touched.

use srp_core::types::Time;

use super::Bfd;
use super::event::SessionId;
use super::settings::{BfdError, SessionSettings};
use super::slot::{Slot, bound};

impl Bfd {
    /// Makes the sessions with these ids what `wanted` says, and returns their ids in the order of `wanted`. Sessions
    /// that are not among `current` are left alone: they belong to someone else.
    ///
    /// Timers, the least TTL and the operator's hold change on the running session; another end or another path is
    /// another session. Everything is checked first: on an error nothing has changed, unless a socket was refused.
    pub fn reconfigure(
        &mut self,
        now: Time,
        current: &[SessionId],
        wanted: Vec<SessionSettings>,
    ) -> Result<Vec<SessionId>, BfdError> {
        let is_current = |slot: &&Slot| current.contains(&slot.id);
        for (index, settings) in wanted.iter().enumerate() {
            settings.check()?;
            bound(settings)?;
            let others = self.slots.iter().filter(|slot| !is_current(slot)).map(|slot| &slot.settings);
            if wanted[..index].iter().chain(others).any(|other| other.collides(settings)) {
                return Err(BfdError::Duplicate { peer: settings.peer });
            }
        }
        let kept = |slot: &Slot| wanted.iter().any(|settings| settings.is_same_session(&slot.settings));
        let gone: Vec<SessionId> =
            self.slots.iter().filter(is_current).filter(|slot| !kept(slot)).map(|slot| slot.id).collect();
        for id in gone {
            self.remove(now, id);
        }
        wanted.into_iter().map(|settings| self.change_or_add(now, settings)).collect()
    }

    fn change_or_add(&mut self, now: Time, wanted: SessionSettings) -> Result<SessionId, BfdError> {
        let Some(index) = self.slots.iter().position(|slot| slot.settings.is_same_session(&wanted)) else {
            return self.add(now, wanted);
        };
        let slot = &mut self.slots[index];
        let id = slot.id;
        slot.settings.hops = wanted.hops;
        // What is so already stays so without a packet.
        self.set_admin_down(now, id, wanted.admin_down);
        self.set_timers(now, id, wanted.timers);
        Ok(id)
    }
}

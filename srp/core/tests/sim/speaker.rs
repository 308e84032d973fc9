//! The BGP speaker of one chassis: it tells each Established router, and reports when all have it.
//!
//! What it tells is made by `bgp`; here is when. Octets leave at once and arrive in order, in pieces, in each router's
//! own time.

use bgp_proto::adj_rib_out::AdjRibOut;
use srp_core::chassis::Event;

use super::bgp::{PREFIXES, kind_of, originated, outwards};
use super::node::Parcel;
use super::world::{Due, ROUTERS, World};

/// What the speaker says, and who has not yet acknowledged it.
#[derive(Debug, Default)]
pub struct Speaker {
    /// The modifier that it announces with.
    pub rib: Option<u16>,
    /// As the last choice.
    pub retiring: bool,
    /// What the kernel is known to hold, in this life.
    pub installed: [bool; PREFIXES],
    /// An announcement or a withdraw was asked for in this life; before, neighbours are told nothing.
    pub decided: bool,
    /// What each router has been told; `None` for one that has no session, or was told nothing yet.
    told: [Option<AdjRibOut>; ROUTERS],
    pending: Option<(u64, Event)>,
    waiting: [bool; ROUTERS],
    ops: u64,
}

impl World {
    pub fn speak(&mut self, side: usize, rib: Option<u16>, done: Event) {
        let speaker = &mut self.nodes[side].speaker;
        speaker.rib = rib;
        speaker.retiring = false;
        speaker.decided = true;
        speaker.ops += 1;
        let op = speaker.ops;
        speaker.pending = Some((op, done));
        let up: [bool; ROUTERS] = std::array::from_fn(|router| self.routers[router].sessions[side].up);
        self.nodes[side].speaker.waiting = up;
        for router in (0..ROUTERS).filter(|router| up[*router]) {
            self.update(side, router, op);
        }
        // Where nobody listens there is nothing to wait for; still the answer comes as an event of its own.
        let life = self.nodes[side].life;
        self.after(self.pace.ack.low, Due::Ack { side, life, router: None, op });
    }

    /// What is announced becomes the last choice of those who know what that means: the internal router, by LOCAL_PREF. The
    /// external one is one that does not look at the community.
    pub fn retire(&mut self, side: usize) {
        self.nodes[side].speaker.retiring = true;
        for router in 0..ROUTERS {
            if self.routers[router].sessions[side].up {
                self.update(side, router, 0);
            }
        }
    }

    /// Brings one router up to what is originated now. Where that is no news for it, nothing arrives but the
    /// acknowledgement, after all that was sent before.
    fn update(&mut self, side: usize, router: usize, op: u64) {
        let speaker = &mut self.nodes[side].speaker;
        let set = originated(speaker.rib, speaker.retiring, speaker.installed);
        let told = &mut speaker.told[router];
        match told {
            Some(told) => told.want(set),
            None => *told = Some(outwards(side, kind_of(router), set)),
        }
        let mut octets = Vec::new();
        if let Some(told) = told {
            told.fill(&mut octets, usize::MAX);
        }
        while octets.len() > 1 && self.rng.chance(15) {
            let rest = octets.split_off(self.rng.cut(octets.len()));
            self.carry(side, router, std::mem::replace(&mut octets, rest), None);
        }
        self.carry(side, router, octets, Some(op));
    }

    fn carry(&mut self, side: usize, router: usize, octets: Vec<u8>, op: Option<u64>) {
        let delay = self.rng.span(self.pace.learn);
        let session = &mut self.routers[router].sessions[side];
        let at = (self.now + delay).max(session.last);
        session.last = at;
        let session = session.id;
        self.at(at, Due::Learn { side, router, session, octets, op });
    }

    pub fn acknowledged(&mut self, side: usize, router: Option<usize>, op: u64) {
        let speaker = &mut self.nodes[side].speaker;
        if speaker.pending.as_ref().is_none_or(|(pending, _)| *pending != op) {
            return;
        }
        if let Some(router) = router {
            speaker.waiting[router] = false;
        }
        if speaker.waiting == [false; ROUTERS]
            && let Some((_, event)) = speaker.pending.take()
        {
            self.hand_over(side, Parcel::Event(event));
        }
    }

    pub fn session_up(&mut self, side: usize, router: usize) {
        let entry = &mut self.routers[router];
        let session = &mut entry.sessions[side];
        if session.up || session.down > 0 || self.nodes[side].chassis.is_none() || self.nodes[side].frozen {
            return;
        }
        session.up = true;
        session.since = self.now;
        session.id += 1;
        entry.table.begin_session(side);
        self.nodes[side].speaker.told[router] = None;
        if self.nodes[side].speaker.decided {
            self.update(side, router, 0);
        }
        self.tell_neighbors(side);
    }

    /// The session ends. `stale`: the router keeps its paths for a while, in case the chassis only restarts.
    pub fn session_down(&mut self, side: usize, router: usize, stale: bool) {
        let hold = self.rng.span(self.pace.keep);
        let entry = &mut self.routers[router];
        if !entry.sessions[side].up {
            return;
        }
        entry.sessions[side].up = false;
        let session = entry.sessions[side].id;
        entry.table.end_session(side, stale);
        if stale {
            self.after(hold, Due::Expire { side, router, session });
        }
        let life = self.nodes[side].life;
        if let Some((op, _)) = self.nodes[side].speaker.pending {
            let router = Some(router);
            self.after(self.pace.ack.low, Due::Ack { side, life, router, op });
        }
        self.tell_neighbors(side);
    }

    /// How many neighbours there are and work; also at the start.
    pub fn tell_neighbors(&mut self, side: usize) {
        let up = self.routers.iter().filter(|router| router.sessions[side].up).count();
        let established = u32::try_from(up).expect("a few routers");
        let configured = u32::try_from(ROUTERS).expect("a few routers");
        let (wait, life) = (self.pace.ack.low, self.nodes[side].life);
        let event = Event::BgpNeighbors { configured, established };
        self.after(wait, Due::Tell { side, life, event });
    }
}

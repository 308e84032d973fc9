//! BFD on the chassis thread: sockets around the sessions of the crate `bfd`.
//!
//! The driver thread owns a [`mio::Poll`] and nothing here ever blocks, sleeps or asks for the time: readiness and
//! deadlines come in, ordered [`BfdEvent`]s go out. Neither a packet that comes nor one that goes allocates memory.
//!
//! Always: what has arrived goes before the clock, so a session does not end while a packet of its peer waits in a
//! socket. A packet that is not taken is counted by name and leaves nothing behind.
//!
//! ```text
//! loop {
//!     poll until bfd.next_deadline() or readiness
//!     bfd.handle(now, event) for each event; bfd.handle_deadline(now)
//!     while let Some(event) = bfd.poll_event() { .. BfdEvent::Up { .. }, BfdEvent::Down { .. } .. }
//! }
//! ```
//!
//! Sources: RFC 5880 section 6.3 (demultiplexing), RFC 5881, RFC 5883; what is left out stands in
//! `docs/decisions/0008-bfd.md`.

mod event;
mod reconfigure;
mod settings;
mod slot;
mod socket;

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::Range;

use bfd::{Discard, Discriminator, Discriminators, Event, Timers, packet};
use mio::{Interest, Registry, Token};
use srp_core::types::Time;

use self::event::{Counters, RECEIVE_FAILED};
use self::slot::{Slot, bound};
use self::socket::{Arrival, Place, Receiver, SourcePorts};

pub use self::event::{BfdEvent, Refusal, SessionId, SessionView};
pub use self::settings::{BfdError, BfdSettings, Hops, SessionSettings, TOKENS};

/// Packets read from one socket before the others, and the driver, have their turn.
const READ_BUDGET: usize = 256;

/// All BFD sessions of this system.
pub struct Bfd {
    registry: Registry,
    tokens: Range<usize>,
    /// Each has the token of its place.
    receivers: Vec<Option<Receiver>>,
    /// A receiver whose budget was spent before it was empty.
    unread: bool,
    slots: Vec<Slot>,
    /// When each slot wants to be woken. Apart, so that the earliest of a thousand is found in one sweep of memory.
    deadlines: Vec<Time>,
    by_discriminator: HashMap<Discriminator, usize>,
    discriminators: Discriminators,
    ports: SourcePorts,
    seed: u64,
    next_id: u32,
    events: VecDeque<BfdEvent>,
    counters: Counters,
}

impl Bfd {
    /// Opens the sockets that the sessions need. The first packets are due at once.
    pub fn open(now: Time, settings: BfdSettings, registry: &Registry) -> Result<Self, BfdError> {
        if settings.tokens.len() < TOKENS {
            return Err(BfdError::Tokens { given: settings.tokens.len() });
        }
        let address = Place { is_ipv4: true, port: Hops::Single.port(), vrf: None }.address();
        let refused = |source| BfdError::Receive { address, vrf: None, source };
        let registry = registry.try_clone().map_err(refused)?;
        let mut bfd = Self {
            registry,
            tokens: settings.tokens,
            receivers: Vec::new(),
            unread: false,
            slots: Vec::new(),
            deadlines: Vec::new(),
            by_discriminator: HashMap::new(),
            discriminators: Discriminators::new(settings.seed),
            ports: SourcePorts::new(settings.seed),
            seed: settings.seed,
            next_id: 0,
            events: VecDeque::new(),
            counters: Counters::new(),
        };
        for session in settings.sessions {
            bfd.add(now, session)?;
        }
        Ok(bfd)
    }

    /// One more session. The sockets that it is the first to need are opened.
    pub fn add(&mut self, now: Time, settings: SessionSettings) -> Result<SessionId, BfdError> {
        settings.check()?;
        if self.slots.iter().any(|slot| slot.settings.collides(&settings)) {
            return Err(BfdError::Duplicate { peer: settings.peer });
        }
        let discriminator = self.discriminators.next(|found| self.by_discriminator.contains_key(&found));
        let id = SessionId(self.next_id);
        let seed = self.seed ^ u64::from(discriminator.get()) << 32;
        let bound = bound(&settings)?;
        self.listen(Place::of(&settings, bound.vrf), settings.vrf.as_deref())?;
        let slot = Slot::open(now, id, settings, bound, discriminator, seed, &mut self.ports)?;
        let (index, is_held_down) = (self.slots.len(), slot.settings.admin_down);
        self.next_id += 1;
        self.by_discriminator.insert(discriminator, index);
        self.deadlines.push(slot.deadline());
        self.slots.push(slot);
        if is_held_down {
            self.feed(now, index, Event::Disable);
        }
        // Room for a change of every session between two looks of the driver.
        self.events.reserve(2 * self.slots.len());
        Ok(id)
    }

    /// Ends a session. Its peer is told that an operator wanted it; a last `Down` is reported if it was Up.
    pub fn remove(&mut self, now: Time, session: SessionId) {
        let Some(index) = self.index(session) else { return };
        self.feed(now, index, Event::Disable);
        self.slots.swap_remove(index);
        self.deadlines.swap_remove(index);
        self.by_discriminator =
            self.slots.iter().enumerate().map(|(index, slot)| (slot.discriminator(), index)).collect();
    }

    /// Takes readiness; tokens of others are ignored.
    pub fn handle(&mut self, now: Time, event: &mio::event::Event) {
        if let Some(index) = event.token().0.checked_sub(self.tokens.start) {
            self.read(now, index);
        }
    }

    /// The earliest time at which [`Self::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        if self.unread {
            return Some(Time(0));
        }
        self.deadlines.iter().min().copied().filter(|deadline| *deadline < Time(u64::MAX))
    }

    /// Does what is due: reads on, sends, gives up who has been silent for too long.
    pub fn handle_deadline(&mut self, now: Time) {
        if self.next_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        // A packet may have come since readiness was looked at.
        self.unread = false;
        for index in 0..self.receivers.len() {
            self.read(now, index);
        }
        for index in 0..self.slots.len() {
            if self.deadlines[index] <= now {
                self.feed(now, index, Event::DeadlineReached);
            }
        }
    }

    /// The next fact, in order.
    pub fn poll_event(&mut self) -> Option<BfdEvent> {
        self.events.pop_front()
    }

    /// Holds a session down, or lets it come up again. The peer is told at once.
    pub fn set_admin_down(&mut self, now: Time, session: SessionId, down: bool) {
        if let Some(index) = self.index(session) {
            self.slots[index].settings.admin_down = down;
            self.feed(now, index, if down { Event::Disable } else { Event::Enable });
        }
    }

    /// Changes the timers of a session; while it is Up, by a Poll Sequence and without a gap.
    pub fn set_timers(&mut self, now: Time, session: SessionId, timers: Timers) {
        if let Some(index) = self.index(session) {
            self.slots[index].settings.timers = timers;
            self.feed(now, index, Event::SetTimers(timers));
        }
    }

    /// A link has lost its carrier, or is gone: single-hop sessions over it are down now and need no detection time.
    /// They come back by themselves.
    pub fn link_down(&mut self, now: Time, interface: u32) {
        self.fail_path(now, |slot| slot.depends_on_link(interface));
    }

    /// An address of ours in that VRF is gone: nothing that its sessions send leaves any more.
    pub fn address_gone(&mut self, now: Time, address: IpAddr, vrf: Option<&str>) {
        self.fail_path(now, |slot| {
            slot.settings.local_address == address && slot.settings.vrf.as_deref() == vrf
        });
    }

    /// An orderly stop: every peer is told that an operator wanted it (RFC 5882 section 3.2: no failure).
    pub fn stop(&mut self, now: Time) {
        for index in 0..self.slots.len() {
            self.feed(now, index, Event::Disable);
        }
    }

    /// State of the remote system, as its last packet said, if one came within a detection time.
    pub fn remote_state(&self, session: SessionId) -> Option<bfd::State> {
        self.index(session).and_then(|index| self.slots[index].remote_state())
    }

    /// All sessions, in the order of their ids.
    pub fn sessions(&self) -> Vec<SessionView> {
        let mut views: Vec<_> = self.slots.iter().map(Slot::view).collect();
        views.sort_by_key(|view| view.id);
        views
    }

    /// Counts of packets that were not taken, by [`Refusal::name`].
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.all()
    }

    fn index(&self, session: SessionId) -> Option<usize> {
        self.slots.iter().position(|slot| slot.id == session)
    }

    fn fail_path(&mut self, now: Time, is_concerned: impl Fn(&Slot) -> bool) {
        for index in 0..self.slots.len() {
            if is_concerned(&self.slots[index]) {
                self.feed(now, index, Event::PathFailed);
            }
        }
    }

    /// Opens the receiver of a place, unless there is one. `vrf` is for the error.
    fn listen(&mut self, place: Place, vrf: Option<&str>) -> Result<(), BfdError> {
        if self.hears(place) {
            return Ok(());
        }
        let error =
            |source| BfdError::Receive { address: place.address(), vrf: vrf.map(str::to_owned), source };
        let is_beside = |open: &&Receiver| open.place.address() == place.address();
        let beside: Vec<_> = self.receivers.iter().flatten().filter(is_beside).collect();
        let mut receiver = Receiver::open(place, &beside).map_err(error)?;
        let free = self.receivers.iter().position(Option::is_none);
        let index = free.unwrap_or(self.receivers.len());
        if index >= self.tokens.len() {
            return Err(BfdError::Tokens { given: self.tokens.len() });
        }
        let token = Token(self.tokens.start + index);
        self.registry.register(&mut receiver.socket, token, Interest::READABLE).map_err(error)?;
        if free.is_none() {
            self.receivers.push(None);
        }
        self.receivers[index] = Some(receiver);
        Ok(())
    }

    fn hears(&self, place: Place) -> bool {
        self.receivers.iter().flatten().any(|open| open.place == place)
    }

    /// A VRF that was made again has another index, and its receivers hear nothing any more: another one takes the place of
    /// that which no session needs any longer.
    fn follow_vrf(&mut self, slot: usize) {
        let place = self.slots[slot].place();
        if place.vrf.is_none() || self.hears(place) {
            return;
        }
        let slots = &self.slots;
        for receiver in &mut self.receivers {
            receiver.take_if(|open| {
                open.place.vrf.is_some() && !slots.iter().any(|slot| slot.place() == open.place)
            });
        }
        let vrf = self.slots[slot].settings.vrf.clone();
        if let Err(error) = self.listen(place, vrf.as_deref()) {
            tracing::warn!("{error}");
        }
    }

    /// Takes what has come to one receiver, up to a budget.
    fn read(&mut self, now: Time, receiver: usize) {
        for _ in 0..READ_BUDGET {
            let Some(Some(open)) = self.receivers.get_mut(receiver) else { return };
            match open.read() {
                Ok(Some(arrival)) => {
                    let (place, decoded) = (open.place, packet::decode(open.octets(arrival)));
                    self.take(now, arrival, place, decoded);
                }
                Ok(None) => return,
                Err(_) => return self.counters.add(RECEIVE_FAILED),
            }
        }
        self.unread = true;
    }

    fn take(
        &mut self,
        now: Time,
        arrival: Arrival,
        place: Place,
        decoded: Result<packet::Received, Discard>,
    ) {
        let (received, found) = match decoded {
            Err(discard) => return self.counters.add(discard.name()),
            Ok(received) => (received, self.select(&arrival, place, &received.packet)),
        };
        let index = match found {
            Err(discard) => return self.counters.add(discard.name()),
            Ok(index) => index,
        };
        let slot = &mut self.slots[index];
        let result = slot.check(&arrival, place).and_then(|()| {
            slot.heard_by(arrival.interface);
            slot.feed(now, Event::Received(received), &mut self.events, &mut self.ports)
        });
        self.deadlines[index] = slot.deadline();
        if let Err(refusal) = result {
            slot.refuse(refusal);
            self.counters.add(refusal.name());
        }
    }

    /// RFC 5880 section 6.8.6: by Your Discriminator where it is not zero, else by where the packet comes from.
    fn select(&self, arrival: &Arrival, place: Place, packet: &packet::Packet) -> Result<usize, Discard> {
        match packet.your_discriminator {
            Some(your) => {
                self.by_discriminator.get(&your).copied().ok_or(Discard::UnknownDiscriminator(your))
            }
            None => self
                .slots
                .iter()
                .position(|slot| slot.is_meant_by(arrival, place))
                .ok_or(Discard::UnknownSource),
        }
    }

    fn feed(&mut self, now: Time, index: usize, event: Event) {
        let slot = &mut self.slots[index];
        if let Err(refusal) = slot.feed(now, event, &mut self.events, &mut self.ports) {
            self.counters.add(refusal.name());
        }
        self.deadlines[index] = slot.deadline();
        self.follow_vrf(index);
    }
}

impl std::fmt::Debug for Bfd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bfd").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

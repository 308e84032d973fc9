//! Finding the neighbor of a link by its Router Advertisements, and being found by ours.
//!
//! A neighbor that is configured by its interface alone has no address yet. Routers say their link-local addresses on every
//! link (RFC 4861), so that is where it comes from, and FRR finds us in the same way. [`Discovery`] decides; who drives it
//! owns a socket and a clock.
//!
//! ```text
//!  link, session, what was heard ──► Discovery ──► Advertise, Solicit (to the link), Found, Lost (to the session)
//! ```
//!
//! What always holds:
//! - At most one router is the neighbor: the first one that was heard. Another one on the same link is named once and left
//!   alone, and becomes the neighbor when the first one is lost.
//! - A router that has the link-layer address of the neighbor is the neighbor, with a new address.
//! - An Established session is proof of life enough; without one a neighbor that is not heard for [`HOLD`] is lost.
//! - Advertisements to all nodes are [`LEAST_BETWEEN`] apart at least (RFC 4861 section 6.2.6), unless the link came up or
//!   could not be sent to meanwhile; whoever is new, or asks, is told by itself.
//!
//! | Event | Effect |
//! |---|---|
//! | `LinkUp` | advertise and solicit at once, then three times quickly |
//! | `LinkDown` | the neighbor is lost: another router may be there afterwards |
//! | `Advertised` by the first router | `Found`; it is told of us at once, since it has to know us before we connect |
//! | `Advertised` by the neighbor | it is there for another [`HOLD`] |
//! | `Advertised` from a new address of the neighbor | `Found` with the new address |
//! | `Advertised` by another router | `SecondRouter`, once |
//! | `Solicited` | advertise to whoever asks, within half a second |
//! | `Connected` by a stranger while nobody is known | `Found`: there are speakers that connect and advertise nothing |
//! | `SessionDown` | solicit: the neighbor has [`ANSWER`] to say that it is there |
//! | deadline | advertise, and solicit if the neighbor has not been heard lately; or `Lost` |
//!
//! The router lifetime of what is heard plays no part: it says for how long a host may use a default router (section 4.2).

pub mod wire;

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use crate::session::backoff::Random;
use crate::types::{Millis, Time};
use wire::LinkLayer;

/// How long a neighbor is one that is not heard, unless its session is Established.
pub const HOLD: Millis = Millis::from_secs(30);
/// The longest time between two advertisements to all nodes, and three quarters of it the shortest (`MaxRtrAdvInterval`).
pub const INTERVAL: Millis = Millis::from_secs(10);
/// RFC 4861 section 10, `MIN_DELAY_BETWEEN_RAS`.
pub const LEAST_BETWEEN: Millis = Millis::from_secs(3);
/// How long a router may take to answer a solicitation: `MIN_DELAY_BETWEEN_RAS` and `MAX_RA_DELAY_TIME`, rounded up.
pub const ANSWER: Millis = Millis::from_secs(4);
/// RFC 4861 section 10, `MAX_RA_DELAY_TIME`.
const ANSWER_DELAY: Millis = Millis::new(500);
/// How many advertisements follow quickly when a link comes up (`MAX_INITIAL_RTR_ADVERTISEMENTS`).
const INITIAL: u32 = 3;
/// The first and the longest wait for a link that cannot be sent to: its address is still being checked, or it is not there.
const UNUSABLE_FIRST: Millis = Millis::new(100);
const UNUSABLE_LIMIT: Millis = Millis::from_secs(1);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The link has a carrier.
    LinkUp,
    /// The link has lost its carrier.
    LinkDown,
    /// What [`Action::Advertise`] or [`Action::Solicit`] asked for could not be sent.
    SendFailed,
    /// A router has advertised itself.
    Advertised {
        /// Its link-local address.
        from: Ipv6Addr,
        /// What tells it apart from another router, where it says so.
        link_layer: Option<LinkLayer>,
    },
    /// Somebody asks for routers.
    Solicited {
        /// Who; the unspecified address for a host without one.
        from: Ipv6Addr,
    },
    /// Somebody on the link has opened a connection. [`Discovery::neighbor`] says whether it is the neighbor.
    Connected {
        /// Its link-local address.
        from: Ipv6Addr,
    },
    /// The session is Established.
    SessionUp {
        /// The neighbor's end.
        with: Ipv6Addr,
    },
    /// It has ended.
    SessionDown,
    /// The time of [`Discovery::next_deadline`] has come.
    DeadlineReached,
}

/// What has to be done, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advertisement: to one machine, or to all nodes.
    Advertise(Option<Ipv6Addr>),
    /// Send a solicitation to all routers.
    Solicit,
    /// The neighbor has this address; another one than before, if it had one.
    Found(Ipv6Addr),
    /// The neighbor has not been heard, or its link went down.
    Lost,
    /// Another router is on the link. Told once for each address, until the neighbor is lost.
    SecondRouter {
        /// The neighbor.
        neighbor: Ipv6Addr,
        /// The other one.
        other: Ipv6Addr,
    },
}

/// The search for the neighbor of one link. No socket, no clock, no randomness inside.
#[derive(Debug)]
pub struct Discovery {
    random: Random,
    neighbor: Option<Known>,
    /// The last other router that was told of.
    second: Option<Ipv6Addr>,
    /// When all nodes are told next.
    advertise_at: Time,
    /// When they were told last.
    advertised_at: Option<Time>,
    /// How many quick ones are left.
    initial: u32,
    /// Who has asked, and when it is answered.
    answer: Option<(Time, Ipv6Addr)>,
    /// The next wait for a link that cannot be sent to, while that is so.
    unusable: Option<Millis>,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    address: Ipv6Addr,
    link_layer: Option<LinkLayer>,
    heard_at: Time,
    /// Until when it is there unless it is heard.
    until: Time,
    in_session: bool,
}

impl Discovery {
    /// Begins with what [`Event::LinkUp`] does. The seed is another one for each link and start.
    pub fn new(now: Time, seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            neighbor: None,
            second: None,
            advertise_at: now,
            advertised_at: None,
            initial: INITIAL,
            answer: None,
            unusable: None,
            actions: VecDeque::new(),
        }
    }

    /// The address of the neighbor, if it has been found.
    pub fn neighbor(&self) -> Option<Ipv6Addr> {
        self.neighbor.map(|known| known.address)
    }

    /// The only way in.
    pub fn handle(&mut self, now: Time, event: Event) {
        match event {
            Event::LinkUp => {
                self.initial = INITIAL;
                self.unusable = None;
                self.advertise_at = now;
                self.advertised_at = None;
            }
            Event::LinkDown => self.lose(),
            Event::SendFailed => self.send_failed(now),
            Event::Advertised { from, link_layer } => self.advertised(now, from, link_layer),
            Event::Solicited { from } => self.solicited(now, from),
            Event::Connected { from } => {
                if self.neighbor.is_none() {
                    self.find(now, from, None);
                }
            }
            Event::SessionUp { with } => {
                // The neighbor may have been lost while the connection was being made.
                if self.neighbor.is_none_or(|known| known.address != with) {
                    self.find(now, with, None);
                }
                if let Some(known) = &mut self.neighbor {
                    known.in_session = true;
                }
            }
            Event::SessionDown => {
                if let Some(known) = self.neighbor.as_mut().filter(|known| known.in_session) {
                    known.in_session = false;
                    known.until = now + ANSWER;
                    self.actions.push_back(Action::Solicit);
                }
            }
            Event::DeadlineReached => {}
        }
        self.run_timers(now);
    }

    /// The only way out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Time {
        let lost = self.neighbor.filter(|known| !known.in_session).map(|known| known.until);
        let answer = self.answer.map(|(at, _)| at);
        [lost, answer].into_iter().flatten().fold(self.advertise_at, Time::min)
    }

    fn advertised(&mut self, now: Time, from: Ipv6Addr, link_layer: Option<LinkLayer>) {
        let Some(known) = &mut self.neighbor else {
            self.find(now, from, link_layer);
            return;
        };
        if known.address == from {
            known.heard_at = now;
            known.until = now + HOLD;
            known.link_layer = link_layer.or(known.link_layer);
        } else if link_layer.is_some() && link_layer == known.link_layer {
            self.find(now, from, link_layer);
        } else if self.second != Some(from) {
            self.second = Some(from);
            self.actions.push_back(Action::SecondRouter { neighbor: known.address, other: from });
        }
    }

    fn find(&mut self, now: Time, address: Ipv6Addr, link_layer: Option<LinkLayer>) {
        self.neighbor =
            Some(Known { address, link_layer, heard_at: now, until: now + HOLD, in_session: false });
        // FRR refuses the connection of a neighbor that it has not heard.
        self.actions.extend([Action::Advertise(Some(address)), Action::Found(address)]);
    }

    fn lose(&mut self) {
        if self.neighbor.take().is_some() {
            self.second = None;
            self.actions.push_back(Action::Lost);
        }
    }

    fn solicited(&mut self, now: Time, from: Ipv6Addr) {
        // RFC 4861 section 6.2.6: "MUST be delayed by a random time between 0 and MAX_RA_DELAY_TIME".
        let at = now + Millis::new(self.random.below(ANSWER_DELAY.get() + 1));
        match self.answer {
            None if from.is_unicast_link_local() => self.answer = Some((at, from)),
            Some((_, asked)) if asked == from => {}
            // Several ask, or one that cannot be answered by itself: all are told, as soon as may be.
            None | Some(_) => {
                let earliest = self.advertised_at.map_or(at, |told| at.max(told + LEAST_BETWEEN));
                self.advertise_at = self.advertise_at.min(earliest);
            }
        }
    }

    fn send_failed(&mut self, now: Time) {
        // What was to be sent together fails together.
        if self.advertised_at.is_none() {
            return;
        }
        let wait = self.unusable.unwrap_or(UNUSABLE_FIRST);
        self.unusable = Some(wait.doubled(UNUSABLE_LIMIT));
        self.initial = INITIAL;
        self.advertised_at = None;
        self.advertise_at = now + wait;
    }

    fn run_timers(&mut self, now: Time) {
        if self.neighbor.is_some_and(|known| !known.in_session && known.until <= now) {
            self.lose();
        }
        if let Some((_, asked)) = self.answer.take_if(|(at, _)| *at <= now) {
            self.actions.push_back(Action::Advertise(Some(asked)));
        }
        if self.advertise_at <= now {
            self.actions.push_back(Action::Advertise(None));
            let silent = |known: Known| now - known.heard_at >= Millis::new(HOLD.get() / 2);
            if self.neighbor.is_none_or(|known| !known.in_session && silent(known)) {
                self.actions.push_back(Action::Solicit);
            }
            self.advertised_at = Some(now);
            if self.initial == 0 {
                self.unusable = None;
            }
            let wait = if self.initial > 0 { LEAST_BETWEEN } else { self.random.jittered(INTERVAL) };
            self.initial = self.initial.saturating_sub(1);
            self.advertise_at = now + wait;
        }
    }
}

#[cfg(test)]
mod tests;

//! The BFD sessions of this chassis: whose each one is, and what follows when it goes down.
//!
//! ```text
//!  [[srp.bfd]]                ──► Owner::Peer      ──► how many are Up, and how many have failed, to the state machine
//!  [context.bgp.neighbor.bfd] ──► Owner::Neighbor  ──► failed: its speaker ends the session at once
//! ```
//!
//! Always: what an operator wanted, at either end, is no failure ([`Health`]).

use std::collections::BTreeMap;
use std::net::IpAddr;

use bfd::{DownCause, Health, Interval, Tally, Timers, TimersError};
use bgp_glue::speaker::{NeighborKey, SpeakerHandle};
use mio::Registry;
use srp_core::chassis::{Event, MonitorState};
use srp_core::config::{BfdTimers, Config, bfd_monitor};
use srp_core::events::Observation;
use srp_core::types::Time;
use tracing::{info, warn};

use crate::bfd::{Bfd, BfdError, BfdEvent, BfdSettings, Hops, SessionId, SessionSettings, SessionView};
use crate::events::Herald;

/// Whom a session watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The other chassis.
    Peer,
    /// A BGP neighbour.
    Neighbor {
        /// The context of its speaker.
        context: String,
        /// Which one.
        key: NeighborKey,
    },
}

/// A session as the configuration wants it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whom it watches.
    pub owner: Owner,
    /// Ends, path and timers.
    pub settings: SessionSettings,
}

#[derive(Debug)]
struct Owned {
    id: SessionId,
    owner: Owner,
    health: Health,
    last_down: Option<(Time, DownCause)>,
    /// What the state machine was told of it as a monitor.
    told: Option<MonitorState>,
}

/// A session for `show`.
#[derive(Clone, Debug)]
pub struct PathView {
    /// Whom it watches.
    pub owner: Owner,
    /// Its state.
    pub session: SessionView,
    /// When it last went down, and why.
    pub last_down: Option<(Time, DownCause)>,
}

/// All sessions of this chassis.
pub struct Paths {
    bfd: Bfd,
    owned: Vec<Owned>,
    speakers: BTreeMap<String, SpeakerHandle>,
    herald: Herald,
    /// What the state machine was told last.
    told: Tally,
}

/// The sessions that a configuration asks for. An error is a fault of its checks.
pub fn wanted(config: &Config) -> Result<Vec<Wanted>, TimersError> {
    let peers = config.srp.bfd.iter().map(|session| {
        let ends = (session.peer_address, session.local_address);
        let settings = session_settings(ends, session.interface.clone(), None, session.timers)?;
        Ok(Wanted { owner: Owner::Peer, settings })
    });
    let neighbors = config.contexts.iter().flat_map(|context| {
        context.bgp.iter().flat_map(|bgp| &bgp.neighbors).filter_map(|neighbor| {
            let (address, timers, local) = (neighbor.address?, neighbor.bfd?, neighbor.local_address?);
            let interface = neighbor.interface.clone();
            let key = NeighborKey { address: Some(address), interface: interface.as_deref().map(Into::into) };
            let owner = Owner::Neighbor { context: context.name.clone(), key };
            let settings = session_settings((address, local), interface, context.vrf(), timers);
            Some(settings.map(|settings| Wanted { owner, settings }))
        })
    });
    peers.chain(neighbors).collect()
}

fn session_settings(
    (peer, local_address): (IpAddr, IpAddr),
    interface: Option<String>,
    vrf: Option<&str>,
    timers: BfdTimers,
) -> Result<SessionSettings, TimersError> {
    let interval = Interval(u32::try_from(timers.interval.0).unwrap_or(u32::MAX));
    Ok(SessionSettings {
        peer,
        local_address,
        interface,
        vrf: vrf.map(str::to_owned),
        hops: timers.multihop.map_or(Hops::Single, |min_ttl| Hops::Multi { min_ttl }),
        timers: Timers::new(interval, interval, timers.multiplier)?,
        admin_down: false,
    })
}

impl Paths {
    /// Opens the sessions. `first_token` and all that follow are for BFD alone.
    pub fn open(
        now: Time,
        wanted: Vec<Wanted>,
        seed: u64,
        first_token: usize,
        registry: &Registry,
        speakers: BTreeMap<String, SpeakerHandle>,
        herald: Herald,
    ) -> Result<Self, BfdError> {
        let settings = BfdSettings { sessions: Vec::new(), seed, tokens: first_token..usize::MAX };
        let bfd = Bfd::open(now, settings, registry)?;
        let mut paths = Self { bfd, owned: Vec::new(), speakers, herald, told: Tally::default() };
        paths.reconfigure(now, wanted)?;
        Ok(paths)
    }

    /// Makes the sessions what `wanted` says; those that stay are not touched. On an error nothing has changed, unless
    /// the system refused a socket.
    pub fn reconfigure(&mut self, now: Time, wanted: Vec<Wanted>) -> Result<(), BfdError> {
        let current: Vec<SessionId> = self.owned.iter().map(|owned| owned.id).collect();
        let (owners, settings): (Vec<_>, Vec<_>) =
            wanted.into_iter().map(|wanted| (wanted.owner, wanted.settings)).unzip();
        let ids = self.bfd.reconfigure(now, &current, settings)?;
        let fresh = |(id, owner)| {
            let known = self.owned.iter().find(|owned| owned.id == id);
            let (health, last_down) =
                known.map_or((Health::default(), None), |known| (known.health, known.last_down));
            Owned { id, owner, health, last_down, told: known.and_then(|known| known.told) }
        };
        self.owned = ids.into_iter().zip(owners).map(fresh).collect();
        Ok(())
    }

    /// Takes readiness; tokens of others are ignored.
    pub fn handle(&mut self, now: Time, event: &mio::event::Event) {
        self.bfd.handle(now, event);
    }

    /// When something is due, if ever.
    pub fn next_deadline(&self) -> Option<Time> {
        self.bfd.next_deadline()
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Time) {
        self.bfd.handle_deadline(now);
    }

    /// A link has lost its carrier: its sessions are down now.
    pub fn link_down(&mut self, now: Time, interface: u32) {
        self.bfd.link_down(now, interface);
    }

    /// An address of ours in that VRF is gone, and its sessions with it.
    pub fn address_gone(&mut self, now: Time, address: IpAddr, vrf: Option<&str>) {
        self.bfd.address_gone(now, address, vrf);
    }

    /// Tells everyone that we stop on purpose.
    pub fn stop(&mut self, now: Time) {
        self.bfd.stop(now);
    }

    /// What the state machine must know next, in order. Speakers are told on the way.
    pub fn poll(&mut self, now: Time) -> Option<Event> {
        loop {
            let next = self.bfd.poll_event();
            match next {
                Some(BfdEvent::Up { session, peer }) => self.up(now, session, peer),
                Some(BfdEvent::Down { session, peer, cause }) => self.down(now, session, peer, cause),
                None => self.notice_holds(),
            }
            let sessions = self.owned.iter().filter(|owned| owned.owner == Owner::Peer);
            let tally: Tally = sessions.map(|owned| owned.health).collect();
            if tally != self.told {
                self.told = tally;
                let Tally { configured, up, failed } = tally;
                return Some(Event::PeerBfd { configured, up, failed });
            }
            if let Some(monitor) = self.owned.iter_mut().find_map(Owned::news) {
                return Some(monitor);
            }
            next?;
        }
    }

    /// The state machine has other monitors than before.
    pub fn tell_monitors_again(&mut self) {
        for owned in &mut self.owned {
            owned.told = None;
        }
    }

    /// All sessions: those with the peer first, then those with neighbours, as configured.
    pub fn views(&self) -> Vec<PathView> {
        let sessions: BTreeMap<SessionId, SessionView> =
            self.bfd.sessions().into_iter().map(|session| (session.id, session)).collect();
        let view = |owned: &Owned| {
            let session = sessions.get(&owned.id)?.clone();
            Some(PathView { owner: owned.owner.clone(), session, last_down: owned.last_down })
        };
        self.owned.iter().filter_map(view).collect()
    }

    /// The last failure of a session with the peer, in words.
    pub fn last_failure(&self) -> Option<String> {
        let failed = self.owned.iter().filter(|owned| owned.health == Health::Failed);
        let (_, owned, cause) = failed
            .filter(|owned| owned.owner == Owner::Peer)
            .filter_map(|owned| owned.last_down.map(|(at, cause)| (at, owned, cause)))
            .max_by_key(|(at, ..)| *at)?;
        let peer = self.bfd.sessions().into_iter().find(|session| session.id == owned.id)?.settings.peer;
        Some(format!("{peer}: {cause}"))
    }

    /// Packets that were not taken, by reason.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.bfd.counters()
    }

    fn up(&mut self, now: Time, session: SessionId, peer: IpAddr) {
        let Some(owned) = self.owned.iter_mut().find(|owned| owned.id == session) else { return };
        owned.health = Health::Up;
        let watches = owned.owner.name();
        info!(%peer, watches, "BFD up");
        self.herald.tell_at(now, Observation::Bfd { peer, watches, up: true, detail: String::new() });
    }

    fn down(&mut self, now: Time, session: SessionId, peer: IpAddr, cause: DownCause) {
        // One that a reload removed is nobody's any more.
        let Some(owned) = self.owned.iter_mut().find(|owned| owned.id == session) else { return };
        owned.last_down = Some((now, cause));
        owned.health = Health::after(cause);
        let (watches, detail) = (owned.owner.name(), cause.to_string());
        self.herald.tell_at(now, Observation::Bfd { peer, watches, up: false, detail });
        if cause.is_intended() {
            info!(%peer, watches = owned.owner.name(), %cause, "BFD taken down");
        } else {
            warn!(%peer, watches = owned.owner.name(), %cause, "BFD down");
            if let Owner::Neighbor { context, key } = &owned.owner
                && let Some(speaker) = self.speakers.get(context)
            {
                speaker.bfd_down(key.clone());
            }
        }
    }

    fn notice_holds(&mut self) {
        for owned in &mut self.owned {
            owned.health = owned.health.with_remote(self.bfd.remote_state(owned.id));
        }
    }
}

impl Owned {
    /// What a session with a neighbour is as a monitor, if that is news. One that an operator holds down says nothing.
    fn news(&mut self) -> Option<Event> {
        let Owner::Neighbor { context, key } = &self.owner else { return None };
        let state = match self.health {
            Health::Up => MonitorState::Up,
            Health::NeverUp | Health::Failed => MonitorState::Down,
            Health::Held => MonitorState::Unknown,
        };
        if self.told == Some(state) {
            return None;
        }
        self.told = Some(state);
        Some(Event::Monitor { monitor: bfd_monitor(context, key.address?), state })
    }
}

impl Owner {
    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::Peer => "peer chassis".into(),
            Self::Neighbor { context, key } => format!("BGP neighbour {key} of {context}"),
        }
    }
}

//! One session with its sender: which packets are its own, and what becomes of its actions.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU32;

use bfd::{Action, Discriminator, Event, Session};
use nix::net::if_::if_nametoindex;
use srp_core::types::{Span, Time};

use super::event::{BfdEvent, Refusal, SessionId, SessionView};
use super::settings::{BfdError, Hops, SessionSettings};
use super::socket::{Arrival, Bound, Place, Sender, SourcePorts};

pub(super) struct Slot {
    pub(super) id: SessionId,
    pub(super) settings: SessionSettings,
    session: Session,
    sender: Sender,
    /// The interface by which the last packet came: the path of a session that names none.
    heard_by: u32,
    send_failures: u64,
    is_failing: bool,
    refused: u64,
    last_refusal: Option<Refusal>,
}

impl Slot {
    /// A session whose first packet is due now, `bound` to what its settings name.
    pub(super) fn open(
        now: Time,
        id: SessionId,
        settings: SessionSettings,
        bound: Bound,
        discriminator: Discriminator,
        seed: u64,
        ports: &mut SourcePorts,
    ) -> Result<Self, BfdError> {
        let sender = open_sender(&settings, bound, ports)?;
        let session = Session::new(at(now), discriminator, settings.timers, seed);
        Ok(Self {
            id,
            settings,
            session,
            sender,
            heard_by: 0,
            send_failures: 0,
            is_failing: false,
            refused: 0,
            last_refusal: None,
        })
    }

    pub(super) fn discriminator(&self) -> Discriminator {
        self.session.local_discriminator()
    }

    pub(super) fn remote_state(&self) -> Option<bfd::State> {
        self.session.remote().map(|remote| remote.state)
    }

    /// When the session wants to be woken; never, if it waits for an event.
    pub(super) fn deadline(&self) -> Time {
        self.session.next_deadline().map_or(Time(u64::MAX), |deadline| Time(deadline.0))
    }

    /// True if a packet that does not name its session is this one's. RFC 5881 section 3: it "MUST be associated with
    /// the session bound to the remote system, interface, and protocol"; RFC 5883 section 3: by source and destination.
    pub(super) fn is_meant_by(&self, arrival: &Arrival, place: Place) -> bool {
        let path = match self.settings.hops {
            Hops::Single => self.is_on(arrival.interface),
            Hops::Multi { .. } => self.settings.local_address == arrival.destination,
        };
        self.place() == place && self.settings.peer == arrival.source && path
    }

    /// What keeps a packet that names this session from being taken.
    pub(super) fn check(&self, arrival: &Arrival, place: Place) -> Result<(), Refusal> {
        let (least, own) = (self.settings.hops.min_ttl(), self.place());
        if own.port != place.port {
            Err(Refusal::Hops)
        } else if arrival.ttl < least {
            Err(Refusal::Ttl { got: arrival.ttl, least })
        } else if self.settings.peer != arrival.source {
            // A discriminator is a name, not a secret: whoever has seen one packet knows it.
            Err(Refusal::Source)
        } else if !self.is_on(arrival.interface) || own.vrf != place.vrf {
            Err(Refusal::Interface)
        } else {
            Ok(())
        }
    }

    /// True if a link that goes down takes this session's path with it.
    pub(super) fn depends_on_link(&self, interface: u32) -> bool {
        let Bound { interface: own, vrf } = self.sender.bound;
        if vrf.is_some_and(|vrf| vrf.get() == interface) {
            return true;
        }
        match (own, self.settings.hops) {
            (Some(own), _) => own.get() == interface,
            (None, Hops::Single) => self.heard_by == interface,
            // Routing may know another way.
            (None, Hops::Multi { .. }) => false,
        }
    }

    fn is_on(&self, interface: u32) -> bool {
        self.sender.bound.interface.is_none_or(|own| own.get() == interface)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        self.last_refusal = Some(refusal);
    }

    pub(super) fn heard_by(&mut self, interface: u32) {
        self.heard_by = interface;
    }

    /// Feeds the session and performs what it wants. A refusal is the caller's to count.
    pub(super) fn feed(
        &mut self,
        now: Time,
        event: Event,
        events: &mut VecDeque<BfdEvent>,
        ports: &mut SourcePorts,
    ) -> Result<(), Refusal> {
        let (session, peer) = (self.id, self.settings.peer);
        let mut result = Ok(());
        self.session.handle(at(now), event);
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Send(packet) => self.send(&packet.encode(), ports),
                Action::Up => events.push_back(BfdEvent::Up { session, peer }),
                Action::Down(cause) => events.push_back(BfdEvent::Down { session, peer, cause }),
                Action::Discarded(discard) => result = Err(discard.into()),
            }
        }
        result
    }

    fn send(&mut self, octets: &[u8; bfd::packet::LEN], ports: &mut SourcePorts) {
        let peer = self.settings.peer;
        match self.sender.send(octets) {
            Ok(()) if self.is_failing => {
                tracing::info!(%peer, "BFD packets can be sent again");
                self.is_failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                self.send_failures += 1;
                if !self.is_failing {
                    tracing::warn!(%peer, local = %self.settings.local_address, %error, "BFD packets cannot be sent");
                    self.is_failing = true;
                }
                self.follow_interface(ports);
            }
        }
    }

    /// Where its packets come in, in the VRF that its socket knows.
    pub(super) fn place(&self) -> Place {
        Place::of(&self.settings, self.sender.bound.vrf)
    }

    /// An interface that was removed and made again has another index, and a socket bound to the old one is dead. So it is with a VRF.
    fn follow_interface(&mut self, ports: &mut SourcePorts) {
        let Ok(bound) = bound(&self.settings) else { return };
        if bound == self.sender.bound {
            return;
        }
        match open_sender(&self.settings, bound, ports) {
            Ok(sender) => self.sender = sender,
            Err(error) => tracing::warn!("{error}"),
        }
    }

    pub(super) fn view(&self) -> SessionView {
        let session = &self.session;
        SessionView {
            id: self.id,
            settings: self.settings.clone(),
            state: session.state(),
            since: Time(session.since().0),
            diagnostic: session.diagnostic(),
            local_discriminator: session.local_discriminator(),
            remote: session.remote().copied(),
            transmit_interval: session.transmit_interval().map(|interval| Span(interval.0.into())),
            detection_time: session.detection_time().map(|time| Span(time.0)),
            counters: session.counters(),
            send_failures: self.send_failures,
            refused: self.refused,
            last_refusal: self.last_refusal,
        }
    }
}

/// The core has a clock type of its own; both count microseconds.
fn at(now: Time) -> bfd::Time {
    bfd::Time(now.0)
}

/// The indices that the interface and the VRF of a session have now.
pub(super) fn bound(settings: &SessionSettings) -> Result<Bound, BfdError> {
    let index = |name: &str| if_nametoindex(name).ok().and_then(NonZeroU32::new);
    let peer = settings.peer;
    let interface = settings
        .interface
        .as_ref()
        .map(|name| index(name).ok_or_else(|| BfdError::NoInterface { peer, interface: name.clone() }));
    let vrf = settings.vrf.as_ref();
    let vrf = vrf.map(|name| index(name).ok_or_else(|| BfdError::NoVrf { peer, vrf: name.clone() }));
    Ok(Bound { interface: interface.transpose()?, vrf: vrf.transpose()? })
}

fn open_sender(
    settings: &SessionSettings,
    bound: Bound,
    ports: &mut SourcePorts,
) -> Result<Sender, BfdError> {
    let (peer, local): (IpAddr, IpAddr) = (settings.peer, settings.local_address);
    Sender::open(local, peer, settings.hops, bound, ports).map_err(|source| BfdError::Send {
        peer,
        local,
        source,
    })
}

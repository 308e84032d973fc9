//! Which connection becomes the link.
//!
//! Whoever dials greets first, and whoever accepts answers only on the connection that is to be the link. So a
//! connection that is not wanted ends before the other side can have built on it, and no link that is up is given up
//! but for a good reason: the [`arbiter`] has the rules.

use srp_core::types::Time;
use srp_core::wire::Message;

use super::arbiter::{self, Dialler, Verdict};
use super::connection::{Connection, DIAL_LIMIT};
use super::event::{ConnectionId, Fault, LinkEvent};
use super::{Established, Link};

impl Link {
    /// The peer's Hello has come on this connection.
    pub(super) fn heard(&mut self, now: Time, id: ConnectionId) {
        if let Some((_, Verdict::IncumbentStays)) = self.verdict(id) {
            self.end(now, id, Fault::Collision);
        } else if self.connection(id).is_some_and(|connection| !connection.is_ungreeted()) {
            self.bring_up(now, id);
        } else if self.awaits_own_dial(now) {
            self.held.push(id);
        } else {
            self.events.push_back(LinkEvent::WantsGreeting(id));
        }
    }

    /// Makes a connection on which both have greeted the link; any other is left as it is.
    pub(super) fn bring_up(&mut self, now: Time, id: ConnectionId) {
        let replaced = self.verdict(id);
        let Some(connection) = self.connection(id) else { return };
        let Some(hello) = connection.establish() else { return };
        let (peer, security) = (connection.peer, connection.security_text());
        match replaced {
            None => {}
            Some((incumbent, Verdict::PeerRestarted)) => self.end(now, incumbent, Fault::PeerRestarted),
            Some((incumbent, Verdict::PeerReconnected)) => self.end(now, incumbent, Fault::PeerReconnected),
            Some((incumbent, Verdict::HigherDialled)) => self.end(now, incumbent, Fault::Collision),
            Some((_, Verdict::IncumbentStays)) => return self.end(now, id, Fault::Collision),
        }
        self.established = Some(Established { id, since: now });
        self.redial.up();
        self.last_trouble = None;
        self.counters.add("up");
        self.counters.add("received");
        self.events.push_back(LinkEvent::Up { connection: id, security, peer });
        self.events.push_back(LinkEvent::Message(Message::Hello(hello)));
        // Our own dial, if we have not greeted on it: the peer cannot have built on it.
        let needless = |c: &&Connection| c.dialler == Dialler::Us && c.is_ungreeted();
        let needless: Vec<_> = self.connections.iter().filter(needless).map(|c| c.id).collect();
        for id in needless {
            self.end(now, id, Fault::Collision);
        }
        for id in std::mem::take(&mut self.held) {
            self.heard(now, id);
        }
    }

    /// The link, and what the arbiter says of this connection against it. `None` if there is nothing to judge.
    pub(super) fn verdict(&self, id: ConnectionId) -> Option<(ConnectionId, Verdict)> {
        let find = |id| self.connections.iter().find(|connection| connection.id == id);
        let up = self.established.filter(|up| up.id != id)?;
        let (incumbent, challenger) = (find(up.id)?, find(id)?);
        let settled = challenger.opened >= up.since + DIAL_LIMIT;
        let verdict =
            arbiter::judge(&incumbent.candidate()?, &challenger.candidate()?, settled, self.preferred());
        Some((up.id, verdict))
    }

    /// Lets the peer's connections have their turn, once our own dial has failed.
    pub(super) fn release_held(&mut self) {
        if !self.connections.iter().any(Connection::is_answered_dial) {
            self.events.extend(self.held.drain(..).map(LinkEvent::WantsGreeting));
        }
    }

    /// True if our own dial is about to succeed, and would be preferred to one of the peer's.
    fn awaits_own_dial(&mut self, now: Time) -> bool {
        if self.preferred() == Dialler::Peer {
            return false;
        }
        // The peer's kernel may have answered already, and we have not looked yet.
        if let Some(dial) = self.connections.iter().find(|c| c.is_connecting()).map(|c| c.id) {
            self.advance(now, dial);
        }
        self.connections.iter().any(Connection::is_answered_dial)
    }

    fn preferred(&self) -> Dialler {
        arbiter::preferred_dialler(self.settings.bind_address, self.settings.peer_address)
    }
}

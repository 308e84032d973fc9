//! A neighbor that is known by its interface alone: the session follows what is found on the link.

use std::net::{IpAddr, Ipv6Addr};

use bgp_proto::discovery;
use bgp_proto::session::Event;
use bgp_proto::wire::notification::{Notification, reason};
use tokio::net::TcpStream;
use tracing::info;

use super::Neighbor;
use crate::connection::Connection;
use crate::finder::{Finder, Finding};

/// Whether a neighbor that is found is connected to.
#[derive(Clone, Copy)]
enum Dial {
    AtOnce,
    /// It has opened a connection itself, which is about to be looked at.
    NotNow,
}

impl Neighbor {
    /// Tells the search what happened. Nothing for a neighbor that has an address.
    pub(super) fn search(&mut self, event: discovery::Event) {
        if let Some(finder) = &mut self.finder {
            finder.handle(event);
        }
        self.follow(Dial::AtOnce);
    }

    /// The link has something for the search, or the search has something to do.
    pub(super) fn wake_finder(&mut self) {
        if let Some(finder) = &mut self.finder {
            finder.wake();
        }
        self.follow(Dial::AtOnce);
    }

    /// Whether a connection comes from the neighbor. Who connects while nobody is known is the neighbor: there are speakers
    /// that advertise nothing.
    pub(super) fn is_from_neighbor(&mut self, stream: &TcpStream) -> bool {
        let Some(finder) = &mut self.finder else { return true };
        let Some(from) = stream.peer_addr().ok().and_then(|from| link_local(from.ip())) else { return false };
        finder.handle(discovery::Event::Connected { from });
        self.follow(Dial::NotNow);
        let neighbor = self.finder.as_ref().and_then(Finder::neighbor);
        if neighbor != Some(from) {
            info!(neighbor = %self.key, %from, ?neighbor, "connection refused: the neighbor of the link is another one");
        }
        neighbor == Some(from)
    }

    /// The session is Established.
    pub(super) fn search_ends_with(&mut self, remote: IpAddr) {
        if let Some(with) = link_local(remote) {
            self.search(discovery::Event::SessionUp { with });
        }
    }

    fn follow(&mut self, dial: Dial) {
        while let Some(finding) = self.finder.as_mut().and_then(Finder::poll) {
            match finding {
                Finding::Found(address) => self.found(address, dial),
                Finding::Lost => {
                    info!(neighbor = %self.key, "neighbor lost: it does not advertise itself, or its link is down");
                    self.config.address = None;
                }
            }
        }
    }

    fn found(&mut self, address: Ipv6Addr, dial: Dial) {
        let before = self.config.address.replace(address.into());
        info!(neighbor = %self.key, %address, ?before, "neighbor found");
        let established = self.session.established().and_then(|(side, _)| self.connection(side));
        let remote = established.and_then(|connection| Connection::stream(connection).peer_addr().ok());
        if remote.is_some_and(|remote| remote.ip() == address) {
            return;
        }
        match (before, dial) {
            (Some(_), Dial::AtOnce | Dial::NotNow) => {
                self.handle(Event::Reset(Notification::new(reason::OTHER_CONFIGURATION_CHANGE)));
            }
            (None, Dial::AtOnce) => self.handle(Event::RetryNow),
            (None, Dial::NotNow) => {}
        }
    }
}

fn link_local(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6) => Some(v6).filter(Ipv6Addr::is_unicast_link_local),
        IpAddr::V4(_) => None,
    }
}

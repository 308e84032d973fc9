//! Drives the search for a neighbor that is known by its interface alone ([`bgp_proto::discovery`]): one socket, one deadline.
//!
//! The socket is opened when something has to be sent and closed when that fails, so a link may be there from the start, come
//! later, go, or come back under another index: the search tries again, and is told of the link what it has to know.

mod socket;

use std::collections::VecDeque;
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;

use bgp_proto::discovery::wire::Message;
use bgp_proto::discovery::{Action, Discovery, Event};
use tracing::{info, warn};

use crate::clock::Clock;
use socket::LinkSocket;

/// What is read before anything else has its turn: somebody who floods the link does not keep the session waiting.
const MESSAGES_AT_ONCE: usize = 16;

/// What has been found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The neighbor has this address.
    Found(Ipv6Addr),
    /// It is not there any more.
    Lost,
}

pub(crate) struct Finder {
    interface: Arc<str>,
    clock: Clock,
    search: Discovery,
    socket: Option<LinkSocket>,
    /// The link could not be used when it was last tried. Logged once.
    is_unusable: bool,
    findings: VecDeque<Finding>,
}

impl Finder {
    pub(crate) fn new(interface: Arc<str>, clock: Clock, seed: u64) -> Self {
        Self {
            interface,
            clock,
            search: Discovery::new(clock.now(), seed),
            socket: None,
            is_unusable: false,
            findings: VecDeque::new(),
        }
    }

    /// The address of the neighbor, if it has been found.
    pub(crate) fn neighbor(&self) -> Option<Ipv6Addr> {
        self.search.neighbor()
    }

    /// Waits until [`Finder::wake`] has something to do. Cancel safe: it takes nothing.
    pub(crate) async fn wait(&self) {
        let deadline = self.clock.instant(self.search.next_deadline());
        let readable = async {
            match &self.socket {
                Some(socket) => socket.readable().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            () = readable => {}
        }
    }

    /// Does what is due and reads what has come.
    pub(crate) fn wake(&mut self) {
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(socket) = &self.socket else { break };
            match socket.receive() {
                Ok(Some((from, Message::Advertisement(link_layer)))) => {
                    self.handle(Event::Advertised { from, link_layer });
                }
                Ok(Some((from, Message::Solicitation))) => self.handle(Event::Solicited { from }),
                Ok(None) => break,
                Err(error) => self.unusable(&error),
            }
        }
        self.handle(Event::DeadlineReached);
    }

    /// Tells the search what happened and does what follows.
    pub(crate) fn handle(&mut self, event: Event) {
        self.search.handle(self.clock.now(), event);
        while let Some(action) = self.search.poll_action() {
            match action {
                Action::Advertise(to) => self.send(|socket| socket.advertise(to)),
                Action::Solicit => self.send(LinkSocket::solicit),
                Action::Found(address) => self.findings.push_back(Finding::Found(address)),
                Action::Lost => self.findings.push_back(Finding::Lost),
                Action::SecondRouter { neighbor, other } => {
                    warn!(interface = %self.interface, %neighbor, %other,
                        "another router on the link is left alone: a neighbor without an address needs a link of its own");
                }
            }
        }
    }

    /// What has been found out since it was last asked, in order.
    pub(crate) fn poll(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }

    fn send(&mut self, send: impl FnOnce(&LinkSocket) -> io::Result<()>) {
        let sent = match &self.socket {
            Some(socket) => send(socket),
            None => LinkSocket::open(&self.interface).and_then(|socket| send(self.socket.insert(socket))),
        };
        match sent {
            Err(error) => self.unusable(&error),
            Ok(()) if std::mem::take(&mut self.is_unusable) => {
                info!(interface = %self.interface, "looking for the neighbor by Router Advertisements");
            }
            Ok(()) => {}
        }
    }

    /// The socket may be bound to an interface that is no more.
    fn unusable(&mut self, error: &io::Error) {
        self.socket = None;
        self.search.handle(self.clock.now(), Event::SendFailed);
        if !std::mem::replace(&mut self.is_unusable, true) {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => ": run it with CAP_NET_RAW",
                _ => "; tried again until it can",
            };
            warn!(interface = %self.interface, %error, "cannot look for the neighbor of the link{hint}");
        }
    }
}

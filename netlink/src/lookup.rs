//! The worker's answers to "how is this address reached", and its watch over them.
//!
//! The kernel answers a question in microseconds, so questions, which are short ([`ADDRESSES`]), are answered at once. Only
//! where a route of ours hides what others say, the table is read, as work in slices like any other ([`crate::job`]).
//!
//! What was asked about is watched by a socket of its own, opened with the first question: its filter lets only routes of
//! others pass, and nobody pays for a full table of ours. One change is told, then nothing is watched until the owner asks
//! again, so that a storm of changes is one event and addresses that matter no more are forgotten.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use tokio::sync::oneshot;

use crate::job::Job;
use crate::kernel::RequestError;
use crate::names::LinkName;
use crate::report::KernelEvent;
use crate::socket::{EventSocket, Heard};
use crate::way::{self, NoWay, Search, Verdict, Way, Where};
use crate::worker::Worker;

/// Addresses to one question, so that nothing more urgent waits for long.
pub(crate) const ADDRESSES: usize = 256;
/// Beyond so many addresses every route is taken to concern one of them.
const WATCHED: usize = 4096;
/// Reads of the socket to one turn of the worker's loop.
const READS: usize = 64;

/// The ways in the order of the question.
pub(crate) type WaysAnswer = oneshot::Sender<Result<Vec<Result<Way, NoWay>>, RequestError>>;

/// What is watched, and by what.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) socket: Option<EventSocket>,
    addresses: BTreeSet<IpAddr>,
    /// There are too many addresses to remember.
    everything: bool,
    /// Notifications were lost, and more may be until the socket is empty.
    lost: bool,
}

impl Watch {
    fn add(&mut self, addresses: &[IpAddr]) {
        self.addresses.extend(addresses);
        if self.addresses.len() > WATCHED {
            self.addresses.clear();
            self.everything = true;
        }
    }

    fn is_idle(&self) -> bool {
        self.addresses.is_empty() && !self.everything
    }

    fn concerns(&self, message: &RouteNetlinkMessage) -> bool {
        let (RouteNetlinkMessage::NewRoute(message) | RouteNetlinkMessage::DelRoute(message)) = message
        else {
            return false;
        };
        let Some(prefix) = way::concerned(message) else { return false };
        // What a prefix covers stands together, and its network address is the lowest of it.
        let lowest = || self.addresses.range(prefix.network()..).next();
        self.everything || lowest().is_some_and(|address| prefix.contains(*address))
    }
}

/// A question whose answer waits for a reading of the table.
pub(crate) struct Question {
    addresses: Vec<IpAddr>,
    at: Where,
    ways: Vec<Result<Way, NoWay>>,
    answer: WaysAnswer,
}

impl Question {
    /// Answers it, with what the search has found.
    pub(crate) fn settle(mut self, search: Search) {
        for (address, way) in search.ways() {
            for (asked, place) in self.addresses.iter().zip(&mut self.ways) {
                if *asked == address {
                    place.clone_from(&way);
                }
            }
        }
        // Whoever asked may have gone.
        let _ = self.answer.send(Ok(self.ways));
    }

    pub(crate) fn fail(self, source: io::Error) {
        let _ = self.answer.send(Err(RequestError::Io { doing: "look up routes", source }));
    }
}

impl Worker {
    /// Answers a question, and watches over the answer from now on.
    pub(crate) fn find_ways(&mut self, vrf: Option<&LinkName>, addresses: Vec<IpAddr>, answer: WaysAnswer) {
        // The watch begins before the look: what changes in between is heard of.
        let begun = self.watch_routes();
        self.watch.add(&addresses);
        let vrf_of = |name| self.links.vrf(name).map(|(index, table)| Where { table, vrf: Some(index) });
        let Some(at) = vrf.map_or(Some(Where::MAIN), vrf_of) else {
            // Whoever asked may have gone.
            let _ = answer.send(Ok(vec![Err(NoWay::NoVrf); addresses.len()]));
            return;
        };
        let mut question = Question { addresses, at, ways: Vec::new(), answer };
        if let Err(error) = begun {
            return question.fail(error);
        }
        let mut hidden = BTreeSet::new();
        for address in &question.addresses {
            match self.look_up(*address, question.at) {
                Ok(Verdict::Others(way)) => question.ways.push(way),
                Ok(Verdict::Hides) => {
                    hidden.insert(*address);
                    question.ways.push(Err(NoWay::NoRoute));
                }
                Err(error) => return question.fail(error),
            }
        }
        if hidden.is_empty() {
            question.settle(Search::new(at.table, []));
        } else {
            self.put_off(Job::search(question, Search::new(at.table, hidden)));
        }
    }

    fn look_up(&mut self, address: IpAddr, at: Where) -> io::Result<Verdict> {
        Ok(match self.hands.writer.ask(way::question(address, at.vrf))? {
            Ok(RouteNetlinkMessage::NewRoute(route)) => {
                way::judge(&route, self.hands.mark, at.table, &self.links)
            }
            Ok(_) => Verdict::Others(Err(NoWay::NoRoute)),
            Err(refusal) => Verdict::Others(Err(way::refused(refusal.errno))),
        })
    }

    fn watch_routes(&mut self) -> io::Result<()> {
        if self.watch.socket.is_none() {
            let own_port = self.hands.writer.port()?;
            let socket =
                EventSocket::open_for_routes(self.settings.event_buffer, own_port, self.hands.mark.0)?;
            self.watch.socket = Some(socket);
        }
        Ok(())
    }

    /// Takes what the socket has, and tells once if any of it concerns an address that was asked about.
    pub(crate) fn hear_routes(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.watch.socket else { return Ok(()) };
        let (mut heard, mut lost) = (Vec::new(), false);
        for _ in 0..READS {
            match socket.hear()? {
                Heard::Messages(messages) => heard.extend(messages),
                Heard::Overrun => self.watch.lost = true,
                Heard::Nothing => {
                    lost = std::mem::take(&mut self.watch.lost);
                    break;
                }
            }
        }
        if lost || heard.iter().any(|(message, _)| self.watch.concerns(message)) {
            self.routes_changed();
        }
        Ok(())
    }

    fn routes_changed(&mut self) {
        if !self.watch.is_idle() {
            self.watch.addresses.clear();
            self.watch.everything = false;
            self.outlet.tell(KernelEvent::RoutesChanged);
            self.publish();
        }
    }
}

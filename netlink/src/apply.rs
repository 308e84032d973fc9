//! Carries operations out in the kernel, and finds out what a refusal means.
//!
//! Adding uses `NLM_F_EXCL`, so the kernel itself makes sure that nothing of anybody's is overwritten; who holds the
//! key is read only when it says `EEXIST`. Replacing is used on routes that we know to be ours, and without
//! `NLM_F_CREATE`: if the route has gone meanwhile, it is added instead.

use std::collections::BTreeSet;
use std::io;

use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

use crate::codec::{self, FoundAddress, FoundRoute, Mark};
use crate::frame::Refusal;
use crate::links::{LinkAddress, Links};
use crate::names::TableId;
use crate::plan::{self, Have, Holder, Key, Op, Plan, RouteKey, Want};
use crate::report::RefuseReason;
use crate::socket::{DumpSocket, WriteSocket};

/// What became of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The kernel did it (or, for a deletion, had nothing to delete).
    Done,
    /// It was already so: ours, as wanted, although we did not know.
    Already,
    /// It is not so.
    Refused(RefuseReason),
}

/// One operation and what became of it. A replace that found nothing shows as the add that followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) op: Op,
    pub(crate) outcome: Outcome,
}

/// The writing and the reading hand.
pub(crate) struct Hands {
    pub(crate) mark: Mark,
    pub(crate) writer: WriteSocket,
    pub(crate) reader: DumpSocket,
}

impl Hands {
    /// Whether the process may change anything: asks for a deletion that can only fail, and looks how.
    pub(crate) fn may_write(&mut self) -> io::Result<bool> {
        let nothing = RouteNetlinkMessage::DelAddress(AddressMessage::default());
        let answers = self.writer.carry_out(vec![(nothing, 0)])?;
        Ok(!answers.iter().any(|answer| answer.as_ref().is_err_and(|refusal| refusal.errno == Errno::EPERM)))
    }

    /// Carries the operations out in order, each whatever became of the one before.
    pub(crate) fn carry_out(&mut self, ops: Vec<Op>) -> Vec<Applied> {
        let (mut applied, contested) = self.attempt(ops);
        if !contested.is_empty() {
            applied.extend(self.settle(contested));
        }
        applied
    }

    /// The operations done or refused, and the additions whose key is held.
    fn attempt(&mut self, ops: Vec<Op>) -> (Vec<Applied>, Vec<Op>) {
        let (mut applied, mut contested, mut again) = (Vec::with_capacity(ops.len()), Vec::new(), Vec::new());
        let answers = self.write(&ops);
        for (op, answer) in ops.into_iter().zip(answers) {
            match (op, answer) {
                (op, Ok(())) => applied.push(Applied { op, outcome: Outcome::Done }),
                (op @ (Op::AddAddress(_) | Op::AddRoute(..)), Err(refusal))
                    if refusal.errno == Errno::EEXIST =>
                {
                    contested.push(op);
                }
                (Op::ReplaceRoute(key, target), Err(refusal)) if refusal.errno == Errno::ENOENT => {
                    again.push(Op::AddRoute(key, target));
                }
                (op @ (Op::DeleteAddress(..) | Op::DeleteRoute(_)), Err(refusal)) if is_absence(&refusal) => {
                    applied.push(Applied { op, outcome: Outcome::Done });
                }
                (op, Err(refusal)) => applied.push(Applied { op, outcome: refused(refusal) }),
            }
        }
        if !again.is_empty() {
            let (more, held) = self.attempt(again);
            applied.extend(more);
            contested.extend(held);
        }
        (applied, contested)
    }

    fn write(&mut self, ops: &[Op]) -> Vec<Result<(), Refusal>> {
        let requests = ops.iter().map(|op| codec::request(op, self.mark)).collect();
        self.writer.carry_out(requests).unwrap_or_else(|error| {
            let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
            tracing::error!(%error, count = ops.len(), "netlink requests not answered");
            vec![Err(Refusal { errno, message: Some(error.to_string()) }); ops.len()]
        })
    }

    /// Additions whose key is held: by somebody else (refused), or by ourselves without our knowing it.
    fn settle(&mut self, contested: Vec<Op>) -> Vec<Applied> {
        let have = match self.holders(&contested) {
            Ok(have) => have,
            Err(error) => {
                let reason = RefuseReason::Foreign { holder: format!("holder unknown: {error}") };
                let outcome = Outcome::Refused(reason);
                return contested.into_iter().map(|op| Applied { op, outcome: outcome.clone() }).collect();
            }
        };
        let (mut settled, mut again) = (Vec::new(), Vec::new());
        for op in contested {
            let Plan { ops, kept, refused } = replan(&op, &have);
            if let Some((_, Holder(holder))) = refused.into_iter().next() {
                settled.push(Applied { op, outcome: Outcome::Refused(RefuseReason::Foreign { holder }) });
                again.extend(ops);
            } else if kept > 0 {
                settled.push(Applied { op, outcome: Outcome::Already });
            } else {
                again.extend(ops);
            }
        }
        let (applied, still_held) = self.attempt(again);
        let gone_meanwhile = |op| Applied {
            op,
            outcome: Outcome::Refused(RefuseReason::Foreign {
                holder: "changing hands right now".to_owned(),
            }),
        };
        settled.extend(applied);
        settled.extend(still_held.into_iter().map(gone_meanwhile));
        settled
    }

    /// Who holds the keys of these additions.
    fn holders(&mut self, contested: &[Op]) -> io::Result<Have> {
        let keys: BTreeSet<Key> = contested.iter().map(Op::key).collect();
        let mut have = Have::default();
        if keys.iter().any(|key| matches!(key, Key::Address(_))) {
            for found in self.addresses()?.0 {
                if keys.contains(&Key::Address(found.key)) {
                    have.put_address(found.key, found.held());
                }
            }
        }
        let tables: BTreeSet<(TableId, bool)> = keys
            .iter()
            .filter_map(|key| match key {
                Key::Route(RouteKey { table, prefix, .. }) => Some((*table, prefix.is_ipv6())),
                Key::Address(_) => None,
            })
            .collect();
        for (table, v6) in tables {
            for message in self.reader.all(&table_request(table, v6))?.0 {
                let RouteNetlinkMessage::NewRoute(message) = message else { continue };
                let Some(found) = codec::found_route(&message) else { continue };
                if keys.contains(&Key::Route(found.key)) {
                    have.put_route(found.key, found.held(self.mark));
                }
            }
        }
        Ok(have)
    }

    /// All addresses, ours and others'; false if they changed under way, so that some may be missing.
    pub(crate) fn addresses(&mut self) -> io::Result<(Vec<FoundAddress>, bool)> {
        let (found, consistent) =
            self.reader.all(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
        let mark = self.mark;
        let addresses = found.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(message) => codec::found_address(message, mark),
            _ => None,
        });
        Ok((addresses.collect(), consistent))
    }

    /// All links with their addresses; false if they changed under way, so that some may be missing.
    pub(crate) fn links(&mut self) -> io::Result<(Links, bool)> {
        let mut links = Links::default();
        let (found, links_consistent) =
            self.reader.all(&RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        for message in found {
            if let RouteNetlinkMessage::NewLink(message) = message {
                links.put_found(codec::found_link(&message));
            }
        }
        let (addresses, consistent) = self.addresses()?;
        for found in addresses {
            let address = LinkAddress { ip: found.key.ip, prefix_len: found.prefix_len, ours: found.ours };
            links.add_address(found.key.link, address);
        }
        Ok((links, links_consistent && consistent))
    }

    /// The request for a dump of the routes under our mark in all tables of one family.
    pub(crate) fn own_routes_request(&self, v6: bool) -> RouteNetlinkMessage {
        let mut request = routes_request(v6);
        request.header.protocol = RouteProtocol::from(self.mark.0);
        RouteNetlinkMessage::GetRoute(request)
    }

    /// The routes of a dump that stand under our mark.
    pub(crate) fn own_routes(
        &self,
        messages: Vec<RouteNetlinkMessage>,
    ) -> impl Iterator<Item = FoundRoute> + use<> {
        let mark = self.mark;
        messages
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewRoute(message) => codec::found_route(&message),
                _ => None,
            })
            .filter(move |found| found.protocol == mark.0)
    }

    /// Everything under our mark at once; what is missed because it changed meanwhile, the next comparison finds.
    pub(crate) fn all_ours(&mut self) -> io::Result<Have> {
        let mut have = Have::default();
        for found in self.addresses()?.0.into_iter().filter(|found| found.ours) {
            have.put_address(found.key, found.held());
        }
        for v6 in [false, true] {
            let request = self.own_routes_request(v6);
            let (messages, _) = self.reader.all(&request)?;
            for found in self.own_routes(messages) {
                have.put_route(found.key, found.held(self.mark));
            }
        }
        Ok(have)
    }
}

/// The request for a dump of a table of one family.
pub(crate) fn table_request(table: TableId, v6: bool) -> RouteNetlinkMessage {
    let mut request = routes_request(v6);
    request.attributes.push(RouteAttribute::Table(table.get()));
    RouteNetlinkMessage::GetRoute(request)
}

fn routes_request(v6: bool) -> RouteMessage {
    let mut request = RouteMessage::default();
    request.header.address_family = if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    request
}

fn replan(op: &Op, have: &Have) -> Plan {
    match op {
        Op::AddRoute(key, target) => plan::plan_route(*key, Some(target), have.routes.get(key)),
        Op::AddAddress(key) => {
            let want = Want { addresses: [*key].into(), ..Want::default() };
            let held = have.addresses.get(key).map(|held| (*key, held.clone()));
            plan::plan(&want, &Have { addresses: held.into_iter().collect(), ..Have::default() })
        }
        Op::ReplaceRoute(..) | Op::DeleteAddress(..) | Op::DeleteRoute(_) => Plan::default(),
    }
}

/// The object, or the link it was on, is not there.
fn is_absence(refusal: &Refusal) -> bool {
    matches!(refusal.errno, Errno::ESRCH | Errno::ENOENT | Errno::EADDRNOTAVAIL | Errno::ENODEV)
}

fn refused(Refusal { errno, message }: Refusal) -> Outcome {
    Outcome::Refused(RefuseReason::Kernel { errno, message })
}

//! What the worker makes of the kernel's notifications.
//!
//! Nothing is repaired here. A notification changes the picture of the links, becomes an event for the owner, and
//! may call for a comparison; the comparison alone decides what is wrong. That keeps one place right about it,
//! whatever the order in which notifications, our own echoes among them, come in.

use std::io;

use netlink_packet_core::NLM_F_REPLACE;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteMessage;

use crate::codec;
use crate::links::{Link, LinkAddress, Links};
use crate::names::{LinkIndex, LinkName};
use crate::report::{CompareCause, KernelEvent, LinkDownCause};
use crate::socket::Heard;
use crate::worker::Worker;

/// Reads of the event socket to one turn of the loop, so that a storm of events does not starve the requests.
const READS: usize = 64;
/// Reads to throw away in one turn after a loss; beyond, it is tried again in the next turn.
const DISCARDS: usize = 1 << 16;

impl Worker {
    /// Takes what the event socket has.
    pub(crate) fn hear_events(&mut self) -> io::Result<()> {
        let mut heard_any = false;
        for _ in 0..READS {
            match self.listener.hear()? {
                Heard::Messages(messages) => {
                    heard_any = true;
                    for (message, flags) in messages {
                        self.heard(message, flags);
                    }
                }
                Heard::Overrun => {
                    self.events_lost = true;
                    self.outlet.tell(KernelEvent::Overrun);
                    self.want_compare(CompareCause::Overrun);
                    break;
                }
                Heard::Nothing => break,
            }
        }
        if self.events_lost {
            self.make_good()?;
        }
        if heard_any {
            self.publish();
        }
        Ok(())
    }

    /// After a loss: throws away what is waiting, since the kernel tells nothing new before that, and reads the links
    /// and addresses. What changes while they are read is heard of again, or lost again, which is heard of too.
    fn make_good(&mut self) -> io::Result<()> {
        for _ in 0..DISCARDS {
            match self.listener.hear()? {
                Heard::Messages(_) | Heard::Overrun => {}
                Heard::Nothing => {
                    match self.hands.links() {
                        Ok((links, consistent)) => {
                            self.relearn(links);
                            self.events_lost = !consistent;
                        }
                        Err(error) => {
                            let (cause, error) = (CompareCause::Overrun, error.to_string());
                            self.outlet.tell(KernelEvent::CompareFailed { cause, error });
                        }
                    }
                    self.publish();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn heard(&mut self, message: RouteNetlinkMessage, flags: u16) {
        match message {
            RouteNetlinkMessage::NewLink(message) => {
                if let Some(link) = codec::found_link(&message) {
                    self.link_told(link);
                }
            }
            RouteNetlinkMessage::DelLink(message) => {
                if let Some(link) = codec::found_link(&message) {
                    self.link_gone(link.index);
                }
            }
            RouteNetlinkMessage::NewAddress(message) => self.address_told(&message),
            RouteNetlinkMessage::DelAddress(message) => self.address_gone(&message),
            RouteNetlinkMessage::NewRoute(message) => self.route_told(&message, flags & NLM_F_REPLACE != 0),
            RouteNetlinkMessage::DelRoute(message) => self.route_told(&message, false),
            // No other group is subscribed to.
            _ => {}
        }
    }

    fn link_told(&mut self, link: Link) {
        let (index, name, up) = (link.index, link.name.clone(), link.is_up());
        let cause = if link.admin_up { LinkDownCause::Carrier } else { LinkDownCause::Admin };
        let vrf_before = self.links.by_index(index).and_then(|link| vrf_name(&self.links, link));
        let before = self.links.put(link);
        let vrf = self.links.by_index(index).and_then(|link| vrf_name(&self.links, link));
        let was_up = before.as_ref().is_some_and(Link::is_up);
        let renamed = before.as_ref().is_none_or(|before| before.name != name);
        match (was_up, up) {
            (false, true) => self.outlet.tell(KernelEvent::LinkUp { index, name }),
            (true, false) => {
                let addresses = before.map(|before| before.addresses).unwrap_or_default();
                let vrf = vrf_before;
                self.outlet.tell(KernelEvent::LinkDown { index, name, cause, vrf, addresses });
            }
            // What it carried is elsewhere now: the kernel takes it down and up again behind this.
            (true, true) if vrf_before != vrf => {
                let addresses = before.map(|before| before.addresses).unwrap_or_default();
                let (cause, vrf) = (LinkDownCause::Removed, vrf_before);
                self.outlet.tell(KernelEvent::LinkDown { index, name: name.clone(), cause, vrf, addresses });
                self.outlet.tell(KernelEvent::LinkUp { index, name });
            }
            (true, true) | (false, false) if !renamed => return,
            (true, true) | (false, false) => {}
        }
        // On link down the kernel drops IPv4 routes without a word, and on link up brings none of them back.
        self.want_compare(CompareCause::LinkChanged);
    }

    fn link_gone(&mut self, index: LinkIndex) {
        let vrf = self.links.by_index(index).and_then(|link| vrf_name(&self.links, link));
        if let Some(Link { name, addresses, .. }) = self.links.remove(index) {
            let cause = LinkDownCause::Removed;
            self.outlet.tell(KernelEvent::LinkDown { index, name, cause, vrf, addresses });
            self.want_compare(CompareCause::LinkChanged);
        }
    }

    fn address_told(&mut self, message: &AddressMessage) {
        let Some(found) = codec::found_address(message, self.hands.mark) else { return };
        let address = LinkAddress { ip: found.key.ip, prefix_len: found.prefix_len, ours: found.ours };
        let new = self.links.add_address(found.key.link, address);
        if found.ours {
            // Not our own echo: somebody adds addresses under our mark.
            if !self.ledger.holds_address(found.key) {
                self.want_compare(CompareCause::ObjectChanged);
            }
        } else if new {
            self.outlet.tell(KernelEvent::AddressAdded {
                index: found.key.link,
                ip: address.ip,
                prefix_len: address.prefix_len,
            });
            self.want_compare(CompareCause::AddressChanged);
        }
    }

    fn address_gone(&mut self, message: &AddressMessage) {
        let Some(found) = codec::found_address(message, self.hands.mark) else { return };
        let address = LinkAddress { ip: found.key.ip, prefix_len: found.prefix_len, ours: found.ours };
        let known = self.links.remove_address(found.key.link, address);
        if found.ours {
            // Not our own echo: the ledger still has it.
            if self.ledger.holds_address(found.key) {
                self.want_compare(CompareCause::ObjectChanged);
            }
        } else if known {
            let link = self.links.by_index(found.key.link);
            let vrf = link.and_then(|link| vrf_name(&self.links, link));
            self.outlet.tell(KernelEvent::AddressRemoved {
                index: found.key.link,
                vrf,
                ip: address.ip,
                prefix_len: address.prefix_len,
            });
            self.want_compare(CompareCause::AddressChanged);
        }
    }

    /// The filter on the socket lets pass what others do to routes under our mark, and replacements by others.
    fn route_told(&mut self, message: &RouteMessage, replaced: bool) {
        let Some(found) = codec::found_route(message) else { return };
        let ours = found.protocol == self.hands.mark.0;
        if ours || (replaced && self.ledger.holds_route(found.key)) {
            self.want_compare(CompareCause::ObjectChanged);
        }
    }

    /// Takes over a fresh reading of the links after events were lost, telling what differs.
    fn relearn(&mut self, fresh: Links) {
        let gone: Vec<LinkIndex> = self
            .links
            .iter()
            .map(|link| link.index)
            .filter(|index| fresh.by_index(*index).is_none())
            .collect();
        for index in gone {
            self.link_gone(index);
        }
        for link in fresh.iter() {
            self.link_told(link.clone());
        }
        self.links = fresh;
    }
}

fn vrf_name(links: &Links, link: &Link) -> Option<LinkName> {
    links.vrf_of(link).map(|vrf| vrf.name.clone())
}

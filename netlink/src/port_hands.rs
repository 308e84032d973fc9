//! Makes links as they are wanted: reads them, carries a plan out, and puts everything back if the kernel refuses a part.
//!
//! Called where nothing else is under way, at a start and at a reload, in the network namespace of the calling thread; it
//! waits for the kernel. Left out: an address of somebody else that is secondary to one of ours in its subnet goes with
//! it, as the kernel has it (`promote_secondaries` keeps it).

use std::collections::BTreeMap;
use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, Stats64};

use crate::codec;
use crate::ethtool::{self, Ethtool};
use crate::frame::Refusal;
use crate::names::{LinkIndex, LinkName};
use crate::port::{
    Counts, FoundPort, Port, PortAddress, PortError, PortOp, PortReason, Traffic, mark, plan, undone,
};
use crate::socket::{DumpSocket, WriteSocket};

/// Addresses in one subnet go with the first of them: those of ours are put back by planning again.
const ROUNDS: usize = 3;

/// The links of this network namespace.
pub struct Ports {
    mark: u8,
    writer: WriteSocket,
    reader: DumpSocket,
    ethtool: Option<Ethtool>,
}

/// What was done to which link, in order.
pub type Done = Vec<(LinkName, PortOp)>;

impl Ports {
    /// Opens its sockets. `protocol` is the number that marks our routes; addresses of links have [`mark`] of it.
    ///
    /// # Errors
    /// A socket that cannot be had.
    pub fn open(protocol: u8) -> io::Result<Self> {
        Ok(Self {
            mark: mark(protocol),
            writer: WriteSocket::open()?,
            reader: DumpSocket::open()?,
            ethtool: Ethtool::open()?,
        })
    }

    /// Every link as it is.
    ///
    /// # Errors
    /// The kernel cannot be read.
    pub fn read(&mut self) -> io::Result<Vec<FoundPort>> {
        self.look(|_| true)
    }

    /// Every link, with the speed of those that are asked for it: a driver may take its time to tell.
    fn look(&mut self, asks_speed: impl Fn(&LinkName) -> bool) -> io::Result<Vec<FoundPort>> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut ports: Vec<FoundPort> = Vec::new();
        for message in self.reader.all(&request)?.0 {
            if let RouteNetlinkMessage::NewLink(message) = message {
                ports.extend(found(&message));
            }
        }
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        for message in self.reader.all(&request)?.0 {
            let RouteNetlinkMessage::NewAddress(message) = message else { continue };
            let Some((index, address, protocol)) = found_address(&message) else { continue };
            if let Some(port) = ports.iter_mut().find(|port| port.index == index) {
                port.addresses.insert(address, protocol == Some(self.mark));
            }
        }
        if let Some(ethtool) = &mut self.ethtool {
            for port in ports.iter_mut().filter(|port| asks_speed(&port.name)) {
                port.speed = ethtool.speed(port.index)?;
            }
        }
        Ok(ports)
    }

    /// Makes the named links as wanted, and takes our addresses from all others. All of it, or nothing: what was done before
    /// the kernel refused something is put back.
    ///
    /// # Errors
    /// Every reason against it.
    pub fn make(&mut self, want: &[Port]) -> Result<Done, Vec<PortError>> {
        let mut done = Done::new();
        for _ in 0..ROUNDS {
            let has_speed =
                |name: &LinkName| want.iter().any(|port| port.link == *name && port.speed.is_some());
            let have = self.look(has_speed).map_err(|error| vec![nowhere(&error)])?;
            let ops = plan(want, &have)?;
            if ops.is_empty() {
                break;
            }
            done.extend(self.carry_out(ops, &have)?);
        }
        Ok(done)
    }

    fn carry_out(
        &mut self,
        ops: Vec<(LinkIndex, PortOp)>,
        have: &[FoundPort],
    ) -> Result<Done, Vec<PortError>> {
        let of = |index: LinkIndex| have.iter().find(|port| port.index == index);
        let mut done: Vec<(LinkIndex, PortOp)> = Vec::new();
        for (index, op) in ops {
            match self.do_one(index, &op) {
                Ok(()) => done.push((index, op)),
                Err(reason) => {
                    for (index, op) in done.iter().rev() {
                        let back = of(*index).and_then(|found| undone(op, found));
                        if let Some(Err(error)) = back.map(|op| self.do_one(*index, &op)) {
                            tracing::error!(%index, %error, "not put back");
                        }
                    }
                    let link =
                        of(index).map_or_else(|| LinkName::of_index(index), |found| found.name.clone());
                    return Err(vec![PortError { link, reason }]);
                }
            }
        }
        let named = |(index, op)| Some((of(index)?.name.clone(), op));
        Ok(done.into_iter().filter_map(named).collect())
    }

    fn do_one(&mut self, index: LinkIndex, op: &PortOp) -> Result<(), PortReason> {
        if let PortOp::SetSpeed(speed) = op {
            let refused = match &mut self.ethtool {
                None => return Err(PortReason::NoSpeed(*speed)),
                Some(ethtool) => ethtool.set_speed(index, *speed),
            };
            return match refused.map_err(|error| PortReason::Io(error.to_string()))? {
                Ok(()) => Ok(()),
                Err(refusal) if ethtool::is_unsupported(&refusal) => Err(PortReason::NoSpeed(*speed)),
                Err(refusal) => Err(kernel(op, &refusal)),
            };
        }
        let answers = self
            .writer
            .carry_out(request(index, op, self.mark).into_iter().collect())
            .map_err(|error| PortReason::Io(error.to_string()))?;
        answers.into_iter().collect::<Result<(), _>>().map_err(|refusal| kernel(op, &refusal))
    }
}

fn nowhere(error: &io::Error) -> PortError {
    PortError { link: LinkName::lo(), reason: PortReason::Io(error.to_string()) }
}

fn kernel(op: &PortOp, Refusal { errno, message }: &Refusal) -> PortReason {
    let said = message.as_ref().map_or_else(|| errno.to_string(), |message| format!("{errno}: {message}"));
    PortReason::Kernel { op: op.clone(), said }
}

/// The request for an operation, with the flags that go with it; none for what goes by another way.
fn request(index: LinkIndex, op: &PortOp, mark: u8) -> Option<(RouteNetlinkMessage, u16)> {
    let link = |change: &dyn Fn(&mut LinkMessage)| {
        let mut message = LinkMessage::default();
        message.header.index = index.get();
        change(&mut message);
        Some((RouteNetlinkMessage::SetLink(message), 0))
    };
    match op {
        PortOp::SetSpeed(_) => None,
        PortOp::SetMtu(mtu) => link(&|message| message.attributes.push(LinkAttribute::Mtu(*mtu))),
        PortOp::SetAlias(alias) => {
            link(&|message| message.attributes.push(LinkAttribute::IfAlias(alias.clone())))
        }
        PortOp::SetUp(up) => link(&|message| {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if *up { LinkFlags::Up } else { LinkFlags::empty() };
        }),
        PortOp::AddAddress(address) => {
            let mut message = bare(index, *address);
            message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(mark)));
            Some((RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL))
        }
        PortOp::DeleteAddress(address) => Some((RouteNetlinkMessage::DelAddress(bare(index, *address)), 0)),
    }
}

fn bare(index: LinkIndex, PortAddress { ip, len }: PortAddress) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: codec::family(ip),
        prefix_len: len,
        scope: AddressScope::Universe,
        index: index.get(),
        ..AddressHeader::default()
    };
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    message
}

fn found(message: &LinkMessage) -> Option<FoundPort> {
    let link = codec::found_link(message)?;
    let (mut mtu, mut least, mut most, mut alias) = (0, 0, 0, String::new());
    let mut traffic = Traffic::default();
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(value) => mtu = *value,
            LinkAttribute::MinMtu(value) => least = *value,
            LinkAttribute::MaxMtu(value) => most = *value,
            LinkAttribute::IfAlias(text) => alias.clone_from(text),
            LinkAttribute::Stats64(counted) => traffic = counts(counted),
            _ => {}
        }
    }
    Some(FoundPort {
        index: link.index,
        name: link.name,
        up: link.admin_up,
        carrier: link.carrier,
        mtu,
        mtu_bounds: (least, most),
        alias,
        speed: None,
        addresses: BTreeMap::new(),
        mac: link.mac,
        traffic,
    })
}

fn counts(counted: &Stats64) -> Traffic {
    let received = Counts {
        octets: counted.rx_bytes,
        packets: counted.rx_packets,
        errors: counted.rx_errors,
        dropped: counted.rx_dropped,
    };
    let sent = Counts {
        octets: counted.tx_bytes,
        packets: counted.tx_packets,
        errors: counted.tx_errors,
        dropped: counted.tx_dropped,
    };
    Traffic { received, sent }
}

fn found_address(message: &AddressMessage) -> Option<(LinkIndex, PortAddress, Option<u8>)> {
    let (mut local, mut peer, mut protocol) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Protocol(value) => protocol = Some(u8::from(*value)),
            _ => {}
        }
    }
    let address = PortAddress { ip: local.or(peer)?, len: message.header.prefix_len };
    Some((LinkIndex::new(message.header.index)?, address, protocol))
}

//! Speed and duplex by ethtool's netlink family: octets of its two messages, and the socket they go over.
//!
//! A message: the generic header (command, version, two octets of padding), then attributes, of which the first names the
//! link. Sources: `linux/genetlink.h`, `linux/ethtool_netlink.h`, Documentation/networking/ethtool-netlink.rst.

use std::io;
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::errno::Errno;
use socket2::SockRef;

use crate::frame::{NLMSG_ERROR, Refusal, answer, frames};
use crate::names::LinkIndex;
use crate::port::Speed;

const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const LINKMODES_GET: u8 = 4;
const LINKMODES_SET: u8 = 5;
const LINKMODES_HEADER: u16 = 1;
const LINKMODES_AUTONEG: u16 = 2;
const LINKMODES_SPEED: u16 = 5;
const LINKMODES_DUPLEX: u16 = 6;
const HEADER_DEV_INDEX: u16 = 1;
/// `NLA_F_NESTED`, and with `NLA_F_NET_BYTEORDER` what is no part of an attribute's type.
const NESTED: u16 = 1 << 15;
const TYPE_MASK: u16 = 0x3fff;

const GENERIC_HEADER: usize = 4;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks and tells drivers.
pub(crate) struct Ethtool {
    socket: Socket,
    family: u16,
    sequence: u32,
}

impl Ethtool {
    /// `None` where the kernel has no ethtool family (before Linux 5.6, or built without).
    pub(crate) fn open() -> io::Result<Option<Self>> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        SockRef::from(&socket).set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let _ = socket.set_ext_ack(true); // then refusals come with words
        let mut ethtool = Self { socket, family: GENL_ID_CTRL, sequence: 0 };
        let name = attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
        let Ok(Some(told)) = ethtool.ask(CTRL_CMD_GETFAMILY, 1, &name)? else { return Ok(None) };
        let family = value(&told, CTRL_ATTR_FAMILY_ID).and_then(|octets| octets.try_into().ok());
        Ok(family.map(|octets| Self { family: u16::from_ne_bytes(octets), ..ethtool }))
    }

    /// Speed and duplex of a link; `None` where its driver has none, or does not know them now.
    pub(crate) fn speed(&mut self, link: LinkIndex) -> io::Result<Option<Speed>> {
        let Ok(Some(told)) = self.ask(LINKMODES_GET, 1, &header(link))? else { return Ok(None) };
        Ok(read_speed(&told))
    }

    /// Sets them.
    pub(crate) fn set_speed(&mut self, link: LinkIndex, speed: Speed) -> io::Result<Result<(), Refusal>> {
        let body = [header(link), write_speed(speed)].concat();
        Ok(self.ask(LINKMODES_SET, 1, &body)?.map(drop))
    }

    /// The attributes of the answer; `None` for a plain acknowledgement.
    fn ask(&mut self, command: u8, version: u8, body: &[u8]) -> io::Result<Result<Option<Vec<u8>>, Refusal>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&message(self.family, self.sequence, command, version, body), 0)?;
        let mut told = None;
        loop {
            let mut read = Vec::with_capacity(32 << 10);
            self.socket.recv(&mut read, 0)?;
            for frame in frames(&read).filter(|frame| frame.header.sequence_number == self.sequence) {
                if frame.header.message_type == NLMSG_ERROR {
                    return Ok(answer(&frame).map(|()| told));
                }
                told = frame.payload.get(GENERIC_HEADER..).map(<[u8]>::to_vec);
            }
        }
    }
}

/// True for the kernel's no of a driver that has no such setting.
pub(crate) fn is_unsupported(refusal: &Refusal) -> bool {
    matches!(refusal.errno, Errno::EOPNOTSUPP | Errno::EINVAL)
}

fn message(family: u16, sequence: u32, command: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + GENERIC_HEADER + body.len()).unwrap_or(u32::MAX);
    let mut out = length.to_ne_bytes().to_vec();
    out.extend(family.to_ne_bytes());
    out.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]); // our port: the kernel knows it
    out.extend([command, version, 0, 0]);
    out.extend(body);
    out
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    let mut out = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn header(link: LinkIndex) -> Vec<u8> {
    attribute(LINKMODES_HEADER | NESTED, &attribute(HEADER_DEV_INDEX, &link.get().to_ne_bytes()))
}

fn write_speed(speed: Speed) -> Vec<u8> {
    match speed {
        Speed::Auto => attribute(LINKMODES_AUTONEG, &[1]),
        Speed::Fixed { megabits, full_duplex } => [
            attribute(LINKMODES_AUTONEG, &[0]),
            attribute(LINKMODES_SPEED, &megabits.to_ne_bytes()),
            attribute(LINKMODES_DUPLEX, &[u8::from(full_duplex)]),
        ]
        .concat(),
    }
}

fn read_speed(attributes: &[u8]) -> Option<Speed> {
    if value(attributes, LINKMODES_AUTONEG)? == [1] {
        return Some(Speed::Auto);
    }
    let megabits = u32::from_ne_bytes(value(attributes, LINKMODES_SPEED)?.try_into().ok()?);
    match value(attributes, LINKMODES_DUPLEX)? {
        [duplex @ (0 | 1)] if megabits != u32::MAX => {
            Some(Speed::Fixed { megabits, full_duplex: *duplex == 1 })
        }
        _unknown => None,
    }
}

/// The value of the first attribute of that kind.
fn value(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    while let Some((head, _)) = attributes.split_first_chunk::<4>() {
        let [l0, l1, k0, k1] = *head;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([k0, k1]) & TYPE_MASK == kind {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_that_is_written_is_read_again() {
        let speeds = [
            Speed::Auto,
            Speed::Fixed { megabits: 10, full_duplex: false },
            Speed::Fixed { megabits: 1000, full_duplex: true },
        ];
        for speed in speeds {
            assert_eq!(read_speed(&write_speed(speed)), Some(speed));
        }
    }

    #[test]
    fn what_a_driver_does_not_know_is_no_speed() {
        let unknown = Speed::Fixed { megabits: u32::MAX, full_duplex: true };
        assert_eq!(read_speed(&write_speed(unknown)), None);
        assert_eq!(read_speed(&attribute(LINKMODES_AUTONEG, &[0])), None);
    }

    #[test]
    fn attributes_that_are_not_whole_are_none() {
        for octets in [&[][..], &[1, 2], &[200, 0, 2, 0, 1], &[0, 0, 2, 0], &[3, 0, 2, 0]] {
            assert_eq!(value(octets, LINKMODES_AUTONEG), None, "{octets:?}");
        }
    }
}

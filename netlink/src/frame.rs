//! Octets <-> netlink messages: many to one read or write, answers with the kernel's words. Pure.
//!
//! A message: length (4 octets), type (2), flags (2), sequence number (4), port (4), payload, padding to 4.
//! An answer (`NLMSG_ERROR`): error code (4, negative), the header of the request, the request itself unless the
//! flag CAPPED is set, and attributes if the flag `ACK_TLVS` is. Source: RFC 3549 section 2.3, `linux/netlink.h`.

use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_REQUEST, NetlinkBuffer, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, Parseable,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;

pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
const NLMSG_HEADER: usize = 16;
/// `NLMSGERR_ATTR_MSG`: what went wrong, in the kernel's words.
const ATTR_MSG: u16 = 1;

/// The kernel's no to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: Errno,
    pub(crate) message: Option<String>,
}

/// One message as it came, undecoded.
pub(crate) struct Frame<'a> {
    pub(crate) header: NetlinkHeader,
    pub(crate) payload: &'a [u8],
}

/// Splits what one read returned into messages; stops at the first that is not whole.
pub(crate) fn frames(mut octets: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let buffer = NetlinkBuffer::new_checked(octets).ok()?;
        let length = usize::try_from(buffer.length()).ok()?;
        let header = NetlinkHeader::parse(&buffer).ok()?;
        let payload = octets.get(NLMSG_HEADER..length)?;
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Frame { header, payload })
    })
}

/// The content of an `NLMSG_ERROR`: `Ok` is an acknowledgement.
pub(crate) fn answer(frame: &Frame<'_>) -> Result<(), Refusal> {
    let Some((code, rest)) = frame.payload.split_first_chunk::<4>() else {
        return Err(Refusal { errno: Errno::EPROTO, message: None });
    };
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Ok(());
    }
    // Behind the code comes the header of the request, the request itself unless capped, then attributes.
    let request = NetlinkBuffer::new_checked(rest).map_or(NLMSG_HEADER, |buffer| buffer.length() as usize);
    let skip =
        if frame.header.flags & NLM_F_CAPPED != 0 { NLMSG_HEADER } else { request.next_multiple_of(4) };
    let has_attributes = frame.header.flags & NLM_F_ACK_TLVS != 0;
    let message = rest.get(skip..).filter(|_| has_attributes).and_then(extended_message);
    Err(Refusal { errno: Errno::from_raw(code.saturating_neg()), message })
}

fn extended_message(mut attributes: &[u8]) -> Option<String> {
    while let Some((head, _)) = attributes.split_first_chunk::<4>() {
        let [l0, l1, k0, k1] = *head;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([k0, k1]) == ATTR_MSG {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// Appends a request to what is sent in one go.
pub(crate) fn append(out: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16, sequence: u32) {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
    message.header.flags = flags | NLM_F_REQUEST;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = out.len();
    out.resize(start + message.buffer_len().next_multiple_of(4), 0);
    message.serialize(&mut out[start..]);
}

/// A message that this version of the decoder does not understand cannot be about an object of ours.
pub(crate) fn decode(frame: &Frame<'_>) -> Option<RouteNetlinkMessage> {
    RouteNetlinkMessage::deserialize(&frame.header, frame.payload)
        .inspect_err(
            |error| tracing::debug!(%error, kind = frame.header.message_type, "netlink message skipped"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer of the kernel to request 7: `code`, the header of the request, and an extended message.
    fn told(code: i32, text: Option<&str>) -> Vec<u8> {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend(header(20, 24, 0));
        let mut flags = NLM_F_CAPPED;
        if let Some(text) = text {
            flags |= NLM_F_ACK_TLVS;
            let length = u16::try_from(text.len() + 5).unwrap();
            payload.extend(length.to_ne_bytes());
            payload.extend(ATTR_MSG.to_ne_bytes());
            payload.extend(text.as_bytes());
            payload.push(0);
        }
        let mut whole = header(NLMSG_HEADER + payload.len(), NLMSG_ERROR, flags);
        whole.extend(payload);
        whole.resize(whole.len().next_multiple_of(4), 0);
        whole
    }

    fn header(length: usize, kind: u16, flags: u16) -> Vec<u8> {
        let mut octets = u32::try_from(length).unwrap().to_ne_bytes().to_vec();
        octets.extend(kind.to_ne_bytes());
        octets.extend(flags.to_ne_bytes());
        octets.extend(7_u32.to_ne_bytes());
        octets.extend(0_u32.to_ne_bytes());
        octets
    }

    #[test]
    fn acknowledgements_and_refusals_are_told_apart_with_the_kernels_words() {
        let octets =
            [told(0, None), told(-101, Some("Nexthop has invalid gateway")), told(-17, None)].concat();
        let answers: Vec<_> =
            frames(&octets).map(|frame| (frame.header.sequence_number, answer(&frame))).collect();
        let refused =
            |errno, message: Option<&str>| Err(Refusal { errno, message: message.map(str::to_owned) });
        assert_eq!(
            answers,
            [
                (7, Ok(())),
                (7, refused(Errno::ENETUNREACH, Some("Nexthop has invalid gateway"))),
                (7, refused(Errno::EEXIST, None)),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_octets_break_the_reading(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            for frame in frames(&octets) {
                let _ = answer(&frame);
            }
        }

        #[test]
        fn a_damaged_answer_does_not_break_the_reading(at in 0..64_usize, octet in any::<u8>()) {
            let mut octets = told(-101, Some("Nexthop has invalid gateway"));
            let at = at % octets.len();
            octets[at] = octet;
            for frame in frames(&octets) {
                let _ = answer(&frame);
            }
        }
    }
}

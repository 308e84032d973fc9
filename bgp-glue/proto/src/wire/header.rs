//! The header that every message begins with, and cutting a stream of octets into messages.
//!
//! ```text
//! +--------------------------------+----------------+----------+
//! | marker: 16 octets, all ones    | length (2)     | type (1) |
//! +--------------------------------+----------------+----------+
//! ```
//!
//! Sources: RFC 4271 sections 4.1 and 6.1, RFC 2918.

use super::notification::{Notification, reason};

/// Octets of the header.
pub const HEADER_LEN: usize = 19;

/// The longest message without the extension of RFC 8654, header included.
pub const MAX_MESSAGE_LEN: usize = 4096;

/// The longest message with it.
pub const MAX_EXTENDED_MESSAGE_LEN: usize = 65535;

/// The kinds of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Opens a session.
    Open,
    /// Carries routes.
    Update,
    /// Ends a session.
    Notification,
    /// Shows a sign of life.
    Keepalive,
    /// Asks for all routes again.
    RouteRefresh,
}

impl Kind {
    const fn to_wire(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Update => 2,
            Self::Notification => 3,
            Self::Keepalive => 4,
            Self::RouteRefresh => 5,
        }
    }

    const fn from_wire(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Open),
            2 => Some(Self::Update),
            3 => Some(Self::Notification),
            4 => Some(Self::Keepalive),
            5 => Some(Self::RouteRefresh),
            _ => None,
        }
    }

    /// Whether a message of this kind can have this length (RFC 4271 section 6.1).
    const fn allows(self, length: usize) -> bool {
        match self {
            // RFC 8654 section 4: these do not grow with the extension.
            Self::Open => length >= 29 && length <= MAX_MESSAGE_LEN,
            Self::Update => length >= 23,
            Self::Notification => length >= 21,
            Self::Keepalive => length == HEADER_LEN,
            // Judged with its subtype: those of RFC 7313 have an error of their own for a wrong length.
            Self::RouteRefresh => length >= HEADER_LEN,
        }
    }
}

/// The refusal of a message for its length. RFC 4271 section 6.1: "The Data field MUST contain the erroneous Length
/// field."
pub fn bad_length(length: usize) -> Notification {
    Notification::with_data(reason::BAD_LENGTH, &u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes())
}

/// One message cut out of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub kind: Kind,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Octets of the whole message.
    pub const fn wire_len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }
}

/// The first message of `stream`; `None` when it has not arrived whole. The header is judged as soon as it is there,
/// so that a wrong length is not waited for.
pub fn first_frame(stream: &[u8], limit: usize) -> Result<Option<Frame<'_>>, Notification> {
    let Some((header, _)) = stream.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    if header[..16] != [0xff; 16] {
        return Err(Notification::new(reason::NOT_SYNCHRONIZED));
    }
    let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
    if length < HEADER_LEN || length > limit {
        return Err(bad_length(length));
    }
    let kind = Kind::from_wire(header[18])
        .ok_or_else(|| Notification::with_data(reason::BAD_TYPE, &[header[18]]))?;
    if !kind.allows(length) {
        return Err(bad_length(length));
    }
    Ok(stream.get(HEADER_LEN..length).map(|body| Frame { kind, body }))
}

/// Appends one message whose body `write` appends.
///
/// # Panics
///
/// When the body takes the message beyond 65535 octets, which no caller may let happen.
pub fn push_message(out: &mut Vec<u8>, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&[0, 0, kind.to_wire()]);
    write(out);
    let length =
        u16::try_from(out.len() - start).expect("a message is built within the limit of its session");
    out[start + 16..start + 18].copy_from_slice(&length.to_be_bytes());
}

/// Appends a KEEPALIVE: a header and nothing else.
pub fn push_keepalive(out: &mut Vec<u8>) {
    push_message(out, Kind::Keepalive, |_| ());
}

/// Appends a NOTIFICATION. Data beyond what a message can hold is cut off.
pub fn push_notification(out: &mut Vec<u8>, notification: &Notification) {
    let start = out.len();
    push_message(out, Kind::Notification, |out| {
        notification.encode(out);
        out.truncate(start + MAX_MESSAGE_LEN);
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: u16, kind: u8) -> Vec<u8> {
        let mut octets = vec![0xff; 16];
        octets.extend(length.to_be_bytes());
        octets.push(kind);
        octets.resize(usize::from(length).max(HEADER_LEN), 0);
        octets
    }

    #[test]
    fn keepalive_is_nineteen_octets() {
        let mut out = Vec::new();
        push_keepalive(&mut out);
        assert_eq!(out, message(19, 4));
        assert_eq!(first_frame(&out, 4096), Ok(Some(Frame { kind: Kind::Keepalive, body: &[] })));
    }

    #[test]
    fn marker_other_than_ones_is_not_synchronized() {
        let mut octets = message(19, 4);
        octets[7] = 0;
        assert!(first_frame(&octets, 4096).unwrap_err().is(reason::NOT_SYNCHRONIZED));
    }

    #[test]
    fn length_is_judged_by_kind_and_returned_as_data() {
        let rows = [(18, 4), (4097, 2), (20, 4), (28, 1), (22, 2), (20, 3), (18, 5), (0, 4), (65535, 2)];
        for (length, kind) in rows {
            let error = first_frame(&message(length, kind), 4096).unwrap_err();
            assert!(error.is(reason::BAD_LENGTH), "length {length} type {kind}: {error}");
            assert_eq!(*error.data, length.to_be_bytes());
        }
    }

    #[test]
    fn unknown_type_is_returned_as_data() {
        for kind in [0, 6, 255] {
            let error = first_frame(&message(19, kind), 4096).unwrap_err();
            assert_eq!(error, Notification::with_data(reason::BAD_TYPE, &[kind]));
        }
    }

    #[test]
    fn half_a_message_is_waited_for_but_a_wrong_header_is_not() {
        let whole = message(23, 2);
        for cut in 0..23 {
            assert_eq!(first_frame(&whole[..cut], 4096), Ok(None));
        }
        assert!(first_frame(&message(5000, 2)[..19], 4096).is_err());
    }

    #[test]
    fn notification_with_too_much_data_is_cut() {
        let mut out = Vec::new();
        push_notification(&mut out, &Notification::with_data((3, 9), &[0; 9000]));
        assert_eq!(out.len(), MAX_MESSAGE_LEN);
    }

    proptest! {
        #[test]
        fn any_stream_is_cut_without_panic(octets: Vec<u8>, good_marker: bool) {
            let mut stream = if good_marker { vec![0xff; 16] } else { Vec::new() };
            stream.extend(octets);
            let _ = first_frame(&stream, 4096);
        }
    }
}

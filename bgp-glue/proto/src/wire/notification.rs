//! NOTIFICATION: why a session ends, in code, subcode and data, and in words.
//!
//! Sources: RFC 4271 sections 4.5 and 6, RFC 4486 (Cease), RFC 6608 (state machine), RFC 7313 section 5
//! (ROUTE-REFRESH), RFC 9003 (shutdown text).

use std::fmt;

use crate::types::Family;

/// The body of a NOTIFICATION message.
///
/// ```text
/// +------------+------------+---------------------+
/// | code (1)   | subcode(1) | data (variable)     |
/// +------------+------------+---------------------+
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Notification {
    /// The error code.
    pub code: u8,
    /// The error subcode; 0 is "unspecific".
    pub subcode: u8,
    /// Data that explains the error, by the rules of its subcode.
    pub data: Box<[u8]>,
}

/// Code and subcode.
pub type Reason = (u8, u8);

/// The longest shutdown text, in octets (RFC 9003 section 2).
pub const SHUTDOWN_TEXT_LIMIT: usize = 255;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = ($code:literal, $subcode:literal);)*) => {
        $($(#[$doc])* pub const $name: super::Reason = ($code, $subcode);)*
    };
}

/// Pairs of code and subcode that this speaker sends.
pub mod reason {
    reasons! {
        /// The marker is not all ones.
        NOT_SYNCHRONIZED = (1, 1);
        /// The length does not fit the message.
        BAD_LENGTH = (1, 2);
        /// There is no such message.
        BAD_TYPE = (1, 3);
        /// Not version 4.
        BAD_VERSION = (2, 1);
        /// The AS number is not the configured one.
        BAD_PEER_AS = (2, 2);
        /// The identifier is zero or, inside one AS, our own.
        BAD_IDENTIFIER = (2, 3);
        /// A parameter other than capabilities.
        BAD_PARAMETER = (2, 4);
        /// A hold time of 1 or 2 seconds.
        BAD_HOLD_TIME = (2, 6);
        /// The neighbor's role does not go with ours (RFC 9234).
        ROLE_MISMATCH = (2, 11);
        /// No family in common.
        UNSUPPORTED_CAPABILITY = (2, 7);
        /// An OPEN that does not parse.
        OPEN_UNSPECIFIC = (2, 0);
        /// An UPDATE whose routes cannot be told apart.
        MALFORMED_ATTRIBUTES = (3, 1);
        /// An attribute that every speaker has to know, and we do not.
        UNKNOWN_WELL_KNOWN = (3, 2);
        /// A prefix that is too long or cut off.
        BAD_NETWORK = (3, 10);
        /// A broken optional attribute that hides which routes it is about.
        BAD_OPTIONAL_ATTRIBUTE = (3, 9);
        /// Nothing was heard for the hold time.
        HOLD_TIMER_EXPIRED = (4, 0);
        /// A message that has no place before our OPEN.
        UNEXPECTED = (5, 0);
        /// A message that has no place before the peer's OPEN.
        UNEXPECTED_IN_OPEN_SENT = (5, 1);
        /// A message that has no place before the peer's KEEPALIVE.
        UNEXPECTED_IN_OPEN_CONFIRM = (5, 2);
        /// A message that has no place once the session is up.
        UNEXPECTED_IN_ESTABLISHED = (5, 3);
        /// The neighbor has announced more routes than it may (RFC 4486).
        MAXIMUM_PREFIXES = (6, 1);
        /// An operator stopped the session.
        ADMINISTRATIVE_SHUTDOWN = (6, 2);
        /// The neighbour left our configuration.
        PEER_DECONFIGURED = (6, 3);
        /// An operator cleared the session.
        ADMINISTRATIVE_RESET = (6, 4);
        /// The session is not wanted now.
        CONNECTION_REJECTED = (6, 5);
        /// A setting changed that a running session cannot take over.
        OTHER_CONFIGURATION_CHANGE = (6, 6);
        /// The other of two connections was kept.
        COLLISION = (6, 7);
        /// The session ends and nothing is to be kept of it (RFC 8538).
        HARD_RESET = (6, 9);
        /// BFD says that the neighbor cannot be reached (RFC 9384).
        BFD_DOWN = (6, 10);
        /// A ROUTE-REFRESH with a subtype of RFC 7313 that has another length than four octets.
        BAD_REFRESH_LENGTH = (7, 1);
        /// The neighbor takes nothing that we send (RFC 9687).
        SEND_HOLD_TIMER_EXPIRED = (8, 0);
    }
}

impl Notification {
    /// A notification without data. `reason` is one of [`reason`].
    pub fn new(reason: Reason) -> Self {
        Self::with_data(reason, &[])
    }

    /// A notification with data.
    pub fn with_data((code, subcode): Reason, data: &[u8]) -> Self {
        Self { code, subcode, data: data.into() }
    }

    /// Cease with a text for the operator on the other side (RFC 9003). A text above [`SHUTDOWN_TEXT_LIMIT`] octets
    /// is cut at a character. `reason` is administrative shutdown or reset.
    pub fn cease_with_text(reason: Reason, text: &str) -> Self {
        let mut end = text.len().min(SHUTDOWN_TEXT_LIMIT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end == 0 {
            return Self::new(reason);
        }
        let mut data = Vec::with_capacity(1 + end);
        data.push(u8::try_from(end).unwrap_or(u8::MAX));
        data.extend_from_slice(&text.as_bytes()[..end]);
        Self::with_data(reason, &data)
    }

    /// Cease because the neighbor has announced more routes of the family than this (RFC 4486 section 4).
    pub fn maximum_prefixes(family: Family, limit: u32) -> Self {
        let mut data = family.afi().to_be_bytes().to_vec();
        data.push(family.safi());
        data.extend_from_slice(&limit.to_be_bytes());
        Self::with_data(reason::MAXIMUM_PREFIXES, &data)
    }

    /// The family and limit of a Cease for too many prefixes; `None` where it does not say, which is allowed.
    pub fn prefix_limit(&self) -> Option<(Family, u32)> {
        let &[high, low, safi, a, b, c, d] = &*self.data else { return None };
        let family = Family::from_wire(u16::from_be_bytes([high, low]), safi);
        let limit = u32::from_be_bytes([a, b, c, d]);
        family.filter(|_| self.is(reason::MAXIMUM_PREFIXES)).map(|family| (family, limit))
    }

    /// This one as a hard reset (RFC 8538 section 3.1): code, subcode and data go along as its data.
    #[must_use]
    pub fn hardened(&self) -> Self {
        let data = [&[self.code, self.subcode][..], &self.data].concat();
        Self::with_data(reason::HARD_RESET, &data)
    }

    /// What a hard reset is about; `None` when it is no hard reset or does not say.
    pub fn hard_reset_for(&self) -> Option<Self> {
        if self.is(reason::HARD_RESET) { Self::decode(&self.data) } else { None }
    }

    /// Whether code and subcode are these.
    pub fn is(&self, reason: Reason) -> bool {
        (self.code, self.subcode) == reason
    }

    /// The text that came with an administrative shutdown or reset. Octets that are not UTF-8 and control characters
    /// are replaced, so that it can be logged.
    pub fn shutdown_text(&self) -> Option<String> {
        if !self.is(reason::ADMINISTRATIVE_SHUTDOWN) && !self.is(reason::ADMINISTRATIVE_RESET) {
            return None;
        }
        let (&length, rest) = self.data.split_first()?;
        let text = rest.get(..usize::from(length))?;
        if text.is_empty() {
            return None;
        }
        let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        Some(String::from_utf8_lossy(text).chars().map(printable).collect())
    }

    /// Appends the body of the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.code, self.subcode]);
        out.extend_from_slice(&self.data);
    }

    /// Reads the body of the message; `None` when there are fewer than two octets.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let (&[code, subcode], data) = body.split_first_chunk()?;
        Some(Self { code, subcode, data: data.into() })
    }

    /// The name of code and subcode as the standards have it.
    pub fn name(&self) -> &'static str {
        match (self.code, self.subcode) {
            (1, 1) => "message header error: connection not synchronized",
            (1, 2) => "message header error: bad message length",
            (1, 3) => "message header error: bad message type",
            (1, _) => "message header error",
            (2, 1) => "OPEN error: unsupported version number",
            (2, 2) => "OPEN error: bad peer AS",
            (2, 3) => "OPEN error: bad BGP identifier",
            (2, 4) => "OPEN error: unsupported optional parameter",
            (2, 6) => "OPEN error: unacceptable hold time",
            (2, 7) => "OPEN error: unsupported capability",
            (2, 11) => "OPEN error: role mismatch",
            (2, _) => "OPEN error",
            (3, 1) => "UPDATE error: malformed attribute list",
            (3, 2) => "UPDATE error: unrecognized well-known attribute",
            (3, 3) => "UPDATE error: missing well-known attribute",
            (3, 4) => "UPDATE error: attribute flags error",
            (3, 5) => "UPDATE error: attribute length error",
            (3, 6) => "UPDATE error: invalid ORIGIN attribute",
            (3, 8) => "UPDATE error: invalid NEXT_HOP attribute",
            (3, 9) => "UPDATE error: optional attribute error",
            (3, 10) => "UPDATE error: invalid network field",
            (3, 11) => "UPDATE error: malformed AS_PATH",
            (3, _) => "UPDATE error",
            (4, _) => "hold timer expired",
            (5, 1) => "state machine error: unexpected message in OpenSent",
            (5, 2) => "state machine error: unexpected message in OpenConfirm",
            (5, 3) => "state machine error: unexpected message in Established",
            (5, _) => "state machine error",
            (6, 1) => "cease: maximum number of prefixes reached",
            (6, 2) => "cease: administrative shutdown",
            (6, 3) => "cease: peer de-configured",
            (6, 4) => "cease: administrative reset",
            (6, 5) => "cease: connection rejected",
            (6, 6) => "cease: other configuration change",
            (6, 7) => "cease: connection collision resolution",
            (6, 8) => "cease: out of resources",
            (6, 9) => "cease: hard reset",
            (6, 10) => "cease: BFD down",
            (6, _) => "cease",
            (7, 1) => "ROUTE-REFRESH error: invalid message length",
            (7, _) => "ROUTE-REFRESH error",
            (8, _) => "send hold timer expired",
            (_, _) => "unknown error code",
        }
    }
}

/// The name, then code and subcode, then the text or the data: `OPEN error: bad peer AS (2/2)`.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name(), self.code, self.subcode)?;
        if let Some(inner) = self.hard_reset_for().filter(|inner| !inner.is(reason::HARD_RESET)) {
            return write!(f, ": {inner}");
        }
        if let Some(text) = self.shutdown_text() {
            return write!(f, ", text {text:?}");
        }
        if let Some((family, limit)) = self.prefix_limit() {
            return write!(f, ", {family}, limit {limit}");
        }
        if !self.data.is_empty() {
            f.write_str(", data ")?;
            // RFC 4271 allows data of any length; a log line does not.
            for octet in self.data.iter().take(32) {
                write!(f, "{octet:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_many_prefixes_say_of_which_family_and_how_many_are_allowed() {
        let sent = Notification::maximum_prefixes(Family::Ipv6Unicast, 1000);
        assert_eq!((sent.code, sent.subcode, &*sent.data), (6, 1, &[0, 2, 1, 0, 0, 3, 0xe8][..]));
        let said = "cease: maximum number of prefixes reached (6/1), ipv6-unicast, limit 1000";
        assert_eq!(sent.to_string(), said);
        assert_eq!(Notification::new(reason::MAXIMUM_PREFIXES).prefix_limit(), None);
    }

    #[test]
    fn bad_peer_as_is_named_in_words() {
        let notification = Notification::with_data(reason::BAD_PEER_AS, &[0xfd, 0xe8]);
        assert_eq!(notification.to_string(), "OPEN error: bad peer AS (2/2), data fde8");
    }

    #[test]
    fn shutdown_text_travels() {
        let sent =
            Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, "maintenance, back at noon");
        assert_eq!(sent.data[0], 25);
        assert_eq!(sent.shutdown_text().as_deref(), Some("maintenance, back at noon"));
    }

    #[test]
    fn long_shutdown_text_is_cut_at_a_character() {
        let text = "ä".repeat(200);
        let sent = Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, &text);
        assert_eq!(sent.data[0], 254);
        assert_eq!(sent.shutdown_text().unwrap(), "ä".repeat(127));
    }

    #[test]
    fn shutdown_text_that_is_not_text_is_still_printable() {
        let hostile = Notification::with_data(reason::ADMINISTRATIVE_SHUTDOWN, &[4, 0xff, b'\n', 0x1b, b'x']);
        assert_eq!(hostile.shutdown_text().unwrap(), "\u{fffd}\u{fffd}\u{fffd}x");
        let lying = Notification::with_data(reason::ADMINISTRATIVE_SHUTDOWN, &[9, b'x']);
        assert_eq!(lying.shutdown_text(), None);
    }

    #[test]
    fn hard_reset_says_what_it_is_about() {
        let shutdown = Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, "noon");
        let hard = shutdown.hardened();
        assert_eq!((hard.is(reason::HARD_RESET), hard.hard_reset_for()), (true, Some(shutdown)));
        let text = "cease: hard reset (6/9): cease: administrative shutdown (6/2), text \"noon\"";
        assert_eq!(hard.to_string(), text);
        assert_eq!(Notification::new(reason::HARD_RESET).hard_reset_for(), None);
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(code: u8, subcode: u8, data: Vec<u8>) {
            let notification = Notification::with_data((code, subcode), &data);
            let mut octets = Vec::new();
            notification.encode(&mut octets);
            prop_assert_eq!(Notification::decode(&octets), Some(notification));
        }

        #[test]
        fn any_notification_prints(octets: Vec<u8>) {
            let _ = Notification::decode(&octets).map(|notification| notification.to_string());
        }
    }
}

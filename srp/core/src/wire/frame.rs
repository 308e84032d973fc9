//! Frames: length, version, type and body.

use std::ops::RangeInclusive;

use minicbor::{Decode, Encode};

use super::message::Message;

/// Newest protocol version that this release speaks: N.
pub const VERSION: u8 = 1;

/// Oldest version that this release speaks: N-1, once there is one. Whoever does not know the peer yet speaks this one.
pub const OLDEST_VERSION: u8 = 1;

/// Longest frame that is accepted, header excluded, in octets.
pub const MAX_FRAME: usize = 256 * 1024;

const HEADER: usize = 4;

/// What is wrong with octets from the peer. None of these leaves anything in memory but a counter and a log line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The length field exceeds [`MAX_FRAME`] or cannot hold version and type.
    #[error("frame of {length} octets: a frame has 2 to {MAX_FRAME} octets after its length; link closed")]
    Length {
        /// The length field.
        length: u32,
    },
    /// The peer speaks another version.
    #[error(
        "peer speaks SRP version {theirs}, this release speaks {oldest} to {newest}: \
         upgrade the older chassis so that they are at most one version apart"
    )]
    Version {
        /// Version octet of the frame.
        theirs: u8,
        /// Oldest version that is understood.
        oldest: u8,
        /// Newest version that is understood.
        newest: u8,
    },
    /// The body is not what the type says.
    #[error("message of type {kind} with {length} octets of body cannot be read ({what}); link closed")]
    Body {
        /// Type octet of the frame.
        kind: u8,
        /// Length of the body, octets.
        length: usize,
        /// What the decoder stumbled over.
        what: String,
    },
}

/// The octets of one message in the form of [`VERSION`], ready for the socket.
pub fn encode(message: &Message) -> Vec<u8> {
    encode_as(VERSION, message)
}

/// The octets of one message in the form of a version, ready for the socket. There is one form so far.
pub fn encode_as(version: u8, message: &Message) -> Vec<u8> {
    let mut octets = vec![0; HEADER];
    octets.push(version);
    match message {
        Message::Hello(body) => put(&mut octets, 1, body),
        Message::ConfigItems(body) => put(&mut octets, 2, body),
        Message::SwitchoverRequest(body) => put(&mut octets, 3, body),
        Message::SwitchoverAbort(body) => put(&mut octets, 4, body),
        Message::Close(body) => put(&mut octets, 5, body),
        Message::TerminatePostProcess(body) => put(&mut octets, 6, body),
        Message::Unknown(kind) => octets.extend([*kind, 0xa0]),
    }
    let length = u32::try_from(octets.len() - HEADER).unwrap_or(u32::MAX);
    octets[..HEADER].copy_from_slice(&length.to_be_bytes());
    octets
}

fn put<T: Encode<()>>(octets: &mut Vec<u8>, kind: u8, body: &T) {
    octets.push(kind);
    // Writing into a Vec cannot fail, and no message type has an encoder that refuses a value.
    let Ok(()) = minicbor::encode(body, octets) else { unreachable!("a Vec takes every octet") };
}

/// Cuts a stream of octets into messages.
#[derive(Debug)]
pub struct FrameReader {
    pending: Vec<u8>,
    versions: RangeInclusive<u8>,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self { pending: Vec::new(), versions: OLDEST_VERSION..=VERSION }
    }
}

impl FrameReader {
    /// Takes octets as they come from the socket.
    pub fn push(&mut self, octets: &[u8]) {
        self.pending.extend_from_slice(octets);
    }

    /// The next whole message, if there is one. After an error the stream has no meaning any more: close it.
    pub fn next_message(&mut self) -> Result<Option<Message>, WireError> {
        let Some(header) = self.pending.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u32::from_be_bytes(*header);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        // Checked before the body arrives, so that a liar cannot make us wait for, or hold, more than a frame.
        if !(2..=MAX_FRAME).contains(&size) {
            return Err(WireError::Length { length });
        }
        let Some(frame) = self.pending.get(HEADER..HEADER + size) else { return Ok(None) };
        let message = decode(frame, &self.versions)?;
        self.pending.drain(..HEADER + size);
        Ok(Some(message))
    }
}

/// One frame without its length field.
fn decode(frame: &[u8], versions: &RangeInclusive<u8>) -> Result<Message, WireError> {
    let [version, kind, body @ ..] = frame else { return Err(WireError::Length { length: 0 }) };
    if !versions.contains(version) {
        let (oldest, newest) = (*versions.start(), *versions.end());
        return Err(WireError::Version { theirs: *version, oldest, newest });
    }
    Ok(match kind {
        1 => Message::Hello(take(*kind, body)?),
        2 => Message::ConfigItems(take(*kind, body)?),
        3 => Message::SwitchoverRequest(take(*kind, body)?),
        4 => Message::SwitchoverAbort(take(*kind, body)?),
        5 => Message::Close(take(*kind, body)?),
        6 => Message::TerminatePostProcess(take(*kind, body)?),
        unknown => Message::Unknown(*unknown),
    })
}

fn take<'b, T: Decode<'b, ()>>(kind: u8, body: &'b [u8]) -> Result<T, WireError> {
    let error = |what: String| WireError::Body { kind, length: body.len(), what };
    let mut decoder = minicbor::Decoder::new(body);
    let value = decoder.decode().map_err(|e| error(e.to_string()))?;
    if decoder.position() != body.len() {
        return Err(error(format!("{} octets follow the body", body.len() - decoder.position())));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{BootId, ChassisMode, ChassisState, Mac, Priority, RouteModifier, Span, Time};
    use crate::wire::{Close, CloseReason, ConfigItem, ConfigItems, Hello, PeerView, SwitchoverRequest};

    fn hello() -> Hello {
        Hello {
            sequence: 7,
            sent_at: Time(1_000),
            echo_sent_at: Some(Time(900)),
            boot: BootId(0xfeed),
            release: "0.1.0".into(),
            state: ChassisState::Active,
            mode: ChassisMode::Primary,
            priority: Priority(10),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            modifier: RouteModifier(1),
            standing: 4,
            echo_standing: Some(3),
            view: Some(PeerView { state: ChassisState::Standby, modifier: RouteModifier(2) }),
            config_digest: [9; 32],
            session_managers: 0,
            session_managers_connected: 0,
            bgp_neighbors: 4,
            bgp_established: 4,
            capabilities: 0,
            echo_held: Some(Span(50)),
            monitors_failed: Some(2),
            monitors_remembered: Some(1),
        }
    }

    fn read_all(octets: &[u8]) -> Result<Vec<Message>, WireError> {
        let mut reader = FrameReader::default();
        reader.push(octets);
        let mut messages = Vec::new();
        while let Some(message) = reader.next_message()? {
            messages.push(message);
        }
        Ok(messages)
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let state = prop_oneof![
            Just(ChassisState::Init),
            Just(ChassisState::Standby),
            Just(ChassisState::PendingActive),
            Just(ChassisState::Active),
            Just(ChassisState::PendingStandby)
        ];
        prop_oneof![
            (any::<u64>(), state, any::<u16>(), any::<Option<u64>>(), "[ -~]{0,20}").prop_map(
                |(sequence, state, modifier, echo_standing, release)| {
                    let modifier = RouteModifier(modifier);
                    Message::Hello(Hello { sequence, release, state, modifier, echo_standing, ..hello() })
                }
            ),
            proptest::collection::vec((".{0,12}", ".{0,12}"), 0..8).prop_map(|items| {
                let items = items.into_iter().map(|(key, value)| ConfigItem { key, value }).collect();
                Message::ConfigItems(ConfigItems { items })
            }),
            (any::<u64>(), any::<bool>(), any::<u8>()).prop_map(|(id, force, reason)| {
                Message::SwitchoverRequest(SwitchoverRequest { id, force, reason })
            }),
            ".{0,40}".prop_map(|text| Message::Close(Close { reason: CloseReason::Stopping, text })),
        ]
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(messages in proptest::collection::vec(any_message(), 0..5)) {
            let octets: Vec<u8> = messages.iter().flat_map(encode).collect();
            prop_assert_eq!(read_all(&octets), Ok(messages));
        }

        #[test]
        fn decode_never_panics(octets in any::<Vec<u8>>()) {
            let _ = read_all(&octets);
            let mut framed = u32::try_from(octets.len() + 2).expect("short").to_be_bytes().to_vec();
            for kind in 0..8 {
                framed.truncate(4);
                framed.extend([VERSION, kind]);
                framed.extend(&octets);
                let _ = read_all(&framed);
            }
        }

        #[test]
        fn the_cut_of_the_stream_does_not_matter(cut in 0_usize..200) {
            let octets = encode(&Message::Hello(hello()));
            let cut = cut.min(octets.len());
            let mut reader = FrameReader::default();
            reader.push(&octets[..cut]);
            if cut < octets.len() {
                prop_assert_eq!(reader.next_message(), Ok(None));
            }
            reader.push(&octets[cut..]);
            prop_assert_eq!(reader.next_message(), Ok(Some(Message::Hello(hello()))));
        }
    }

    #[test]
    fn unknown_fields_and_message_types_are_ignored() {
        // {0: 5, 1: true, 2: 11, 77: "later"}
        let body = [0xa4, 0, 5, 1, 0xf5, 2, 11, 24, 77, 0x65, b'l', b'a', b't', b'e', b'r'];
        let octets = [&[0, 0, 0, 2 + 15, 1, 3], body.as_slice()].concat();
        let request = SwitchoverRequest { id: 5, force: true, reason: 11 };
        assert_eq!(read_all(&octets), Ok(vec![Message::SwitchoverRequest(request)]));
        assert_eq!(read_all(&[0, 0, 0, 3, 1, 200, 0xa0]), Ok(vec![Message::Unknown(200)]));
    }

    #[test]
    fn a_body_cut_short_is_an_error_that_names_its_type() {
        let error = read_all(&[0, 0, 0, 5, 1, 3, 0xa3, 0, 5]).expect_err("two pairs are missing");
        assert!(matches!(error, WireError::Body { kind: 3, length: 3, .. }), "{error}");
    }

    #[test]
    fn oversized_frames_are_refused_before_their_body_arrives() {
        let error = read_all(&[0xff, 0xff, 0xff, 0xff]).expect_err("too long");
        assert_eq!(error, WireError::Length { length: u32::MAX });
        assert_eq!(read_all(&[0, 0, 0, 1, 1]), Err(WireError::Length { length: 1 }));
    }

    #[test]
    fn another_version_is_named_with_the_remedy() {
        let error = read_all(&[0, 0, 0, 3, 9, 1, 0xa0]).expect_err("version 9");
        assert_eq!(error, WireError::Version { theirs: 9, oldest: OLDEST_VERSION, newest: VERSION });
        assert!(error.to_string().contains("upgrade the older chassis"), "{error}");
    }

    #[test]
    fn a_release_understands_its_own_version_and_the_one_before_and_no_other() {
        for (theirs, understood) in [(1, false), (2, true), (3, true), (4, false)] {
            let mut reader = FrameReader { versions: 2..=3, ..FrameReader::default() };
            reader.push(&encode_as(theirs, &Message::Hello(hello())));
            let read = reader.next_message();
            assert_eq!(read == Ok(Some(Message::Hello(hello()))), understood, "{theirs}: {read:?}");
            if !understood {
                assert_eq!(read, Err(WireError::Version { theirs, oldest: 2, newest: 3 }));
            }
        }
    }

    #[test]
    fn what_is_spoken_is_the_newest_version_that_both_know() {
        for (capabilities, version) in [(0, 1), (1, VERSION), (255, VERSION), (1 << 40, 1)] {
            let theirs = Hello { capabilities, ..hello() };
            assert_eq!(theirs.common_version(), version.max(OLDEST_VERSION), "{capabilities:x}");
        }
        let ours = Hello { capabilities: Hello::CAPABILITIES, ..hello() };
        assert_eq!(ours.common_version(), VERSION);
    }

    #[test]
    fn octets_after_the_body_are_an_error() {
        let mut octets =
            encode(&Message::Close(Close { reason: CloseReason::Collision, text: String::new() }));
        octets.push(0);
        octets[3] += 1;
        assert!(matches!(read_all(&octets), Err(WireError::Body { kind: 5, .. })));
    }
}

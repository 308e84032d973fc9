//! Messages of the SRP link: octets to values and back.
//!
//! The link is a stream of frames, each a four-octet header, the protocol version, the message type and a body that is
//! one CBOR map (RFC 8949) keyed by field number. A reader ignores field numbers and message types that it does not
//! know and fills in fields that are absent. What cannot be said that way takes a new version.
//!
//! A release speaks versions [`OLDEST_VERSION`] to [`VERSION`], N-1 and N. Both sides greet in their oldest one, and
//! name their newest in the Hello (`capabilities`); from then on each speaks the newest that both know. So the Standby
//! is upgraded first and the pair goes on; two releases that have no version in common say so and close.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |              length of all that follows, octets               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    version    |     type      |  body: one CBOR map ...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
//! ```

mod frame;
mod message;
#[cfg(test)]
mod recorded;

pub use frame::{FrameReader, MAX_FRAME, OLDEST_VERSION, VERSION, WireError, encode, encode_as};
pub use message::{
    Close, CloseReason, ConfigItem, ConfigItems, Hello, Message, PeerView, SwitchoverAbort,
    SwitchoverRequest, TerminatePostProcess,
};

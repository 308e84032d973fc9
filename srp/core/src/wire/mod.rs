//! Messages of the SRP link: octets to values and back.
//!
//! The link is a stream of frames, each a four-octet header, the protocol version, the message type and a body that is
//! one CBOR map (RFC 8949) keyed by field number. A reader ignores field numbers and message types that it does not
//! know and fills in fields that are absent, so versions N and N-1 understand each other.
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

pub use frame::{FrameReader, MAX_FRAME, VERSION, WireError, encode};
pub use message::{
    Close, CloseReason, ConfigItem, ConfigItems, Hello, Message, PeerView, SwitchoverAbort,
    SwitchoverRequest, TerminatePostProcess,
};

//! The decoder of the link between the chassis.

use srp_core::wire::{FrameReader, MAX_FRAME, Message, WireError, encode};

use super::Target;
use crate::corpus;
use crate::feedback::Features;

pub(super) const TARGET: Target = Target { name: "link", seeds: recorded, run: stream };

/// Every message that release 0.1.0 wrote.
fn recorded() -> Vec<Vec<u8>> {
    let lines = include_str!("../../../srp/core/src/wire/recorded/0.1.0.txt").lines();
    lines.filter_map(|line| line.split_once(' ')).filter_map(|(_, digits)| corpus::octets(digits)).collect()
}

/// The first octet says in which pieces the rest arrives.
fn stream(octets: &[u8], features: &mut Features) {
    let Some((piece, octets)) = octets.split_first() else { return };
    let mut reader = FrameReader::default();
    for piece in octets.chunks(usize::from(*piece).max(1)) {
        reader.push(piece);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => {
                    features.meet(std::mem::discriminant(&message));
                    travels(message);
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(error.to_string().len() < MAX_FRAME, "it can be logged");
                    // Of a body only that it is wrong: the words about it quote it.
                    let kind = if let WireError::Body { kind, .. } = &error { *kind } else { 0 };
                    return features.meet((kind, std::mem::discriminant(&error)));
                }
            }
        }
    }
}

fn travels(message: Message) {
    if matches!(message, Message::Unknown(_)) {
        return;
    }
    let mut reader = FrameReader::default();
    reader.push(&encode(&message));
    assert_eq!(reader.next_message().expect("what we write can be read"), Some(message));
}

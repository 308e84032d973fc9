//! What is fed, and what has to hold.

mod bfd;
mod bgp;
mod image;
mod link;
mod probe;
mod session;

use crate::feedback::Features;

/// Something that takes octets.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Good inputs, beside those that are kept in `corpus/`.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics when a promise is broken, and says what the input led to.
    pub run: fn(&[u8], &mut Features),
}

/// Every target.
pub fn all() -> Vec<Target> {
    [&bgp::TARGETS[..], &[session::TARGET, link::TARGET, bfd::TARGET], &probe::TARGETS, &image::TARGETS]
        .concat()
}

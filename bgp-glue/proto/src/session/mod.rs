//! The session with one neighbour.

mod down;

pub use down::{DownReason, State};

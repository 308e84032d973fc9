//! SRP routes to BGP: what a context announces in which state, and how its neighbours look to the pair.
//!
//! The AS-path prepend count of a route *is* the chassis' route modifier (BGP-2), so a router that hears both chassis
//! prefers the one with the lower modifier. Towards internal neighbours, who must not see prepends (RFC 4271 section
//! 5.1.2), the modifier becomes LOCAL_PREF by the same strictly monotone rule.

/// The speaker that carries it out; the daemon knows BGP only through this crate.
pub use bgp_speaker as speaker;

mod announce;
mod neighbors;
mod restart;
mod settings;

pub use announce::{Announcement, announced};
pub use neighbors::{Neighbors, Standing};
pub use restart::{Left, restarted};
pub use settings::{SettingsError, speaker_config};

//! The upgrade of a redundancy pair, as a value: which steps there are, what each asks, and what makes it stop.
//!
//! What holds:
//! - The Standby comes first, and nothing restarts that serves: a chassis is reloaded only while it is Standby beside an Active.
//! - A step is begun only when the one before it is written down ([`State`]), so whoever resumes goes on there, and a step that was
//!   done and not written down is found done.
//! - The first doubt stops it with a reason. What stands then is safe: one chassis serves, and both boot what they ran before, or
//!   the new image, which was verified.
//!
//! How data moves: [`plan`] says the steps, [`work`] does the next one through a [`Pair`], which asks a chassis a command of
//! `srpctl` and returns its JSON; [`facts`] reads that, [`judge`] turns facts into doubts, [`progress`] is what is remembered. No
//! socket, process, file or clock is in here: whoever implements [`Pair`] has them.
//!
//! Source: the public procedure "Updating the Operating System" for `StarOS` ICSR pairs; its steps for hardware that is not here (cards,
//! management cards, licences) have what is nearest to them.

pub mod facts;
pub mod judge;
pub mod plan;
pub mod progress;
pub mod work;

pub use plan::{Act, Side, Step};
pub use progress::{Kind, Outcome, State};
pub use work::{Pair, Trouble};

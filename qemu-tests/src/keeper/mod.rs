//! Labs that are left up: one process holds a lab, and commands talk to it.
//!
//! What holds:
//! - Everything of a lab is a child of its holder, or a namespace that is named after the holder's process id, so a lab ends with
//!   its holder, however that ends. No list of processes is kept that could be wrong.
//! - One folder has one lab at a time: the holder has a lock on the folder, which the kernel takes back when it ends.
//! - Scenarios run inside the holder, one after the other, because measuring needs what has watched since the start.
//!
//! How data moves: `lab up` starts the holder ([`holder`]) and reads its first words from a pipe; [`state`] is what it leaves in
//! the folder for other commands; they ask it over a socket in the same folder ([`talk`]); [`end`] ends it, or clears away what
//! one that was killed has left.

pub mod end;
pub mod holder;
pub mod state;
pub mod talk;

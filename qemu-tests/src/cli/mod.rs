//! The commands of `lab`.

pub mod bench;
pub mod demo;
pub mod folder;
pub mod probe;

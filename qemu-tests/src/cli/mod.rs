//! The commands of `lab`.

pub mod demo;
pub mod probe;

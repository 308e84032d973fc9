//! The commands of `lab`.

pub mod probe;

//! The commands of `lab`.

pub mod bench;
pub mod demo;
pub mod probe;
pub mod report;
pub mod run;
pub mod up;

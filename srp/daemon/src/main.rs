//! The redundancy daemon: SRP link, BGP, kernel state and control socket of one chassis.

fn main() {}

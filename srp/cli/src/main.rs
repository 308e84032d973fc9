//! Operator commands of the redundancy pair, over the control socket of srpd.

fn main() {}

//! `lab`: the demonstration, the benchmark and the probe.

fn main() {}

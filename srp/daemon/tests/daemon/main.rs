//! The daemon as a process: in network namespaces of the test, with real kernel state, driven by its control socket.

mod bad_input;
mod contexts;
mod events;
mod examples;
mod flood;
mod layer_2;
mod links;
mod measured;
mod monitors;
mod neighbor_bfd;
mod neighbors;
mod next_hops;
mod onlookers;
mod pair;
mod pools;
mod ports;
mod probes;
mod record;
mod reload;
mod rotation;
mod show;
mod signs;
mod stopped;
mod support;
mod told;
mod unnumbered;

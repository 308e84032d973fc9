//! BFD over real sockets in network namespaces: against itself, against raw packets, against FRR and BIRD.

mod bench;
mod bird;
mod frr;
mod ours;
mod raw;
mod refused;
mod wire;

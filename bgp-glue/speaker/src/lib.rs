//! A BGP speaker: sockets, timers and tasks around bgp-proto; usable without SRP.

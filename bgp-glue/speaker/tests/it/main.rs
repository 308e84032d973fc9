//! The speaker against a scripted neighbor, FRR and BIRD. Each test makes network namespaces of its own and all its
//! traffic stays inside of them. Needs root; needs `ip`, and FRR, BIRD and
//! tshark for the tests that name them.

mod add_path;
mod again;
mod bird;
mod conformance;
mod dissect;
mod dynamic;
mod frr;
mod ipv6_next_hop;
mod limits;
mod long_lived;
mod matrix;
mod monitor;
mod netns;
mod owner;
mod prepends;
mod restart;
mod scripted;
mod scripted_peer;
mod tcp;
#[allow(dead_code, unreachable_pub, reason = "the tests need the half that gives a key to a socket")]
#[path = "../../src/tcp_auth.rs"]
mod tcp_auth;
mod unnumbered;

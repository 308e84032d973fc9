//! What can be wrong with a configuration.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::NeighborKey;

/// What is wrong with a configuration: the neighbor, the value and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// AS 0 is reserved (RFC 7607).
    #[error("local AS 0 is reserved: use your AS number")]
    LocalAsZero,
    /// Port 0 would be a random one.
    #[error("listen port 0 is not a port: use 179")]
    ListenPortZero,
    /// Two neighbors on one address.
    #[error("neighbor {neighbor} is configured twice: remove one")]
    Duplicate {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// AS 0 is reserved (RFC 7607).
    #[error("neighbor {neighbor}: remote AS 0 is reserved: use the neighbor's AS number")]
    RemoteAsZero {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// Port 0 cannot be connected to.
    #[error("neighbor {neighbor}: port 0 is not a port: use 179")]
    PortZero {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// A range without room for anybody.
    #[error("neighbors in {prefix}: a limit of 0 lets nobody in: give at least 1, or remove the range")]
    RangeLimit {
        /// The range.
        prefix: IpNetwork,
    },
    /// Two ranges of one prefix.
    #[error("neighbors in {prefix} are configured twice: remove one")]
    DuplicateRange {
        /// The range.
        prefix: IpNetwork,
    },
    /// No such number of hops.
    #[error("neighbor {neighbor}: give 1 to 255 hops, and with TTL security 1 to 254")]
    Hops {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// A segment has one signature.
    #[error(
        "neighbor {neighbor}: TCP-MD5 and TCP-AO keys: a connection has one of the two (RFC 5925 section 5.4)"
    )]
    TwoSignatures {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// Keys of a range that hold for another neighbor as well.
    #[error(
        "neighbor {inner}: the keys of {outer} hold for it too: give both TCP-AO keys, of which no two have a number in common"
    )]
    KeysOverlap {
        /// Who is inside.
        inner: IpNetwork,
        /// The range.
        outer: IpNetwork,
    },
    /// A session without a family can carry nothing.
    #[error("neighbor {neighbor}: no address family: give ipv4-unicast, ipv6-unicast or both")]
    NoFamily {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// The address belongs to no single machine.
    #[error("neighbor {neighbor}: not the address of a machine: give a unicast address")]
    NotAnAddress {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// Two neighbors on a link of which one is whoever is found there.
    #[error("neighbor {neighbor}: {other} is on the same link: give both their addresses")]
    LinkShared {
        /// The neighbor without an address.
        neighbor: NeighborKey,
        /// The other one.
        other: NeighborKey,
    },
    /// The kernel has keys by addresses, and not by links.
    #[error("neighbor {neighbor}: a key needs the neighbor's address: give it, or remove the key")]
    KeyWithoutAddress {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// A link-local address says nothing about its link, and without an address nothing else says who is meant.
    #[error(
        "neighbor {neighbor}: without an address, or with a link-local one, it needs the interface that it is on"
    )]
    NoInterface {
        /// The neighbor.
        neighbor: NeighborKey,
    },
    /// The source address cannot work.
    #[error(
        "neighbor {neighbor}: local address {local} must be our own address and of the neighbor's IP version"
    )]
    LocalAddress {
        /// The neighbor.
        neighbor: NeighborKey,
        /// What was given.
        local: IpAddr,
    },
    /// The next hop cannot work.
    #[error("neighbor {neighbor}: next hop {next_hop} must be a unicast address of ours, not the neighbor's")]
    NextHop {
        /// The neighbor.
        neighbor: NeighborKey,
        /// What was given.
        next_hop: IpAddr,
    },
}

//! Which of several paths is the best one.

/// What the decision process made of a path: the best, or the first step at which it lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The best path; it is in use.
    Best,
    /// The import policy does not name the prefix.
    RefusedByPolicy,
    /// Our own AS is in the path (RFC 4271 section 9.1.2).
    AsLoop,
    /// The next hop is an address that cannot be one (RFC 4271 section 6.3).
    NextHopUnusable,
    /// Another path has a higher LOCAL_PREF.
    LocalPref,
    /// Another path has a shorter AS_PATH.
    AsPathLength,
    /// Another path has a better ORIGIN.
    Origin,
    /// Another path of the same neighboring AS has a lower MULTI_EXIT_DISC.
    Med,
    /// Another path comes from an external neighbor.
    External,
    /// Another path comes from a neighbor with a lower identifier.
    RouterId,
    /// Another path comes from a neighbor with a lower address.
    Address,
}

//! What a case is.

use bgp_proto::wire::open::Open;
use bgp_speaker::NeighborConfig;

use crate::scripted_peer;

/// How far the session is when the case begins to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The speaker's OPEN is heard, nothing is said.
    OpenSent,
    /// OPENs are exchanged, the speaker's KEEPALIVE is heard.
    OpenConfirm,
    /// The session is up, and both End-of-RIB markers are heard.
    Established,
}

/// What has to come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A NOTIFICATION with this code and subcode, and nothing after it.
    Ends(u8, u8),
    /// The same, with this data.
    EndsWith(u8, u8, Vec<u8>),
    /// The connection ends without a word.
    HangsUp,
    /// The speaker answers with a KEEPALIVE: the OPEN is good. The session comes up and serves.
    Opens,
    /// The session goes on: a ROUTE-REFRESH is answered after everything that was said.
    Stays,
    /// The session goes on, and exactly these prefixes are in the neighbor's Adj-RIB-In and usable.
    Routes(&'static [&'static str]),
}

/// One line of a table.
pub struct Case {
    pub clause: &'static str,
    pub name: &'static str,
    pub at: At,
    pub say: Vec<u8>,
    pub expect: Expect,
    pub internal: bool,
    /// What the neighbor's OPEN is made of where the case is not about it.
    pub open: fn(Open) -> Open,
    /// What is configured for the neighbor besides the usual.
    pub config: fn(NeighborConfig) -> NeighborConfig,
}

fn case(clause: &'static str, name: &'static str, at: At, say: Vec<u8>, expect: Expect) -> Case {
    Case { clause, name, at, say, expect, internal: false, open: |open| open, config: |config| config }
}

/// The case speaks in OpenSent.
pub fn opening(clause: &'static str, name: &'static str, say: impl Into<Vec<u8>>, expect: Expect) -> Case {
    case(clause, name, At::OpenSent, say.into(), expect)
}

/// The case speaks in OpenConfirm.
pub fn confirming(clause: &'static str, name: &'static str, say: impl Into<Vec<u8>>, expect: Expect) -> Case {
    case(clause, name, At::OpenConfirm, say.into(), expect)
}

/// The case speaks on an external session that is up.
pub fn external(clause: &'static str, name: &'static str, say: impl Into<Vec<u8>>, expect: Expect) -> Case {
    case(clause, name, At::Established, say.into(), expect)
}

/// The case speaks on an internal session that is up.
pub fn internal(clause: &'static str, name: &'static str, say: impl Into<Vec<u8>>, expect: Expect) -> Case {
    external(clause, name, say, expect).internal()
}

impl Case {
    /// With a neighbor of our own AS.
    pub fn internal(self) -> Self {
        Self { internal: true, ..self }
    }

    /// With another OPEN of the neighbor.
    pub fn open(self, open: fn(Open) -> Open) -> Self {
        Self { open, ..self }
    }

    /// With another configuration of the neighbor.
    pub fn config(self, config: fn(NeighborConfig) -> NeighborConfig) -> Self {
        Self { config, ..self }
    }

    pub fn asn(&self) -> u32 {
        if self.internal { super::run::LOCAL_AS } else { super::run::REMOTE_AS }
    }

    /// The neighbor's OPEN.
    pub fn usual_open(&self) -> Open {
        (self.open)(scripted_peer::open(self.asn(), 90, 2))
    }
}

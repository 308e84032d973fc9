//! What the matrix asks of another speaker, whichever it is.

use bgp_speaker::Role;

use super::bird::Bird;
use super::exabgp::ExaBgp;
use super::gobgp::GoBgp;
use crate::frr::Frr;
use crate::netns::{Debian, Netns};

/// A speaker of a release of Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// FRR 8.4.4.
    Frr8,
    /// FRR 10.3.
    Frr10,
    /// BIRD 2.0.12.
    Bird2,
    /// BIRD 2.17.
    Bird217,
    /// BIRD 3.1.
    Bird3,
    /// GoBGP 3.10.
    GoBgp310,
    /// GoBGP 3.36.
    GoBgp336,
    /// ExaBGP 4.2.21.
    ExaBgp4221,
    /// ExaBGP 4.2.25.
    ExaBgp4225,
}

impl Release {
    /// Where it comes from.
    pub fn debian(self) -> Debian {
        match self {
            Self::Frr8 | Self::Bird2 | Self::GoBgp310 | Self::ExaBgp4221 => Debian::Twelve,
            Self::Frr10 | Self::Bird217 | Self::Bird3 | Self::GoBgp336 | Self::ExaBgp4225 => Debian::Thirteen,
        }
    }

    /// Starts it for a session, at `192.0.2.2` and `2001:db8::2`. It announces 10.9.0.0/16 and `2001:db8:9::/48`, each
    /// with the communities 65001:77, 65001:1:2 and rt:65001:9.
    pub fn start<'a>(self, netns: &'a Netns, session: &Session) -> Box<dyn Peer + 'a> {
        match self {
            Self::Frr8 | Self::Frr10 => Box::new(Frr::of_matrix(self.debian(), netns, session)),
            Self::Bird2 | Self::Bird217 | Self::Bird3 => Box::new(Bird::of_matrix(self, netns, session)),
            Self::GoBgp310 | Self::GoBgp336 => Box::new(GoBgp::start(self.debian(), netns, session)),
            Self::ExaBgp4221 | Self::ExaBgp4225 => Box::new(ExaBgp::start(self.debian(), netns, session)),
        }
    }
}

/// What both ends of a session are configured with.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a line of a configuration, there or not")]
pub struct Session {
    /// The peer dials and we wait, or the other way round.
    pub peer_opens: bool,
    /// IPv6 under the session.
    pub v6: bool,
    /// Our AS.
    pub our_as: u32,
    /// The peer's AS.
    pub their_as: u32,
    /// The secret of RFC 2385.
    pub key: Option<&'static str>,
    /// TTL security for one hop.
    pub ttl_security: bool,
    /// The peer's role (RFC 9234).
    pub role: Option<Role>,
    /// Our role.
    pub our_role: Option<Role>,
    /// Both send and receive several paths to a prefix (RFC 7911).
    pub add_path: bool,
    /// We dial too.
    pub both_open: bool,
    /// We offer to take messages of up to 65535 octets (RFC 8654). tshark 4.0 cannot read them.
    pub extended: bool,
    /// Both wait for each other's restart.
    pub restart: bool,
    /// We have been killed a moment ago: the peer keeps our routes.
    pub killed: bool,
    /// IPv4 routes have IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: bool,
    /// The peer knows no AS numbers of four octets.
    pub two_octet: bool,
}

/// The plainest session: external, IPv4, we open.
pub const PLAIN: Session = Session {
    peer_opens: false,
    v6: false,
    our_as: 65000,
    their_as: 65001,
    key: None,
    ttl_security: false,
    role: None,
    our_role: None,
    add_path: false,
    both_open: false,
    extended: false,
    restart: false,
    killed: false,
    ipv6_next_hops: false,
    two_octet: false,
};

impl Session {
    pub fn our_address(&self) -> &'static str {
        if self.v6 { "2001:db8::1" } else { "192.0.2.1" }
    }

    pub fn their_address(&self) -> &'static str {
        if self.v6 { "2001:db8::2" } else { "192.0.2.2" }
    }

    /// Our next hop of a route.
    pub fn our_next_hop(&self, prefix: &str) -> &'static str {
        if self.ipv6_next_hops || prefix.contains(':') { "2001:db8::1" } else { "192.0.2.1" }
    }

    /// The peer's next hop of its IPv4 routes.
    pub fn their_next_hop_v4(&self) -> &'static str {
        if self.ipv6_next_hops { "2001:db8::2" } else { "192.0.2.2" }
    }

    pub fn external(&self) -> bool {
        self.our_as != self.their_as
    }
}

/// A route of ours as the peer has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub as_path: Vec<u32>,
    pub next_hop: String,
    /// Written `65000:1`.
    pub communities: Vec<String>,
    /// Written `65000:1:2`.
    pub large_communities: Vec<String>,
    pub med: Option<u32>,
    /// Of internal sessions only: external ones invent their own.
    pub local_pref: Option<u32>,
}

/// Another speaker. What it says comes from its own show commands, or where it has none from what it logs.
pub trait Peer {
    /// The session is Established.
    fn established(&self) -> bool;

    /// A route of ours that it uses.
    fn heard(&self, prefix: &str) -> Option<Heard>;

    /// It has our End-of-RIB of both families. `None` where it does not say.
    fn end_of_rib(&self) -> Option<bool>;

    /// Does not announce 10.9.0.0/16 any more.
    fn forget(&self);

    /// Asks us by ROUTE-REFRESH for everything again. False where it has no such command.
    fn ask_again(&self) -> bool;

    /// Everything that it tells about how the session ended.
    fn farewell(&self) -> String;

    /// It takes the text of RFC 9003.
    fn hears_farewells(&self) -> bool {
        true
    }

    /// Ends the session with this text (RFC 9003). False where it has no such command.
    fn shut_down(&self, text: &str) -> bool;

    /// Ends without a word, as in a crash.
    fn die(&mut self);

    /// Begins anew after that.
    fn rise(&mut self);

    /// What it says when something has failed.
    fn report(&self) -> String {
        self.farewell()
    }
}

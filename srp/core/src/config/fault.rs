//! What can be wrong with a configuration file, and how it is said: one place for every text.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnetwork::IpNetwork;

use super::instance_fault::InstanceFault;
use super::interface::InterfaceFault;
use super::pool::PoolFault;
use crate::types::Span;

/// One fault of a configuration file. Prints as two lines: where, what and why; then what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: usize,
    /// Path of the key, such as `context[destination].pool[subscribers].prefix`; empty for a fault of the syntax.
    pub key: String,
    /// The value as it is written in the file, if there is one.
    pub value: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        match (self.key.is_empty(), &self.value) {
            (true, _) => {}
            (false, None) => write!(f, "{}: ", self.key)?,
            (false, Some(value)) => write!(f, "{} = {value}: ", self.key)?,
        }
        write!(f, "{}\n    {}", self.fault, self.fault.remedy())
    }
}

/// Where a value stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path of its key.
    pub key: String,
    /// Its line, counted from 1; that of its table if the value is a default.
    pub line: usize,
    /// The value as written; `None` for a default.
    pub written: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {})", self.key, self.line)
    }
}

/// What is wrong with a value, a key or a pair of them. Displays the reason; [`Fault::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    // The form of the file.
    /// The text is not TOML.
    #[error("this is not TOML: {what}")]
    Syntax {
        /// What the parser says.
        what: String,
    },
    /// A key or a plain table stands twice.
    #[error("this key or table stands twice")]
    RepeatedKey,
    /// Nothing of this name belongs here: a slip of the pen must not become a default.
    #[error("unknown key")]
    UnknownKey {
        /// The known key that looks most like it.
        nearest: Option<&'static str>,
        /// Every key that is known here.
        known: Vec<&'static str>,
    },
    /// A value that has no default is absent.
    #[error("missing")]
    Missing {
        /// Its key, without the path.
        key: &'static str,
        /// What belongs here.
        wanted: String,
    },

    // One value.
    /// The value has another type.
    #[error("a TOML {found}, where this is wanted: {wanted}")]
    WrongType {
        /// What stands there.
        found: &'static str,
        /// What belongs there.
        wanted: String,
        /// A value of the right form.
        example: &'static str,
    },
    /// A number or a duration beyond its bounds.
    #[error("out of range")]
    OutOfRange {
        /// What belongs there.
        wanted: String,
    },
    /// A text that cannot be read as what it stands for.
    #[error("cannot be read as {what}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// A value of the right form.
        example: &'static str,
    },
    /// A word that is not in the list.
    #[error("not a word that is known here")]
    NotAChoice {
        /// The words.
        words: Vec<&'static str>,
    },
    /// A duration that does not say of what.
    #[error("a duration without a unit")]
    NoUnit {
        /// The number that was written.
        number: String,
    },
    /// RFC 4271 section 4.2: "The Hold Time MUST be either zero or at least three seconds."
    #[error("RFC 4271 allows no such hold time")]
    HoldTime,
    /// RFC 7607 (0), RFC 6793 (23456), RFC 7300 (4294967295).
    #[error("AS {number} is reserved and cannot be used by a speaker")]
    ReservedAs {
        /// The number.
        number: u32,
    },
    /// RFC 6286 section 2.1: the identifier is not zero.
    #[error("0.0.0.0 is not a BGP identifier")]
    ZeroRouterId,
    /// A prefix without a mask length.
    #[error("a prefix without a mask length")]
    NoMask {
        /// The address as a host prefix.
        host: IpNetwork,
    },
    /// Bits of the prefix to the right of its mask.
    #[error("the address has bits to the right of its /{} mask", .corrected.prefix())]
    HostBits {
        /// The prefix that contains the address.
        corrected: IpNetwork,
    },
    /// A network where one address is wanted.
    #[error("a loopback carries one address, not a network")]
    NotHost {
        /// The address with a full mask.
        corrected: IpNetwork,
    },
    /// An address that no host or route can have.
    #[error("{address} is {what}")]
    NotUsable {
        /// The address.
        address: IpAddr,
        /// What kind of address it is, such as `a multicast address`.
        what: &'static str,
    },
    /// `ge` and `le` of a rule are not in order.
    #[error("mask lengths must be in the order /{length} <= ge {ge} <= le {le} <= {longest}")]
    Bounds {
        /// Mask length of the covering prefix.
        length: u8,
        /// Shortest accepted.
        ge: u8,
        /// Longest accepted.
        le: u8,
        /// Longest of the family.
        longest: u8,
    },
    /// A rule behind one that takes all its routes.
    #[error("never matches: every route that it is for is taken by {first}")]
    NeverReached {
        /// The earlier rule.
        first: Place,
    },
    /// A condition or change that does nothing in this direction.
    #[error("`{word}` {why}")]
    WordUnused {
        /// The word of the rule.
        word: &'static str,
        /// Why it has no place here.
        why: &'static str,
    },
    /// A MAC address that belongs to no chassis.
    #[error("not the MAC address of one interface")]
    NotOneMac,
    /// A protocol number that another routing program uses for its routes.
    #[error("protocol number {number} marks the routes of {owner}; srpd would remove them as stale")]
    ProtocolTaken {
        /// The number.
        number: u8,
        /// Whose it is.
        owner: &'static str,
    },
    /// The metric tells whose a route is.
    #[error("the same as kernel.metric, and the metric tells a learned route from one of this chassis")]
    SameMetric,
    /// Table 255, which the kernel fills by itself.
    #[error("table 255 holds the kernel's own local addresses")]
    LocalTable,
    /// Two routing tables for one context.
    #[error("the table of this context is that of its VRF: {vrf}")]
    TableBesideVrf {
        /// `context.vrf`.
        vrf: Place,
    },
    /// A loopback where nobody in its VRF finds it.
    #[error("lo is in no VRF, and this context is in one: {vrf}")]
    LoOutsideVrf {
        /// `context.vrf`.
        vrf: Place,
    },
    /// A path that does not fit into a socket address (`sun_path`, 108 octets with its final zero).
    #[error("{length} octets, and the path of a socket may have 107")]
    SocketPathTooLong {
        /// Length of the absolute path, octets.
        length: usize,
    },

    // Two or more values.
    /// Something that must be unique stands twice.
    #[error("the same {what} as {first}")]
    Twice {
        /// What is the same, such as `name`.
        what: &'static str,
        /// Where it stands first.
        first: Place,
    },
    /// Fewer than three Hellos fit into the dead-interval.
    #[error("dead-interval {dead} is shorter than three times hello-interval {hello}")]
    DeadTooShort {
        /// `srp.hello-interval`.
        hello: Span,
        /// `srp.dead-interval`.
        dead: Span,
    },
    /// Not even the first Standby, at 1 plus the step, would be below the threshold.
    #[error(
        "a Standby beside the Active's first route modifier, 1, would have {}, past route-modifier-threshold {threshold}",
        .delta.saturating_add(1)
    )]
    DeltaTooLarge {
        /// `srp.delta-route-modifier`.
        delta: u16,
        /// `srp.route-modifier-threshold`.
        threshold: u16,
    },
    /// One end of the link is IPv4, the other IPv6.
    #[error("of another address family than {other}")]
    FamiliesDiffer {
        /// The other value.
        other: Place,
    },
    /// Both ends of the link are the same address.
    #[error("the same address as {other}")]
    SameEnds {
        /// The other end.
        other: Place,
    },
    /// A link-local address where no interface can be named.
    #[error("a link-local address, which means nothing without an interface")]
    LinkLocalEnd,
    /// Neither `[srp.tls]` nor `plaintext = true`.
    #[error("nothing says how the link to the peer is protected")]
    NoProtection,
    /// Both `[srp.tls]` and `plaintext = true`.
    #[error("contradicts {tls}")]
    TwoProtections {
        /// The table.
        tls: Place,
    },
    /// One file in two roles.
    #[error("the same file as {other}")]
    SameFile {
        /// The other role.
        other: Place,
    },
    /// BGP would listen on the port of the link.
    #[error("the port of the SRP link, {srp}, is the same")]
    PortTaken {
        /// `srp.port`.
        srp: Place,
    },
    /// A layer-2 address on a link that has no hosts.
    #[error("on lo there are no hosts that could find this address")]
    Layer2OnLo,
    /// A layer-2 address on a VRF, which is no link at all.
    #[error("on a VRF there are no hosts that could find this address")]
    Layer2OnVrf,
    /// A layer-2 address that both chassis would have.
    #[error("both chassis would have this address at once on one link, as it is not srp-activated")]
    Layer2NotActivated,
    /// A layer-2 address that the Standby would have too.
    #[error("the Standby would have this address too: {advertise}")]
    Layer2InStandby {
        /// `srp.advertise-routes-in-standby-state`.
        advertise: Place,
    },
    /// A link-local neighbour without its interface.
    #[error("a link-local neighbour, and nothing says on which interface")]
    InterfaceMissing,
    /// An interface for a neighbour that has a global address.
    #[error("an interface has a meaning for link-local neighbours only, and {neighbor} is not one")]
    InterfaceUnused {
        /// Address of the neighbour.
        neighbor: IpAddr,
    },
    /// A neighbour with which nothing is exchanged.
    #[error("with ipv4 and ipv6 both false, nothing is exchanged with this neighbour")]
    NoFamily,
    /// Routes of the family that the session does not run over need a next hop.
    #[error("{family} routes go to a neighbour whose session is of the other family, and have no next hop")]
    NextHopMissing {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The key to set.
        key: &'static str,
    },
    /// A setting for a family that is not exchanged.
    #[error("{family} unicast is not exchanged with this neighbour, so this has no effect")]
    FamilyUnused {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The key to set.
        key: &'static str,
    },
    /// A setting that does nothing without another one.
    #[error("this has no effect without {needs}")]
    WithoutEffect {
        /// The other one.
        needs: &'static str,
    },
    /// An address of this chassis, where another machine's belongs.
    #[error("an address of this chassis itself: {ours}")]
    OurOwnAddress {
        /// Where it is configured as ours.
        ours: Place,
    },
    /// A loopback with an address that another machine, or the link, already has.
    #[error("this address is in use: {user}")]
    AddressInUse {
        /// By whom.
        user: Place,
    },
    /// Nothing vouches for the peer beside the dead-interval.
    #[error("there is no [[srp.bfd]], so the dead-interval is all there is")]
    NoBfd,
    /// A monitor by BFD of a neighbour that has none.
    #[error("this neighbour of context {context} has no BFD")]
    NeighborWithoutBfd {
        /// The context.
        context: String,
    },
    /// A packet over one link has a TTL of 255, or is refused (RFC 5881 section 5).
    #[error("a session over one link takes no other TTL than 255")]
    TtlOfOneHop,
    /// Our end of the session is part of what the neighbour is configured with.
    #[error("a BFD session with a neighbour, and nothing says from which address")]
    BfdWithoutLocalAddress,
    /// A monitor for a context that is not configured.
    #[error("no context of this name is configured")]
    UnknownContext {
        /// Names that are.
        known: Vec<String>,
    },
    /// What is wrong with a BGP instance, its groups, ranges and listeners.
    #[error(transparent)]
    Instance(InstanceFault),
    /// What is wrong with an interface, or with what refers to one.
    #[error(transparent)]
    Interface(InterfaceFault),
    /// What is wrong with a pool.
    #[error(transparent)]
    Pool(PoolFault),
    /// A monitor for a neighbour that the context does not have.
    #[error("context {context} has no neighbour of this address")]
    UnknownNeighbor {
        /// The context.
        context: String,
        /// Neighbours that it has.
        known: Vec<IpAddr>,
    },
}

impl Fault {
    /// What to do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::Syntax { .. } => {
                "correct this line; keys and values are checked once the file is TOML".into()
            }
            Self::RepeatedKey => "keep one of the two; lists of tables have [[two brackets]]".into(),
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::UnknownKey { nearest: None, known } => format!("known here: {}", known.join(", ")),
            Self::Missing { key, wanted } => format!("add {key} to this table: {wanted}"),
            Self::OutOfRange { wanted } => format!("allowed: {wanted}"),
            Self::WrongType { example, .. } | Self::Malformed { example, .. } => {
                format!("write it like this: {example}")
            }
            Self::NotAChoice { words } => format!("write one of: {}", words.join(", ")),
            Self::NoUnit { number } => format!("write a unit: \"{number}s\" or \"{number}ms\""),
            Self::HoldTime => {
                "write \"0s\" (never expires) or whole seconds from \"3s\" to \"65535s\"".into()
            }
            Self::ReservedAs { .. } => "write a number from 1 to 4294967294, other than 23456".into(),
            Self::ZeroRouterId => {
                "write an IPv4 address of this chassis that no other BGP speaker uses".into()
            }
            Self::NoMask { host } => format!("write \"{host}\" for this one address, or a shorter mask"),
            Self::HostBits { corrected } | Self::NotHost { corrected } => format!("write \"{corrected}\""),
            Self::NotUsable { .. } => {
                "write a unicast address or prefix that can be reached from elsewhere".into()
            }
            Self::Bounds { .. } => "leave out ge and le to accept exactly the prefix".into(),
            Self::NeverReached { .. } => "put it before the other one, or remove it".into(),
            Self::WordUnused { word, .. } => format!("remove `{word}` from this rule, or remove the rule"),
            Self::NotOneMac => {
                "write that of an interface, or leave it out to take the one with bind-address".into()
            }
            Self::ProtocolTaken { .. } => "write a number that /etc/iproute2/rt_protos does not list".into(),
            Self::SameMetric => "write another number, such as 83".into(),
            Self::TableBesideVrf { .. } => "remove table: the kernel says which one the VRF has".into(),
            Self::LoOutsideVrf { .. } => "remove interface: the address is then on the VRF itself".into(),
            Self::LocalTable => "write 254 (the main table) or a table of its own".into(),
            Self::SocketPathTooLong { .. } => "choose a shorter path, such as \"/run/srp/srpd.sock\"".into(),
            Self::Twice { what: what @ ("name" | "prefix"), .. } => {
                format!("give each its own {what}, or remove one of the two")
            }
            Self::Twice { .. } => "remove one of the two".into(),
            Self::DeadTooShort { hello, .. } => {
                format!(
                    "set srp.dead-interval to \"{}\" or more, or srp.hello-interval to less",
                    hello.times(3)
                )
            }
            Self::DeltaTooLarge { delta, threshold } => format!(
                "set srp.delta-route-modifier to {} or less, or srp.route-modifier-threshold to {} or more",
                threshold.saturating_sub(1),
                delta.saturating_add(1)
            ),
            Self::FamiliesDiffer { .. } => "write two IPv4 addresses or two IPv6 addresses".into(),
            Self::SameEnds { .. } => "bind-address is this chassis, peer-ip-address the other one".into(),
            Self::LinkLocalEnd => "write an IPv4, a global or a unique-local IPv6 address".into(),
            Self::NoProtection => "run `srpctl keygen --out DIR NAME` on both chassis and add [srp.tls], \
                                   or write plaintext = true if the link needs no protection"
                .into(),
            Self::TwoProtections { .. } => {
                "remove plaintext to protect the link, or the [srp.tls] table".into()
            }
            Self::SameFile { .. } => "key and certificate are this chassis' own, peer-certificate is the \
                                      certificate file copied from the peer"
                .into(),
            Self::NoBfd => "add [[srp.bfd]] with peer-address and local-address, or leave this out".into(),
            Self::NeighborWithoutBfd { .. } => "add [context.bgp.neighbor.bfd] to the neighbour".into(),
            Self::TtlOfOneHop => "set multihop = true if routers are between, or remove this".into(),
            Self::BfdWithoutLocalAddress => "add local-address to this neighbour".into(),
            Self::PortTaken { .. } => "choose another port for one of the two".into(),
            Self::Layer2OnLo | Self::Layer2OnVrf => {
                "add interface = \"NAME\", the link to the subnet of this address".into()
            }
            Self::Layer2NotActivated => "set srp-activate = true, or remove layer-2".into(),
            Self::Layer2InStandby { .. } => {
                "remove advertise-routes-in-standby-state, or layer-2 from this loopback".into()
            }
            Self::InterfaceMissing => "add interface = \"NAME\" to this neighbour".into(),
            Self::InterfaceUnused { .. } => "remove it".into(),
            Self::NoFamily => "set one of them to true, or remove the neighbour".into(),
            Self::NextHopMissing { key, .. } => {
                format!("add {key} = \"ADDRESS\", an address of this chassis")
            }
            Self::FamilyUnused { key, .. } => format!("set {key} = true, or remove this"),
            Self::WithoutEffect { needs } => format!("set {needs}, or remove this"),
            Self::OurOwnAddress { .. } => "write the address of the neighbour".into(),
            Self::AddressInUse { .. } => "choose an address that nothing else has".into(),
            Self::Instance(fault) => fault.remedy(),
            Self::Interface(fault) => fault.remedy(),
            Self::Pool(fault) => fault.remedy(),
            Self::UnknownContext { known } if known.is_empty() => "add a [[context]] table".into(),
            Self::UnknownContext { known } => format!("write one of: {}", known.join(", ")),
            Self::UnknownNeighbor { known, .. } if known.is_empty() => {
                "add a [[context.bgp.neighbor]] table to that context".into()
            }
            Self::UnknownNeighbor { known, .. } => {
                let known: Vec<_> = known.iter().map(IpAddr::to_string).collect();
                format!("write one of: {}", known.join(", "))
            }
        }
    }
}

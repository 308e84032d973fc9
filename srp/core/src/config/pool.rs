//! `[[context.pool]]`: address pools (POOL-1, POOL-2).
//!
//! What a pool does now: each of its prefixes is a route in the kernel and in BGP, while the chassis is Active or always. Kind,
//! priority, group and timers say how addresses are given out, which both chassis must do alike: they are compared, and so
//! is which pools are busied out. A pool that is busied out keeps its routes, as those who have an address of it keep it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;

use super::across::{Claim, ContextClaims, report_twice};
use super::fault::{Fault, Place};
use super::kind::{Choice, Duration, Flag, Integer, Name, PoolAddresses, Prefix, word};
use super::model::Action;
use super::reader::{Found, Reported, Section};
use crate::types::Span;

/// An address pool: a route in the kernel and in BGP for each of its prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Unique name within the context.
    pub name: String,
    /// Its addresses, at least one entry.
    pub addresses: Vec<PoolRange>,
    /// What the kernel does with packets to addresses without a lease.
    pub action: Action,
    /// Installed and announced only by the Active; otherwise always.
    pub srp_activate: bool,
    /// Who gets its addresses.
    pub kind: PoolKind,
    /// The group that it is asked for by.
    pub group_name: Option<String>,
    /// 0 ..= 31556926 s; default 0: how long an address is kept for who had it.
    pub address_hold_timer: Span,
    /// 20 ..= 86400 s: how long an address that came back is given to nobody else.
    pub address_quarantine_timer: Option<Span>,
    /// It gives out no more addresses; default false.
    pub busyout: bool,
}

impl PoolConfig {
    /// A pool of one prefix of which nothing else is said.
    pub fn new(name: impl Into<String>, prefix: IpNetwork) -> Self {
        Self {
            name: name.into(),
            addresses: vec![PoolRange::Prefix(prefix)],
            action: Action::default(),
            srp_activate: false,
            kind: PoolKind::default(),
            group_name: None,
            address_hold_timer: Span::ZERO,
            address_quarantine_timer: None,
            busyout: false,
        }
    }

    /// The fewest prefixes that hold exactly its addresses: its routes.
    pub fn prefixes(&self) -> impl Iterator<Item = IpNetwork> + '_ {
        self.addresses.iter().flat_map(|range| range.prefixes())
    }
}

/// Addresses of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolRange {
    /// A prefix; host bits are zero.
    Prefix(IpNetwork),
    /// From the first to the last, both of one family and in this order.
    Range {
        /// The first.
        first: IpAddr,
        /// The last.
        last: IpAddr,
    },
}

impl fmt::Display for PoolRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Range { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

impl PoolRange {
    /// The fewest prefixes that hold exactly its addresses.
    pub fn prefixes(self) -> Vec<IpNetwork> {
        match self {
            Self::Prefix(prefix) => vec![prefix],
            Self::Range { first: IpAddr::V4(first), last: IpAddr::V4(last) } => {
                let prefix = |bits: u128, length| {
                    let bits = u32::try_from(bits).unwrap_or(u32::MAX);
                    IpNetwork::new(Ipv4Addr::from_bits(bits).into(), length)
                };
                split(first.to_bits().into(), last.to_bits().into(), 32, prefix)
            }
            Self::Range { first: IpAddr::V6(first), last: IpAddr::V6(last) } => {
                let prefix = |bits, length| IpNetwork::new(Ipv6Addr::from_bits(bits).into(), length);
                split(first.to_bits(), last.to_bits(), 128, prefix)
            }
            // Two families, which the reader refuses.
            Self::Range { .. } => Vec::new(),
        }
    }
}

/// From the first address on, each time the largest prefix that begins there and does not go past the last.
fn split<E>(
    first: u128,
    last: u128,
    longest: u8,
    prefix: impl Fn(u128, u8) -> Result<IpNetwork, E>,
) -> Vec<IpNetwork> {
    let mut prefixes = Vec::new();
    let mut next = Some(first);
    while let Some(from) = next.filter(|from| *from <= last) {
        // As many bits as are zero at its end, and as fit: 2^bits - 1 <= last - from.
        let aligned = from.trailing_zeros().min(u32::from(longest));
        let room = (last - from).checked_add(1).map_or(u32::from(longest), u128::ilog2);
        let bits = aligned.min(room);
        let length = longest - u8::try_from(bits).unwrap_or(longest);
        prefixes.extend(prefix(from, length));
        next = 1_u128.checked_shl(bits).and_then(|count| from.checked_add(count));
    }
    prefixes
}

/// Who gets the addresses of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Who asks for one address of it; 0 ..= 10, of which 0 comes first.
    Private(u8),
    /// The same, with addresses that are routed by everybody.
    Public(u8),
    /// Who has a fixed one.
    Static,
}

impl Default for PoolKind {
    fn default() -> Self {
        Self::Private(0)
    }
}

impl PoolKind {
    /// The word of a file.
    pub fn word(self) -> &'static str {
        let kind = match self {
            Self::Private(_) => Word::Private,
            Self::Public(_) => Word::Public,
            Self::Static => Word::Static,
        };
        word(WORDS, &kind)
    }

    /// Its place among those of its kind.
    pub fn priority(self) -> Option<u8> {
        match self {
            Self::Private(priority) | Self::Public(priority) => Some(priority),
            Self::Static => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Private,
    Public,
    Static,
}

const WORDS: &[(&str, Word)] =
    &[("private", Word::Private), ("public", Word::Public), ("static", Word::Static)];

const ACTIONS: Choice<Action> =
    Choice(&[("blackhole", Action::Blackhole), ("unreachable", Action::Unreachable)]);

/// What is wrong with a pool. Displays the reason; [`PoolFault::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolFault {
    /// No addresses.
    #[error("nothing says which addresses it has")]
    NoAddresses,
    /// Two ways of saying it.
    #[error("contradicts {prefix}")]
    SaidTwice {
        /// `prefix`.
        prefix: Place,
    },
    /// Two families, or the wrong way round.
    #[error("not from a first address to a last one of the same family")]
    NotARange,
    /// A range that would be too many routes.
    #[error("{count} routes, the fewest that hold exactly these addresses")]
    TooManyRoutes {
        /// How many.
        count: usize,
    },
    /// Pools with fixed addresses are not chosen among.
    #[error("a static pool is not chosen by priority")]
    StaticPriority,
}

impl From<PoolFault> for Fault {
    fn from(fault: PoolFault) -> Self {
        Self::Pool(fault)
    }
}

impl PoolFault {
    /// What to do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoAddresses => "add prefix = \"10.0.0.0/16\", or prefixes with several or ranges".into(),
            Self::SaidTwice { .. } => "put that one into prefixes, or remove one of the two".into(),
            Self::NotARange => "write it like this: \"10.0.0.10-10.0.0.99\"".into(),
            Self::TooManyRoutes { .. } => "write bounds at which a prefix begins and ends".into(),
            Self::StaticPriority => "remove priority, or write kind = \"private\" or \"public\"".into(),
        }
    }
}

pub(super) fn read_all(s: &Section<'_, '_>, claims: &mut ContextClaims) -> Result<Vec<PoolConfig>, Reported> {
    let mut names = Vec::new();
    let pools: Vec<_> = s
        .tables("pool", "name")?
        .into_iter()
        .map(|pool| pool.read(|pool| read(pool, claims, &mut names)))
        .collect();
    report_twice(s, "name", &names);
    pools.into_iter().collect()
}

fn read(
    s: &Section<'_, '_>,
    claims: &mut ContextClaims,
    names: &mut Vec<Found<String>>,
) -> Result<PoolConfig, Reported> {
    let name = s.required("name", &Name);
    let addresses = read_addresses(s);
    let action = s.or("action", &ACTIONS, Action::default());
    let srp_activate = s.or("srp-activate", &Flag, false);
    let kind = read_kind(s);
    let group_name = s.optional("group-name", &Name);
    let span = |min, max| Duration { min, max };
    let hold = s.or("address-hold-timer", &span(Span::ZERO, Span::secs(31_556_926)), Span::ZERO);
    let quarantine = s.optional("address-quarantine-timer", &span(Span::secs(20), Span::secs(86_400)));
    let busyout = s.or("busyout", &Flag, false);
    names.extend(name.clone());
    for range in addresses.iter().flatten() {
        let claim = |prefix| Claim { prefix, is_loopback: false, at: range.at.clone() };
        claims.prefixes.extend(range.value.prefixes().into_iter().map(claim));
    }
    Ok(PoolConfig {
        name: name?.value,
        addresses: addresses?.into_iter().map(|range| range.value).collect(),
        action: action?.value,
        srp_activate: srp_activate?.value,
        kind: kind?,
        group_name: group_name?.map(|name| name.value),
        address_hold_timer: hold?.value,
        address_quarantine_timer: quarantine?.map(|timer| timer.value),
        busyout: busyout?.value,
    })
}

/// `prefix`, or `prefixes`: one of the two.
fn read_addresses(s: &Section<'_, '_>) -> Result<Vec<Found<PoolRange>>, Reported> {
    let prefix = s.optional("prefix", &Prefix);
    let several = s.list("prefixes", &PoolAddresses, "[\"10.1.0.0/16\", \"10.2.0.10-10.2.0.99\"]");
    let (prefix, several) = (prefix?, several?);
    match (prefix, several.as_slice()) {
        (None, []) => Err(s.report(&s.place_of_absent("prefix"), PoolFault::NoAddresses.into())),
        (Some(prefix), []) => Ok(vec![Found { value: PoolRange::Prefix(prefix.value), at: prefix.at }]),
        (Some(prefix), [first, ..]) => {
            Err(s.report(&first.at, PoolFault::SaidTwice { prefix: prefix.at }.into()))
        }
        (None, [_, ..]) => Ok(several),
    }
}

fn read_kind(s: &Section<'_, '_>) -> Result<PoolKind, Reported> {
    let kind = s.or("kind", &Choice(WORDS), Word::Private);
    let priority = s.or("priority", &Integer::<u8>::new(0, 10), 0)?;
    match kind?.value {
        Word::Private => Ok(PoolKind::Private(priority.value)),
        Word::Public => Ok(PoolKind::Public(priority.value)),
        Word::Static if priority.at.written.is_some() => {
            Err(s.report(&priority.at, PoolFault::StaticPriority.into()))
        }
        Word::Static => Ok(PoolKind::Static),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> PoolRange {
        let address = |text: &str| text.parse().expect("an address");
        PoolRange::Range { first: address(first), last: address(last) }
    }

    fn prefixes(range: PoolRange) -> Vec<String> {
        range.prefixes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_range_is_the_fewest_prefixes_that_hold_exactly_it() {
        let rows: &[(&str, &str, &[&str])] = &[
            ("10.0.0.10", "10.0.0.10", &["10.0.0.10/32"]),
            ("10.0.0.0", "10.0.0.255", &["10.0.0.0/24"]),
            ("10.0.0.10", "10.0.0.20", &["10.0.0.10/31", "10.0.0.12/30", "10.0.0.16/30", "10.0.0.20/32"]),
            ("10.0.0.1", "10.0.0.4", &["10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/32"]),
            ("0.0.0.0", "255.255.255.255", &["0.0.0.0/0"]),
            ("255.255.255.254", "255.255.255.255", &["255.255.255.254/31"]),
            ("2001:db8::", "2001:db8::ffff", &["2001:db8::/112"]),
            ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["::/0"]),
        ];
        for (first, last, expected) in rows {
            assert_eq!(prefixes(range(first, last)), *expected, "{first}-{last}");
        }
    }

    #[test]
    fn no_range_of_256_addresses_is_more_or_less_than_its_prefixes() {
        for first in 0..=255_u8 {
            for last in first..=255 {
                let ends = [first, last].map(|octet| IpAddr::from([10, 0, 0, octet]));
                let held = PoolRange::Range { first: ends[0], last: ends[1] }.prefixes();
                let addresses: u64 = held.iter().map(|prefix| 1 << (32 - prefix.prefix())).sum();
                assert_eq!(addresses, u64::from(last - first) + 1);
                assert!(ends.iter().all(|end| held.iter().any(|prefix| prefix.contains(*end))));
            }
        }
    }
}

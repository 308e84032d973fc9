//! `[[context.bgp.range]]`: neighbours that are not named, and may come from a prefix.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::across::{ContextClaims, is_link_local, report_twice};
use super::bgp::{Instance, read_session};
use super::fault::Fault;
use super::group::{Groups, NEIGHBOR};
use super::instance_fault::InstanceFault;
use super::kind::{AsNumber, Integer, Prefix};
use super::model::NeighborConfig;
use super::reader::{Found, Reported, Section};

/// Neighbours that are not named one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeConfig {
    /// Where they come from; a named neighbour in it goes before, and of two ranges the longer one.
    pub prefix: IpNetwork,
    /// 1 ..= 5000; default 100: how many there may be at once.
    pub limit: u16,
    /// AS numbers that they may have instead of that of `session`, all external.
    pub alternate_as: Vec<u32>,
    /// What each of them is like; its address is that of the prefix and means nothing, `passive` is true and `bfd` absent.
    pub session: NeighborConfig,
}

/// Keys of a named neighbour that have no meaning for one that comes by itself, and why.
const NAMED_ONLY: &[(&str, &str)] = &[
    ("address", "its neighbours come from prefix"),
    ("interface", "its neighbours come from prefix"),
    ("passive", "its neighbours are waited for in any case"),
    ("port", "its neighbours are not called"),
    ("bfd", "BFD needs a neighbour that is named"),
];

pub(super) fn read(
    s: &Section<'_, '_>,
    instance: &Instance,
    groups: &Groups<'_, '_>,
    claims: &mut ContextClaims,
) -> Result<Vec<RangeConfig>, Reported> {
    let sections = s.tables("range", "prefix").inspect_err(|_| claims.neighbors_unread = true)?;
    let mut prefixes = Vec::new();
    let ranges: Vec<_> = sections
        .into_iter()
        .map(|range| groups.give(range).read(|range| read_range(range, instance, groups, &mut prefixes)))
        .collect();
    report_twice(s, "prefix", &prefixes);
    claims.ranges.extend(prefixes);
    let ranges: Result<Vec<_>, _> = ranges.into_iter().collect();
    claims.neighbors_unread |= ranges.is_err();
    ranges
}

fn read_range(
    s: &Section<'_, '_>,
    instance: &Instance,
    groups: &Groups<'_, '_>,
    prefixes: &mut Vec<Found<IpNetwork>>,
) -> Result<RangeConfig, Reported> {
    let prefix = s.required("prefix", &Prefix);
    let limit = s.or("limit", &Integer::<u16>::new(1, 5_000), 100);
    let group = groups.name(s);
    let alternate_as = read_alternate_as(s, instance);
    prefixes.extend(prefix.clone());
    for (key, why) in NAMED_ONLY {
        if let Some(at) = s.own_place(key) {
            s.report(&at, InstanceFault::NamedOnly { why }.into());
        }
    }
    if let Ok(prefix) = &prefix
        && is_link_local(prefix.value.ip())
    {
        s.report(&prefix.at, Fault::LinkLocalEnd);
    }
    // Any address of it would do for the rules between its keys.
    let address =
        prefix.as_ref().map(|prefix| Found::<IpAddr> { value: prefix.value.ip(), at: prefix.at.clone() });
    let address = address.map_err(|reported| *reported);
    let session =
        s.read_like(NEIGHBOR, false, |s| read_session(s, &address, &Ok(None), instance, false, None));
    let session = NeighborConfig { group: group?, passive: true, port: instance.port, ..session? };
    let prefix = prefix?;
    Ok(RangeConfig { prefix: prefix.value, limit: limit?.value, alternate_as: alternate_as?, session })
}

/// One session cannot be internal or external as it comes.
fn read_alternate_as(s: &Section<'_, '_>, instance: &Instance) -> Result<Vec<u32>, Reported> {
    let numbers = s.list("alternate-as", &AsNumber, "[65101, 65102]")?;
    if let Some(own) = numbers.iter().find(|number| Some(number.value) == instance.local_as) {
        return Err(s.report(&own.at, InstanceFault::InternalAlternate.into()));
    }
    report_twice(s, "AS", &numbers);
    Ok(numbers.into_iter().map(|number| number.value).collect())
}

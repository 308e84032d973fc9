//! `prepends` of a BGP neighbour: how often its domain sees our AS at each route modifier.
//!
//! What always holds: a higher modifier has more prepends, so no router of the domain ever prefers a Standby (DESIGN
//! section 3). Each entry is higher than the one before it, and each modifier behind the table has one more than the one
//! before it, so a table covers every modifier that there is, the initial ones as well. The highest of those is 65
//! (threshold 32, step 31), which with [`MOST`] stays below the 255 that a route can have.

use super::bgp::Instance;
use super::instance_fault::InstanceFault;
use super::kind::Integer;
use super::reader::{Found, Reported, Section};

/// The highest entry of a table.
const MOST: u32 = 100;

/// Reads the table; `remote_as` and `local_as` are the ends of the session.
pub(super) fn read(
    s: &Section<'_, '_>,
    instance: &Instance,
    remote_as: Option<u32>,
    local_as: Option<u32>,
) -> Result<Vec<u8>, Reported> {
    let table = s.list("prepends", &Integer::<u8>::new(0, MOST), "[1, 2, 3, 5]")?;
    for pair in table.windows(2) {
        if let [before, entry] = pair
            && before.value >= entry.value
        {
            return Err(s.report(&entry.at, InstanceFault::PrependsNotRising { before: before.value }.into()));
        }
    }
    let is_internal = remote_as.is_some() && remote_as == local_as.or(instance.local_as);
    if is_internal && let Some(first) = table.first() {
        if s.is_own(&first.at) {
            return Err(s.report(&first.at, InstanceFault::PrependsInternal.into()));
        }
        // A group may have internal neighbours beside external ones.
        return Ok(Vec::new());
    }
    Ok(table.into_iter().map(|Found { value, .. }| value).collect())
}

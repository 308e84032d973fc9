//! What the kernel side tells its owner: reports as answers, events as they happen.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use nix::errno::Errno;

use crate::links::LinkAddress;
use crate::names::{LinkIndex, LinkName, TableId};
use crate::prefix::Prefix;

/// Something of ours in the kernel, as an operator would name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A host address on a link.
    Address {
        /// The address.
        ip: IpAddr,
        /// The link; by name where the name is known.
        link: LinkName,
    },
    /// A route.
    Route {
        /// Its table.
        table: TableId,
        /// Its destination.
        prefix: Prefix,
        /// Its metric.
        metric: u32,
    },
    /// A route of a VRF that is not there, so that its table is not known.
    RouteOfVrf {
        /// The VRF.
        vrf: LinkName,
        /// Its destination.
        prefix: Prefix,
    },
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { ip, link } => write!(f, "address {ip} on {link}"),
            Self::Route { table, prefix, metric } => {
                write!(f, "route {prefix} table {table} metric {metric}")
            }
            Self::RouteOfVrf { vrf, prefix } => write!(f, "route {prefix} of VRF {vrf}"),
        }
    }
}

/// Why an object could not be brought to its wanted state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefuseReason {
    /// An object with the same key is there and not ours; it stays as it is.
    #[error("already there and not ours ({holder}): remove it, or take it out of our configuration")]
    Foreign {
        /// Who put it there, as far as the kernel tells, such as `proto static`.
        holder: String,
    },
    /// The link does not exist now; tried again when it appears.
    #[error("there is no link {0}: create it, or correct the name")]
    NoSuchLink(LinkName),
    /// There is no VRF of this name now; tried again when it appears.
    #[error("there is no VRF {0}: `ip link add {0} type vrf table NUMBER`, or correct the name")]
    NoSuchVrf(LinkName),
    /// The kernel said no; tried again at each comparison.
    #[error("the kernel refused: {} ({errno}){}", errno.desc(), said(message.as_deref()))]
    Kernel {
        /// The error number.
        errno: Errno,
        /// The kernel's own words (`NLMSGERR_ATTR_MSG`), where it gave any.
        message: Option<String>,
    },
}

fn said(message: Option<&str>) -> String {
    message.map(|text| format!(": {text}")).unwrap_or_default()
}

/// One object that is not as wanted, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {reason}")]
pub struct Refused {
    /// The object.
    pub object: Object,
    /// The reason.
    pub reason: RefuseReason,
}

/// What one request did. `added + replaced + kept + refused.len()` is the number of wanted objects it looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Objects that were not there and now are.
    pub added: usize,
    /// Routes of ours whose target changed in place.
    pub replaced: usize,
    /// Objects of ours that are gone because they are not wanted.
    pub removed: usize,
    /// Wanted objects that already were as wanted (adopted ones among them).
    pub kept: usize,
    /// Objects that are not as wanted.
    pub refused: Vec<Refused>,
    /// From the moment the request was taken up to its last acknowledgement by the kernel.
    pub took: Duration,
}

impl Report {
    /// Whether every wanted object is in the kernel and nothing else of ours that the request spoke of.
    pub fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }
}

/// Why the kernel was compared with what is wanted. Where several call for one comparison, the last in this order
/// is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompareCause {
    /// The compare interval passed.
    Periodic,
    /// [`crate::Kernel::compare`].
    Requested,
    /// A link came up, appeared, or was renamed.
    LinkChanged,
    /// An address that is not ours came or went, which can take routes with it.
    AddressChanged,
    /// Somebody else changed an object of ours.
    ObjectChanged,
    /// Events were lost (`ENOBUFS`).
    Overrun,
}

/// Why a link no longer carries traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkDownCause {
    /// Set down by an administrator (`ip link set down`).
    Admin,
    /// No carrier: cable, peer, or port.
    Carrier,
    /// Deleted or moved to another network namespace.
    Removed,
}

/// Something that happened in the kernel, in the order the kernel told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    /// A link is administratively up and has carrier.
    LinkUp {
        /// Its index.
        index: LinkIndex,
        /// Its name.
        name: LinkName,
    },
    /// A link stopped carrying traffic.
    LinkDown {
        /// Its index.
        index: LinkIndex,
        /// Its name.
        name: LinkName,
        /// Why.
        cause: LinkDownCause,
        /// The VRF that it was in until then: that of its packets. A link that goes to another VRF is told as down in the one and up in
        /// the other.
        vrf: Option<LinkName>,
        /// The addresses that it had until then: the kernel takes those of IPv6 away with a link that is set down, and all of
        /// them with one that is deleted.
        addresses: BTreeSet<LinkAddress>,
    },
    /// An address that is not ours appeared.
    AddressAdded {
        /// The link it is on.
        index: LinkIndex,
        /// The address.
        ip: IpAddr,
        /// Its prefix length in bits.
        prefix_len: u8,
    },
    /// An address that is not ours is gone.
    AddressRemoved {
        /// The link it was on.
        index: LinkIndex,
        /// The VRF of that link.
        vrf: Option<LinkName>,
        /// The address.
        ip: IpAddr,
        /// Its prefix length in bits.
        prefix_len: u8,
    },
    /// A comparison found a difference. Not sent when everything was as wanted, nor again for the same refusals.
    Repaired {
        /// Why the comparison was made.
        cause: CompareCause,
        /// Objects of ours that were missing or altered, and are as wanted again.
        restored: Vec<Object>,
        /// Objects under our mark that nobody wants, now gone.
        removed: Vec<Object>,
        /// Objects that are newly, or for a new reason, not as wanted.
        refused: Vec<Refused>,
    },
    /// Notifications of the kernel were lost (`ENOBUFS`); links and addresses were read afresh, and a comparison
    /// follows.
    Overrun,
    /// A comparison could not be made; it is tried again after the compare interval.
    CompareFailed {
        /// Why it was wanted.
        cause: CompareCause,
        /// What went wrong.
        error: String,
    },
    /// Somebody else's route toward an address that [`crate::Kernel::ways`] was asked about came, went or changed, or may
    /// have. No address is watched any more: ask again.
    RoutesChanged,
    /// The reader of the events was too slow and this many were dropped: read [`crate::Kernel::links`] afresh.
    Missed {
        /// How many.
        count: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_object_reason_remedy() {
        let object =
            Object::Route { table: TableId::MAIN, prefix: "10.10.0.0/16".parse().unwrap(), metric: 8 };
        let foreign = RefuseReason::Foreign { holder: "proto static".to_owned() };
        assert_eq!(
            Refused { object: object.clone(), reason: foreign }.to_string(),
            "route 10.10.0.0/16 table main metric 8: already there and not ours (proto static): \
             remove it, or take it out of our configuration"
        );
        let kernel = RefuseReason::Kernel {
            errno: Errno::ENETUNREACH,
            message: Some("Nexthop has invalid gateway".to_owned()),
        };
        assert_eq!(
            Refused { object, reason: kernel }.to_string(),
            "route 10.10.0.0/16 table main metric 8: the kernel refused: Network is unreachable \
             (ENETUNREACH: Network is unreachable): Nexthop has invalid gateway"
        );
    }
}

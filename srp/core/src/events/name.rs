//! The one table of events: name, public number, severity, and what an event clears.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How bad it is. The order is that of the severities; `Cleared` is of none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth to know, and as it should be.
    Info,
    /// What another event told of is over.
    Cleared,
    /// May become a problem.
    Warning,
    /// Something is lost, service is not.
    Minor,
    /// Redundancy or a part of the service is lost.
    Major,
    /// The pair cannot do what it is for.
    Critical,
}

impl Severity {
    /// Each with its word.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("info", Self::Info),
        ("cleared", Self::Cleared),
        ("warning", Self::Warning),
        ("minor", Self::Minor),
        ("major", Self::Major),
        ("critical", Self::Critical),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, severity)| *severity == self).map_or("", |(word, _)| word)
    }

    /// Severity of syslog (RFC 5424 section 6.2.1) as RFC 5674 table 1 translates those of alarms; Informational for `Info`.
    pub const fn syslog(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::Major => 2,
            Self::Minor => 3,
            Self::Warning => 4,
            Self::Cleared => 5,
            Self::Info => 6,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident $text:literal $trap:expr, $severity:ident, $clears:expr, $says:literal;)*) => {
        /// Name of an event. Those that begin with `star` are notifications of the public STARENT-MIB, `Occured` spelled as
        /// there; the others are ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[$doc])* $variant,)*
        }

        impl Name {
            /// Every event, the public ones first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name, as `show`, syslog and metrics have it.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Last number of its notification, 1.3.6.1.4.1.8164.2.N; `None` for events of our own.
            pub const fn trap(self) -> Option<u32> {
                match self { $(Self::$variant => $trap,)* }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What is over when this happens.
            pub const fn clears(self) -> Option<Self> {
                match self { $(Self::$variant => $clears,)* }
            }

            /// What happened, as a sentence without particulars.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

names! {
    /// The chassis has become Active.
    SrpActive "starSRPActive" Some(120), Info, None, "this chassis is Active";
    /// The chassis has become Standby.
    SrpStandby "starSRPStandby" Some(121), Info, None, "this chassis is Standby";
    /// An IPv4 BGP session is Established.
    BgpPeerSessionUp "starBGPPeerSessionUp" Some(118), Cleared, Some(Self::BgpPeerSessionDown), "BGP session up";
    /// An IPv4 BGP session has ended.
    BgpPeerSessionDown "starBGPPeerSessionDown" Some(119), Minor, None, "BGP session down";
    /// An AAA server answers again.
    SrpAaaReachable "starSRPAAAReachable" Some(124), Cleared, Some(Self::SrpAaaUnreachable), "an AAA server answers again";
    /// No AAA server answers.
    SrpAaaUnreachable "starSRPAAAUnreachable" Some(125), Major, None, "no AAA server answers";
    /// An operator has begun a switchover.
    SrpSwitchoverInitiated "starSRPSwitchoverInitiated" Some(126), Info, None, "an operator has begun a switchover";
    /// A checkpoint message could not be sent.
    SrpCheckpointFailure "starSRPCheckpointFailure" Some(127), Minor, None, "a checkpoint message could not be sent";
    /// The peer's configuration is another one.
    SrpConfigOutOfSync "starSRPConfigOutOfSync" Some(128), Major, None, "the peer's configuration is another one";
    /// The peer's configuration is ours again.
    SrpConfigInSync "starSRPConfigInSync" Some(129), Cleared, Some(Self::SrpConfigOutOfSync), "the peer's configuration is the same again";
    /// The SRP link is down.
    SrpConnDown "starSRPConnDown" Some(1037), Major, None, "the SRP link is down";
    /// The SRP link is up again.
    SrpConnUp "starSRPConnUp" Some(1038), Cleared, Some(Self::SrpConnDown), "the SRP link is up again";
    /// A BFD session is up.
    BfdSessUp "starBFDSessUp" Some(1276), Cleared, Some(Self::BfdSessDown), "BFD session up";
    /// A BFD session has failed.
    BfdSessDown "starBFDSessDown" Some(1277), Minor, None, "BFD session down";
    /// Active became Standby, or Standby takes over.
    SrpSwitchoverOccured "starSRPSwitchoverOccured" Some(1278), Major, None, "switchover";
    /// An IPv6 BGP session is Established.
    BgpPeerSessionIpv6Up "starBGPPeerSessionIPv6Up" Some(1288), Cleared, Some(Self::BgpPeerSessionIpv6Down), "BGP session up";
    /// An IPv6 BGP session has ended.
    BgpPeerSessionIpv6Down "starBGPPeerSessionIPv6Down" Some(1289), Minor, None, "BGP session down";

    /// The daemon runs.
    Started "srpStarted" None, Info, None, "srpd runs";
    /// The daemon stops in good order.
    Stopping "srpStopping" None, Info, None, "srpd stops";
    /// The peer is another life than before.
    PeerRestarted "srpPeerRestarted" None, Info, None, "the peer's srpd has restarted";
    /// Nothing tells the two chassis apart.
    PeerTwins "srpPeerTwins" None, Critical, None, "mode, priority and MAC of both chassis are equal";
    /// The peer's release is too far from ours.
    PeerUnsupportedVersion "srpPeerUnsupportedVersion" None, Major, None, "the peer speaks a version that is not understood";
    /// The peer's release is one that we understand.
    PeerSupportedVersion "srpPeerUnsupportedVersionClear" None, Cleared, Some(Self::PeerUnsupportedVersion), "the peer speaks a version that is understood";
    /// Somebody was turned away from the SRP link.
    ConnectionRefused "srpConnectionRefused" None, Warning, None, "a connection to the SRP link was refused";
    /// A planned switchover was called off.
    SwitchoverAborted "srpSwitchoverAborted" None, Minor, None, "a planned switchover was called off";
    /// The chassis did not run for longer than the dead-interval.
    Suspended "srpSuspended" None, Major, None, "this chassis did not run for longer than the dead-interval";
    /// Active, and nobody can be reached.
    CutOff "srpCutOff" None, Critical, None, "neither the peer nor any BGP neighbour can be reached";
    /// Link and BFD contradict each other.
    SignsDisagree "srpSignsOfLifeDisagree" None, Minor, None, "link and BFD say different things of the peer";
    /// They no longer do.
    SignsAgree "srpSignsOfLifeAgree" None, Cleared, Some(Self::SignsDisagree), "link and BFD agree about the peer again";
    /// Everything of a set of monitors is down.
    MonitorFailed "srpMonitorFailed" None, Major, None, "everything that one monitor group or context watches is down";
    /// Something of it works again.
    MonitorBack "srpMonitorRecovered" None, Cleared, Some(Self::MonitorFailed), "something of it works again";
    /// The Active stays although monitors have failed.
    FailoverHeld "srpFailoverHeld" None, Warning, None, "the Active stays although monitors have failed, and why";
    /// The kernel refused loopbacks or pools.
    KernelRefused "srpKernelRefused" None, Major, None, "the kernel refused loopbacks or pools";
    /// Somebody changed what is ours in the kernel, and it was put right.
    KernelRepaired "srpKernelRepaired" None, Warning, None, "kernel objects of ours were put right";
    /// An interface has lost its carrier, or is gone.
    InterfaceDown "srpInterfaceDown" None, Minor, None, "an interface is down";
    /// It is back.
    InterfaceUp "srpInterfaceUp" None, Cleared, Some(Self::InterfaceDown), "an interface is up";
    /// A reload took effect.
    Reloaded "srpConfigurationReloaded" None, Info, None, "the configuration was reloaded";
    /// A reload was refused as a whole.
    ReloadRefused "srpReloadRefused" None, Warning, None, "a reload was refused, the running configuration stays";
    /// The stop was not confirmed in time.
    StopUnanswered "srpStopUnanswered" None, Minor, None, "withdraw and removal were not confirmed in time";
    /// Bulk statistics could not be written.
    BulkStatisticsFailed "srpBulkStatisticsFailed" None, Minor, None, "bulk statistics could not be written";
    /// They are written again.
    BulkStatisticsWritten "srpBulkStatisticsWritten" None, Cleared, Some(Self::BulkStatisticsFailed), "bulk statistics are written again";
}

impl Name {
    /// What a filter by severity goes by: an event that clears another one goes where that one went.
    pub fn weight(self) -> Severity {
        self.clears().unwrap_or(self).severity()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// No event has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no event has that name: docs/events.md lists them")]
pub struct UnknownName;

impl FromStr for Name {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.iter().copied().find(|name| name.text() == text).ok_or(UnknownName)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/events.md");

    #[test]
    fn names_and_numbers_are_of_one_event_each() {
        let texts: BTreeSet<_> = Name::ALL.iter().map(|name| name.text()).collect();
        let traps: BTreeSet<_> = Name::ALL.iter().filter_map(|name| name.trap()).collect();
        assert_eq!(texts.len(), Name::ALL.len());
        assert_eq!(traps.len(), Name::ALL.iter().filter(|name| name.trap().is_some()).count());
        for name in Name::ALL {
            assert_eq!(name.text().parse(), Ok(*name));
        }
    }

    #[test]
    fn numbers_are_those_of_the_public_mib_and_only_public_names_have_one() {
        for (text, number) in [
            ("starSRPActive", 120),
            ("starSRPStandby", 121),
            ("starBGPPeerSessionUp", 118),
            ("starBGPPeerSessionDown", 119),
            ("starSRPAAAReachable", 124),
            ("starSRPAAAUnreachable", 125),
            ("starSRPSwitchoverInitiated", 126),
            ("starSRPCheckpointFailure", 127),
            ("starSRPConfigOutOfSync", 128),
            ("starSRPConfigInSync", 129),
            ("starSRPConnDown", 1037),
            ("starSRPConnUp", 1038),
            ("starSRPSwitchoverOccured", 1278),
            ("starBFDSessUp", 1276),
            ("starBFDSessDown", 1277),
            ("starBGPPeerSessionIPv6Up", 1288),
            ("starBGPPeerSessionIPv6Down", 1289),
        ] {
            assert_eq!(text.parse::<Name>().map(Name::trap), Ok(Some(number)), "{text}");
        }
        for name in Name::ALL {
            assert_eq!(name.trap().is_some(), name.text().starts_with("star"), "{name}");
        }
    }

    #[test]
    fn what_clears_an_event_goes_wherever_that_event_went() {
        for name in Name::ALL {
            assert_eq!(name.severity() == Severity::Cleared, name.clears().is_some(), "{name}");
        }
        assert_eq!(Name::SrpConnUp.weight(), Severity::Major);
    }

    #[test]
    fn docs_events_md_has_every_event_and_no_other() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        let documented: Vec<Vec<&str>> =
            rows.map(|row| row.split('|').map(|cell| cell.trim_matches(['`', ' '])).collect()).collect();
        let number = |name: &Name| name.trap().map_or_else(|| "-".to_owned(), |number| number.to_string());
        for (name, row) in Name::ALL.iter().zip(&documented) {
            let expected = [name.text(), &number(name), name.severity().word()];
            assert_eq!(row.get(..3), Some(expected.as_slice()), "left docs/events.md, right the code");
        }
        assert_eq!(documented.len(), Name::ALL.len());
    }
}

//! What srpd saw becomes events: a pure mapping that remembers only what pairs of events need.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Name, Occurrence};
use crate::chassis::{Fact, Failure, MonitorKind};
use crate::types::{ChassisState, SwitchReason};

/// What every event about the pair says of this chassis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// Name of the redundancy context.
    pub context: String,
    /// Our end of the SRP link.
    pub srp_address: IpAddr,
    /// Port of the SRP link.
    pub port: u16,
    /// The peer's end.
    pub peer: IpAddr,
}

/// Something that the daemon saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A fact of the state machine.
    Fact(Fact),
    /// The SRP link is up.
    LinkUp,
    /// The SRP link is down.
    LinkDown {
        /// Why.
        why: String,
    },
    /// Somebody was turned away from the SRP link, or the link ended over it.
    LinkRefused {
        /// Who.
        peer: IpAddr,
        /// Why.
        why: String,
        /// It speaks a version that we do not.
        version: bool,
    },
    /// A BGP session is Established, or was and is no more.
    Bgp {
        /// Context of the neighbour.
        context: String,
        /// The neighbour as it is named: address, or interface.
        neighbor: String,
        /// It is an IPv6 one, or one that is found by IPv6.
        ipv6: bool,
        /// Established.
        up: bool,
        /// Why it ended.
        detail: String,
    },
    /// A BFD session came up, or failed.
    Bfd {
        /// Its remote system.
        peer: IpAddr,
        /// Whom it watches.
        watches: String,
        /// Up.
        up: bool,
        /// Why it ended.
        detail: String,
    },
    /// A network interface.
    Interface {
        /// Its name.
        name: String,
        /// It has carrier.
        up: bool,
    },
    /// Kernel objects of ours that somebody had changed.
    KernelRepaired {
        /// Which, and how.
        detail: String,
    },
    /// A reload took effect.
    Reloaded {
        /// Who the chassis is now.
        here: Whereabouts,
        /// What changed.
        detail: String,
    },
    /// A reload was refused.
    ReloadRefused {
        /// Why.
        why: String,
    },
    /// Bulk statistics were written, or could not be.
    BulkStatistics {
        /// Why not.
        failure: Option<String>,
    },
    /// The daemon runs.
    Started {
        /// Its release.
        release: String,
    },
    /// The daemon stops in good order.
    Stopping,
}

/// So many conditions are remembered; what clears more of them is not told.
const REMEMBERED: usize = 4_096;

/// Turns observations into events.
#[derive(Debug)]
pub struct Observer {
    here: Whereabouts,
    state: ChassisState,
    /// Conditions that hold: each names the event that told of it, and whom it is about.
    raised: BTreeSet<(Name, String)>,
}

impl Observer {
    /// One that has seen nothing.
    pub const fn new(here: Whereabouts) -> Self {
        Self { here, state: ChassisState::Init, raised: BTreeSet::new() }
    }

    /// The events that this is, in order.
    pub fn note(&mut self, observation: &Observation) -> Vec<Occurrence> {
        match observation {
            Observation::Fact(fact) => self.fact(fact),
            Observation::LinkUp => {
                let understood = self.pair(Name::PeerSupportedVersion, "", "");
                [understood, self.pair(Name::SrpConnUp, "", "")].into_iter().flatten().collect()
            }
            Observation::LinkDown { why } => self.pair(Name::SrpConnDown, "", why).into_iter().collect(),
            Observation::LinkRefused { peer, why, version: true } => {
                let peer = peer.to_string();
                let event = self.pair(Name::PeerUnsupportedVersion, "", why);
                event.map(|event| event.with(&peer)).into_iter().collect()
            }
            Observation::LinkRefused { peer, why, version: false } => {
                vec![self.srp(Name::ConnectionRefused).with(&peer.to_string()).saying(why)]
            }
            Observation::Bgp { context, neighbor, ipv6, up, detail } => {
                let name = match (ipv6, up) {
                    (false, true) => Name::BgpPeerSessionUp,
                    (false, false) => Name::BgpPeerSessionDown,
                    (true, true) => Name::BgpPeerSessionIpv6Up,
                    (true, false) => Name::BgpPeerSessionIpv6Down,
                };
                vec![Occurrence::new(name).in_context(context).with(neighbor).saying(detail)]
            }
            Observation::Bfd { peer, watches, up, detail } => {
                let name = if *up { Name::BfdSessUp } else { Name::BfdSessDown };
                let detail = if detail.is_empty() { watches.clone() } else { format!("{watches}: {detail}") };
                vec![self.here(name).with(&peer.to_string()).saying(&detail)]
            }
            Observation::Interface { name, up } => {
                let event = if *up { Name::InterfaceUp } else { Name::InterfaceDown };
                self.pair(event, name, name).into_iter().collect()
            }
            Observation::KernelRepaired { detail } => vec![self.srp(Name::KernelRepaired).saying(detail)],
            Observation::Reloaded { here, detail } => {
                self.here = here.clone();
                vec![self.srp(Name::Reloaded).saying(detail)]
            }
            Observation::ReloadRefused { why } => vec![self.srp(Name::ReloadRefused).saying(why)],
            Observation::BulkStatistics { failure: Some(why) } => {
                self.pair(Name::BulkStatisticsFailed, "", why).into_iter().collect()
            }
            Observation::BulkStatistics { failure: None } => {
                self.pair(Name::BulkStatisticsWritten, "", "").into_iter().collect()
            }
            Observation::Started { release } => {
                vec![self.srp(Name::Started).saying(&format!("release {release}"))]
            }
            Observation::Stopping => vec![self.srp(Name::Stopping)],
        }
    }

    fn fact(&mut self, fact: &Fact) -> Vec<Occurrence> {
        match fact {
            Fact::State { from, to, reason } => self.state(*from, *to, *reason),
            // The one who is asked by the peer is Standby when it begins.
            Fact::SwitchoverBegan { reason: SwitchReason::ManualSwitchover, .. }
                if self.state == ChassisState::Active =>
            {
                vec![self.srp(Name::SrpSwitchoverInitiated)]
            }
            // What follows from it is a change of state, or a modifier that `show srp info` has.
            Fact::SwitchoverBegan { .. } | Fact::Modifier { .. } | Fact::FailoverHeld(None) => Vec::new(),
            Fact::Aborted { why } => vec![self.srp(Name::SwitchoverAborted).saying(why)],
            Fact::Suspended { gap } => vec![self.srp(Name::Suspended).saying(&format!("for {gap}"))],
            Fact::CutOff => vec![self.srp(Name::CutOff)],
            Fact::PeerRestarted => vec![self.srp(Name::PeerRestarted)],
            Fact::Twins => vec![self.srp(Name::PeerTwins)],
            Fact::ConfigInSync(in_sync) => {
                let name = if *in_sync { Name::SrpConfigInSync } else { Name::SrpConfigOutOfSync };
                self.pair(name, "", "").into_iter().collect()
            }
            Fact::SignsOfLife(Some(found)) => {
                self.pair(Name::SignsDisagree, "", &found.to_string()).into_iter().collect()
            }
            Fact::SignsOfLife(None) => self.pair(Name::SignsAgree, "", "").into_iter().collect(),
            Fact::StopUnanswered => vec![self.srp(Name::StopUnanswered)],
            Fact::MonitorFailed(Failure { kind: MonitorKind::Aaa, what, .. }) => {
                self.pair(Name::SrpAaaUnreachable, "", what).into_iter().collect()
            }
            Fact::MonitorBack { kind: MonitorKind::Aaa, what } => {
                self.pair(Name::SrpAaaReachable, "", what).into_iter().collect()
            }
            Fact::MonitorFailed(Failure { what, .. }) => {
                self.pair(Name::MonitorFailed, what, what).into_iter().collect()
            }
            Fact::MonitorBack { what, .. } => self.pair(Name::MonitorBack, what, what).into_iter().collect(),
            Fact::FailoverHeld(Some(held)) => vec![self.srp(Name::FailoverHeld).saying(&held.to_string())],
            Fact::KernelRefused { refused } => {
                vec![self.srp(Name::KernelRefused).saying(&format!("{refused} objects: see `show srp info`"))]
            }
        }
    }

    fn state(&mut self, from: ChassisState, to: ChassisState, reason: SwitchReason) -> Vec<Occurrence> {
        use ChassisState::{Active, Init, PendingActive, PendingStandby, Standby};
        self.state = to;
        // The public notification knows two changes: Active to Standby, and Standby to PendingActive.
        let occured =
            matches!((from, to), (Active | PendingStandby, Standby) | (Standby, PendingActive | Active));
        let detail = format!("{from} -> {to}");
        let occured = occured.then(|| self.srp(Name::SrpSwitchoverOccured).because(reason).saying(&detail));
        let reached = match to {
            Active => Some(self.srp(Name::SrpActive).because(reason)),
            Standby => Some(self.srp(Name::SrpStandby).because(reason)),
            Init | PendingActive | PendingStandby => None,
        };
        occured.into_iter().chain(reached).collect()
    }

    /// An event of a pair about `whom`: one that tells of a condition only when that begins, one that clears it only after it.
    fn pair(&mut self, name: Name, whom: &str, detail: &str) -> Option<Occurrence> {
        let changed = match name.clears() {
            // Interfaces come and go by the thousands on some machines: told of, and not remembered.
            None if self.raised.len() >= REMEMBERED => true,
            None => self.raised.insert((name, whom.to_owned())),
            Some(raised) => self.raised.remove(&(raised, whom.to_owned())),
        };
        changed.then(|| self.srp(name).saying(detail))
    }

    /// An event about the pair.
    fn srp(&self, name: Name) -> Occurrence {
        self.here(name).with(&self.here.peer.to_string())
    }

    /// An event of this chassis, without a peer.
    fn here(&self, name: Name) -> Occurrence {
        Occurrence {
            srp_address: Some(self.here.srp_address),
            port: Some(self.here.port),
            ..Occurrence::new(name).in_context(&self.here.context)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chassis::Disagreement;
    use crate::types::Time;

    fn observer() -> Observer {
        Observer::new(Whereabouts {
            context: "srp".into(),
            srp_address: [192, 0, 2, 1].into(),
            port: 4493,
            peer: [192, 0, 2, 2].into(),
        })
    }

    fn names(observer: &mut Observer, seen: &[Observation]) -> Vec<&'static str> {
        seen.iter()
            .flat_map(|observation| observer.note(observation))
            .map(|event| event.name.text())
            .collect()
    }

    fn state(from: ChassisState, to: ChassisState) -> Observation {
        Observation::Fact(Fact::State { from, to, reason: SwitchReason::DeadTimerExpiry })
    }

    fn began(reason: SwitchReason) -> Observation {
        Observation::Fact(Fact::SwitchoverBegan { reason, last_heard: None, bfd_failed: None })
    }

    #[test]
    fn the_link_is_up_again_only_after_it_was_down() {
        let down = || Observation::LinkDown { why: "silent".into() };
        let seen = [Observation::LinkUp, down(), Observation::LinkUp, Observation::LinkUp, down(), down()];
        assert_eq!(names(&mut observer(), &seen), ["starSRPConnDown", "starSRPConnUp", "starSRPConnDown"]);
    }

    #[test]
    fn in_sync_comes_only_after_out_of_sync() {
        let seen = [true, false, false, true, true].map(|equal| Observation::Fact(Fact::ConfigInSync(equal)));
        assert_eq!(names(&mut observer(), &seen), ["starSRPConfigOutOfSync", "starSRPConfigInSync"]);
    }

    #[test]
    fn aaa_is_reachable_only_after_no_server_was() {
        let what = || "AAA servers".to_owned();
        let (since, due) = (Time(1), Time(2));
        let failure = || Failure { kind: MonitorKind::Aaa, what: what(), since, due, disregarded: None };
        let down = || Observation::Fact(Fact::MonitorFailed(failure()));
        let back = || Observation::Fact(Fact::MonitorBack { kind: MonitorKind::Aaa, what: what() });
        let seen = [back(), down(), down(), back(), back()];
        assert_eq!(names(&mut observer(), &seen), ["starSRPAAAUnreachable", "starSRPAAAReachable"]);
    }

    #[test]
    fn sets_of_monitors_are_paired_each_for_itself() {
        let failed = |what: &str| {
            let (since, due) = (Time(1), Time(1));
            let failure =
                Failure { kind: MonitorKind::Bgp, what: what.into(), since, due, disregarded: None };
            Observation::Fact(Fact::MonitorFailed(failure))
        };
        let back =
            |what: &str| Observation::Fact(Fact::MonitorBack { kind: MonitorKind::Bgp, what: what.into() });
        let seen = [failed("group 1"), back("group 2"), failed("group 2"), back("group 1")];
        assert_eq!(
            names(&mut observer(), &seen),
            ["srpMonitorFailed", "srpMonitorFailed", "srpMonitorRecovered"]
        );
    }

    #[test]
    fn interfaces_are_paired_each_for_itself() {
        let interface = |name: &str, up| Observation::Interface { name: name.into(), up };
        let seen = [interface("a", false), interface("b", true), interface("a", true), interface("a", true)];
        assert_eq!(names(&mut observer(), &seen), ["srpInterfaceDown", "srpInterfaceUp"]);
    }

    #[test]
    fn interfaces_without_end_do_not_fill_the_memory() {
        let mut observer = observer();
        for number in 0..2 * REMEMBERED {
            let seen = Observation::Interface { name: format!("veth{number}"), up: false };
            assert_eq!(observer.note(&seen).len(), 1);
        }
        assert_eq!(observer.raised.len(), REMEMBERED);
    }

    #[test]
    fn a_takeover_is_a_switchover_and_then_an_active_chassis() {
        use ChassisState::{Active, Init, PendingActive, Standby};
        let seen = [state(Init, Standby), state(Standby, PendingActive), state(PendingActive, Active)];
        let expected = ["starSRPStandby", "starSRPSwitchoverOccured", "starSRPActive"];
        assert_eq!(names(&mut observer(), &seen), expected);
    }

    #[test]
    fn an_operators_switchover_is_initiated_where_it_was_asked_for() {
        use ChassisState::{Active, Init, PendingStandby, Standby};
        let manual = || began(SwitchReason::ManualSwitchover);
        let asked =
            [state(Init, Active), manual(), state(Active, PendingStandby), state(PendingStandby, Standby)];
        let expected =
            ["starSRPActive", "starSRPSwitchoverInitiated", "starSRPSwitchoverOccured", "starSRPStandby"];
        assert_eq!(names(&mut observer(), &asked), expected);
        assert_eq!(names(&mut observer(), &[state(Init, Standby), manual()]), ["starSRPStandby"]);
    }

    #[test]
    fn a_switchover_that_is_called_off_did_not_occur() {
        use ChassisState::{Active, Init, PendingStandby};
        let aborted = Observation::Fact(Fact::Aborted { why: "no answer".into() });
        let seen =
            [state(Init, Active), state(Active, PendingStandby), aborted, state(PendingStandby, Active)];
        assert_eq!(names(&mut observer(), &seen), ["starSRPActive", "srpSwitchoverAborted", "starSRPActive"]);
    }

    #[test]
    fn a_peer_of_another_version_is_told_once_and_cleared_when_the_link_is_up() {
        let refused = || Observation::LinkRefused {
            peer: [192, 0, 2, 2].into(),
            why: "peer speaks SRP version 9".into(),
            version: true,
        };
        let seen = [refused(), refused(), Observation::LinkUp];
        let expected = ["srpPeerUnsupportedVersion", "srpPeerUnsupportedVersionClear"];
        assert_eq!(names(&mut observer(), &seen), expected);
    }

    #[test]
    fn bgp_sessions_have_a_name_for_each_family() {
        let session = |ipv6, up| Observation::Bgp {
            context: "destination".into(),
            neighbor: "10.2.1.2".into(),
            ipv6,
            up,
            detail: String::new(),
        };
        let seen = [session(false, true), session(false, false), session(true, true), session(true, false)];
        let traps: Vec<_> =
            seen.iter().flat_map(|seen| observer().note(seen)).map(|event| event.name.trap()).collect();
        assert_eq!(traps, [Some(118), Some(119), Some(1288), Some(1289)]);
    }

    #[test]
    fn every_other_fact_has_its_event_with_its_particulars() {
        let mut observer = observer();
        let refused = observer.note(&Observation::Fact(Fact::KernelRefused { refused: 2 })).remove(0);
        assert_eq!(refused.name, Name::KernelRefused);
        assert_eq!(refused.detail.as_deref(), Some("2 objects: see `show srp info`"));
        assert_eq!(refused.srp_address, Some([192, 0, 2, 1].into()));
        assert_eq!((refused.context.as_deref(), refused.port), (Some("srp"), Some(4493)));
        let signs =
            [Some(Disagreement::BfdAlone), None].map(|signs| Observation::Fact(Fact::SignsOfLife(signs)));
        assert_eq!(names(&mut observer, &signs), ["srpSignsOfLifeDisagree", "srpSignsOfLifeAgree"]);
        let others =
            [Fact::CutOff, Fact::PeerRestarted, Fact::Twins, Fact::StopUnanswered].map(Observation::Fact);
        let expected = ["srpCutOff", "srpPeerRestarted", "srpPeerTwins", "srpStopUnanswered"];
        assert_eq!(names(&mut observer, &others), expected);
    }
}

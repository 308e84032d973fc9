//! Is the pair ready for a planned switchover? (EXEC-2, SW-2)

use super::Chassis;
use crate::api::Check;
use crate::types::ChassisState;

impl Chassis {
    /// Every check, passed or not.
    pub(super) fn validate(&self) -> Vec<Check> {
        let mut checks = self.readiness();
        checks.extend(self.check_monitors());
        checks
    }

    /// The one that would be Active is not worse off than the one that is.
    fn check_monitors(&self) -> Option<Check> {
        let (ours, theirs) = (self.own_failures()?, self.peer_failures()?);
        let found = format!("{ours} failed here, {theirs} on the peer");
        let passed = if self.state() == ChassisState::Active { theirs <= ours } else { ours <= theirs };
        Some(check("Monitors", passed, &found, || {
            format!("{found}: the new Active would be worse off; see `show srp monitor` on both")
        }))
    }

    /// What a peer needs to take over, whoever is better off.
    fn readiness(&self) -> Vec<Check> {
        let peer = self.peer();
        let (ours, theirs) = (self.state(), peer.map(|peer| peer.state));
        let roles = matches!(
            (ours, theirs),
            (ChassisState::Active, Some(ChassisState::Standby))
                | (ChassisState::Standby, Some(ChassisState::Active))
        );
        let peer_state = theirs.map_or_else(|| "unknown".to_owned(), |state| state.to_string());
        let mut checks = vec![
            check("SRP link", self.link.is_some(), "connected", || {
                "not connected: see Connection State of `show srp info`".into()
            }),
            check("Chassis states", roles, &format!("{ours} here, {peer_state} on the peer"), || {
                format!(
                    "{ours} here, {peer_state} on the peer: wait until one is Active and the other Standby"
                )
            }),
        ];
        let Some(peer) = peer else { return checks };
        checks.push(check("Configuration", self.config_in_sync() == Some(true), "in sync", || {
            "differs: `show configuration srp` lists the differences; make both chassis the same".into()
        }));
        let mismatched = self.session_managers.all.saturating_sub(self.session_managers.working)
            + peer.session_managers.saturating_sub(peer.session_managers_connected);
        checks.push(check("Session managers", mismatched == 0, "all connected", || {
            format!(
                "{mismatched} session manager(s) not connected: see `show srp checkpoint statistics verbose`"
            )
        }));
        // The one that would be Active must reach at least one router, if the pair has any.
        let (next, side) = if ours == ChassisState::Active {
            ((peer.bgp_established, peer.bgp_neighbors), "on the peer")
        } else {
            ((self.bgp.working, self.bgp.all), "here")
        };
        let (established, configured) = next;
        let found = format!("{established} of {configured} neighbours Established {side}");
        checks.push(check("BGP", established > 0 || configured == 0, &found, || {
            format!("{found}: nobody would hear the new Active; see `show ip bgp summary` {side}")
        }));
        checks
    }

    /// The pair is about to change its modifiers: who took over now would do so with a value that is not operational.
    /// A matter of order, which nothing overrides; it takes a round trip.
    pub(super) fn unsettled(&self) -> Option<String> {
        let (ours, theirs) = (self.modifier(), self.peer()?.modifier);
        let settled = ours == self.modifier && ours < theirs && theirs.0 <= self.settings.threshold;
        (!settled).then(|| {
            format!("route modifiers are {ours} here and {theirs} on the peer and about to change: try again")
        })
    }

    /// What is in the way of a switchover to the peer; `force` skips what an operator may judge better.
    pub(super) fn obstacles(&self, force: bool) -> Vec<String> {
        self.obstacles_by(if force { Vec::new() } else { self.validate() })
    }

    /// The same for a chassis that leaves anyway: a peer that is worse off is better than none.
    pub(super) fn obstacles_to_leave(&self) -> Vec<String> {
        self.obstacles_by(self.readiness())
    }

    fn obstacles_by(&self, checks: Vec<Check>) -> Vec<String> {
        if self.state() != ChassisState::Active {
            return vec![format!("this chassis is {}: switch over from the Active chassis", self.state())];
        }
        if self.stopping {
            return vec!["this chassis is stopping".into()];
        }
        if self.peer().is_none_or(|peer| peer.state != ChassisState::Standby) {
            let failed = self.readiness().into_iter().filter(|check| !check.passed);
            return failed.map(|check| format!("{}: {}", check.name, check.detail)).take(2).collect();
        }
        let failed = checks.into_iter().filter(|check| !check.passed);
        failed.map(|check| format!("{}: {} (`force` overrides)", check.name, check.detail)).collect()
    }
}

fn check(name: &str, passed: bool, found: &str, failed: impl FnOnce() -> String) -> Check {
    let detail = if passed { found.to_owned() } else { failed() };
    Check { name: name.to_owned(), passed, detail }
}

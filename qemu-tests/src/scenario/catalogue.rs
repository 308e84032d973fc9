//! The scenarios that a person can ask for, by name, and how the pair must stand for each.

use std::collections::BTreeMap;

use srp_core::types::ChassisState;

use super::stage::{Stage, View, tell};
use super::steps::{self, Act};
use super::{faults, stage, upgrade};
use crate::error::LabError;
use crate::node::Kind;

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line, in kebab case.
    pub name: &'static str,
    /// What it does, in one line.
    pub says: &'static str,
    /// How the pair must stand.
    pub needs: Standing,
    /// What the chassis may be made of.
    pub kinds: &'static [Kind],
    /// Its steps.
    pub acts: &'static [Act],
}

/// How the pair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One Active, one Standby.
    Settled,
    /// One chassis has no power.
    OneOff,
    /// Both are Active: they do not hear of each other.
    BothActive,
    /// Anything else, such as a chassis on its way from one state to the next.
    Otherwise,
}

const SWITCHOVER: Act = Act { id: steps::PLANNED, run: steps::planned_now };
const POWER_OFF: Act = Act { id: "power-off", run: steps::power_off };
const POWER_ON: Act = Act { id: "power-on", run: steps::power_on };
const CUT: Act = Act { id: "cut-srp-link", run: steps::cut_srp_link };
const IMPAIR: Act = Act { id: "impaired-srp-link", run: faults::impaired_and_mended };
const PULL: Act = Act { id: "disk-pulled", run: faults::disk_of_active_pulled };
const ANY: &[Kind] = &[Kind::Namespace, Kind::Machine, Kind::Appliance];
const HEAL: Act = Act { id: "heal-srp-link", run: steps::heal_srp_link };

/// All scenarios.
pub const ALL: [Scenario; 10] = [
    Scenario {
        name: steps::PLANNED,
        says: "the Active hands over to the Standby; no probe may be lost",
        needs: Standing::Settled,
        kinds: ANY,
        acts: &[SWITCHOVER],
    },
    Scenario {
        name: "power-off",
        says: "the Active loses its power; the Standby takes over",
        needs: Standing::Settled,
        kinds: ANY,
        acts: &[POWER_OFF],
    },
    Scenario {
        name: "power-on",
        says: "the chassis without power comes back, and must not pre-empt",
        needs: Standing::OneOff,
        kinds: ANY,
        acts: &[POWER_ON],
    },
    Scenario {
        name: "cut-srp-link",
        says: "the link between the chassis is cut; both are Active, routers stay with the former one",
        needs: Standing::Settled,
        kinds: ANY,
        acts: &[CUT],
    },
    Scenario {
        name: "heal-srp-link",
        says: "the link is mended; one Active again, the right one",
        needs: Standing::BothActive,
        kinds: ANY,
        acts: &[HEAL],
    },
    Scenario {
        name: "demo",
        says: "all of these in a row, with a switchover there and back first",
        needs: Standing::Settled,
        kinds: ANY,
        acts: &[SWITCHOVER, SWITCHOVER, POWER_OFF, POWER_ON, CUT, HEAL],
    },
    Scenario {
        name: "impaired-srp-link",
        says: "the SRP link delays and loses frames for a minute, then it is mended; nobody may take over",
        needs: Standing::Settled,
        kinds: &[Kind::Machine, Kind::Appliance],
        acts: &[IMPAIR],
    },
    Scenario {
        name: "disk-pulled",
        says: "the disk of the Active goes; it serves on (power-off and power-on bring the disk back)",
        needs: Standing::Settled,
        kinds: &[Kind::Appliance],
        acts: &[PULL],
    },
    Scenario {
        name: "upgrade",
        says: "the first chassis upgrades both by one command, to the next release or --image; no ping may be lost",
        needs: Standing::Settled,
        kinds: &[Kind::Appliance],
        acts: &[upgrade::UPGRADE],
    },
    Scenario {
        name: "rollback",
        says: "the first chassis takes both back to what ran before; no ping may be lost",
        needs: Standing::Settled,
        kinds: &[Kind::Appliance],
        acts: &[upgrade::ROLLBACK],
    },
];

/// The scenario called `name`.
pub fn find(name: &str) -> Result<&'static Scenario, LabError> {
    ALL.iter().find(|scenario| scenario.name == name).ok_or_else(|| LabError::Refused {
        reason: format!("no scenario is called {name}"),
        remedy: format!("name one of {}", ALL.map(|scenario| scenario.name).join(", ")),
    })
}

impl Scenario {
    /// Says why it cannot be run as the pair stands.
    pub fn check(&self, stage: &Stage<'_>) -> Result<(), LabError> {
        self.takes(stage.lab.chassis.first().map_or(Kind::Namespace, |node| node.kind()))?;
        if stage.image.is_some() && self.name != upgrade::UPGRADE.id {
            let (reason, remedy) = (format!("{} takes no image", self.name), "leave --image out".to_owned());
            return Err(LabError::Refused { reason, remedy });
        }
        let views = stage.views()?;
        let off: Vec<&str> =
            stage.lab.chassis.iter().filter(|node| !node.is_on()).map(|node| node.name()).collect();
        let mut seen = tell(&views);
        for name in &off {
            seen.push_str(", ");
            seen.push_str(name);
            seen.push_str(" without power");
        }
        self.fits(standing(&views, off.len()), &seen)
    }

    fn takes(&self, kind: Kind) -> Result<(), LabError> {
        if self.kinds.contains(&kind) {
            return Ok(());
        }
        let kinds: Vec<_> = self.kinds.iter().map(|kind| format!("\"{}\"", stage::made_of(*kind))).collect();
        Err(LabError::Refused {
            reason: format!("{} cannot be run where chassis are {}", self.name, stage::made_of(kind)),
            remedy: format!("take a lab with chassis.made-of = {}", kinds.join(" or ")),
        })
    }

    fn fits(&self, now: Standing, seen: &str) -> Result<(), LabError> {
        if now == self.needs {
            return Ok(());
        }
        let remedy = match (self.needs, now) {
            (_, Standing::Otherwise) => {
                "wait until one is Active and one Standby, or `lab down` and `lab up`"
            }
            (_, Standing::OneOff) => "`lab run power-on` first",
            (_, Standing::BothActive) => "`lab run heal-srp-link` first",
            (Standing::OneOff, Standing::Settled) => "`lab run power-off` first",
            (Standing::BothActive, Standing::Settled) => "`lab run cut-srp-link` first",
            (Standing::Settled | Standing::Otherwise, Standing::Settled) => "run it again",
        };
        let reason = format!("{} cannot be run now, with {seen}", self.name);
        Err(LabError::Refused { reason, remedy: remedy.to_owned() })
    }
}

/// How a pair stands of which `off` chassis have no power and the others say `views`.
fn standing(views: &BTreeMap<String, View>, off: usize) -> Standing {
    let count = |state| views.values().filter(|view| view.state == state).count();
    match (off, count(ChassisState::Active), count(ChassisState::Standby)) {
        (0, 1, 1) => Standing::Settled,
        (0, 2, 0) => Standing::BothActive,
        (1, 1, 0) => Standing::OneOff,
        _ => Standing::Otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(states: &[ChassisState]) -> BTreeMap<String, View> {
        let view = |state: &ChassisState| View { state: *state, modifier: 4, switchovers: 0, peer: None };
        ["east", "west"].iter().zip(states).map(|(name, state)| ((*name).to_owned(), view(state))).collect()
    }

    #[test]
    fn how_a_pair_stands_follows_from_power_and_states() {
        use ChassisState::{Active, Init, Standby};
        for (states, off, expected) in [
            (&[Active, Standby][..], 0, Standing::Settled),
            (&[Standby, Active], 0, Standing::Settled),
            (&[Active, Active], 0, Standing::BothActive),
            (&[Active], 1, Standing::OneOff),
            (&[Active, Init], 0, Standing::Otherwise),
            (&[Standby, Standby], 0, Standing::Otherwise),
            (&[Active], 0, Standing::Otherwise),
            (&[], 2, Standing::Otherwise),
        ] {
            assert_eq!(standing(&views(states), off), expected, "{states:?}, {off} off");
        }
    }

    #[test]
    fn what_cannot_be_run_says_what_to_run_first() {
        for (name, now, remedy) in [
            ("power-on", Standing::Settled, Some("`lab run power-off` first")),
            ("power-off", Standing::OneOff, Some("`lab run power-on` first")),
            ("heal-srp-link", Standing::Settled, Some("`lab run cut-srp-link` first")),
            ("demo", Standing::BothActive, Some("`lab run heal-srp-link` first")),
            ("demo", Standing::Otherwise, Some("wait until one is Active")),
            ("planned-switchover", Standing::Settled, None),
            ("heal-srp-link", Standing::BothActive, None),
        ] {
            let said =
                find(name).expect("is there").fits(now, "east Active").err().map(|error| error.to_string());
            match remedy {
                Some(remedy) => {
                    assert!(said.as_ref().is_some_and(|said| said.contains(remedy)), "{name}: {said:?}");
                }
                None => assert_eq!(said, None),
            }
        }
        let said =
            |name: &str, kind| find(name).expect("is there").takes(kind).err().map(|error| error.to_string());
        assert_eq!(
            (said("upgrade", Kind::Appliance), said("impaired-srp-link", Kind::Machine)),
            (None, None)
        );
        let told = said("disk-pulled", Kind::Namespace).expect("refused");
        assert!(
            told.contains("chassis are namespaces") && told.contains("made-of = \"appliances\""),
            "{told}"
        );
        let error = find("earthquake").err().expect("unknown").to_string();
        assert!(error.contains("planned-switchover, power-off"), "{error}");
    }
}

//! What is done, and in which order (OPS-1, OPS-8).

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two chassis, as seen by the one that carries the upgrade out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The chassis on which the command was given.
    Here,
    /// Its peer.
    Peer,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Here, Self::Peer];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Here => Self::Peer,
            Self::Peer => Self::Here,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Here => "this chassis",
            Self::Peer => "the peer",
        })
    }
}

/// What is done on one chassis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// There is room on `/flash` and in the boot stack (IMG-1, IMG-3).
    Room,
    /// The image and its signature are brought there (IMG-1).
    Copy,
    /// The image is what the loader will take, and may follow what runs (IMG-2).
    Verify,
    /// The running configuration is kept, also in a second file (OPS-10).
    Save,
    /// Health, SRP and BGP are as they should be (OPS-2, OPS-3, OPS-4).
    Check,
    /// The image is entered before all others (IMG-3, IMG-4).
    Enter,
    /// Entries of the image that is given up are deleted (OPS-8).
    Remove,
    /// The disk has everything, also for the loader (OPS-9).
    Synchronize,
    /// It restarts, as Standby (OPS-9).
    Reload,
    /// It is back and runs what it should (IMG-5).
    Running,
    /// Neighbours and routes are what they were, within 5 % (OPS-5).
    Settled,
    /// It becomes Active, by a planned switchover (OPS-1).
    TakeOver,
    /// No AAA server became unreachable with that (OPS-6).
    Aaa,
    /// The operator's own test calls (OPS-7).
    Test,
}

impl Act {
    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Copy => "copy",
            Self::Verify => "verify",
            Self::Save => "save",
            Self::Check => "check",
            Self::Enter => "enter",
            Self::Remove => "remove",
            Self::Synchronize => "synchronize",
            Self::Reload => "reload",
            Self::Running => "running",
            Self::Settled => "settled",
            Self::TakeOver => "take-over",
            Self::Aaa => "aaa",
            Self::Test => "test",
        }
    }
}

/// A step: what, and on which chassis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// On which.
    pub side: Side,
    /// What.
    pub act: Act,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.act.name(), self.side)
    }
}

/// What an upgrade is asked to do beside the upgrade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The one that was Active becomes Active again.
    pub switch_back: bool,
    /// There is a command for test calls.
    pub test: bool,
}

fn on(side: Side, acts: &[Act]) -> impl Iterator<Item = Step> {
    acts.iter().map(move |act| Step { side, act: *act })
}

/// `side` takes over, and what is looked at then.
fn take_over(side: Side, test: bool) -> impl Iterator<Item = Step> {
    let acts = [Act::TakeOver, Act::Aaa, Act::Test];
    let wanted = if test { acts.len() } else { acts.len() - 1 };
    acts.into_iter().take(wanted).map(move |act| Step { side, act })
}

/// The steps of an upgrade; `first` is the Standby. The image is brought to `Here` first, because the peer gets it from there.
pub fn upgrade(first: Side, wishes: Wishes) -> Vec<Step> {
    const BRING: [Act; 3] = [Act::Room, Act::Copy, Act::Verify];
    const RENEW: [Act; 6] =
        [Act::Check, Act::Enter, Act::Synchronize, Act::Reload, Act::Running, Act::Settled];
    let second = first.other();
    let mut steps: Vec<Step> = Vec::new();
    steps.extend(on(Side::Here, &BRING));
    steps.extend(on(Side::Peer, &BRING));
    steps.extend(on(first, &[Act::Save]));
    steps.extend(on(second, &[Act::Save]));
    steps.extend(on(first, &RENEW));
    steps.extend(take_over(first, wishes.test));
    steps.extend(on(second, &RENEW));
    if wishes.switch_back {
        steps.extend(take_over(second, wishes.test));
    }
    steps
}

/// The steps back (OPS-8); `first` is the Standby, `on_new` are those that run the image that is given up.
pub fn rollback(first: Side, on_new: &[Side], wishes: Wishes) -> Vec<Step> {
    const FORGET: [Act; 2] = [Act::Remove, Act::Synchronize];
    const RESTART: [Act; 3] = [Act::Reload, Act::Running, Act::Settled];
    let second = first.other();
    let mut steps: Vec<Step> = on(first, &FORGET).collect();
    if on_new.contains(&first) {
        steps.extend(on(first, &RESTART));
    }
    if on_new.contains(&second) {
        steps.extend(take_over(first, wishes.test));
    }
    steps.extend(on(second, &FORGET));
    if on_new.contains(&second) {
        steps.extend(on(second, &RESTART));
        if wishes.switch_back {
            steps.extend(take_over(second, wishes.test));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_plans() -> Vec<(Side, Vec<Step>)> {
        let mut plans = Vec::new();
        for first in Side::BOTH {
            for (switch_back, test) in [(false, false), (false, true), (true, false), (true, true)] {
                let wishes = Wishes { switch_back, test };
                plans.push((first, upgrade(first, wishes)));
                for on_new in [&[][..], &[first], &[first.other()], &Side::BOTH] {
                    plans.push((first, rollback(first, on_new, wishes)));
                }
            }
        }
        plans
    }

    #[test]
    fn ops_1_the_standby_comes_first_and_service_moves_before_the_other_one_restarts() {
        for first in Side::BOTH {
            let steps = upgrade(first, Wishes { switch_back: true, test: false });
            let at = |side, act| steps.iter().position(|step| *step == Step { side, act }).unwrap();
            let second = first.other();
            assert!(at(first, Act::Settled) < at(first, Act::TakeOver));
            assert!(at(first, Act::Aaa) < at(second, Act::Reload));
            assert!(at(second, Act::Settled) < at(second, Act::TakeOver));
            // Nothing is entered anywhere before both have the image, verified, and their configurations are kept.
            for side in Side::BOTH {
                assert!(at(side, Act::Save) < at(first, Act::Enter));
                assert!(at(side, Act::Verify) < at(first, Act::Enter));
            }
        }
    }

    #[test]
    fn no_plan_reloads_a_chassis_that_serves_and_each_reload_comes_after_synchronising() {
        for (first, steps) in all_plans() {
            let mut active = first.other();
            let mut synchronised = None;
            for step in &steps {
                match step.act {
                    Act::Reload => {
                        assert_ne!(step.side, active, "{steps:?}");
                        assert_eq!(synchronised, Some(step.side), "{steps:?}");
                    }
                    Act::TakeOver => {
                        assert_ne!(step.side, active, "{steps:?}");
                        active = step.side;
                    }
                    Act::Synchronize => synchronised = Some(step.side),
                    Act::Room
                    | Act::Copy
                    | Act::Verify
                    | Act::Save
                    | Act::Check
                    | Act::Enter
                    | Act::Remove
                    | Act::Running
                    | Act::Settled
                    | Act::Aaa
                    | Act::Test => {}
                }
            }
        }
    }

    #[test]
    fn ops_7_test_calls_come_after_each_switchover_and_only_where_somebody_gave_some() {
        for first in Side::BOTH {
            let acts = |wishes| upgrade(first, wishes).into_iter().map(|step| step.act).collect::<Vec<_>>();
            let with = acts(Wishes { switch_back: true, test: true });
            assert_eq!(with.windows(3).filter(|w| w[0] == Act::TakeOver && w[2] == Act::Test).count(), 2);
            assert!(!acts(Wishes { switch_back: true, test: false }).contains(&Act::Test));
        }
    }

    #[test]
    fn ops_8_the_way_back_restarts_those_that_run_the_new_image_and_forgets_it_on_both() {
        for first in Side::BOTH {
            for on_new in [&[][..], &[first], &[first.other()], &Side::BOTH] {
                let steps = rollback(first, on_new, Wishes::default());
                let of = |act| -> Vec<Side> {
                    let mut sides: Vec<_> =
                        steps.iter().filter(|step| step.act == act).map(|step| step.side).collect();
                    sides.sort();
                    sides
                };
                let mut expected = on_new.to_vec();
                expected.sort();
                assert_eq!(of(Act::Reload), expected);
                assert_eq!(of(Act::Remove), Side::BOTH);
            }
        }
    }
}

//! How exactly a dead timer expires: from the last Hello to the decision, less one dead-interval.
//!
//! The SRP link is cut where no carrier shows it, again and again. The Standby becomes Active, as it must; its journal says
//! when its peer's last Hello came and when the timer expired. After each cut the link is mended and the pair settles.

use srp_core::types::ChassisState;

use crate::clock::Time;
use crate::error::LabError;
use crate::scenario::stage::Stage;
use crate::scenario::steps;

/// Cuts the link `cuts` times; by how many milliseconds each expiry was later than due (negative: earlier).
pub fn measure(stage: &Stage<'_>, cuts: u32, said: &mut dyn FnMut(String)) -> Result<Vec<f64>, LabError> {
    let dead_ms = stage.timers.map_or(0.0, |timers| timers.dead_ms);
    let link = stage.lab.topology.srp_link()?;
    let mut late = Vec::new();
    for number in 1..=cuts {
        let active = steps::active(stage)?;
        let standby = stage.peer_of(&active);
        let bridge = stage.lab.bridge(&active, link)?;
        let failed = |doing: &str, error: std::io::Error| LabError::Network {
            doing: format!("{doing} the bridge of the SRP link"),
            reason: error.to_string(),
        };
        let zero = Time::now();
        bridge.cut().map_err(|error| failed("shut", error))?;
        stage.until_views("both chassis Active", |views| {
            views.len() == 2 && views.values().all(|view| view.state == ChassisState::Active)
        })?;
        stage.until_journal_says(&standby, "dead-timer-expired", zero)?;
        let journal = stage.srpd(&standby)?.last_switchover()?;
        bridge.mend().map_err(|error| failed("open", error))?;
        let at = |name: &str| {
            journal.iter().flat_map(|one| &one.steps).find(|step| step.step == name).map(|step| step.at_ms)
        };
        match (at("last-hello-received"), at("dead-timer-expired")) {
            (Some(heard), Some(expired)) => late.push(expired - heard - dead_ms),
            (Some(_) | None, _) => {
                said(format!("cut {number}: the journal of {standby} lacks the last Hello"));
            }
        }
        stage.until_settled(&active)?;
    }
    Ok(late)
}

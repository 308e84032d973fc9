//! Restarts of a BGP instance and of its neighbours: the keys of `[context.bgp]` that say who keeps whose routes.

use super::fault::Fault;
use super::kind::{Choice, Duration, Flag};
use super::model::{RestartConfig, RestartMode};
use super::reader::{Reported, Section};
use crate::types::Span;

/// RFC 4724 section 3: twelve bits of seconds.
const LONGEST_RESTART: Span = Span::secs(4_095);
/// RFC 9494 section 3: 24 bits of seconds.
const LONGEST_STALE: Span = Span::secs(16_777_215);

pub(super) fn read(s: &Section<'_, '_>) -> Result<RestartConfig, Reported> {
    let mode = s.or("graceful-restart", &Choice(RestartMode::WORDS), RestartMode::Aware);
    let time = s.or("restart-time", &Duration { min: Span::ZERO, max: LONGEST_RESTART }, Span::secs(30));
    let over_notification = s.or("restart-over-notification", &Flag, false);
    let long_lived = s.or("long-lived-time", &Duration { min: Span::ZERO, max: LONGEST_STALE }, Span::ZERO);
    let (mode, time) = (mode?, time?);
    let (over_notification, long_lived) = (over_notification?, long_lived?);
    if mode.value == RestartMode::Off && over_notification.value {
        s.report(&over_notification.at, Fault::WithoutEffect { needs: "graceful-restart = \"on\"" });
    }
    if mode.value != RestartMode::On && long_lived.value > Span::ZERO {
        s.report(&long_lived.at, Fault::WithoutEffect { needs: "graceful-restart = \"on\"" });
    }
    Ok(RestartConfig {
        mode: mode.value,
        time: time.value,
        over_notification: over_notification.value,
        long_lived: long_lived.value,
    })
}

//! Restarts of a BGP instance and of its neighbours: the keys of `[context.bgp]` that say who keeps whose routes.

use std::fmt;

use super::fault::Fault;
use super::kind::{Choice, Duration, Flag, word};
use super::reader::{Reported, Section};
use crate::types::Span;

/// RFC 4724 section 3: twelve bits of seconds.
const LONGEST_RESTART: Span = Span::secs(4_095);
/// RFC 9494 section 3: 24 bits of seconds.
const LONGEST_STALE: Span = Span::secs(16_777_215);

/// Restarts of the instance and of its neighbours (RFC 4724, RFC 8538, RFC 9494).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartConfig {
    /// Who keeps whose routes; default aware.
    pub mode: RestartMode,
    /// How long neighbours keep ours, 0 ..= 4095 s; default 30 s.
    pub time: Span,
    /// Routes are kept over a NOTIFICATION and an expired hold time too; default false.
    pub over_notification: bool,
    /// How long neighbours keep ours after that as the last choice, 0 ..= 16777215 s; default 0.
    pub long_lived: Span,
}

impl Default for RestartConfig {
    fn default() -> Self {
        Self {
            mode: RestartMode::Aware,
            time: Span::secs(30),
            over_notification: false,
            long_lived: Span::ZERO,
        }
    }
}

/// Who keeps whose routes over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartMode {
    /// Nobody.
    Off,
    /// We keep those of a neighbour that restarts gracefully.
    Aware,
    /// The neighbours keep ours too.
    On,
}

impl RestartMode {
    /// Each with its word in the configuration.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("aware", Self::Aware), ("on", Self::On)];
}

impl fmt::Display for RestartMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

pub(super) fn read(s: &Section<'_, '_>) -> Result<RestartConfig, Reported> {
    let usual = RestartConfig::default();
    let mode = s.or("graceful-restart", &Choice(RestartMode::WORDS), usual.mode);
    let time = s.or("restart-time", &Duration { min: Span::ZERO, max: LONGEST_RESTART }, usual.time);
    let over_notification = s.or("restart-over-notification", &Flag, usual.over_notification);
    let long_lived =
        s.or("long-lived-time", &Duration { min: Span::ZERO, max: LONGEST_STALE }, usual.long_lived);
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

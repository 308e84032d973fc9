//! What is chosen once, when the kernel side starts.

use std::time::Duration;

/// How our objects are marked and how the kernel is watched. Checked by [`crate::Kernel::start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Marks what is ours: the `proto` of our routes and of our addresses, 5..=255. Default 83 (the letter S).
    /// `docs/decisions/0004-kernel-ownership.md` says which numbers are taken by whom.
    pub protocol: u8,
    /// The metric of every route of the SRP section, 1 or more. Default 8: lower than the 20 (FRR), 32 (BIRD)
    /// and 100 up (DHCP clients) with which others install, so an activated pool is not shadowed by them.
    pub srp_metric: u32,
    /// The metric of every learned route, 1 or more, different from `srp_metric`. Default 83.
    pub learned_metric: u32,
    /// How often the kernel is compared with what is wanted although nothing seems to have happened.
    /// At least 100 ms. Default 60 s.
    pub compare_interval: Duration,
    /// Receive buffer of the event socket in octets, at least 2304 (the kernel's own minimum). Default 8 MiB.
    /// An overrun costs a full comparison, never a wrong state.
    pub event_buffer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: 83,
            srp_metric: 8,
            learned_metric: 83,
            compare_interval: Duration::from_mins(1),
            event_buffer: 8 << 20,
        }
    }
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// 0..=4 belong to the kernel and to the administrator.
    #[error(
        "route protocol {0} belongs to the kernel or the administrator: use 5..=255, unused on this machine (default 83)"
    )]
    Protocol(u8),
    /// Metric 0 means 1024 for IPv6 and cannot be matched on deletion.
    #[error(
        "route metric 0 cannot be used: IPv6 stores it as 1024 and neither family can match it on deletion; use 1 or more"
    )]
    ZeroMetric,
    /// The metric tells whose a route is.
    #[error(
        "the SRP metric and the learned metric are both {0}: they must differ, since the metric tells whose a route is"
    )]
    SameMetric(u32),
    /// Comparing too often would be all we do.
    #[error("compare interval {0:?} is too short: use 100 ms or more (default 60 s)")]
    CompareInterval(Duration),
    /// The kernel would silently round it up.
    #[error("event buffer of {0} octets is too small: use 2304 or more (default 8388608)")]
    EventBuffer(usize),
}

impl Settings {
    /// The first setting that cannot work, if any.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if self.protocol <= 4 {
            return Err(SettingsError::Protocol(self.protocol));
        }
        if self.srp_metric == 0 || self.learned_metric == 0 {
            return Err(SettingsError::ZeroMetric);
        }
        if self.srp_metric == self.learned_metric {
            return Err(SettingsError::SameMetric(self.srp_metric));
        }
        if self.compare_interval < Duration::from_millis(100) {
            return Err(SettingsError::CompareInterval(self.compare_interval));
        }
        if self.event_buffer < 2304 {
            return Err(SettingsError::EventBuffer(self.event_buffer));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_work() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn each_setting_that_cannot_work_is_named() {
        let good = Settings::default();
        let rows = [
            (Settings { protocol: 4, ..good.clone() }, SettingsError::Protocol(4)),
            (Settings { srp_metric: 0, ..good.clone() }, SettingsError::ZeroMetric),
            (Settings { learned_metric: 0, ..good.clone() }, SettingsError::ZeroMetric),
            (Settings { learned_metric: 8, ..good.clone() }, SettingsError::SameMetric(8)),
            (
                Settings { compare_interval: Duration::ZERO, ..good.clone() },
                SettingsError::CompareInterval(Duration::ZERO),
            ),
            (Settings { event_buffer: 100, ..good }, SettingsError::EventBuffer(100)),
        ];
        for (settings, error) in rows {
            assert_eq!(settings.check(), Err(error));
        }
    }
}

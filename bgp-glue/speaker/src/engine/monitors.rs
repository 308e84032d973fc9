//! Who looks on, kept up with the configuration.

use super::Engine;
use crate::monitor::Monitor;

impl Engine {
    /// Starts those that the configuration has and that do not run, and ends those that it has no longer.
    pub(super) fn start_monitors(&mut self) {
        let mut running = std::mem::take(&mut self.monitors);
        for config in self.config.monitors.clone() {
            let monitor = if let Some(at) = running.iter().position(|monitor| monitor.config == config) {
                running.swap_remove(at)
            } else {
                self.monitors_started += 1;
                Monitor::start(config, self.config.device.clone(), self.monitors_started, &self.rib)
            };
            self.monitors.push(monitor);
        }
    }
}

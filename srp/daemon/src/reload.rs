//! Reload of the configuration: as a whole, or not at all.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use bgp_glue::speaker_config;
use srp_core::config::{Config, changes};
use srp_core::types::{BootId, Mac};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use crate::answer::Answers;
use crate::clock;
use crate::inbox::Input;
use crate::record::Recording;
use crate::start::{chassis_settings, load};
use crate::steps::Step;
use crate::watch;

/// One reload.
pub struct Reload<'a> {
    /// The file.
    pub file: &'a Path,
    /// The running configuration and whom it concerns.
    pub answers: &'a Answers,
    /// The step thread.
    pub steps: &'a mpsc::UnboundedSender<Step>,
    /// MAC address of this life.
    pub mac: Mac,
    /// This life.
    pub boot: BootId,
}

impl Reload<'_> {
    /// Reads the file again. What cannot be taken over leaves everything as it was, and the log says why.
    pub async fn run(self, recording: &mut Recording) {
        let new = match load(self.file) {
            Ok(new) => new,
            Err(error) => {
                error!("reload refused, the running configuration stays:\n{error}");
                return;
            }
        };
        let old = self.answers.config();
        let differences = changes(&old, &new).changes;
        if differences.is_empty() {
            info!("reload: nothing has changed");
            return;
        }
        let needs_restart: Vec<&str> =
            differences.iter().filter(|change| !change.live).map(|change| change.what.as_str()).collect();
        if !needs_restart.is_empty() {
            error!(
                "reload refused, the running configuration stays: {} can only change with a restart of srpd",
                needs_restart.join("; ")
            );
            return;
        }
        for change in &differences {
            info!("reload: {}", change.what);
        }
        if old.record != new.record {
            recording.change(&self.answers.inbox, new.record.as_ref()).await;
        }
        self.apply(new).await;
    }

    async fn apply(self, new: Config) {
        for context in &new.contexts {
            let (Some(speaker), Some(bgp)) = (self.answers.speakers.get(&context.name), &context.bgp) else {
                continue;
            };
            match speaker_config(bgp) {
                Ok(config) => match speaker.reload(config).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        error!(context = context.name, %error, "BGP configuration not taken over");
                    }
                    Err(_) => error!(context = context.name, "the BGP speaker has ended: restart srpd"),
                },
                Err(error) => error!(context = context.name, %error, "BGP configuration not taken over"),
            }
        }
        watch::lock(&self.answers.neighbors).configure(clock::now(), &new.contexts);
        let (done, finished) = oneshot::channel();
        if self.steps.send(Step::Reconfigure { contexts: new.contexts.clone(), done }).is_ok() {
            let _ = finished.await; // the thread ends only with the daemon
        }
        // Neither the MAC nor the life changes while the daemon runs.
        let settings = Box::new(chassis_settings(&new, self.mac, self.boot));
        let items = new.comparison_items();
        if let Err(error) = self.answers.inbox.send(Input::Reconfigured(settings, items)) {
            warn!(%error, "chassis thread not told");
        }
        *self.answers.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        info!("reload done");
    }
}

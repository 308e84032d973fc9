//! Reload of the configuration: as a whole, or not at all.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use netlink::Kernel;
use srp_core::config::{Config, Security, changes};
use srp_core::events::Observation;
use srp_core::types::{BootId, Mac};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use crate::answer::Answers;
use crate::bulk::Bulk;
use crate::clock;
use crate::events::{self, Outlets};
use crate::inbox::Input;
use crate::link::{Credentials, CredentialsError};
use crate::machine::{check_machine, warn_of_slips};
use crate::metrics::{Endpoint, Listening};
use crate::paths;
use crate::ports;
use crate::probes;
use crate::record::Recording;
use crate::start::{StartError, Told, chassis_settings, checked_speakers, load};
use crate::steps::Step;
use crate::watch;

/// What has changed, one line each, or why nothing has.
pub type Outcome = Result<Vec<String>, String>;

/// One reload.
pub struct Reload<'a> {
    /// The running configuration and whom it concerns.
    pub answers: &'a Arc<Answers>,
    /// The step thread.
    pub steps: &'a mpsc::UnboundedSender<Step>,
    /// The links and addresses of the machine.
    pub kernel: &'a Kernel,
    /// MAC address of this life.
    pub mac: Mac,
    /// This life.
    pub boot: BootId,
}

/// What a reload can exchange beside the configuration.
pub struct Held {
    /// The record of the state machine.
    pub recording: Recording,
    /// What new connections of the link prove themselves with; `None` in plaintext.
    pub credentials: Option<Credentials>,
    /// What the speakers were told last, with the keys that stood in files then.
    pub told: Told,
    /// Who is told of events, with the secrets that stood in files then.
    pub outlets: Outlets,
    /// The metrics.
    pub metrics: Endpoint,
    /// The bulk statistics.
    pub bulk: Bulk,
    /// What is probed, with the secrets that stood in files then.
    pub probed: probes::Wanted,
}

impl Held {
    /// Serves metrics and gathers bulk statistics as the running configuration says.
    pub fn measure(&mut self, listening: Listening, answers: &Arc<Answers>) {
        self.metrics.serve(listening, answers);
        self.bulk.change(answers.config().bulk_statistics.as_ref(), answers);
    }

    /// Key and certificates as the files have them now, if they are others than before.
    fn new_credentials(&self, config: &Config) -> Result<Option<Credentials>, CredentialsError> {
        let Security::Tls { key, certificate, peer_certificate } = &config.srp.security else {
            return Ok(None);
        };
        let new = Credentials::load(key, certificate, peer_certificate)?;
        Ok((!self.credentials.as_ref().is_some_and(|old| old.are(&new))).then_some(new))
    }
}

impl Reload<'_> {
    /// Carries it out, and tells who waits for the outcome.
    pub async fn run(self, held: &mut Held, reply: Option<oneshot::Sender<Outcome>>) {
        let outcome = self.carry_out(held).await;
        // Who asked may have gone; the log has it all the same.
        let _ = reply.map(|reply| reply.send(outcome));
    }

    /// Reads the file again, and the files that it names. What cannot be taken over leaves everything as it was, and the
    /// log says why.
    async fn carry_out(self, held: &mut Held) -> Outcome {
        let new = match load(&self.answers.file) {
            Ok(new) => new,
            Err(error) => {
                return self.refuse(&format!("the running configuration stays:\n{error}"));
            }
        };
        let old = self.answers.config();
        let differences = changes(&old, &new).changes;
        let credentials = match held.new_credentials(&new) {
            Ok(credentials) => credentials,
            Err(error) => {
                return self.refuse(&format!("the running configuration and its keys stay:\n{error}"));
            }
        };
        let outlets = match Outlets::load(&new) {
            Ok(outlets) => outlets,
            Err(error) => return self.refuse(&format!("the running configuration stays: {error}")),
        };
        let listening = match held.metrics.listen(new.metrics.as_ref()).await {
            Ok(listening) => listening,
            Err(error) => return self.refuse(&format!("the running configuration stays: {error}")),
        };
        let told = match self.speakers(&new) {
            Ok(told) => told,
            Err(error) => {
                return self.refuse(&format!("the running configuration stays: {error}"));
            }
        };
        let probed = match probes::wanted(&new) {
            Ok(probed) => probed,
            Err(error) => return self.refuse(&format!("the running configuration stays: {error}")),
        };
        let needs_restart: Vec<&str> =
            differences.iter().filter(|change| !change.live).map(|change| change.what.as_str()).collect();
        if !needs_restart.is_empty() {
            return self.refuse(&format!(
                "the running configuration stays: {} can only change with a restart of srpd",
                needs_restart.join("; ")
            ));
        }
        // Also where the file is the same: somebody may have taken an address away.
        if let Err(error) = ports::make(&new).await {
            return self.refuse(&format!("the running configuration stays: {error}"));
        }
        let same_secrets = told == held.told && outlets == held.outlets && probed == held.probed;
        if differences.is_empty() && credentials.is_none() && same_secrets {
            info!("reload: nothing has changed");
            return Ok(Vec::new());
        }
        if let Err(error) = self.change_paths(&new).await {
            if let Err(error) = ports::make(&old).await {
                error!("interfaces not put back: {error}");
            }
            return self.refuse(&format!("the running configuration stays: {error}"));
        }
        for change in &differences {
            info!("reload: {}", change.what);
        }
        if differences.is_empty() && told != held.told {
            info!("reload: other keys for BGP neighbours");
        }
        if differences.is_empty() && probed != held.probed {
            info!("reload: other secrets for AAA servers");
        }
        if let Some(credentials) = credentials {
            self.exchange(held, credentials);
        }
        if old.record != new.record {
            held.recording.change(&self.answers.inbox, new.record.as_ref()).await;
        }
        held.told.clone_from(&told);
        self.answers.probes.configure(&probed);
        held.probed = probed;
        if outlets != held.outlets {
            info!("reload: others are told of events, or with other secrets");
            held.outlets = outlets.clone();
            self.answers.herald.tell_of_events(outlets, self.mac).await;
        }
        let detail = differences.iter().map(|change| change.what.as_str()).collect::<Vec<_>>().join("; ");
        let here = events::whereabouts(&new);
        let answers = self.answers;
        self.apply(new, told).await;
        held.measure(listening, answers);
        answers.herald.tell(Observation::Reloaded { here, detail });
        Ok(differences.into_iter().map(|change| change.what).collect())
    }

    fn refuse(&self, why: &str) -> Outcome {
        error!("reload refused, {why}");
        self.answers.herald.tell(Observation::ReloadRefused { why: why.to_owned() });
        Err(why.to_owned())
    }

    /// What each speaker is to be told. Keys that cannot be read and interfaces that do not exist are found here, before
    /// anything is touched.
    fn speakers(&self, new: &Config) -> Result<Told, StartError> {
        check_machine(new, self.kernel)?;
        checked_speakers(new)
    }

    /// The system can refuse it, so it comes before what it cannot. Sessions that stay are not touched.
    async fn change_paths(&self, new: &Config) -> Result<(), StartError> {
        let wanted = paths::wanted(new)?;
        let (reply, done) = oneshot::channel();
        self.answers.inbox.send(Input::Bfd(wanted, reply))?;
        match within(new, done).await {
            Some(result) => Ok(result.map_err(|_| StartError::ChassisGone)??),
            None => Err(StartError::ChassisGone),
        }
    }

    fn exchange(&self, held: &mut Held, credentials: Credentials) {
        if let Some(exposed) = credentials.exposed_key() {
            warn!("{exposed}");
        }
        info!(
            certificate = %credentials.ours(), pinned = ?credentials.pinned(),
            "reload: other keys for new connections of the SRP link; one that is up stays as it was proved"
        );
        held.credentials = Some(credentials.clone());
        if let Err(error) = self.answers.inbox.send(Input::Credentials(Box::new(credentials))) {
            warn!(%error, "chassis thread not told");
        }
    }

    async fn apply(&self, new: Config, told: Told) {
        warn_of_slips(&new, self.kernel);
        for (context, config) in told {
            let Some(speaker) = self.answers.speakers.get(&context) else { continue };
            match within(&new, speaker.reload(config)).await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => error!(context, %error, "BGP configuration not taken over"),
                Some(Err(_)) => error!(context, "the BGP speaker has ended: restart srpd"),
                None => error!(context, "the BGP speaker does not answer: restart srpd"),
            }
        }
        watch::lock(&self.answers.neighbors).configure(clock::now(), &new.contexts, &new.srp.monitor_bgp);
        let (done, finished) = oneshot::channel();
        let bound = Duration::from(new.srp.switchover_timeout);
        let step = Step::Reconfigure { contexts: new.contexts.clone(), bound, done };
        // It may have to wait for its turn behind another step, and has two parts of its own.
        if self.steps.send(step).is_ok() && tokio::time::timeout(bound * 3, finished).await.is_err() {
            warn!("kernel and BGP are not up to the new configuration yet: a step takes long");
        }
        // Neither the MAC nor the life changes while the daemon runs.
        let settings = Box::new(chassis_settings(&new, self.mac, self.boot));
        let items = new.comparison_items();
        if let Err(error) = self.answers.inbox.send(Input::Reconfigured(settings, items)) {
            warn!(%error, "chassis thread not told");
        }
        self.answers.probes.report_afresh();
        // What was watched before keeps its state; what is new has none yet.
        watch::tell_neighbors(&self.answers.inbox, &watch::lock(&self.answers.neighbors));
        watch::tell_interfaces(&self.answers.inbox, &new, &self.kernel.links());
        *self.answers.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        info!("reload done");
    }
}

/// The answer, if it comes within the switchover-timeout.
async fn within<T>(config: &Config, answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from(config.srp.switchover_timeout), answer).await.ok()
}

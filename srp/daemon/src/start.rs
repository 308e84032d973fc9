//! From a checked configuration to a running chassis, and back in good order.
//!
//! Everything that can refuse is asked first; the kernel is not changed and no neighbour is called before all of it
//! has agreed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bgp_glue::speaker::{Speaker, SpeakerConfig, SpeakerHandle};
use bgp_glue::{SettingsError, speaker_config};
use mio::{Poll, Registry, Waker};
use netlink::{EventReceiver, Kernel, LinkName};
use srp_core::chassis::{Chassis, Event, PeerBfdSettings, Settings};
use srp_core::config::{BgpConfig, Config, ContextConfig, digest};
use srp_core::events::Observation;
use srp_core::types::{BootId, Identity, Mac, Span};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use crate::alarm::Alarm;
use crate::answer::Answers;
use crate::beat::{ALARM, Beat, Ears, INBOX, LINK_TOKENS, PATH_TOKENS};
use crate::bfd::BfdError;
use crate::bulk::Bulk;
use crate::clock;
use crate::comparison;
use crate::context_network::ContextNetwork;
use crate::control::{self, Claim, ControlError};
use crate::events::snmp::SnmpError;
use crate::events::{self, Herald, Outlets};
use crate::inbox::{Inbox, Input};
use crate::link::{Link, LinkError, LinkSettings, TOKENS};
use crate::machine::{chassis_mac, check_machine, no_vrf, warn_of_slips};
use crate::metrics::{self, Endpoint};
use crate::paths::{self, Paths};
use crate::ports::{self, PortsError};
use crate::probes::{self, Probes, SecretError};
use crate::record::Recording;
use crate::reload::{self, Held};
use crate::restart::{self, Again};
use crate::signals::{Signals, reload_on_request, told_to_stop};
use crate::steps::{self, SharedPublished, Steps};
use crate::watch::{self, Network, SharedNeighbors};

/// Beyond what the state machine allows itself, an orderly stop takes no longer than this.
const STOP_SLACK: Duration = Duration::from_secs(5);

/// How long neighbours get to hear that we shut down.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be read or is wrong; the text has every fault.
    #[error("{0}")]
    Config(String),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The kernel side.
    #[error(transparent)]
    Kernel(#[from] netlink::StartError),
    /// The links that the configuration names.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// The configuration asks for something that this machine does not have.
    #[error("{0}")]
    Machine(String),
    /// The SRP link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// BFD.
    #[error(transparent)]
    Bfd(#[from] BfdError),
    /// A secret of what is probed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Timers that the checks of the configuration should have refused.
    #[error("BFD: {0}")]
    BfdTimers(#[from] bfd::TimersError),
    /// A BGP speaker.
    #[error("context {context}: {source}")]
    Speaker {
        /// The context.
        context: String,
        /// Why.
        source: bgp_glue::speaker::StartError,
    },
    /// A BGP speaker's configuration.
    #[error("context {context}: {source}")]
    SpeakerSettings {
        /// The context.
        context: String,
        /// Why.
        source: SettingsError,
    },
    /// The address of the metrics.
    #[error(transparent)]
    Metrics(#[from] metrics::AddressError),
    /// A file of an SNMP station.
    #[error(transparent)]
    Snmp(#[from] SnmpError),
    /// The system refused a thread, a signal handler or an epoll instance.
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
    /// An orderly stop took too long.
    #[error(
        "orderly stop took longer than {0:?}: loopbacks and pools may be left in the kernel; start srpd to adopt them"
    )]
    SlowStop(Duration),
    /// The chassis thread ended by itself.
    #[error("the chassis thread ended: see the log above, and restart srpd")]
    ChassisGone,
}

/// Reads and checks a configuration file.
pub fn load(file: &Path) -> Result<Config, StartError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| StartError::Config(format!("cannot read {}: {error}", file.display())))?;
    Config::from_toml(&text, file).map_err(|errors| {
        let mut text = String::new();
        for error in &errors {
            let _ = writeln!(text, "{error}"); // a String takes every line
        }
        let _ = write!(text, "{} error(s) in {}: nothing was changed", errors.len(), file.display());
        StartError::Config(text)
    })
}

/// Reads and checks a configuration file, and the keys of BGP neighbours and the secrets of AAA servers that it names; asks
/// the kernel whether it takes those keys.
pub fn check(file: &Path) -> Result<(), StartError> {
    let config = load(file)?;
    Outlets::load(&config)?;
    probes::wanted(&config)?;
    checked_speakers(&config).map(drop)
}

/// What the state machine must know of the configuration.
pub fn chassis_settings(config: &Config, mac: Mac, boot: BootId) -> Settings {
    let srp = &config.srp;
    let identity = Identity { mode: srp.chassis_mode, priority: srp.priority, mac, boot };
    Settings {
        identity,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        hello_interval: srp.hello_interval,
        dead_interval: srp.dead_interval,
        delay_interval: srp.delay_interval,
        threshold: srp.route_modifier_threshold,
        delta_route_modifier: srp.delta_route_modifier,
        advertise_in_standby: srp.advertise_routes_in_standby_state,
        drain_interval: srp.drain_interval,
        graceful_shutdown: graceful_shutdown(config),
        switchover_timeout: srp.switchover_timeout,
        config_digest: digest(&config.comparison_items()),
        peer_bfd: (!srp.bfd.is_empty())
            .then_some(PeerBfdSettings { ignore_dead_interval: srp.bfd_mon_ignore_dead_interval }),
        monitors: config.monitored(),
        guard_timers: srp.guard_timers,
        switchover_retry: srp.switchover_retry,
    }
}

/// Handing over, withdrawing, and what is left: one timeout for each, a notice and a drain.
fn stop_within(config: &Config) -> Duration {
    let srp = &config.srp;
    let once = Duration::from(graceful_shutdown(config)) + Duration::from(srp.drain_interval);
    Duration::from(srp.switchover_timeout) * 3 + once + STOP_SLACK
}

/// The longest of its contexts: they are withdrawn together.
fn graceful_shutdown(config: &Config) -> Span {
    let instances = config.contexts.iter().filter_map(|context| context.bgp.as_ref());
    instances.map(|bgp| bgp.graceful_shutdown).max().unwrap_or(Span::ZERO)
}

/// Runs a chassis until it is told to stop.
pub async fn run(file: PathBuf, config: Config) -> Result<(), StartError> {
    let claim = Claim::new(&config.control)?;
    let told = checked_speakers(&config)?;
    let probed = probes::wanted(&config)?;
    let (kernel, kernel_events) = kernel_with_ports(&config).await?;
    warn_of_slips(&config, &kernel);
    let kernel = Arc::new(kernel);

    let boot = BootId(random());
    let mac = chassis_mac(&config, &kernel, boot);
    let settings = chassis_settings(&config, mac, boot);
    let poll = Poll::new()?;
    let link_settings = LinkSettings::new(&config.srp, boot.0, LINK_TOKENS..LINK_TOKENS + TOKENS);
    let link = Link::open(link_settings, poll.registry())?;
    let credentials = link.credentials().cloned();
    let (inbox, inputs) = Inbox::new(Waker::new(poll.registry(), INBOX)?);

    let (metrics, listening) = Endpoint::new(config.metrics.as_ref()).await?;
    let (herald, outlets) = start_events(&config, mac).await?;
    let neighbors = SharedNeighbors::default();
    watch::lock(&neighbors).configure(clock::now(), &config.contexts, &config.srp.monitor_bgp);
    let again = restart::find(&config.contexts, &kernel);
    let network = Arc::new(Network::new(Arc::clone(&kernel)));
    let shared = Shared { neighbors: &neighbors, inbox: &inbox, network: &network, herald: &herald };
    let (speakers, converged) = start_speakers(&config, &told, &again, &kernel, &shared)?;
    let followed = in_their_vrfs(&config, &speakers);
    tokio::spawn(watch::kernel(kernel_events, Arc::clone(&network), followed, inbox.clone(), herald.clone()));
    let paths = open_paths(&config, poll.registry(), speakers.clone(), herald.clone())?;
    let ears = Ears { alarm: Alarm::new(poll.registry(), ALARM)?, poll, link, paths };

    tokio::spawn(restart::sweep(Arc::clone(&kernel), speakers.len(), again.len(), converged));

    let (step_sender, step_receiver) = mpsc::unbounded_channel();
    let published = SharedPublished::default();
    let in_order = config.contexts.iter().map(|context| speakers.get(&context.name).cloned()).collect();
    let bound = Duration::from(config.srp.switchover_timeout);
    let performer = Steps::new(
        Arc::clone(&kernel),
        in_order,
        config.contexts.clone(),
        bound,
        inbox.clone(),
        published.clone(),
    )
    .after_restart(restart::first_step(&config, &again));
    steps::spawn(performer, step_receiver)?;

    let (stopped_sender, mut stopped) = oneshot::channel();
    let (recording, mut recorder) = Recording::begin(config.record.as_ref())?;
    let mut held = Held { recording, credentials, told, outlets, metrics, bulk: Bulk::default(), probed };
    let now = clock::now();
    if let Some(recorder) = &mut recorder {
        recorder.start(now, &settings);
    }
    let chassis = Chassis::new(now, settings);
    let items = config.comparison_items();
    let (probes, states) = Probes::start(&held.probed, inbox.clone());
    let beat = Beat::new(ears, chassis, items, inputs, step_sender.clone(), stopped_sender, herald.clone());
    let beat = spawn_beat(beat.recorded_by(recorder).telling(states))?;
    watch::tell_neighbors(&inbox, &watch::lock(&neighbors));
    watch::tell_interfaces(&inbox, &config, &kernel.links());

    let stop_within = stop_within(&config);
    say_who(&config, mac, boot);
    let (reloads, mut asked) = mpsc::channel(1);
    let answers = Arc::new(Answers {
        validated: Mutex::default(),
        file: std::path::absolute(&file)?,
        reloads,
        config: RwLock::new(Arc::new(config)),
        inbox: inbox.clone(),
        speakers: speakers.clone(),
        neighbors,
        network,
        published,
        herald: herald.clone(),
        probes,
    });
    tokio::spawn(comparison::repeat(Arc::clone(&answers)));
    tokio::spawn(control::serve(claim.listen()?, Arc::clone(&answers)));
    held.measure(listening, &answers);
    crate::notify::ready();
    herald.tell(Observation::Started { release: env!("CARGO_PKG_VERSION").to_owned() });

    let mut signals = Signals::new()?;
    loop {
        tokio::select! {
            () = told_to_stop(&mut signals.terminate, &mut signals.interrupt) => break,
            reply = reload_on_request(&mut signals.hangup, &mut asked) => {
                let change = reload::Reload { answers: &answers, steps: &step_sender, kernel: &kernel, mac, boot };
                change.run(&mut held, reply).await;
            }
            _ = &mut stopped => return Err(StartError::ChassisGone),
        }
    }
    info!("stopping: handing over if the peer is ready");
    crate::notify::stopping();
    herald.tell(Observation::Stopping);
    tell(&inbox, Event::Stop);
    if tokio::time::timeout(stop_within, &mut stopped).await.is_err() {
        return Err(StartError::SlowStop(stop_within));
    }
    leave(&speakers, &kernel, bound).await;
    finish(beat, held, bound, &herald).await;
    drop(step_sender);
    Ok(())
}

fn say_who(config: &Config, mac: Mac, boot: BootId) {
    info!(
        mode = %config.srp.chassis_mode, priority = %config.srp.priority, %mac, boot_id = %boot,
        bind = %config.srp.bind_address, peer = %config.srp.peer_address, "srpd runs"
    );
}

/// Waits for what still runs, but not for ever.
async fn finish(beat: JoinHandle<()>, mut held: Held, bound: Duration, herald: &Herald) {
    // It has said goodbye to the peer, or has waited long enough for it to listen.
    let joined = tokio::task::spawn_blocking(move || beat.join());
    if tokio::time::timeout(GOODBYE, joined).await.is_err() {
        warn!("the chassis thread does not end: not waited for");
    }
    if tokio::time::timeout(bound, held.recording.finish()).await.is_err() {
        warn!("the record is not complete: its disk does not answer");
    }
    herald.finish(GOODBYE).await;
}

fn spawn_beat(beat: Beat) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("srpd-chassis".into()).spawn(move || {
        crate::realtime::enter();
        if let Err(error) = beat.run() {
            error!(%error, "chassis thread");
        }
    })
}

/// The thread of events, and who is told of them.
async fn start_events(config: &Config, mac: Mac) -> Result<(Herald, Outlets), StartError> {
    let outlets = Outlets::load(config)?;
    let herald = Herald::start(events::whereabouts(config))?;
    herald.tell_of_events(outlets.clone(), mac).await;
    Ok((herald, outlets))
}

/// BFD with the peer and with neighbours; its sockets are opened here.
fn open_paths(
    config: &Config,
    registry: &Registry,
    speakers: BTreeMap<String, SpeakerHandle>,
    herald: Herald,
) -> Result<Paths, StartError> {
    let wanted = paths::wanted(config)?;
    Ok(Paths::open(clock::now(), wanted, random(), PATH_TOKENS, registry, speakers, herald)?)
}

/// Says goodbye to the neighbours and cleans the kernel; who does not answer is not waited for.
async fn leave(speakers: &BTreeMap<String, SpeakerHandle>, kernel: &Kernel, bound: Duration) {
    let goodbyes: Vec<_> = speakers.values().map(|speaker| speaker.shutdown("srpd stops")).collect();
    for goodbye in goodbyes {
        // A neighbour that does not read gets no more time than this.
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }
    match tokio::time::timeout(bound, kernel.remove_all_ours()).await {
        Ok(Ok(report)) => info!(removed = report.removed, "stopped"),
        Ok(Err(stopped)) => warn!(%stopped, "kernel not cleaned"),
        Err(_) => warn!("kernel not cleaned: it does not answer; start srpd to adopt what it holds"),
    }
}

/// Whom those who follow a speaker tell.
struct Shared<'a> {
    neighbors: &'a SharedNeighbors,
    inbox: &'a Inbox,
    network: &'a Arc<Network>,
    herald: &'a Herald,
}

/// The speakers, each with the VRF of its context.
fn in_their_vrfs(
    config: &Config,
    speakers: &BTreeMap<String, SpeakerHandle>,
) -> Vec<(Option<LinkName>, SpeakerHandle)> {
    let contexts = config.contexts.iter().filter_map(|context| {
        let speaker = speakers.get(&context.name)?.clone();
        Some((ContextNetwork::of(context).vrf().cloned(), speaker))
    });
    contexts.collect()
}

/// A speaker for each context with BGP, and a task that follows it; and where those that restarted say that they converged.
fn start_speakers(
    config: &Config,
    told: &Told,
    again: &Again,
    kernel: &Arc<Kernel>,
    shared: &Shared<'_>,
) -> Result<(BTreeMap<String, SpeakerHandle>, mpsc::Receiver<bool>), StartError> {
    let (converged, has_converged) = mpsc::channel(config.contexts.len().max(1));
    let mut speakers = BTreeMap::new();
    for context in &config.contexts {
        let Some(speaker) = told.get(&context.name).cloned() else { continue };
        let name = context.name.clone();
        let started = match again.get(&name) {
            Some(restarted) => Speaker::start_again(speaker, *restarted),
            None => Speaker::start(speaker),
        };
        let (handle, events) =
            started.map_err(|source| StartError::Speaker { context: name.clone(), source })?;
        let network = ContextNetwork::of(context);
        let table = network.table(&kernel.links()).ok_or_else(|| StartError::Machine(no_vrf(context)))?;
        let watched = watch::Watched {
            context: name.clone(),
            network,
            table,
            speaker: handle.clone(),
            kernel: Arc::clone(kernel),
            neighbors: Arc::clone(shared.neighbors),
            inbox: shared.inbox.clone(),
            herald: shared.herald.clone(),
            converged: converged.clone(),
        };
        tokio::spawn(watched.follow(events, Arc::clone(shared.network)));
        speakers.insert(name, handle);
    }
    Ok((speakers, has_converged))
}

fn tell(inbox: &Inbox, event: Event) {
    if let Err(error) = inbox.send(Input::Event(event, Vec::new())) {
        error!(%error, "chassis thread not told");
    }
}

/// The kernel side, with the named links made as wanted, and read again where that changed any: whoever asks it then sees
/// their addresses.
async fn kernel_with_ports(config: &Config) -> Result<(Kernel, EventReceiver), StartError> {
    let started = Kernel::start(kernel_settings(config))?;
    check_machine(config, &started.0)?;
    if !ports::make(config).await? {
        return Ok(started);
    }
    drop(started);
    Ok(Kernel::start(kernel_settings(config))?)
}

fn kernel_settings(config: &Config) -> netlink::Settings {
    netlink::Settings {
        protocol: config.kernel.protocol,
        srp_metric: config.kernel.metric,
        learned_metric: config.kernel.learned_metric,
        ..netlink::Settings::default()
    }
}

/// What the speaker of each context is told, by the context's name.
pub type Told = BTreeMap<String, SpeakerConfig>;

/// What the speakers are to be told. Keys are read from their files here.
pub fn checked_speakers(config: &Config) -> Result<Told, StartError> {
    let with_bgp = config.contexts.iter().filter_map(|context| Some((context, context.bgp.as_ref()?)));
    with_bgp.map(|(context, bgp)| Ok((context.name.clone(), checked_speaker(context, bgp)?))).collect()
}

/// What the speaker of a context is told. Files with keys are read here, and the kernel is asked whether it takes them.
fn checked_speaker(config: &ContextConfig, bgp: &BgpConfig) -> Result<SpeakerConfig, StartError> {
    let context = || config.name.clone();
    let speaker = speaker_config(bgp, config.vrf())
        .map_err(|source| StartError::SpeakerSettings { context: context(), source })?;
    let refused = |faults| StartError::Speaker {
        context: context(),
        source: bgp_glue::speaker::StartError::Config(faults),
    };
    speaker.check().map_err(refused)?;
    speaker.check_keys().map_err(|source| StartError::Speaker { context: context(), source })?;
    Ok(speaker)
}

/// A random number that is no secret.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds its hashers from the system's random source.
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use srp_core::types::{ChassisMode, Priority};

    use super::*;

    #[test]
    fn a_configuration_that_says_nothing_gives_the_defaults_of_the_state_machine() {
        let file = "
            [srp]
            bind-address = \"192.0.2.1\"
            peer-ip-address = \"192.0.2.2\"
            plaintext = true
        ";
        let config = Config::from_toml(file, Path::new("/etc/srp.toml")).expect("it has no fault");
        let (mac, boot) = (Mac([2, 0, 0, 0, 0, 1]), BootId(1));
        let identity = Identity { mode: ChassisMode::Backup, priority: Priority::default(), mac, boot };
        let settings = chassis_settings(&config, mac, boot);
        // The same but for what no default can be: who wrote the state machine's settings, of what, and what srpd itself watches.
        let release = settings.release.clone();
        let config_digest = settings.config_digest;
        let monitors = config.monitored();
        assert_eq!(settings, Settings { release, config_digest, monitors, ..Settings::new(identity) });
    }
}

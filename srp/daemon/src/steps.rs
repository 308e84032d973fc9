//! The step thread: carries out install, announce, withdraw and remove, in order, and reports each.
//!
//! Kernel steps are waited for one by one. BGP steps are begun in order, but their acknowledgement by the neighbours'
//! TCP is awaited aside: a withdraw never waits for a neighbour that does not answer an announcement.
//!
//! Always: each step is reported within the switchover-timeout, answered or not; the first withdraw after a restart alone
//! within the restart-time, since neighbours that are not back yet still send their packets here. A kernel that does not
//! answer has installed nothing as far as anyone knows; what it still does in the end, the next comparison finds.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgp_glue::speaker::{Originated, SpeakerHandle};
use bgp_glue::{Announcement, announced};
use ipnetwork::IpNetwork;
use netlink::{Address, Kernel, Report};
use srp_core::chassis::{Event, MonitorState, Ticket};
use srp_core::config::{ContextConfig, kernel_monitor};
use srp_core::types::RouteModifier;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::clock;
use crate::hosts::Hosts;
use crate::inbox::{Inbox, Input, Noted};
use crate::restart::FirstStep;
use crate::section::{Holding, address, held, prefixes, section};

/// A neighbour whose TCP has not acknowledged an UPDATE after this long is not waited for.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(1);

/// The answer of a speaker to a set of routes.
type Acknowledgement = oneshot::Receiver<bgp_glue::speaker::Flushed>;

/// What the chassis thread wants done.
#[derive(Debug)]
pub enum Step {
    /// Everything into the kernel.
    Install {
        /// For the report.
        ticket: Ticket,
    },
    /// What is installed to the neighbours.
    Announce {
        /// For the report.
        ticket: Ticket,
        /// Prepends.
        modifier: RouteModifier,
    },
    /// What is announced is the last choice from now on. Not reported.
    Retire,
    /// Where the layer-2 addresses are, to the hosts of their links.
    TellHosts,
    /// Nothing srp-activated to the neighbours.
    Withdraw {
        /// For the report.
        ticket: Ticket,
    },
    /// Nothing srp-activated in the kernel.
    Remove {
        /// For the report.
        ticket: Ticket,
    },
    /// The configuration was reloaded: bring kernel and neighbours up to it, in the present state.
    Reconfigure {
        /// The new contexts, as many and of the same names as before.
        contexts: Vec<ContextConfig>,
        /// No step takes longer (`switchover-timeout`).
        bound: Duration,
        /// Done.
        done: oneshot::Sender<()>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Install { .. } => f.write_str("loopbacks and pools into the kernel"),
            Self::Announce { modifier, .. } => write!(f, "{modifier} prepends"),
            Self::Retire => f.write_str("srp-activated routes as the last choice"),
            Self::TellHosts => f.write_str("where the layer-2 addresses are"),
            Self::Withdraw { .. } => f.write_str("srp-activated routes"),
            Self::Remove { .. } => f.write_str("loopbacks and pools out of the kernel"),
            Self::Reconfigure { .. } => f.write_str("reloaded configuration"),
        }
    }
}

/// What the thread shows to `show`.
#[derive(Debug, Default)]
pub struct Published {
    /// Objects that the kernel refused and that are still missing.
    pub refused: Vec<String>,
    /// What each context's speaker originates, in the order of the contexts.
    pub originated: Vec<Vec<Originated>>,
    /// How many loopbacks and pools of each context the kernel holds.
    pub held: Vec<usize>,
}

/// Shared with `show`; a panic elsewhere does not make it unreadable.
#[derive(Clone, Debug, Default)]
pub struct SharedPublished(Arc<Mutex<Published>>);

impl SharedPublished {
    /// Locks it for reading or writing.
    pub fn lock(&self) -> std::sync::MutexGuard<'_, Published> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread works with.
pub struct Steps {
    kernel: Arc<Kernel>,
    /// In the order of the contexts; `None` for a context without BGP.
    speakers: Vec<Option<SpeakerHandle>>,
    contexts: Vec<ContextConfig>,
    /// What the kernel holds, per context.
    installed: Vec<BTreeSet<IpNetwork>>,
    holding: Holding,
    modifier: Option<RouteModifier>,
    retiring: bool,
    /// Nothing is decided yet, and neighbours may hold what an earlier life announced.
    first: Option<FirstStep>,
    hosts: Hosts,
    /// No step takes longer.
    bound: Duration,
    inbox: Inbox,
    published: SharedPublished,
}

impl Steps {
    /// Nothing is installed or announced yet.
    pub fn new(
        kernel: Arc<Kernel>,
        speakers: Vec<Option<SpeakerHandle>>,
        contexts: Vec<ContextConfig>,
        bound: Duration,
        inbox: Inbox,
        published: SharedPublished,
    ) -> Self {
        let installed = vec![BTreeSet::new(); contexts.len()];
        let mut hosts = Hosts::default();
        hosts.prepare(&contexts);
        let holding = Holding::Nothing;
        Self {
            kernel,
            speakers,
            contexts,
            installed,
            holding,
            modifier: None,
            retiring: false,
            first: None,
            hosts,
            bound,
            inbox,
            published,
        }
    }

    /// Neighbours may hold what an earlier life announced: they are told nothing before it is decided what holds now, and
    /// what they hold stays in the kernel until they were told otherwise.
    #[must_use]
    pub fn after_restart(self, first: Option<FirstStep>) -> Self {
        Self { first, ..self }
    }

    /// Runs until the chassis thread ends.
    pub async fn run(mut self, mut steps: UnboundedReceiver<Step>) {
        if self.first.is_none() {
            self.advertise();
        }
        while let Some(step) = steps.recv().await {
            self.perform(step).await;
        }
    }

    async fn perform(&mut self, step: Step) {
        match step {
            Step::Install { ticket } => {
                self.holding = Holding::Everything;
                let (installed, refused, noted) = self.bring_kernel_up_to_date("installed").await;
                self.report(Event::Installed { ticket, installed, refused }, vec![noted]);
            }
            Step::Remove { ticket } => {
                self.hosts.end();
                self.holding = Holding::Nothing;
                let (_, _, noted) = self.bring_kernel_up_to_date("removed").await;
                self.report(Event::Removed { ticket }, vec![noted]);
            }
            Step::Announce { ticket, modifier } => {
                self.modifier = Some(modifier);
                self.retiring = false;
                if self.holding == Holding::Draining {
                    // It changed its mind before the remove: what hosts look for is missing.
                    self.holding = Holding::Everything;
                    self.bring_kernel_up_to_date("installed").await;
                }
                self.first = None;
                let acknowledged = self.advertise();
                let told = self.tell_hosts();
                self.report_later(
                    acknowledged,
                    Event::Announced { ticket },
                    ["update-written", "update-acknowledged"],
                    told,
                );
            }
            Step::Retire => {
                self.retiring = true;
                drop(self.advertise()); // it lasts its time, acknowledged or not
            }
            Step::TellHosts => {
                if let Some(Noted { detail, .. }) = self.tell_hosts() {
                    info!(detail, "hosts told again");
                }
            }
            Step::Withdraw { ticket } => {
                self.modifier = None;
                self.retiring = false;
                self.hosts.end();
                let (event, steps) = (Event::Withdrawn { ticket }, ["withdraw-written", "withdrawn"]);
                if let Some(FirstStep { until, drain }) = self.first.take() {
                    // Those who are not back yet still send their packets here.
                    let within = until.saturating_duration_since(tokio::time::Instant::now());
                    let acknowledged =
                        self.advertise_with(|speaker, set| speaker.set_originated_for_all(set, within));
                    self.report_within(within + ACKNOWLEDGE_WITHIN, drain, acknowledged, event, steps, None);
                } else {
                    let acknowledged = self.advertise();
                    self.report_later(acknowledged, event, steps, None);
                }
                if self.holding == Holding::Everything && !self.layer_2().is_empty() {
                    self.holding = Holding::Draining;
                    self.bring_kernel_up_to_date("silent-on-links").await;
                }
            }
            // What is decided first brings kernel and neighbours up to it.
            Step::Reconfigure { contexts, bound, done } if self.first.is_some() => {
                self.bound = bound;
                self.hosts.prepare(&contexts);
                self.contexts = contexts;
                let _ = done.send(()); // the reload goes on without its reporter
            }
            Step::Reconfigure { contexts, bound, done } => {
                self.bound = bound;
                // Gone prefixes are withdrawn before they are removed, new ones announced once they are installed.
                let wanted: Vec<BTreeSet<IpNetwork>> = contexts.iter().map(prefixes).collect();
                self.hosts.prepare(&contexts);
                self.contexts = contexts;
                for (installed, wanted) in self.installed.iter_mut().zip(&wanted) {
                    installed.retain(|prefix| wanted.contains(prefix));
                }
                let answers = self.advertise();
                let all = async {
                    for answer in answers {
                        let _ = answer.await; // a speaker that is gone announces nothing
                    }
                };
                if tokio::time::timeout(self.bound, all).await.is_err() {
                    error!("a BGP speaker does not answer: the kernel is changed all the same");
                }
                self.bring_kernel_up_to_date("reconfigured").await;
                self.advertise();
                self.tell_hosts();
                let _ = done.send(()); // the reload goes on without its reporter
            }
        }
    }

    /// Everything that the present state wants into the kernel, and nothing else of ours.
    async fn bring_kernel_up_to_date(&mut self, step: &'static str) -> (u32, u32, Noted) {
        let section = section(&self.contexts, self.holding);
        let wanted = section.len();
        let report = match tokio::time::timeout(self.bound, self.kernel.set_srp(section)).await {
            Ok(Ok(report)) => report,
            Ok(Err(stopped)) => return failed(step, wanted, stopped.to_string()),
            Err(_) => {
                return failed(step, wanted, format!("the kernel did not answer within {:?}", self.bound));
            }
        };
        let at = clock::now();
        for refused in &report.refused {
            error!(object = %refused.object, "{refused}");
        }
        self.published.lock().refused = report.refused.iter().map(ToString::to_string).collect();
        let links = self.kernel.links();
        for (installed, context) in self.installed.iter_mut().zip(&self.contexts) {
            *installed = held(context, self.holding, &report, &links);
        }
        self.report_kernel(&report);
        self.published.lock().held = self.installed.iter().map(BTreeSet::len).collect();
        let Report { added, removed, kept, took, .. } = &report;
        let detail = format!(
            "{added} added, {kept} kept, {removed} removed, {} refused in {:.2} ms",
            report.refused.len(),
            took.as_secs_f64() * 1e3
        );
        info!(step, detail, "kernel");
        let refused = u32::try_from(report.refused.len()).unwrap_or(u32::MAX);
        let in_place = u32::try_from(wanted.saturating_sub(report.refused.len())).unwrap_or(u32::MAX);
        (in_place, refused, Noted { at, step, detail })
    }

    /// What the Active has to install is monitored: the kernel took it, or it did not.
    fn report_kernel(&self, report: &Report) {
        let state = match self.holding {
            Holding::Nothing => MonitorState::Unknown,
            Holding::Everything | Holding::Draining if report.refused.is_empty() => MonitorState::Up,
            Holding::Everything | Holding::Draining => MonitorState::Down,
        };
        self.report(Event::Monitor { monitor: kernel_monitor(), state }, Vec::new());
    }

    /// Tells hosts where the layer-2 addresses are, if they are here and announced.
    fn tell_hosts(&self) -> Option<Noted> {
        self.modifier?;
        self.hosts.tell(&self.kernel, self.layer_2())
    }

    /// The layer-2 addresses that the kernel holds.
    fn layer_2(&self) -> Vec<Address> {
        let contexts = self.contexts.iter().zip(&self.installed);
        let held = contexts.flat_map(|(context, installed)| {
            context
                .loopbacks
                .iter()
                .filter(|loopback| loopback.layer_2 && installed.contains(&loopback.address))
        });
        held.filter_map(|loopback| address(loopback).ok()).collect()
    }

    /// Gives every speaker its present set, at once and in order.
    fn advertise(&self) -> Vec<Acknowledgement> {
        self.advertise_with(|speaker, set| speaker.set_originated(set, ACKNOWLEDGE_WITHIN))
    }

    fn advertise_with(
        &self,
        give: impl Fn(&SpeakerHandle, Vec<Originated>) -> Acknowledgement,
    ) -> Vec<Acknowledgement> {
        let parts = self.contexts.iter().zip(&self.installed);
        let sets: Vec<Vec<Originated>> = parts
            .map(|(context, installed)| {
                let now = Announcement { modifier: self.modifier, retiring: self.retiring, installed };
                announced(context, &now)
            })
            .collect();
        let answers = self
            .speakers
            .iter()
            .zip(&sets)
            .filter_map(|(speaker, set)| Some(give(speaker.as_ref()?, set.clone())))
            .collect();
        self.published.lock().originated = sets;
        answers
    }

    fn report(&self, event: Event, noted: Vec<Noted>) {
        if let Err(error) = self.inbox.send(Input::Event(event, noted)) {
            warn!(%error, "step not reported");
        }
    }

    /// Reports once every speaker has its acknowledgements, or gives up waiting for them.
    fn report_later(
        &self,
        answers: Vec<Acknowledgement>,
        event: Event,
        steps: [&'static str; 2],
        before: Option<Noted>,
    ) {
        self.report_within(self.bound, Duration::ZERO, answers, event, steps, before);
    }

    /// The same within a time of its own, and so much later than that.
    fn report_within(
        &self,
        within: Duration,
        linger: Duration,
        answers: Vec<Acknowledgement>,
        event: Event,
        [written, acknowledged]: [&'static str; 2],
        before: Option<Noted>,
    ) {
        let inbox = self.inbox.clone();
        let begun = clock::now();
        let until = tokio::time::Instant::now() + within;
        tokio::task::spawn_local(async move {
            let (mut written_at, mut acked_at, mut all, mut acks) = (begun, begun, 0, 0);
            for answer in answers {
                // A speaker that is gone has announced nothing, and its neighbours know.
                let flushed = match tokio::time::timeout_at(until, answer).await {
                    Ok(Ok(flushed)) => flushed,
                    Ok(Err(_)) => continue,
                    Err(_) => {
                        error!(step = written, "a BGP speaker does not answer: it is not waited for");
                        continue;
                    }
                };
                written_at =
                    flushed.written_at.map_or(written_at, |at| written_at.max(clock::of_instant(at)));
                acked_at = flushed.acked_at.map_or(acked_at, |at| acked_at.max(clock::of_instant(at)));
                all += flushed.neighbors_established;
                acks += flushed.neighbors_acknowledged;
            }
            let settled_at = if acks < all { clock::now() } else { acked_at.max(written_at) };
            let written = Noted { at: written_at, step: written, detail: format!("to {all} neighbours") };
            let settled = Noted { at: settled_at, step: acknowledged, detail: format!("by {acks} of {all}") };
            let mut noted: Vec<Noted> = before.into_iter().chain([written, settled]).collect();
            noted.sort_by_key(|noted| noted.at);
            tokio::time::sleep(linger).await;
            if let Err(error) = inbox.send(Input::Event(event, noted)) {
                warn!(%error, "step not reported");
            }
        });
    }
}

/// What is known of a kernel step without an answer: nothing is in place.
fn failed(step: &'static str, wanted: usize, why: String) -> (u32, u32, Noted) {
    error!(step, why, "kernel step failed");
    (0, u32::try_from(wanted).unwrap_or(u32::MAX), Noted { at: clock::now(), step, detail: why })
}

/// Runs the steps on a thread of their own; ends with the sender of the steps.
pub fn spawn(
    steps: Steps,
    receiver: UnboundedReceiver<Step>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("srpd-steps".into()).spawn(move || {
        let local = Rc::new(tokio::task::LocalSet::new());
        local.block_on(&runtime, steps.run(receiver));
    })
}

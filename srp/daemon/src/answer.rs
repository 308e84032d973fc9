//! Requests of operators and their answers.

mod bgp;
mod capabilities;
mod interfaces;
mod neighbors;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bgp_glue::speaker::SpeakerHandle;
use srp_core::api::{
    BgpContext, Configuration, MonitorReset, PostProcessTerminated, Reloaded, Request, Response, SrpDetails,
    SrpInfo, SwitchoverDone, Validation,
};
use srp_core::chassis::{Answer, Probed};
use srp_core::config::{Config, NeighborConfig};
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::comparison;
use crate::events::Herald;
use crate::inbox::{Inbox, Input, Snapshot};
use crate::metrics::{self, Facts};
use crate::probes::Probes;
use crate::reload;
use crate::show;
use crate::steps::SharedPublished;
use crate::watch::{Network, SharedNeighbors};

/// What answers are made from.
pub struct Answers {
    /// The running configuration.
    pub config: RwLock<Arc<Config>>,
    /// The chassis thread.
    pub inbox: Inbox,
    /// The speakers, by context.
    pub speakers: BTreeMap<String, SpeakerHandle>,
    /// The neighbours.
    pub neighbors: SharedNeighbors,
    /// How next hops are reached.
    pub network: Arc<Network>,
    /// What the step thread shows.
    pub published: SharedPublished,
    /// Result of the last `srp validate-configuration`.
    pub validated: Mutex<Option<String>>,
    /// The file; an absolute path.
    pub file: PathBuf,
    /// Who reloads it, and where the result goes.
    pub reloads: mpsc::Sender<oneshot::Sender<reload::Outcome>>,
    /// The log of events.
    pub herald: Herald,
    /// What is probed.
    pub probes: Probes,
}

/// The chassis thread or a speaker has ended.
#[derive(Debug, thiserror::Error)]
#[error("srpd is stopping")]
pub struct Gone;

impl Answers {
    /// The running configuration.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer; never fails, but may say why there is none.
    pub async fn answer(&self, request: Request) -> Response {
        let answer = match request {
            Request::ShowSrpInfo => self.show_info().await,
            Request::ShowSrpStatistics => self.show_statistics().await,
            Request::ShowSrpDetails => self.show_details().await,
            Request::ShowSrpMonitor => {
                self.snapshot().await.map(|snapshot| Response::Monitors(show::monitors(&snapshot)))
            }
            Request::ShowSrpMonitorAuthenticationProbe => {
                Ok(Response::AuthServers(show::probes::servers(&self.probes)))
            }
            Request::ShowSrpMonitorDiameter => Ok(Response::DiameterPeers(show::probes::peers(&self.probes))),
            Request::ShowBgpSummary => self.bgp().await.map(Response::BgpSummary),
            Request::ShowBgpNeighbors { neighbor } => self.bgp_neighbors(neighbor.as_deref()).await,
            Request::ShowBgpRoutes { to } => bgp::routes(&self.speakers, &self.network, to.as_deref()).await,
            Request::ShowBgpReceived { neighbor } => {
                bgp::received(&self.speakers, &self.network, &neighbor).await
            }
            Request::ShowBgpAdvertised { neighbor } => bgp::advertised(&self.speakers, &neighbor).await,
            Request::ClearBgp { neighbor, what } => bgp::clear(&self.speakers, &neighbor, what).await,
            Request::DumpBgp { context, file } => bgp::dump(&self.speakers, &context, file).await,
            Request::ShowInterfaces { context, name } => {
                Ok(interfaces::show(&self.config(), context.as_deref(), name.as_deref()).await)
            }
            Request::ShowSwitchover { last } => self.show_switchovers(last).await,
            Request::ShowEvents { severity, last, traps } => {
                Ok(Response::Events(self.herald.show(severity, traps, last)))
            }
            Request::ShowConfiguration => self.show_configuration().await,
            Request::Reload => self.reload().await,
            Request::InitiateSwitchover { force } => {
                self.ask(|reply| Input::InitiateSwitchover { force, reply }).await.map(answer_of)
            }
            Request::ValidateSwitchover => self.ask(Input::ValidateSwitchover).await.map(answer_of),
            Request::ValidateConfiguration => self.validate_configuration().await,
            Request::TerminatePostProcess => self.ask(Input::TerminatePostProcess).await.map(answer_of),
            Request::ResetAuthProbeFail => {
                let done = self.reset(Probed::Aaa).await;
                self.probes.reset_authentication();
                done
            }
            Request::ResetDiameterFail => {
                let done = self.reset(Probed::Diameter).await;
                self.probes.reset_diameter();
                done
            }
        };
        answer.unwrap_or_else(|Gone| Response::Error { reasons: vec![Gone.to_string()] })
    }

    async fn reset(&self, kind: Probed) -> Result<Response, Gone> {
        self.ask(|reply| Input::ResetMonitor { kind, reply }).await.map(answer_of)
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(input(reply)).map_err(|_| Gone)?;
        answer.await.map_err(|_| Gone)
    }

    async fn snapshot(&self) -> Result<Box<Snapshot>, Gone> {
        self.ask(Input::Snapshot).await
    }

    async fn validate_configuration(&self) -> Result<Response, Gone> {
        let checks = comparison::checks(&*self.snapshot().await?);
        *self.validated.lock().unwrap_or_else(PoisonError::into_inner) = Some(comparison::status(&checks));
        Ok(Response::Validation(Validation { checks }))
    }

    /// With what only the answers know.
    fn info(&self, snapshot: &Snapshot) -> SrpInfo {
        let refused = self.published.lock().refused.clone();
        let validated = self.validated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SrpInfo {
            last_validate_configuration_status: validated.unwrap_or_else(|| "None".to_owned()),
            ..show::srp_info(&self.config(), snapshot, refused)
        }
    }

    async fn show_info(&self) -> Result<Response, Gone> {
        let snapshot = self.snapshot().await?;
        Ok(Response::SrpInfo(Box::new(self.info(&snapshot))))
    }

    async fn show_statistics(&self) -> Result<Response, Gone> {
        Ok(Response::SrpStatistics(Box::new(show::statistics(&*self.snapshot().await?, &self.herald))))
    }

    async fn show_details(&self) -> Result<Response, Gone> {
        Ok(Response::SrpDetails(Box::new(self.details().await?)))
    }

    /// Everything that `show srp details` says.
    pub async fn details(&self) -> Result<SrpDetails, Gone> {
        let snapshot = self.snapshot().await?;
        let bgp = self.bgp().await?;
        let config = self.config();
        Ok(SrpDetails {
            at_us: clock::wall_us(clock::now()),
            info: self.info(&snapshot),
            statistics: show::statistics(&snapshot, &self.herald),
            monitors: show::monitors(&snapshot),
            bgp,
            configuration: Configuration {
                text: config.to_toml(),
                differences: snapshot.differences,
                file: self.file.clone(),
            },
            switchovers: snapshot.switchovers,
        })
    }

    /// The page of metrics; an error is for the client to read.
    pub async fn metrics(&self) -> Result<String, String> {
        let details = self.details().await.map_err(|gone| gone.to_string())?;
        let contexts = self.config().contexts.iter().map(|context| context.name.clone()).collect::<Vec<_>>();
        let held = self.published.lock().held.clone();
        let kernel_objects: Vec<(String, usize)> = contexts.into_iter().zip(held).collect();
        let events = self.herald.counts();
        let facts = Facts { details: &details, events: &events, kernel_objects: &kernel_objects };
        metrics::text(&facts).map_err(|error| error.to_string())
    }

    async fn bgp_neighbors(&self, name: Option<&str>) -> Result<Response, Gone> {
        let paths = self.snapshot().await?.paths;
        neighbors::show(&self.speakers, &self.config(), &paths, name).await
    }

    async fn bgp(&self) -> Result<Vec<BgpContext>, Gone> {
        let config = self.config();
        let mut contexts: Vec<BgpContext> = Vec::new();
        for (index, context) in config.contexts.iter().enumerate() {
            let Some(speaker) = self.speakers.get(&context.name) else { continue };
            let summary = speaker.summary().await.map_err(|_| Gone)?;
            let originated = self.published.lock().originated.get(index).cloned().unwrap_or_default();
            let mut shown = show::bgp_context(context, &summary, &originated);
            let named = context.bgp.iter().flat_map(|bgp| &bgp.neighbors);
            let order: Vec<String> = named.map(NeighborConfig::name).collect();
            shown.neighbors.sort_by_key(|neighbor| {
                // Those that came by a range follow the named ones.
                let named = order.iter().position(|name| *name == neighbor.address);
                named.unwrap_or(usize::MAX)
            });
            contexts.push(shown);
        }
        Ok(contexts)
    }

    async fn show_switchovers(&self, last: usize) -> Result<Response, Gone> {
        let mut switchovers = self.snapshot().await?.switchovers;
        switchovers.truncate(last);
        Ok(Response::Switchovers(switchovers))
    }

    async fn reload(&self) -> Result<Response, Gone> {
        let (reply, answer) = oneshot::channel();
        self.reloads.send(reply).await.map_err(|_| Gone)?;
        Ok(match answer.await.map_err(|_| Gone)? {
            Ok(changes) => Response::Reloaded(Reloaded { changes }),
            Err(why) => Response::Error { reasons: vec![format!("reload refused, {why}")] },
        })
    }

    async fn show_configuration(&self) -> Result<Response, Gone> {
        let differences = self.snapshot().await?.differences;
        let (text, file) = (self.config().to_toml(), self.file.clone());
        Ok(Response::Configuration(Configuration { text, differences, file }))
    }
}

fn answer_of(answer: Answer) -> Response {
    match answer {
        Answer::Done { took } => Response::SwitchoverDone(SwitchoverDone { took_ms: took.as_millis_f64() }),
        Answer::Refused(reasons) => Response::Error { reasons },
        Answer::Validated(checks) => Response::Validation(Validation { checks }),
        Answer::MonitorReset { was_disregarded } => Response::MonitorReset(MonitorReset { was_disregarded }),
        Answer::PostProcessTerminated { here, peer } => {
            Response::PostProcessTerminated(PostProcessTerminated { here, peer })
        }
    }
}

//! The handle: requests go to the worker thread, answers and events come back over channels.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::left_over::LeftOver;
use crate::links::{Links, SharedLinks};
use crate::lookup::ADDRESSES;
use crate::names::{LinkName, Mac, TableId};
use crate::report::{KernelEvent, Report};
use crate::settings::{Settings, SettingsError};
use crate::types::{RouteChange, Section};
use crate::way::{NoWay, Way};
use crate::worker::{self, Answer, EventSource, Request, Requests};

/// Why the kernel side could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting cannot work.
    #[error("kernel settings: {0}")]
    Settings(#[from] SettingsError),
    /// Not allowed to change addresses and routes.
    #[error(
        "no permission to change addresses and routes: run as root, or give the process CAP_NET_ADMIN in this network namespace"
    )]
    Privilege,
    /// A socket or a thread could not be had, or the first reading failed.
    #[error("kernel side: cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a request was not carried out. What the kernel refuses, object by object, is no such error: it stands in
/// [`Report::refused`].
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The worker thread is gone; nothing in the kernel is watched or changed any more.
    #[error("the kernel side has stopped (see the log for its last words): restart the process")]
    Stopped,
    /// The kernel could not be read.
    #[error("kernel side: cannot {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The kernel as the product wants it, in the network namespace of the thread that called [`Kernel::start`].
///
/// Two owners share it without disturbing each other: the SRP section ([`Kernel::set_srp`]) and the learned routes
/// ([`Kernel::update_learned`]). Dropping it stops the watching and leaves every object in the kernel, as a crash
/// would: the next start adopts them.
#[derive(Debug)]
pub struct Kernel {
    requests: Requests,
    links: SharedLinks,
    left_over: LeftOver,
}

impl Kernel {
    /// Reads what is in the kernel, takes what carries our mark for ours, and starts watching.
    ///
    /// Nothing is changed yet: what is stale goes with the first [`Kernel::set_srp`] (SRP section) and with
    /// [`Kernel::sweep_learned`] (learned routes). Blocks for the time of a few netlink dumps.
    pub fn start(settings: Settings) -> Result<(Self, EventReceiver), StartError> {
        settings.check()?;
        let links = SharedLinks::default();
        let (requests, events, left_over) = worker::spawn(settings, links.clone())?;
        Ok((Self { requests, links, left_over }, EventReceiver { events }))
    }

    /// What an earlier life of the process had left when this one started.
    pub fn left_over(&self) -> &LeftOver {
        &self.left_over
    }

    /// Makes `want` the whole of the SRP section. Overtakes learned routes that are waiting their turn.
    pub async fn set_srp(&self, want: Section) -> Result<Report, RequestError> {
        self.ask(|answer| Request::SetSrp(want, answer)).await
    }

    /// Carries out changes of the learned routes, in order; the last change of a prefix counts.
    ///
    /// A route whose new target the kernel refuses keeps its former one: remove it if that is worse than none.
    pub async fn update_learned(&self, changes: Vec<RouteChange>) -> Result<Report, RequestError> {
        self.ask(|answer| Request::UpdateLearned(changes, answer)).await
    }

    /// Brings the learned routes of one table into another, as when a VRF is made again with another table.
    pub async fn move_learned(&self, from: TableId, to: TableId) -> Result<Report, RequestError> {
        self.ask(|answer| Request::MoveLearned(from, to, answer)).await
    }

    /// Removes learned routes of an earlier life that nobody has set again: call it when BGP has converged
    /// (End-of-RIB from all peers, or the restart timer).
    pub async fn sweep_learned(&self) -> Result<Report, RequestError> {
        self.ask(Request::SweepLearned).await
    }

    /// Wants nothing any more and removes everything under our mark, whatever its metric, table or link.
    pub async fn remove_all_ours(&self) -> Result<Report, RequestError> {
        self.ask(Request::RemoveAllOurs).await
    }

    /// Compares the kernel with what is wanted now and repairs it, without waiting for the compare interval.
    /// Objects that were missing count as added.
    pub async fn compare(&self) -> Result<Report, RequestError> {
        self.ask(Request::Compare).await
    }

    /// How each address is reached by the routes of others in the main table, or in that of a VRF; in the order of the question.
    ///
    /// From then on [`KernelEvent::RoutesChanged`] tells when an answer may have changed by a route; that a link or an
    /// address did is told by their own events.
    pub async fn ways(
        &self,
        vrf: Option<&LinkName>,
        addresses: &[IpAddr],
    ) -> Result<Vec<Result<Way, NoWay>>, RequestError> {
        let mut ways = Vec::with_capacity(addresses.len());
        for addresses in addresses.chunks(ADDRESSES) {
            let (answer, answered) = oneshot::channel();
            self.requests.send(Request::Ways(vrf.cloned(), addresses.to_vec(), answer))?;
            ways.extend(answered.await.unwrap_or(Err(RequestError::Stopped))?);
        }
        Ok(ways)
    }

    /// The links as last told by the kernel: a snapshot, cheap to take.
    pub fn links(&self) -> Arc<Links> {
        self.links.snapshot()
    }

    /// The MAC address of the link outside of VRFs that holds `ip`, if both exist. `None` for links without one (loopback has all
    /// zeros, which counts as none).
    pub fn mac_of_address(&self, ip: IpAddr) -> Option<Mac> {
        self.links().mac_of_address(ip)
    }

    /// Whether a link of that name exists now.
    pub fn has_interface(&self, name: &LinkName) -> bool {
        self.links().by_name(name).is_some()
    }

    async fn ask(&self, request: impl FnOnce(Answer) -> Request) -> Result<Report, RequestError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer))?;
        answered.await.unwrap_or(Err(RequestError::Stopped))
    }
}

/// The events of one [`Kernel`], in order.
#[derive(Debug)]
pub struct EventReceiver {
    events: EventSource,
}

impl EventReceiver {
    /// The next event; `None` once the [`Kernel`] is dropped or its worker has stopped. Cancel safe.
    pub async fn recv(&mut self) -> Option<KernelEvent> {
        self.events.recv().await
    }
}

//! The worker thread: owns the sockets and the ledger, takes requests, tells events.

use std::sync::mpsc;

use tokio::sync::{mpsc as events, oneshot};

use crate::kernel::{StartError, Stopped};
use crate::links::SharedLinks;
use crate::report::{KernelEvent, Report};
use crate::settings::Settings;
use crate::types::{RouteChange, Section};

pub(crate) type Answer = oneshot::Sender<Report>;

#[derive(Debug)]
pub(crate) enum Request {
    SetSrp(Section, Answer),
    UpdateLearned(Vec<RouteChange>, Answer),
    SweepLearned(Answer),
    RemoveAllOurs(Answer),
    Compare(Answer),
}

#[derive(Debug)]
pub(crate) struct Requests(mpsc::Sender<Request>);

impl Requests {
    pub(crate) fn send(&self, request: Request) -> Result<(), Stopped> {
        self.0.send(request).map_err(|_| Stopped)
    }
}

#[derive(Debug)]
pub(crate) struct EventSource(events::Receiver<KernelEvent>);

impl EventSource {
    pub(crate) async fn recv(&mut self) -> Option<KernelEvent> {
        self.0.recv().await
    }
}

pub(crate) fn spawn(_settings: Settings, _links: SharedLinks) -> Result<(Requests, EventSource), StartError> {
    let source = std::io::Error::from(std::io::ErrorKind::Unsupported);
    Err(StartError::Io { doing: "start the worker", source })
}

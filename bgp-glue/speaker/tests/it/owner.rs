//! The owner of a speaker under test.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bgp_speaker::{
    Asn, BestPathChange, Event, Families, Flushed, NeighborConfig, NeighborSummary, Originated, Policy,
    PrefixRange, Restarted, Rule, Speaker, SpeakerConfig, SpeakerHandle, SpeakerSummary,
};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::netns::Netns;

/// Long enough for a busy machine; what is waited for usually comes within milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Owner {
    pub handle: SpeakerHandle,
    events: mpsc::Receiver<Event>,
    runtime: Runtime,
}

pub fn config(local_as: u32, id: u8) -> SpeakerConfig {
    SpeakerConfig::new(Asn(local_as), Ipv4Addr::new(192, 0, 2, id).try_into().unwrap())
}

/// A neighbor that may tell us everything, with both families and next hops on the link of [`Netns::pair`].
pub fn neighbor(address: &str, remote_as: u32) -> NeighborConfig {
    let mut neighbor = NeighborConfig::new(address.parse().unwrap(), Asn(remote_as));
    neighbor.families = Families::ALL;
    neighbor.next_hop_v4 = Some(Ipv4Addr::new(192, 0, 2, 1));
    neighbor.next_hop_v6 = Some("2001:db8::1".parse().unwrap());
    neighbor.import = everything();
    neighbor
}

pub fn everything() -> Policy {
    let all = |prefix: &str| Rule::accept(PrefixRange::all_within(prefix.parse().unwrap()));
    [all("0.0.0.0/0"), all("::/0")].into_iter().collect()
}

pub fn route(prefix: &str, prepend: u8) -> Originated {
    Originated { prepend, ..Originated::new(prefix.parse().unwrap()) }
}

impl Owner {
    pub fn start(netns: &Netns, config: SpeakerConfig) -> Self {
        netns.run(|| Self::start_here(config))
    }

    /// In the namespace of this process.
    pub fn start_here(config: SpeakerConfig) -> Self {
        let (handle, events) = Speaker::start(config).expect("the speaker starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { handle, events, runtime }
    }

    /// A process whose earlier life ended a moment ago.
    pub fn start_again(netns: &Netns, config: SpeakerConfig, restarted: Restarted) -> Self {
        let (handle, events) =
            netns.run(|| Speaker::start_again(config, restarted)).expect("the speaker starts");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { handle, events, runtime }
    }

    pub fn answer<T>(&self, receiver: oneshot::Receiver<T>) -> T {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, receiver).await });
        answer.expect("the speaker answers in time").expect("the speaker runs")
    }

    pub fn event(&mut self) -> Event {
        let event = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.events.recv()).await });
        let summary = || self.summary();
        event.unwrap_or_else(|_| panic!("no event comes: {:#?}", summary())).expect("the speaker runs")
    }

    /// The first event that the function takes something out of.
    pub fn until<T>(&mut self, mut take: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(taken) = take(self.event()) {
                return taken;
            }
        }
    }

    pub fn until_up(&mut self) {
        self.until(|event| matches!(event, Event::NeighborUp { .. }).then_some(()));
    }

    /// The reason of the next end of a session or an attempt, as an operator reads it.
    pub fn until_down(&mut self) -> String {
        self.until(|event| match event {
            Event::NeighborDown { reason, .. } => Some(reason.to_string()),
            Event::NeighborUp { .. }
            | Event::BestPathsChanged(_)
            | Event::NextHopsWanted(_)
            | Event::Converged { .. } => None,
        })
    }

    /// The next change of this prefix: the next hop, or nothing when it is gone.
    pub fn until_route(&mut self, prefix: &str) -> Option<String> {
        let prefix = prefix.parse().unwrap();
        self.until(|event| match event {
            Event::BestPathsChanged(changes) => changes
                .into_iter()
                .find(|change| change.prefix == prefix)
                .map(|BestPathChange { paths, .. }| paths.first().map(|path| path.next_hop.to_string())),
            Event::NeighborUp { .. }
            | Event::NeighborDown { .. }
            | Event::NextHopsWanted(_)
            | Event::Converged { .. } => None,
        })
    }

    pub fn originate(&self, routes: Vec<Originated>) -> Flushed {
        self.answer(self.handle.set_originated(routes, PATIENCE))
    }

    pub fn summary(&self) -> SpeakerSummary {
        self.answer(self.handle.summary())
    }

    /// The summary of the only neighbor once it is as wanted. For what no event tells.
    pub fn until_summary(&self, wanted: impl Fn(&NeighborSummary) -> bool) -> NeighborSummary {
        let end = Instant::now() + PATIENCE;
        loop {
            let summary = self.only_neighbor();
            if wanted(&summary) {
                return summary;
            }
            assert!(Instant::now() < end, "still {summary:?}");
            std::thread::yield_now();
        }
    }

    pub fn only_neighbor(&self) -> NeighborSummary {
        self.summary().neighbors.remove(0)
    }
}

//! A daemon that was killed and is started again while the kernel forwards for its earlier life (RFC 4724 section 4.1).
//!
//! Always: what an earlier life announced stays in the kernel until the neighbours that may still use it have been told
//! otherwise, and what it had learned until they have told all of theirs again; both no longer than a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bgp_glue::speaker::Restarted;
use bgp_glue::{Left, restarted};
use ipnetwork::IpNetwork;
use netlink::{Kernel, LeftOver, Links};
use srp_core::config::{Config, ContextConfig, LoopbackConfig};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::context_network::ContextNetwork;

/// Learned routes of an earlier life that no neighbour has announced again by then are removed, unless all neighbours have
/// told everything before.
const CONVERGED_AFTER: Duration = Duration::from_mins(1);

/// The contexts that go on from an earlier life, by name.
pub type Again = BTreeMap<String, Restarted>;

/// What the first step of the chassis has to care for after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstStep {
    /// Neighbours that have not been back by then hold nothing of ours any more.
    pub until: Instant,
    /// How long routers get to turn away once they were told.
    pub drain: Duration,
}

/// Which contexts go on.
pub fn find(contexts: &[ContextConfig], kernel: &Kernel) -> Again {
    let (left, links) = (kernel.left_over(), kernel.links());
    let again = |context: &ContextConfig| {
        let left = of_context(context, &links, left);
        let restarted = restarted(context, &left)?;
        info!(
            context = context.name, own = left.own.len(), learned = left.learned,
            forwarding = %families(restarted), window = ?restarted.window,
            "graceful restart: the kernel still forwards for an earlier life of this srpd"
        );
        Some((context.name.clone(), restarted))
    };
    contexts.iter().filter_map(again).collect()
}

/// What the first step has to care for; `None` when nothing is left of an earlier life, or when hosts of a link would find
/// two chassis with one address while it waits.
pub fn first_step(config: &Config, again: &Again) -> Option<FirstStep> {
    let window = again.values().map(|restarted| restarted.window).max()?;
    let layer_2 = config.contexts.iter().flat_map(|context| &context.loopbacks).any(|it| it.layer_2);
    (!layer_2).then_some(FirstStep {
        until: Instant::now() + window,
        drain: Duration::from(config.srp.drain_interval),
    })
}

/// Removes what BGP had learned in an earlier life of the daemon: once every speaker has converged, if all neighbours have
/// told everything by then, otherwise once they have had time to.
pub async fn sweep(kernel: Arc<Kernel>, speakers: usize, again: usize, mut converged: mpsc::Receiver<bool>) {
    let at_the_latest = Instant::now() + CONVERGED_AFTER;
    let mut complete = again == speakers;
    for _ in 0..again {
        // A speaker that is gone says nothing more.
        complete &= converged.recv().await.unwrap_or(false);
    }
    if !complete {
        tokio::time::sleep_until(at_the_latest).await;
    }
    match kernel.sweep_learned().await {
        Ok(report) if report.removed > 0 => info!(removed = report.removed, "stale learned routes removed"),
        Ok(_) => {}
        Err(error) => warn!(%error, "stale learned routes not removed"),
    }
}

fn of_context(context: &ContextConfig, links: &Links, left: &LeftOver) -> Left {
    let Some(table) = ContextNetwork::of(context).table(links) else { return Left::default() };
    // Another network may have the same address.
    let is_left = |loopback: &&LoopbackConfig| {
        let link = loopback.interface.parse().ok().and_then(|name| links.by_name(&name));
        link.is_some_and(|link| left.addresses.contains(&(link.index, loopback.address.ip())))
    };
    let loopbacks = context.loopbacks.iter().filter(is_left).map(|loopback| loopback.address);
    let routes =
        left.routes.iter().filter(|(of, _)| *of == table).map(|(_, prefix)| IpNetwork::from(*prefix));
    Left { own: loopbacks.chain(routes).collect(), learned: left.learned.get(&table).copied().unwrap_or(0) }
}

fn families(restarted: Restarted) -> String {
    let families: Vec<String> = restarted.forwarding.iter().map(|family| family.to_string()).collect();
    if families.is_empty() { "none".to_owned() } else { families.join(", ") }
}

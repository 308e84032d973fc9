//! The hosts of layer-2 links: told where the addresses are, several times, while this chassis is Active (CH-16).
//!
//! A frame may be lost, or cross one of the chassis that withdraws at the same time; hence the repeats. They end with the
//! withdraw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use netlink::{Address, Gratuitous, Kernel};
use srp_core::config::ContextConfig;
use tracing::error;

use crate::clock;
use crate::inbox::Noted;

/// How long after the first time each repeat comes.
const REPEATS: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(4)];

/// Tells them, on the step thread.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    sender: Option<Arc<Gratuitous>>,
    /// Counts what was begun and ended: a repeat of an earlier round sends nothing.
    round: Arc<AtomicU64>,
}

impl Hosts {
    /// Makes ready for what the contexts configure, so that a take-over opens no socket.
    pub fn prepare(&mut self, contexts: &[ContextConfig]) {
        let needed = contexts.iter().flat_map(|context| &context.loopbacks).any(|loopback| loopback.layer_2);
        if !needed || self.sender.is_some() {
            return;
        }
        match Gratuitous::open() {
            Ok(sender) => self.sender = Some(Arc::new(sender)),
            Err(source) => error!(
                "layer-2: hosts will find this chassis only when their ARP entries end: {source}: run srpd with \
                 CAP_NET_RAW"
            ),
        }
    }

    /// Tells the hosts of each address's link now, and again a few times. `None` where there is nothing to tell.
    pub fn tell(&self, kernel: &Arc<Kernel>, addresses: Vec<Address>) -> Option<Noted> {
        let round = self.begin_round();
        let sender = self.sender.clone().filter(|_| !addresses.is_empty())?;
        let (kernel, rounds) = (Arc::clone(kernel), Arc::clone(&self.round));
        let told = tell_once(&sender, &kernel, &addresses);
        let noted = Noted {
            at: clock::now(),
            step: "hosts-told",
            detail: format!("where {told} of {} layer-2 addresses are", addresses.len()),
        };
        tokio::task::spawn_local(async move {
            let first = tokio::time::Instant::now();
            for after in REPEATS {
                tokio::time::sleep_until(first + after).await;
                if rounds.load(Ordering::Relaxed) != round {
                    return;
                }
                tell_once(&sender, &kernel, &addresses);
            }
        });
        Some(noted)
    }

    /// The addresses are no longer here: repeats of an earlier `tell` do not happen.
    pub fn end(&self) {
        self.begin_round();
    }

    fn begin_round(&self) -> u64 {
        self.round.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// How many addresses were told.
fn tell_once(sender: &Gratuitous, kernel: &Kernel, addresses: &[Address]) -> usize {
    let links = kernel.links();
    let told = addresses.iter().filter(|address| match sender.announce(&links, address) {
        Ok(()) => true,
        Err(error) => {
            error!("layer-2: {error}");
            false
        }
    });
    told.count()
}

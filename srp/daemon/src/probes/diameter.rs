//! One Diameter peer: its connection and its machine.

use std::sync::Arc;
use std::time::Duration;

use ::probe::Standing;
use ::probe::diameter::{Action, Counters, Peer};
use tokio::sync::watch;

use super::connection::{Connection, Heard};
use super::settings::PeerSettings;
use super::{NOT_ACTIVE, Orders, Slot, now, until};
use crate::start::random;

/// What is known of a peer.
#[derive(Clone, Debug, Default)]
pub struct PeerView {
    /// Its state.
    pub standing: Standing,
    /// What happened.
    pub counters: Counters,
    /// State of the connection, in the words of RFC 3539.
    pub connection: &'static str,
    /// Of the last watchdog.
    pub round_trip: Option<Duration>,
}

struct Watched {
    settings: PeerSettings,
    peer: Peer,
    connection: Connection,
    orders: Orders,
}

/// Watches a peer until the task is ended.
pub(super) async fn run(
    settings: PeerSettings,
    slot: Arc<Slot<PeerView>>,
    mut orders: watch::Receiver<Orders>,
) {
    let peer = Peer::new(settings.settings.clone(), random());
    let mut watched = Watched { settings, peer, connection: Connection::None, orders: Orders::default() };
    // Resets before its time are none of its own.
    watched.orders.diameter_resets = orders.borrow().diameter_resets;
    watched.peer.stop(now(), NOT_ACTIVE);
    let first = *orders.borrow_and_update();
    watched.obey(first);
    let mut buffer = [0; 4096];
    loop {
        watched.perform().await;
        let changed = watched.peer.take_change();
        slot.publish(watched.view(), changed);
        tokio::select! {
            change = orders.changed() => {
                if change.is_err() {
                    return;
                }
                let new = *orders.borrow_and_update();
                watched.obey(new);
            }
            () = until(watched.peer.next_deadline()) => watched.peer.handle_deadline(now()),
            heard = watched.connection.next(&mut buffer) => match heard {
                Heard::Connected(local) => watched.peer.connected(now(), local),
                Heard::Octets(length) => watched.peer.received(now(), &buffer[..length]),
                Heard::Lost(why) => watched.peer.disconnected(now(), &why),
            },
        }
    }
}

impl Watched {
    fn obey(&mut self, new: Orders) {
        let old = std::mem::replace(&mut self.orders, new);
        match (old.active, new.active) {
            (false, true) => self.peer.start(now()),
            (true, false) => self.peer.stop(now(), NOT_ACTIVE),
            (true, true) | (false, false) => {}
        }
        if old.diameter_resets != new.diameter_resets {
            self.peer.reset(now());
        }
    }

    /// Does what the machine wants, until it wants nothing more.
    async fn perform(&mut self) {
        while let Some(action) = self.peer.poll_action() {
            match action {
                Action::Connect => {
                    let PeerSettings { peer, local, vrf, .. } = &self.settings;
                    self.connection = Connection::begin(*peer, *local, vrf.clone());
                }
                Action::Close => self.connection = Connection::None,
                Action::Send(octets) => {
                    if let Err(why) = self.connection.send(&octets).await {
                        self.connection = Connection::None;
                        self.peer.disconnected(now(), &why);
                    }
                }
            }
        }
    }

    fn view(&self) -> PeerView {
        PeerView {
            standing: self.peer.standing().clone(),
            counters: self.peer.counters(),
            connection: self.peer.connection(),
            round_trip: self.peer.round_trip(),
        }
    }
}

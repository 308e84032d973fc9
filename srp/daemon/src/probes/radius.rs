//! One AAA server: its UDP socket and its prober.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::probe::Standing;
use ::probe::radius::packet::MAX_LEN;
use ::probe::radius::{Counters, Prober};
use bgp_glue::speaker::bind_device;
use rustls::crypto::ring;
use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tracing::debug;

use super::settings::ServerSettings;
use super::{NOT_ACTIVE, Orders, Slot, now, until};

/// What is known of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerView {
    /// Its state.
    pub standing: Standing,
    /// What happened.
    pub counters: Counters,
    /// Requests in a row that were not answered.
    pub failures: u32,
    /// Of the last answer.
    pub round_trip: Option<Duration>,
}

struct Server {
    settings: ServerSettings,
    prober: Prober,
    /// Open while there was no trouble with it.
    socket: Option<UdpSocket>,
    orders: Orders,
}

/// Probes a server until the task is ended.
pub(super) async fn run(
    settings: ServerSettings,
    slot: Arc<Slot<ServerView>>,
    mut orders: watch::Receiver<Orders>,
) {
    let prober = Prober::new(settings.settings.clone(), random::<1>().map_or(0, |[first]| first));
    let mut server = Server { settings, prober, socket: None, orders: Orders::default() };
    // Resets before its time are none of its own.
    server.orders.auth_resets = orders.borrow().auth_resets;
    server.prober.stop(now(), NOT_ACTIVE);
    let first = *orders.borrow_and_update();
    server.obey(first);
    let mut buffer = [0; MAX_LEN];
    loop {
        let changed = server.prober.take_change();
        slot.publish(server.view(), changed);
        tokio::select! {
            change = orders.changed() => {
                if change.is_err() {
                    return;
                }
                let new = *orders.borrow_and_update();
                server.obey(new);
            }
            () = until(server.prober.next_deadline()) => server.ask().await,
            received = receive(server.socket.as_ref(), &mut buffer) => server.hear(received, &buffer),
        }
    }
}

/// A datagram, once there is a socket.
async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<usize> {
    match socket {
        Some(socket) => socket.recv(buffer).await,
        None => std::future::pending().await,
    }
}

impl Server {
    fn obey(&mut self, new: Orders) {
        let old = std::mem::replace(&mut self.orders, new);
        match (old.active, new.active) {
            (false, true) => self.prober.start(now()),
            (true, false) => {
                self.prober.stop(now(), NOT_ACTIVE);
                self.socket = None;
            }
            (true, true) | (false, false) => {}
        }
        if old.auth_resets != new.auth_resets {
            self.prober.reset(now());
        }
    }

    /// Sends what is due. What cannot be sent is a request that is not answered, for a reason.
    async fn ask(&mut self) {
        let authenticator = match random() {
            Ok(authenticator) => authenticator,
            Err(error) => {
                self.prober.trouble(error.to_string());
                [0; 16]
            }
        };
        let Some(request) = self.prober.handle_deadline(now(), authenticator) else { return };
        if authenticator == [0; 16] {
            return; // one that can be guessed is not sent
        }
        if let Err(error) = self.send(&request).await {
            self.socket = None;
            self.prober.trouble(error);
        }
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), String> {
        let server = self.settings.server;
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => self.open().await?,
        };
        socket.send(request).await.map_err(|error| format!("sending to {server}: {error}"))?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Connected: datagrams of others never arrive, and a closed port of the server is heard of.
    async fn open(&self) -> Result<UdpSocket, String> {
        let server = self.settings.server;
        let any = || match server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let source = self.settings.source.unwrap_or_else(any);
        let socket = Socket::new(Domain::for_address(server), Type::DGRAM.nonblocking(), None)
            .map_err(|error| format!("no socket: {error}"))?;
        bind_device(&socket, self.settings.vrf.as_deref()).map_err(|error| error.to_string())?;
        let bound = socket.bind(&SocketAddr::new(source, 0).into());
        bound.map_err(|error| format!("source-address {source} cannot be used: {error}"))?;
        let socket =
            UdpSocket::from_std(socket.into()).map_err(|error| format!("no socket for {server}: {error}"))?;
        socket.connect(server).await.map_err(|error| format!("{server} has no route: {error}"))?;
        Ok(socket)
    }

    fn hear(&mut self, received: io::Result<usize>, buffer: &[u8]) {
        let server = self.settings.server;
        match received {
            Ok(length) => {
                let result = self.prober.receive(now(), &buffer[..length.min(buffer.len())]);
                if let Err(bad) = result {
                    debug!(%server, counter = bad.name(), "no answer of an AAA server: {bad}");
                }
            }
            // ICMP: nobody receives there, or there is no way. The request stays unanswered.
            Err(error) => self.prober.trouble(format!("{server}: {error}")),
        }
    }

    fn view(&self) -> ServerView {
        ServerView {
            standing: self.prober.standing().clone(),
            counters: self.prober.counters().clone(),
            failures: self.prober.failures(),
            round_trip: self.prober.round_trip(),
        }
    }
}

/// Octets that nobody can guess.
fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut octets = [0; LENGTH];
    let filled = ring::default_provider().secure_random.fill(&mut octets);
    filled.map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(octets)
}

//! What a neighbor's task waits for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use bgp_proto::session::Side;
use tokio::net::TcpStream;

use super::{Neighbor, Order};
use crate::connection::Connection;
use crate::finder::Finder;
use crate::flush::Waiter;

/// An attempt to connect that is under way.
pub(super) type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// How often the kernel is asked whether something was acknowledged. Only while somebody waits for it.
const POLL_ACKNOWLEDGEMENTS: Duration = Duration::from_millis(1);

/// The table's thread has ended.
pub(super) struct TableGone;

/// Why the task woke.
pub(super) enum Wake {
    Deadline,
    Order(Option<Order>),
    Connected(io::Result<TcpStream>),
    Readable(Side),
    Writable,
    /// The search for the neighbor has something to do.
    Finder,
    /// The table took the first message of the backlog, or is gone.
    Rib(Result<(), TableGone>),
    PollAcknowledgements,
}

impl Neighbor {
    /// Waits until there is something to do. Every branch is cancel safe: what it takes, it takes whole.
    pub(super) async fn wait(&mut self) -> Wake {
        let reads = self.reads();
        let deadline = self.session.next_deadline().map(|at| self.clock.instant(at));
        let polls = self.waiters.iter().any(Waiter::needs_polling);
        tokio::select! {
            biased;
            () = sleep_until(deadline), if deadline.is_some() => Wake::Deadline,
            order = self.orders.recv() => Wake::Order(order),
            result = attempt(&mut self.attempt), if self.attempt.is_some() => {
                self.attempt = None;
                Wake::Connected(result)
            }
            () = readable(self.outgoing.as_ref()), if reads && self.outgoing.is_some() => Wake::Readable(Side::Outgoing),
            () = readable(self.incoming.as_ref()), if reads && self.incoming.is_some() => Wake::Readable(Side::Incoming),
            () = writable(self.outgoing.as_ref()), if wants_to_write(self.outgoing.as_ref()) => Wake::Writable,
            () = writable(self.incoming.as_ref()), if wants_to_write(self.incoming.as_ref()) => Wake::Writable,
            () = finder(self.finder.as_ref()), if self.finder.is_some() => Wake::Finder,
            room = self.rib.reserve(), if !reads => Wake::Rib(match room {
                Ok(room) => {
                    if let Some(message) = self.backlog.pop_front() {
                        room.send(message);
                    }
                    Ok(())
                }
                Err(_closed) => Err(TableGone),
            }),
            () = tokio::time::sleep(POLL_ACKNOWLEDGEMENTS), if polls => Wake::PollAcknowledgements,
        }
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn attempt(attempt: &mut Option<Attempt>) -> io::Result<TcpStream> {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn finder(finder: Option<&Finder>) {
    match finder {
        Some(finder) => finder.wait().await,
        None => std::future::pending().await,
    }
}

/// Also when the connection is broken: the error shows in what is read.
async fn readable(connection: Option<&Connection>) {
    match connection {
        // An error of the wait is found again, and handled, when the socket is read.
        Some(connection) => drop(connection.stream().readable().await),
        None => std::future::pending().await,
    }
}

async fn writable(connection: Option<&Connection>) {
    match connection {
        Some(connection) => drop(connection.stream().writable().await),
        None => std::future::pending().await,
    }
}

fn wants_to_write(connection: Option<&Connection>) -> bool {
    connection.is_some_and(Connection::wants_to_write)
}

//! The task of a station that acknowledges what it is told: one notification after the other, each sent again until it is
//! acknowledged or given up, while the next ones wait.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use srp_core::config::Inform;
use srp_core::events::Entry;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::outlet::{Tally, Way, our_end};
use super::snmp::{Asker, Heard};
use crate::clock;

/// No answer of a station is longer, octets.
const LONGEST: usize = 65_507;

/// So often an answer may say that something else has to be sent: its name, then its clock, and once more.
const LESSONS: usize = 3;

/// Tells a station, until nobody has anything more to tell.
pub async fn run(mut asker: Asker, mut events: mpsc::Receiver<Entry>, tally: Arc<Tally>, inform: Inform) {
    let mut socket = None;
    while let Some(entry) = events.recv().await {
        if !asker.begin(&entry) {
            continue;
        }
        let mut why = String::new();
        let mut acknowledged = false;
        for attempt in 0..=inform.retries {
            // Nobody waits long for a station that does not answer now.
            if acknowledged || (attempt > 0 && events.is_closed()) {
                break;
            }
            match attempted(&mut socket, &mut asker, &tally, inform).await {
                Ok(None) => acknowledged = true,
                Ok(Some(reason)) => why = reason,
                Err(error) => (why, socket) = (error.to_string(), None),
            }
        }
        if acknowledged {
            tally.acknowledged();
        } else {
            asker.forget();
            tally.lost(&why);
        }
    }
}

/// Sends once, and waits for its acknowledgement; why there is none.
async fn attempted(
    socket: &mut Option<UdpSocket>,
    asker: &mut Asker,
    tally: &Tally,
    inform: Inform,
) -> io::Result<Option<String>> {
    let way = tally.way();
    let deadline = Instant::now() + Duration::from_micros(inform.timeout.0);
    let outcome = match conversation(socket, way, asker, tally, deadline).await {
        // The station's machine says that nobody listens: that may change until the deadline, and asking at once would not
        // change it.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Some(error.to_string())),
        outcome => outcome,
    };
    if !matches!(outcome, Ok(None)) {
        sleep_until(deadline).await;
    }
    outcome
}

async fn conversation(
    socket: &mut Option<UdpSocket>,
    way: Way,
    asker: &mut Asker,
    tally: &Tally,
    deadline: Instant,
) -> io::Result<Option<String>> {
    if socket.is_none() {
        let new = UdpSocket::bind(our_end(way)).await?;
        new.connect(way.target).await?;
        *socket = Some(new);
    }
    let Some(socket) = socket else { return Ok(Some("no socket".into())) };
    let mut octets = vec![0; LONGEST];
    let mut why = "not acknowledged".to_owned();
    for _ in 0..=LESSONS {
        let datagram = asker.datagram(clock::now()).map_err(io::Error::other)?;
        let Some(datagram) = datagram else { return Ok(Some("nothing to tell".into())) };
        socket.send(&datagram).await?;
        tally.sent_once();
        loop {
            let Ok(received) = timeout_at(deadline, socket.recv(&mut octets)).await else {
                return Ok(Some(why));
            };
            let length = received?;
            match asker.hear(clock::now(), octets.get(..length).unwrap_or_default()) {
                Heard::Acknowledged => return Ok(None),
                Heard::Learned => break,
                Heard::Ignored(reason) => {
                    debug!(target = %way.target, reason, "SNMP answer ignored");
                    why = format!("an answer {reason}");
                }
            }
        }
    }
    Ok(Some("it reports another clock or name each time".into()))
}

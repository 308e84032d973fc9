//! Runs the rows of a release.

use std::sync::Mutex;
use std::time::Instant;

use bgp_speaker::{Families, Family, Hops, NeighborConfig, Offer, RestartOffer, SpeakerConfig, State, Why};

use super::capture::{self, Capture, Frame};
use super::crash;
use super::peer::{Peer, Release, Session};
use crate::frr::try_until;
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor};

/// How many rows run at a time: they wait for others most of the time.
const AT_A_TIME: usize = 8;

/// A line of the matrix.
pub struct Row {
    name: String,
    session: Session,
    act: fn(&mut Bout),
}

impl Row {
    pub fn new(name: &str, session: Session, act: fn(&mut Bout)) -> Self {
        Self { name: name.to_owned(), session, act }
    }
}

/// One session with one peer.
pub struct Bout<'a> {
    pub session: Session,
    pub owner: Owner,
    pub peer: Box<dyn Peer + 'a>,
}

impl Bout<'_> {
    /// Waits until this is so of the peer, and lets it tell about itself when it never is.
    pub fn until(&self, what: &str, mut done: impl FnMut(&dyn Peer) -> bool) {
        assert!(try_until(|| done(self.peer.as_ref())), "in vain: {what}\n{}", self.peer.report());
    }

    /// What we use, and whether it is stale.
    pub fn learned(&self) -> Vec<(String, bool)> {
        let routes = self.owner.answer(self.owner.handle.routes());
        // FRR tells us our own routes as well: those have our AS in their path.
        let used = routes.into_iter().filter(|route| route.why == Why::Best);
        used.into_iter().map(|route| (route.prefix.to_string(), route.stale)).collect()
    }

    /// Both ends say that the session is up.
    pub fn until_up(&mut self) {
        let up = |owner: &Owner| owner.only_neighbor().state == State::Established;
        let owner = &self.owner;
        self.until("the session is Established", |_| up(owner));
        self.until("the peer agrees", |peer| peer.established());
    }
}

/// Our end of the session.
pub fn ours(session: &Session) -> SpeakerConfig {
    let mut plain = neighbor(session.their_address(), session.their_as);
    if session.ipv6_next_hops {
        plain.next_hop_v4 = None;
    }
    let restart = RestartOffer {
        time_secs: 60,
        notification: false,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::NONE,
    };
    let offer = Offer {
        extended_message: session.extended,
        add_path_receive: if session.add_path { Families::ALL } else { Families::NONE },
        add_path_send: if session.add_path { Families::ALL } else { Families::NONE },
        role: session.our_role,
        graceful_restart: session.restart.then_some(restart),
        extended_next_hop: if session.ipv6_next_hops {
            Families::NONE.with(Family::Ipv4Unicast)
        } else {
            Families::NONE
        },
        ..Offer::default()
    };
    let neighbor = NeighborConfig {
        passive: session.peer_opens && !session.both_open,
        md5_key: session.key.map(|key| key.try_into().expect("a short text")),
        hops: if session.ttl_security { Hops::Secured(1) } else { Hops::Usual },
        offer,
        ..plain
    };
    SpeakerConfig { neighbors: vec![neighbor], ..config(session.our_as, 1) }
}

/// What happened on the wire, if tshark can read it.
fn one(release: Release, row: &Row) -> Vec<Frame> {
    let (here, there) = Netns::pair();
    let capture = (!row.session.extended).then(|| Capture::start(&here));
    let peer = release.start(&there, &row.session);
    let owner = if row.session.killed {
        crash::second_life(&here, peer.as_ref(), &row.session)
    } else {
        Owner::start(&here, ours(&row.session))
    };
    let mut bout = Bout { session: row.session, owner, peer };
    (row.act)(&mut bout);
    capture.map(Capture::stop).unwrap_or_default()
}

/// Runs all rows, and fails when one has failed.
pub fn all(release: Release, rows: Vec<Row>) {
    // To look at some rows: a part of their names.
    let wanted = std::env::var("MATRIX_ROWS").unwrap_or_default();
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.name.contains(&wanted)).collect();
    let count = rows.len();
    let waiting = Mutex::new(rows.into_iter());
    let failed = Mutex::new(Vec::new());
    let seen = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(row) = waiting.lock().expect("no row panics with it").next() else { return };
                    let began = Instant::now();
                    let running = std::thread::Builder::new().name(format!("{release:?}: {}", row.name));
                    let outcome = std::thread::scope(|inner| {
                        running.spawn_scoped(inner, || one(release, &row)).expect("a thread").join()
                    });
                    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
                    println!("{release:?}: {}: {verdict} after {} ms", row.name, began.elapsed().as_millis());
                    match outcome {
                        Ok(frames) => seen.lock().expect("no row panics with it").extend(frames),
                        Err(_) => failed.lock().expect("no row panics with it").push(row.name),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no row panics with it");
    println!("{release:?}: {} of {count} rows passed", count - failed.len());
    let judged = capture::judge(seen.into_inner().expect("no row panics with it"));
    println!("{release:?}: tshark has read {judged} messages of ours");
    assert!(failed.is_empty(), "rows that failed, each with its reason above: {failed:#?}");
}

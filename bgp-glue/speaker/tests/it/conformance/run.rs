//! Running a table.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use bgp_proto::types::Family;
use bgp_proto::wire::header::{MAX_MESSAGE_LEN, first_frame};
use bgp_proto::wire::notification::Notification;
use bgp_proto::wire::open::Open;
use bgp_proto::wire::refresh::RouteRefresh;
use bgp_proto::wire::update::AsWidth;
use bgp_speaker::{NeighborConfig, SpeakerConfig, Why};

use super::case::{At, Case, Expect};
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted_peer::{Said, ScriptedPeer, keepalive};

/// The speaker's AS, and that of internal neighbors.
pub const LOCAL_AS: u32 = 65000;
/// The AS of external neighbors.
pub const REMOTE_AS: u32 = 65001;
/// What the speaker originates, and by which it is seen to live.
const ORIGINATED: &str = "10.255.0.0/16";
/// Threads at once: they mostly wait.
const AT_ONCE: usize = 16;

/// Below the interval of the speaker's keepalives, or a case that fails would take as long as the hold time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The address of a case's neighbor, on the link of [`Netns::pair`].
fn address(index: usize) -> Ipv4Addr {
    let index = u32::try_from(index).expect("a table is a page or two");
    Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 99, 1, 0)) + index)
}

/// Runs every case of a table, and fails with a line for each that failed.
pub fn run(table: &[Case]) {
    let (here, there) = Netns::pair();
    here.ip("addr add 10.99.0.1/16 dev v0");
    there.ip("addr add 10.99.0.2/16 dev v0");
    let mut neighbors = Vec::new();
    for (index, case) in table.iter().enumerate() {
        there.ip(&format!("addr add {}/16 dev v0", address(index)));
        let usual = neighbor(&address(index).to_string(), case.asn());
        neighbors.push((case.config)(NeighborConfig { passive: true, ..usual }));
    }
    let owner = Owner::start(&here, SpeakerConfig { neighbors, ..config(LOCAL_AS, 1) });
    owner.originate(vec![route(ORIGINATED, 0)]);
    let indexed: Vec<_> = table.iter().enumerate().collect();
    let mut faults = Vec::new();
    for some in indexed.chunks(AT_ONCE) {
        let said: Vec<_> = thread::scope(|scope| {
            let there = &there;
            let running: Vec<_> = some
                .iter()
                .map(|(index, case)| scope.spawn(move || play(case, connect(there, *index))))
                .collect();
            running
                .into_iter()
                .map(|case| case.join().unwrap_or_else(|_| Err("it panicked".into())))
                .collect()
        });
        for ((index, case), outcome) in some.iter().zip(said) {
            let outcome = outcome.and_then(|_peer| match &case.expect {
                Expect::Routes(expected) => judge_routes(&owner, address(*index), expected),
                Expect::Ends(..) | Expect::EndsWith(..) | Expect::HangsUp | Expect::Opens | Expect::Stays => {
                    Ok(())
                }
            });
            if let Err(fault) = outcome {
                faults.push(format!("{}: {}: {fault}", case.clause, case.name));
            }
        }
    }
    println!("{} cases, {} failed", table.len(), faults.len());
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), table.len(), faults.join("\n"));
}

fn connect(there: &Netns, index: usize) -> ScriptedPeer {
    ScriptedPeer::connect(there, &format!("{}:0", address(index)), "10.99.0.1:179")
}

/// Plays a case. The connection is handed back open, since its end would take the routes along.
fn play(case: &Case, mut peer: ScriptedPeer) -> Result<ScriptedPeer, String> {
    peer.set_patience(PATIENCE);
    match peer.hear() {
        Said::Open(_) => {}
        other => return Err(format!("no OPEN but {other:?}")),
    }
    peer.as_width = as_width(case);
    match case.at {
        At::OpenSent => {}
        At::OpenConfirm => {
            peer.send_open(&case.usual_open());
            expect_keepalive(&mut peer)?;
        }
        At::Established => {
            peer.send_open(&case.usual_open());
            expect_keepalive(&mut peer)?;
            peer.send(&keepalive());
            expect_serving(&mut peer)?;
        }
    }
    // The speaker may hang up while it is being talked to.
    peer.try_send(&case.say);
    match &case.expect {
        Expect::Ends(code, subcode) => {
            let heard = hear_the_end(&mut peer)?;
            if (heard.code, heard.subcode) != (*code, *subcode) {
                return Err(format!("{code}/{subcode} was expected, not {heard}"));
            }
        }
        Expect::EndsWith(code, subcode, data) => {
            let (heard, wanted) =
                (hear_the_end(&mut peer)?, Notification::with_data((*code, *subcode), data));
            if heard != wanted {
                return Err(format!("{wanted} was expected, not {heard}"));
            }
        }
        Expect::HangsUp => loop {
            match peer.hear() {
                Said::Nothing => break,
                Said::Notification(heard) => return Err(format!("silence was expected, not {heard}")),
                Said::Open(_) | Said::Update(_) | Said::Keepalive | Said::RouteRefresh => {}
            }
        },
        Expect::Opens => {
            expect_keepalive(&mut peer)?;
            peer.send(&keepalive());
            expect_serving(&mut peer)?;
        }
        Expect::Stays | Expect::Routes(_) => expect_serving(&mut peer)?,
    }
    Ok(peer)
}

/// How the speaker has to write AS numbers after the neighbor's OPEN.
fn as_width(case: &Case) -> AsWidth {
    let open = match (case.at, first_frame(&case.say, MAX_MESSAGE_LEN)) {
        (At::OpenSent, Ok(Some(frame))) => Open::decode(frame.body).ok(),
        (At::OpenSent, Ok(None) | Err(_)) => None,
        (At::OpenConfirm | At::Established, _) => Some(case.usual_open()),
    };
    if open.is_some_and(|open| open.four_octet_as().is_none()) { AsWidth::Two } else { AsWidth::Four }
}

fn expect_keepalive(peer: &mut ScriptedPeer) -> Result<(), String> {
    match peer.hear() {
        Said::Keepalive => Ok(()),
        other => Err(format!("no KEEPALIVE for the OPEN but {other:?}")),
    }
}

/// The speaker answers a ROUTE-REFRESH, so it has read everything before it and lives.
fn expect_serving(peer: &mut ScriptedPeer) -> Result<(), String> {
    // The first dump ends with End-of-RIB; a refresh that came before it could not be told from it.
    if !peer.has_seen_end_of_rib {
        loop {
            match peer.hear() {
                Said::Update(update) if update.end_of_rib == Some(Family::Ipv4Unicast) => break,
                Said::Update(_) | Said::Keepalive | Said::RouteRefresh => {}
                other => return Err(format!("no End-of-RIB but {other:?}")),
            }
        }
        peer.has_seen_end_of_rib = true;
    }
    let mut request = Vec::new();
    RouteRefresh::request(Family::Ipv4Unicast).push(&mut request);
    peer.try_send(&request);
    loop {
        match peer.hear() {
            Said::Update(update)
                if update.announced.iter().any(|announced| {
                    announced.prefixes.iter().any(|prefix| prefix.to_string() == ORIGINATED)
                }) =>
            {
                return Ok(());
            }
            Said::Update(_) | Said::Keepalive | Said::RouteRefresh => {}
            other => return Err(format!("the session does not go on: {other:?}")),
        }
    }
}

fn hear_the_end(peer: &mut ScriptedPeer) -> Result<Notification, String> {
    loop {
        match peer.hear() {
            Said::Notification(notification) => match peer.hear() {
                Said::Nothing => return Ok(notification),
                other => return Err(format!("{notification}, and then {other:?}")),
            },
            Said::Open(_) | Said::Update(_) | Said::Keepalive | Said::RouteRefresh => {}
            Said::Nothing => return Err("the connection ended without a NOTIFICATION".into()),
        }
    }
}

/// What the speaker has learned from the neighbor.
fn judge_routes(owner: &Owner, from: Ipv4Addr, expected: &[&str]) -> Result<(), String> {
    let mut learned: Vec<_> = owner
        .answer(owner.handle.routes())
        .into_iter()
        .filter(|route| route.neighbor.address == Some(from.into()) && usable(route.why))
        .map(|route| route.prefix.to_string())
        .collect();
    learned.sort();
    if learned == expected {
        Ok(())
    } else {
        Err(format!("routes {expected:?} were expected, not {learned:?}"))
    }
}

/// Best, or beaten by another case's route to the same prefix: not refused.
fn usable(why: Why) -> bool {
    match why {
        Why::Best | Why::Multipath | Why::Lost(_) => true,
        Why::Unusable(_) => false,
    }
}

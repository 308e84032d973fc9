//! We are killed and come back: the peer keeps our routes meanwhile (RFC 4724 section 4.2).

use std::io::Read;
use std::process::Stdio;

use bgp_speaker::{Families, Restarted};

use super::exchange::{OURS, learned, ours};
use super::peer::{PLAIN, Peer, Session};
use super::run::{self, Bout};
use crate::frr::try_until;
use crate::netns::{Daemon, Netns};
use crate::owner::{Owner, PATIENCE};

/// Both sides keep each other's routes, and we have an earlier life.
pub const KILLED: Session = Session { restart: true, killed: true, ..PLAIN };

/// Tells the first life who opens the session.
const PEER_OPENS: &str = "MATRIX_PEER_OPENS";

/// The speaker that is killed, in a process of its own. It ends by itself when the test does.
#[test]
#[ignore = "half of a row: run in a namespace by the rows `helper of ours`"]
fn first_life() {
    let peer_opens = std::env::var(PEER_OPENS).is_ok_and(|value| value == "true");
    let owner = Owner::start_here(run::ours(&Session { peer_opens, ..KILLED }));
    owner.originate(ours(2, None));
    // Nothing is ever written there.
    let _ = std::io::stdin().read(&mut [0]);
}

/// Lives, is killed with its routes at the peer, and lives again.
pub fn second_life(here: &Netns, peer: &dyn Peer, session: &Session) -> Owner {
    let program = std::env::current_exe().expect("the kernel knows this program");
    let mut first = here.command(&program.display().to_string());
    first.args(["--ignored", "--exact", "--nocapture", "matrix::crash::first_life"]);
    first.env(PEER_OPENS, session.peer_opens.to_string()).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut first = Daemon(first.spawn().expect("`ip` (package iproute2) is installed"));
    until(peer, "the peer has all of our first life", || {
        peer.end_of_rib() != Some(false) && OURS.iter().all(|prefix| peer.heard(prefix).is_some())
    });
    first.end();
    until(peer, "the peer sees that it is gone", || !peer.established());
    Owner::start_again(here, run::ours(session), Restarted { forwarding: Families::ALL, window: PATIENCE })
}

fn until(peer: &dyn Peer, what: &str, done: impl FnMut() -> bool) {
    assert!(try_until(done), "in vain: {what}\n{}", peer.report());
}

/// Back again: nothing is lost before we have told everything, and then what we did not tell again.
pub fn comes_back(bout: &mut Bout) {
    bout.until_up();
    for prefix in OURS {
        assert!(bout.peer.heard(prefix).is_some(), "{prefix} is kept\n{}", bout.peer.report());
    }
    learned(bout);
    let [kept, gone] = OURS;
    let again = ours(2, None).into_iter().filter(|route| route.prefix.to_string() == kept);
    bout.owner.originate(again.collect());
    bout.until(&format!("{gone} is swept"), |peer| {
        assert!(peer.heard(kept).is_some(), "{kept} is not\n{}", peer.report());
        peer.heard(gone).is_none()
    });
}

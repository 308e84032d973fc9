//! Which of two connections to the same peer stays. Pure: both chassis ask it the same question, and answer alike.
//!
//! Both chassis listen and dial, so two connections at once are normal when they start together, when one restarts, or
//! when one lost a connection that the other still believes in. The `incumbent` is the link; the `challenger` is a
//! connection on which the peer's Hello has come.
//!
//! | Rule | Case | Stays | Why both agree |
//! |---|---|---|---|
//! | a | the Hellos name different lives of the peer | the newer | the earlier life is over and decides nothing |
//! | b | same life, dialled by the same side | the newer | that side dials only while it has no other |
//! | c | same life, and the incumbent had long been up | the newer | a side dials only while it has no link |
//! | d | same life, dialled by both at about the same time | the one that the higher address dialled | both know both addresses |

use std::net::IpAddr;

use srp_core::types::BootId;

use super::event::ConnectionId;

/// Which end opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialler {
    /// This chassis.
    Us,
    /// The peer.
    Peer,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Counts up in the order in which this chassis dialled or accepted connections.
    pub id: ConnectionId,
    /// Which end opened it.
    pub dialler: Dialler,
    /// Life of the peer that its greeting named.
    pub boot: BootId,
}

/// Outcome of a collision, with the rule that decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The challenger is closed.
    IncumbentStays,
    /// Rule a: the peer has restarted, and the incumbent belongs to its earlier life.
    PeerRestarted,
    /// Rules b and c: the peer gave the incumbent up and dialled again.
    PeerReconnected,
    /// Rule d: both dialled at once, and the challenger was dialled by the higher address.
    HigherDialled,
}

/// The end whose dialled connection stays by rule d.
pub fn preferred_dialler(bind_address: IpAddr, peer_address: IpAddr) -> Dialler {
    if bind_address > peer_address { Dialler::Us } else { Dialler::Peer }
}

/// Decides between two connections of the same peer. `settled`: the incumbent had been up for longer than a dial can
/// take when the challenger was opened. `preferred` is from [`preferred_dialler`].
pub fn judge(incumbent: &Candidate, challenger: &Candidate, settled: bool, preferred: Dialler) -> Verdict {
    let newer = challenger.id > incumbent.id;
    if challenger.boot != incumbent.boot {
        // The greeting of a process that has died may still be read after that of its successor.
        return if newer { Verdict::PeerRestarted } else { Verdict::IncumbentStays };
    }
    if settled || challenger.dialler == incumbent.dialler {
        return if newer { Verdict::PeerReconnected } else { Verdict::IncumbentStays };
    }
    if challenger.dialler == preferred { Verdict::HigherDialled } else { Verdict::IncumbentStays }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u64, dialler: Dialler, boot: u64) -> Candidate {
        Candidate { id: ConnectionId(id), dialler, boot: BootId(boot) }
    }

    #[test]
    fn each_rule_decides_its_own_case() {
        use Dialler::{Peer, Us};
        use Verdict::{HigherDialled, IncumbentStays, PeerReconnected, PeerRestarted};
        // Name, incumbent, challenger, settled, preferred, verdict.
        let table = [
            ("a: a new life of the peer dials", (1, Us, 1), (2, Peer, 2), false, Us, PeerRestarted),
            ("a: we reach a new life of the peer", (1, Peer, 1), (2, Us, 2), false, Peer, PeerRestarted),
            ("a: goes before all others", (1, Us, 1), (2, Peer, 2), true, Us, PeerRestarted),
            ("a: a dead life speaks late", (2, Us, 2), (1, Peer, 1), false, Peer, IncumbentStays),
            ("b: the peer dials again", (1, Peer, 1), (2, Peer, 1), false, Us, PeerReconnected),
            ("b: we dial again", (1, Us, 1), (2, Us, 1), false, Peer, PeerReconnected),
            ("b: the older one speaks late", (2, Peer, 1), (1, Peer, 1), false, Us, IncumbentStays),
            ("c: the peer lost our dial of long ago", (1, Us, 1), (2, Peer, 1), true, Us, PeerReconnected),
            ("c: whoever is preferred", (1, Us, 1), (2, Peer, 1), true, Peer, PeerReconnected),
            ("d: ours, and we are higher", (1, Us, 1), (2, Peer, 1), false, Us, IncumbentStays),
            ("d: ours, and we are lower", (1, Us, 1), (2, Peer, 1), false, Peer, HigherDialled),
            ("d: the peer's, and we are higher", (1, Peer, 1), (2, Us, 1), false, Us, HigherDialled),
            ("d: the peer's, and we are lower", (1, Peer, 1), (2, Us, 1), false, Peer, IncumbentStays),
            ("d: age does not count", (2, Peer, 1), (1, Us, 1), false, Us, HigherDialled),
        ];
        for (name, incumbent, challenger, settled, preferred, verdict) in table {
            let incumbent = candidate(incumbent.0, incumbent.1, incumbent.2);
            let challenger = candidate(challenger.0, challenger.1, challenger.2);
            assert_eq!(judge(&incumbent, &challenger, settled, preferred), verdict, "{name}");
        }
    }

    /// The connection that stays is the same at both ends, whichever greeting each of them hears first.
    #[test]
    fn both_ends_keep_the_same_connection_of_a_simultaneous_open() {
        let east: IpAddr = "10.0.0.1".parse().expect("address");
        let west: IpAddr = "10.0.0.2".parse().expect("address");
        for (east_hears_own_first, west_hears_own_first) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let stays = |me: IpAddr, peer: IpAddr, own_first: bool| {
                let own = candidate(1, Dialler::Us, 7);
                let theirs = candidate(2, Dialler::Peer, 7);
                let (incumbent, challenger) = if own_first { (own, theirs) } else { (theirs, own) };
                let winner = match judge(&incumbent, &challenger, false, preferred_dialler(me, peer)) {
                    Verdict::IncumbentStays => incumbent,
                    Verdict::PeerRestarted | Verdict::PeerReconnected | Verdict::HigherDialled => challenger,
                };
                if winner.dialler == Dialler::Us { me } else { peer }
            };
            assert_eq!(stays(east, west, east_hears_own_first), west);
            assert_eq!(stays(west, east, west_hears_own_first), west);
        }
    }

    #[test]
    fn the_higher_address_is_preferred_in_both_families() {
        for (low, high) in [("10.0.0.9", "10.0.0.10"), ("fd00::9", "fd00::a")] {
            let (low, high): (IpAddr, IpAddr) =
                (low.parse().expect("address"), high.parse().expect("address"));
            assert_eq!(preferred_dialler(high, low), Dialler::Us);
            assert_eq!(preferred_dialler(low, high), Dialler::Peer);
        }
    }
}

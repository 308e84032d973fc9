//! Every line of the codec's `updates.txt`, over a socket.
//!
//! A case's neighbor first announces both of the file's prefixes, so that one that is treated as withdrawn goes.

#[path = "../../../../proto/tests/cases/mod.rs"]
mod cases;

use bgp_proto::wire::open::{Capability, Open};

use super::case::external;
use super::octets::message;
use super::{Case, Expect, run};
use cases::{Outcome, Session};

const V4: &str = "198.51.100.0/24";
const V6: &str = "2001:db8:1::/64";
/// What the lines about bits behind a length announce besides.
const WIDER: &str = "198.51.100.0/23";

#[test]
fn update_message_of_every_kind() {
    run(&cases::all().iter().map(case).collect::<Vec<_>>());
}

fn case(case: &cases::Case) -> Case {
    let base = message(2, &cases::body("-", "MP_REACH GOOD", "R", case.session));
    let expect = match case.outcome {
        Outcome::Reset { code, subcode } => Expect::Ends(code, subcode),
        Outcome::Announced | Outcome::Discard | Outcome::Withdraw | Outcome::Withdrawn | Outcome::Ignored => {
            Expect::Routes(left(case))
        }
    };
    let clause = String::leak(format!("RFC {}", case.clause));
    let name = String::leak(case.to_string());
    let case_on = |session: Session| {
        let case = external(clause, name, base.then(message(2, &case.body)), expect);
        let case = if session.internal { case.internal() } else { case };
        if session.two_octets { case.open(of_two_octets) } else { case }
    };
    case_on(case.session)
}

/// The prefixes that are there after the case.
fn left(case: &cases::Case) -> &'static [&'static str] {
    let holds = |octets: &[u8]| case.body.windows(octets.len()).any(|window| window == octets);
    let v4 = holds(&[24, 198, 51, 100]);
    let v6 = holds(&[64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0]);
    let unreachable = holds(&[0x80, 15, 12]);
    let (v4_goes, v6_goes) = match case.outcome {
        Outcome::Withdraw | Outcome::Withdrawn => (v4, v6),
        // Nothing is announced behind the attribute that is discarded, only withdrawn before it.
        Outcome::Discard => (!case.body.ends_with(&[24, 198, 51, 100]) && v4, unreachable),
        Outcome::Announced | Outcome::Ignored | Outcome::Reset { .. } => (false, unreachable),
    };
    let wider = holds(&[23, 198, 51, 100]);
    match (v4_goes, v6_goes, wider) {
        (false, false, false) => &[V4, V6],
        (false, false, true) => &[WIDER, V4, V6],
        (true, false, _) => &[V6],
        (false, true, _) => &[V4],
        (true, true, _) => &[],
    }
}

fn of_two_octets(mut open: Open) -> Open {
    open.capabilities.retain(|capability| !matches!(capability, Capability::FourOctetAs(_)));
    open
}

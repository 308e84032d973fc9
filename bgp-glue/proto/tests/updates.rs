//! Every line of `cases/updates.txt` through the decoder.

mod cases;

use bgp_proto::types::{Families, PeerKind};
use bgp_proto::wire::update::{AsWidth, Disposition, Update, UpdateContext};
use cases::{Case, Outcome};

fn found(case: &Case) -> Outcome {
    let width = if case.session.two_octets { AsWidth::Two } else { AsWidth::Four };
    let kind = if case.session.internal { PeerKind::Internal } else { PeerKind::External };
    let context = UpdateContext::new(width, kind, Families::ALL);
    match Update::decode(&case.body, context) {
        Err(notification) => Outcome::Reset { code: notification.code, subcode: notification.subcode },
        Ok(update) => {
            let worst = update.faults.iter().map(|fault| fault.disposition).max();
            match worst {
                Some(Disposition::TreatAsWithdraw) => {
                    assert!(update.announced.is_empty() && !update.withdrawn.is_empty(), "{case}");
                    Outcome::Withdraw
                }
                Some(Disposition::AttributeDiscard) => Outcome::Discard,
                None if !update.announced.is_empty() => Outcome::Announced,
                None if !update.withdrawn.is_empty() => Outcome::Withdrawn,
                None => Outcome::Ignored,
            }
        }
    }
}

#[test]
fn every_update_becomes_what_its_clause_says() {
    let cases = cases::all();
    assert!(cases.len() > 200, "{} cases", cases.len());
    let wrong: Vec<_> = cases
        .iter()
        .map(|case| (case, found(case)))
        .filter(|(case, found)| case.outcome != *found)
        .map(|(case, found)| format!("{case}: {:?} is due, {found:?} came", case.outcome))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

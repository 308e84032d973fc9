//! The full comparison: read everything under our mark, judge it against both books, repair, and say what differed.
//!
//! Reading goes on while the SRP section may change. If it did, the reading says nothing about it, so the section is
//! left out and another comparison asked for.

use std::io;

use crate::apply::{Applied, Outcome};
use crate::ledger::{self, Book};
use crate::plan::{Have, Op};
use crate::report::{CompareCause, KernelEvent, Object, Refused, Report};
use crate::socket::{Dump, DumpStep};
use crate::worker::Worker;

/// A reading of the kernel under way.
pub(crate) struct Reading {
    have: Have,
    dump: Dump,
    v6: bool,
    consistent: bool,
}

/// What one step of a reading came to.
pub(crate) enum Reads {
    More(Reading),
    /// `consistent` is false if something changed under way, so that objects may be missing.
    All {
        have: Have,
        consistent: bool,
    },
}

impl Reading {
    /// Reads the addresses and asks for the IPv4 routes.
    pub(crate) fn begin(worker: &mut Worker) -> io::Result<Self> {
        worker.srp_changed = false;
        let mut have = Have::default();
        for found in worker.hands.addresses()? {
            have.put_address(found.key, found.held());
        }
        let request = worker.hands.own_routes_request(false);
        let dump = worker.hands.reader.start(request)?;
        Ok(Self { have, dump, v6: false, consistent: true })
    }

    /// Reads the next part: some hundreds of routes.
    pub(crate) fn go_on(mut self, worker: &mut Worker) -> io::Result<Reads> {
        match worker.hands.reader.next(&mut self.dump)? {
            DumpStep::Some(messages) => {
                worker.hands.enter_own_routes(&mut self.have, messages);
                Ok(Reads::More(self))
            }
            DumpStep::End { consistent } if self.v6 => {
                Ok(Reads::All { have: self.have, consistent: self.consistent && consistent })
            }
            DumpStep::End { consistent } => {
                let request = worker.hands.own_routes_request(true);
                self.dump = worker.hands.reader.start(request)?;
                Ok(Reads::More(Self { v6: true, consistent: self.consistent && consistent, ..self }))
            }
        }
    }
}

/// What a comparison found, and did about it so far.
#[derive(Default)]
pub(crate) struct Findings {
    restored: Vec<Object>,
    removed: Vec<Object>,
    refused_srp: Vec<Refused>,
    refused_learned: Vec<Refused>,
    srp_left_out: bool,
}

impl Findings {
    /// Judges a whole reading, repairs the SRP section, and returns what is to be done for the learned routes.
    pub(crate) fn judge(worker: &mut Worker, have: Have, report: &mut Report) -> (Self, Vec<Op>) {
        let srp_left_out = worker.srp_changed;
        let all = worker.ledger.plan_all(have, &worker.links, !srp_left_out);
        let mut findings = Self { srp_left_out, ..Self::default() };
        report.kept += all.srp.kept + all.learned.kept;
        findings.refused_srp.extend(all.missing);
        let named = |refused: Vec<_>, worker: &Worker| -> Vec<Refused> {
            refused.into_iter().map(|(key, holder)| ledger::foreign(key, holder, &worker.links)).collect()
        };
        findings.refused_srp.extend(named(all.srp.refused, worker));
        findings.refused_learned.extend(named(all.learned.refused, worker));
        report.refused.extend_from_slice(&findings.refused_srp);
        report.refused.extend_from_slice(&findings.refused_learned);
        findings.repair(worker, all.srp.ops, Book::Srp, report);
        (findings, all.learned.ops)
    }

    /// Carries out a part of the repair.
    pub(crate) fn repair(&mut self, worker: &mut Worker, ops: Vec<Op>, book: Book, report: &mut Report) {
        for Applied { op, outcome } in worker.carry_out(ops, report) {
            let object = ledger::object(op.key(), Some(&worker.links));
            match (outcome, op) {
                (Outcome::Done, Op::AddAddress(_) | Op::AddRoute(..) | Op::ReplaceRoute(..)) => {
                    self.restored.push(object);
                }
                (Outcome::Done, Op::DeleteAddress(..) | Op::DeleteRoute(_)) => self.removed.push(object),
                (Outcome::Already, _) => {}
                (Outcome::Refused(reason), _) => match book {
                    Book::Srp => self.refused_srp.push(Refused { object, reason }),
                    Book::Learned => self.refused_learned.push(Refused { object, reason }),
                },
            }
        }
    }

    /// The event that tells of it, if there is something new to tell.
    pub(crate) fn into_event(self, worker: &mut Worker, cause: CompareCause) -> Option<KernelEvent> {
        let mut refused = worker.ledger.settle_refusals(Book::Learned, &self.refused_learned);
        if self.srp_left_out {
            worker.want_compare(cause);
        } else {
            refused.extend(worker.ledger.settle_refusals(Book::Srp, &self.refused_srp));
        }
        let Self { restored, removed, .. } = self;
        let silent = restored.is_empty() && removed.is_empty() && refused.is_empty();
        (!silent).then_some(KernelEvent::Repaired { cause, restored, removed, refused })
    }
}

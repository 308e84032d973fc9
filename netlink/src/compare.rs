//! The full comparison: read everything under our mark, judge it against both books, repair, and say what differed.
//!
//! All of it goes in steps of about a millisecond, between which the SRP section may change. If it did, the reading
//! says nothing about it, so the section is left out and another comparison asked for. The learned routes change
//! only between comparisons.

use std::io;

use crate::apply::{Applied, Outcome};
use crate::learned_book::Judging;
use crate::ledger::{self, Book};
use crate::plan::{Have, Op};
use crate::report::{CompareCause, KernelEvent, Object, Refused, Report};
use crate::socket::{Dump, DumpStep};
use crate::worker::Worker;

/// Learned routes to one step of judging.
const JUDGED: usize = 2048;

/// A reading of the kernel under way. Learned routes are entered into their book as they are met.
pub(crate) struct Reading {
    srp: Have,
    judging: Judging,
    dump: Dump,
    v6: bool,
    consistent: bool,
}

/// What one step of a reading came to.
pub(crate) enum Reads {
    More(Reading),
    /// `consistent` is false if something changed under way, so that objects may be missing.
    All {
        found: Found,
        consistent: bool,
    },
}

/// A whole reading.
pub(crate) struct Found {
    srp: Have,
    judging: Judging,
}

impl Reading {
    /// Reads the addresses and asks for the IPv4 routes.
    pub(crate) fn begin(worker: &mut Worker) -> io::Result<Self> {
        worker.srp_changed = false;
        worker.ledger.learned.begin_reading();
        let mut srp = Have::default();
        let (addresses, consistent) = worker.hands.addresses()?;
        for found in addresses {
            srp.put_address(found.key, found.held());
        }
        let request = worker.hands.own_routes_request(false);
        let dump = worker.hands.reader.start(request)?;
        Ok(Self { srp, judging: Judging::default(), dump, v6: false, consistent })
    }

    /// Reads the next part: some hundreds of routes.
    pub(crate) fn go_on(mut self, worker: &mut Worker) -> io::Result<Reads> {
        match worker.hands.reader.next(&mut self.dump)? {
            DumpStep::Some(messages) => {
                for found in worker.hands.own_routes(messages) {
                    let (key, held) = (found.key, found.held(worker.hands.mark));
                    worker.ledger.met(&mut self.srp, &mut self.judging, key, held);
                }
                Ok(Reads::More(self))
            }
            DumpStep::End { consistent } if self.v6 => {
                let found = Found { srp: self.srp, judging: self.judging };
                Ok(Reads::All { found, consistent: self.consistent && consistent })
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
pub(crate) struct Findings {
    judging: Judging,
    restored: Vec<Object>,
    removed: Vec<Object>,
    refused_srp: Vec<Refused>,
    refused_learned: Vec<Refused>,
    srp_left_out: bool,
}

impl Findings {
    /// Judges the SRP section by a whole reading, and repairs it in one step.
    pub(crate) fn judge_srp(worker: &mut Worker, found: Found, report: &mut Report) -> Self {
        let mut findings = Self {
            judging: found.judging,
            restored: Vec::new(),
            removed: Vec::new(),
            refused_srp: Vec::new(),
            refused_learned: Vec::new(),
            srp_left_out: worker.srp_changed,
        };
        if !findings.srp_left_out {
            worker.ledger.srp.adopt(&found.srp);
            let (plan, missing) = worker.ledger.srp.plan_against(&found.srp, &worker.links);
            let foreign =
                plan.refused.into_iter().map(|(key, holder)| ledger::foreign(key, holder, &worker.links));
            report.kept += plan.kept;
            findings.refused_srp = missing.into_iter().chain(foreign).collect();
            report.refused.extend_from_slice(&findings.refused_srp);
            findings.repair(worker, plan.ops, Book::Srp, report);
        }
        worker.srp_changed = false;
        findings
    }

    /// Judges the next learned routes; `None` when there are no more.
    pub(crate) fn judge_learned(&mut self, worker: &mut Worker, report: &mut Report) -> Option<Vec<Op>> {
        let plan = worker.ledger.learned.judge(&mut self.judging, JUDGED, &worker.links)?;
        // Routes of others are not read, so that no plan refuses here: the kernel does, when one is added.
        report.kept += plan.kept;
        Some(plan.ops)
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
        } else if !worker.srp_changed {
            refused.extend(worker.ledger.settle_refusals(Book::Srp, &self.refused_srp));
        }
        let Self { restored, removed, .. } = self;
        let silent = restored.is_empty() && removed.is_empty() && refused.is_empty();
        (!silent).then_some(KernelEvent::Repaired { cause, restored, removed, refused })
    }
}

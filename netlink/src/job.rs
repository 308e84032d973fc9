//! What the worker does beside listening: one value per piece of work, carried out in steps of about a millisecond.

use std::io;
use std::time::Instant;
use std::vec::IntoIter;

use netlink_packet_route::RouteNetlinkMessage;

use crate::apply::{Hands, table_request};
use crate::compare::{Findings, Reading, Reads};
use crate::kernel::RequestError;
use crate::ledger::Book;
use crate::lookup::Question;
use crate::names::TableId;
use crate::plan::Op;
use crate::report::{CompareCause, KernelEvent, Report};
use crate::socket::{Dump, DumpSocket, DumpStep};
use crate::types::{RouteChange, Section};
use crate::way::Search;
use crate::worker::{Answer, Worker};

/// Operations, or changes, to one step.
const SLICE: usize = 128;
/// How often a comparison reads the kernel before it puts up with a reading during which something changed.
const READINGS: u8 = 3;

/// A piece of work.
pub(crate) struct Job {
    errand: Errand,
    task: Task,
}

enum Task {
    /// The SRP section, behind a removal.
    SetSrp(Section),
    /// Changes of learned routes still to make.
    Learned(IntoIter<RouteChange>),
    /// The learned routes of one table, into another.
    MoveLearned(TableId, TableId),
    Sweep,
    RemoveAll,
    /// Deletions still to make, of a sweep or of a removal.
    Delete {
        ops: IntoIter<Op>,
        everything: bool,
    },
    Compare {
        cause: CompareCause,
        readings: u8,
    },
    /// A comparison, reading the kernel.
    Read {
        reading: Reading,
        cause: CompareCause,
        readings: u8,
    },
    /// Looking for routes of others below ours.
    Search {
        question: Question,
        search: Search,
        /// The reading, and whether it is of IPv6; `None` before the first.
        dump: Option<(Dump, bool)>,
    },
    /// A comparison, judging learned routes and putting right what differs.
    Repair {
        ops: IntoIter<Op>,
        findings: Findings,
        cause: CompareCause,
    },
}

/// Whom to tell, and what so far.
struct Errand {
    taken: Instant,
    answer: Option<Answer>,
    report: Report,
}

impl Job {
    fn new(task: Task, answer: Option<Answer>, taken: Instant) -> Self {
        Self { errand: Errand { taken, answer, report: Report::default() }, task }
    }

    pub(crate) fn set_srp(want: Section, answer: Answer, taken: Instant) -> Self {
        Self::new(Task::SetSrp(want), Some(answer), taken)
    }

    pub(crate) fn learned(changes: Vec<RouteChange>, answer: Answer, taken: Instant) -> Self {
        Self::new(Task::Learned(changes.into_iter()), Some(answer), taken)
    }

    pub(crate) fn move_learned(from: TableId, to: TableId, answer: Answer, taken: Instant) -> Self {
        Self::new(Task::MoveLearned(from, to), Some(answer), taken)
    }

    pub(crate) fn sweep(answer: Answer, taken: Instant) -> Self {
        Self::new(Task::Sweep, Some(answer), taken)
    }

    pub(crate) fn remove_all(answer: Answer, taken: Instant) -> Self {
        Self::new(Task::RemoveAll, Some(answer), taken)
    }

    pub(crate) fn compare(cause: CompareCause, answer: Option<Answer>, taken: Instant) -> Self {
        Self::new(Task::Compare { cause, readings: 0 }, answer, taken)
    }

    pub(crate) fn search(question: Question, search: Search) -> Self {
        Self::new(Task::Search { question, search, dump: None }, None, Instant::now())
    }

    /// Whether an SRP section that is asked for after this job must also be carried out after it.
    pub(crate) fn removes_everything(&self) -> bool {
        matches!(self.task, Task::RemoveAll | Task::Delete { everything: true, .. })
    }

    /// Does the next part of the work and returns what is left of it.
    pub(crate) fn step(self, worker: &mut Worker) -> Option<Self> {
        let Self { mut errand, task } = self;
        match task {
            Task::SetSrp(want) => {
                errand.report = worker.set_srp(want, errand.taken);
                errand.finish()
            }
            Task::Learned(mut changes) => {
                worker.change_learned(changes.by_ref().take(SLICE), &mut errand.report);
                if changes.len() == 0 { errand.finish() } else { errand.again(Task::Learned(changes)) }
            }
            Task::MoveLearned(from, to) => {
                let changes = worker.ledger.learned.moving(from, to);
                errand.again(Task::Learned(changes.into_iter()))
            }
            Task::Sweep => {
                worker.ledger.learned.sweep();
                errand.report.kept = worker.ledger.learned.wanted();
                let ops = worker.ledger.learned.stale().into_iter();
                errand.again(Task::Delete { ops, everything: false })
            }
            Task::RemoveAll => match worker.hands.all_ours() {
                Ok(have) => {
                    let (srp, learned) = worker.ledger.want_nothing(&have);
                    worker.carry_out(srp, &mut errand.report);
                    errand.again(Task::Delete { ops: learned.into_iter(), everything: true })
                }
                Err(source) => errand.fail(source),
            },
            Task::Delete { mut ops, everything } => {
                worker.carry_out(ops.by_ref().take(SLICE).collect(), &mut errand.report);
                if ops.len() == 0 { errand.finish() } else { errand.again(Task::Delete { ops, everything }) }
            }
            Task::Compare { cause, readings } => match Reading::begin(worker) {
                Ok(reading) => errand.again(Task::Read { reading, cause, readings }),
                Err(error) => errand.fail_compare(worker, cause, error),
            },
            Task::Read { reading, cause, readings } => match reading.go_on(worker) {
                Ok(Reads::More(reading)) => errand.again(Task::Read { reading, cause, readings }),
                Ok(Reads::All { consistent: false, .. }) if readings + 1 < READINGS => {
                    errand.again(Task::Compare { cause, readings: readings + 1 })
                }
                Ok(Reads::All { found, .. }) => {
                    let findings = Findings::judge_srp(worker, found, &mut errand.report);
                    errand.again(Task::Repair { ops: Vec::new().into_iter(), findings, cause })
                }
                Err(error) => errand.fail_compare(worker, cause, error),
            },
            Task::Search { question, mut search, dump } => match look(worker, &mut search, dump) {
                Ok(None) => {
                    question.settle(search);
                    None
                }
                Ok(dump) => errand.again(Task::Search { question, search, dump }),
                Err(error) => {
                    question.fail(error);
                    None
                }
            },
            Task::Repair { mut ops, mut findings, cause } => {
                if ops.len() > 0 {
                    let slice = ops.by_ref().take(SLICE).collect();
                    findings.repair(worker, slice, Book::Learned, &mut errand.report);
                    return errand.again(Task::Repair { ops, findings, cause });
                }
                if let Some(next) = findings.judge_learned(worker, &mut errand.report) {
                    return errand.again(Task::Repair { ops: next.into_iter(), findings, cause });
                }
                if let Some(event) = findings.into_event(worker, cause) {
                    worker.outlet.tell(event);
                }
                worker.compared();
                errand.finish()
            }
        }
    }
}

/// Shows the next part of the table to the search; `None` once it has seen everything.
fn look(
    worker: &mut Worker,
    search: &mut Search,
    dump: Option<(Dump, bool)>,
) -> io::Result<Option<(Dump, bool)>> {
    let Hands { reader, mark, .. } = &mut worker.hands;
    let table = search.table();
    let ask = |reader: &mut DumpSocket, v6| Ok(Some((reader.start(table_request(table, v6))?, v6)));
    let Some((mut dump, v6)) = dump else { return ask(reader, false) };
    match reader.next(&mut dump)? {
        DumpStep::Some(messages) => {
            for message in messages {
                if let RouteNetlinkMessage::NewRoute(message) = message {
                    search.see(&message, *mark, &worker.links);
                }
            }
            Ok(Some((dump, v6)))
        }
        // What changes under way is heard of by the watch.
        DumpStep::End { .. } if v6 => Ok(None),
        DumpStep::End { .. } => ask(reader, true),
    }
}

impl Errand {
    #[expect(clippy::unnecessary_wraps, reason = "stands beside the endings, which leave nothing")]
    fn again(self, task: Task) -> Option<Job> {
        Some(Job { errand: self, task })
    }

    fn finish(mut self) -> Option<Job> {
        self.report.took = self.taken.elapsed();
        if let Some(answer) = self.answer {
            // Whoever asked may have gone; the kernel is as wanted all the same.
            let _ = answer.send(Ok(self.report));
        }
        None
    }

    fn fail(self, source: io::Error) -> Option<Job> {
        if let Some(answer) = self.answer {
            let _ = answer.send(Err(RequestError::Io { doing: "read the addresses and routes", source }));
        }
        None
    }

    fn fail_compare(self, worker: &mut Worker, cause: CompareCause, error: io::Error) -> Option<Job> {
        worker.outlet.tell(KernelEvent::CompareFailed { cause, error: error.to_string() });
        worker.compared();
        self.fail(error)
    }
}

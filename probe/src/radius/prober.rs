//! One server: when it is asked, and what its silence means.
//!
//! A round begins each `probe_interval`: a request, repeated each `retry_interval` until one is answered, `max_retries`
//! times. Each repeat is a request of its own, with its own identifier and authenticator (RFC 5997 section 4.2 wants that
//! of Status-Server), so an answer tells which one it is to. Nobody answered in a whole round: Down; from then on a round
//! is one request. Any proved answer in time: Up.
//!
//! Identifiers go round, so none is used again before 255 others.

use std::collections::VecDeque;
use std::time::Duration;

use super::packet::{AnswerCode, Bad, Nas, Question, Request, Requirement, decode, encode};
use crate::types::{Secret, Standing, State, Time, span};

/// Requests that are remembered after their time, to tell a late answer from a forged one.
const REMEMBERED: usize = 32;

/// How a server is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is asked.
    pub question: Question,
    /// Who asks.
    pub nas: Nas,
    /// Shared with the server.
    pub secret: Secret,
    /// From one round to the next; not zero.
    pub probe_interval: Duration,
    /// How long an answer may take; not zero.
    pub retry_interval: Duration,
    /// Repeats of a request that is not answered, before the server is Down.
    pub max_retries: u16,
    /// Whether answers without a Message-Authenticator are none.
    pub require_message_authenticator: Requirement,
}

/// What happened since the prober was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests, repeats among them.
    pub sent: u64,
    /// Access-Accept.
    pub accepts: u64,
    /// Access-Reject.
    pub rejects: u64,
    /// Access-Challenge.
    pub challenges: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Times that the server became Down.
    pub downs: u64,
    /// What was ignored, in the order of [`Bad::NAMES`].
    pub bad: [u64; Bad::NAMES.len()],
}

impl Counters {
    /// Answers that counted.
    pub const fn answered(&self) -> u64 {
        self.accepts + self.rejects + self.challenges
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Not probed.
    Stopped,
    /// The next round begins then.
    Resting { until: Time },
    /// A request is out.
    Asking { began: Time, sent: Time, request: Request, expired: u32 },
}

/// One server.
#[derive(Clone, Debug)]
pub struct Prober {
    settings: Settings,
    phase: Phase,
    next_identifier: u8,
    /// Requests whose time is over, the newest last.
    expired: VecDeque<Request>,
    standing: Standing,
    counters: Counters,
    /// Requests in a row without an answer.
    failures: u32,
    round_trip: Option<Duration>,
    /// An answer of the server had a Message-Authenticator, since the last reset.
    signs: bool,
    /// What was last wrong, since the last answer: a reason beside mere silence.
    trouble: Option<String>,
    changed: bool,
}

impl Prober {
    /// A server that is not probed yet.
    pub fn new(settings: Settings, first_identifier: u8) -> Self {
        Self {
            settings,
            phase: Phase::Stopped,
            next_identifier: first_identifier,
            expired: VecDeque::new(),
            standing: Standing { reason: "not probed yet".into(), ..Standing::default() },
            counters: Counters::default(),
            failures: 0,
            round_trip: None,
            signs: false,
            trouble: None,
            changed: false,
        }
    }

    /// Probes from now on; the first request is due at once. What was known before is forgotten.
    pub fn start(&mut self, now: Time) {
        self.phase = Phase::Resting { until: now };
        self.forget();
        self.become_(now, State::Unknown, "first request not answered yet".into());
    }

    /// Probes no more: the state is Unknown.
    pub fn stop(&mut self, now: Time, reason: &str) {
        self.phase = Phase::Stopped;
        self.forget();
        self.become_(now, State::Unknown, reason.to_owned());
    }

    /// Failures are counted from 0 again, and the server is asked at once, as if it had just been configured.
    pub fn reset(&mut self, now: Time) {
        self.signs = false;
        if self.phase != Phase::Stopped {
            self.start(now);
        }
    }

    /// When [`handle_deadline`](Self::handle_deadline) is wanted next; `None` while stopped.
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.phase {
            Phase::Stopped => None,
            Phase::Resting { until } => Some(*until),
            Phase::Asking { sent, .. } => Some(*sent + self.settings.retry_interval),
        }
    }

    /// The time has come; returns the request to send, if one is due. `authenticator` is used for it, and has to be
    /// unpredictable and new.
    pub fn handle_deadline(&mut self, now: Time, authenticator: [u8; 16]) -> Option<Vec<u8>> {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let (began, expired) = match self.phase {
            Phase::Stopped => return None,
            Phase::Resting { .. } => (now, 0),
            Phase::Asking { began, request, expired, .. } => {
                self.expire(request);
                let expired = expired + 1;
                let is_over =
                    self.standing.state == State::Down || expired > self.settings.max_retries.into();
                if is_over {
                    self.fail(now);
                    let next = (began + self.settings.probe_interval).max(now);
                    self.phase = Phase::Resting { until: next };
                    if now < next {
                        return None;
                    }
                    (now, 0)
                } else {
                    (began, expired)
                }
            }
        };
        let request = Request { identifier: self.next_identifier, authenticator };
        self.next_identifier = self.next_identifier.wrapping_add(1);
        // An identifier that comes round again means the new request.
        self.expired.retain(|old| old.identifier != request.identifier);
        self.phase = Phase::Asking { began, sent: now, request, expired };
        self.counters.sent += 1;
        let settings = &self.settings;
        Some(encode(&request, &settings.question, &settings.nas, &settings.secret))
    }

    /// A datagram from the server's address and port.
    pub fn receive(&mut self, now: Time, datagram: &[u8]) -> Result<AnswerCode, Bad> {
        let result = self.judge(now, datagram);
        if let Err(bad) = &result {
            self.counters.bad[bad.index()] += 1;
            self.trouble = Some(bad.to_string());
        }
        result
    }

    /// The system could not send, or has heard that nobody receives (port unreachable): a reason, not a verdict.
    pub fn trouble(&mut self, what: String) {
        self.trouble = Some(what);
    }

    /// What is known of the server.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether the standing has changed since this was asked last.
    pub const fn take_change(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Requests in a row that were not answered.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Of the last answer.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn judge(&mut self, now: Time, datagram: &[u8]) -> Result<AnswerCode, Bad> {
        let answer = decode(datagram)?;
        let identifier = answer.identifier();
        let secret = &self.settings.secret;
        let strict = match self.settings.require_message_authenticator {
            Requirement::Auto => self.signs,
            Requirement::Yes => true,
            Requirement::No => false,
        };
        match self.phase {
            Phase::Asking { began, sent, request, .. } if request.identifier == identifier => {
                let code = answer.prove(&request, secret, strict)?;
                self.signs |= answer.has_message_authenticator();
                let round_trip = now.since(sent);
                self.phase = Phase::Resting { until: (began + self.settings.probe_interval).max(now) };
                self.succeed(now, code, round_trip);
                Ok(code)
            }
            Phase::Stopped | Phase::Resting { .. } | Phase::Asking { .. } => {
                let old = self.expired.iter().find(|old| old.identifier == identifier);
                let old = old.ok_or(Bad::Identifier { identifier })?;
                answer.prove(old, secret, strict)?;
                Err(Bad::Late)
            }
        }
    }

    fn succeed(&mut self, now: Time, code: AnswerCode, round_trip: Duration) {
        match code {
            AnswerCode::AccessAccept => self.counters.accepts += 1,
            AnswerCode::AccessReject => self.counters.rejects += 1,
            AnswerCode::AccessChallenge => self.counters.challenges += 1,
        }
        self.failures = 0;
        self.trouble = None;
        self.round_trip = Some(round_trip);
        self.become_(now, State::Up, format!("answers with {code}"));
    }

    fn expire(&mut self, request: Request) {
        self.counters.timeouts += 1;
        self.failures = self.failures.saturating_add(1);
        if self.expired.len() == REMEMBERED {
            self.expired.pop_front();
        }
        self.expired.push_back(request);
    }

    fn fail(&mut self, now: Time) {
        let (failures, within) = (self.failures, span(self.settings.retry_interval));
        let requests = if failures == 1 { "request" } else { "requests" };
        let why = self
            .trouble
            .as_deref()
            .unwrap_or("is it up, does it know the source address as a client, and is the secret the same?");
        let reason = format!("no answer to {failures} {requests} within {within} each: {why}");
        if self.standing.state != State::Down {
            self.counters.downs += 1;
        }
        self.become_(now, State::Down, reason);
    }

    fn forget(&mut self) {
        self.failures = 0;
        self.trouble = None;
        self.round_trip = None;
        self.expired.clear();
    }

    fn become_(&mut self, now: Time, state: State, reason: String) {
        self.changed |= self.standing.become_(now, state, reason);
    }
}

#[cfg(test)]
mod tests;

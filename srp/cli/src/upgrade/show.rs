//! What is said of an upgrade, for people and for programs.

use serde_json::{Value, json};
use upgrade::work::Finding;
use upgrade::{Kind, Outcome, State, Step};

use super::store::By;
use crate::flash::Said;
use crate::render::clean;
use crate::render::table::{Edge, fields, table};
use crate::render::time::wall;

/// What has been printed already by whoever follows.
#[derive(Debug, Default)]
pub struct Told {
    steps: usize,
    begun: Option<usize>,
    waiting: Option<String>,
}

impl Told {
    /// Lines for what is new.
    pub fn news(&mut self, state: &State) -> String {
        let mut lines = Vec::new();
        if self.begun.is_none() {
            lines.push(format!("{}, {} steps", clean(&title(state)), state.steps.len()));
        }
        for done in state.done.iter().skip(self.steps) {
            self.steps += 1;
            let (found, span) = (clean(&done.found), seconds(done.took_ms));
            lines.push(format!("{:>3}. {} ({span}): {found}", self.steps, done.step));
        }
        let next = state
            .next()
            .filter(|_| state.outcome == Outcome::Running && self.begun != Some(state.done.len()));
        if let Some(step) = next {
            lines.push(format!("{:>3}. {step} ...", state.done.len() + 1));
        }
        self.begun = Some(state.done.len());
        if let Some(waiting) =
            state.waiting.as_ref().filter(|waiting| Some(*waiting) != self.waiting.as_ref())
        {
            lines.push(format!("     {}", clean(waiting)));
        }
        self.waiting.clone_from(&state.waiting);
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn title(state: &State) -> String {
    let release = state.release.as_ref().map_or_else(String::new, |release| format!(", release {release}"));
    match state.kind {
        Kind::Upgrade => format!("Upgrade of the pair to {}{release}", state.image),
        Kind::Rollback => format!("Back from {}{release}", state.image),
    }
}

/// How it stands, in a line.
fn standing(state: &State, works: bool) -> String {
    let next = state.next().map_or_else(String::new, |step| {
        format!("step {} of {}, {step}", state.done.len() + 1, state.steps.len())
    });
    match &state.outcome {
        Outcome::Running if works => format!("running, {next}"),
        Outcome::Running => format!("interrupted before {next}: `upgrade resume` goes on"),
        Outcome::Stopped { .. } => {
            format!("stopped before {next}: put it right, then `upgrade resume`; or `upgrade rollback`")
        }
        Outcome::Done => "done".to_owned(),
        Outcome::Aborted => format!("given up before {next}"),
    }
}

/// All that is known of it.
pub fn status(by: By, state: &State, works: bool) -> Said {
    let mut lines = vec![("Upgrade", title(state)), ("State", standing(state, works))];
    lines.extend(state.waiting.iter().map(|waiting| ("Waits", waiting.clone())));
    if let Outcome::Stopped { reasons } = &state.outcome {
        lines.extend(reasons.iter().map(|reason| ("Reason", reason.clone())));
    }
    let who = match by {
        By::Here => "this chassis",
        By::Peer => "the peer",
    };
    lines.push(("Carried out by", who.to_owned()));
    lines.push(("Began", wall(state.began_us)));
    lines.push(("Changed", wall(state.changed_us)));
    let rows: Vec<_> = (0..state.steps.len()).map(|index| row(state, index)).collect();
    let header = [
        ("Step", Edge::Right),
        ("What", Edge::Left),
        ("Where", Edge::Left),
        ("Took", Edge::Right),
        ("Found", Edge::Left),
    ];
    Said {
        text: fields(&lines) + "\n" + &table(&header, &rows),
        json: json_of(by, state, works),
        reasons: Vec::new(),
    }
}

fn row(state: &State, index: usize) -> Vec<String> {
    let number = (index + 1).to_string();
    let cells = |step: Step| [step.act.name().to_owned(), step.side.to_string()];
    match (state.done.get(index), state.steps.get(index)) {
        (Some(done), _) => {
            let [act, side] = cells(done.step);
            vec![number, act, side, seconds(done.took_ms), done.found.clone()]
        }
        (None, Some(step)) => {
            let [act, side] = cells(*step);
            vec![number, act, side, String::new(), String::new()]
        }
        (None, None) => vec![number],
    }
}

fn json_of(by: By, state: &State, works: bool) -> Value {
    // Texts, numbers and lists of them always have a JSON form.
    let mut json = serde_json::to_value(state).unwrap_or_default();
    json["carried_out_by"] = match by {
        By::Here => "here".into(),
        By::Peer => "peer".into(),
    };
    json["works"] = works.into();
    json["next"] = serde_json::to_value(state.next()).unwrap_or_default();
    json
}

/// What is said in the end to whoever followed it.
pub fn ended(by: By, state: &State) -> Said {
    let reasons = match &state.outcome {
        Outcome::Stopped { reasons } => reasons.clone(),
        Outcome::Aborted => vec!["it was given up".to_owned()],
        Outcome::Running | Outcome::Done => Vec::new(),
    };
    let took = seconds(state.changed_us.saturating_sub(state.began_us) / 1000);
    let text = format!("{}: {}, after {took}.\n", clean(&title(state)), clean(&standing(state, false)));
    Said { text, json: json_of(by, state, false), reasons }
}

/// What would be done, what was found beforehand, and what is in the way.
pub fn plan(state: &State, findings: &[Finding], reasons: Vec<String>) -> Said {
    let first = format!("{}, which is Standby", state.first);
    let lines = [("Plan", title(state)), ("First", first), ("Peer", state.peer.clone())];
    let rows = findings.iter().enumerate().map(|(index, finding)| {
        let found = match (&finding.found, finding.doubts.as_slice()) {
            (_, [first, ..]) => format!("IN THE WAY: {first}"),
            (Some(found), []) => found.clone(),
            (None, []) => String::new(),
        };
        vec![
            (index + 1).to_string(),
            finding.step.act.name().to_owned(),
            finding.step.side.to_string(),
            found,
        ]
    });
    let rows: Vec<_> = rows.collect();
    let header =
        [("Step", Edge::Right), ("What", Edge::Left), ("Where", Edge::Left), ("Found now", Edge::Left)];
    let verdict = if reasons.is_empty() {
        "Nothing is in the way; nothing was changed."
    } else {
        "Nothing was changed."
    };
    let steps: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "side": finding.step.side, "act": finding.step.act, "found": finding.found, "doubts": finding.doubts }))
        .collect();
    let json = json!({ "plan": steps, "first": state.first, "image": state.image, "release": state.release, "peer": state.peer, "reasons": reasons });
    Said { text: fields(&lines) + "\n" + &table(&header, &rows) + "\n" + verdict + "\n", json, reasons }
}

//! `updates.txt` as values: one UPDATE a line, with the clause that decides it. The file explains its own form.
//!
//! Used by the tests of the codec (here) and by those of the speaker, which sends the same octets over a socket.

use std::fmt;

/// Which session a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The neighbor is of our own AS.
    pub internal: bool,
    /// The neighbor knows AS numbers of two octets only.
    pub two_octets: bool,
}

/// What the RFC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Announced,
    Discard,
    Withdraw,
    Withdrawn,
    Ignored,
    Reset { code: u8, subcode: u8 },
}

/// One UPDATE on one session.
#[derive(Clone, Debug)]
pub struct Case {
    pub line: usize,
    pub clause: String,
    pub what: String,
    pub session: Session,
    /// The body of the message.
    pub body: Vec<u8>,
    pub outcome: Outcome,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Session { internal, two_octets } = self.session;
        let kind = if internal { "internal" } else { "external" };
        let width = if two_octets { ", two octets" } else { "" };
        write!(f, "updates.txt:{}: RFC {}: {} ({kind}{width})", self.line, self.clause, self.what)
    }
}

/// Every case on every session that it is for.
pub fn all() -> Vec<Case> {
    let lines = include_str!("updates.txt").lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|(index, line)| cases(index + 1, line)).collect()
}

fn cases(line: usize, text: &str) -> Vec<Case> {
    let fields: Vec<_> = text.split('|').map(str::trim).collect();
    let [clause, session, what, withdrawn, attributes, routes, outcome] = *fields else {
        panic!("updates.txt:{line}: seven fields are needed");
    };
    let (kind, two_octets) = session.strip_suffix('2').map_or((session, false), |kind| (kind, true));
    let kinds: &[bool] = match kind {
        "ext" => &[false],
        "int" => &[true],
        "any" => &[false, true],
        other => panic!("updates.txt:{line}: {other} is no session"),
    };
    let case = |internal: &bool| {
        let session = Session { internal: *internal, two_octets };
        Case {
            line,
            clause: clause.to_owned(),
            what: what.to_owned(),
            session,
            body: body(withdrawn, attributes, routes, session),
            outcome: outcome_of(line, outcome),
        }
    };
    kinds.iter().map(case).collect()
}

/// The body of a message with these parts, in the words of the file.
pub fn body(withdrawn: &str, attributes: &str, routes: &str, session: Session) -> Vec<u8> {
    let (withdrawn, attributes) = (octets(withdrawn, session), octets(attributes, session));
    let mut body = length(&withdrawn);
    body.extend(withdrawn);
    body.extend(length(&attributes));
    body.extend(attributes);
    body.extend(octets(routes, session));
    body
}

fn length(octets: &[u8]) -> Vec<u8> {
    u16::try_from(octets.len()).expect("a case is short").to_be_bytes().to_vec()
}

fn outcome_of(line: usize, text: &str) -> Outcome {
    match text {
        "announced" => Outcome::Announced,
        "discard" => Outcome::Discard,
        "withdraw" => Outcome::Withdraw,
        "withdrawn" => Outcome::Withdrawn,
        "ignored" => Outcome::Ignored,
        other => {
            let numbers = other.strip_prefix("reset ").and_then(|numbers| numbers.split_once('/'));
            let (code, subcode) =
                numbers.unwrap_or_else(|| panic!("updates.txt:{line}: {other} is no outcome"));
            Outcome::Reset { code: code.parse().unwrap(), subcode: subcode.parse().unwrap() }
        }
    }
}

/// The AS of the scripted neighbor: 65001 outside, 65000 (our own) inside.
fn octets(text: &str, session: Session) -> Vec<u8> {
    text.split_whitespace().flat_map(|word| word_octets(word, session)).collect()
}

fn word_octets(word: &str, session: Session) -> Vec<u8> {
    let as_path = match (session.internal, session.two_octets) {
        (true, _) => "400200",
        (false, true) => "4002040201fde9",
        (false, false) => "40020602010000fde9",
    };
    let local_pref = if session.internal { "40050400000064" } else { "" };
    match word {
        "-" => Vec::new(),
        "ORIGIN" => hex("40010100"),
        "AS_PATH" => hex(as_path),
        "NEXT_HOP" => hex("400304c0000202"),
        "LOCAL_PREF" => hex(local_pref),
        "GOOD" => hex(&["40010100", as_path, "400304c0000202", local_pref].concat()),
        "MP_REACH" => hex("800e1e000201102001 0db80000000000000000000000020040 20010db800010000"),
        "MP_UNREACH" => hex("800f0c000201 40 20010db800010000"),
        "R" => hex("18c63364"),
        repeated if repeated.starts_with('x') => {
            let (count, octet) = repeated[1..].split_once('*').expect("xCOUNT*OCTET");
            hex(octet).repeat(count.parse().expect("a count"))
        }
        octets => hex(octets),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "{text} is half an octet");
    let octet =
        |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("hexadecimal");
    digits.chunks(2).map(octet).collect()
}

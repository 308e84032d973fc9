//! Which mode each line stands in.
//!
//! A mode ends with `exit` or `#exit`, all of them with `end`. Of a mode that is not known here every line is left out:
//! that it is one shows by its lines being further in, or by its name. A line that no mode around it knows is left out
//! alone.

use super::found::{Context, Found, Port, set};
use super::lines::Line;
use super::{Kind, Note, bulk, context, srp};

/// What the lines come to, and what is to be said of them.
pub fn walk(lines: &[Line]) -> (Found, Vec<Note>) {
    let mut walk = Walk { found: Found::default(), notes: Vec::new(), modes: Vec::new() };
    for (index, line) in lines.iter().enumerate() {
        walk.take(line, lines.get(index + 1));
    }
    (walk.found, walk.notes)
}

/// A mode, from `config` inwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `context NAME`.
    Context(usize),
    /// `interface NAME` of a context.
    Interface(usize, usize),
    /// `service-redundancy-protocol`.
    Srp,
    /// `router bgp`.
    Bgp(usize),
    /// `address-family` of it: the same commands.
    BgpFamily(usize),
    /// `port ethernet`.
    Port(usize),
    /// `bulkstat mode`.
    Bulk,
    /// Not known here.
    Unknown,
}

/// What a mode makes of a line.
pub(super) enum Taken {
    /// It has its effect.
    Yes,
    /// It has its effect, and opens a mode.
    Opens(Mode),
    /// It has its effect, and something is to be known of it.
    Check(String),
    /// It has none.
    No(String),
    /// It is no command of this mode.
    Unknown,
}

struct Walk {
    found: Found,
    notes: Vec<Note>,
    modes: Vec<Mode>,
}

impl Walk {
    fn take(&mut self, line: &Line, next: Option<&Line>) {
        match line.keyword(0).as_str() {
            "exit" | "#exit" => drop(self.modes.pop()),
            "end" | "config" | "configure" => self.modes.clear(),
            _command => self.command(line, next),
        }
    }

    fn command(&mut self, line: &Line, next: Option<&Line>) {
        // A text that is written by hand may leave out `exit`: the innermost mode that knows the line takes it.
        let depth = self.modes.len();
        for around in (0..=depth).rev() {
            let mode = around.checked_sub(1).and_then(|inner| self.modes.get(inner)).copied();
            if mode == Some(Mode::Unknown) {
                break;
            }
            let taken = match mode {
                None => self.of_config(line),
                Some(Mode::Context(at)) => self.of_context(at, line),
                Some(Mode::Interface(at, of)) => {
                    context::interface(&mut self.found.contexts[at].interfaces[of], line)
                }
                Some(Mode::Bgp(at) | Mode::BgpFamily(at)) => {
                    context::bgp(&mut self.found.contexts[at], at, line)
                }
                Some(Mode::Srp) => srp::line(&mut self.found, line),
                Some(Mode::Port(at)) => port(&mut self.found.ports[at], line),
                Some(Mode::Bulk) => bulk::line(self.found.bulk.get_or_insert_default(), line),
                Some(Mode::Unknown) => Taken::Unknown,
            };
            let (note, opens) = match taken {
                Taken::Unknown => continue,
                Taken::Yes => (None, None),
                Taken::Opens(mode) => (None, Some(mode)),
                Taken::Check(why) => (Some((Kind::ToCheck, why)), None),
                Taken::No(why) => {
                    (Some((Kind::LeftOut, why)), opens_mode(line, next).then_some(Mode::Unknown))
                }
            };
            self.modes.truncate(around);
            self.modes.extend(opens);
            self.notes.extend(note.map(|(kind, why)| said(line, kind, why)));
            return;
        }
        let why = if self.modes.contains(&Mode::Unknown) {
            "part of a mode that srpd does not have"
        } else {
            "srpd has nothing of the kind"
        };
        self.notes.push(said(line, Kind::LeftOut, why.to_owned()));
        if opens_mode(line, next) {
            self.modes.push(Mode::Unknown);
        }
    }

    fn of_config(&mut self, line: &Line) -> Taken {
        match (line.keyword(0).as_str(), line.words.get(1)) {
            ("context", Some(name)) => {
                let named = self.found.contexts.iter().position(|context| context.name == *name);
                let at = named.unwrap_or_else(|| {
                    self.found.contexts.push(Context { name: name.clone(), ..Context::default() });
                    self.found.contexts.len() - 1
                });
                Taken::Opens(Mode::Context(at))
            }
            ("port", Some(_)) if line.keyword(1) == "ethernet" && line.words.len() > 2 => {
                self.found.ports.push(Port {
                    line: line.number,
                    number: line.words[2].clone(),
                    ..Port::default()
                });
                Taken::Opens(Mode::Port(self.found.ports.len() - 1))
            }
            ("bulkstat" | "bulkstats", _) if line.keyword(1) == "mode" => {
                self.found.bulk.get_or_insert_default().line = line.number;
                Taken::Opens(Mode::Bulk)
            }
            ("no", _) if line.keyword(1).starts_with("bulkstat") => {
                self.found.bulk = None;
                Taken::Yes
            }
            ("bulkstat" | "bulkstats", _) => Taken::No("files are written where bulkstat mode is".into()),
            ("require", _) => Taken::No("what follows the audit of sessions comes with the sessions".into()),
            ("license" | "hostname" | "boot" | "system" | "clock", _) => {
                Taken::No("of the machine, not of its redundancy".into())
            }
            ("busyout", _) => context::busyout(&mut self.found.contexts, line),
            _other => Taken::Unknown,
        }
    }

    fn of_context(&mut self, at: usize, line: &Line) -> Taken {
        match (line.keyword(0).as_str(), line.keyword(1).as_str()) {
            ("service-redundancy-protocol", _) => {
                let context = self.found.contexts[at].name.clone();
                let known = self.found.srp.get_or_insert_default();
                known.context = context;
                Taken::Opens(Mode::Srp)
            }
            ("no", "service-redundancy-protocol") => {
                self.found.srp = None;
                Taken::Yes
            }
            ("busyout", _) => context::busyout(&mut self.found.contexts, line),
            _other => context::line(&mut self.found.contexts[at], at, line),
        }
    }
}

fn said(line: &Line, kind: Kind, why: String) -> Note {
    Note { line: line.number, text: line.text.clone(), kind, why }
}

/// Whether a line that is not known begins a mode, which ends with an `exit` of its own.
fn opens_mode(line: &Line, next: Option<&Line>) -> bool {
    let first = line.keyword(0);
    let named = first.ends_with("-service")
        || matches!(first.as_str(), "apn" | "subscriber" | "bulkstat" | "operator-policy" | "route-map")
        || matches!(
            (first.as_str(), line.keyword(1).as_str()),
            ("aaa", "group") | ("ip" | "ipv6", "access-list")
        );
    next.is_some_and(|next| next.indent > line.indent) || named && first != "no" && first != "default"
}

fn port(port: &mut Port, line: &Line) -> Taken {
    let words = &line.words;
    match (line.keyword(0).as_str(), line.keyword(1).as_str()) {
        ("description", _) if words.len() > 1 => port.description = Some(words[1..].join(" ")),
        ("medium", "auto") => port.medium = vec![("speed", "\"auto\"".into())],
        ("medium", "speed") => {
            let speed = words.get(2).filter(|speed| matches!(speed.as_str(), "10" | "100" | "1000"));
            let (Some(speed), duplex) = (speed, line.keyword(4)) else {
                return Taken::No("a speed that is not 10, 100 or 1000".into());
            };
            set(&mut port.medium, "speed", format!("\"{speed}\""));
            if line.keyword(3) == "duplex" {
                if !matches!(duplex.as_str(), "full" | "half") {
                    return Taken::No("duplex is full or half".into());
                }
                set(&mut port.medium, "duplex", format!("\"{duplex}\""));
            }
        }
        ("no" | "default", "medium") => port.medium.clear(),
        ("no", "description") => port.description = None,
        ("shutdown", _) => port.is_up = false,
        ("no", "shutdown") => port.is_up = true,
        ("bind", "interface") if words.len() > 3 => port.bound = Some((words[2].clone(), words[3].clone())),
        ("no", "bind") => port.bound = None,
        _other => return Taken::Unknown,
    }
    Taken::Yes
}

//! `service-redundancy-protocol`: the pair.

use std::net::IpAddr;

use super::found::{Found, Monitor, Srp, set};
use super::lines::Line;
use super::walk::Taken;

/// Commands with one value that is a key of `[srp]`: the words, the key, and how the value is written.
const VALUES: &[(&[&str], &str, Form)] = &[
    (&["bind", "address"], "bind-address", Form::Address),
    (&["chassis-mode"], "chassis-mode", Form::Word),
    (&["priority"], "priority", Form::Number),
    (&["peer-ip-address"], "peer-ip-address", Form::Address),
    (&["hello-interval"], "hello-interval", Form::Seconds),
    (&["dead-interval"], "dead-interval", Form::Seconds),
    (&["delay-interval"], "delay-interval", Form::Seconds),
    (&["configuration-interval"], "configuration-interval", Form::Seconds),
    (&["route-modifier", "threshold"], "route-modifier-threshold", Form::Number),
    (&["delta-route-modifier"], "delta-route-modifier", Form::Number),
    (&["dscp-marking", "control"], "dscp-control", Form::Word),
    (&["num-internal-switchover-retry"], "num-internal-switchover-retry", Form::Number),
    (&["internal-switchover-retry-interval"], "internal-switchover-retry-interval", Form::Seconds),
    (&["advertise-routes-in-standby-state"], "advertise-routes-in-standby-state", Form::Flag),
    (&["bfd-mon-ignore-dead-interval"], "bfd-mon-ignore-dead-interval", Form::Flag),
];

/// The groups of `guard-timer`: their words, and the table here.
const GUARDS: &[(&[&str], &str)] = &[
    (&["aaa-switchover-timers"], "aaa-switchover-timers"),
    (&["diameter-switchover-timers"], "diameter-switchover-timers"),
    (&["srp-redundancy-timers", "aaa"], "srp-redundancy-timers.aaa"),
    (&["srp-redundancy-timers", "bgp"], "srp-redundancy-timers.bgp"),
    (&["srp-redundancy-timers", "diam"], "srp-redundancy-timers.diam"),
];

/// How a value is written in our file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Address,
    Number,
    Seconds,
    Word,
    Flag,
}

/// Beginnings of commands that have no key here, and why.
const WITHOUT: &[(&[&str], &str)] = &[
    (&["checkpoint"], "checkpoints of sessions come with the sessions"),
    (&["switchover"], "what flows during a switchover is decided with the checkpoints of sessions"),
    (&["standby", "database-recovery"], "checkpoints of sessions come with the sessions"),
    (&["audit"], "the audit of sessions comes with the sessions"),
    (
        &["monitor", "authentication-probe"],
        "its syntax is not public: write the monitor by hand, see docs/configuration.md",
    ),
    (
        &["monitor", "diameter"],
        "its syntax is not public: write the monitor by hand, see docs/configuration.md",
    ),
    (&["monitor", "bfd"], "its syntax is not public: write [[srp.bfd]] or [[srp.monitor.bfd]] by hand"),
    (&["monitor", "hsrp"], "there is no HSRP here"),
    (&["dscp-marking", "session"], "session connections come with the checkpoints"),
    (&["handle-interim-resource-msg"], "there is no such message here"),
];

/// One line of the mode.
pub fn line(found: &mut Found, line: &Line) -> Taken {
    let first = line.keyword(0);
    let undoes = matches!(first.as_str(), "no" | "default");
    let from = usize::from(undoes);
    let begins = |words: &[&str]| words.iter().enumerate().all(|(at, word)| line.keyword(from + at) == *word);
    let Some(srp) = &mut found.srp else { return Taken::Unknown };
    if let Some((words, key, form)) = VALUES.iter().find(|(words, ..)| begins(words)) {
        if undoes {
            srp.keys.retain(|(name, _)| name != key);
            return Taken::Yes;
        }
        let Some(value) = written(*form, line.words.get(words.len())) else {
            return Taken::No("its value is not understood".into());
        };
        set(&mut srp.keys, key, value);
        return match form {
            Form::Flag if line.words.len() > words.len() => {
                Taken::Check("taken without its options, for which there are no keys".into())
            }
            Form::Address | Form::Number | Form::Seconds | Form::Word | Form::Flag => Taken::Yes,
        };
    }
    if begins(&["guard-timer"]) {
        return guard_timer(srp, line, from, undoes);
    }
    if begins(&["monitor", "bgp", "context"]) {
        let words = &line.words[from..];
        let (Some(context), Some(address)) =
            (words.get(3), words.get(4).and_then(|text| text.parse::<IpAddr>().ok()))
        else {
            return Taken::No("context and address are not understood".into());
        };
        let same = |monitor: &Monitor| monitor.context == *context && monitor.address == address;
        srp.monitors.retain(|monitor| !same(monitor));
        if !undoes {
            let group = words.get(6).and_then(|number| number.parse().ok());
            let context = context.clone();
            srp.monitors.push(Monitor { line: line.number, context, address, group });
        }
        return Taken::Yes;
    }
    match WITHOUT.iter().find(|(words, _)| begins(words)) {
        // What would be undone was never done.
        Some(_) if undoes => Taken::Yes,
        Some((_, why)) => Taken::No((*why).to_owned()),
        None => Taken::Unknown,
    }
}

/// `guard-timer GROUP { damping-period | guard-period } SECONDS`.
fn guard_timer(srp: &mut Srp, line: &Line, from: usize, undoes: bool) -> Taken {
    let at = |index: usize| line.keyword(from + 1 + index);
    let is_it =
        |(words, _): &&(&[&str], &str)| words.iter().enumerate().all(|(index, word)| at(index) == *word);
    let Some((words, table)) = GUARDS.iter().find(is_it) else {
        return Taken::No("its group is not understood".into());
    };
    let key = match at(words.len()).as_str() {
        "damping-period" => "damping-period",
        "guard-period" => "guard-period",
        _ => return Taken::No("neither damping-period nor guard-period".into()),
    };
    let keys = srp.guards.entry(table).or_default();
    if undoes {
        keys.retain(|(name, _)| *name != key);
        return Taken::Yes;
    }
    match written(Form::Seconds, line.words.get(from + words.len() + 2)) {
        Some(value) => {
            set(keys, key, value);
            Taken::Yes
        }
        None => Taken::No("its value is not understood".into()),
    }
}

fn written(form: Form, value: Option<&String>) -> Option<String> {
    match form {
        Form::Flag => Some("true".to_owned()),
        Form::Address => value?.parse::<IpAddr>().ok().map(|address| format!("\"{address}\"")),
        Form::Number => value?.parse::<u32>().ok().map(|number| number.to_string()),
        Form::Seconds => value?.parse::<u32>().ok().map(|seconds| format!("\"{seconds}s\"")),
        Form::Word => value
            .filter(|word| word.chars().all(|c| c.is_ascii_alphanumeric()))
            .map(|word| format!("\"{}\"", word.to_ascii_lowercase())),
    }
}

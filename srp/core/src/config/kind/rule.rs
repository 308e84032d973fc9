//! Rules of import and export: one line of words each.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};

use ipnetwork::IpNetwork;
use toml::de::DeValue;

use super::address::{longest, prefix};
use super::{Kind, text};
use crate::config::fault::Fault;
use crate::config::model::{Community, PolicyRule};

const EXAMPLE: &str = "\"10.0.0.0/8 ge 16 le 24\" or \"any community 65001:1 set preference 200\"";
const MALFORMED: Fault = Fault::Malformed { what: "a rule", example: EXAMPLE };

/// `[reject] PREFIX [ge N] [le N] ... [set ...]`: the page of the configuration has all of its words.
pub(in crate::config) struct Rule;

impl Kind for Rule {
    type Value = PolicyRule;

    fn wanted(&self) -> String {
        "`[reject] PREFIX [ge N] [le N] [CONDITION ...] [set CHANGE ...]`".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<PolicyRule, Fault> {
        let mut words = text(self, value, "\"10.0.0.0/8 le 24\"")?.split_whitespace();
        let mut rule = PolicyRule::default();
        let mut word = words.next().ok_or(MALFORMED)?;
        if word == "reject" {
            rule.reject = true;
            word = words.next().ok_or(MALFORMED)?;
        }
        rule.prefix = if word == "any" { None } else { Some(prefix(word)?) };
        let mut bounds = (None, None);
        while let Some(word) = words.next() {
            match word {
                "ge" => put(&mut bounds.0, next(&mut words)?)?,
                "le" => put(&mut bounds.1, next(&mut words)?)?,
                "community" => rule.communities.push(next(&mut words)?),
                "path-length" => put(&mut rule.path_length, range(next_word(&mut words)?)?)?,
                "from-as" => rule.from_as.push(next(&mut words)?),
                "via" => rule.via.push(prefix(next_word(&mut words)?)?),
                "set" if !rule.reject => {
                    changes(&mut rule, &mut words)?;
                }
                _ => return Err(MALFORMED),
            }
        }
        bound(&mut rule, bounds)?;
        Ok(rule)
    }

    fn write(&self, value: &PolicyRule) -> String {
        format!("\"{value}\"")
    }
}

fn bound(rule: &mut PolicyRule, (lowest, highest): (Option<u8>, Option<u8>)) -> Result<(), Fault> {
    let Some(prefix) = rule.prefix else {
        return if lowest.is_none() && highest.is_none() { Ok(()) } else { Err(MALFORMED) };
    };
    let (length, longest) = (prefix.prefix(), longest(prefix));
    let ge = lowest.unwrap_or(length);
    let le = highest.unwrap_or(if lowest.is_some() { longest } else { length });
    if length <= ge && ge <= le && le <= longest {
        (rule.ge, rule.le) = (ge, le);
        Ok(())
    } else {
        Err(Fault::Bounds { length, ge, le, longest })
    }
}

/// Everything behind `set`, at least one change.
fn changes(rule: &mut PolicyRule, words: &mut SplitWhitespace<'_>) -> Result<(), Fault> {
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        match word {
            "preference" => put(&mut rule.preference, next(words)?)?,
            "med" => put(&mut rule.med, next(words)?)?,
            "add" => rule.add.push(next(words)?),
            "remove" => rule.remove.push(next(words)?),
            "prepend" => {
                let count: u8 = next(words)?;
                put(
                    &mut rule.prepend,
                    Some(count).filter(|count| (1..=32).contains(count)).ok_or(MALFORMED)?,
                )?;
            }
            "next-hop" => put(&mut rule.next_hop, next(words)?)?,
            _ => return Err(MALFORMED),
        }
    }
    if any { Ok(()) } else { Err(MALFORMED) }
}

/// A word that may stand once.
fn put<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    if slot.replace(value).is_some() { Err(MALFORMED) } else { Ok(()) }
}

fn next_word<'a>(words: &mut SplitWhitespace<'a>) -> Result<&'a str, Fault> {
    words.next().ok_or(MALFORMED)
}

fn next<T: FromStr>(words: &mut SplitWhitespace<'_>) -> Result<T, Fault> {
    next_word(words)?.parse().map_err(|_| MALFORMED)
}

fn range(text: &str) -> Result<(u32, u32), Fault> {
    let (least, most) = text.split_once("..").ok_or(MALFORMED)?;
    match (least.parse(), most.parse()) {
        (Ok(least), Ok(most)) if least <= most => Ok((least, most)),
        (_, _) => Err(MALFORMED),
    }
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reject { "reject " } else { "" })?;
        match self.prefix {
            None => f.write_str("any")?,
            Some(prefix) => {
                let (length, ge, le) = (prefix.prefix(), self.ge, self.le);
                match (ge == length, le == length) {
                    (true, true) => write!(f, "{prefix}")?,
                    (true, false) => write!(f, "{prefix} le {le}")?,
                    (false, _) if le == longest(prefix) => write!(f, "{prefix} ge {ge}")?,
                    (false, _) => write!(f, "{prefix} ge {ge} le {le}")?,
                }
            }
        }
        each(f, "community", &self.communities)?;
        if let Some((least, most)) = self.path_length {
            write!(f, " path-length {least}..{most}")?;
        }
        each(f, "from-as", &self.from_as)?;
        each(f, "via", &self.via)?;
        if !self.changes_something() {
            return Ok(());
        }
        f.write_str(" set")?;
        each(f, "preference", self.preference.as_slice())?;
        each(f, "med", self.med.as_slice())?;
        each(f, "remove", &self.remove)?;
        each(f, "add", &self.add)?;
        each(f, "prepend", self.prepend.as_slice())?;
        each(f, "next-hop", self.next_hop.as_slice())
    }
}

fn each<T: fmt::Display>(f: &mut fmt::Formatter<'_>, word: &str, values: &[T]) -> fmt::Result {
    values.iter().try_for_each(|value| write!(f, " {word} {value}"))
}

/// Well-known communities by name (RFC 1997, 7999, 8326, 9494).
const NAMES: [(&str, u32); 7] = [
    ("graceful-shutdown", 0xffff_0000),
    ("llgr-stale", 0xffff_0006),
    ("no-llgr", 0xffff_0007),
    ("blackhole", 0xffff_029a),
    ("no-export", 0xffff_ff01),
    ("no-advertise", 0xffff_ff02),
    ("no-export-subconfed", 0xffff_ff03),
];

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Standard(number) => match NAMES.iter().find(|(_, known)| *known == number) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{}:{}", number >> 16, number & 0xffff),
            },
            Self::Large([global, one, two]) => write!(f, "{global}:{one}:{two}"),
        }
    }
}

impl FromStr for Community {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        if let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Standard(*number));
        }
        let numbers: Option<Vec<u32>> = text.split(':').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[high, low]) if high <= 0xffff && low <= 0xffff => Ok(Self::Standard(high << 16 | low)),
            Some(&[global, one, two]) => Ok(Self::Large([global, one, two])),
            Some(_) | None => Err(MALFORMED),
        }
    }
}

impl PolicyRule {
    /// Whether it is more than a filter.
    fn changes_something(&self) -> bool {
        self.preference.is_some()
            || self.med.is_some()
            || !self.remove.is_empty()
            || !self.add.is_empty()
            || self.prepend.is_some()
            || self.next_hop.is_some()
    }

    /// Whether every route that `later` matches is matched by this rule, so that `later` behind it never decides.
    pub(in crate::config) fn hides(&self, later: &Self) -> bool {
        let prefixes = match (self.prefix, later.prefix) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(outer), Some(inner)) => covers(outer, inner) && self.ge <= later.ge && later.le <= self.le,
        };
        let lengths = match (self.path_length, later.path_length) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((least, most)), Some((later_least, later_most))) => {
                least <= later_least && later_most <= most
            }
        };
        prefixes
            && lengths
            && self.communities.iter().all(|community| later.communities.contains(community))
            && any_of(&self.from_as, &later.from_as)
            && any_of(&self.via, &later.via)
    }
}

/// Whether one of `later` is always one of `earlier`; an empty list takes everything.
fn any_of<T: PartialEq>(earlier: &[T], later: &[T]) -> bool {
    earlier.is_empty() || (!later.is_empty() && later.iter().all(|value| earlier.contains(value)))
}

fn covers(outer: IpNetwork, inner: IpNetwork) -> bool {
    outer.is_ipv4() == inner.is_ipv4() && outer.prefix() <= inner.prefix() && outer.contains(inner.network())
}

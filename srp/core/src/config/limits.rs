//! `maximum-prefixes` and its relatives of `[[context.bgp.neighbor]]`: how many routes a neighbour may announce, and is
//! told.

use std::fmt;

use super::fault::Fault;
use super::kind::{Choice, Duration, Integer, word};
use super::reader::{Reported, Section};
use crate::types::Span;

/// How many routes a neighbour may announce, and is told. Of each family by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixLimits {
    /// The most routes that it may announce, before policy; no limit if none.
    pub most: Option<u32>,
    /// The most IPv6 routes, where that is another number.
    pub most_ipv6: Option<u32>,
    /// 1 ..= 100; default 75: the percentage of the limit beyond which a warning is due.
    pub warning: u8,
    /// What happens beyond the limit.
    pub action: LimitAction,
    /// After how long a session that ended for it is tried again; only by `clear ip bgp` if none.
    pub restart: Option<Span>,
    /// The most routes that it is told; no limit if none.
    pub out: Option<u32>,
}

impl Default for PrefixLimits {
    fn default() -> Self {
        Self { most: None, most_ipv6: None, warning: 75, action: LimitAction::End, restart: None, out: None }
    }
}

/// What happens when a neighbour announces more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// A line in the log.
    Warn,
    /// The session ends.
    End,
}

impl LimitAction {
    /// Each with its word in the configuration.
    pub const WORDS: &'static [(&'static str, Self)] = &[("warn", Self::Warn), ("end", Self::End)];
}

impl fmt::Display for LimitAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

pub(super) fn read(s: &Section<'_, '_>) -> Result<PrefixLimits, Reported> {
    let usual = PrefixLimits::default();
    let number = Integer::<u32>::new(1, u32::MAX);
    let most = s.optional("maximum-prefixes", &number);
    let most_ipv6 = s.optional("maximum-prefixes-ipv6", &number);
    let warning = s.or("maximum-prefixes-warning", &Integer::<u8>::new(1, 100), usual.warning);
    let action = s.or("maximum-prefixes-action", &Choice(LimitAction::WORDS), usual.action);
    let restart =
        s.optional("maximum-prefixes-restart", &Duration { min: Span::secs(1), max: Span::secs(86_400) });
    let out = s.optional("maximum-prefixes-out", &number);
    let (most, most_ipv6, warning) = (most?, most_ipv6?, warning?);
    let (action, restart, out) = (action?, restart?, out?);
    if let Some(restart) = &restart {
        let needs = if most.is_none() && most_ipv6.is_none() {
            Some("maximum-prefixes")
        } else if action.value == LimitAction::Warn {
            Some("maximum-prefixes-action = \"end\"")
        } else {
            None
        };
        if let Some(needs) = needs {
            return Err(s.report(&restart.at, Fault::WithoutEffect { needs }));
        }
    }
    Ok(PrefixLimits {
        most: most.map(|most| most.value),
        most_ipv6: most_ipv6.map(|most| most.value),
        warning: warning.value,
        action: action.value,
        restart: restart.map(|restart| restart.value),
        out: out.map(|out| out.value),
    })
}

//! Import policy: which prefixes of a neighbour may be used. Whatever no rule names is refused.
//!
//! RFC 8212 section 2: without a policy nothing is accepted from an external neighbour. Here that holds for internal
//! neighbours too: a gateway learns what its configuration asks for and nothing else. A refused route stays in the
//! Adj-RIB-In, so that a later policy can take it up without asking the neighbour again.

use crate::prefix::Prefix;

/// One rule: the prefixes inside `within` whose length lies in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportRule {
    within: Prefix,
    at_least: u8,
    at_most: u8,
    /// What happens to a prefix that the rule matches.
    pub verdict: Verdict,
}

/// What a rule does with the prefixes that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The route may be used.
    Accept,
    /// The route is kept aside.
    Reject,
}

/// Why a rule makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// The range lies outside of what the prefix allows.
    #[error("rule {within} ge {at_least} le {at_most}: needs {own} <= ge <= le <= {limit}")]
    Range {
        /// The prefix of the rule.
        within: Prefix,
        /// Its own length.
        own: u8,
        /// The shortest length asked for.
        at_least: u8,
        /// The longest length asked for.
        at_most: u8,
        /// The longest length of the family.
        limit: u8,
    },
}

impl ImportRule {
    /// Accepts exactly this prefix.
    pub fn exact(prefix: Prefix) -> Self {
        Self { within: prefix, at_least: prefix.length(), at_most: prefix.length(), verdict: Verdict::Accept }
    }

    /// Matches prefixes inside `within`, with `ge` and `le` as routers have them: neither given means exactly
    /// `within`; `ge` alone means up to the longest length; `le` alone means from `within`'s own length.
    pub fn new(within: Prefix, ge: Option<u8>, le: Option<u8>, verdict: Verdict) -> Result<Self, BadRule> {
        let own = within.length();
        let limit = match within {
            Prefix::V4(_) => 32,
            Prefix::V6(_) => 128,
        };
        let at_least = ge.unwrap_or(own);
        let at_most = le.unwrap_or(if ge.is_some() { limit } else { own });
        if own <= at_least && at_least <= at_most && at_most <= limit {
            Ok(Self { within, at_least, at_most, verdict })
        } else {
            Err(BadRule::Range { within, own, at_least, at_most, limit })
        }
    }

    /// Whether the rule speaks about this prefix.
    pub fn matches(&self, prefix: Prefix) -> bool {
        self.within.covers(prefix) && (self.at_least..=self.at_most).contains(&prefix.length())
    }
}

/// Ordered rules; the first that matches decides, and a prefix that none matches is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportPolicy {
    /// The rules in their order.
    pub rules: Vec<ImportRule>,
}

impl ImportPolicy {
    /// Takes nothing.
    pub const fn deny_all() -> Self {
        Self { rules: Vec::new() }
    }

    /// Whether a route to this prefix may be used.
    pub fn accepts(&self, prefix: Prefix) -> bool {
        let verdict = self.rules.iter().find(|rule| rule.matches(prefix)).map(|rule| rule.verdict);
        verdict == Some(Verdict::Accept)
    }
}

impl FromIterator<ImportRule> for ImportPolicy {
    fn from_iter<I: IntoIterator<Item = ImportRule>>(rules: I) -> Self {
        Self { rules: rules.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn no_rule_means_no_route() {
        assert!(!ImportPolicy::deny_all().accepts(prefix("0.0.0.0/0")));
    }

    #[test]
    fn rules_match_as_a_table_says() {
        let ten = prefix("10.0.0.0/8");
        let rows = [
            (None, None, "10.0.0.0/8", true),
            (None, None, "10.1.0.0/16", false),
            (Some(16), None, "10.0.0.0/8", false),
            (Some(16), None, "10.1.1.1/32", true),
            (None, Some(24), "10.0.0.0/8", true),
            (None, Some(24), "10.1.1.0/25", false),
            (Some(16), Some(24), "10.2.0.0/15", false),
            (Some(16), Some(24), "10.1.0.0/16", true),
            (None, Some(32), "11.0.0.0/8", false),
            (None, Some(32), "2001:db8::/32", false),
        ];
        for (ge, le, candidate, expected) in rows {
            let rule = ImportRule::new(ten, ge, le, Verdict::Accept).unwrap();
            assert_eq!(rule.matches(prefix(candidate)), expected, "ge {ge:?} le {le:?} {candidate}");
        }
    }

    #[test]
    fn first_matching_rule_decides() {
        let policy = ImportPolicy::from_iter([
            ImportRule::new(prefix("10.9.0.0/16"), None, Some(32), Verdict::Reject).unwrap(),
            ImportRule::new(prefix("10.0.0.0/8"), None, Some(32), Verdict::Accept).unwrap(),
        ]);
        assert!(policy.accepts(prefix("10.8.0.0/16")));
        assert!(!policy.accepts(prefix("10.9.1.0/24")));
    }

    #[test]
    fn range_outside_of_the_prefix_is_refused() {
        for (ge, le) in [(Some(7), None), (None, Some(7)), (Some(24), Some(16)), (None, Some(33))] {
            assert!(ImportRule::new(prefix("10.0.0.0/8"), ge, le, Verdict::Accept).is_err());
        }
    }
}

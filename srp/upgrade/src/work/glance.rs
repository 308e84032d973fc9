//! One look at both chassis: what was asked once is known.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Pair, Trouble};
use crate::plan::Side;
use crate::progress::State;

/// Both chassis for as long as nothing is done to them: each question is asked once, and its answer given again. Over a slow link
/// each one asked of the peer takes as long as an SSH connection does.
#[derive(Debug)]
pub struct Glance<P> {
    pair: P,
    known: BTreeMap<(Side, String), Result<Value, Trouble>>,
}

impl<P: Pair> Glance<P> {
    /// Nothing is known yet.
    pub fn new(pair: P) -> Self {
        Self { pair, known: BTreeMap::new() }
    }

    /// The pair, whose answers may be others from now on.
    pub fn over(self) -> P {
        self.pair
    }
}

impl<P: Pair> Pair for Glance<P> {
    fn ask(&mut self, side: Side, words: &[&str]) -> Result<Value, Trouble> {
        let question = (side, words.join("\0"));
        if let Some(known) = self.known.get(&question) {
            return known.clone();
        }
        let answer = self.pair.ask(side, words);
        self.known.insert(question, answer.clone());
        answer
    }

    fn send(&mut self, from: &str, to: &str) -> Result<(), Trouble> {
        self.known.clear();
        self.pair.send(from, to)
    }

    fn test(&mut self, command: &str, active: Side) -> Result<(), Trouble> {
        self.pair.test(command, active)
    }

    fn keep(&mut self, state: &State) -> Result<(), Trouble> {
        self.pair.keep(state)
    }

    fn now_us(&self) -> u64 {
        self.pair.now_us()
    }

    fn pause(&mut self, span_ms: u64) -> Result<(), Trouble> {
        self.known.clear();
        self.pair.pause(span_ms)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Answers with how often it was asked; the peer is gone.
    struct Counting(u64);

    impl Pair for Counting {
        fn ask(&mut self, side: Side, _: &[&str]) -> Result<Value, Trouble> {
            self.0 += 1;
            match side {
                Side::Here => Ok(json!(self.0)),
                Side::Peer => Err(Trouble::Unreachable { side, why: self.0.to_string() }),
            }
        }

        fn send(&mut self, _: &str, _: &str) -> Result<(), Trouble> {
            Ok(())
        }

        fn test(&mut self, _: &str, _: Side) -> Result<(), Trouble> {
            Ok(())
        }

        fn keep(&mut self, _: &State) -> Result<(), Trouble> {
            Ok(())
        }

        fn now_us(&self) -> u64 {
            0
        }

        fn pause(&mut self, _: u64) -> Result<(), Trouble> {
            Ok(())
        }
    }

    #[test]
    fn a_question_is_asked_once_of_each_side_until_something_may_have_changed() {
        let mut glance = Glance::new(Counting(0));
        let gone = |count: &str| Err(Trouble::Unreachable { side: Side::Peer, why: count.to_owned() });
        for _ in 0..2 {
            assert_eq!(glance.ask(Side::Here, &["show", "boot"]), Ok(json!(1)));
            assert_eq!(glance.ask(Side::Peer, &["show", "boot"]), gone("2"), "its silence is an answer, too");
            assert_eq!(glance.ask(Side::Here, &["show boot"]), Ok(json!(3)), "other words");
        }
        glance.send("/flash/a", "/flash/a").expect("sent");
        assert_eq!(glance.ask(Side::Here, &["show", "boot"]), Ok(json!(4)));
        glance.pause(1).expect("waited");
        assert_eq!(glance.ask(Side::Here, &["show", "boot"]), Ok(json!(5)));
        assert_eq!(glance.over().0, 5);
    }
}

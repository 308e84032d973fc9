//! Explicit-state search: every state that can be reached, once each, in the order of time.
//!
//! All states of one tick are visited before the first of the next, so that a story that breaks an invariant has as
//! few ticks as any. Of a state only its key is kept, and where it came from; whole states are kept only where the next
//! tick begins. The search ends when a tick brings nothing new: then there are no other states, however long one waits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use super::world::{Act, World};

/// What a search has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Different states.
    pub states: usize,
    /// Steps from one to another or the same.
    pub steps: u64,
    /// Ticks until nothing was new.
    pub ticks: u32,
    pub took: Duration,
    /// The first story that breaks an invariant: its steps, and the invariant.
    pub broken: Option<(Vec<Act>, String)>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, ticks, took, broken } = self;
        let end = if broken.is_some() { "broken after" } else { "nothing new after" };
        write!(f, "{states} states, {steps} steps, {end} {ticks} ticks, {:.1} s", took.as_secs_f64())
    }
}

/// Keys are hashes already.
#[derive(Default)]
pub struct Plain(u64);

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// From a key to the key before it, and the step between them.
type Known = HashMap<u64, (u64, Act), BuildHasherDefault<Plain>>;

/// Everything that can follow from `root`.
pub fn explore(root: &World) -> Seen {
    let begin = Instant::now();
    let mut seen = Seen::default();
    let mut known = Known::default();
    let mut next_tick = vec![(root.key(), root.clone())];
    known.insert(root.key(), (root.key(), Act::Tick));
    let mut acts = Vec::new();
    while !next_tick.is_empty() && seen.broken.is_none() {
        seen.ticks += 1;
        let mut open = std::mem::take(&mut next_tick);
        while let Some((key, world)) = open.pop() {
            acts.clear();
            world.acts(&mut acts);
            for act in acts.iter().copied() {
                let mut after = world.clone();
                after.happen(act);
                seen.steps += 1;
                let after_key = after.key();
                let Entry::Vacant(entry) = known.entry(after_key) else { continue };
                entry.insert((key, act));
                if let Some(broken) = after.check.broken.take() {
                    seen.broken = Some((story(&known, root.key(), after_key), broken));
                    open.clear();
                    break;
                }
                if act == Act::Tick { &mut next_tick } else { &mut open }.push((after_key, after));
            }
        }
    }
    seen.states = known.len();
    seen.took = begin.elapsed();
    seen
}

/// The steps from the root to a state.
fn story(known: &Known, root: u64, mut key: u64) -> Vec<Act> {
    let mut acts = Vec::new();
    while key != root {
        let (before, act) = known[&key];
        acts.push(act);
        key = before;
    }
    acts.reverse();
    acts
}

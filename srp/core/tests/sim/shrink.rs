//! A story that breaks an invariant, made as small as it can be while it still does.
//!
//! Faults are left out, first many at once, then one by one; then what is left lasts shorter and comes sooner. Any broken
//! invariant counts: what matters is a small story, not the same one.

use srp_core::types::Span;

use super::sabotage::Sabotage;
use super::story::Story;
use super::world::BEGIN;

/// Stories told at most.
const TRIES: u32 = 3_000;

struct Shrinker {
    sabotage: Sabotage,
    best: Story,
    left: u32,
}

/// A story that fails, from one that does.
pub fn shrink(story: &Story, sabotage: Sabotage) -> Story {
    let mut shrinker = Shrinker { sabotage, best: story.clone(), left: TRIES };
    loop {
        let mut smaller = shrinker.leave_out();
        smaller |= shrinker.shorten();
        smaller |= shrinker.draw_together();
        if !smaller || shrinker.left == 0 {
            return shrinker.best;
        }
    }
}

impl Shrinker {
    /// Keeps the story if it still fails.
    fn try_out(&mut self, story: Story) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let fails = story.tell(self.sabotage, false, false).check.broken.is_some();
        if fails {
            self.best = story;
        }
        fails
    }

    /// Without faults that do not matter. The last one heals everything and stays.
    fn leave_out(&mut self) -> bool {
        let mut smaller = false;
        let mut size = self.best.happenings.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at + 1 < self.best.happenings.len() {
                let mut story = self.best.clone();
                let end = (at + size).min(story.happenings.len() - 1);
                story.happenings.drain(at..end);
                if self.try_out(story) {
                    smaller = true;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        smaller
    }

    /// Half as long, as often as it goes.
    fn shorten(&mut self) -> bool {
        let mut smaller = false;
        for place in 0..self.best.happenings.len() {
            while let Some(span) = self.best.happenings[place].span().filter(|span| *span > Span::millis(1)) {
                let mut story = self.best.clone();
                story.happenings[place].last(half(span));
                if !self.try_out(story) {
                    break;
                }
                smaller = true;
            }
        }
        smaller
    }

    /// Each fault sooner after the one before it, and with it all that follow.
    fn draw_together(&mut self) -> bool {
        let mut smaller = false;
        for place in 0..self.best.happenings.len() {
            loop {
                let before = place.checked_sub(1).map_or(BEGIN, |before| self.best.happenings[before].at);
                let gap = self.best.happenings[place].at.since(before);
                if gap < Span::millis(1) {
                    break;
                }
                let sooner = Span(gap.0 - half(gap).0);
                let mut story = self.best.clone();
                for happening in &mut story.happenings[place..] {
                    happening.move_to(happening.at - sooner);
                }
                if !self.try_out(story) {
                    break;
                }
                smaller = true;
            }
        }
        smaller
    }
}

/// In whole milliseconds, where there are some.
fn half(span: Span) -> Span {
    let half = span.0 / 2;
    Span(if half >= 1_000 { half - half % 1_000 } else { half })
}

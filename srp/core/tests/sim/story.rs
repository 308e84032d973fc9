//! A story: a pair, what goes wrong and when, and the seed of everything else. The same story is told in the same way.
//!
//! A seed chooses a story. Part of one is named by the seed and what is kept of it: `0,3@812500,7@900000~40000` keeps the
//! faults number 0, 3 and 7, the second of them 812.5 ms after the beginning instead of when it was, the third at 900 ms
//! and for 40 ms. So whatever is cut out of a story can be told again.

use std::fmt;

use srp_core::chassis::Settings;
use srp_core::types::{Span, Time};

use super::chaos::{Fault, brisk, describe, pair, plan};
use super::monitors;
use super::paths::{Paths, Watch, choose};
use super::rng::Rng;
use super::sabotage::Sabotage;
use super::world::{BEGIN, Due, World};

/// A fault of a story.
#[derive(Clone, Debug)]
pub struct Happening {
    /// Its place in the story as the seed told it.
    pub number: usize,
    pub at: Time,
    pub fault: Fault,
    /// Time or span are no longer those of the seed.
    changed: bool,
}

#[derive(Clone, Debug)]
pub struct Story {
    pub seed: u64,
    settings: [Settings; 2],
    chance: Rng,
    /// BFD between the two, if they have it.
    watch: Option<Watch>,
    /// In the order of time; the last one heals everything.
    pub happenings: Vec<Happening>,
}

impl Story {
    pub fn of_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut settings = pair(&mut rng);
        let chance = Rng::new(rng.next());
        let mut plan = plan(&mut rng);
        let watch = choose(seed, &mut settings, &mut plan);
        monitors::choose(seed, &mut settings, &mut plan);
        let happenings = plan.into_iter().enumerate();
        let happenings =
            happenings.map(|(number, (at, fault))| Happening { number, at, fault, changed: false });
        Self { seed, settings, chance, watch, happenings: happenings.collect() }
    }

    /// What `kept` names of a seed's story.
    pub fn parse(seed: u64, kept: &str) -> Result<Self, String> {
        let mut story = Self::of_seed(seed);
        let all = std::mem::take(&mut story.happenings);
        for word in kept.split(',') {
            let wrong =
                |_| format!("`{word}`: write NUMBER, NUMBER@MICROSECONDS or NUMBER@MICROSECONDS~SPAN");
            let (word, span) = word.split_once('~').map_or((word, None), |(word, span)| (word, Some(span)));
            let (number, at) = word.split_once('@').map_or((word, None), |(word, at)| (word, Some(at)));
            let number: usize = number.trim().parse().map_err(wrong)?;
            let mut happening =
                all.get(number).ok_or_else(|| format!("seed {seed} has no fault {number}"))?.clone();
            if let Some(at) = at {
                happening.move_to(BEGIN + Span(at.parse().map_err(wrong)?));
            }
            if let Some(span) = span {
                happening.last(Span(span.parse().map_err(wrong)?));
            }
            story.happenings.push(happening);
        }
        Ok(story)
    }

    /// Tells it. The world is handed back for those who look.
    pub fn tell(&self, sabotage: Sabotage, verbose: bool, record: bool) -> World {
        let mut settings = self.settings.clone();
        settings[0].dead_interval = sabotage.dead_interval(settings[0].dead_interval);
        let mut world = World::new(settings, brisk(), self.chance.clone());
        world.sabotage = sabotage;
        if let Some(watch) = &self.watch {
            world.paths = Paths::new(watch);
        }
        world.restart = Some(Span::millis(300));
        world.never_flushed = 3;
        if verbose {
            world.trace = Some(Vec::new());
            world.detail = true;
        }
        for node in &mut world.nodes {
            node.recording = record;
        }
        for happening in &self.happenings {
            world.at(happening.at, Due::Fault(happening.fault.clone()));
        }
        let healed = self.happenings.last().map_or(BEGIN, |last| last.at);
        // Time for what was begun to end: a stop, a fall-back, an election, each with its bound.
        world.run_until(healed + Span::millis(4_500));
        world.check_settled();
        // And it stays so, quietly.
        let before = world.nodes.each_ref().map(|node| node.hellos);
        world.run_until(healed + Span::millis(5_500));
        world.check_settled();
        for (side, before) in before.into_iter().enumerate() {
            let sent = world.nodes[side].hellos - before;
            if sent > 12 {
                world.check.fail(format!("{}: {sent} Hellos in a quiet second", super::world::NAMES[side]));
            }
        }
        world
    }
}

impl Happening {
    pub fn move_to(&mut self, at: Time) {
        self.at = at;
        self.changed = true;
    }

    /// How long it lasts, where that is part of it.
    pub fn span(&self) -> Option<Span> {
        match &self.fault {
            Fault::Freeze(_, span)
            | Fault::Session { span, .. }
            | Fault::Path { span, .. }
            | Fault::Monitor { span, .. }
            | Fault::Refuse { span, .. } => Some(*span),
            Fault::Start(_)
            | Fault::Cut(_)
            | Fault::Heal
            | Fault::Disconnect
            | Fault::Crash(_)
            | Fault::PowerOff(_)
            | Fault::Switchover(..)
            | Fault::Stop(_)
            | Fault::Validate(_)
            | Fault::Terminate(_)
            | Fault::Reload(..)
            | Fault::Pace(_)
            | Fault::HealAll => None,
        }
    }

    /// Lasts this long, if that is part of it.
    pub fn last(&mut self, new: Span) {
        if let Fault::Freeze(_, span)
        | Fault::Session { span, .. }
        | Fault::Path { span, .. }
        | Fault::Monitor { span, .. }
        | Fault::Refuse { span, .. } = &mut self.fault
        {
            *span = new;
            self.changed = true;
        }
    }
}

/// What is kept of the seed's story, as `parse` reads it.
pub struct Kept<'s>(pub &'s Story);

impl fmt::Display for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, happening) in self.0.happenings.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}", happening.number)?;
            if happening.changed {
                write!(f, "@{}", happening.at.since(BEGIN).0)?;
                if let Some(span) = happening.span() {
                    write!(f, "~{}", span.0)?;
                }
            }
        }
        Ok(())
    }
}

/// The script, for people.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [east, west] = &self.settings;
        let words = |settings: &Settings| {
            format!("{} priority {}", settings.identity.mode, settings.identity.priority.0)
        };
        writeln!(
            f,
            "east {}, west {}, threshold {}, delta {}, {} as Standby, delay {}, drain {}",
            words(east),
            words(west),
            east.threshold,
            east.delta_route_modifier,
            if east.advertise_in_standby { "announce" } else { "silent" },
            east.delay_interval,
            east.drain_interval
        )?;
        if let (Some(_), Some(bfd)) = (&self.watch, &east.peer_bfd) {
            let sign = if bfd.ignore_dead_interval { "a second sign of life" } else { "a faster detector" };
            writeln!(f, "BFD: {sign}")?;
        }
        if !east.monitors.is_empty() {
            let names = east.monitors.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
            writeln!(f, "monitors: {}; {:?}", names.join(", "), east.guard_timers)?;
        }
        for happening in &self.happenings {
            writeln!(
                f,
                "{:>10.3} {}",
                happening.at.since(BEGIN).as_millis_f64(),
                describe(&happening.fault)
            )?;
        }
        Ok(())
    }
}

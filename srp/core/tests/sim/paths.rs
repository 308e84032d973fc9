//! BFD between the two chassis, each session by a path of its own that fails by itself.
//!
//! The sessions are the shipped ones (`bfd`), and so is what they say of the peer (`bfd::Health`); when the core is told is
//! as in `srp/daemon/src/paths.rs`. Packets are lost where the path is cut, and wait in a buffer while the process does
//! not run.
//!
//! All chance of BFD is here, and none of it is drawn from the chance of the story: one without BFD is what it was before
//! there was any.

use bfd::{Action, Discriminator, Health, Interval, Packet, Received, Session, Tally, Timers};
use srp_core::chassis::{Event, PeerBfdSettings, Settings};
use srp_core::types::{ChassisState, Span, SwitchReason, Time};

use super::chaos::Fault;
use super::node::Parcel;
use super::rng::{Range, Rng};
use super::world::{BEGIN, Due, NAMES, World};

/// Packets that may be missing before the other end is given up.
const MULTIPLIER: u8 = 3;
/// One way over a path.
const DELAY: Range = Range { low: Span(100), high: Span::millis(3) };

/// One end of a session, in one life of its chassis.
#[derive(Debug)]
struct End {
    session: Session,
    health: Health,
}

#[derive(Debug, Default)]
struct Path {
    ends: [Option<End>; 2],
    /// Cut by that many faults.
    cuts: u32,
    /// Nothing arrives at a side before this: packets stay in order.
    last: [Time; 2],
}

/// BFD sessions as a seed chooses them.
#[derive(Clone, Debug)]
pub struct Watch {
    paths: usize,
    interval: Interval,
    chance: Rng,
}

/// All paths of a pair; none where BFD is not configured.
#[derive(Debug, Default)]
pub struct Paths {
    all: Vec<Path>,
    watch: Option<Watch>,
    /// What the cores were told last.
    told: [Tally; 2],
    /// The timer of each side that is set.
    alarm: [Option<Time>; 2],
}

/// In half of the stories: sessions, settings that say so, and faults of the paths among the others, of which the last
/// one stays the last.
pub fn choose(seed: u64, settings: &mut [Settings; 2], plan: &mut Vec<(Time, Fault)>) -> Option<Watch> {
    let mut rng = Rng::new(!seed);
    if rng.chance(50) {
        return None;
    }
    let paths = if rng.chance(70) { 1 } else { 2 };
    let millis = [30, 50, 80][usize::try_from(rng.below(3)).expect("small")];
    let peer_bfd = PeerBfdSettings { ignore_dead_interval: rng.chance(50) };
    for settings in settings {
        settings.peer_bfd = Some(peer_bfd);
    }
    let end = plan.last().map_or(BEGIN, |(at, _)| *at);
    for _ in 0..=rng.below(6) {
        // Half of the time with other trouble: the same switch, the same machine.
        let at = if rng.chance(50) {
            let with = usize::try_from(rng.below(plan.len() as u64)).expect("an index");
            plan[with].0 + Span(rng.below(300_000)) - Span(rng.below(300_000))
        } else {
            BEGIN + Span(rng.below(end.since(BEGIN).0))
        };
        let span = Span(match rng.below(3) {
            0 => 1_000 + rng.below(100_000),
            1 => 1_000 + rng.below(500_000),
            _ => 200_000 + rng.below(2_000_000),
        });
        let path = usize::try_from(rng.below(paths)).expect("small");
        plan.push((at.max(BEGIN), Fault::Path { path, span }));
        if paths == 2 && rng.chance(50) {
            plan.push((at.max(BEGIN), Fault::Path { path: 1 - path, span }));
        }
    }
    plan.retain(|(at, fault)| *at < end || matches!(fault, Fault::HealAll));
    plan.sort_by_key(|(at, _)| *at);
    let chance = Rng::new(rng.next());
    Some(Watch { paths: usize::try_from(paths).expect("small"), interval: Interval::millis(millis), chance })
}

impl Paths {
    pub fn new(watch: &Watch) -> Self {
        let all = (0..watch.paths).map(|_| Path::default()).collect();
        Self { all, watch: Some(watch.clone()), ..Self::default() }
    }

    fn tally(&self, side: usize) -> Tally {
        self.all.iter().filter_map(|path| path.ends[side].as_ref()).map(|end| end.health).collect()
    }

    fn span(&mut self, range: Range) -> Span {
        self.watch.as_mut().map_or(range.low, |watch| watch.chance.span(range))
    }

    fn deadline(&self, side: usize) -> Option<Time> {
        let ends = self.all.iter().filter_map(|path| path.ends[side].as_ref());
        ends.filter_map(|end| end.session.next_deadline()).map(|at| Time(at.0)).min()
    }
}

impl End {
    /// Handles it; the packets that follow.
    fn handle(&mut self, now: Time, event: bfd::Event) -> Vec<Packet> {
        self.session.handle(bfd::Time(now.0), event);
        let mut packets = Vec::new();
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Send(packet) => packets.push(packet),
                Action::Up => self.health = Health::Up,
                Action::Down(cause) => self.health = Health::after(cause),
                Action::Discarded(why) => panic!("our own packet is not taken: {why}"),
            }
        }
        self.health = self.health.with_remote(self.session.remote().map(|remote| remote.state));
        packets
    }
}

impl World {
    /// A chassis has started, and its sessions with it.
    pub fn open_paths(&mut self, side: usize) {
        let Some(watch) = &mut self.paths.watch else { return };
        let timers = Timers::new(watch.interval, watch.interval, MULTIPLIER).expect("in range");
        for path in &mut self.paths.all {
            let name = u32::try_from(1 + watch.chance.below(1 << 31)).expect("below");
            let name = Discriminator::new(name).expect("not zero");
            let session = Session::new(bfd::Time(self.now.0), name, timers, watch.chance.next());
            path.ends[side] = Some(End { session, health: Health::default() });
        }
        self.paths.told[side] = Tally::default();
        self.paths.alarm[side] = None;
        self.run_paths(side);
    }

    /// The process ends; in good order it says so to the other one.
    pub fn close_paths(&mut self, side: usize, orderly: bool) {
        for path in 0..self.paths.all.len() {
            let end = self.paths.all[path].ends[side].take();
            if let Some(mut end) = end.filter(|_| orderly) {
                let packets = end.handle(self.now, bfd::Event::Disable);
                self.send_packets(side, path, packets);
            }
        }
        self.paths.alarm[side] = None;
        self.paths.told[side] = Tally::default();
    }

    /// The timer has fired, or the process runs again.
    pub fn run_paths(&mut self, side: usize) {
        for path in 0..self.paths.all.len() {
            self.feed_path(side, path, bfd::Event::DeadlineReached);
        }
        self.set_path_alarm(side);
    }

    /// A timer that was set; not the last one, perhaps.
    pub fn path_alarm(&mut self, side: usize, at: Time) {
        if self.paths.alarm[side] == Some(at) {
            self.paths.alarm[side] = None;
            if !self.nodes[side].frozen {
                self.run_paths(side);
            }
        }
    }

    fn set_path_alarm(&mut self, side: usize) {
        let Some(deadline) = self.paths.deadline(side) else { return };
        if self.paths.alarm[side].is_none_or(|known| deadline < known) {
            let at = deadline.max(self.now) + self.paths.span(self.pace.late);
            self.paths.alarm[side] = Some(at);
            self.at(at, Due::PathAlarm { side, at });
        }
    }

    /// A packet is there, unless its path is cut.
    pub fn packet_arrives(&mut self, to: usize, path: usize, packet: Packet) {
        if self.paths.all[path].cuts == 0 && self.nodes[to].chassis.is_some() {
            self.hand_over(to, Parcel::Path(path, packet));
        }
    }

    /// A packet is read.
    pub fn read_packet(&mut self, side: usize, path: usize, packet: Packet) {
        let Some(end) = &self.paths.all[path].ends[side] else { return };
        // For an earlier life.
        if packet.your_discriminator.is_some_and(|name| name != end.session.local_discriminator()) {
            return;
        }
        self.feed_path(side, path, bfd::Event::Received(Received { packet, authentication: None }));
        self.set_path_alarm(side);
    }

    fn feed_path(&mut self, side: usize, path: usize, event: bfd::Event) {
        let Some(end) = &mut self.paths.all[path].ends[side] else { return };
        let packets = end.handle(self.now, event);
        self.send_packets(side, path, packets);
        let tally = self.paths.tally(side);
        if tally != self.paths.told[side] {
            self.paths.told[side] = tally;
            let Tally { configured, up, failed } = tally;
            self.note(side, format_args!("BFD with the peer: {configured} count, {up} up, {failed} failed"));
            self.feed(side, Event::PeerBfd { configured, up, failed });
        }
    }

    fn send_packets(&mut self, from: usize, path: usize, packets: Vec<Packet>) {
        let to = 1 - from;
        for packet in packets {
            let at = (self.now + self.paths.span(DELAY)).max(self.paths.all[path].last[to]);
            self.paths.all[path].last[to] = at;
            self.at(at, Due::Packet { to, path, packet });
        }
    }

    pub fn cut_path(&mut self, path: usize, span: Span) {
        if let Some(found) = self.paths.all.get_mut(path) {
            found.cuts += 1;
            self.after(span, Due::PathFree { path });
        }
    }

    pub fn free_path(&mut self, path: usize) {
        let path = &mut self.paths.all[path];
        path.cuts = path.cuts.saturating_sub(1);
    }

    pub fn free_paths(&mut self) {
        self.paths.all.iter_mut().for_each(|path| path.cuts = 0);
    }

    /// The peer may take over after this much silence of ours: the path of BFD may have failed before.
    pub fn longest_silence(&self, side: usize) -> Span {
        let settings = &self.nodes[side].settings;
        match &settings.peer_bfd {
            Some(_) if self.paths.told[side].configured > 0 => {
                settings.hello_interval.times(2).min(settings.dead_interval)
            }
            Some(_) | None => settings.dead_interval,
        }
    }

    /// The dead-interval has passed, and BFD alone keeps the Standby from taking over.
    pub fn is_vouched_for(&self, side: usize) -> bool {
        let node = &self.nodes[side];
        let ignores = node.settings.peer_bfd.is_some_and(|bfd| bfd.ignore_dead_interval);
        let waits = node.chassis.as_ref().is_some_and(|chassis| chassis.state() == ChassisState::Standby);
        let silent = node.heard.is_some_and(|(at, _)| self.now.since(at) > node.settings.dead_interval);
        ignores && waits && silent && !node.frozen && self.paths.told[side].up > 0
    }

    /// A Standby takes over unasked. What is read here is what arrived, not what a core made of it.
    pub fn check_death(&mut self, side: usize, reason: SwitchReason) {
        let node = &self.nodes[side];
        let Tally { up, .. } = self.paths.told[side];
        let Some(bfd) = self.nodes[side].settings.peer_bfd.filter(|_| self.paths.watch.is_some()) else {
            return;
        };
        let silence = node.heard.map_or(Span(u64::MAX), |(at, _)| self.now.since(at));
        let who = NAMES[side];
        if silence < node.settings.hello_interval.times(2) {
            self.check.fail(format!("{who}: takes over ({reason}) although a Hello came {silence} ago"));
        } else if reason == SwitchReason::ChassisChassisBfdFailure && up > 0 {
            self.check.fail(format!("{who}: takes over because of BFD, and BFD is Up"));
        } else if bfd.ignore_dead_interval
            && up > 0
            && node.heard.is_some_and(|(_, state)| state == ChassisState::Active)
        {
            self.check.fail(format!("{who}: takes over from an Active that BFD vouches for"));
        }
    }
}

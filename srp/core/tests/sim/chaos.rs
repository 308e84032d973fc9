//! What goes wrong: the faults, what each does to the world, and settings and faults chosen by a seed.

use srp_core::chassis::{Event, Settings};
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority, Span, Time};

use super::net::Arrival;
use super::node::Parcel;
use super::rng::{Range, Rng};
use super::world::{BEGIN, Due, NAMES, Pace, ROUTERS, World};

/// Something that happens to the pair.
#[derive(Clone, Debug)]
pub enum Fault {
    /// `srpd` is started, unless it runs.
    Start(usize),
    /// Nothing arrives at the sides that are true.
    Cut([bool; 2]),
    Heal,
    /// The connection is reset.
    Disconnect,
    /// `srpd` dies; the kernel keeps what it holds.
    Crash(usize),
    /// The machine loses power.
    PowerOff(usize),
    /// The process does not run for a while.
    Freeze(usize, Span),
    Switchover(usize, bool),
    Stop(usize),
    Validate(usize),
    /// `srp terminate-post-process`.
    Terminate(usize),
    /// A BGP session is down for a while.
    Session {
        side: usize,
        router: usize,
        span: Span,
    },
    /// A path of BFD is cut for a while.
    Path {
        path: usize,
        span: Span,
    },
    /// The kernel refuses that many of ten objects for a while.
    Refuse {
        side: usize,
        refuses: u32,
        span: Span,
    },
    /// What a monitor watches does not work for a while.
    Monitor {
        side: usize,
        monitor: usize,
        span: Span,
    },
    /// The configuration is reloaded: announces as Standby or not, drains for this long.
    Reload(usize, bool, Span),
    /// Everything takes as long as this from now on.
    Pace(Box<Pace>),
    /// All of it is over.
    HealAll,
}

impl World {
    pub fn inflict(&mut self, fault: Fault) {
        if !matches!(fault, Fault::Pace(_)) {
            self.note_all(format_args!("--- {}", describe(&fault)));
        }
        match fault {
            Fault::Start(side) => self.boot(side),
            Fault::Cut(cut) => self.set_cut(cut),
            Fault::Heal => self.set_cut([false; 2]),
            Fault::Disconnect => {
                if self.net.conn.is_some() {
                    self.transmit(0, Arrival::Down);
                    self.transmit(1, Arrival::Down);
                }
            }
            Fault::Crash(side) => self.end_life(side, false, false),
            Fault::PowerOff(side) => self.end_life(side, false, true),
            Fault::Freeze(side, span) => {
                if self.nodes[side].chassis.is_some() {
                    self.nodes[side].frozen = true;
                    self.after(span, Due::Thaw { side });
                }
            }
            Fault::Switchover(side, force) => {
                self.ask(side, |request| Event::InitiateSwitchover { request, force });
            }
            Fault::Validate(side) => self.ask(side, |request| Event::ValidateSwitchover { request }),
            Fault::Terminate(side) => self.ask(side, |request| Event::TerminatePostProcess { request }),
            Fault::Stop(side) => {
                if self.nodes[side].chassis.is_some() {
                    self.nodes[side].stop_asked.get_or_insert(self.now);
                    self.hand_over(side, Parcel::Event(Event::Stop));
                }
            }
            Fault::Session { side, router, span } => {
                self.routers[router].sessions[side].down += 1;
                self.session_down(side, router, false);
                self.after(span, Due::SessionFree { side, router });
            }
            Fault::Path { path, span } => self.cut_path(path, span),
            Fault::Refuse { side, refuses, span } => {
                self.nodes[side].kernel.refuses = refuses;
                self.after(span, Due::KernelWilling { side });
            }
            Fault::Monitor { side, monitor, span } => {
                self.surround(side, monitor, true);
                self.after(span, Due::MonitorFree { side, monitor });
            }
            Fault::Reload(side, advertise_in_standby, drain_interval) => {
                let node = &mut self.nodes[side];
                node.settings.advertise_in_standby = advertise_in_standby;
                node.settings.drain_interval = drain_interval;
                let settings = Box::new(node.settings.clone());
                self.hand_over(side, Parcel::Event(Event::Reconfigured(settings)));
            }
            Fault::Pace(pace) => self.pace = *pace,
            Fault::HealAll => self.heal_all(),
        }
    }

    /// An operator asks, and waits for an answer.
    pub fn ask(&mut self, side: usize, event: impl FnOnce(u64) -> Event) {
        let node = &mut self.nodes[side];
        if node.chassis.is_none() {
            return;
        }
        let request = node.next_request;
        node.next_request += 1;
        node.requests.insert(request);
        self.hand_over(side, Parcel::Event(event(request)));
    }

    fn heal_all(&mut self) {
        self.pace = brisk();
        self.set_cut([false; 2]);
        self.free_paths();
        for side in [0, 1] {
            self.thaw(side);
            self.nodes[side].kernel.refuses = 0;
            for monitor in std::mem::take(&mut self.nodes[side].surroundings.broken).into_keys() {
                self.surround(side, monitor, false);
            }
            if self.nodes[side].chassis.is_none() {
                self.boot(side);
            }
            for router in 0..ROUTERS {
                self.routers[router].sessions[side].down = 0;
                self.after(Span::millis(1), Due::SessionUp { side, router });
            }
        }
    }
}

/// In words an operator would use.
pub fn describe(fault: &Fault) -> String {
    match fault {
        Fault::Start(side) => format!("{} is started", NAMES[*side]),
        Fault::Cut([true, true]) => "SRP link cut".into(),
        Fault::Cut([to_east, to_west]) => {
            let deaf = NAMES[usize::from(*to_west && !to_east)];
            format!("SRP link cut towards {deaf}")
        }
        Fault::Heal => "SRP link healed".into(),
        Fault::Disconnect => "SRP connection reset".into(),
        Fault::Crash(side) => format!("srpd of {} dies", NAMES[*side]),
        Fault::PowerOff(side) => format!("{} loses power", NAMES[*side]),
        Fault::Freeze(side, span) => format!("{} is suspended for {span}", NAMES[*side]),
        Fault::Switchover(side, force) => {
            format!("{}: srp initiate-switchover{}", NAMES[*side], if *force { " force" } else { "" })
        }
        Fault::Stop(side) => format!("{}: orderly stop", NAMES[*side]),
        Fault::Terminate(side) => format!("{}: srp terminate-post-process", NAMES[*side]),
        Fault::Validate(side) => format!("{}: srp validate-switchover", NAMES[*side]),
        Fault::Session { side, router, span } => {
            format!("BGP between {} and router {router} down for {span}", NAMES[*side])
        }
        Fault::Path { path, span } => format!("path {path} of BFD cut for {span}"),
        Fault::Refuse { side, refuses, span } => {
            format!("kernel of {} refuses {refuses} of 10 for {span}", NAMES[*side])
        }
        Fault::Monitor { side, monitor, span } => {
            format!("monitor {monitor} of {} finds a failure for {span}", NAMES[*side])
        }
        Fault::Reload(side, advertise, drain) => {
            let routes = if *advertise { "announces" } else { "does not announce" };
            format!("{} is reconfigured: {routes} as Standby, drains for {drain}", NAMES[*side])
        }
        Fault::Pace(_) => "other delays".into(),
        Fault::HealAll => "everything healed".into(),
    }
}

/// A good day.
pub fn brisk() -> Pace {
    Pace {
        dial: Range::millis(10, 50),
        link: Range { low: Span(100), high: Span::millis(3) },
        kernel: Range { low: Span(100), high: Span::millis(5) },
        learn: Range { low: Span(100), high: Span::millis(10) },
        ack: Range { low: Span(100), high: Span::millis(2) },
        session: Range::millis(1, 60),
        keep: Range::millis(50, 800),
        keeps: 50,
        late: Range { low: Span(0), high: Span::millis(1) },
    }
}

/// A bad one.
fn slow(rng: &mut Rng) -> Pace {
    let mut pace = brisk();
    if rng.chance(50) {
        pace.link = Range::millis(1, 80);
    }
    if rng.chance(40) {
        pace.kernel = Range::millis(1, 200);
    }
    if rng.chance(40) {
        pace.learn = Range::millis(1, 250);
        pace.ack = Range::millis(1, 50);
    }
    if rng.chance(20) {
        pace.late = Range::millis(0, 20);
    }
    pace
}

/// A pair with settings of all kinds. What must be equal is equal.
pub fn pair(rng: &mut Rng) -> [Settings; 2] {
    let (threshold, most) =
        [(2, 1), (2, 1), (3, 2), (6, 5), (16, 15)][usize::try_from(rng.below(5)).expect("small")];
    let delta_route_modifier =
        if rng.chance(50) { 1 } else { u16::try_from(1 + rng.below(most)).expect("small") };
    let advertise_in_standby = rng.chance(50);
    let drain_interval = Span::millis(rng.below(3) * 50);
    let delay_interval = Span::millis(rng.below(2) * 200);
    let twins = rng.chance(5);
    let identity = |rng: &mut Rng, mode| {
        let mac = Mac([2, 0, 0, 0, 0, u8::try_from(rng.below(3)).expect("small")]);
        let priority = Priority(u8::try_from(1 + rng.below(2)).expect("small"));
        Identity { mode, priority, mac, boot: BootId(0) }
    };
    let modes = match rng.below(4) {
        0 => [ChassisMode::Primary; 2],
        1 => [ChassisMode::Backup; 2],
        _ => [ChassisMode::Primary, ChassisMode::Backup],
    };
    let first = identity(rng, modes[0]);
    let second = if twins { first } else { identity(rng, modes[1]) };
    [first, second].map(|identity| Settings {
        delay_interval,
        threshold,
        delta_route_modifier,
        advertise_in_standby,
        drain_interval,
        graceful_shutdown: if threshold % 3 == 0 { Span::millis(120) } else { Span::ZERO },
        switchover_timeout: Span::secs(1),
        ..Settings::new(identity)
    })
}

/// Faults for five seconds, then everything is healed: in the order of time.
pub fn plan(rng: &mut Rng) -> Vec<(Time, Fault)> {
    let mut plan = Vec::new();
    for side in [0, 1] {
        let wait = if rng.chance(30) { Span(0) } else { Span::millis(rng.below(700)) };
        plan.push((BEGIN + wait, Fault::Start(side)));
    }
    let end = BEGIN + Span::secs(5);
    let mut at = BEGIN + Span::millis(rng.below(1_500));
    while at < end {
        // Troubles seldom come alone.
        for _ in 0..=rng.below(3) {
            trouble(&mut plan, rng, at);
            at = at + Span(rng.below(60_000));
        }
        at = at + Span::millis(rng.below(1_200));
    }
    plan.retain(|(at, _)| *at < end);
    plan.push((end, Fault::HealAll));
    plan.sort_by_key(|(at, _)| *at);
    plan
}

fn trouble(plan: &mut Vec<(Time, Fault)>, rng: &mut Rng, at: Time) {
    let side = rng.side();
    let span = Span(match rng.below(3) {
        0 => 1_000 + rng.below(30_000),
        1 => 1_000 + rng.below(400_000),
        _ => 200_000 + rng.below(1_500_000),
    });
    let mut fault = |time, fault| plan.push((time, fault));
    match rng.below(100) {
        0..15 => {
            let cut = [[true, true], [true, false], [false, true]][usize::try_from(rng.below(3)).expect("3")];
            fault(at, Fault::Cut(cut));
            fault(at + span, Fault::Heal);
            if rng.chance(30) {
                // The routers are behind the same cable.
                for router in 0..ROUTERS {
                    fault(at, Fault::Session { side, router, span });
                }
            }
        }
        15..22 => fault(at, Fault::Disconnect),
        22..32 => {
            fault(at, Fault::Crash(side));
            fault(at + span, Fault::Start(side));
        }
        32..38 => {
            fault(at, Fault::PowerOff(side));
            fault(at + span, Fault::Start(side));
        }
        38..50 => fault(at, Fault::Freeze(side, span)),
        50..66 => fault(at, Fault::Switchover(side, rng.chance(50))),
        66..71 => {
            let force = rng.chance(50);
            fault(at, Fault::Switchover(0, force));
            fault(at, Fault::Switchover(1, force));
        }
        71..78 => {
            fault(at, Fault::Stop(side));
        }
        78 if rng.chance(50) => fault(at, Fault::Validate(side)),
        78 => fault(at, Fault::Terminate(side)),
        79..81 => fault(at, Fault::Reload(side, rng.chance(50), Span::millis(rng.below(60)))),
        81..86 => {
            let router = usize::try_from(rng.below(2)).expect("small");
            fault(at, Fault::Session { side, router, span });
        }
        86..89 => {
            for router in 0..ROUTERS {
                fault(at, Fault::Session { side, router, span });
            }
        }
        89..94 => {
            let refuses = if rng.chance(50) { 10 } else { 3 };
            fault(at, Fault::Refuse { side, refuses, span });
        }
        _ => {
            let pace = slow(rng);
            fault(at, Fault::Pace(Box::new(pace)));
            fault(at + span, Fault::Pace(Box::new(brisk())));
        }
    }
}

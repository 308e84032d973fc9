//! Stories as text: a title, commands, and the lines that follow from them.
//!
//! ```text
//! # The title says the condition and what follows from it.
//! pair east=primary west=backup hello=100ms dead=300ms
//! > start both; run 1s
//!      11.000 east Init -> Pending-Active (Not Defined)
//!    = east Active 1, west Standby 2, routers prefer east east
//! ```
//!
//! A line that begins with `>` holds commands, `pair` the settings; all others are written by the runner.

use std::fmt::Write;

use srp_core::chassis::{Chassis, Event, MonitorKind, Monitored, PeerBfdSettings, Probed, Settings};
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority, Span};

use super::chaos::Fault;
use super::rng::{Range, Rng};
use super::world::{Due, NAMES, Pace, ROUTERS, World};

/// The same text, with the lines that follow from its commands today.
pub fn play(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut world = None;
    for line in text.lines() {
        if line.starts_with('#') || line.is_empty() {
            let _ = writeln!(out, "{line}");
        } else if let Some(words) = line.strip_prefix("pair") {
            let _ = writeln!(out, "{line}");
            world = Some(pair(words)?);
        } else if let Some(commands) = line.strip_prefix('>') {
            let _ = writeln!(out, "{line}");
            let world = world.as_mut().ok_or("the first command stands before `pair`")?;
            for command in commands.split(';') {
                obey(world, command.trim())?;
            }
            for line in world.trace.as_mut().map(std::mem::take).unwrap_or_default() {
                let _ = writeln!(out, "{line}");
            }
            if let Some(broken) = &world.check.broken {
                return Err(format!("{out}\n{broken}"));
            }
            let _ = writeln!(out, "{}", summary(world));
        }
    }
    Ok(out)
}

fn summary(world: &World) -> String {
    let [east, west] = [0, 1].map(|side| {
        let chassis = world.nodes[side].chassis.as_ref();
        let shown = chassis.map_or("off".into(), |c: &Chassis| format!("{} {}", c.state(), c.modifier()));
        format!("{} {shown}", NAMES[side])
    });
    let prefer = world.routers.iter().map(|router| match router.prefers() {
        Some(side) => NAMES[side],
        None if router.is_empty() => "nobody",
        None => "either",
    });
    let prefer: Vec<&str> = prefer.collect();
    format!("   = {east}, {west}, routers prefer {}", prefer.join(" "))
}

fn pair(words: &str) -> Result<World, String> {
    let mut settings = [0, 1].map(|side| Settings {
        drain_interval: Span::millis(50),
        switchover_timeout: Span::secs(1),
        ..Settings::new(Identity {
            mode: [ChassisMode::Primary, ChassisMode::Backup][side],
            priority: Priority::default(),
            mac: Mac([2, 0, 0, 0, 0, [1, 2][side]]),
            boot: BootId(0),
        })
    });
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}`: write key=value"))?;
        match key {
            "east" | "west" => {
                settings[side(key)?].identity.mode = match value {
                    "primary" => ChassisMode::Primary,
                    "backup" => ChassisMode::Backup,
                    _ => return Err(format!("`{word}`: primary or backup")),
                }
            }
            "east-priority" | "west-priority" => {
                let priority = value.parse().map_err(|_| format!("`{word}`: 1 to 255"))?;
                settings[side(&key[..4])?].identity.priority = Priority(priority);
            }
            "east-mac" | "west-mac" => {
                let mac = value.parse().map_err(|error| format!("`{word}`: {error}"))?;
                settings[side(&key[..4])?].identity.mac = mac;
            }
            "east-delta" => settings[0].delta_route_modifier = value.parse().map_err(|_| "a number")?,
            "east-digest" => settings[0].config_digest = [value.parse().map_err(|_| "a number")?; 32],
            _ => {
                for settings in &mut settings {
                    match key {
                        "hello" => settings.hello_interval = span(value)?,
                        "dead" => settings.dead_interval = span(value)?,
                        "delay" => settings.delay_interval = span(value)?,
                        "drain" => settings.drain_interval = span(value)?,
                        "graceful-shutdown" => settings.graceful_shutdown = span(value)?,
                        "timeout" => settings.switchover_timeout = span(value)?,
                        "threshold" => settings.threshold = value.parse().map_err(|_| "a number")?,
                        "delta" => settings.delta_route_modifier = value.parse().map_err(|_| "a number")?,
                        "bfd" => settings.peer_bfd = Some(bfd(value)?),
                        "monitors" => settings.monitors = monitors(value)?,
                        "advertise-in-standby" => settings.advertise_in_standby = value == "yes",
                        _ => return Err(format!("`{key}` is not a setting of a pair")),
                    }
                }
            }
        }
    }
    let mut world = World::new(settings, steady(), Rng::new(1));
    world.trace = Some(Vec::new());
    Ok(world)
}

/// Every step takes the same time, so that a story can be read with a clock in hand.
fn steady() -> Pace {
    Pace {
        dial: Range::exactly(Span::millis(20)),
        link: Range::exactly(Span::millis(1)),
        kernel: Range::exactly(Span::millis(2)),
        learn: Range::exactly(Span::millis(5)),
        ack: Range::exactly(Span::millis(1)),
        session: Range::exactly(Span::millis(10)),
        keep: Range::exactly(Span::millis(400)),
        keeps: 100,
        late: Range::exactly(Span::ZERO),
    }
}

fn obey(world: &mut World, command: &str) -> Result<(), String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let fault = match words[..] {
        ["run", time] => {
            let end = world.now + span(time)?;
            world.run_until(end);
            return Ok(());
        }
        ["detail"] => {
            world.detail = true;
            return Ok(());
        }
        ["start", "both"] => {
            for side in [0, 1] {
                world.at(world.now, Due::Boot { side });
            }
            return Ok(());
        }
        ["start", name] => {
            let side = side(name)?;
            world.at(world.now, Due::Boot { side });
            return Ok(());
        }
        ["steady"] => Fault::Pace(Box::new(steady())),
        ["takes", what, time] => {
            let mut pace = world.pace.clone();
            let range = Range::exactly(span(time)?);
            match what {
                "link" => pace.link = range,
                "kernel" => pace.kernel = range,
                "learn" => pace.learn = range,
                "ack" => pace.ack = range,
                _ => return Err(format!("`{command}`: link, kernel, learn or ack")),
            }
            Fault::Pace(Box::new(pace))
        }
        ["lose", "flushes"] => {
            world.never_flushed = 100;
            return Ok(());
        }
        ["cut"] => Fault::Cut([true, true]),
        ["cut", "towards", name] => {
            let to = side(name)?;
            Fault::Cut([to == 0, to == 1])
        }
        ["heal"] => Fault::Heal,
        ["reset"] => Fault::Disconnect,
        ["crash", name] => Fault::Crash(side(name)?),
        ["power-off", name] => Fault::PowerOff(side(name)?),
        ["suspend", name, time] => Fault::Freeze(side(name)?, span(time)?),
        ["switchover", name] => Fault::Switchover(side(name)?, false),
        ["switchover", name, "force"] => Fault::Switchover(side(name)?, true),
        ["validate", name] => Fault::Validate(side(name)?),
        ["terminate", name] => Fault::Terminate(side(name)?),
        ["stop", name] => Fault::Stop(side(name)?),
        ["bgp", name, "down", time] => {
            for router in 0..ROUTERS {
                let fault = Fault::Session { side: side(name)?, router, span: span(time)? };
                world.at(world.now, Due::Fault(fault));
            }
            return Ok(());
        }
        ["refuse", name, refuses, time] => {
            let refuses = refuses.parse().map_err(|_| format!("`{command}`: 1 to 10 of 10 objects"))?;
            Fault::Refuse { side: side(name)?, refuses, span: span(time)? }
        }
        ["monitor", name, monitor, what @ ("down" | "up")] => {
            let side = side(name)?;
            let known = world.nodes[side].settings.monitors.iter();
            let index = known.map(|one| &one.id.name).position(|known| known == monitor);
            let index = index.ok_or_else(|| format!("`{command}`: no monitor `{monitor}`"))?;
            world.note(side, format_args!("--- monitor {monitor} finds it {what}"));
            world.surround(side, index, what == "down");
            return Ok(());
        }
        ["reset", kind @ ("aaa" | "diameter"), name] => {
            let side = side(name)?;
            let kind = if kind == "aaa" { Probed::Aaa } else { Probed::Diameter };
            world.note(side, format_args!("--- an operator resets {}", kind.kind()));
            world.ask(side, |request| Event::ResetMonitor { request, kind });
            return Ok(());
        }
        ["bfd", name, what] => {
            let (configured, up, failed) = match what {
                "held" => (0, 0, 0),
                "never-up" => (1, 0, 0),
                "up" => (1, 1, 0),
                "failed" => (1, 0, 1),
                "half" => (2, 1, 1),
                _ => return Err(format!("`{command}`: held, never-up, up, failed or half")),
            };
            let side = side(name)?;
            let event = Event::PeerBfd { configured, up, failed };
            world.note(side, format_args!("BFD with the peer: {what}"));
            world.at(world.now, Due::Tell { side, life: world.nodes[side].life, event });
            return Ok(());
        }
        _ => return Err(format!("`{command}` is not a command")),
    };
    world.at(world.now, Due::Fault(fault));
    Ok(())
}

/// `bgp:a@1,bgp:b,aaa:radius`: kind, name and, behind `@`, group.
fn monitors(words: &str) -> Result<Vec<Monitored>, String> {
    let one = |word: &str| {
        let wrong = || format!("`{word}`: write KIND:NAME or KIND:NAME@GROUP");
        let (kind, name) = word.split_once(':').ok_or_else(wrong)?;
        let (name, group) = name.split_once('@').map_or((name, None), |(name, group)| (name, Some(group)));
        let kind = match kind {
            "aaa" => MonitorKind::Aaa,
            "bgp" => MonitorKind::Bgp,
            "bfd" => MonitorKind::Bfd,
            "diameter" => MonitorKind::Diameter,
            "interface" => MonitorKind::Interface,
            "kernel" => MonitorKind::Kernel,
            "announcement" => MonitorKind::Announcement,
            _ => return Err(wrong()),
        };
        let group = group.map(|group| group.parse().map_err(|_| wrong())).transpose()?;
        Ok(super::monitors::monitored(kind, name, group))
    };
    words.split(',').map(one).collect()
}

fn bfd(word: &str) -> Result<PeerBfdSettings, String> {
    let ignore_dead_interval = match word {
        "faster" => false,
        "second-sign" => true,
        _ => return Err(format!("`bfd={word}`: faster or second-sign")),
    };
    Ok(PeerBfdSettings { ignore_dead_interval })
}

fn side(name: &str) -> Result<usize, String> {
    NAMES.iter().position(|known| *known == name).ok_or_else(|| format!("`{name}`: east or west"))
}

fn span(text: &str) -> Result<Span, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}`: a span such as 300ms or 2s"));
    if let Some(micros) = text.strip_suffix("us") {
        return number(micros).map(Span);
    }
    if let Some(millis) = text.strip_suffix("ms") {
        return number(millis).map(Span::millis);
    }
    number(text.strip_suffix('s').unwrap_or(text)).map(Span::secs)
}

//! Whole upgrades of two chassis that are simulated command by command: what `srpctl` would answer, and what it would change.

use serde_json::{Value, json};

use super::*;

const OLD: &str = "/flash/old.bin";
const NEW: &str = "/flash/new.bin";
const CONFIG: &str = "/flash/srp/srpd.toml";

#[derive(Clone, Debug)]
struct Box_ {
    active: bool,
    /// Image and state, the first one first.
    entries: Vec<(String, &'static str)>,
    files: Vec<String>,
    runs: String,
    life: u32,
    restarts: u32,
    /// When it is back.
    back_us: u64,
    neighbors: u64,
}

/// What is wrong with the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    LinkDown,
    OutOfSync,
    BgpDown,
    AaaDown,
    MonitorFailed,
    StackFull,
    Unsound,
    SwitchRefused,
    TestFails,
    PassedOver,
    NeighborsLost,
    PeerGone,
}

struct World {
    boxes: [Box_; 2],
    now_us: u64,
    fault: Fault,
    kept: Option<State>,
    /// The program ends at this write.
    ends_at: Option<usize>,
    /// The program ends before this step.
    ends_before: Option<Act>,
    writes: usize,
    dead: bool,
    changes: Vec<String>,
    tests: Vec<Side>,
}

impl World {
    fn new(standby: Side) -> Self {
        let one = |side| Box_ {
            active: side != standby,
            entries: vec![(OLD.into(), "good")],
            files: vec![OLD.into()],
            runs: OLD.into(),
            life: 1,
            restarts: 0,
            back_us: 0,
            neighbors: 2,
        };
        Self {
            boxes: Side::BOTH.map(one),
            now_us: 1_000_000,
            fault: Fault::None,
            kept: None,
            ends_at: None,
            ends_before: None,
            writes: 0,
            dead: false,
            changes: Vec::new(),
            tests: Vec::new(),
        }
    }

    fn at(&self, side: Side) -> &Box_ {
        &self.boxes[usize::from(side == Side::Peer)]
    }

    fn at_mut(&mut self, side: Side) -> &mut Box_ {
        &mut self.boxes[usize::from(side == Side::Peer)]
    }

    fn info(&self, side: Side) -> Value {
        let (own, other) = (self.at(side), self.at(side.other()));
        let role = |active| if active { "Active" } else { "Standby" };
        let up = self.fault != Fault::LinkDown && other.back_us <= self.now_us;
        json!({
            "chassis_state": role(own.active),
            "peer": up.then(|| json!({ "state": role(other.active) })),
            "peer_address": "192.0.2.2",
            "connection_state": if up { "Connected" } else { "Connecting" },
            "configuration_state": if self.fault == Fault::OutOfSync { "Out of sync" } else { "In sync" },
            "boot_id": own.life.to_string(),
            "kernel_refused": []
        })
    }

    fn boot(&self, side: Side) -> Value {
        let own = self.at(side);
        let entry = |(index, (image, state)): (usize, &(String, &str))| json!({ "priority": index + 1, "image": image, "config": CONFIG, "state": state });
        let entries: Vec<_> = own.entries.iter().enumerate().map(entry).collect();
        json!({ "booted": { "image": own.runs, "config": CONFIG }, "next": entries[0], "entries": entries })
    }

    fn bgp(&self, side: Side) -> Value {
        let own = self.at(side);
        let lost = self.fault == Fault::NeighborsLost && own.restarts > 0;
        let neighbor = |n: u64| {
            let down = self.fault == Fault::BgpDown && n == 0;
            json!({ "address": n.to_string(), "state": if down { "Connect" } else { "Established" }, "prefixes_received": 3 })
        };
        let neighbors: Vec<_> = (0..if lost { 0 } else { own.neighbors }).map(neighbor).collect();
        let originated = if own.active { vec![json!({}); 4] } else { Vec::new() };
        json!([{ "context": "isp", "originated": originated, "neighbors": neighbors }])
    }

    fn manifest(image: &str) -> Value {
        let version = if image.contains("new") { "0.2.0" } else { "0.1.0" };
        json!({ "version": version, "build": "b", "members": { "v": { "size": 1000, "sha256": "x" } } })
    }

    fn switch(&mut self, active: Side) -> Result<Value, Vec<String>> {
        if !self.at(active).active || self.fault == Fault::SwitchRefused {
            return Err(vec!["not now".into()]);
        }
        self.at_mut(active).active = false;
        self.at_mut(active.other()).active = true;
        Ok(json!({ "took_ms": 5.0 }))
    }

    fn reload(&mut self, side: Side) -> Value {
        assert!(!self.at(side).active, "{side} serves and was to be restarted");
        let passed_over = self.fault == Fault::PassedOver;
        self.now_us += 1_000_000;
        let back_us = self.now_us + 30_000_000;
        let own = self.at_mut(side);
        let entry = usize::from(passed_over);
        own.runs.clone_from(&own.entries[entry].0);
        own.entries[entry].1 = "good";
        own.life += 1;
        own.restarts += 1;
        own.back_us = back_us;
        if side == Side::Here {
            self.dead = true;
            self.now_us = back_us;
        }
        json!({ "restarting": true })
    }

    fn answer(&mut self, side: Side, words: &[&str]) -> Result<Value, Vec<String>> {
        let line = words.join(" ");
        if !matches!(words[0], "show" | "directory") && line != "srp validate-switchover" {
            self.changes.push(format!("{side}: {line}"));
        }
        match words {
            ["show", "srp", "info"] => Ok(self.info(side)),
            ["show", "srp", "monitor"] => {
                let failures =
                    if self.fault == Fault::MonitorFailed { json!([{ "what": "BFD" }]) } else { json!([]) };
                Ok(json!({ "monitors": [], "failures": failures }))
            }
            ["show", "ip", "bgp", "summary"] => Ok(self.bgp(side)),
            ["show", "snmp", ..] => {
                let down = self.fault == Fault::AaaDown && self.at(side).active;
                Ok(if down { json!([{ "name": "starSRPAAAUnreachable" }]) } else { json!([]) })
            }
            ["show", "boot"] => Ok(self.boot(side)),
            ["show", "version"] => {
                let image = &self.at(side).runs;
                Ok(json!({ "image": image, "manifest": Self::manifest(image) }))
            }
            ["show", "version", file] => {
                let there = file.starts_with("/usb") || self.at(side).files.iter().any(|one| one == file);
                if !there || self.fault == Fault::Unsound && file.contains("new") {
                    return Err(vec!["the signature of the file does not hold".into()]);
                }
                Ok(json!({ "manifest": Self::manifest(file), "sound": true }))
            }
            ["directory"] => Ok(json!({ "folder": "/flash", "free": 50_000_000 })),
            ["copy", _, to, _] => {
                self.at_mut(side).files.push((*to).into());
                Ok(json!({}))
            }
            ["boot", "system", "priority", "next", "image", image, ..] => {
                self.at_mut(side).entries.insert(0, ((*image).into(), "new"));
                Ok(json!({ "priority": 1 }))
            }
            ["no", "boot", "system", "priority", number] => {
                let index = number.parse::<usize>().expect("a number") - 1;
                self.at_mut(side).entries.remove(index);
                Ok(json!({}))
            }
            ["srp", "initiate-switchover"] => self.switch(side),
            ["srp", "validate-switchover"] | ["save" | "filesystem", ..] => Ok(json!({})),
            ["reload", _] => Ok(self.reload(side)),
            other => panic!("nobody answers {other:?}"),
        }
    }

    /// Runs as the worker and the script at the start of a machine do: again after each end of the program.
    fn work(&mut self, mut state: State) -> State {
        for _ in 0..50 {
            run(self, &mut state).expect("kept");
            if !self.dead {
                return state;
            }
            self.dead = false;
            state = self.kept.clone().expect("something was written");
        }
        panic!("it never ends: {state:?}");
    }

    fn wish() -> Wish {
        Wish {
            id: "1".into(),
            source: "/usb/new.bin".into(),
            peer: "root@192.0.2.2".into(),
            ..Wish::default()
        }
    }

    fn upgrade(&mut self, wish: &Wish) -> State {
        let state = begin(self, wish).expect("a pair");
        self.work(state)
    }
}

impl Pair for World {
    fn ask(&mut self, side: Side, words: &[&str]) -> Result<Value, Trouble> {
        if self.dead {
            return Err(Trouble::Told);
        }
        let gone = side == Side::Peer && self.fault == Fault::PeerGone;
        if gone || self.at(side).back_us > self.now_us {
            return Err(Trouble::Unreachable { side, why: "no route".into() });
        }
        self.answer(side, words).map_err(|reasons| Trouble::Refused { side, what: words.join(" "), reasons })
    }

    fn send(&mut self, from: &str, to: &str) -> Result<(), Trouble> {
        let signature = from.strip_suffix(".sig").is_some();
        assert!(signature || self.at(Side::Here).files.iter().any(|one| one == from));
        self.changes.push(format!("the peer: {to}"));
        self.at_mut(Side::Peer).files.push(to.into());
        Ok(())
    }

    fn test(&mut self, command: &str, active: Side) -> Result<(), Trouble> {
        self.tests.push(active);
        if self.fault == Fault::TestFails {
            let reasons = vec!["exit status 1".into()];
            return Err(Trouble::Refused { side: Side::Here, what: command.into(), reasons });
        }
        Ok(())
    }

    fn keep(&mut self, state: &State) -> Result<(), Trouble> {
        if self.dead {
            return Ok(());
        }
        self.writes += 1;
        self.kept = Some(state.clone());
        if self.ends_at == Some(self.writes)
            || state.next().is_some_and(|step| self.ends_before == Some(step.act))
        {
            self.dead = true;
        }
        Ok(())
    }

    fn now_us(&self) -> u64 {
        self.now_us
    }

    fn pause(&mut self, span_ms: u64) -> Result<(), Trouble> {
        self.now_us += span_ms * 1000;
        if self.dead { Err(Trouble::Told) } else { Ok(()) }
    }
}

fn reasons(state: &State) -> String {
    match &state.outcome {
        Outcome::Stopped { reasons } => reasons.join("\n"),
        other @ (Outcome::Running | Outcome::Done | Outcome::Aborted) => panic!("{other:?}"),
    }
}

/// One serves, and each boots what it ran before or the new image where it is verified.
fn is_safe(world: &World) {
    assert_eq!(world.boxes.iter().filter(|one| one.active).count(), 1);
    for one in &world.boxes {
        assert!(one.entries.iter().all(|(image, _)| one.files.contains(image)), "{one:?}");
    }
}

#[test]
fn ops_1_both_run_the_new_release_and_each_has_restarted_once() {
    for standby in Side::BOTH {
        for switch_back in [false, true] {
            let mut world = World::new(standby);
            let state = world.upgrade(&Wish { switch_back, ..World::wish() });
            assert_eq!(state.outcome, Outcome::Done, "{state:?}");
            for side in Side::BOTH {
                let own = world.at(side);
                assert_eq!((own.runs.as_str(), own.restarts), (NEW, 1));
                assert_eq!(own.active, (side == standby) != switch_back);
            }
            assert_eq!(state.done.len(), state.steps.len());
        }
    }
}

#[test]
fn resumed_after_an_end_at_any_write_it_comes_to_the_same_end() {
    for standby in Side::BOTH {
        let mut whole = World::new(standby);
        whole.upgrade(&World::wish());
        for ends_at in 1..=whole.writes {
            let mut world = World::new(standby);
            world.ends_at = Some(ends_at);
            let state = world.upgrade(&World::wish());
            assert_eq!(state.outcome, Outcome::Done, "ended at write {ends_at}: {:?}", state.outcome);
            for side in Side::BOTH {
                assert_eq!(world.at(side).runs, NEW, "ended at write {ends_at}");
                assert!(world.at(side).restarts <= 2, "ended at write {ends_at}");
                assert_eq!(world.at(side).entries.len(), 2, "ended at write {ends_at}");
            }
        }
    }
}

#[test]
fn the_first_doubt_stops_it_with_its_reason_and_what_stands_is_safe() {
    let tests = Wish { test: Some("call-everyone".into()), ..World::wish() };
    for (fault, step, said) in [
        (Fault::LinkDown, Act::Check, "SRP link of the peer is down"),
        (Fault::OutOfSync, Act::Check, "configurations of the pair differ"),
        (Fault::BgpDown, Act::Check, "BGP neighbor 0 of the peer is Connect"),
        (Fault::AaaDown, Act::Check, "no AAA server answers this chassis"),
        (Fault::MonitorFailed, Act::Check, "monitors of the peer failed: BFD"),
        (Fault::StackFull, Act::Room, "is full: delete an entry there, `no boot system priority 10`"),
        (Fault::Unsound, Act::Verify, "the signature of the file does not hold"),
        (Fault::SwitchRefused, Act::TakeOver, "`srp initiate-switchover`: not now"),
        (Fault::TestFails, Act::Test, "`call-everyone`: exit status 1"),
        (Fault::PassedOver, Act::Running, "its loader passed it over"),
        (Fault::NeighborsLost, Act::Settled, "the peer has 0 Established BGP neighbors, and had 2"),
        (Fault::PeerGone, Act::Room, "the peer cannot be reached"),
    ] {
        let mut world = World::new(Side::Peer);
        let state = begin(&mut world, &tests).expect("a pair");
        world.fault = fault;
        if fault == Fault::StackFull {
            world.at_mut(Side::Peer).entries = vec![(OLD.into(), "good"); 10];
        }
        let state = world.work(state);
        assert_eq!(state.next().map(|step| step.act), Some(step), "{fault:?}");
        assert!(reasons(&state).contains(said), "{fault:?}: {}", reasons(&state));
        is_safe(&world);
        let before_the_first = [Act::Room, Act::Verify, Act::Check].contains(&step);
        assert_eq!(world.at(Side::Peer).restarts, u32::from(!before_the_first), "{fault:?}");
        assert_eq!(world.at(Side::Here).restarts, 0, "{fault:?}");

        // Once it is put right, it goes on there.
        world.fault = Fault::None;
        if fault == Fault::StackFull {
            world.at_mut(Side::Peer).entries.truncate(1);
        }
        if fault == Fault::PassedOver {
            continue; // its entry is for the operator: `boot system priority`, `reload`
        }
        assert_eq!(world.work(state).outcome, Outcome::Done, "{fault:?}");
    }
}

#[test]
fn ops_7_test_calls_that_fail_stop_it_before_the_other_one_restarts() {
    let mut world = World::new(Side::Here);
    let wish = Wish { test: Some("call".into()), switch_back: true, ..World::wish() };
    assert_eq!(world.upgrade(&wish).outcome, Outcome::Done);
    assert_eq!(world.tests, [Side::Here, Side::Peer]);
}

#[test]
fn a_peer_that_goes_in_the_middle_stops_it_and_it_can_be_resumed() {
    let mut world = World::new(Side::Here);
    let mut state = begin(&mut world, &World::wish()).expect("a pair");
    world.ends_before = Some(Act::Settled);
    while state.next().is_some_and(|step| step.act != Act::Settled) {
        run(&mut world, &mut state).expect("kept");
        world.dead = false;
        state = world.kept.clone().expect("written");
    }
    (world.ends_before, world.fault) = (None, Fault::PeerGone);
    let state = world.work(state);
    assert!(reasons(&state).contains("the peer cannot be reached: no route"), "{}", reasons(&state));
    is_safe(&world);
    world.fault = Fault::None;
    assert_eq!(world.work(state).outcome, Outcome::Done);
}

#[test]
fn what_cannot_be_upgraded_is_refused_and_nothing_is_changed() {
    let older = || {
        let mut world = World::new(Side::Here);
        for one in &mut world.boxes {
            one.runs = NEW.into();
        }
        world
    };
    let mut two_active = World::new(Side::Here);
    two_active.at_mut(Side::Here).active = true;
    let unsound = World { fault: Fault::Unsound, ..World::new(Side::Here) };
    let gone = World { fault: Fault::PeerGone, ..World::new(Side::Here) };
    for (name, mut world, source, said) in [
        ("two Active", two_active, "/usb/new.bin", "one Active and one Standby are needed"),
        ("unsound", unsound, "/usb/new.bin", "the signature of the file does not hold"),
        ("peer gone", gone, "/usb/new.bin", "the peer cannot be reached"),
        ("no image", World::new(Side::Here), "/usb/new.txt", "its name should end in .bin"),
        ("runs already", older(), "/usb/new.bin", "both chassis run 0.2.0 (b) already, as new.bin"),
        ("older", older(), "/usb/oldest.bin", "is older: `upgrade rollback` goes back, or add --older"),
        ("other image of that name", older(), "/usb/x/old/new.bin", "both chassis run"),
    ] {
        match begin(&mut world, &Wish { source: source.into(), ..World::wish() }) {
            Err(Stop::Doubts(doubts)) => assert!(doubts[0].contains(said), "{name}: {doubts:?}"),
            other => panic!("{name}: {other:?}"),
        }
        assert!(world.changes.is_empty(), "{name}: {:?}", world.changes);
    }
}

#[test]
fn a_dry_run_looks_at_what_can_be_looked_at_and_changes_nothing() {
    let mut world = World::new(Side::Peer);
    let state = begin(&mut world, &World::wish()).expect("a pair");
    let findings = survey(&mut world, &state);
    assert_eq!(findings.len(), state.steps.len());
    assert!(findings.iter().all(|finding| finding.doubts.is_empty()), "{findings:?}");
    let found = |act, side| {
        let step = Step { side, act };
        findings.iter().find(|finding| finding.step == step).and_then(|finding| finding.found.clone())
    };
    assert_eq!(found(Act::Enter, Side::Peer).as_deref(), Some("before all others, which are numbered anew"));
    assert!(found(Act::Check, Side::Peer).is_some_and(|text| text.contains("4 BGP neighbors")));
    assert_eq!(found(Act::Check, Side::Here), None, "it is Active until then");
    world.fault = Fault::BgpDown;
    let doubts: Vec<_> = survey(&mut world, &state).into_iter().flat_map(|finding| finding.doubts).collect();
    assert_eq!(doubts.len(), 2, "{doubts:?}");
    assert!(world.changes.is_empty(), "{:?}", world.changes);
}

#[test]
fn ops_8_back_to_the_old_release_from_wherever_it_was_stopped() {
    for standby in Side::BOTH {
        let mut whole = World::new(standby);
        whole.upgrade(&World::wish());
        for ends_at in 1..=whole.writes {
            let mut world = World::new(standby);
            let state = begin(&mut world, &World::wish()).expect("a pair");
            world.ends_at = Some(ends_at);
            let mut there = state;
            while world.writes < ends_at {
                run(&mut world, &mut there).expect("kept");
                world.dead = false;
                there = world.kept.clone().expect("written");
            }
            world.ends_at = None;
            world.now_us += 60_000_000;
            match back(&mut world, &there, &World::wish()) {
                Ok(state) => {
                    let state = world.work(state);
                    assert_eq!(state.outcome, Outcome::Done, "ended at write {ends_at}: {:?}", state.outcome);
                }
                Err(Stop::Doubts(doubts)) => {
                    assert!(doubts[0].contains("nothing to go back from"), "{doubts:?}");
                }
                Err(Stop::Told) => panic!("nobody told"),
            }
            for one in &world.boxes {
                assert_eq!(one.runs, OLD, "ended at write {ends_at}");
                assert_eq!(one.entries, [(OLD.to_owned(), "good")], "ended at write {ends_at}");
            }
            is_safe(&world);
        }
    }
}

#[test]
fn the_way_back_stops_where_the_old_image_is_no_longer_entered() {
    let mut world = World::new(Side::Here);
    let state = world.upgrade(&World::wish());
    for one in &mut world.boxes {
        one.entries.retain(|(image, _)| image == NEW);
    }
    let state = back(&mut world, &state, &World::wish()).expect("it runs");
    let state = world.work(state);
    assert!(
        reasons(&state).contains("`boot system priority next image /flash/old.bin config"),
        "{}",
        reasons(&state)
    );
    is_safe(&world);
}

#[test]
fn what_is_remembered_reads_back_and_is_turned_round_for_the_peer() {
    let mut world = World::new(Side::Here);
    let state = world.upgrade(&World::wish());
    let text = serde_json::to_string(&state).expect("JSON");
    assert_eq!(serde_json::from_str::<State>(&text).expect("a state"), state);
    let there = state.seen_by_peer();
    assert_eq!(there.first, Side::Peer);
    assert_eq!(there.seen_by_peer(), state);
}

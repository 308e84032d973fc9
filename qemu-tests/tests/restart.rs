//! `srpd` is killed on the Active and started again under graceful restart (RFC 4724), with FRR or BIRD as its helper: the
//! steady flows of the lab lose nothing. What the host dropped of its own accord is taken off, as everywhere in the lab.

mod support;

use lab::backlog;
use lab::error::LabError;
use lab::lab::Lab;
use lab::probe::gaps::Outcome;
use lab::probe::run::Running;
use lab::probe::send::Ask;
use lab::routing::Software;
use lab::scenario::measure::STEADY;
use lab::scenario::stage::{LIMIT, Settings, Stage, View};
use lab::topology::Topology;
use srp_core::types::ChassisState;
use support::build;

/// Graceful restart on both chassis, and a dead-interval.
fn configured(mut settings: Settings, dead_interval: &str) -> Settings {
    for text in settings.configurations.values_mut() {
        let on = "[context.bgp]\ngraceful-restart = \"on\"\nrestart-time = \"20s\"";
        let dead = format!("dead-interval = \"{dead_interval}\"");
        let lines = text.lines().map(|line| match line {
            "[context.bgp]" => on,
            line if line.starts_with("dead-interval") => dead.as_str(),
            line => line,
        });
        *text = lines.collect::<Vec<_>>().join("\n");
    }
    settings
}

/// FRR that also restarts gracefully itself, not only helps.
fn routers_restart_too(lab: &Lab) {
    for router in &lab.routers {
        let router_as = router.routing.frr().expect("FRR").vtysh("show running-config").expect("answers");
        let router_as =
            router_as.lines().find(|line| line.starts_with("router bgp ")).expect("BGP").to_owned();
        let job =
            ["configure terminal", &router_as, "bgp graceful-restart"].map(|line| format!("-c '{line}'"));
        let line = format!("vtysh --vty_socket . --config_dir . {}", job.join(" "));
        let job = lab::node::Job::new("sh", ["-c", &line]);
        router.node.run_ok(&job, LIMIT).expect("FRR takes it");
    }
}

/// The same, and both chassis have learned what the routers tell.
fn start(lab: &Lab, settings: Settings) -> Stage<'_> {
    let stage = support::start(lab, settings);
    for chassis in stage.names() {
        stage.until_routes_learnt(&chassis).expect("learns");
    }
    stage
}

/// Runs `act` under probes: the packets that were lost, those that the host itself dropped, and an account of them.
fn lost(stage: &mut Stage<'_>, at_the_end: &str, act: impl FnOnce(&mut Stage<'_>)) -> (u64, u64, String) {
    let dropped = backlog::dropped();
    let probe = Running::start(stage.lab, "restart", Ask::Responder).expect("the probe starts");
    probe.flows(STEADY, Some("east"), LIMIT).expect("flows before");
    act(stage);
    probe.flows(STEADY, Some(at_the_end), LIMIT).expect("flows after");
    let record = probe.stop().expect("a record");
    let outcomes: Vec<Outcome> = record.streams.iter().map(|one| Outcome::of(one, &record)).collect();
    let lost: usize = outcomes.iter().map(Outcome::lost).sum();
    let dropped = backlog::dropped().saturating_sub(dropped);
    (u64::try_from(lost).expect("a count"), dropped, format!("{lost} lost, {dropped} dropped: {outcomes:#?}"))
}

/// Runs `act` under probes, and judges that not one packet more is lost than the host dropped.
fn without_loss(stage: &mut Stage<'_>, at_the_end: &str, act: impl FnOnce(&mut Stage<'_>)) {
    let (lost, dropped, account) = lost(stage, at_the_end, act);
    assert!(lost <= dropped, "{account}");
}

/// Kills `srpd` on east and starts it again; `between` while nobody is there.
fn restart(stage: &mut Stage<'_>, between: impl FnOnce(&Stage<'_>) -> Result<(), LabError>) {
    stage.restart("east", between).expect("is started again");
    stage.srpd("east").expect("is known").answers().expect("answers");
}

fn view(stage: &Stage<'_>, chassis: &str) -> View {
    stage.view(chassis).expect("answers")
}

/// The Active is what it was, and nobody has switched.
fn resumed(stage: &Stage<'_>) {
    stage.until_settled("east").expect("settles");
    stage.until_bgp_established("east").expect("has its sessions");
    assert_eq!((view(stage, "east").modifier, view(stage, "west").switchovers), (1, 0));
}

#[test]
fn an_active_that_is_killed_and_vouched_for_loses_nothing_and_nobody_switches() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    let mut stage = start(&lab, configured(settings, "30s"));
    without_loss(&mut stage, "east", |stage| {
        restart(stage, |_| Ok(()));
        resumed(stage);
    });
}

/// What the probes see where nobody vouches: the tests beside this one are able to fail.
#[test]
fn an_active_that_is_killed_and_not_vouched_for_loses_packets() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    let mut settings = configured(settings, "30s");
    for text in settings.configurations.values_mut() {
        *text = text.replace("graceful-restart = \"on\"", "graceful-restart = \"off\"");
    }
    let mut stage = start(&lab, settings);
    let (lost, dropped, account) = lost(&mut stage, "east", |stage| {
        restart(stage, |_| Ok(()));
        resumed(stage);
    });
    assert!(lost > dropped, "{account}");
}

#[test]
fn routers_that_restart_gracefully_themselves_help_as_well() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    routers_restart_too(&lab);
    let mut stage = start(&lab, configured(settings, "30s"));
    without_loss(&mut stage, "east", |stage| {
        restart(stage, |_| Ok(()));
        resumed(stage);
    });
}

#[test]
fn bird_helps_as_well() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair().with_routers(Software::Bird), out.path(), None);
    let mut stage = start(&lab, configured(settings, "30s"));
    without_loss(&mut stage, "east", |stage| {
        restart(stage, |_| Ok(()));
        resumed(stage);
    });
}

#[test]
fn an_active_without_a_peer_that_is_killed_loses_nothing() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    let mut stage = start(&lab, configured(settings, "150ms"));
    stage.srpd("west").expect("runs").stop().expect("stops");
    stage.forget("west");
    without_loss(&mut stage, "east", |stage| {
        restart(stage, |_| Ok(()));
        stage
            .until_views("east Active", |views| views["east"].state == ChassisState::Active)
            .expect("serves alone");
        stage.until_bgp_established("east").expect("has its sessions");
    });
}

#[test]
fn an_active_that_is_killed_and_replaced_hands_over_what_still_leads_to_it_without_loss() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    let mut stage = start(&lab, configured(settings, "150ms"));
    without_loss(&mut stage, "west", |stage| {
        let west_serves = |stage: &Stage<'_>| {
            stage.until_views("west Active", |views| views["west"].state == ChassisState::Active).map(drop)
        };
        restart(stage, west_serves);
        stage.until_settled("west").expect("settles");
        stage.until_routes_lead_to("west").expect("routers follow");
        assert_eq!(view(stage, "east").state, ChassisState::Standby);
    });
}

//! Pools in the kernel.

use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Keys, Pair};

#[test]
fn pool_1_pools_and_loopbacks_of_the_source_are_routes_of_the_active_alone() {
    let pair = Pair::new();
    let more = "
[[context.loopback]]
name = \"haservice\"
address = \"172.17.1.1/32\"
srp-activate = true
[[context.pool]]
name = \"static\"
prefix = \"172.19.0.0/20\"
kind = \"static\"
srp-activate = true
[[context.pool]]
name = \"some\"
prefixes = [\"172.20.0.10-172.20.0.20\", \"172.21.0.0/24\"]
busyout = true
srp-activate = true
";
    let east = pair.east.start(&pair.east.configure(&Keys::None, more));
    let west = pair.west.start(&pair.west.configure(&Keys::None, more));
    let (active, standby) = match east
        .await_info("a settled pair", |info| {
            let peer = info.peer.as_ref().map(|peer| peer.state);
            let states = (info.chassis_state, peer);
            states == (ChassisState::Active, Some(ChassisState::Standby))
                || states == (ChassisState::Standby, Some(ChassisState::Active))
        })
        .chassis_state
    {
        ChassisState::Active => (&pair.east, &pair.west),
        _standby => (&pair.west, &pair.east),
    };
    west.await_info("the same configuration", |info| info.configuration_state == "In sync");
    let wanted = [
        "172.17.1.1/32",
        "blackhole 172.19.0.0/20",
        "blackhole 172.20.0.10/31",
        "blackhole 172.20.0.12/30",
        "blackhole 172.20.0.16/30",
        "blackhole 172.20.0.20",
        "blackhole 172.21.0.0/24",
    ];
    active.await_that("all of it", |place| wanted.iter().all(|object| place.kernel().contains(object)));
    standby.await_that("nothing of it", |place| !wanted.iter().any(|object| place.kernel().contains(object)));
}

#[test]
fn exec_1_configurations_are_compared_on_demand_and_at_their_interval_item_by_item() {
    let pair = Pair::new();
    let pool = |net: u8| {
        format!("[[context.pool]]\nname = \"static\"\nprefix = \"172.{net}.0.0/20\"\nsrp-activate = true\n")
    };
    let interval = |file: &std::path::Path| {
        let text = std::fs::read_to_string(file).expect("the file");
        let text = text.replacen("drain-interval", "configuration-interval = \"1s\"\ndrain-interval", 1);
        std::fs::write(file, text).expect("the file");
    };
    let files = [pair.east.configure(&Keys::None, &pool(19)), pair.west.configure(&Keys::None, &pool(20))];
    for file in &files {
        interval(file);
    }
    let [east, west] = [pair.east.start(&files[0]), pair.west.start(&files[1])];
    east.await_info("a difference", |info| info.configuration_state.starts_with("Out of sync (1"));
    let Ok(Response::Validation(validation)) = east.ask(&Request::ValidateConfiguration) else {
        panic!("checks")
    };
    let said: Vec<_> = validation.checks.iter().map(|check| (check.passed, check.detail.as_str())).collect();
    let differs =
        "context destination pool static: 172.19.0.0/20 blackhole here, 172.20.0.0/20 blackhole on the peer";
    assert_eq!(said, [(false, differs)]);
    let info = east.info().expect("an answer");
    assert_eq!(info.last_validate_configuration_status, "Failed (1 differences)");

    // Each second the items go out again, without a reload or a new link.
    let sent = || match east.ask(&Request::ShowSrpStatistics) {
        Ok(Response::SrpStatistics(of)) => of.configuration_validation_messages_sent,
        other => panic!("{other:?}"),
    };
    let before = sent();
    east.await_info("two comparisons more", |_| sent() >= before + 2);

    let text =
        std::fs::read_to_string(&files[1]).expect("the file").replace("172.20.0.0/20", "172.19.0.0/20");
    std::fs::write(&files[1], text).expect("the file");
    west.signal(nix::sys::signal::Signal::SIGHUP);
    east.await_info("the same", |info| info.configuration_state == "In sync");
    let Ok(Response::Validation(validation)) = east.ask(&Request::ValidateConfiguration) else {
        panic!("checks")
    };
    assert!(validation.checks.iter().all(|check| check.passed));
    assert_eq!(east.info().expect("an answer").last_validate_configuration_status, "Success");
}

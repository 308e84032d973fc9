//! Pools in the kernel.

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

//! What `show ip bgp neighbors` says of a session with FRR, and what `clear ip bgp` does to it.

use std::fs;

use nix::sys::signal::Signal;
use srp_core::api::{BgpFamily, BgpNeighborDetails, ClearBgp, Request, Response};
use srp_core::types::ChassisState;

use crate::contexts::router;
use crate::support::{Daemon, Keys, Pair, Place};

/// The router tells three prefixes, of which two are let in; we have two, of which it is told one.
fn configuration(limits: &str) -> String {
    format!(
        "\n[[context]]\nname = \"red\"\ntable = 1001\n\
         [[context.pool]]\nname = \"p\"\nprefix = \"172.20.0.0/16\"\n\
         [[context.pool]]\nname = \"q\"\nprefix = \"172.21.0.0/16\"\n\
         [context.bgp]\nas = 65001\nrouter-id = \"192.0.2.101\"\n\
         [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nlocal-address = \"10.1.0.1\"\nremote-as = 65101\n\
         import = [\"10.9.0.0/16 le 24\"]\nmaximum-prefixes-out = 1\n{limits}"
    )
}

fn await_neighbor(
    daemon: &Daemon,
    what: &str,
    holds: impl Fn(&BgpNeighborDetails) -> bool,
) -> BgpNeighborDetails {
    daemon.await_info(what, |_| holds(&daemon.neighbor("10.1.0.2")));
    daemon.neighbor("10.1.0.2")
}

fn clear(daemon: &Daemon, what: ClearBgp) {
    let done = daemon.ask(&Request::ClearBgp { neighbor: "10.1.0.2".into(), what });
    assert!(matches!(&done, Ok(Response::BgpCleared(cleared)) if cleared.contexts == ["red"]), "{done:?}");
}

fn sent(neighbor: &BgpNeighborDetails, kind: &str) -> u64 {
    neighbor.messages.iter().filter(|count| count.kind == kind).map(|count| count.sent).sum()
}

fn reload(daemon: &Daemon, east: &Place, limits: &str) {
    east.configure(&Keys::None, &configuration(limits));
    daemon.signal(Signal::SIGHUP);
}

#[test]
fn neighbor_is_shown_with_its_limits_errors_and_capabilities_and_cleared_softly() {
    let pair = Pair::new();
    let east = &pair.east;
    let router = router(east, 1);
    let more = ["10.9.1.0/24", "10.8.0.0/16"].map(|prefix| format!("network {prefix}"));
    router.vtysh(
        "bgpd",
        &["configure terminal", "router bgp 65101", "address-family ipv4 unicast", &more[0], &more[1]],
    );
    let file =
        east.configure(&Keys::None, &configuration("maximum-prefixes = 20\nmaximum-prefixes-warning = 10\n"));
    let log = pair.file("east.log");
    let daemon = east.start_logging_to(&file, fs::File::create(&log).expect("a log file").into());
    daemon.await_state(ChassisState::Active);

    let seen = await_neighbor(&daemon, "routes both ways", |seen| {
        // FRR tells us what we told it as well, which the AS path keeps out.
        (seen.families[0].received, seen.families[0].accepted, seen.families[0].announced) == (4, 2, 1)
    });
    let expected = BgpFamily {
        family: "ipv4-unicast".into(),
        agreed: true,
        received: 4,
        accepted: 2,
        announced: 1,
        limit: Some(20),
        warning_above: Some(2),
        limit_warnings: 1,
        limit_exceeded: 0,
        limit_out: Some(1),
        held_back: 1,
    };
    assert_eq!((&seen.families[0], seen.limit_action.as_str(), &seen.idle), (&expected, "end", &None));
    let other = &seen.families[1];
    assert_eq!((other.agreed, other.received, other.limit, other.limit_out), (false, 0, None, None));
    // FRR 8.4 sends both; the name is that of its host.
    let of =
        |name: &str| seen.capabilities.iter().find(|row| row.name == name).and_then(|row| row.theirs.clone());
    assert_eq!(of("old route refresh (128)").as_deref(), Some("yes"), "{seen:?}");
    assert!(of("FQDN (73)").is_some_and(|name| !name.contains("octets")), "{seen:?}");
    assert!(seen.capabilities.iter().all(|row| !row.name.starts_with("code ")), "{seen:?}");
    assert_eq!((seen.md5, seen.ao_keys.len(), &seen.bfd_session), (false, 0, &None));

    let asked = |request: &Request| daemon.ask(request).expect("an answer");
    let Response::BgpAdvertised(told) = asked(&Request::ShowBgpAdvertised { neighbor: "10.1.0.2".into() })
    else {
        panic!("what it is told")
    };
    let prefixes: Vec<_> = told[0].routes.iter().map(|route| route.prefix.as_str()).collect();
    assert_eq!((told[0].context.as_str(), prefixes), ("red", vec!["172.20.0.0/16"]));
    let Response::BgpRoutes(tables) = asked(&Request::ShowBgpReceived { neighbor: "10.1.0.2".into() }) else {
        panic!("what it tells")
    };
    let paths: Vec<_> = tables[0].paths.iter().map(|path| (path.prefix.as_str(), path.used)).collect();
    let expected =
        [("10.8.0.0/16", false), ("10.9.0.0/16", true), ("10.9.1.0/24", true), ("172.20.0.0/16", false)];
    assert_eq!((tables[0].context.as_str(), &paths[..]), ("red", &expected[..]));

    clear(&daemon, ClearBgp::SoftOut);
    let updates = sent(&seen, "UPDATE");
    let again = await_neighbor(&daemon, "told again", |again| sent(again, "UPDATE") > updates);
    clear(&daemon, ClearBgp::SoftIn);
    let judged = daemon.neighbor("10.1.0.2");
    assert_eq!((again.established, judged.established, judged.lost), (1, 1, 0));
    assert_eq!(judged.families[0].accepted, 2);

    // A lower limit holds at once, and an operator lifts what came of it.
    reload(&daemon, east, "maximum-prefixes = 2\nmaximum-prefixes-restart = \"600s\"\n");
    let ended = await_neighbor(&daemon, "the session has ended", |seen| seen.idle.is_some());
    assert_eq!((ended.state.as_str(), ended.lost, ended.families[0].limit_exceeded), ("Idle", 1, 1));
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_micros();
    let until = ended.idle.as_ref().and_then(|idle| idle.until_us).expect("a time");
    let left = u128::from(until).saturating_sub(now);
    assert!(left > 0 && left <= 600_000_000, "{left} us");
    let row = ended.notifications.iter().find(|row| row.sent && (row.code, row.subcode) == (6, 1));
    assert!(row.is_some_and(|row| row.count == 1 && row.name.contains("prefixes")), "{ended:?}");
    assert!(ended.last_loss.as_ref().is_some_and(|why| why.contains("(6/1)")), "{ended:?}");
    reload(&daemon, east, "");
    await_neighbor(&daemon, "no limit any more", |seen| seen.families[0].limit.is_none());
    clear(&daemon, ClearBgp::Session);
    let back = await_neighbor(&daemon, "Established again", |seen| seen.established == 2);
    assert_eq!((back.idle, back.families[0].limit), (None, None));

    // One line for each change, and why.
    let log = fs::read_to_string(&log).expect("the log");
    let lines =
        |what: &str| log.lines().filter(|line| line.contains(what) && line.contains("10.1.0.2")).count();
    assert_eq!((lines("neighbor up"), lines("neighbor down")), (2, 1), "{log}");
    let down = log.lines().find(|line| line.contains("neighbor down")).unwrap_or_default();
    assert!(down.contains("maximum number of prefixes reached (6/1)"), "{down}");
}

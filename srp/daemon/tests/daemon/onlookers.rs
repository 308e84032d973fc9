//! MRT files and BMP stations: what the configuration brings about, and what `show ip bgp summary` says of it.

use std::fs;

use nix::sys::signal::Signal;
use srp_core::api::{BgpOnlooker, Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair};

const BGP: &str = "
[context.bgp]
as = 65001
router-id = \"192.0.2.1\"
";

const ONLOOKERS: &str = "
[context.bgp.mrt]
file = \"updates.mrt\"

[[context.bgp.bmp]]
address = \"192.0.2.2\"
port = 5000
";

fn onlookers(daemon: &Daemon) -> Vec<BgpOnlooker> {
    match daemon.ask(&Request::ShowBgpSummary) {
        Ok(Response::BgpSummary(contexts)) => contexts.into_iter().flat_map(|one| one.onlookers).collect(),
        other => panic!("{other:?}"),
    }
}

fn dump(daemon: &Daemon, context: &str, file: &std::path::Path) -> Response {
    let request = Request::DumpBgp { context: context.into(), file: file.into() };
    daemon.ask(&request).expect("an answer")
}

#[test]
fn onlookers_are_shown_and_go_with_a_reload() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, &format!("{BGP}{ONLOOKERS}"));
    let daemon = pair.east.start(&file);
    daemon.await_state(ChassisState::Active);
    let text = |wanted: &str| onlookers(&daemon).iter().any(|one| one.state.contains(wanted));
    pair.east.await_that("the file is written", |_| text("writes"));
    pair.east.await_that("the station cannot be reached", |_| text("Connection refused"));
    let names: Vec<_> = onlookers(&daemon).into_iter().map(|one| one.name).collect();
    assert_eq!(names[0], format!("MRT {}", pair.file("updates.mrt").display()));
    assert_eq!(names[1..], ["BMP 192.0.2.2:5000"]);
    assert!(pair.file("updates.mrt").exists());

    let text = fs::read_to_string(&file).expect("the file").replace(ONLOOKERS, "");
    fs::write(&file, text).expect("the file");
    daemon.signal(Signal::SIGHUP);
    pair.east.await_that("nobody looks on", |_| onlookers(&daemon).is_empty());
}

#[test]
fn table_is_dumped_where_it_is_wanted_or_refused_in_words() {
    let pair = Pair::new();
    let daemon = pair.east.start(&pair.east.configure(&Keys::None, BGP));
    daemon.await_state(ChassisState::Active);
    let file = pair.file("table.mrt");
    pair.east.await_that("it answers", |_| daemon.info().is_ok());
    let Response::BgpDumped(dumped) = dump(&daemon, "destination", &file) else { panic!("a dump") };
    let octets = fs::read(&file).expect("the file");
    assert_eq!(dumped.octets, octets.len() as u64);
    // RFC 6396 section 4.3.1: TABLE_DUMP_V2, and the index of neighbours first.
    assert_eq!(octets[4..8], [0, 13, 0, 1]);

    let refused = |context: &str, file: &std::path::Path| match dump(&daemon, context, file) {
        Response::Error { reasons } => reasons.join("\n"),
        other => panic!("{other:?}"),
    };
    assert!(refused("elsewhere", &file).contains("name one that does: destination"));
    assert!(refused("destination", &pair.file("no/such/folder")).contains("give an absolute path"));
}

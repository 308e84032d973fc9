//! What snmptrapd hears of AAA servers.

use super::freeradius::{STATUS, chassis, freeradius, server};
use super::{servers, shown};
use crate::support::Pair;
use crate::told::station;

/// The name of a notification of the public MIB, as `snmptrapd` prints it.
fn trap(number: u32) -> String {
    format!(".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.4.1.8164.2.{number}\t")
}

#[test]
fn ops_6_snmptrapd_hears_that_no_aaa_server_answers_and_that_one_does_again() {
    const TARGET: &str = "
[[snmp.target]]
address = \"192.0.2.1\"
community-file = \"community\"
";
    let pair = Pair::new();
    super::secret(&pair.east.folder, "community", "public");
    let station = station(&pair, "v2c", 162, "authCommunity log public\n");
    let radius = freeradius(&pair.west, 1812, "testing123");
    let daemon = chassis(&pair, &format!("{STATUS}{}{TARGET}", server(1812)));
    shown("up", || servers(&daemon), |all| all[0].state == "Up");
    assert!(!station.output().contains(&trap(125)), "{}", station.output());

    drop(radius);
    let line = station.await_line(&[&trap(125)]);
    for bound in [
        ".1.3.6.1.4.1.8164.1.31.5.0 = STRING: \"srp\"",
        ".1.3.6.1.4.1.8164.1.31.13.0 = IpAddress: 192.0.2.1",
        ".1.3.6.1.4.1.8164.1.31.12.0 = INTEGER: ",
        "starSRPAAAUnreachable",
    ] {
        assert!(line.contains(bound), "{bound}: {line}");
    }
    let heard = |number| station.output().matches(&trap(number)).count();
    assert_eq!((heard(125), heard(124)), (1, 0), "{}", station.output());

    let _radius = freeradius(&pair.west, 1812, "testing123");
    let line = station.await_line(&[&trap(124)]);
    assert!(line.contains("starSRPAAAReachable"), "{line}");
    assert_eq!((heard(125), heard(124)), (1, 1), "{}", station.output());
}

//! Who is told of events, and who reads counts: what is refused, with the text that an operator reads, and the defaults.

use super::{SHORT, parse, said_of};
use crate::config::{BulkConfig, Inform, MetricsConfig, SnmpAuth, SnmpSecurity, SyslogTransport};
use crate::events::{Name, Severity};
use crate::types::Span;

#[test]
fn what_is_wrong_with_outlets_is_said_with_its_line_value_reason_and_remedy() {
    let target = "[[snmp.target]]\naddress = \"10.0.0.9\"\n";
    let rows = [
        (
            target.to_owned(),
            "srp.toml:5: snmp.target[10.0.0.9].community-file: missing\n    \
             add community-file to this table: path of a file whose first line is the community",
        ),
        (
            format!("{target}version = \"3\"\n"),
            "srp.toml:5: snmp.target[10.0.0.9].user: missing\n    \
             add user to this table: name of the user at the station",
        ),
        (
            format!("{target}community-file = \"c\"\nuser = \"srp\"\n"),
            "srp.toml:8: snmp.target[10.0.0.9].user = \"srp\": this has no effect without version = \"3\"\n    \
             set version = \"3\", or remove this",
        ),
        (
            format!("{target}version = \"3\"\nuser = \"srp\"\ncommunity-file = \"c\"\n"),
            "srp.toml:9: snmp.target[10.0.0.9].community-file = \"c\": this has no effect without version = \"2c\"\n    \
             set version = \"2c\", or remove this",
        ),
        (
            format!("{target}version = \"3\"\nuser = \"srp\"\nprivacy-file = \"p\"\n"),
            "srp.toml:9: snmp.target[10.0.0.9].privacy-file = \"p\": this has no effect without auth-file\n    \
             set auth-file, or remove this",
        ),
        (
            format!("{target}community-file = \"c\"\nretries = 2\n"),
            "srp.toml:8: snmp.target[10.0.0.9].retries = 2: this has no effect without inform = true\n    \
             set inform = true, or remove this",
        ),
        (
            format!("{target}community-file = \"c\"\nversion = \"1\"\n"),
            "srp.toml:8: snmp.target[10.0.0.9].version = \"1\": not a word that is known here\n    \
             write one of: 2c, 3",
        ),
        (
            format!("{target}community-file = \"c\"\nsource-address = \"2001:db8::1\"\n"),
            "srp.toml:8: snmp.target[10.0.0.9].source-address = \"2001:db8::1\": of another address family than \
             snmp.target[10.0.0.9].address (line 6)\n    write two IPv4 addresses or two IPv6 addresses",
        ),
        (
            format!("{target}community-file = \"c\"\n{target}community-file = \"d\"\n"),
            "srp.toml:9: snmp.target[10.0.0.9].address = \"10.0.0.9\": the same target as \
             snmp.target[10.0.0.9].address (line 6)\n    remove one of the two",
        ),
        (
            "[snmp]\nengine-id = \"8000\"\n".to_owned(),
            "srp.toml:6: snmp.engine-id = \"8000\": out of range\n    allowed: 5 .. 32 octets in hexadecimal",
        ),
        (
            "[snmp]\nengine-id = \"0000000000\"\n".to_owned(),
            "srp.toml:6: snmp.engine-id = \"0000000000\": cannot be read as an SNMP engine ID\n    \
             write it like this: \"80001fe40302005e100001\"",
        ),
        (
            "[[syslog]]\naddress = \"10.0.0.9\"\nport = 0\n".to_owned(),
            "srp.toml:7: syslog[10.0.0.9].port = 0: out of range\n    allowed: integer 1 .. 65535",
        ),
        (
            "[[syslog]]\naddress = \"10.0.0.9\"\nseverity = \"bad\"\n".to_owned(),
            "srp.toml:7: syslog[10.0.0.9].severity = \"bad\": not a word that is known here\n    \
             write one of: info, cleared, warning, minor, major, critical",
        ),
        (
            "[metrics]\nport = 9100\n".to_owned(),
            "srp.toml:5: metrics.address: missing\n    add address to this table: IPv4 or IPv6 address",
        ),
        (
            "[bulk-statistics]\nfolder = \"b\"\ninterval = \"500ms\"\n".to_owned(),
            "srp.toml:7: bulk-statistics.interval = \"500ms\": out of range\n    \
             allowed: duration \"1s\" .. \"86400s\"",
        ),
        (
            "[bulk-statistics]\nfolder = \"b\"\ngather-on-standy = false\n".to_owned(),
            "srp.toml:7: bulk-statistics.gather-on-standy = false: unknown key\n    \
             did you mean gather-on-standby?",
        ),
    ];
    for (more, expected) in rows {
        assert_eq!(said_of(&more), [expected], "{more}");
    }
}

#[test]
fn a_name_that_no_event_has_lists_those_that_are() {
    let more = "[[syslog]]\naddress = \"10.0.0.9\"\nevents = [\"starSRPSwitchoverOccurred\"]\n";
    let said = said_of(more);
    assert!(said.len() == 1 && said[0].contains("syslog[10.0.0.9].events[0]"), "{said:?}");
    assert!(said[0].contains("starSRPSwitchoverOccured, "), "{said:?}");
}

#[test]
fn outlets_of_which_little_is_said_have_the_documented_defaults() {
    let config = parse(&format!(
        "{SHORT}[[snmp.target]]\naddress = \"10.0.0.9\"\nversion = \"3\"\nuser = \"srp\"\nauth-file = \"/a\"\n\
         [[syslog]]\naddress = \"10.0.0.9\"\n[metrics]\naddress = \"127.0.0.1\"\n[bulk-statistics]\nfolder = \"/b\"\n"
    ));
    let target = &config.outlets.snmp[0];
    assert_eq!((target.port, target.source_address, &config.outlets.engine_id), (162, None, &None));
    let security = SnmpSecurity::V3 {
        user: "srp".into(),
        auth: Some((SnmpAuth::Sha256, "/a".into())),
        privacy_file: None,
    };
    assert_eq!(target.security, security);
    assert_eq!(target.inform, None, "traps");
    let inform =
        format!("{SHORT}[[snmp.target]]\naddress = \"10.0.0.9\"\ncommunity-file = \"/c\"\ninform = true\n");
    let inform = parse(&inform).outlets.snmp.remove(0).inform;
    assert_eq!(inform, Some(Inform { retries: 3, timeout: Span::secs(2) }));
    let collector = &config.outlets.syslog[0];
    assert_eq!((collector.port, collector.facility, collector.transport), (514, 3, SyslogTransport::Udp));
    assert_eq!((collector.filter.severity, collector.filter.names.len()), (Severity::Info, 0));
    assert_eq!(config.metrics, Some(MetricsConfig { address: [127, 0, 0, 1].into(), port: 4_495 }));
    let bulk =
        BulkConfig { folder: "/b".into(), interval: Span::secs(900), keep: 96, gather_on_standby: true };
    assert_eq!(config.bulk_statistics, Some(bulk));
    assert!(parse(SHORT).metrics.is_none(), "no port is open unless one is named");
}

#[test]
fn a_filter_takes_what_is_as_bad_and_what_clears_it() {
    let more = "[[syslog]]\naddress = \"10.0.0.9\"\nseverity = \"major\"\n";
    let filter = parse(&format!("{SHORT}{more}")).outlets.syslog.remove(0).filter;
    let takes = |name| filter.takes(&crate::events::Occurrence::new(name));
    assert!(takes(Name::SrpConnDown) && takes(Name::SrpConnUp) && takes(Name::PeerTwins));
    assert!(!takes(Name::SrpActive) && !takes(Name::BgpPeerSessionUp));
}

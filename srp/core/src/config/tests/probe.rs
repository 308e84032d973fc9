//! What is probed: what a short file gets, and what cannot work.

use std::path::Path;

use super::{parse, read};
use crate::config::{AuthQuestion, Config, SignedAnswers, differences};
use crate::types::Span;

const SHORT: &str = "[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n\
                     [[context]]\nname = \"aaa\"\n";

const PROBE: &str = "[srp.monitor.authentication-probe]\nmode = \"status-server\"\n";

const SERVER: &str = "[[srp.monitor.authentication-probe.server]]\ncontext = \"aaa\"\naddress = \"10.9.1.1\"\n\
                      secret-file = \"radius.secret\"\n";

const PEER: &str = "[[srp.monitor.diameter]]\ncontext = \"aaa\"\naddress = \"10.9.2.1\"\n\
                    origin-host = \"a.example\"\norigin-realm = \"example\"\n";

fn said_of(more: &str) -> Vec<String> {
    read(&format!("{SHORT}{more}")).expect_err("a fault")
}

fn config(more: &str) -> Config {
    parse(&format!("{SHORT}{more}"))
}

#[test]
fn mon_8_short_probe_gets_the_documented_defaults() {
    let probe = config(&format!("{PROBE}{SERVER}")).srp.auth_probe.expect("a probe");
    assert_eq!(probe.question, AuthQuestion::StatusServer);
    assert_eq!((probe.probe_interval, probe.retry_interval), (Span::secs(10), Span::secs(3)));
    assert_eq!((probe.max_retries, probe.servers[0].port), (5, 1812));
    assert_eq!(probe.servers[0].secret_file, Path::new("radius.secret"));
    assert_eq!(probe.require_message_authenticator, SignedAnswers::Auto);
}

#[test]
fn ch_15_another_aaa_server_is_a_difference() {
    let ours = config(&format!("{PROBE}{SERVER}"));
    let theirs = config(&format!("{PROBE}{}", SERVER.replace("10.9.1.1", "10.9.1.2")));
    let said = differences(&ours.comparison_items(), &theirs.comparison_items());
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(said.contains("10.9.1.1") && said.contains("10.9.1.2"), "{said}");
    // Each may have a secret of its own with it.
    let theirs = config(&format!("{PROBE}{}", SERVER.replace("radius.secret", "west.secret")));
    assert_eq!(differences(&ours.comparison_items(), &theirs.comparison_items()), Vec::<String>::new());
}

#[test]
fn printed_and_read_again_it_is_the_same() {
    for more in [format!("{PROBE}{SERVER}"), PEER.to_owned(), format!("{PROBE}{SERVER}{PEER}")] {
        let config = config(&more);
        assert_eq!(parse(&config.to_toml()), config);
    }
}

#[test]
fn mon_7_peer_gets_the_documented_defaults() {
    let peer = config(PEER).srp.monitor_diameter.remove(0);
    assert_eq!((peer.port, peer.application_id, peer.group), (3868, u32::MAX, None));
    assert_eq!((peer.watchdog_interval, peer.reconnect_interval), (Span::secs(10), Span::secs(5)));
}

#[test]
fn what_cannot_work_is_said_with_its_remedy() {
    let access = "[srp.monitor.authentication-probe]\n";
    let rows = [
        (
            format!("{access}user = \"probe\"\n{SERVER}"),
            "srp.toml:7: srp.monitor.authentication-probe.password-file: missing\n    \
             add password-file to this table: path",
        ),
        (
            format!("{PROBE}user = \"probe\"\n{SERVER}"),
            "srp.toml:9: srp.monitor.authentication-probe.user = \"probe\": this has no effect without \
             mode = \"access-request\"\n    set mode = \"access-request\", or remove this",
        ),
        (
            PROBE.to_owned(),
            "srp.toml:7: srp.monitor.authentication-probe.server: missing\n    add server to this table: \
             [[srp.monitor.authentication-probe.server]] with address and secret-file",
        ),
        (
            format!("{PROBE}{SERVER}{SERVER}"),
            "srp.toml:15: srp.monitor.authentication-probe.server[10.9.1.1].address = \"10.9.1.1\": the same server as \
             srp.monitor.authentication-probe.server[10.9.1.1].address (line 11)\n    ",
        ),
        (
            format!("{PROBE}{SERVER}source-address = \"2001:db8::1\"\n"),
            "srp.toml:13: srp.monitor.authentication-probe.server[10.9.1.1].source-address = \"2001:db8::1\": ",
        ),
        (
            format!("{PROBE}retry-interval = \"99ms\"\n{SERVER}"),
            "srp.toml:9: srp.monitor.authentication-probe.retry-interval = \"99ms\": out of range\n",
        ),
        (
            format!("{PROBE}max-retries = 65536\n{SERVER}"),
            "srp.toml:9: srp.monitor.authentication-probe.max-retries = 65536: out of range\n",
        ),
        (
            PEER.replace("\"aaa\"", "\"bbb\""),
            "srp.toml:8: srp.monitor.diameter[10.9.2.1].context = \"bbb\": ",
        ),
        (
            format!("{PEER}watchdog-interval = \"5s\"\n"),
            "srp.toml:12: srp.monitor.diameter[10.9.2.1].watchdog-interval = \"5s\": out of range\n",
        ),
        (
            PEER.replace("a.example", "a example"),
            "srp.toml:10: srp.monitor.diameter[10.9.2.1].origin-host = \"a example\": out of range\n",
        ),
        (
            format!("{PEER}local-address = \"10.9.2.1\"\n"),
            "srp.toml:9: srp.monitor.diameter[10.9.2.1].address = \"10.9.2.1\": an address of this chassis itself",
        ),
        (
            format!("{PEER}{PEER}"),
            "srp.toml:14: srp.monitor.diameter[10.9.2.1].address = \"10.9.2.1\": the same peer as",
        ),
    ];
    for (more, fault) in rows {
        let said = said_of(&more);
        assert!(said.len() == 1 && said[0].starts_with(fault), "{fault}\n{said:#?}");
    }
}

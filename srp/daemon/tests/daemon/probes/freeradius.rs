//! FreeRADIUS: accept, reject, Status-Server, another secret, killed and back, reloads.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use srp_core::api::{AuthServer, Request, Response};
use srp_core::types::ChassisState;

use super::{Server, needs, secret, servers, shown};
use crate::support::{Daemon, Keys, Pair, Place};

const PROGRAM: &str = "/usr/sbin/freeradius";

/// One user; requests have to have a Message-Authenticator. That of Debian 12 puts none into its answers by itself.
pub(super) fn freeradius(place: &Place, port: u16, shared: &str) -> Server {
    start(place, port, shared, "")
}

/// The same, with one in its answers.
fn that_signs(place: &Place, port: u16, shared: &str) -> Server {
    let sign = "update reply {\n Message-Authenticator := 0x00\n }\n";
    let reject = format!("Post-Auth-Type REJECT {{\n {sign} }}\n");
    start(place, port, shared, &format!("post-auth {{\n {sign} {reject} }}\n"))
}

fn start(place: &Place, port: u16, shared: &str, more: &str) -> Server {
    needs(PROGRAM, "freeradius");
    let folder = place.folder.join(format!("freeradius-{port}"));
    fs::create_dir_all(&folder).expect("a folder");
    let at = folder.display();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file of FreeRADIUS");
    write("dictionary", "$INCLUDE /usr/share/freeradius/dictionary\n");
    write(
        "users",
        "probe Cleartext-Password := \"hello\"\n\
         core NAS-IP-Address == 203.0.113.1, Cleartext-Password := \"hello\"\n",
    );
    write(
        "radiusd.conf",
        &format!(
            "prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {at}
run_dir = {at}
db_dir = {at}
logdir = {at}
security {{
    reject_delay = 0
    status_server = yes
}}
proxy_requests = no
modules {{
    files {{
        filename = {at}/users
    }}
    pap {{
    }}
}}
client chassis {{
    ipaddr = *
    secret = {shared}
    require_message_authenticator = yes
}}
server default {{
    listen {{
        type = auth
        ipaddr = *
        port = {port}
    }}
    authorize {{
        files
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
    }}
    {more}
}}
"
        ),
    );
    let folder = folder.to_str().expect("a plain path");
    Server::start(place, PROGRAM, &["-f", "-X", "-d", folder], &Path::new(folder).join("log"))
}

pub(super) const ACCESS: &str = "
[srp.monitor.authentication-probe]
user = \"probe\"
password-file = \"password\"
nas-identifier = \"east\"
probe-interval = \"200ms\"
retry-interval = \"500ms\"
max-retries = 1
";

pub(super) const STATUS: &str = "
[srp.monitor.authentication-probe]
mode = \"status-server\"
probe-interval = \"200ms\"
retry-interval = \"500ms\"
max-retries = 1
";

pub(super) fn server(port: u16) -> String {
    format!(
        "[[srp.monitor.authentication-probe.server]]\ncontext = \"destination\"\naddress = \"192.0.2.2\"\n\
         port = {port}\nsource-address = \"192.0.2.1\"\nsecret-file = \"secret\"\n"
    )
}

/// East alone, which becomes Active and probes west.
pub(super) fn chassis(pair: &Pair, more: &str) -> Daemon {
    secret(&pair.east.folder, "password", "hello");
    secret(&pair.east.folder, "secret", "testing123");
    let daemon = pair.east.start(&pair.east.configure(&Keys::None, more));
    daemon.await_state(ChassisState::Active);
    daemon
}

fn states(servers: &[AuthServer]) -> Vec<&str> {
    servers.iter().map(|server| server.state.as_str()).collect()
}

#[test]
fn mon_1_freeradius_that_accepts_or_rejects_is_up() {
    let pair = Pair::new();
    let _radius = that_signs(&pair.west, 1812, "testing123");
    let strict = ACCESS.to_owned() + "require-message-authenticator = \"yes\"\n";
    let daemon = chassis(&pair, &format!("{strict}{}", server(1812)));
    let show = || servers(&daemon);
    let all = shown("accepted", show, |all| all[0].accepts > 1);
    assert_eq!((all[0].state.as_str(), all[0].reason.as_str()), ("Up", "answers with Access-Accept"));
    assert!(all[0].round_trip_ms.is_some() && all[0].bad_answers.is_empty(), "{all:?}");

    // Another password in the same file: a reload reads it again, and a reject is an answer.
    secret(&pair.east.folder, "password", "another");
    daemon.signal(Signal::SIGHUP);
    let all = shown("rejected", show, |all| all[0].rejects > 1);
    assert_eq!((all[0].state.as_str(), all[0].reason.as_str()), ("Up", "answers with Access-Reject"));
    assert_eq!(all[0].downs, 0);
}

/// A user whom the server accepts from one NAS alone.
#[test]
fn ctx_1_nas_ip_address_reaches_freeradius() {
    let pair = Pair::new();
    let _radius = freeradius(&pair.west, 1812, "testing123");
    let core = ACCESS.replace("\"probe\"", "\"core\"");
    let daemon = chassis(&pair, &format!("{core}nas-ip-address = \"203.0.113.2\"\n{}", server(1812)));
    let show = || servers(&daemon);
    let all = shown("rejected", show, |all| all[0].rejects > 1);
    assert_eq!(all[0].accepts, 0);
    let file = pair.file("east.toml");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("203.0.113.2", "203.0.113.1")).expect("the file");
    daemon.signal(Signal::SIGHUP);
    shown("accepted", show, |all| all[0].accepts > 1);
}

#[test]
fn freeradius_that_does_not_sign_is_up_unless_it_has_to() {
    let pair = Pair::new();
    let _radius = freeradius(&pair.west, 1812, "testing123");
    let daemon = chassis(&pair, &format!("{ACCESS}{}", server(1812)));
    let show = || servers(&daemon);
    shown("accepted", show, |all| all[0].accepts > 1 && all[0].state == "Up");
    let file = pair.file("east.toml");
    let text = fs::read_to_string(&file).expect("the file");
    let strict = text.replace("max-retries = 1", "max-retries = 1\nrequire-message-authenticator = \"yes\"");
    fs::write(&file, strict).expect("the file");
    daemon.signal(Signal::SIGHUP);
    let all = shown("down", show, |all| all[0].state == "Down");
    assert!(all[0].reason.contains("no Message-Authenticator: update the server (CVE-2024-3596)"), "{all:?}");
    assert_eq!(all[0].bad_answers[0].name, "no-message-authenticator");
}

#[test]
fn mon_2_freeradius_that_is_killed_is_down_and_up_when_it_is_back() {
    let pair = Pair::new();
    let radius = freeradius(&pair.west, 1812, "testing123");
    let daemon = chassis(&pair, &format!("{STATUS}{}", server(1812)));
    let show = || servers(&daemon);
    let all = shown("up by Status-Server", show, |all| all[0].accepts > 1);
    assert_eq!((states(&all), all[0].mode.as_str()), (vec!["Up"], "status-server"));

    drop(radius);
    let all = shown("down", show, |all| all[0].state == "Down");
    // max-retries is 1: two requests, and the kernel of the server says that nobody listens.
    assert!(all[0].reason.starts_with("no answer to 2 requests within 500ms each"), "{all:?}");
    assert!(all[0].reason.contains("Connection refused"), "{all:?}");
    assert_eq!((all[0].downs, all[0].failures), (1, 2));

    let _radius = freeradius(&pair.west, 1812, "testing123");
    let all = shown("up again", show, |all| all[0].state == "Up");
    assert_eq!(all[0].failures, 0);
}

#[test]
fn mon_2_server_with_another_secret_is_down() {
    let pair = Pair::new();
    let _radius = freeradius(&pair.west, 1812, "another");
    let daemon = chassis(&pair, &format!("{ACCESS}{}", server(1812)));
    let all = shown("down", || servers(&daemon), |all| all[0].state == "Down");
    assert_eq!((all[0].accepts, all[0].rejects), (0, 0));

    // The right one in the file, and a reload.
    secret(&pair.east.folder, "secret", "another");
    daemon.signal(Signal::SIGHUP);
    shown("up", || servers(&daemon), |all| all[0].state == "Up");
}

#[test]
fn reload_leaves_servers_alone_that_do_not_change() {
    let pair = Pair::new();
    let _first = freeradius(&pair.west, 1812, "testing123");
    let daemon = chassis(&pair, &format!("{ACCESS}{}{}", server(1812), server(1912)));
    let show = || servers(&daemon);
    let before = shown("one up, one down", show, |all| states(all) == ["Up", "Down"]);
    let file = pair.file("east.toml");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace(&server(1912), &server(1913))).expect("the file");
    daemon.signal(Signal::SIGHUP);
    let after = shown("another second server", show, |all| all[1].port == 1913);
    assert!(after[0].sent >= before[0].sent && after[0].since_us.abs_diff(before[0].since_us) < 100_000);
    assert_eq!(after[0].state, "Up");
    // What is not probed any more is not shown.
    fs::write(&file, text.replace(&server(1912), "")).expect("the file");
    daemon.signal(Signal::SIGHUP);
    shown("one server", show, |all| all.len() == 1 && all[0].state == "Up");
}

#[test]
fn exec_3_reset_forgets_the_failures_of_aaa_servers() {
    let pair = Pair::new();
    let daemon = chassis(&pair, &format!("{ACCESS}{}", server(1812)));
    let show = || servers(&daemon);
    let before = shown("down", show, |all| all[0].state == "Down");
    let Ok(Response::MonitorReset(reset)) = daemon.ask(&Request::ResetAuthProbeFail) else {
        panic!("a reset")
    };
    assert!(!reset.was_disregarded);
    let after = shown("down once more", show, |all| all[0].state == "Down" && all[0].downs > before[0].downs);
    assert_eq!(after[0].downs, 2);
}

#[test]
fn secrets_that_cannot_be_read_stop_the_start_and_refuse_a_reload() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, &format!("{ACCESS}{}", server(1812)));
    secret(&pair.east.folder, "password", "hello");
    let (code, said) = pair.east.refusal(&file);
    assert_eq!(code, Some(1));
    assert!(said.contains("the secret of an AAA server cannot be read from"), "{said}");
    assert!(!said.contains("hello"));
    let daemon = chassis(&pair, &format!("{ACCESS}{}", server(1812)));
    secret(&pair.east.folder, "secret", "two\nlines");
    daemon.signal(Signal::SIGHUP);
    let Ok(Response::Configuration(shown)) = daemon.ask(&Request::ShowConfiguration) else {
        panic!("it runs")
    };
    assert!(shown.text.contains("secret-file") && !shown.text.contains("testing123"), "{}", shown.text);
}

#[test]
fn mon_1_only_the_active_probes() {
    let pair = Pair::new();
    for (name, text) in [("password", "hello"), ("secret", "testing123")] {
        secret(&pair.east.folder, name, text);
    }
    let _radius = freeradius(&pair.west, 1812, "testing123");
    let start =
        |place: &Place| place.start(&place.configure(&Keys::None, &format!("{ACCESS}{}", server(1812))));
    let east = start(&pair.east);
    let text = fs::read_to_string(pair.west.configure(&Keys::None, &format!("{ACCESS}{}", server(1812))));
    let file = pair.file("west.toml");
    let text = text.expect("the file").replace("source-address = \"192.0.2.1\"\n", "");
    fs::write(&file, text).expect("the file");
    let west = pair.west.start(&file);
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind the Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    shown("the Active probes", || servers(&east), |all| all[0].state == "Up");
    let idle = servers(&west);
    assert_eq!((idle[0].state.as_str(), idle[0].sent, idle[0].since_us), ("Unknown", 0, 0));
    assert_eq!(idle[0].reason, "probed on the Active only");

    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone(_)), "{done:?}");
    shown("the new Active probes at once", || servers(&west), |all| all[0].sent > 0);
    shown("the old one no longer", || servers(&east), |all| all[0].state == "Unknown");
}

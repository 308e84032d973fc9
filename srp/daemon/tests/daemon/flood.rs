//! Whoever reaches the port of the link costs no Hello.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, PATIENCE, Pair};

const CONNECTIONS: usize = 10_000;

/// East's end of the link.
fn link() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4493))
}

/// A connection that is begun, and on which nothing is ever said.
fn half_open() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).expect("a descriptor");
    // It may be refused, time out or be accepted: nothing is done with it.
    let _ = socket.connect(&link().into());
    socket
}

/// Says a TLS handshake of which each octet takes its time.
struct Slow {
    stream: Option<TcpStream>,
    /// Connections made so far.
    times: u32,
}

impl Slow {
    /// One more octet; a new connection if the last one was closed.
    fn drip(&mut self) {
        let said = self.stream.as_mut().is_some_and(|stream| stream.write_all(&[22]).is_ok());
        if !said {
            // The queue of the listener may be full.
            self.stream = TcpStream::connect_timeout(&link(), Duration::from_millis(20)).ok();
            self.times += u32::from(self.stream.is_some());
        }
    }
}

fn counter(daemon: &Daemon, name: &str) -> u64 {
    let info = daemon.info().expect("info");
    info.link_counters.iter().find(|counter| counter.name == name).map_or(0, |counter| counter.count)
}

#[test]
fn ten_thousand_half_open_connections_and_a_slow_one_delay_no_hello() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
    let wanted = soft.max(u64::try_from(CONNECTIONS).expect("a number") + 1_000);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).expect("more descriptors (needs root)");
    let pair = Pair::new();
    for name in ["east", "west"] {
        pair.make_keys(name);
    }
    let east = pair.east.start(&pair.east.configure(&Keys::Files { own: "east", peer: "west" }, ""));
    let west = pair.west.start(&pair.west.configure(&Keys::Files { own: "west", peer: "east" }, ""));
    // Each by its own word: one that has a Standby beside it may still be about to become Active.
    for (chassis, own, other) in [
        (&east, ChassisState::Active, ChassisState::Standby),
        (&west, ChassisState::Standby, ChassisState::Active),
    ] {
        chassis.await_info(&format!("{own} beside {other}"), |info| {
            info.chassis_state == own && info.peer.as_ref().is_some_and(|peer| peer.state == other)
        });
    }
    let before = [&east, &west].map(|chassis| chassis.info().expect("info"));

    let flood = || {
        // From the peer's own address: strangers are turned away for less.
        let flood: Vec<Socket> = (0..CONNECTIONS).map(|_| half_open()).collect();
        let mut slow = Slow { stream: None, times: 0 };
        until("Hellos through the flood", PATIENCE * 2, Duration::from_millis(20), || {
            slow.drip();
            let now = [&east, &west].map(|chassis| chassis.info().expect("info"));
            for (was, is) in before.iter().zip(&now) {
                assert_eq!((is.connection_ups, is.switchovers), (1, was.switchovers), "{is:?}");
                assert_eq!(
                    (is.chassis_state, is.connection_state.as_str()),
                    (was.chassis_state, "Connected")
                );
            }
            let heard = before.iter().zip(&now).map(|(was, is)| is.hellos_received - was.hellos_received);
            let heard: Vec<u64> = heard.collect();
            let refused = counter(&east, "crowded") + counter(&east, "handshake-limit");
            let enough = heard.iter().all(|heard| *heard > 100) && refused > 500 && slow.times > 1;
            Ok(if enough {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{heard:?} {refused} {}", slow.times))
            })
        })
        .unwrap_or_else(|error| panic!("{error}"));
        drop(flood);
    };
    pair.west.netns.enter(flood).expect("west's namespace");
    // What the flood has left does not keep the link from being found again.
    pair.east.netns.ip(&["link set srp down".into()]).expect("a cut");
    east.await_info("the link is lost", |info| info.peer.is_none());
    pair.east.netns.ip(&["link set srp up".into()]).expect("a healed link");
    east.await_info("the next link", |info| info.peer.is_some());
}

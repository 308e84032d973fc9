//! What is fed, and what has to hold.

use std::net::Ipv4Addr;

use bgp_proto::session::{Action, Event, Offer, RestartOffer, Session, SessionConfig, Side, State};
use bgp_proto::types::{Asn, Families, Family, HoldTime, Millis, PeerKind, RouterId, Time};
use bgp_proto::wire::capability::{Capability, GracefulRestart, Role};
use bgp_proto::wire::header::{Kind, first_frame, push_keepalive, push_message, push_notification};
use bgp_proto::wire::notification::{Notification, reason};
use bgp_proto::wire::open::Open;
use bgp_proto::wire::refresh::RouteRefresh;
use bgp_proto::wire::update::{AsWidth, Update, UpdateContext};

/// Something that takes octets.
pub struct Target {
    pub name: &'static str,
    /// Good inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "framing", seeds: messages, run: framing },
    Target { name: "open", seeds: || vec![body(&open())], run: open_message },
    Target { name: "update", seeds: || updates().iter().map(|update| body(update)).collect(), run: update },
    Target { name: "notification", seeds: || vec![vec![6, 2, 4, b'n', b'o', b'o', b'n']], run: notification },
    Target { name: "refresh", seeds: || vec![vec![0, 1, 0, 1], vec![0, 2, 1, 1]], run: refresh },
    Target { name: "session", seeds: sessions, run: session },
];

fn router_id(last: u8) -> RouterId {
    Ipv4Addr::new(192, 0, 2, last).try_into().expect("it is not zero")
}

fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    push_message(&mut octets, kind, |out| out.extend_from_slice(body));
    octets
}

fn body(message: &[u8]) -> Vec<u8> {
    message[19..].to_vec()
}

/// An OPEN with every capability that we know.
fn open() -> Vec<u8> {
    let mut open = Open::ours(Asn(65001), HoldTime::DEFAULT, router_id(9), Families::ALL);
    open.capabilities.extend([
        Capability::ExtendedNextHop(Families::ALL),
        Capability::ExtendedMessage,
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(GracefulRestart {
            restarted: false,
            notification: true,
            time_secs: 120,
            families: Families::ALL,
            forwarding: Families::ALL,
        }),
        Capability::AddPath { receive: Families::ALL, send: Families::ALL },
        Capability::EnhancedRouteRefresh,
    ]);
    let mut octets = Vec::new();
    open.push(&mut octets);
    octets
}

/// Routes, withdrawals and End-of-RIB of both families, with most attributes.
fn updates() -> Vec<Vec<u8>> {
    let v4 = [
        &[0, 0, 0, 51, 0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0x5b, 0xa0][..],
        &[0x40, 3, 4, 192, 0, 2, 2, 0x80, 4, 4, 0, 0, 0, 7, 0xc0, 8, 4, 0xfd, 0xe9, 0, 1],
        &[0xc0, 99, 2, 1, 2, 0x40, 6, 0, 0x40, 5, 4, 0, 0, 0, 100, 8, 10, 16, 172, 16],
    ];
    let v6 = [
        &[
            0, 0, 0, 51, 0x90, 14, 0, 0x1c, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 2, 0,
        ][..],
        &[48, 0x20, 1, 0x0d, 0xb8, 0, 9, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0xc0, 32, 0],
    ];
    let bodies = [
        v4.concat(),
        v6.concat(),
        vec![0, 2, 8, 10, 0, 0],
        vec![0; 4],
        vec![0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1],
    ];
    bodies.iter().map(|body| message(Kind::Update, body)).collect()
}

fn messages() -> Vec<Vec<u8>> {
    let mut messages = updates();
    let mut keepalive = Vec::new();
    push_keepalive(&mut keepalive);
    let mut cease = Vec::new();
    push_notification(&mut cease, &Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, "noon"));
    let mut refresh = Vec::new();
    RouteRefresh::request(Family::Ipv6Unicast).push(&mut refresh);
    messages.extend([open(), keepalive, cease, refresh]);
    messages
}

fn framing(octets: &[u8]) {
    for limit in [4096, 65535] {
        let mut rest = octets;
        while let Ok(Some(frame)) = first_frame(rest, limit) {
            assert!(frame.wire_len() <= limit.min(rest.len()));
            rest = &rest[frame.wire_len()..];
        }
    }
}

fn open_message(octets: &[u8]) {
    let Ok(open) = Open::decode(octets) else { return };
    assert!(open.asn() != Asn(0), "RFC 7607");
    let mut again = Vec::new();
    open.push(&mut again);
    assert_eq!(Open::decode(&again[19..]).map(|open| open.families()), Ok(open.families()));
}

fn update(octets: &[u8]) {
    for as_width in [AsWidth::Two, AsWidth::Four] {
        for kind in [PeerKind::Internal, PeerKind::External] {
            let context = UpdateContext::new(as_width, kind, Families::ALL);
            // Whatever it is: a prefix costs at least an octet, so nothing grows beyond what came.
            if let Ok(update) = Update::decode(octets, context) {
                let announced: usize = update.announced.iter().map(|group| group.prefixes.len()).sum();
                assert!(announced + update.withdrawn.len() <= octets.len());
                update.faults.iter().for_each(|fault| drop(fault.to_string()));
            }
        }
    }
}

fn notification(octets: &[u8]) {
    if let Some(notification) = Notification::decode(octets) {
        let text = notification.to_string();
        assert!(!text.chars().any(char::is_control), "it can be logged");
    }
}

fn refresh(octets: &[u8]) {
    for enhanced in [false, true] {
        if let Ok(refresh) = RouteRefresh::decode(octets, enhanced) {
            assert_eq!(octets.len(), 4);
            let _ = refresh.meaning();
        }
    }
}

/// Programs for [`session`]: an octet for what happens, and messages where something is heard.
fn sessions() -> Vec<Vec<u8>> {
    let heard = |side: u8, message: &[u8]| {
        let length = u16::try_from(message.len()).expect("seeds are short").to_be_bytes();
        [&[8 + side][..], &length, message].concat()
    };
    let mut programs: Vec<_> = messages().iter().map(|message| heard(0, message)).collect();
    programs.extend(messages().iter().map(|message| heard(1, message)));
    let keepalive = message(Kind::Keepalive, &[]);
    programs.push([&[0, 4][..], &heard(0, &open()), &[10, 50], &heard(0, &keepalive)].concat());
    programs.push([&[0, 3][..], &heard(1, &open()), &heard(1, &keepalive)].concat());
    programs.extend((0..11).map(|octet| vec![octet, 200]));
    programs
}

/// Any events in any order.
fn session(program: &[u8]) {
    let restart = RestartOffer {
        time_secs: 9,
        notification: program.len().is_multiple_of(2),
        restarted_until: None,
        forwarding: Families::ALL,
    };
    let mut run = Run {
        session: Session::new(SessionConfig {
            local_as: Asn(65000),
            router_id: router_id(5),
            remote_as: Asn(65001),
            hold_time: HoldTime::DEFAULT,
            families: Families::ALL,
            passive: false,
            delay_open: Millis::new((program.len() as u64 % 3) * 500),
            send_hold: None,
            offer: Offer { graceful_restart: Some(restart), ..Offer::default() },
            seed: program.len() as u64,
        }),
        now: Time::from_millis(0),
        up: false,
    };
    run.event(Event::Start);
    let mut rest = program;
    while let Some((octet, after)) = rest.split_first() {
        rest = after;
        let side = if octet % 2 == 0 { Side::Outgoing } else { Side::Incoming };
        match octet % 11 {
            0 => run.event(Event::Start),
            1 => run.event(Event::Stop(Notification::new(reason::ADMINISTRATIVE_SHUTDOWN))),
            2 => run.event(Event::Reset(Notification::new(reason::ADMINISTRATIVE_RESET))),
            3 => run.event(Event::Accepted),
            4 => run.event(Event::Connected),
            5 => run.event(Event::ConnectFailed("refused".into())),
            6 => run.event(Event::LinkDown),
            7 => run.event(Event::Closed(side, "closed".into())),
            8 | 9 => {
                let Some((length, after)) = rest.split_first_chunk() else { return };
                let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
                let (heard, after) = after.split_at(length);
                rest = after;
                run.event(Event::Received(side, heard));
            }
            _ => {
                let Some((span, after)) = rest.split_first() else { return };
                rest = after;
                run.wait(Millis::new(u64::from(*span) * 100));
            }
        }
    }
}

struct Run {
    session: Session,
    now: Time,
    up: bool,
}

impl Run {
    fn event(&mut self, event: Event<'_>) {
        self.session.handle(self.now, event);
        while let Some(action) = self.session.poll_action() {
            match action {
                Action::Up(..) => assert!(!std::mem::replace(&mut self.up, true), "up twice"),
                Action::Down { was_established, .. } => {
                    assert_eq!(was_established, self.up);
                    self.up = false;
                }
                Action::Update(_) | Action::Refresh(_) | Action::RefreshMark { .. } => {
                    assert!(self.up, "nothing is taken before the session is up");
                }
                Action::Connect
                | Action::AbandonConnect
                | Action::Adopt
                | Action::Refuse(_)
                | Action::Send(..)
                | Action::Close(_) => {}
            }
        }
        assert_eq!(self.up, self.session.state() == State::Established);
    }

    fn wait(&mut self, span: Millis) {
        let end = self.now + span;
        while let Some(at) = self.session.next_deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.event(Event::DeadlineReached);
            assert!(self.session.next_deadline().is_none_or(|next| next > at), "a deadline that stays");
        }
        self.now = end;
    }
}

//! The state machine of a BGP session: any events in any order.

use bgp_proto::session::{Action, Event, Offer, RestartOffer, Session, SessionConfig, Side, State};
use bgp_proto::types::{Asn, Families, Millis, Time};
use bgp_proto::wire::header::Kind;
use bgp_proto::wire::notification::{Notification, reason};

use super::Target;
use super::bgp::{message, messages, open, router_id};
use crate::feedback::Features;

pub(super) const TARGET: Target = Target { name: "session", seeds: programs, run: session };

/// Programs for [`session`]: an octet for what happens, and messages where something is heard.
fn programs() -> Vec<Vec<u8>> {
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
fn session(program: &[u8], features: &mut Features) {
    let restart = RestartOffer {
        time_secs: 9,
        notification: program.len().is_multiple_of(2),
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::ALL,
    };
    let mut run = Run {
        session: Session::new(SessionConfig {
            delay_open: Millis::new((program.len() as u64 % 3) * 500),
            offer: Offer { graceful_restart: Some(restart), ..Offer::default() },
            ..SessionConfig::new(Asn(65000), router_id(5), Asn(65001), program.len() as u64)
        }),
        now: Time::from_millis(0),
        up: false,
        features,
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

struct Run<'f> {
    features: &'f mut Features,
    session: Session,
    now: Time,
    up: bool,
}

impl Run<'_> {
    fn event(&mut self, event: Event<'_>) {
        let before = (self.session.state(), std::mem::discriminant(&event));
        self.session.handle(self.now, event);
        while let Some(action) = self.session.poll_action() {
            self.features.meet((before, std::mem::discriminant(&action), self.session.state()));
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

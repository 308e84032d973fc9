//! The search as rows of what happened, when, and what follows.

use proptest::prelude::*;

use super::*;

const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
const B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xb);
const MAC_A: Option<LinkLayer> = Some([2, 0, 0, 0, 0, 0xa]);
const MAC_B: Option<LinkLayer> = Some([2, 0, 0, 0, 0, 0xb]);

const ALL: Action = Action::Advertise(None);

fn heard(from: Ipv6Addr, link_layer: Option<LinkLayer>) -> Event {
    Event::Advertised { from, link_layer }
}

/// Drives a search through time: deadlines come when they are due.
struct Bench {
    now: Time,
    search: Discovery,
    sent: Vec<(u64, Action)>,
}

impl Bench {
    fn new() -> Self {
        let now = Time::from_millis(0);
        let mut bench = Self { now, search: Discovery::new(now, 7), sent: Vec::new() };
        bench.until(0);
        bench
    }

    /// What the event leads to at once.
    fn tell(&mut self, event: Event) -> Vec<Action> {
        self.search.handle(self.now, event);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Action> {
        let actions: Vec<_> = std::iter::from_fn(|| self.search.poll_action()).collect();
        self.sent.extend(actions.iter().map(|action| (self.now.as_millis(), *action)));
        actions
    }

    /// What time leads to, up to this one, in milliseconds.
    fn until(&mut self, millis: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        while self.search.next_deadline() <= Time::from_millis(millis) {
            self.now = self.search.next_deadline().max(self.now);
            actions.extend(self.tell(Event::DeadlineReached));
        }
        self.now = Time::from_millis(millis);
        actions
    }

    /// When all nodes were told.
    fn told(&self) -> Vec<u64> {
        self.sent.iter().filter(|(_, action)| *action == ALL).map(|(at, _)| *at).collect()
    }

    fn count(&self, action: Action) -> usize {
        self.sent.iter().filter(|(_, sent)| *sent == action).count()
    }
}

#[test]
fn each_event_leads_to_what_the_table_says() {
    let told = |to| vec![Action::Advertise(Some(to)), Action::Found(to)];
    let second = Action::SecondRouter { neighbor: A, other: B };
    let rows: [(&str, &[Event], Vec<Action>); 15] = [
        ("link up", &[Event::LinkUp], vec![ALL, Action::Solicit]),
        ("first router", &[heard(A, MAC_A)], told(A)),
        ("the neighbor again", &[heard(A, MAC_A), heard(A, MAC_A)], vec![]),
        ("another router", &[heard(A, MAC_A), heard(B, MAC_B)], vec![second]),
        ("another router again", &[heard(A, MAC_A), heard(B, MAC_B), heard(B, MAC_B)], vec![]),
        ("another router that says no link-layer address", &[heard(A, MAC_A), heard(B, None)], vec![second]),
        ("two that say none are two", &[heard(A, None), heard(B, None)], vec![second]),
        ("the neighbor's new address", &[heard(A, MAC_A), heard(B, MAC_A)], told(B)),
        ("link down", &[heard(A, MAC_A), Event::LinkDown], vec![Action::Lost]),
        ("link down while nobody is known", &[Event::LinkDown], vec![]),
        ("after link down another router", &[heard(A, MAC_A), Event::LinkDown, heard(B, MAC_B)], told(B)),
        ("connection of a stranger", &[Event::Connected { from: A }], told(A)),
        ("connection of somebody else", &[heard(A, MAC_A), Event::Connected { from: B }], vec![]),
        (
            "end of a session",
            &[heard(A, None), Event::SessionUp { with: A }, Event::SessionDown],
            vec![Action::Solicit],
        ),
        ("end of what was no session", &[heard(A, None), Event::SessionDown], vec![]),
    ];
    for (name, events, expected) in rows {
        let mut bench = Bench::new();
        let mut last = Vec::new();
        for event in events {
            last = bench.tell(*event);
        }
        assert_eq!(last, expected, "{name}");
    }
}

#[test]
fn link_that_comes_up_is_told_at_once_and_quickly_three_times_and_then_every_ten_seconds() {
    let mut bench = Bench::new();
    bench.until(100_000);
    let told = bench.told();
    assert_eq!(told[..4], [0, 3000, 6000, 9000]);
    let gaps: Vec<_> = told[3..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (7500..=10_000).contains(gap)), "{gaps:?}");
    assert_eq!(bench.count(Action::Solicit), told.len(), "nobody has been found");
}

#[test]
fn neighbor_that_is_heard_is_not_solicited() {
    let mut bench = Bench::new();
    for second in (0..100).step_by(10) {
        bench.until(second * 1000);
        bench.tell(heard(A, MAC_A));
    }
    assert_eq!(bench.count(Action::Solicit), 1, "the one of the start");
    assert_eq!((bench.search.neighbor(), bench.count(Action::Lost)), (Some(A), 0));
}

#[test]
fn silent_neighbor_is_solicited_from_half_of_the_hold_time_on_and_then_lost() {
    let mut bench = Bench::new();
    bench.tell(heard(A, MAC_A));
    bench.until(14_000);
    assert_eq!(bench.count(Action::Solicit), 1, "the one of the start");
    let actions = bench.until(29_999);
    assert!(actions.contains(&Action::Solicit) && !actions.contains(&Action::Lost), "{actions:?}");
    assert_eq!(bench.until(30_000), [Action::Lost]);
    assert_eq!(bench.tell(heard(B, MAC_B)), [Action::Advertise(Some(B)), Action::Found(B)]);
}

#[test]
fn session_keeps_a_neighbor_that_advertises_nothing() {
    let mut bench = Bench::new();
    bench.tell(Event::Connected { from: A });
    bench.tell(Event::SessionUp { with: A });
    let actions = bench.until(600_000);
    assert!(actions.iter().all(|action| *action == ALL), "{actions:?}");
    // Another router does not take its place, until it is lost: it has the time to answer, and does not.
    let second = Action::SecondRouter { neighbor: A, other: B };
    assert_eq!(bench.tell(heard(B, MAC_B)), [second]);
    assert_eq!(bench.tell(Event::SessionDown), [Action::Solicit]);
    assert!(bench.until(604_000).contains(&Action::Lost));
    assert_eq!(bench.tell(heard(B, MAC_B)), [Action::Advertise(Some(B)), Action::Found(B)]);
}

#[test]
fn session_of_a_neighbor_that_was_lost_meanwhile_makes_it_known_again() {
    let mut bench = Bench::new();
    bench.tell(heard(A, MAC_A));
    bench.until(30_000);
    assert_eq!(bench.search.neighbor(), None);
    assert_eq!(bench.tell(Event::SessionUp { with: A }), [Action::Advertise(Some(A)), Action::Found(A)]);
    bench.until(100_000);
    assert_eq!(bench.search.neighbor(), Some(A));
}

#[test]
fn new_address_of_the_neighbor_ends_what_the_old_session_proved() {
    let mut bench = Bench::new();
    bench.tell(heard(A, MAC_A));
    bench.tell(Event::SessionUp { with: A });
    assert_eq!(bench.tell(heard(B, MAC_A)), [Action::Advertise(Some(B)), Action::Found(B)]);
    assert_eq!(bench.tell(Event::SessionDown), [], "that of the old address");
    assert!(bench.until(30_000).contains(&Action::Lost));
}

#[test]
fn who_asks_is_answered_alone_within_half_a_second() {
    let mut bench = Bench::new();
    bench.until(20_000);
    assert_eq!(bench.tell(Event::Solicited { from: A }), []);
    bench.tell(Event::Solicited { from: A });
    bench.until(20_500);
    assert_eq!(bench.count(Action::Advertise(Some(A))), 1);
}

#[test]
fn those_who_cannot_be_told_alone_are_told_with_all_but_not_more_often_than_every_three_seconds() {
    let mut bench = Bench::new();
    bench.until(40_000);
    for tenth in 0..200 {
        bench.until(40_000 + tenth * 100);
        bench.tell(Event::Solicited { from: Ipv6Addr::UNSPECIFIED });
        bench.tell(Event::Solicited { from: if tenth % 2 == 0 { A } else { B } });
    }
    let told = bench.told();
    assert!(told.windows(2).all(|pair| pair[1] - pair[0] >= 3000), "{told:?}");
    assert!(told.iter().filter(|at| **at > 40_000).count() >= 5, "{told:?}");
}

#[test]
fn link_that_cannot_be_sent_to_is_tried_again_within_a_second_and_then_told_as_a_new_one() {
    let mut bench = Bench::new();
    let mut tried = Vec::new();
    for _ in 0..6 {
        tried.push(bench.now.as_millis());
        bench.tell(Event::SendFailed);
        bench.until(bench.search.next_deadline().as_millis());
    }
    assert_eq!(tried, [0, 100, 300, 700, 1500, 2500]);
    let from = bench.now.as_millis();
    bench.until(from + 9000);
    let told: Vec<_> = bench.told().into_iter().filter(|at| *at >= from).map(|at| at - from).collect();
    assert_eq!(told, [0, 3000, 6000, 9000]);
}

fn any_event() -> impl Strategy<Value = Event> {
    let address = prop::sample::select(vec![A, B, Ipv6Addr::UNSPECIFIED]);
    let link_layer = prop::sample::select(vec![None, MAC_A, MAC_B]);
    prop_oneof![
        Just(Event::LinkUp),
        Just(Event::LinkDown),
        Just(Event::SendFailed),
        (prop::sample::select(vec![A, B]), link_layer).prop_map(|(from, link_layer)| heard(from, link_layer)),
        address.prop_map(|from| Event::Solicited { from }),
        prop::sample::select(vec![A, B]).prop_map(|from| Event::Connected { from }),
        prop::sample::select(vec![A, B]).prop_map(|with| Event::SessionUp { with }),
        Just(Event::SessionDown),
        Just(Event::DeadlineReached),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_time_goes_on_and_found_and_lost_agree_with_the_neighbor(
        steps in prop::collection::vec((0_u64..20_000, any_event()), 0..60),
    ) {
        let mut bench = Bench::new();
        let mut known = None;
        for (after, event) in steps {
            let mut actions = bench.until(bench.now.as_millis() + after);
            actions.extend(bench.tell(event));
            prop_assert!(bench.search.next_deadline() > bench.now, "the driver would spin");
            for action in actions {
                match action {
                    Action::Found(address) => {
                        prop_assert_ne!(known, Some(address), "found twice");
                        known = Some(address);
                    }
                    Action::Lost => prop_assert!(known.take().is_some(), "lost without being found"),
                    Action::Advertise(_) | Action::Solicit => {}
                    Action::SecondRouter { neighbor, other } => {
                        prop_assert_eq!(known, Some(neighbor));
                        prop_assert_ne!(neighbor, other);
                    }
                }
            }
            prop_assert_eq!(bench.search.neighbor(), known);
        }
    }
}

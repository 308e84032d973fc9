//! One timeline from many observers: the chassis' journals, the routers' kernels, the probes. Pure.

use std::time::Duration;

use srp_core::api::Switchover;

use crate::clock::Time;
use crate::observe::{News, Observation};
use crate::probe::gaps::Outcome;
use crate::probe::record::{Record, Stream};
use crate::report::{Band, Event, Lane, LaneKind};

/// Something that happened, on the host's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Time,
    /// Where.
    pub lane: Lane,
    /// What, by a stable name.
    pub event: String,
    /// More, for people.
    pub detail: String,
}

/// A lane.
pub fn lane(kind: LaneKind, name: &str) -> Lane {
    Lane { kind, name: name.to_owned() }
}

/// The steps of a chassis' journal. `ahead` is how far the chassis' clock is ahead of the host's, in nanoseconds.
pub fn journal(chassis: &str, switchover: &Switchover, ahead: i64) -> Vec<Moment> {
    let moment = |step: &srp_core::api::SwitchoverStep| Moment {
        at: step_time(switchover, step.at_ms, ahead),
        lane: lane(LaneKind::Chassis, chassis),
        event: step.step.clone(),
        detail: step.detail.clone(),
    };
    switchover.steps.iter().map(moment).collect()
}

/// When a step of a journal happened, on the host's clock.
pub fn step_time(switchover: &Switchover, at_ms: f64, ahead: i64) -> Time {
    let began = Time((switchover.began_monotonic_us * 1000).saturating_add_signed(ahead.saturating_neg()));
    let span = Duration::from_secs_f64(at_ms.abs() / 1000.0);
    if at_ms < 0.0 { began - span } else { began + span }
}

/// A route that is gone for less than this was replaced: FRR 8.4 deletes an IPv6 route before it adds its successor.
const REPLACED: Duration = Duration::from_millis(5);

/// What the routers' kernels did. Route changes of one router to one chassis that follow each other become one moment,
/// at the time of the first; a deletion that is part of a replacement is none.
pub fn routers(observations: &[Observation]) -> Vec<Moment> {
    struct Group<'a> {
        first: Time,
        last: Time,
        router: &'a str,
        via: &'a Option<String>,
        prefixes: Vec<String>,
    }
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut moments = Vec::new();
    for (index, one) in observations.iter().enumerate() {
        match &one.news {
            News::Route { prefix, via: None } if replaced(&observations[index..], prefix) => {}
            News::Route { prefix, via } => {
                let last = groups.iter_mut().rev().find(|group| group.router == one.router);
                match last {
                    Some(group) if group.via == via => {
                        group.last = one.at;
                        let prefix = prefix.to_string();
                        if !group.prefixes.contains(&prefix) {
                            group.prefixes.push(prefix);
                        }
                    }
                    Some(_) | None => groups.push(Group {
                        first: one.at,
                        last: one.at,
                        router: &one.router,
                        via,
                        prefixes: vec![prefix.to_string()],
                    }),
                }
            }
            News::Carrier { to, up } => moments.push(Moment {
                at: one.at,
                lane: lane(LaneKind::Router, &one.router),
                event: if *up { "carrier-found" } else { "carrier-lost" }.to_owned(),
                detail: format!("link to {to}"),
            }),
        }
    }
    for group in groups {
        let spread = group.last.millis_since(group.first);
        let all =
            if group.prefixes.len() > 1 { format!(", all within {spread:.1} ms") } else { String::new() };
        moments.push(Moment {
            at: group.first,
            lane: lane(LaneKind::Router, group.router),
            event: match group.via {
                Some(chassis) => format!("routes-via-{chassis}"),
                None => "routes-gone".to_owned(),
            },
            detail: format!("{}{all}", group.prefixes.join(", ")),
        });
    }
    moments
}

/// Whether the first observation, a deletion of `prefix`, is followed at once by its successor.
fn replaced(observations: &[Observation], prefix: &ipnetwork::IpNetwork) -> bool {
    observations.first().is_some_and(|gone| {
        observations.iter().any(|one| {
            let successor =
                matches!(&one.news, News::Route { prefix: found, via: Some(_) } if found == prefix);
            successor && one.router == gone.router && one.at.since(gone.at) < REPLACED
        })
    })
}

/// What the probes saw: outages, and who answers.
pub fn probe(stream: &Stream, outcome: &Outcome) -> Vec<Moment> {
    let lane = lane(LaneKind::Probe, &stream.name);
    let mut moments = Vec::new();
    if let Some(outage) = outcome.outage {
        moments.push(Moment {
            at: outage.from,
            lane: lane.clone(),
            event: "last-probe-answered".to_owned(),
            detail: "the next one was lost".to_owned(),
        });
        moments.push(Moment {
            at: outage.to,
            lane: lane.clone(),
            event: "probes-answered-again".to_owned(),
            detail: format!("after {:.1} ms, {} lost", outage.millis(), outcome.lost()),
        });
    }
    for change in outcome.answered_by.iter().filter(|change| change.from.is_some()) {
        moments.push(Moment {
            at: change.at,
            lane: lane.clone(),
            event: format!("answered-by-{}", change.to),
            detail: "first answer at the client".to_owned(),
        });
    }
    moments
}

/// Moments in order of time, relative to `zero`, from `from` on.
pub fn merge(mut moments: Vec<Moment>, zero: Time, from: Time) -> Vec<Event> {
    moments.retain(|moment| moment.at >= from);
    moments.sort_by(|a, b| (a.at, &a.lane).cmp(&(b.at, &b.lane)));
    let event = |moment: Moment| Event {
        at_ms: moment.at.millis_since(zero),
        lane: moment.lane,
        event: moment.event,
        detail: moment.detail,
    };
    moments.into_iter().map(event).collect()
}

/// A lane's bands from the times at which it changed; the first entry is what it showed at `from`.
pub fn bands(lane: &Lane, changes: &[(Time, String)], zero: Time, from: Time, to: Time) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for (index, (at, what)) in changes.iter().enumerate() {
        let until = changes.get(index + 1).map_or(to, |(next, _)| *next).min(to);
        let start = (*at).max(from);
        if start >= until {
            continue;
        }
        match bands.last_mut() {
            Some(last) if last.what == *what => last.to_ms = until.millis_since(zero),
            Some(_) | None => bands.push(Band {
                lane: lane.clone(),
                from_ms: start.millis_since(zero),
                to_ms: until.millis_since(zero),
                what: what.clone(),
            }),
        }
    }
    bands
}

/// What a packet's fate is called whose answer does not say whose it is.
pub const ANSWERED: &str = "answered";

/// What a chassis is called while it restarts.
pub const RESTART: &str = "restart";

/// How a stream's packets fared over time: who answered, or `lost`, by the time of sending.
pub fn fates(stream: &Stream, record: &Record) -> Vec<(Time, String)> {
    let mut fates: Vec<(Time, String)> = Vec::new();
    for packet in &stream.packets {
        let Some(sent) = packet.sent else { continue };
        let who = packet.reached.and_then(|index| record.responders.get(index));
        let fate = match (packet.answered, who) {
            (Some(_), Some(who)) => who.as_str(),
            (Some(_), None) => ANSWERED,
            (None, _) => "lost",
        };
        if fates.last().is_none_or(|(_, last)| last != fate) {
            fates.push((sent, fate.to_owned()));
        }
    }
    fates
}

/// Where a router's routes lead over time: one chassis, `mixed` while they disagree, `none`.
pub fn leanings(
    observations: &[Observation],
    router: &str,
    before: &[(ipnetwork::IpNetwork, Option<String>)],
    start: Time,
) -> Vec<(Time, String)> {
    let mut routes: std::collections::BTreeMap<_, _> = before.iter().cloned().collect();
    let sum = |routes: &std::collections::BTreeMap<ipnetwork::IpNetwork, Option<String>>| {
        let mut all = routes.values();
        match all.next() {
            Some(first) if all.all(|other| other == first) => {
                first.clone().unwrap_or_else(|| "none".to_owned())
            }
            Some(_) => "mixed".to_owned(),
            None => "none".to_owned(),
        }
    };
    let mut changes = vec![(start, sum(&routes))];
    for one in observations.iter().filter(|one| one.router == router && one.at >= start) {
        if let News::Route { prefix, via } = &one.news {
            routes.insert(*prefix, via.clone());
            changes.push((one.at, sum(&routes)));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::record::Packet;

    const MS: u64 = 1_000_000;

    fn seen(at: u64, router: &str, prefix: &str, via: &str) -> Observation {
        let news = News::Route { prefix: prefix.parse().expect("prefix"), via: Some(via.to_owned()) };
        Observation { at: Time(at * MS), router: router.to_owned(), news }
    }

    #[test]
    fn route_changes_that_belong_together_are_one_moment() {
        let observations = [
            seen(10, "r1", "203.0.113.1/32", "west"),
            seen(11, "r2", "203.0.113.1/32", "west"),
            seen(12, "r1", "172.18.0.0/16", "west"),
            seen(90, "r1", "172.18.0.0/16", "east"),
        ];
        let moments = routers(&observations);
        let told: Vec<_> =
            moments.iter().map(|m| (m.at.0 / MS, m.lane.name.as_str(), m.event.as_str())).collect();
        let expected =
            [(10, "r1", "routes-via-west"), (11, "r2", "routes-via-west"), (90, "r1", "routes-via-east")];
        assert_eq!(told, expected);
        assert_eq!(moments[0].detail, "203.0.113.1/32, 172.18.0.0/16, all within 2.0 ms");
    }

    #[test]
    fn a_route_that_is_deleted_to_be_replaced_is_not_gone() {
        let gone = |at: u64| Observation {
            at: Time(at * MS),
            router: "r1".to_owned(),
            news: News::Route { prefix: "2001:db8:18::/48".parse().expect("prefix"), via: None },
        };
        let told = |observations: &[Observation]| -> Vec<String> {
            routers(observations).into_iter().map(|moment| moment.event).collect()
        };
        assert_eq!(told(&[gone(10), seen(11, "r1", "2001:db8:18::/48", "west")]), ["routes-via-west"]);
        let late = [gone(10), seen(90, "r1", "2001:db8:18::/48", "west")];
        assert_eq!(told(&late), ["routes-gone", "routes-via-west"]);
    }

    #[test]
    fn a_merged_timeline_is_in_order_and_counts_from_zero() {
        let moment = |at, name: &str| Moment {
            at: Time(at * MS),
            lane: lane(LaneKind::Chassis, name),
            event: "e".to_owned(),
            detail: String::new(),
        };
        let events = merge(
            vec![moment(30, "b"), moment(10, "a"), moment(20, "a"), moment(1, "old")],
            Time(20 * MS),
            Time(5 * MS),
        );
        let told: Vec<_> = events.iter().map(|event| (event.at_ms, event.lane.name.as_str())).collect();
        assert_eq!(told, [(-10.0, "a"), (0.0, "a"), (10.0, "b")]);
    }

    #[test]
    fn bands_fill_the_window_and_join_equals() {
        let lane = lane(LaneKind::Router, "r1");
        let changes = [(0, "east"), (50, "mixed"), (52, "west"), (53, "west")]
            .map(|(at, what)| (Time(at * MS), what.to_owned()));
        let bands = bands(&lane, &changes, Time(40 * MS), Time(20 * MS), Time(100 * MS));
        let told: Vec<_> = bands.iter().map(|band| (band.from_ms, band.to_ms, band.what.as_str())).collect();
        assert_eq!(told, [(-20.0, 10.0, "east"), (10.0, 12.0, "mixed"), (12.0, 60.0, "west")]);
    }

    #[test]
    fn routes_that_disagree_are_mixed() {
        let before: Vec<_> = ["203.0.113.1/32", "172.18.0.0/16"]
            .map(|prefix| (prefix.parse().expect("prefix"), Some("east".to_owned())))
            .to_vec();
        let observations =
            [seen(10, "r1", "203.0.113.1/32", "west"), seen(12, "r1", "172.18.0.0/16", "west")];
        let told: Vec<_> =
            leanings(&observations, "r1", &before, Time(0)).into_iter().map(|(_, what)| what).collect();
        assert_eq!(told, ["east", "mixed", "west"]);
    }

    #[test]
    fn fates_follow_the_packets() {
        let packet = |sent: u64, who: Option<usize>| Packet {
            sent: Some(Time(sent)),
            reached: who,
            reached_at: None,
            answered: who.map(|_| Time(sent + 1)),
        };
        let packets = vec![packet(1, Some(0)), packet(2, Some(0)), packet(3, None), packet(4, Some(1))];
        let stream = Stream { name: "s".to_owned(), source: None, destination: None, packets };
        let record = Record { responders: vec!["east".to_owned(), "west".to_owned()], streams: Vec::new() };
        let told: Vec<_> = fates(&stream, &record).into_iter().map(|(at, who)| (at.0, who)).collect();
        assert_eq!(told, [(1, "east".to_owned()), (3, "lost".to_owned()), (4, "west".to_owned())]);
    }
}

//! Loss and gaps of a recorded stream. Pure.
//!
//! *Lost there*: no answer, and nobody said that the packet reached him. *Lost back*: a responder said that it reached him,
//! but no answer came. (A packet that reached a chassis which then died without answering later packets counts as lost
//! there: nobody is left to tell.) A *gap* is the time between two arrivals that follow each other: of requests at the
//! chassis (there), of answers at the client (back). A stream of one packet per millisecond without trouble has gaps of
//! one millisecond and a little; what the sender itself was late is given apart, because no network can undo it.

use crate::clock::Time;

use super::record::{Packet, Record, Stream};
use super::{ECHO_INTERVAL, INTERVAL};

/// A time without arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The arrival before it.
    pub from: Time,
    /// The arrival that ends it, or the end of the run.
    pub to: Time,
}

impl Gap {
    /// Its length in milliseconds.
    pub fn millis(&self) -> f64 {
        self.to.millis_since(self.from)
    }
}

/// From one chassis to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When the first answer of the new one came.
    pub at: Time,
    /// Who answered before; nobody at the start.
    pub from: Option<String>,
    /// Who answers now.
    pub to: String,
}

/// What became of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Packets sent.
    pub sent: usize,
    /// Packets lost on the way to the chassis.
    pub lost_there: usize,
    /// Answers lost on the way to the client.
    pub lost_back: usize,
    /// Longest time without a request at any chassis; not known where whoever answers does not say when a packet reached him.
    pub gap_there: Option<Gap>,
    /// Longest time without an answer at the client.
    pub gap_back: Option<Gap>,
    /// Longest time without an answer that is not the sender's own doing: of each gap, what the sender paused longer than
    /// one interval meanwhile is taken off. Milliseconds.
    pub gap_back_net_ms: f64,
    /// Longest run of unanswered packets: from the sending of the last answered one before it to that of the first
    /// answered one after it. None if every packet was answered.
    pub outage: Option<Gap>,
    /// Longest time that the sender itself let pass between two packets.
    pub gap_sender: Option<Gap>,
    /// Who answered, in order of time.
    pub answered_by: Vec<Change>,
}

impl Outcome {
    /// Packets lost in either direction.
    pub fn lost(&self) -> usize {
        self.lost_there + self.lost_back
    }
}

impl Outcome {
    /// Reads a stream.
    pub fn of(stream: &Stream, record: &Record) -> Self {
        let sent: Vec<&Packet> = stream.packets.iter().filter(|packet| packet.sent.is_some()).collect();
        let unanswered = || sent.iter().filter(|packet| packet.answered.is_none());
        let sendings: Vec<Time> = sent.iter().filter_map(|packet| packet.sent).collect();
        let Some((first, last)) = sendings.first().copied().zip(sendings.last().copied()) else {
            return Self::default();
        };
        let arrivals = |at: fn(&Packet) -> Option<Time>| {
            let mut times: Vec<Time> = sent.iter().filter_map(|packet| at(packet)).collect();
            times.sort_unstable();
            times
        };
        Self {
            sent: sent.len(),
            lost_there: unanswered().filter(|packet| packet.reached.is_none()).count(),
            lost_back: unanswered().filter(|packet| packet.reached.is_some()).count(),
            gap_there: if mute(&sent) {
                None
            } else {
                longest_between(first, &arrivals(|packet| packet.reached_at), last)
            },
            gap_back: longest_between(first, &arrivals(|packet| packet.answered), last),
            gap_back_net_ms: net(&sent),
            outage: outage(&sent, first, last),
            gap_sender: longest(&sendings),
            answered_by: changes(&sent, record),
        }
    }
}

/// Whether answers came of which nobody said who gave them.
fn mute(sent: &[&Packet]) -> bool {
    sent.iter().any(|packet| packet.answered.is_some() && packet.reached.is_none())
}

/// The longest gap between neighbours of `times`, which are in order.
pub fn longest(times: &[Time]) -> Option<Gap> {
    let gaps = times.windows(2).map(|pair| Gap { from: pair[0], to: pair[1] });
    gaps.max_by_key(|gap| gap.to.since(gap.from))
}

/// As [`longest`], with the times before the first and after the last arrival taken in.
fn longest_between(first: Time, times: &[Time], last: Time) -> Option<Gap> {
    let mut all = Vec::with_capacity(times.len() + 2);
    all.push(first.min(times.first().copied().unwrap_or(first)));
    all.extend_from_slice(times);
    all.push(last.max(times.last().copied().unwrap_or(last)));
    longest(&all)
}

fn net(sent: &[&Packet]) -> f64 {
    let interval = if mute(sent) { ECHO_INTERVAL } else { INTERVAL };
    // How much later than planned each packet left, all pauses so far added up.
    let mut paused = vec![0.0];
    let mut total = 0.0;
    for pair in sent.windows(2) {
        if let (Some(before), Some(after)) = (pair[0].sent, pair[1].sent) {
            total += (after.millis_since(before) - interval.as_secs_f64() * 1000.0).max(0.0);
        }
        paused.push(total);
    }
    let mut arrivals: Vec<(Time, usize)> =
        sent.iter().enumerate().filter_map(|(index, packet)| Some((packet.answered?, index))).collect();
    arrivals.sort_unstable();
    let gaps = arrivals.windows(2).map(|pair| {
        let own = (paused[pair[1].1] - paused[pair[0].1]).max(0.0);
        (pair[1].0.millis_since(pair[0].0) - own).max(0.0)
    });
    gaps.fold(0.0, f64::max)
}

fn outage(sent: &[&Packet], first: Time, last: Time) -> Option<Gap> {
    let mut longest: Option<Gap> = None;
    let (mut from, mut open) = (first, false);
    let mut close = |from, to| {
        let gap = Gap { from, to };
        if longest.is_none_or(|known| gap.to.since(gap.from) > known.to.since(known.from)) {
            longest = Some(gap);
        }
    };
    for packet in sent {
        let Some(at) = packet.sent else { continue };
        match (packet.answered.is_some(), open) {
            (true, true) => {
                close(from, at);
                (from, open) = (at, false);
            }
            (true, false) => from = at,
            (false, _) => open = true,
        }
    }
    if open {
        close(from, last);
    }
    longest
}

fn changes(sent: &[&Packet], record: &Record) -> Vec<Change> {
    // In order of sending: answers of a slow chassis arrive between those of a quick one, and no router went to and fro.
    let answers = sent.iter().filter_map(|packet| packet.answered.zip(packet.reached));
    let name = |index: usize| record.responders.get(index).cloned().unwrap_or_default();
    let mut changes: Vec<Change> = Vec::new();
    let mut current = None;
    for (at, responder) in answers {
        if current != Some(responder) {
            changes.push(Change { at, from: current.map(name), to: name(responder) });
            current = Some(responder);
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A packet per millisecond; each letter says what became of it: `e`ast or `w`est answered, lost `t`here, lost `b`ack,
    /// answered by a `k`ernel that does not say whose it is.
    fn outcome(story: &str) -> Outcome {
        let packet = |(index, letter): (usize, char)| {
            let sent = Time(index as u64 * MS);
            let (at, back) = (Time(sent.0 + 100), Time(sent.0 + 200));
            let (reached, reached_at, answered) = match letter {
                'e' => (Some(0), Some(at), Some(back)),
                'w' => (Some(1), Some(at), Some(back)),
                'b' => (Some(0), None, None),
                'k' => (None, None, Some(back)),
                _ => (None, None, None),
            };
            Packet { sent: Some(sent), reached, reached_at, answered }
        };
        let packets = story.chars().enumerate().map(packet).collect();
        let stream = Stream { name: "s".to_owned(), source: None, destination: None, packets };
        let record = Record { responders: vec!["east".to_owned(), "west".to_owned()], streams: Vec::new() };
        Outcome::of(&stream, &record)
    }

    #[test]
    fn an_even_stream_has_gaps_of_one_interval() {
        let outcome = outcome("eeeeeeee");
        assert_eq!((outcome.sent, outcome.lost(), outcome.outage), (8, 0, None));
        assert!((outcome.gap_back.expect("arrivals").millis() - 1.0).abs() < 1e-6);
        assert!((outcome.gap_there.expect("arrivals").millis() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn loss_is_told_by_direction() {
        let outcome = outcome("eebbeettteee");
        assert_eq!((outcome.lost_there, outcome.lost_back), (3, 2));
        let outage = outcome.outage.expect("packets were lost");
        assert_eq!((outage.from, outage.to), (Time(5 * MS), Time(9 * MS)));
    }

    #[test]
    fn a_kernel_that_answers_tells_of_no_gap_there() {
        let outcome = outcome("kkktkk");
        assert_eq!((outcome.lost(), outcome.gap_there, outcome.answered_by.len()), (1, None, 0));
        assert!((outcome.gap_back.expect("arrivals").millis() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_takeover_is_a_gap_and_a_change() {
        let outcome = outcome("eeettttttwww");
        let gap = outcome.gap_back.expect("arrivals");
        assert!((gap.millis() - 7.0).abs() < 1e-6, "{gap:?}");
        let who: Vec<_> = outcome.answered_by.iter().map(|change| change.to.as_str()).collect();
        assert_eq!(who, ["east", "west"]);
        assert_eq!(outcome.answered_by[1].at, Time(9 * MS + 200));
    }

    #[test]
    fn an_outage_that_does_not_end_lasts_to_the_end_of_the_run() {
        let outcome = outcome("eeetttt");
        assert_eq!(outcome.outage, Some(Gap { from: Time(2 * MS), to: Time(6 * MS) }));
        assert!(outcome.gap_back.expect("arrivals").millis() > 3.0);
    }

    #[test]
    fn a_pause_of_the_sender_is_not_the_networks() {
        let packet = |sent: u64| Packet {
            sent: Some(Time(sent * MS)),
            reached: Some(0),
            reached_at: None,
            answered: Some(Time(sent * MS + 200)),
        };
        let packets = [0, 1, 9, 10].map(packet).to_vec();
        let stream = Stream { name: "s".to_owned(), source: None, destination: None, packets };
        let outcome = Outcome::of(&stream, &Record::default());
        assert!((outcome.gap_back.expect("arrivals").millis() - 8.0).abs() < 1e-6);
        assert!((outcome.gap_back_net_ms - 1.0).abs() < 1e-6, "{}", outcome.gap_back_net_ms);
    }

    #[test]
    fn lost_packets_do_not_count_as_a_pause_of_the_sender() {
        assert!((outcome("eeettttttwww").gap_back_net_ms - 7.0).abs() < 1e-6);
    }

    #[test]
    fn late_answers_of_the_old_chassis_are_no_way_back_to_it() {
        let packet = |sent: u64, reached: usize, answered: u64| Packet {
            sent: Some(Time(sent * MS)),
            reached: Some(reached),
            reached_at: None,
            answered: Some(Time(answered * MS)),
        };
        let packets = vec![packet(0, 0, 9), packet(1, 0, 11), packet(2, 1, 8), packet(3, 1, 10)];
        let stream = Stream { name: "s".to_owned(), source: None, destination: None, packets };
        let record = Record { responders: vec!["east".to_owned(), "west".to_owned()], streams: Vec::new() };
        let who: Vec<_> = Outcome::of(&stream, &record).answered_by.into_iter().map(|one| one.to).collect();
        assert_eq!(who, ["east", "west"]);
    }

    #[test]
    fn nothing_sent_is_nothing_said() {
        assert_eq!(outcome(""), Outcome::default());
    }

    #[test]
    fn a_stream_that_nobody_answers_is_one_outage() {
        let outcome = outcome("tttt");
        assert_eq!((outcome.lost_there, outcome.answered_by.len()), (4, 0));
        assert_eq!(outcome.outage, Some(Gap { from: Time(0), to: Time(3 * MS) }));
    }
}

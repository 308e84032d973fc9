//! What a run of the probe leaves: one entry per packet, in memory and as a CSV file to draw from.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::clock::Time;

/// First line of the file.
const HEADER: &str = "stream,sequence,sent_ns,reached,reached_ns,answered_ns";

/// One packet of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packet {
    /// When it left the client.
    pub sent: Option<Time>,
    /// Whom it reached, as far as anybody told us: an index into [`Record::responders`].
    pub reached: Option<usize>,
    /// When it reached him; not known of a packet whose own answer was lost.
    pub reached_at: Option<Time>,
    /// When its answer came back to the client.
    pub answered: Option<Time>,
}

/// One stream: packets from one address of the client to one loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Name, such as `r1-v4`.
    pub name: String,
    /// The client's address; it decides the router.
    pub source: Option<IpAddr>,
    /// The loopback.
    pub destination: Option<IpAddr>,
    /// Packets in the order in which they were sent.
    pub packets: Vec<Packet>,
}

/// A whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Names of the chassis that answered.
    pub responders: Vec<String>,
    /// The streams.
    pub streams: Vec<Stream>,
}

/// A line of the file that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the probe record cannot be read: {text:?}")]
pub struct BadLine {
    /// Counts from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl Record {
    /// As CSV: one line per packet, empty fields for what is not known, times in nanoseconds of `CLOCK_MONOTONIC`.
    pub fn to_csv(&self) -> String {
        let mut text = format!("{HEADER}\n");
        let time = |at: Option<Time>| at.map(|at| at.0.to_string()).unwrap_or_default();
        for stream in &self.streams {
            for (sequence, packet) in stream.packets.iter().enumerate() {
                let reached = packet.reached.and_then(|index| self.responders.get(index));
                // Writing to a String cannot fail.
                let _ = writeln!(
                    text,
                    "{},{sequence},{},{},{},{}",
                    stream.name,
                    time(packet.sent),
                    reached.map_or("", String::as_str),
                    time(packet.reached_at),
                    time(packet.answered),
                );
            }
        }
        text
    }

    /// Reads what [`Record::to_csv`] wrote. Addresses of the streams are not in the file.
    pub fn from_csv(text: &str) -> Result<Self, BadLine> {
        let mut record = Self::default();
        let mut lines = text.lines().enumerate();
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            let first = text.lines().next().unwrap_or_default();
            return Err(BadLine { line: 1, text: first.to_owned() });
        }
        for (index, line) in lines {
            record.read_line(line).ok_or_else(|| BadLine { line: index + 1, text: line.to_owned() })?;
        }
        Ok(record)
    }

    /// Brings the times of one responder to the host's clock: its clock is `ahead` nanoseconds ahead of it.
    pub fn shift(&mut self, responder: &str, ahead: i64) {
        let Some(index) = self.responders.iter().position(|name| name == responder) else { return };
        for packet in self.streams.iter_mut().flat_map(|stream| &mut stream.packets) {
            if packet.reached == Some(index)
                && let Some(at) = &mut packet.reached_at
            {
                at.0 = at.0.saturating_add_signed(ahead.saturating_neg());
            }
        }
    }

    /// Leaves out packets sent before `time`: what happened while a run was getting under way.
    pub fn forget_before(&mut self, time: Time) {
        for stream in &mut self.streams {
            stream.packets.retain(|packet| packet.sent.is_none_or(|sent| sent >= time));
        }
    }

    /// The index of a responder's name, which becomes known if it was not.
    pub fn responder(&mut self, name: &str) -> usize {
        self.responders.iter().position(|known| known == name).unwrap_or_else(|| {
            self.responders.push(name.to_owned());
            self.responders.len() - 1
        })
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let fields: [&str; 6] = line.split(',').collect::<Vec<_>>().try_into().ok()?;
        let [name, sequence, sent, reached, reached_at, answered] = fields;
        let time = |field: &str| match field {
            "" => Some(None),
            digits => digits.parse().ok().map(|ns| Some(Time(ns))),
        };
        let packet = Packet {
            sent: time(sent)?,
            reached: (!reached.is_empty()).then(|| self.responder(reached)),
            reached_at: time(reached_at)?,
            answered: time(answered)?,
        };
        let new = self.streams.last().is_none_or(|stream| stream.name != name);
        if new {
            let (name, packets) = (name.to_owned(), Vec::new());
            self.streams.push(Stream { name, source: None, destination: None, packets });
        }
        let stream = self.streams.last_mut()?;
        (sequence.parse() == Ok(stream.packets.len())).then_some(())?;
        stream.packets.push(packet);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let packet = |sent, reached, reached_at: Option<u64>, answered: Option<u64>| Packet {
            sent: Some(Time(sent)),
            reached,
            reached_at: reached_at.map(Time),
            answered: answered.map(Time),
        };
        let stream =
            |name: &str, packets| Stream { name: name.to_owned(), source: None, destination: None, packets };
        Record {
            responders: vec!["east".to_owned(), "west".to_owned()],
            streams: vec![
                stream("r1-v4", vec![packet(1, Some(0), Some(2), Some(3)), packet(11, Some(0), None, None)]),
                stream("r2-v4", vec![packet(1, None, None, None), packet(11, Some(1), Some(12), Some(13))]),
            ],
        }
    }

    #[test]
    fn reading_undoes_writing() {
        assert_eq!(Record::from_csv(&record().to_csv()), Ok(record()));
    }

    #[test]
    fn a_broken_line_is_named() {
        let text = record().to_csv().replace("r2-v4,1,", "r2-v4,7,");
        let error = Record::from_csv(&text).expect_err("a sequence number is missing");
        assert_eq!(error.line, 5);
        assert_eq!(Record::from_csv("nonsense").expect_err("no header").line, 1);
    }

    #[test]
    fn only_the_times_of_the_named_responder_are_shifted() {
        let mut shifted = record();
        shifted.shift("west", 2);
        assert_eq!(shifted.streams[1].packets[1].reached_at, Some(Time(10)));
        assert_eq!(shifted.streams[0], record().streams[0]);
    }
}

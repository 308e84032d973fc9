//! What is said on a subnet of who has which address: ARP and Neighbor Discovery, captured by dumpcap and read by tshark.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::LabError;
use crate::namespace::Namespace;
use crate::node::{Job, Node, ProcessId, Signal};
use crate::wait::{self, Seen};

const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// ARP, Neighbor Solicitations and Neighbor Advertisements.
const FILTER: &str = "arp or (icmp6 and ip6[40] >= 135 and ip6[40] <= 136)";
/// What tshark tells of each frame, in this order; its names.
const FIELDS: [&str; 11] = [
    "eth.src",
    "arp.opcode",
    "arp.src.hw_mac",
    "arp.src.proto_ipv4",
    "arp.dst.proto_ipv4",
    "icmpv6.type",
    "icmpv6.nd.ns.target_address",
    "icmpv6.nd.na.target_address",
    "icmpv6.nd.na.flag.s",
    "icmpv6.nd.na.flag.o",
    "icmpv6.opt.linkaddr",
];

/// What a frame does with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Asks who has it: an ARP request, a Neighbor Solicitation.
    Asks,
    /// Says who has it, to somebody who asked.
    Answers,
    /// Says who has it, unasked: gratuitous ARP (RFC 5227 section 3), a Neighbor Advertisement that is not solicited.
    Tells,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// MAC address that it came from, in small letters.
    pub by: String,
    /// What it does.
    pub word: Word,
    /// With which address.
    pub address: IpAddr,
    /// MAC address that it says to have it; of a question that of who asks. Empty where it says none: who is asked by unicast may
    /// answer so, as who asks knows already (RFC 4861 section 7.2.4).
    pub mac: String,
    /// Whoever knows another MAC address is to take this one: Override of Neighbor Discovery; ARP has no other way.
    pub overrides: bool,
}

/// A capture that runs.
#[derive(Debug)]
pub struct Capture<'a> {
    node: &'a Namespace,
    file: String,
    log: String,
    process: ProcessId,
}

impl<'a> Capture<'a> {
    /// Captures on the interface `link` of `node` from when it returns; files are named after `name`.
    pub fn start(node: &'a Namespace, link: &str, name: &str) -> Result<Self, LabError> {
        let (file, log) = (format!("{name}.pcapng"), format!("capture-{name}.log"));
        let words = ["-q", "-i", link, "-f", FILTER, "-w", &file];
        let process = node.spawn(&Job::new("dumpcap", words).logged(&log)).map_err(lacking)?;
        let capture = Self { node, file, log, process };
        wait::until_true("the beginning of a capture", LIMIT, LOOK, || {
            if !node.is_running(process)? {
                return Err(LabError::ended(node, "dumpcap", &capture.log));
            }
            // It names its file once it captures.
            Ok(String::from_utf8_lossy(&node.get_file(&node.folder().join(&capture.log))?).contains("File: "))
        })?;
        Ok(capture)
    }

    /// Waits until the capture has an answer about each of these addresses: frames come to its file a while after they passed.
    pub fn until_answered(&self, addresses: &[IpAddr]) -> Result<(), LabError> {
        wait::until("the answers about all addresses in a capture", LIMIT, LOOK, || {
            // A file that grows may end in the middle of a frame, which tshark says by its exit code.
            let claims = claims(&self.node.run(&self.reading(), LIMIT)?.text());
            let answered =
                |address| claims.iter().any(|claim| claim.word == Word::Answers && claim.address == address);
            let lacking: Vec<_> = addresses.iter().filter(|address| !answered(**address)).collect();
            Ok(if lacking.is_empty() {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("none about {lacking:?}"))
            })
        })
    }

    /// Ends it: everything that was said, in order.
    pub fn end(self) -> Result<Vec<Claim>, LabError> {
        self.node.signal(self.process, Signal::Terminate)?;
        wait::until_true("the end of a capture", LIMIT, LOOK, || Ok(!self.node.is_running(self.process)?))?;
        Ok(claims(&self.node.run_ok(&self.reading(), LIMIT)?.text()))
    }

    /// Has tshark read what is in the file.
    fn reading(&self) -> Job {
        let mut words = vec!["-r", &self.file, "-T", "fields", "-E", "occurrence=f"];
        words.extend(FIELDS.iter().flat_map(|field| ["-e", field]));
        Job::new("tshark", words)
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        // After `end` it is gone; after an error nobody else would end it before the lab does.
        let _ = self.node.signal(self.process, Signal::Kill);
    }
}

fn lacking(error: crate::node::NodeError) -> LabError {
    match error {
        crate::node::NodeError::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            LabError::ToolMissing { tool: "dumpcap".to_owned(), remedy: "apt-get install tshark".to_owned() }
        }
        other => other.into(),
    }
}

fn claims(text: &str) -> Vec<Claim> {
    text.lines().filter_map(claim).collect()
}

/// A line of tshark; `None` for a frame that says nothing of an address of ours, such as one that is damaged.
fn claim(line: &str) -> Option<Claim> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [by, opcode, sender, from, to, kind, asked, told, solicited, overrides, option] = fields[..] else {
        return None;
    };
    // tshark 4.2 and later say True where earlier ones say 1.
    let set = |flag: &str| flag == "1" || flag == "True";
    let (word, address, mac, overrides) = match (opcode, kind) {
        ("1", _) if from == to => (Word::Tells, from, sender, true),
        ("1", _) => (Word::Asks, to, sender, true),
        ("2", _) => (Word::Answers, from, sender, true),
        (_, "135") => (Word::Asks, asked, option, true),
        (_, "136") if set(solicited) => (Word::Answers, told, option, set(overrides)),
        (_, "136") => (Word::Tells, told, option, set(overrides)),
        _ => return None, // RARP, or no frame of ours
    };
    Some(Claim { by: by.to_owned(), word, address: address.parse().ok()?, mac: mac.to_owned(), overrides })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_frame_is_told_by_what_tshark_says_of_it() {
        let (a, b) = ("9e:6e:4d:f1:2b:82", "ba:6d:54:f1:0b:9b");
        // As tshark 4.0 prints them.
        let cases = [
            (format!("{a}\t1\t{a}\t10.9.9.1\t10.9.9.2\t\t\t\t\t\t"), (Word::Asks, "10.9.9.2", a, true)),
            (format!("{b}\t2\t{b}\t10.9.9.2\t10.9.9.1\t\t\t\t\t\t"), (Word::Answers, "10.9.9.2", b, true)),
            (format!("{a}\t1\t{a}\t10.9.9.9\t10.9.9.9\t\t\t\t\t\t"), (Word::Tells, "10.9.9.9", a, true)),
            (format!("{a}\t\t\t\t\t135\t2001:db8::2\t\t\t\t{a}"), (Word::Asks, "2001:db8::2", a, true)),
            (format!("{b}\t\t\t\t\t136\t\t2001:db8::2\t1\t1\t{b}"), (Word::Answers, "2001:db8::2", b, true)),
            (format!("{a}\t\t\t\t\t136\t\t2001:db8::9\t0\t1\t{a}"), (Word::Tells, "2001:db8::9", a, true)),
            (
                format!("{a}\t\t\t\t\t136\t\t2001:db8::9\tFalse\tFalse\t{a}"),
                (Word::Tells, "2001:db8::9", a, false),
            ),
        ];
        for (line, (word, address, mac, overrides)) in cases {
            let found = claim(&line).expect(&line);
            let expected = Claim {
                by: mac.to_owned(),
                word,
                address: address.parse().expect("an address"),
                mac: mac.to_owned(),
                overrides,
            };
            assert_eq!(found, expected);
        }
        for other in ["", "x", "aa\t3\t\t\t\t\t\t\t\t\t", "aa\t1\taa\tnone\tother\t\t\t\t\t\t"] {
            assert_eq!(claim(other), None, "{other:?}");
        }
    }
}

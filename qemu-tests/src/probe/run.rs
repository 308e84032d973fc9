//! The probe on the nodes of a lab: responders on the chassis, the sender on the client, or on the host of a subnet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::record::Record;
use super::send::{Ask, Status, StreamSpec, StreamStatus};
use crate::error::LabError;
use crate::lab::Lab;
use crate::namespace::Namespace;
use crate::node::{Job, Kind, Node, ProcessId, Program, Signal};
use crate::topology::{Topology, Way};
use crate::wait::{self, Seen};

const START: Duration = Duration::from_secs(10);
/// The record of a long run has millions of lines.
const WRITTEN: Duration = Duration::from_mins(1);
/// Packets of a stream that lasts as long as chassis take to restart: half an hour.
const LONG: &str = "360000";
const LOOK: Duration = Duration::from_millis(20);

/// The streams of a topology, each where there is a loopback of its family: IPv4 by every router, IPv6 by the first one. Where
/// chassis or routers are machines, one by each router, IPv6 by the last one: an emulated chassis beside one that starts was seen
/// to fall behind 2,000 packets a second on one card for good, which starves its BGP session there.
pub fn streams(topology: &Topology, machines: bool) -> Vec<StreamSpec> {
    let ways = topology.clients().first().map(|client| topology.ways(client)).unwrap_or_default();
    let possible = ways.iter().filter_map(|way| Some((way, topology.loopback(way.source.is_ipv6()).ok()?)));
    let mut v6_by = possible.clone().map(|(way, _)| way).filter(|way| way.source.is_ipv6());
    let sparing = machines && topology.routers().len() > 1;
    let v6_by = if sparing { v6_by.next_back() } else { v6_by.next() }.map(|way| &way.router);
    let kept = possible.filter(|(way, _)| match (way.source.is_ipv6(), Some(&way.router) == v6_by) {
        (v6, true) => v6 || !sparing,
        (v6, false) => !v6,
    });
    let stream = |(way, destination): (&Way, _)| StreamSpec {
        name: format!("{}-{}", way.router, if way.source.is_ipv6() { "v6" } else { "v4" }),
        source: way.source.ip(),
        destination,
    };
    kept.map(stream).collect()
}

/// Starts a responder on a chassis and waits until it listens.
pub fn respond(node: &dyn Node, loopbacks: &[IpAddr]) -> Result<ProcessId, LabError> {
    let ready = node.folder().join("responder.ready");
    node.run(&Job::new("rm", ["-f".to_owned(), ready.display().to_string()]), START)?;
    let mut args = ["probe", "respond", "--name", node.name(), "--ready"].map(str::to_owned).to_vec();
    args.push(ready.display().to_string());
    args.extend(loopbacks.iter().map(ToString::to_string));
    let process = node.spawn(&Job::new(node.program(Program::Lab), args).logged("responder.log"))?;
    wait::until(&format!("the probe's responder on {}", node.name()), START, LOOK, || {
        if !node.is_running(process)? {
            return Err(LabError::ended(node, "the probe's responder", "responder.log"));
        }
        Ok(if node.get_file(&ready).is_ok() {
            Seen::Done(())
        } else {
            Seen::NotYet("it runs but does not listen yet".to_owned())
        })
    })?;
    Ok(process)
}

/// How far the clocks of all chassis with power are ahead of ours.
fn clocks(lab: &Lab) -> Result<BTreeMap<String, i64>, LabError> {
    let on = lab.chassis.iter().filter(|node| node.is_on());
    on.map(|node| Ok((node.name().to_owned(), node.clock_ahead()?))).collect()
}

/// A sender that runs.
pub struct Running<'a> {
    lab: &'a Lab,
    node: &'a Namespace,
    process: ProcessId,
    record: PathBuf,
    status: PathBuf,
    /// How far each chassis' clock was ahead when the run began: one that loses its power cannot be asked afterwards.
    ahead: BTreeMap<String, i64>,
}

impl<'a> Running<'a> {
    /// Starts all streams of the topology on the client, which `ask` answers; files are named after `name`.
    pub fn start(lab: &'a Lab, name: &str, ask: Ask) -> Result<Self, LabError> {
        let nodes = lab.chassis.iter().chain(lab.routers.iter().map(|router| &router.node));
        let machines = nodes.into_iter().any(|node| node.kind() != Kind::Namespace);
        Self::on(&lab.client, lab, name, &streams(&lab.topology, machines), ask)
    }

    /// The same with `streams` of a node that is no chassis.
    pub fn on(
        node: &'a Namespace,
        lab: &'a Lab,
        name: &str,
        streams: &[StreamSpec],
        ask: Ask,
    ) -> Result<Self, LabError> {
        let folder = lab.out.join("probes");
        std::fs::create_dir_all(&folder).map_err(LabError::file("making", &folder))?;
        let (record, status) =
            (folder.join(format!("{name}.csv")), folder.join(format!("{name}.status.json")));
        let mut args = ["probe", "send"].map(str::to_owned).to_vec();
        for stream in streams {
            args.push("--stream".to_owned());
            args.push(format!("{}={}@{}", stream.name, stream.source, stream.destination));
        }
        if ask == Ask::Kernel {
            args.extend(["--echo", "--count", LONG].map(str::to_owned));
        }
        for (option, path) in [("--record", &record), ("--status", &status)] {
            // The files of an earlier run of this name would be taken for this one's.
            if let Err(error) = std::fs::remove_file(path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(LabError::file("removing", path)(error));
            }
            args.push(option.to_owned());
            args.push(path.display().to_string());
        }
        let job = Job::new(node.program(Program::Lab), args).logged("sender.log");
        let process = node.spawn(&job)?;
        let ahead = clocks(lab)?;
        Ok(Self { lab, node, process, record, status, ahead })
    }

    /// What the sender last said of itself; `None` before it said anything.
    pub fn status(&self) -> Result<Option<Status>, LabError> {
        if !self.node.is_running(self.process)? {
            return Err(LabError::ended(self.node, "the probe's sender", "sender.log"));
        }
        let Ok(octets) = std::fs::read(&self.status) else { return Ok(None) };
        serde_json::from_slice(&octets).map(Some).map_err(|error| LabError::Answer {
            command: "lab probe send (status file)".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Waits until every stream had `packets` answers in a row since now, all after the last change of chassis, the newest
    /// from `chassis` if one is named.
    pub fn flows(&self, packets: u32, chassis: Option<&str>, limit: Duration) -> Result<(), LabError> {
        let whom = chassis.unwrap_or("any chassis");
        let mut begin: Option<Vec<u32>> = None;
        wait::until(
            &format!("{packets} probes in a row answered by {whom} on every stream"),
            limit,
            LOOK,
            || {
                let Some(status) = self.status()? else {
                    return Ok(Seen::NotYet("no packet yet".to_owned()));
                };
                let begin =
                    begin.get_or_insert_with(|| status.streams.iter().map(|stream| stream.sent).collect());
                let good = status.streams.iter().zip(begin.iter()).all(|(stream, begin)| {
                    stream.in_a_row >= packets
                        && stream.sent >= begin + packets
                        && chassis.is_none_or(|name| stream.responder.as_deref() == Some(name))
                });
                let tell = |stream: &StreamStatus| {
                    let StreamStatus { name, sent, in_a_row, responder, .. } = stream;
                    format!(
                        "{name}: {sent} sent, {in_a_row} in a row by {}",
                        responder.as_deref().unwrap_or("nobody")
                    )
                };
                Ok(if good {
                    Seen::Done(())
                } else {
                    Seen::NotYet(status.streams.iter().map(tell).collect::<Vec<_>>().join("; "))
                })
            },
        )
    }

    /// Stops the sender and reads its record, all times on the host's clock.
    pub fn stop(self) -> Result<Record, LabError> {
        let node = self.node;
        node.signal(self.process, Signal::Terminate)?;
        wait::until_true("the record of the probe", WRITTEN, LOOK, || Ok(!node.is_running(self.process)?))?;
        let text = std::fs::read_to_string(&self.record).map_err(LabError::file("reading", &self.record))?;
        let mut record = Record::from_csv(&text).map_err(|error| LabError::Answer {
            command: "lab probe send".to_owned(),
            reason: error.to_string(),
        })?;
        let mut ahead = self.ahead.clone();
        ahead.extend(clocks(self.lab)?);
        for (chassis, ahead) in ahead {
            record.shift(&chassis, ahead);
        }
        Ok(record)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // After `stop` it is gone; after an error nobody else would end it before the lab does.
        let _ = self.node.signal(self.process, Signal::Kill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_spared_a_second_stream_by_one_router() {
        let names = |topology: &Topology, machines| -> Vec<_> {
            streams(topology, machines).into_iter().map(|stream| stream.name).collect()
        };
        let pair = Topology::pair();
        assert_eq!(names(&pair, false), ["r1-v4", "r1-v6", "r2-v4"]);
        assert_eq!(names(&pair, true), ["r1-v4", "r2-v6"]);
        let mut of_ipv4 = pair.clone();
        of_ipv4.services.retain(ipnetwork::IpNetwork::is_ipv4);
        assert_eq!(names(&of_ipv4, true), ["r1-v4", "r2-v4"]);
        let mut one_router = pair;
        one_router.nodes.retain(|node| node.name != "r2");
        one_router.links.retain(|link| ![&link.a, &link.b].iter().any(|end| end.node == "r2"));
        assert_eq!(names(&one_router, true), ["r1-v4", "r1-v6"]);
    }
}

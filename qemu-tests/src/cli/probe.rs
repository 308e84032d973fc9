//! `lab probe respond` and `lab probe send`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use lab::error::LabError;
use lab::interrupt;
use lab::probe::gaps::Outcome;
use lab::probe::respond::Responder;
use lab::probe::send::{Ask, Sender, StreamSpec};
use lab::probe::{ECHO_INTERVAL, INTERVAL, PORT};

/// The two sides of the probe.
#[derive(Subcommand)]
pub enum Probe {
    /// Answer probes for loopbacks that may come and go; runs until it is ended.
    Respond(Respond),
    /// Send probes until SIGINT, SIGTERM or `--count`, then write the record.
    Send(Send),
}

/// Arguments of `lab probe respond`.
#[derive(Args)]
pub struct Respond {
    /// Name in the answers: the chassis.
    #[arg(long)]
    name: String,
    /// UDP port.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// File to make once the sockets are open.
    #[arg(long)]
    ready: Option<PathBuf>,
    /// Loopbacks to answer for.
    #[arg(required = true)]
    addresses: Vec<IpAddr>,
}

/// Arguments of `lab probe send`.
#[derive(Args)]
pub struct Send {
    /// A stream, as NAME=SOURCE@DESTINATION (addresses without port); may be given several times.
    #[arg(long = "stream", value_parser = stream, required = true)]
    streams: Vec<StreamSpec>,
    /// UDP port of the responders.
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// Have the kernel of whichever chassis is Active answer, by ICMP echo, instead of its responder; a packet every 5 ms.
    #[arg(long)]
    echo: bool,
    /// Packets per stream at most.
    #[arg(long, default_value_t = 120_000)]
    count: u32,
    /// File for the record, one line per packet.
    #[arg(long)]
    record: PathBuf,
    /// File for the present status, rewritten ten times a second.
    #[arg(long)]
    status: PathBuf,
}

/// Runs either side.
pub fn run(probe: &Probe) -> Result<ExitCode, LabError> {
    match probe {
        Probe::Respond(arguments) => respond(arguments),
        Probe::Send(arguments) => send(arguments),
    }
}

fn respond(arguments: &Respond) -> Result<ExitCode, LabError> {
    let responder = Responder {
        name: arguments.name.clone(),
        addresses: arguments.addresses.clone(),
        port: arguments.port,
    };
    let ready = |refused: &[String]| {
        for refusal in refused {
            eprintln!("lab probe respond: going on without {refusal}");
        }
        if let Some(path) = &arguments.ready
            && let Err(error) = std::fs::write(path, b"ready\n")
        {
            eprintln!("lab probe respond: cannot say that it is ready in {}: {error}", path.display());
        }
    };
    responder.run(ready).map(|()| ExitCode::SUCCESS).map_err(|error| LabError::Answer {
        command: format!("lab probe respond --port {}", arguments.port),
        reason: error.to_string(),
    })
}

fn send(arguments: &Send) -> Result<ExitCode, LabError> {
    interrupt::install();
    let sender = Sender {
        streams: arguments.streams.clone(),
        ask: if arguments.echo { Ask::Kernel } else { Ask::Responder },
        port: arguments.port,
        interval: if arguments.echo { ECHO_INTERVAL } else { INTERVAL },
        count: arguments.count,
    };
    let record = sender.run(&arguments.status, &interrupt::came).map_err(|error| LabError::Answer {
        command: "lab probe send".to_owned(),
        reason: error.to_string(),
    })?;
    std::fs::write(&arguments.record, record.to_csv())
        .map_err(LabError::file("writing", &arguments.record))?;
    for stream in &record.streams {
        let outcome = Outcome::of(stream, &record);
        let millis = |gap: Option<lab::probe::gaps::Gap>| gap.map_or(0.0, |gap| gap.millis());
        println!(
            "{}: sent {}, lost there {}, lost back {}, longest gap there {:.2} ms, back {:.2} ms, sender {:.2} ms",
            stream.name,
            outcome.sent,
            outcome.lost_there,
            outcome.lost_back,
            millis(outcome.gap_there),
            millis(outcome.gap_back),
            millis(outcome.gap_sender),
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn stream(text: &str) -> Result<StreamSpec, String> {
    let wrong = |what: &str| format!("{what}: expected NAME=SOURCE@DESTINATION");
    let (name, ends) = text.split_once('=').ok_or_else(|| wrong("no `=`"))?;
    let (source, destination) = ends.split_once('@').ok_or_else(|| wrong("no `@`"))?;
    let address = |text: &str| text.parse::<IpAddr>().map_err(|error| wrong(&format!("{text}: {error}")));
    let (source, destination) = (address(source)?, address(destination)?);
    if name.is_empty() || name.contains(',') {
        return Err(wrong("the name is empty or has a comma"));
    }
    if source.is_ipv4() != destination.is_ipv4() {
        return Err(wrong("source and destination are of different families"));
    }
    Ok(StreamSpec { name: name.to_owned(), source, destination })
}

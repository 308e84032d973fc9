//! How often a pair of real daemons switches over for no reason: two namespaces, a wire, and busy loops beside them.
//!
//! `cargo build --release -p srpd && cargo run --release -p srpd --example false_alarms -- MINUTES HELLO DEAD LOOPS`,
//! for example `10 50ms 150ms 4`; as root. The daemons are `srpd` beside the folder of this program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lab::netns::Netns;
use srp_core::api::{Request, Response, SrpDetails};
use srp_core::types::ChassisState;

type Failure = Box<dyn std::error::Error>;

/// The pair has to settle within this.
const SETTLE: Duration = Duration::from_secs(30);

/// How often the daemons are asked while they are watched.
const LOOK: Duration = Duration::from_secs(5);

struct Chassis {
    child: Child,
    socket: PathBuf,
}

impl Drop for Chassis {
    fn drop(&mut self) {
        let _ = self.child.kill(); // may have ended
        let _ = self.child.wait();
    }
}

impl Chassis {
    fn start(netns: &Netns, folder: &Path, name: &str, timers: &str) -> Result<Self, Failure> {
        let (mode, bind, peer) = match name {
            "east" => ("primary", "192.0.2.1", "192.0.2.2"),
            _ => ("backup", "192.0.2.2", "192.0.2.1"),
        };
        let text = format!(
            "[srp]\nchassis-mode = \"{mode}\"\nbind-address = \"{bind}\"\npeer-ip-address = \"{peer}\"\n{timers}\
             plaintext = true\n[control]\nsocket = \"{name}.sock\"\n[log]\nlevel = \"warn\"\n"
        );
        let file = folder.join(format!("{name}.toml"));
        fs::write(&file, text)?;
        let srpd = std::env::current_exe()?.ancestors().nth(2).ok_or("no folder")?.join("srpd");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns.name()]).arg(srpd).arg("run").arg(file).stdin(Stdio::null());
        Ok(Self { child: command.spawn()?, socket: folder.join(format!("{name}.sock")) })
    }

    fn details(&self) -> Result<SrpDetails, Failure> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&[serde_json::to_vec(&Request::ShowSrpDetails)?, b"\n".to_vec()].concat())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        match serde_json::from_str(&line)? {
            Response::SrpDetails(details) => Ok(*details),
            other => Err(format!("{other:?}").into()),
        }
    }

    fn settle(&self, state: ChassisState) -> Result<SrpDetails, Failure> {
        let begun = Instant::now();
        loop {
            match self.details() {
                Ok(details) if details.info.chassis_state == state && details.info.peer.is_some() => {
                    return Ok(details);
                }
                Ok(_) | Err(_) if begun.elapsed() < SETTLE => std::thread::sleep(Duration::from_millis(50)),
                Ok(details) => return Err(format!("the pair does not settle: {:?}", details.info).into()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [minutes, hello, dead, loops] = arguments.as_slice() else {
        return Err("give MINUTES HELLO DEAD LOOPS, such as 10 50ms 150ms 4".into());
    };
    let (minutes, loops): (f64, usize) = (minutes.parse()?, loops.parse()?);
    let folder = tempfile::tempdir()?;
    // Not a lab's name: a lab that starts meanwhile removes those that it takes for left behind.
    let place = |name: &str| Netns::create(format!("alarms-{}-{name}", std::process::id()));
    let (east, west) = (place("east")?, place("west")?);
    east.ip(&[format!("link add srp type veth peer name srp netns {}", west.name())])?;
    for (netns, address) in [(&east, "192.0.2.1"), (&west, "192.0.2.2")] {
        netns.ip(&[
            format!("addr add {address}/30 dev srp"),
            "link set srp up".into(),
            "link set lo up".into(),
        ])?;
    }
    let timers = format!("hello-interval = \"{hello}\"\ndead-interval = \"{dead}\"\n");
    let east = Chassis::start(&east, folder.path(), "east", &timers)?;
    let west = Chassis::start(&west, folder.path(), "west", &timers)?;
    let pair = [
        ("east", &east, east.settle(ChassisState::Active)?),
        ("west", &west, west.settle(ChassisState::Standby)?),
    ];
    println!("hello {hello}, dead {dead}, {loops} busy loops, {minutes} minutes");

    let on = Arc::new(AtomicBool::new(true));
    let busy: Vec<_> = (0..loops)
        .map(|_| {
            let on = Arc::clone(&on);
            std::thread::spawn(move || {
                while on.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    let begun = Instant::now();
    let length = Duration::from_secs_f64(minutes * 60.0);
    while begun.elapsed() < length {
        std::thread::sleep(LOOK.min(length.saturating_sub(begun.elapsed())));
        for (_, chassis, _) in &pair {
            chassis.details()?; // still there
        }
    }
    let mut alarms = 0;
    for (name, chassis, before) in &pair {
        let after = chassis.details()?;
        let (was, is) = (&before.statistics, &after.statistics);
        let switchovers = is.switchovers - was.switchovers;
        alarms += switchovers;
        println!(
            "{name}: {} Hellos sent, {} received, {switchovers} switchovers, {} links lost, {} suspensions",
            is.hello_messages_sent - was.hello_messages_sent,
            is.hello_messages_received - was.hello_messages_received,
            is.link_downs - was.link_downs,
            is.suspensions - was.suspensions,
        );
    }
    on.store(false, Ordering::Relaxed);
    for thread in busy {
        let _ = thread.join(); // it only counts
    }
    println!("false takeovers: {alarms} in {minutes} minutes");
    if alarms == 0 { Ok(()) } else { Err("the pair switched over for no reason".into()) }
}

//! Makes the kernel follow GoBGP's best paths: what zebra does for FRR and a kernel protocol for BIRD. Runs in the router's
//! namespace, until `gobgp monitor` ends with its daemon.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::show::{self, Change};
use crate::error::LabError;

/// Follows until there is nothing to follow.
pub fn run() -> Result<(), LabError> {
    let mut gobgp = Command::new("gobgp");
    gobgp.args(["monitor", "global", "rib", "--current", "-j"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut monitor = start(gobgp)?;
    let mut ip = Command::new("ip");
    ip.args(["-force", "-batch", "-"]).stdin(Stdio::piped());
    let mut ip = start(ip)?;
    if let (Some(said), Some(orders)) = (monitor.stdout.take(), ip.stdin.as_mut()) {
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            for change in show::changes(&line)? {
                let failed = |error: std::io::Error| LabError::Network {
                    doing: format!("route {}", change.prefix),
                    reason: error.to_string(),
                };
                orders.write_all(order(change).as_bytes()).and_then(|()| orders.flush()).map_err(failed)?;
            }
        }
    }
    // Both are children of this process and have lost what they live by.
    let _ = monitor.wait();
    drop(ip.stdin.take());
    let _ = ip.wait();
    Ok(())
}

fn start(mut command: Command) -> Result<Child, LabError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    command.spawn().map_err(|_| LabError::ToolMissing { tool, remedy: "scripts/setup --tests".to_owned() })
}

/// A line for `ip -batch`. A route is replaced in one step, so that no packet finds none.
fn order(change: Change) -> String {
    match change.next_hop {
        Some(next_hop) => format!("route replace {} via {next_hop} protocol bgp\n", change.prefix),
        None => format!("route delete {} protocol bgp\n", change.prefix),
    }
}

//! What to type to look around in a lab that is up.

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::lab::{Lab, Router};
use crate::node::{Kind, Node, Program};

/// What shows what a machine's console has said and says.
pub fn console(lab: &Lab, chassis: &str) -> String {
    format!("tail -f {}", lab.out.join("nodes").join(chassis).join("console.log").display())
}

/// Up to five commands that work on this host. The control socket of a machine is inside it.
pub fn commands(lab: &Lab, active: &dyn Node) -> Result<Vec<String>, LabError> {
    let loopback = lab.topology.loopback(false).or_else(|_| lab.topology.loopback(true))?;
    let socket = active.folder().join(format!("run/{}.sock", active.name()));
    let srpctl = format!("{} --socket {}", active.program(Program::Srpctl).display(), socket.display());
    let service = IpNetwork::from(loopback);
    let asked = |router: &Router| router.routing.commands(router.node.as_ref(), &service);
    let paths = |router| asked(router).map(|[paths, _]| paths);
    let ping = format!("ip netns exec {} ping {loopback}", lab.client.netns().name());
    let mut commands = Vec::new();
    match active.kind() {
        Kind::Namespace => {
            commands.extend(
                ["show srp info", "show switchover last", "srp initiate-switchover"]
                    .map(|words| format!("{srpctl} {words}")),
            );
            commands.extend(lab.routers.first().and_then(paths));
        }
        Kind::Machine | Kind::Appliance => {
            commands.extend(lab.routers.iter().filter_map(paths));
            commands.extend(lab.routers.first().and_then(asked).map(|[_, summary]| summary));
            if active.kind() == Kind::Machine {
                commands.push(console(lab, active.name()));
            }
        }
    }
    commands.push(ping);
    Ok(commands)
}

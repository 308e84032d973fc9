//! SSH to appliances: from the host, by way of a router, and from each chassis to the other one.
//!
//! The host's own key and the addresses at which SSH listens lie on the disks from the beginning. What the chassis make themselves when
//! they first start, a key to ask the peer and a host key, is carried from one to the other when they run, as an operator would.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::LabError;
use crate::lab::Lab;
use crate::node::{Job, Node};
use crate::topology::{Role, Topology};

/// Longest wait for a command on a chassis; some make keys, under emulation.
const LIMIT: Duration = Duration::from_mins(2);

/// The host's key, and the host keys that it knows, in a folder of the lab.
#[derive(Clone, Debug)]
pub struct Reach {
    folder: PathBuf,
}

impl Reach {
    /// Makes a key in `folder`.
    pub fn make(folder: &Path) -> Result<Self, LabError> {
        fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
        let reach = Self { folder: folder.to_owned() };
        for old in [reach.key(), reach.public(), reach.known_hosts()] {
            if old.exists() {
                fs::remove_file(&old).map_err(LabError::file("removing", &old))?;
            }
        }
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"]).arg(reach.key());
        let output = command.output().map_err(|_| LabError::ToolMissing {
            tool: "ssh-keygen".to_owned(),
            remedy: "apt-get install openssh-client".to_owned(),
        })?;
        if output.status.success() {
            return Ok(reach);
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(LabError::Answer { command: "ssh-keygen".to_owned(), reason })
    }

    fn key(&self) -> PathBuf {
        self.folder.join("ssh")
    }

    fn public(&self) -> PathBuf {
        self.folder.join("ssh.pub")
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    /// Puts onto the `/flash` of `chassis` where its SSH listens, and that the host may come in.
    pub fn prepare(&self, topology: &Topology, chassis: &str, flash: &Path) -> Result<(), LabError> {
        let listen = [srp_address(topology, chassis)?, router_address(topology, chassis)?.1];
        let lines = listen.map(|address| format!("ssh-listen = {address}\n")).concat();
        append(&flash.join("etc/system.conf"), &lines)?;
        let public = fs::read_to_string(self.public()).map_err(LabError::file("reading", &self.public()))?;
        append(&flash.join("etc/authorized_keys"), &public)
    }

    /// What to type on the host for a shell on `chassis`, or with a command behind it.
    pub fn command(&self, lab: &Lab, chassis: &str) -> Result<String, LabError> {
        let (router, address) = router_address(&lab.topology, chassis)?;
        let from = if let Some(namespace) = lab.router(&router)?.node.namespace() {
            format!("{} ssh", namespace.netns().name())
        } else {
            // By the client's way through it.
            let ways = lab.topology.ways(lab.client.name());
            let way = ways.iter().find(|way| way.router == router && way.source.is_ipv4());
            let source = way.ok_or_else(|| lacks(&lab.topology, chassis, "way from the client"))?.source;
            format!("{} ssh -b {}", lab.client.netns().name(), source.ip())
        };
        Ok(format!(
            "ip netns exec {from} -F none -i {} -o UserKnownHostsFile={} root@{address}",
            self.key().display(),
            self.known_hosts().display()
        ))
    }

    /// Copies a file of the host onto `chassis`, to the path `to` there.
    pub fn copy(&self, lab: &Lab, chassis: &str, from: &Path, to: &str) -> Result<(), LabError> {
        let line =
            format!("{} -o BatchMode=yes 'cat > {to}' < {}", self.command(lab, chassis)?, from.display());
        let output = Command::new("/bin/sh").args(["-c", &line]).output();
        let output = output.map_err(LabError::file("starting", Path::new("/bin/sh")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(LabError::Answer {
            command: line,
            reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Lets the chassis know each other, and the host know both. A second time it changes nothing.
    pub fn acquaint(&self, lab: &Lab) -> Result<(), LabError> {
        let mut known = Vec::new();
        let names = lab.topology.chassis();
        for name in &names {
            let host_key = host_key(lab.chassis(name)?.as_ref())?;
            let (_, at_router) = router_address(&lab.topology, name)?;
            known.push(format!("{at_router} {host_key}\n"));
            let own_key = text(lab.chassis(name)?.as_ref(), "cat /flash/etc/dropbear/id_dropbear.pub")?;
            for peer in names.iter().filter(|peer| *peer != name) {
                let peer = lab.chassis(peer)?.as_ref();
                once(peer, "/flash/etc/authorized_keys", &own_key)?;
                let line = format!("{} {host_key}", srp_address(&lab.topology, name)?);
                once(peer, "/flash/etc/known_hosts", &line)?;
            }
        }
        let file = self.known_hosts();
        fs::write(&file, known.concat()).map_err(LabError::file("writing", &file))?;
        for name in &names {
            for peer in names.iter().filter(|peer| *peer != name) {
                let question =
                    format!("dbclient root@{} srpctl show srp info", srp_address(&lab.topology, peer)?);
                text(lab.chassis(name)?.as_ref(), &question)?;
            }
        }
        Ok(())
    }
}

/// Makes the chassis' host key, if its SSH server has not had to yet, and returns the public half.
fn host_key(node: &dyn Node) -> Result<String, LabError> {
    const FILE: &str = "/flash/etc/dropbear/dropbear_ed25519_host_key";
    let key = text(
        node,
        &format!(
            "[ -e {FILE} ] || {{ dropbearkey -t ed25519 -f {FILE}.new >/dev/null 2>&1 && mv {FILE}.new {FILE} && sync; }} && \
             dropbearkey -y -f {FILE} | grep '^ssh-'"
        ),
    )?;
    // Type and key; what stands behind them is a remark.
    Ok(key.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Adds a line to a file of the chassis, unless it is there.
fn once(node: &dyn Node, file: &str, line: &str) -> Result<(), LabError> {
    let add = format!("grep -qxF '{line}' {file} 2>/dev/null || {{ echo '{line}' >>{file} && sync; }}");
    text(node, &add).map(|_| ())
}

fn text(node: &dyn Node, script: &str) -> Result<String, LabError> {
    let output = node.run_ok(&Job::new("/bin/sh", ["-c", script]), LIMIT)?;
    Ok(output.text().trim().to_owned())
}

/// The address of a chassis on the SRP link.
fn srp_address(topology: &Topology, chassis: &str) -> Result<String, LabError> {
    let names = topology.chassis();
    let mut ends = topology.ends(chassis).filter(|(_, far)| names.contains(&far.node.as_str()));
    let address = ends.find_map(|(own, _)| own.addresses.first().map(ipnetwork::IpNetwork::ip));
    address
        .map(|address| address.to_string())
        .ok_or_else(|| lacks(topology, chassis, "address on the SRP link"))
}

/// The first router beside a chassis, and the chassis' address on the link to it.
fn router_address(topology: &Topology, chassis: &str) -> Result<(String, String), LabError> {
    let is_router =
        |name: &str| topology.node(name).is_ok_and(|node| matches!(node.role, Role::Router { .. }));
    let mut ends = topology.ends(chassis).filter(|(_, far)| is_router(&far.node));
    let found = ends.find_map(|(own, far)| Some((far.node.clone(), own.addresses.first()?.ip().to_string())));
    found.ok_or_else(|| lacks(topology, chassis, "address on a link to a router"))
}

fn lacks(topology: &Topology, chassis: &str, what: &str) -> LabError {
    LabError::Topology { topology: topology.name.clone(), reason: format!("{chassis} has no {what}") }
}

fn append(file: &Path, text: &str) -> Result<(), LabError> {
    let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(LabError::file("writing", file))
}

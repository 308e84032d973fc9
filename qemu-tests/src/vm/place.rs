//! The namespace around one machine, and its wires.
//!
//! ```text
//!   router's namespace      place (namespace of the machine)              machine
//!   east ===================== r1 ---- br0 ---- tap0 ==================== r1
//!          veth, one wire     (veth)   (bridge) (QEMU)    virtio-net
//! ```
//!
//! The veth end carries the topology's name and is the switch of the wire: down here means no carrier at the far end, at
//! once. A tap would do that only when QEMU closes it, and a tap directly in the router's namespace would vanish together
//! with its addresses each time the machine loses power. Nothing in the place speaks: no addresses, IPv6 off.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use image::overlay::Mac;

use crate::bridge;
use crate::error::LabError;
use crate::namespace::Port;
use crate::netns::Netns;
use crate::rtnl::Rtnl;

/// Multicast group of link news (`RTNLGRP_LINK`).
const LINK_NEWS: u32 = 1;

/// Packets that wait for QEMU. Longer than the kernel's 1000: an emulated processor that the host leaves waiting for a
/// second should find its packets late, not lost, because no real one pauses so.
const TAP_QUEUE: u32 = 20_000;

/// A machine's namespace with its wires.
#[derive(Debug)]
pub struct Place {
    ports: Vec<Port>,
    number: u8,
    rtnl: Rtnl,
    netns: Netns, // last: dropped after everything that lives in it
}

impl Place {
    /// Builds bridges and taps behind the veth ends `ports`, which are in `netns` already. `number` tells machines of one
    /// lab apart in their hardware addresses.
    pub fn new(netns: Netns, ports: Vec<Port>, number: u8) -> Result<Self, LabError> {
        let mut lines = Vec::new();
        for (at, port) in ports.iter().enumerate() {
            let (bridge, tap, veth) = (format!("br{at}"), tap(at), &port.name);
            lines.push(format!("link add {bridge} {}", bridge::KIND));
            lines.push(format!("tuntap add {tap} mode tap"));
            lines.push(format!("link set {tap} master {bridge} txqueuelen {TAP_QUEUE} up"));
            lines.push(format!("link set {veth} master {bridge}"));
            lines.push(format!("link set {bridge} up"));
        }
        // Interfaces made from here on have no IPv6; those that are here lose it.
        netns.sysctl(&[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        netns.ip(&lines)?;
        let rtnl = Rtnl::open(&netns, &[])?;
        Ok(Self { ports, number, rtnl, netns })
    }

    /// The namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The wires, in the order of the machine's network devices.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The hardware address of the machine's interface on wire `at`. The same in every run, because chassis compare them.
    pub fn mac(&self, at: usize) -> Mac {
        // The prefix that QEMU uses; it is locally administered.
        Mac([0x52, 0x54, 0x00, 0x5e, self.number, u8::try_from(at).unwrap_or(u8::MAX)])
    }

    /// Sets the carriers of all wires at once, as their far ends see them.
    pub fn set_all(&self, up: bool) -> io::Result<()> {
        let indices: Vec<u32> = self.ports.iter().map(|port| port.index).collect();
        self.rtnl.set_links(&indices, up)
    }

    /// Sets the carrier of wire `at`, as its far end sees it.
    pub fn set(&self, at: usize, up: bool) -> io::Result<()> {
        let port = self.ports.get(at).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        self.rtnl.set_links(&[port.index], up)
    }

    /// Watches the carriers of the wires.
    pub fn watch(&self) -> Result<Watch, LabError> {
        let rtnl = Rtnl::open(&self.netns, &[LINK_NEWS])?;
        Ok(Watch { rtnl, indices: self.ports.iter().map(|port| port.index).collect() })
    }
}

/// The name of the tap of wire `at`.
pub fn tap(at: usize) -> String {
    format!("tap{at}")
}

/// News of carriers.
#[derive(Debug)]
pub struct Watch {
    rtnl: Rtnl,
    indices: Vec<u32>,
}

impl Watch {
    /// Calls `changed` with the number of a wire and its carrier whenever the kernel reports one; returns when the other
    /// end of `stop` is closed, or when netlink fails.
    pub fn run(&self, stop: &UnixStream, mut changed: impl FnMut(usize, bool)) -> io::Result<()> {
        loop {
            let mut ready = [
                PollFd::new(self.rtnl.as_fd(), PollFlags::POLLIN),
                PollFd::new(stop.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut ready, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            let [news, stopped] = ready.map(|file| file.any().unwrap_or(false));
            if stopped {
                return Ok(());
            }
            if !news {
                continue;
            }
            for message in self.rtnl.receive()? {
                let RouteNetlinkMessage::NewLink(link) = message else { continue };
                if let Some(at) = self.indices.iter().position(|index| *index == link.header.index) {
                    changed(at, link.header.flags.contains(LinkFlags::LowerUp));
                }
            }
        }
    }
}

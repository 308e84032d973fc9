//! Nodes that are virtual machines: QEMU as our child, the development image in it, commands over a serial port.
//!
//! What holds:
//! - A machine stands in a namespace of its own, its *place*. The place holds one end of each wire of the topology (a veth,
//!   named as in the topology), bridged to a tap that is the machine's interface. QEMU runs inside the place, so nothing of
//!   it touches the host's network, and `ip netns exec PLACE tcpdump -i r1` shows what is on the wire.
//! - The carrier is one on both sides. A router at the other end sees its link lose the carrier when the veth goes down,
//!   which is what FRR acts on at once; a carrier that the far end takes away is passed into the guest by QMP `set_link`.
//! - QEMU cannot outlive us, and a machine that is off has no process.
//! - Nothing is asked of a machine but over its agent ([`agent`]), which answers only when the guest's links are up.
//!
//! - An appliance starts from its disk, as hardware does, and has nothing of the lab in its image. Its agent lies on its `/flash`
//!   and is started at its console; what the appliance does of itself, it does before that.
//!
//! How data moves: [`factory`] makes machines for a lab; [`place`] builds the network around one; [`qemu`] starts QEMU
//! and waits for the agent's first word on [`channel`]; [`machine`] is a [`crate::node::Node`]; [`frame`] is what lab
//! and agent say to each other; [`qmp`] turns the guest's carriers; [`accelerator`] finds out whether KVM can be
//! trusted; [`carry`] brings programs of this host into one; [`console`] and [`firmware`] are what an appliance has besides, in a lab ([`hands`]) or alone ([`appliance`]).
//!
//! Sources: QEMU 7.2 documentation, "QEMU QMP Reference Manual", "invocation"; Linux `Documentation/networking/tuntap.rst`.

pub mod accelerator;
pub mod agent;
pub mod appliance;
mod archive;
mod carriers;
pub mod carry;
pub mod channel;
pub mod console;
pub mod factory;
pub mod firmware;
pub mod frame;
pub mod hands;
pub mod machine;
pub mod place;
pub mod qemu;
pub mod qmp;
pub mod writes;

pub use accelerator::{Accelerator, Choice};
pub use factory::Factory;
pub use machine::{BootTimes, Machine};

/// Name of the serial port between lab and agent, on both sides.
pub const PORT: &str = "srp.lab";

/// The folder of a machine's files, as the machine sees it.
pub const FOLDER: &str = "/var/lib/lab";

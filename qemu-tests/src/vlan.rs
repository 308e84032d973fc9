//! The untagged end of a VLAN, as a switch has it: what leaves a link gets the tag, and of what comes in only frames with it pass, without
//! it.
//!
//! Two programs of a few instructions in the kernel's traffic control do so, because the kernel of a lab's host need not know VLAN links
//! (`CONFIG_VLAN_8021Q`).
//!
//! Sources: IEEE 802.1Q-2018 clause 9.6 (the tag); Linux `include/uapi/linux/bpf.h` (`__sk_buff`, helpers 18 and 19), tc-bpf(8).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAttribute, TcBpfFlags, TcFilterBpf, TcFilterBpfOption, TcHandle, TcHeader, TcMessage, TcOption,
};

use crate::error::LabError;
use crate::netns::Netns;
use crate::rtnl::Rtnl;

/// An instruction: operation, registers (source and destination), offset of a jump or of memory, constant.
type Instruction = (u8, u8, i16, i32);

/// Operations (RFC 9669 sections 4.1, 4.3 and 5.2), in their 64-bit forms where there are two.
const LOAD_WORD: u8 = 0x61;
const SET: u8 = 0xb7;
const AND: u8 = 0x57;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// `bpf_skb_vlan_push` and `bpf_skb_vlan_pop`.
const PUSH: i32 = 18;
const POP: i32 = 19;
/// Where `__sk_buff` has `vlan_tci`: zero of a frame without a tag.
const TAG: i16 = 24;
/// The twelve bits of the tag that are the number of the VLAN.
const NUMBER: i32 = 0x0fff;
/// `TC_ACT_OK` and `TC_ACT_SHOT`.
const PASS: i32 = 0;
const DROP: i32 = 2;

/// Makes the link with index `link` in `netns` an untagged end of VLAN `id` (1 .. 4094).
pub fn untagged(netns: &Netns, link: u32, id: u16) -> Result<(), LabError> {
    let done = || -> io::Result<()> {
        let link = i32::try_from(link).map_err(io::Error::other)?;
        let (push, pop) = (load(&push(id))?, load(&pop(id))?);
        let rtnl = Rtnl::open(netns, &[]).map_err(|error| io::Error::other(error.to_string()))?;
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        rtnl.change(flags, RouteNetlinkMessage::NewQueueDiscipline(place(link)))?;
        for (hook, program) in [(TcHandle::MIN_EGRESS, &push), (TcHandle::MIN_INGRESS, &pop)] {
            rtnl.change(flags, RouteNetlinkMessage::NewTrafficFilter(filter(link, hook, program)?))?;
        }
        Ok(())
    };
    done().map_err(|error| LabError::Network {
        doing: format!("make link {link} of {} an untagged end of VLAN {id}", netns.name()),
        reason: error.to_string(),
    })
}

/// What leaves.
fn push(id: u16) -> [Instruction; 5] {
    /// The tag's protocol, in the octet order of the network.
    const DOT1Q: u16 = 0x8100_u16.to_be();
    [
        (SET, 2, 0, DOT1Q.into()),
        (SET, 3, 0, id.into()),
        (CALL, 0, 0, PUSH),
        (SET, 0, 0, PASS),
        (EXIT, 0, 0, 0),
    ]
}

/// What comes in.
fn pop(id: u16) -> [Instruction; 8] {
    [
        (LOAD_WORD, 0x12, TAG, 0),
        (AND, 2, 0, NUMBER),
        (JUMP_UNLESS_EQUAL, 2, 3, id.into()),
        (CALL, 0, 0, POP),
        (SET, 0, 0, PASS),
        (EXIT, 0, 0, 0),
        (SET, 0, 0, DROP),
        (EXIT, 0, 0, 0),
    ]
}

/// Gives a program of traffic control to the kernel.
fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    /// The beginning of `union bpf_attr` for this command; the kernel takes what is not given for zero.
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
    }
    const BPF_PROG_LOAD: libc::c_int = 5;
    const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
    let octets = program.iter().flat_map(|(operation, registers, offset, constant)| {
        let mut octets = [*operation, *registers, 0, 0, 0, 0, 0, 0];
        octets[2..4].copy_from_slice(&offset.to_ne_bytes());
        octets[4..].copy_from_slice(&constant.to_ne_bytes());
        octets
    });
    let octets: Vec<u8> = octets.collect();
    let load = Load {
        kind: BPF_PROG_TYPE_SCHED_CLS,
        count: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: octets.as_ptr() as u64,
        // Neither helper asks for a license.
        license: c"".as_ptr() as u64,
    };
    // SAFETY: the structure and what it points to live until the call returns, and its size is its own.
    let file = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>()) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    let file = i32::try_from(file).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(file) })
}

/// The place for programs on a link.
fn place(link: i32) -> TcMessage {
    let header = TcHeader {
        index: link,
        handle: TcHandle { minor: 0, ..TcHandle::CLSACT },
        parent: TcHandle::CLSACT,
        ..TcHeader::default()
    };
    TcMessage::from_parts(header, vec![TcAttribute::Kind("clsact".to_owned())])
}

/// A program at one of its hooks, for every frame; what it returns is what is done.
fn filter(link: i32, hook: u16, program: &OwnedFd) -> io::Result<TcMessage> {
    const FIRST: u32 = 1 << 16;
    const EVERY_PROTOCOL: u16 = 0x0003_u16.to_be(); // ETH_P_ALL
    let parent = TcHandle { minor: hook, ..TcHandle::CLSACT };
    let info = FIRST | u32::from(EVERY_PROTOCOL);
    let header = TcHeader { index: link, parent, info, ..TcHeader::default() };
    let file = u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?;
    let options = [
        TcFilterBpfOption::ProgFd(file),
        TcFilterBpfOption::ProgName("vlan".to_owned()),
        TcFilterBpfOption::Flags(TcBpfFlags::DirectAction),
    ];
    let options = options.into_iter().map(TcOption::Bpf).collect();
    let attributes = vec![TcAttribute::Kind(TcFilterBpf::KIND.to_owned()), TcAttribute::Options(options)];
    Ok(TcMessage::from_parts(header, attributes))
}

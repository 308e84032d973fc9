//! What the kernel may leave out of our event stream: a classic BPF program on the event socket.
//!
//! Installing a full table tells every route listener a million times what we have just asked for ourselves; reading
//! that back costs more than the installing, and overruns the buffer. So route messages pass only if they can
//! concern an object of ours: a change of a route under our mark by somebody else, or a replacing of a route by
//! somebody else (which may have been ours). Links and addresses always pass.
//!
//! Octets of a route message: 0..16 the header (type at 4, flags at 6, port at 12), 16..28 `struct rtmsg`
//! (`rtm_protocol` at 21).

use netlink_packet_core::NLM_F_REPLACE;
use socket2::SockFilter;

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;

// Classic BPF operations (linux/bpf_common.h): class | size or comparison | mode.
const LOAD_U32: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_U16: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_U8: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The program that lets only routes of others pass, for a socket that hears of nothing but routes.
pub(crate) fn routes_of_others(own_port: u32, protocol: u8) -> [SockFilter; 6] {
    let step = SockFilter::new;
    [
        step(LOAD_U32, 0, 0, 12),
        step(IF_EQUAL, 3, 0, u32::from_be_bytes(own_port.to_ne_bytes())), // 1: our own echo -> 5
        step(LOAD_U8, 0, 0, 21),
        step(IF_EQUAL, 1, 0, u32::from(protocol)), // 3: under our mark -> 5
        step(RETURN, 0, 0, u32::MAX),
        step(RETURN, 0, 0, 0), // 5
    ]
}

/// The program for a writer with the port `own_port` that marks its routes with `protocol`.
pub(crate) fn program(own_port: u32, protocol: u8) -> [SockFilter; 12] {
    // A load gives the octets in network order; the header holds them in the order of the machine.
    let u16_as_loaded = |value: u16| u32::from(u16::from_be_bytes(value.to_ne_bytes()));
    let port_as_loaded = u32::from_be_bytes(own_port.to_ne_bytes());
    let step = SockFilter::new;
    let pass = || step(RETURN, 0, 0, u32::MAX);
    let drop = || step(RETURN, 0, 0, 0);
    [
        step(LOAD_U16, 0, 0, 4),
        step(IF_EQUAL, 2, 0, u16_as_loaded(RTM_NEWROUTE)), // 1: yes -> 4
        step(IF_EQUAL, 1, 0, u16_as_loaded(RTM_DELROUTE)), // 2: yes -> 4
        pass(),                                            // 3: not about a route
        step(LOAD_U32, 0, 0, 12),
        step(IF_EQUAL, 4, 0, port_as_loaded), // 5: our own echo -> 10
        step(LOAD_U8, 0, 0, 21),
        step(IF_EQUAL, 3, 0, u32::from(protocol)), // 7: about a route of ours -> 11
        step(LOAD_U16, 0, 0, 6),
        step(IF_ANY_BIT, 1, 0, u16_as_loaded(NLM_F_REPLACE)), // 9: perhaps over a route of ours -> 11
        drop(),                                               // 10
        pass(),                                               // 11
    ]
}

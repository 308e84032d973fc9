//! Giving the kernel keys of the TCP Authentication Option (RFC 5925): Linux 6.7 and later, with `CONFIG_TCP_AO`.
//!
//! As with TCP-MD5, keys belong to a socket and to peers; a listener has those of all neighbors, and what it accepts has a
//! copy. Unlike there, a connection may have several. What the neighbor signs with is asked for by `RNextKeyID` in every
//! segment, and what we sign with is what it asks us for: so a connection is told only what to ask for, until the key
//! that it signs with is to go.
//!
//! The three structures are those of linux/tcp.h (`tcp_ao_add`, `tcp_ao_del`, `tcp_ao_info_opt`).

use std::io;
use std::mem::{offset_of, size_of};
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use ipnetwork::IpNetwork;
use socket2::{Domain, Protocol, Socket, Type};

use crate::ao_keys::{AoAlgorithm, AoKey, AoKeys};
use crate::tcp_auth::{set, sockaddr};

const ADD_KEY: libc::c_int = 38;
const DELETE_KEY: libc::c_int = 39;
const INFO: libc::c_int = 40;

/// `set_current`, the first bit of its word: sign with this key.
const SET_CURRENT: u32 = if cfg!(target_endian = "little") { 1 } else { 1 << 31 };
/// `set_rnext`, the second one: ask for this key.
const SET_NEXT: u32 = if cfg!(target_endian = "little") { 1 << 1 } else { 1 << 30 };

/// `struct tcp_ao_add`.
#[repr(C, align(8))]
struct Add {
    address: [u8; 128],
    algorithm: [u8; 64],
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    mac_length: u8,
    key_flags: u8,
    key_length: u8,
    key: [u8; AoKeys::LIMIT],
}

const _: () = {
    assert!(size_of::<Add>() == 288 && align_of::<Add>() == 8);
    assert!(offset_of!(Add, algorithm) == 128 && offset_of!(Add, interface) == 192);
    assert!(offset_of!(Add, flags) == 196 && offset_of!(Add, reserved) == 200);
    assert!(offset_of!(Add, prefix_length) == 202 && offset_of!(Add, send_id) == 203);
    assert!(offset_of!(Add, receive_id) == 204 && offset_of!(Add, mac_length) == 205);
    assert!(offset_of!(Add, key_flags) == 206 && offset_of!(Add, key_length) == 207);
    assert!(offset_of!(Add, key) == 208);
};

/// `struct tcp_ao_del`.
#[repr(C, align(8))]
struct Delete {
    address: [u8; 128],
    interface: i32,
    flags: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    current_id: u8,
    next_id: u8,
    key_flags: u8,
}

const _: () = {
    assert!(size_of::<Delete>() == 144 && align_of::<Delete>() == 8);
    assert!(offset_of!(Delete, interface) == 128 && offset_of!(Delete, flags) == 132);
    assert!(offset_of!(Delete, reserved) == 136 && offset_of!(Delete, prefix_length) == 138);
    assert!(offset_of!(Delete, send_id) == 139 && offset_of!(Delete, receive_id) == 140);
    assert!(offset_of!(Delete, current_id) == 141 && offset_of!(Delete, next_id) == 142);
    assert!(offset_of!(Delete, key_flags) == 143);
};

/// `struct tcp_ao_info_opt`.
#[repr(C, align(8))]
struct Info {
    flags: u32,
    reserved: u16,
    current_id: u8,
    next_id: u8,
    /// Set only with a flag that is never set here.
    counters: [u64; 5],
}

const _: () = {
    assert!(size_of::<Info>() == 48 && align_of::<Info>() == 8);
    assert!(offset_of!(Info, reserved) == 4 && offset_of!(Info, current_id) == 6);
    assert!(offset_of!(Info, next_id) == 7 && offset_of!(Info, counters) == 8);
};

/// A key that the kernel does not take.
#[derive(Debug, thiserror::Error)]
#[error("TCP-AO key {key} for {peers}: the kernel refuses it: {source}: {}", remedy(.source))]
pub struct AoRefused {
    /// The key, by its identifiers.
    pub key: AoKey,
    /// Whom it is for.
    pub peers: IpNetwork,
    /// What the kernel said.
    pub source: io::Error,
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => {
            "use a kernel of Linux 6.7 or later with CONFIG_TCP_AO, or md5-key-file at both ends"
        }
        // It finds no such algorithm.
        Some(libc::ENOENT) => "use a kernel with this algorithm, or another one at both ends",
        Some(_) | None => "correct the keys, or remove them",
    }
}

/// Whether this kernel takes these keys. Asked of sockets that nobody else has.
pub(crate) fn check<'k>(keys: impl Iterator<Item = (IpNetwork, &'k AoKeys)>) -> Result<(), AoRefused> {
    for (peers, keys) in keys {
        let Some(first) = keys.as_slice().first() else { continue };
        let refused = |key: &AoKey, source| AoRefused { key: key.clone(), peers, source };
        let domain = if peers.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let probe = Socket::new(domain, Type::STREAM, Some(Protocol::TCP));
        let probe = probe.map_err(|source| refused(first, source))?;
        for key in keys.as_slice() {
            add(&probe, peers, key, 0).map_err(|source| refused(key, source))?;
        }
    }
    Ok(())
}

/// Signs a connection that is about to be opened.
pub(crate) fn sign(socket: &impl AsRawFd, peer: IpAddr, keys: &AoKeys) -> io::Result<()> {
    let mut flags = SET_CURRENT | SET_NEXT;
    for key in keys.as_slice() {
        add(socket, peer.into(), key, std::mem::take(&mut flags))?;
    }
    Ok(())
}

/// Brings a connection from one set of keys to another, of which [`AoKeys::can_become`] holds.
pub(crate) fn change_on_connection(
    socket: &impl AsRawFd,
    peer: IpAddr,
    from: &AoKeys,
    to: &AoKeys,
) -> io::Result<()> {
    for key in to.as_slice().iter().filter(|key| !from.as_slice().contains(key)) {
        add(socket, peer.into(), key, 0)?;
    }
    let Some(first) = to.as_slice().first() else { return Ok(()) };
    set(socket, libc::IPPROTO_TCP, INFO, &Info::ask_for(first))?;
    for key in from.as_slice().iter().filter(|key| !to.as_slice().contains(key)) {
        match delete(socket, peer.into(), key, None) {
            // The one that we sign with.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                delete(socket, peer.into(), key, Some(first))?;
            }
            done => done?,
        }
    }
    Ok(())
}

/// Brings a listener from one set of keys to another. It has none in use: those who connect choose.
pub(crate) fn change_on_listener(
    socket: &impl AsRawFd,
    peers: IpNetwork,
    from: Option<&AoKeys>,
    to: Option<&AoKeys>,
) -> io::Result<()> {
    let [had, wanted] = [from, to].map(|keys| keys.map_or(&[][..], AoKeys::as_slice));
    let fresh = wanted.iter().filter(|key| !had.contains(key));
    // New ones first, so that nobody gets in unsigned; but an identifier has to be free before it is given again.
    let (first, last): (Vec<&AoKey>, Vec<&AoKey>) =
        fresh.partition(|key| !had.iter().any(|old| old.is_named_like(key)));
    for key in first {
        add(socket, peers, key, 0)?;
    }
    for key in had.iter().filter(|key| !wanted.contains(key)) {
        delete(socket, peers, key, None)?;
    }
    for key in last {
        add(socket, peers, key, 0)?;
    }
    Ok(())
}

fn add(socket: &impl AsRawFd, peers: IpNetwork, key: &AoKey, flags: u32) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, ADD_KEY, &Add::new(peers, key, flags))
}

/// `instead` is signed with from then on.
fn delete(socket: &impl AsRawFd, peers: IpNetwork, key: &AoKey, instead: Option<&AoKey>) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, DELETE_KEY, &Delete::new(peers, key, instead))
}

impl Add {
    fn new(peers: IpNetwork, key: &AoKey, flags: u32) -> Self {
        let mut algorithm = [0; 64];
        let name = kernel_name(key.algorithm).as_bytes();
        algorithm[..name.len()].copy_from_slice(name);
        let mut octets = [0; AoKeys::LIMIT];
        octets[..key.secret.len()].copy_from_slice(key.secret.as_bytes());
        Self {
            address: sockaddr(peers.network()),
            algorithm,
            interface: 0,
            flags,
            reserved: 0,
            prefix_length: peers.prefix(),
            send_id: key.send_id,
            receive_id: key.receive_id,
            mac_length: mac_length(key.algorithm),
            key_flags: 0,
            key_length: u8::try_from(key.secret.len()).unwrap_or(u8::MAX),
            key: octets,
        }
    }
}

impl Delete {
    fn new(peers: IpNetwork, key: &AoKey, instead: Option<&AoKey>) -> Self {
        Self {
            address: sockaddr(peers.network()),
            interface: 0,
            flags: if instead.is_some() { SET_CURRENT } else { 0 },
            reserved: 0,
            prefix_length: peers.prefix(),
            send_id: key.send_id,
            receive_id: key.receive_id,
            current_id: instead.map_or(0, |key| key.send_id),
            next_id: 0,
            key_flags: 0,
        }
    }
}

impl Info {
    const fn ask_for(key: &AoKey) -> Self {
        Self { flags: SET_NEXT, reserved: 0, current_id: 0, next_id: key.receive_id, counters: [0; 5] }
    }
}

/// The kernel's name for an algorithm.
const fn kernel_name(algorithm: AoAlgorithm) -> &'static str {
    match algorithm {
        AoAlgorithm::HmacSha1 => "hmac(sha1)",
        // With the key derivation of RFC 5926 section 3.1.1.2, for secrets that are not 16 octets long.
        AoAlgorithm::AesCmac => "cmac(aes128)",
        AoAlgorithm::HmacSha256 => "hmac(sha256)",
    }
}

/// Octets of a signature.
const fn mac_length(algorithm: AoAlgorithm) -> u8 {
    match algorithm {
        AoAlgorithm::HmacSha1 | AoAlgorithm::AesCmac => 12,
        AoAlgorithm::HmacSha256 => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> AoKeys {
        AoKeys::parse(text).unwrap()
    }

    fn octets<T>(value: &T) -> &[u8] {
        // SAFETY: the three structures are integers without padding between them (their sizes and offsets are asserted above).
        unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
    }

    #[test]
    fn key_becomes_the_octets_that_the_kernel_reads() {
        let keys = keys("7 8 aes-128-cmac-96 secret\n1 2 hmac-sha-256-128 other\n3 4 hmac-sha-1-96 third");
        let [first, second, third] = [0, 1, 2].map(|n| keys.as_slice()[n].clone());
        let add = Add::new("192.0.2.1/32".parse().unwrap(), &first, SET_CURRENT | SET_NEXT);
        let add = octets(&add);
        assert_eq!(add[..2], 2_u16.to_ne_bytes()); // AF_INET
        assert_eq!(add[2..8], [0, 0, 192, 0, 2, 1]);
        assert_eq!(&add[128..141], b"cmac(aes128)\0");
        assert_eq!(add[192..196], [0; 4]);
        let both: &[u8] = if cfg!(target_endian = "little") { &[3, 0, 0, 0] } else { &[0xc0, 0, 0, 0] };
        assert_eq!(&add[196..200], both);
        assert_eq!(add[200..208], [0, 0, 32, 7, 8, 12, 0, 6]);
        assert_eq!(&add[208..215], b"secret\0");

        let add = Add::new("2001:db8::/32".parse().unwrap(), &second, 0);
        let add = octets(&add);
        assert_eq!(add[..2], 10_u16.to_ne_bytes()); // AF_INET6
        assert_eq!(add[8..13], [0x20, 1, 0x0d, 0xb8, 0]);
        assert_eq!(
            (&add[128..141], &add[196..208]),
            (&b"hmac(sha256)\0"[..], &[0, 0, 0, 0, 0, 0, 32, 1, 2, 16, 0, 5][..])
        );

        let delete = Delete::new("192.0.2.1/32".parse().unwrap(), &first, Some(&third));
        let current: &[u8] = if cfg!(target_endian = "little") { &[1, 0, 0, 0] } else { &[0x80, 0, 0, 0] };
        assert_eq!(&octets(&delete)[132..136], current);
        assert_eq!(octets(&delete)[136..144], [0, 0, 32, 7, 8, 3, 0, 0]);
        assert_eq!(Delete::new("192.0.2.1/32".parse().unwrap(), &first, None).flags, 0);

        let info = Info::ask_for(&third);
        let next: &[u8] = if cfg!(target_endian = "little") { &[2, 0, 0, 0] } else { &[0x40, 0, 0, 0] };
        assert_eq!((&octets(&info)[..4], &octets(&info)[4..8]), (next, &[0, 0, 0, 4][..]));
        assert_eq!(octets(&info)[8..], [0; 40]);
    }

    #[test]
    fn algorithms_have_the_names_of_the_kernel_and_signatures_that_fit() {
        let rows = AoAlgorithm::ALL.map(|one| (one.name(), kernel_name(one), mac_length(one)));
        let expected = [
            ("hmac-sha-1-96", "hmac(sha1)", 12),
            ("aes-128-cmac-96", "cmac(aes128)", 12),
            ("hmac-sha-256-128", "hmac(sha256)", 16),
        ];
        assert_eq!(rows, expected);
    }

    /// A kernel that has it takes keys, changes and deletes them; one that has not is told from one that refuses a key.
    #[test]
    fn kernel_takes_keys_or_is_known_not_to_have_them() {
        let one = keys("1 1 hmac-sha-1-96 one");
        let both = keys("2 2 hmac-sha-256-128 two\n1 1 hmac-sha-1-96 one");
        let other = keys("1 1 hmac-sha-1-96 two");
        for peers in ["192.0.2.1/32", "10.0.0.0/8", "2001:db8::1/128", "2001:db8::/64"] {
            let peers: IpNetwork = peers.parse().unwrap();
            match check([(peers, &both)].into_iter()) {
                Ok(()) => {
                    let domain = if peers.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
                    let socket = Socket::new(domain, Type::STREAM, None).unwrap();
                    for (from, to) in [
                        (None, Some(&one)),
                        (Some(&one), Some(&both)),
                        (Some(&both), Some(&other)),
                        (Some(&other), None),
                    ] {
                        change_on_listener(&socket, peers, from, to).expect("the kernel takes it");
                    }
                    let socket = Socket::new(domain, Type::STREAM, None).unwrap();
                    sign(&socket, peers.network(), &one).expect("the kernel takes it");
                    change_on_connection(&socket, peers.network(), &one, &both).expect("the kernel takes it");
                }
                Err(refused) => {
                    let said = format!(
                        "TCP-AO key 2/2 hmac-sha-256-128 for {peers}: the kernel refuses it: Protocol not available (os error 92): \
                         use a kernel of Linux 6.7 or later with CONFIG_TCP_AO, or md5-key-file at both ends"
                    );
                    assert_eq!(refused.to_string(), said);
                }
            }
        }
    }
}

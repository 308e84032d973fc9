//! What the kernel is told to check of every segment: TCP-MD5 signatures (RFC 2385) and hop limits (RFC 5082).
//!
//! A key belongs to a socket and a peer. A listener has the keys of all its neighbors, or their SYNs would not be
//! answered; what it accepts has a copy. So a changed key has to be given to the listener and to every connection.

use std::fmt;
use std::io;
use std::mem::size_of;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

/// A secret that both ends of a session know; 1 to 80 octets. It never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Md5Key(Arc<str>);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a TCP-MD5 key of {octets} octets is not allowed: use 1 to {}", Md5Key::LIMIT)]
pub struct BadMd5Key {
    /// How long it is.
    pub octets: usize,
}

impl Md5Key {
    /// The most octets that the kernel takes.
    pub const LIMIT: usize = libc::TCP_MD5SIG_MAXKEYLEN;
}

impl TryFrom<&str> for Md5Key {
    type Error = BadMd5Key;

    fn try_from(text: &str) -> Result<Self, BadMd5Key> {
        match text.len() {
            1..=Self::LIMIT => Ok(Self(text.into())),
            octets => Err(BadMd5Key { octets }),
        }
    }
}

impl fmt::Debug for Md5Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Key")
    }
}

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct TcpMd5Sig {
    /// A `sockaddr_storage`.
    address: [u8; 128],
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; Md5Key::LIMIT],
}

/// `TCP_MD5SIG_FLAG_PREFIX`: the prefix length counts.
const WITH_PREFIX: u8 = 1;

/// Has the socket sign what it sends to these peers and drop what they do not sign; `None` takes the key away.
///
/// Fails with `ENOPROTOOPT` on a kernel without TCP-MD5, and with `ENOENT` when there is no key to take away.
pub(crate) fn set_md5_key(
    socket: &impl AsRawFd,
    address: IpAddr,
    prefix_length: u8,
    key: Option<&Md5Key>,
) -> io::Result<()> {
    let text = key.map_or(&[][..], |key| key.0.as_bytes());
    let mut octets = [0; Md5Key::LIMIT];
    octets[..text.len()].copy_from_slice(text);
    let option = TcpMd5Sig {
        address: sockaddr(address),
        flags: WITH_PREFIX,
        prefix_length,
        key_length: u16::try_from(text.len()).unwrap_or(u16::MAX),
        interface: 0,
        key: octets,
    };
    set(socket, libc::IPPROTO_TCP, libc::TCP_MD5SIG_EXT, &option)
}

/// `sockaddr_in` or `sockaddr_in6` with port 0, as the octets of a `sockaddr_storage`.
pub(crate) fn sockaddr(address: IpAddr) -> [u8; 128] {
    let mut octets = [0; 128];
    let (family, at, address): (libc::c_int, usize, &[u8]) = match &address {
        IpAddr::V4(v4) => (libc::AF_INET, 4, &v4.octets()),
        IpAddr::V6(v6) => (libc::AF_INET6, 8, &v6.octets()),
    };
    octets[..2].copy_from_slice(&u16::try_from(family).unwrap_or_default().to_ne_bytes());
    octets[at..at + address.len()].copy_from_slice(address);
    octets
}

/// Whether this kernel can sign at all.
pub(crate) fn supports_md5() -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let key = Md5Key("probe".into());
    set_md5_key(&socket, std::net::Ipv4Addr::LOCALHOST.into(), 32, Some(&key))
}

/// Has the kernel drop what comes with fewer hops left (RFC 5082); 1 takes everything.
pub(crate) fn set_least_hop_limit(socket: &impl AsRawFd, address: IpAddr, least: u8) -> io::Result<()> {
    let least = libc::c_int::from(least);
    match address {
        IpAddr::V4(_) => set(socket, libc::IPPROTO_IP, libc::IP_MINTTL, &least),
        IpAddr::V6(_) => set(socket, libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, &least),
    }
}

/// Sets an option to a value that is made of integers without padding.
pub(crate) fn set<T>(
    socket: &impl AsRawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, since `socket` is borrowed. The kernel reads `length` octets, which is the size of
    // the value that the pointer leads to, and keeps no reference. All types passed here are made of integers alone.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), length) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_that_of_the_kernel() {
        assert_eq!(size_of::<TcpMd5Sig>(), 128 + 1 + 1 + 2 + 4 + 80);
    }

    #[test]
    fn key_has_a_length_and_does_not_show() {
        assert_eq!(Md5Key::try_from(""), Err(BadMd5Key { octets: 0 }));
        assert_eq!(Md5Key::try_from("x".repeat(81).as_str()), Err(BadMd5Key { octets: 81 }));
        assert_eq!(format!("{:?}", Md5Key::try_from("secret").unwrap()), "Md5Key");
    }

    #[test]
    fn keys_are_set_changed_and_taken_away_for_addresses_and_ranges() {
        let key = |text: &str| Md5Key::try_from(text).unwrap();
        let v4 = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let v6 = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        let rows: [(&Socket, &str, u8); 4] = [
            (&v4, "192.0.2.1", 32),
            (&v4, "10.0.0.0", 8),
            (&v6, "2001:db8::1", 128),
            (&v6, "2001:db8::", 64),
        ];
        for (socket, address, length) in rows {
            let address = address.parse().unwrap();
            for key in [Some(key("one")), Some(key("two")), None] {
                set_md5_key(socket, address, length, key.as_ref()).expect("the kernel has TCP-MD5");
            }
            let gone = set_md5_key(socket, address, length, None).unwrap_err();
            assert_eq!(gone.raw_os_error(), Some(libc::ENOENT));
        }
    }

    #[test]
    fn least_hop_limit_is_taken_for_both_versions() {
        let v4 = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let v6 = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        set_least_hop_limit(&v4, "192.0.2.1".parse().unwrap(), 255).unwrap();
        set_least_hop_limit(&v6, "2001:db8::1".parse().unwrap(), 255).unwrap();
    }
}

//! How much of what was written to a socket the other end has not acknowledged.

use std::io;
use std::os::fd::AsRawFd;

/// Octets written to the TCP socket that its peer has not acknowledged (`SIOCOUTQ`, see tcp(7)).
pub(crate) fn unacknowledged(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut octets: libc::c_int = 0;
    // SAFETY: the descriptor is open, since `socket` is borrowed, and TIOCOUTQ (the number of SIOCOUTQ) writes one int
    // through the pointer, which outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(u64::try_from(octets).unwrap_or(0)) }
}

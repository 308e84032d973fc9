//! The responder: echoes what comes to the loopbacks of the pair, with its own name and the time of arrival.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::packet::{Memory, Reply, Request, name_octets};
use super::socket::Datagrams;
use crate::realtime;

/// Streams that are remembered at most; the table starts anew when a stranger fills it.
const STREAMS: usize = 256;

/// What a responder is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responder {
    /// Name in the answers: the chassis it runs on.
    pub name: String,
    /// Loopbacks to answer for; they may come and go.
    pub addresses: Vec<IpAddr>,
    /// UDP port.
    pub port: u16,
}

impl Responder {
    /// Answers until the process is ended. `ready` is called once all sockets are open, with what real-time rights were
    /// refused.
    pub fn run(&self, ready: impl FnOnce(&[String])) -> io::Result<()> {
        let sockets = self
            .addresses
            .iter()
            .map(|address| Datagrams::bind(SocketAddr::new(*address, self.port)))
            .collect::<io::Result<Vec<_>>>()?;
        ready(&realtime::precede(realtime::RESPONDER));
        let name = name_octets(&self.name);
        let mut memories: HashMap<(SocketAddr, u32, u8), Memory> = HashMap::with_capacity(STREAMS);
        let mut buffer = [0; 2048];
        loop {
            let mut waiting: Vec<_> =
                sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
            match poll(&mut waiting, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
            for socket in &sockets {
                while let Some(got) = socket.receive(&mut buffer)? {
                    let Some(request) = Request::decode(&buffer[..got.len]) else { continue };
                    if memories.len() >= STREAMS {
                        memories.clear();
                    }
                    let memory = memories.entry((got.from, request.run, request.stream)).or_default();
                    let seen = memory.note(request.sequence);
                    let reply = Reply { request, reached_ns: got.at_ns, name, seen };
                    // Without a way back the packet is lost on the way back: the client will count it so.
                    let _ = socket.send_to(&reply.encode(), got.from);
                }
            }
        }
    }
}

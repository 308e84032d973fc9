//! The TCP connection of a Diameter peer, in whatever stage it is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use bgp_glue::speaker::bind_device;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::WRITE_WITHIN;

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A connection, an attempt at one, or neither.
pub(super) enum Connection {
    None,
    Attempt(Attempt),
    Open(TcpStream),
}

/// What the connection has come to.
pub(super) enum Heard {
    /// It is made; our end.
    Connected(IpAddr),
    /// So many octets are in the buffer.
    Octets(usize),
    /// There is none, or no longer.
    Lost(String),
}

impl Connection {
    /// Begins to connect.
    pub fn begin(peer: SocketAddr, local: Option<IpAddr>, vrf: Option<String>) -> Self {
        Self::Attempt(Box::pin(async move {
            let socket = if peer.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            bind_device(&SockRef::from(&socket), vrf.as_deref())?;
            if let Some(local) = local {
                socket.bind((local, 0).into()).map_err(|error| {
                    io::Error::new(error.kind(), format!("local-address {local} cannot be used: {error}"))
                })?;
            }
            let stream = socket.connect(peer).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        }))
    }

    /// The next thing that happens to it. Cancel safe: an attempt goes on, and a read is taken whole or not at all.
    pub async fn next(&mut self, buffer: &mut [u8]) -> Heard {
        match self {
            Self::None => std::future::pending().await,
            Self::Attempt(attempt) => {
                let made = attempt.as_mut().await;
                match made.and_then(|stream| Ok((stream.local_addr()?.ip(), stream))) {
                    Ok((local, stream)) => {
                        *self = Self::Open(stream);
                        Heard::Connected(local)
                    }
                    Err(error) => self.lost(error.to_string()),
                }
            }
            Self::Open(stream) => match stream.read(buffer).await {
                Ok(0) => self.lost("closed by the peer".into()),
                Ok(length) => Heard::Octets(length),
                Err(error) => self.lost(error.to_string()),
            },
        }
    }

    /// Sends a small message. An error says why the connection is of no use.
    pub async fn send(&mut self, octets: &[u8]) -> Result<(), String> {
        let Self::Open(stream) = self else { return Err("not connected".into()) };
        match tokio::time::timeout(WRITE_WITHIN, stream.write_all(octets)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the peer does not take what is sent".into()),
        }
    }

    fn lost(&mut self, why: String) -> Heard {
        *self = Self::None;
        Heard::Lost(why)
    }
}

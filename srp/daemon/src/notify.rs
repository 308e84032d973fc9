//! Tells a service manager how far we are (the `sd_notify` protocol: a datagram to `$NOTIFY_SOCKET`).

use std::os::unix::net::UnixDatagram;

use tracing::debug;

/// Everything runs.
pub fn ready() {
    send("READY=1");
}

/// An orderly stop has begun.
pub fn stopping() {
    send("STOPPING=1");
}

fn send(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        use std::os::linux::net::SocketAddrExt;
        let text = path.as_encoded_bytes();
        let address = match text.strip_prefix(b"@") {
            Some(name) => std::os::unix::net::SocketAddr::from_abstract_name(name)?,
            None => std::os::unix::net::SocketAddr::from_pathname(&path)?,
        };
        socket.send_to_addr(state.as_bytes(), &address)
    });
    if let Err(error) = sent {
        debug!(%error, state, "service manager not told");
    }
}

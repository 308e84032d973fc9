//! A neighbor that says exactly what a test has it say.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bgp_proto::types::{Asn, Families};
use bgp_proto::wire::header::{Kind, MAX_MESSAGE_LEN, first_frame, push_keepalive, push_message};
use bgp_proto::wire::notification::Notification;
use bgp_proto::wire::open::Open;
use bgp_proto::wire::update::{AsWidth, Update, UpdateContext};

use crate::netns::Netns;
use crate::owner::PATIENCE;

/// One connection of a scripted neighbor.
pub struct ScriptedPeer {
    stream: TcpStream,
    input: Vec<u8>,
    /// For those who have to tell the first dump from what comes after it.
    pub has_seen_end_of_rib: bool,
    /// How the speaker writes AS numbers.
    pub as_width: AsWidth,
}

/// What the speaker said.
#[derive(Debug)]
pub enum Said {
    Open(Open),
    Update(Update),
    Notification(Notification),
    Keepalive,
    RouteRefresh,
    /// The connection ended.
    Nothing,
}

pub fn listen(netns: &Netns, address: &str) -> TcpListener {
    let address: SocketAddr = address.parse().unwrap();
    netns.run(|| TcpListener::bind(address)).expect("the scripted peer can listen")
}

pub fn open(asn: u32, hold_secs: u16, id: u8) -> Open {
    let router_id = Ipv4Addr::new(192, 0, 2, id).try_into().unwrap();
    Open::ours(Asn(asn), hold_secs.try_into().unwrap(), router_id, Families::ALL)
}

pub fn keepalive() -> Vec<u8> {
    let mut octets = Vec::new();
    push_keepalive(&mut octets);
    octets
}

/// An UPDATE with this body.
pub fn update(body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    push_message(&mut octets, Kind::Update, |out| out.extend_from_slice(body));
    octets
}

/// A route of AS 65001 with next hop 192.0.2.2 to 10.0.0.0/8 and so many more prefixes.
pub fn routes(count: u32) -> Vec<u8> {
    routes_from(0, count)
}

/// The same with other prefixes, beginning with this one.
pub fn routes_from(first: u32, count: u32) -> Vec<u8> {
    let mut body =
        vec![0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 192, 0, 2, 2];
    body.extend([8, 10]);
    for n in first..first + count {
        body.push(24);
        body.extend_from_slice(&(0xac10_0000 + (n << 8)).to_be_bytes()[..3]);
    }
    update(&body)
}

impl ScriptedPeer {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, input: Vec::new(), has_seen_end_of_rib: false, as_width: AsWidth::Four }
    }

    pub fn accept(listener: &TcpListener) -> Self {
        Self::new(listener.accept().expect("the speaker connects").0)
    }

    pub fn connect(netns: &Netns, from: &str, to: &str) -> Self {
        Self::connect_prepared(netns, from, to, |_| ())
    }

    /// One whose kernel takes only so much ahead of it.
    pub fn connect_with_buffer(netns: &Netns, from: &str, to: &str, octets: usize) -> Self {
        Self::connect_prepared(netns, from, to, |socket| {
            socket.set_recv_buffer_size(octets).expect("a small buffer is allowed");
        })
    }

    /// One whose socket is changed before it connects.
    pub fn connect_prepared(
        netns: &Netns,
        from: &str,
        to: &str,
        prepare: impl FnOnce(&socket2::Socket) + Send,
    ) -> Self {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        Self::new(netns.run(|| {
            let socket =
                socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).unwrap();
            prepare(&socket);
            socket.bind(&from.into()).unwrap();
            socket.connect(&to.into()).expect("the speaker listens");
            socket.into()
        }))
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).expect("the speaker's connection is open");
    }

    /// How long to wait for the speaker's next word.
    pub fn set_patience(&mut self, patience: Duration) {
        self.stream.set_read_timeout(Some(patience)).expect("the patience is not zero");
    }

    /// Sends what the speaker may not want to hear: it may have hung up.
    pub fn try_send(&mut self, octets: &[u8]) {
        // Whether it has is seen in what it said.
        let _ = self.stream.write_all(octets);
    }

    pub fn send_open(&mut self, open: &Open) {
        let mut octets = Vec::new();
        open.push(&mut octets);
        self.send(&octets);
    }

    /// Goes through the opening and leaves the session Established.
    pub fn establish(&mut self, open: &Open) -> Open {
        let Said::Open(theirs) = self.hear() else { panic!("an OPEN comes first") };
        self.send_open(open);
        self.send(&keepalive());
        assert!(matches!(self.hear(), Said::Keepalive));
        theirs
    }

    /// The next message.
    pub fn hear(&mut self) -> Said {
        loop {
            if let Some(frame) = first_frame(&self.input, MAX_MESSAGE_LEN).expect("the speaker frames well") {
                let said = match frame.kind {
                    Kind::Open => Said::Open(Open::decode(frame.body).expect("the speaker's OPEN is good")),
                    Kind::Update => {
                        let update = Update::decode(frame.body, context(self.as_width))
                            .expect("the speaker's UPDATE is good");
                        Said::Update(update)
                    }
                    Kind::Notification => Said::Notification(Notification::decode(frame.body).unwrap()),
                    Kind::Keepalive => Said::Keepalive,
                    Kind::RouteRefresh => Said::RouteRefresh,
                };
                self.input.drain(..frame.wire_len());
                return said;
            }
            let mut buffer = [0; 16384];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Said::Nothing,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Said::Nothing,
                Err(error) => panic!("nothing came from the speaker: {error}"),
            }
        }
    }

    /// The first message of a connection that the speaker may close without a word.
    pub fn try_hear(&mut self) -> Option<Said> {
        match self.hear() {
            Said::Nothing => None,
            said => Some(said),
        }
    }

    /// The next UPDATE, whatever keepalives come before it.
    pub fn hear_update(&mut self) -> Update {
        loop {
            match self.hear() {
                Said::Update(update) => return update,
                Said::Keepalive => {}
                other => panic!("an UPDATE was expected, not {other:?}"),
            }
        }
    }

    /// The NOTIFICATION that ends the connection.
    pub fn hear_the_end(&mut self) -> Notification {
        loop {
            match self.hear() {
                Said::Notification(notification) => {
                    assert!(matches!(self.hear(), Said::Nothing), "the connection ends with it");
                    return notification;
                }
                Said::Open(_) | Said::Update(_) | Said::Keepalive | Said::RouteRefresh => {}
                Said::Nothing => panic!("a NOTIFICATION comes before the end"),
            }
        }
    }

    /// Ends the connection without a word.
    pub fn hang_up(self) {
        // An error means that the speaker was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn context(as_width: AsWidth) -> UpdateContext {
    UpdateContext::new(as_width, bgp_proto::types::PeerKind::External, Families::ALL)
}

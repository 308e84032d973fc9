//! Two sessions in one simulated network that open at the same time. However the packets fall, one session comes up
//! on both sides by the same connection, and stays.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bgp_proto::session::{Action, Event, Session, SessionConfig, Side};
use bgp_proto::types::{Asn, Millis, Time};

/// A packet on its way. Connections are numbered; the speaker that opened one has it as `Outgoing`.
enum Packet {
    Syn,
    Data(Vec<u8>),
    Fin,
}

struct Delivery {
    to: usize,
    connection: usize,
    packet: Packet,
}

struct Network {
    speakers: [Session; 2],
    /// By connection: which speaker opened it, and which ends are still open.
    connections: Vec<(usize, [bool; 2])>,
    /// By speaker and side.
    current: [[Option<usize>; 2]; 2],
    queue: BTreeMap<(u64, u64), Delivery>,
    /// Packets of one direction of a connection keep their order.
    last_arrival: BTreeMap<(usize, usize), u64>,
    now: u64,
    sequence: u64,
    random: u64,
    max_delay: u64,
    ups: [Vec<usize>; 2],
    downs: [usize; 2],
}

fn speaker(index: usize, seed: u64) -> Session {
    let id = [1, 2][index];
    let router_id = Ipv4Addr::new(192, 0, 2, id).try_into().unwrap();
    let (ours, theirs) = (Asn(65000 + u32::from(id)), Asn(65003 - u32::from(id)));
    Session::new(SessionConfig::new(ours, router_id, theirs, seed * 2 + u64::from(id)))
}

impl Network {
    fn new(seed: u64) -> Self {
        Self {
            speakers: [speaker(0, seed), speaker(1, seed)],
            connections: Vec::new(),
            current: [[None; 2]; 2],
            queue: BTreeMap::new(),
            last_arrival: BTreeMap::new(),
            now: 0,
            sequence: 0,
            random: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1,
            max_delay: [2, 20, 200][usize::try_from(seed % 3).unwrap()],
            ups: [Vec::new(), Vec::new()],
            downs: [0; 2],
        }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % limit
    }

    fn send(&mut self, to: usize, connection: usize, packet: Packet) {
        let delay = self.below(self.max_delay) + 1;
        let last = self.last_arrival.entry((to, connection)).or_default();
        *last = (*last).max(self.now + delay);
        self.sequence += 1;
        self.queue.insert((*last, self.sequence), Delivery { to, connection, packet });
    }

    fn side(&self, speaker: usize, connection: usize) -> Side {
        if self.connections[connection].0 == speaker { Side::Outgoing } else { Side::Incoming }
    }

    fn handle(&mut self, speaker: usize, event: Event<'_>, accepted: Option<usize>) {
        self.speakers[speaker].handle(Time::from_millis(self.now), event);
        while let Some(action) = self.speakers[speaker].poll_action() {
            self.perform(speaker, action, accepted);
        }
    }

    fn perform(&mut self, speaker: usize, action: Action, accepted: Option<usize>) {
        let peer = 1 - speaker;
        match action {
            Action::Connect => {
                self.connections.push((speaker, [true, true]));
                let connection = self.connections.len() - 1;
                self.current[speaker][Side::Outgoing as usize] = Some(connection);
                self.send(peer, connection, Packet::Syn);
            }
            Action::AbandonConnect => self.close(speaker, Side::Outgoing),
            Action::Adopt => self.current[speaker][Side::Incoming as usize] = accepted,
            Action::Refuse(octets) => {
                let connection = accepted.expect("something was accepted");
                self.send(peer, connection, Packet::Data(octets));
                self.send(peer, connection, Packet::Fin);
                self.connections[connection].1[speaker] = false;
            }
            Action::Send(side, octets) => {
                let connection = self.current[speaker][side as usize].expect("it sends on what it has");
                self.send(peer, connection, Packet::Data(octets));
            }
            Action::Close(side) => self.close(speaker, side),
            Action::Up(side, _) => {
                self.ups[speaker]
                    .push(self.current[speaker][side as usize].expect("it is up on what it has"));
            }
            Action::Down { was_established, .. } => self.downs[speaker] += usize::from(was_established),
            Action::Update(_) | Action::Refresh(_) | Action::RefreshMark { .. } => {}
        }
    }

    fn close(&mut self, speaker: usize, side: Side) {
        if let Some(connection) = self.current[speaker][side as usize].take() {
            self.connections[connection].1[speaker] = false;
            self.send(1 - speaker, connection, Packet::Fin);
        }
    }

    fn deliver(&mut self, Delivery { to, connection, packet }: Delivery) {
        let side = self.side(to, connection);
        match packet {
            Packet::Syn => {
                // The kernel completes the handshake by itself; the dialler hears of it one way later.
                self.send(1 - to, connection, Packet::Syn);
            }
            Packet::Data(_) | Packet::Fin if !self.connections[connection].1[to] => {}
            Packet::Data(octets) if self.current[to][side as usize] == Some(connection) => {
                self.handle(to, Event::Received(side, &octets), None);
            }
            Packet::Fin if self.current[to][side as usize] == Some(connection) => {
                self.current[to][side as usize] = None;
                self.connections[connection].1[to] = false;
                self.handle(to, Event::Closed(side, "closed by the peer".into()), None);
            }
            Packet::Data(_) | Packet::Fin => {}
        }
    }

    fn run(&mut self, until: u64) {
        loop {
            let deadline = (0..2)
                .filter_map(|speaker| Some((self.speakers[speaker].next_deadline()?.as_millis(), speaker)))
                .min();
            let arrival = self.queue.first_key_value().map(|((at, _), _)| *at);
            match (deadline, arrival) {
                (Some((at, speaker)), arrival) if arrival.is_none_or(|arrival| at < arrival) => {
                    if at > until {
                        return;
                    }
                    self.now = self.now.max(at);
                    self.handle(speaker, Event::DeadlineReached, None);
                }
                (_, Some(at)) => {
                    if at > until {
                        return;
                    }
                    self.now = self.now.max(at);
                    let (_, delivery) = self.queue.pop_first().expect("there is a first one");
                    self.arrive(delivery);
                }
                (_, None) => return,
            }
        }
    }

    fn arrive(&mut self, delivery: Delivery) {
        let Delivery { to, connection, .. } = delivery;
        let dialler = self.connections[connection].0;
        match delivery.packet {
            Packet::Syn if to == dialler => {
                // Connected, unless the attempt was given up meanwhile. Then the listener's end hears the close.
                if self.current[to][Side::Outgoing as usize] == Some(connection) {
                    self.handle(to, Event::Connected, None);
                }
            }
            Packet::Syn => {
                self.deliver(delivery);
                self.handle(to, Event::Accepted, Some(connection));
            }
            Packet::Data(_) | Packet::Fin => self.deliver(delivery),
        }
    }
}

#[test]
fn simultaneous_opens_always_end_in_exactly_one_session() {
    for seed in 0..5000 {
        let mut network = Network::new(seed);
        let skew = network.below(2 * network.max_delay);
        network.handle(0, Event::Start, None);
        network.run(skew);
        network.now = network.now.max(skew);
        network.handle(1, Event::Start, None);
        network.run(20_000);
        let [one, two] = &network.ups;
        assert_eq!((one.len(), one), (1, two), "seed {seed}: sessions by connection {:?}", network.ups);
        assert_eq!(network.downs, [0, 0], "seed {seed}");
        let connection = one[0];
        let open: Vec<_> =
            network.current.iter().map(|sides| sides.iter().flatten().collect::<Vec<_>>()).collect();
        assert_eq!(open, [[&connection], [&connection]], "seed {seed}: nothing else stays open");
    }
}

#[test]
fn session_that_is_cut_comes_back() {
    for seed in 0..500 {
        let mut network = Network::new(seed);
        network.handle(0, Event::Start, None);
        network.handle(1, Event::Start, None);
        network.run(20_000);
        for speaker in 0..2 {
            let connection = network.ups[speaker][0];
            let side = network.side(speaker, connection);
            network.current[speaker][side as usize] = None;
            network.connections[connection].1[speaker] = false;
            network.handle(speaker, Event::Closed(side, "cut".into()), None);
        }
        let cut_at = network.now;
        network.run(cut_at + Millis::from_secs(20).get());
        let [one, two] = &network.ups;
        assert_eq!((one.len(), one), (2, two), "seed {seed}");
    }
}

//! BGP as it is shipped: what a chassis announces (`bgp-glue`), the octets that say so (`bgp-proto`, Adj-RIB-Out), what
//! a router reads from them, and which chassis its decision process prefers.
//!
//! One router is external and counts AS numbers, the other is internal and compares LOCAL_PREF. The session below them
//! is modelled: octets in order, or none.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use bgp_glue::{Announcement, announced};
use bgp_proto::adj_rib_out::{AdjRibOut, OutContext};
use bgp_proto::attributes::{Attributes, NextHop};
use bgp_proto::decision::{Candidate, Multipath, Source, Step, Why, explain};
use bgp_proto::originate::OriginatedSet;
use bgp_proto::prefix::Prefix;
use bgp_proto::types::{Asn, Families, PeerKind, RouterId};
use bgp_proto::wire::header::{Kind, MAX_MESSAGE_LEN, first_frame};
use bgp_proto::wire::pack::Encoding;
use bgp_proto::wire::update::{AsWidth, Update, UpdateContext};
use ipnetwork::IpNetwork;
use srp_core::config::{ContextConfig, ContextTable, LoopbackConfig, PoolConfig};
use srp_core::types::RouteModifier;

const LOCAL_AS: Asn = Asn(65_001);

/// A loopback that a willing kernel always takes, and a pool of the other family that a half-willing one refuses.
pub const PREFIXES: usize = 2;

static CONTEXT: LazyLock<ContextConfig> = LazyLock::new(|| {
    let net = |text: &str| text.parse().expect("a prefix");
    ContextConfig {
        name: "destination".into(),
        table: ContextTable::MAIN,
        interfaces: Vec::new(),
        loopbacks: vec![LoopbackConfig {
            name: "gateway".into(),
            address: net("203.0.113.1/32"),
            interface: "lo".into(),
            srp_activate: true,
            layer_2: false,
        }],
        pools: vec![PoolConfig {
            srp_activate: true,
            ..PoolConfig::new("subscribers", net("2001:db8:100::/40"))
        }],
        bgp: None,
    }
});

/// The loopback and the pool, as the kernel and as routers call them.
static NETWORKS: LazyLock<[IpNetwork; PREFIXES]> =
    LazyLock::new(|| [CONTEXT.loopbacks[0].address, CONTEXT.pools[0].prefixes().next().expect("it has one")]);
static ROUTED: LazyLock<[Prefix; PREFIXES]> = LazyLock::new(|| NETWORKS.map(Prefix::from));

/// For people.
pub fn name(number: usize) -> IpNetwork {
    NETWORKS[number]
}

/// What is originated with this modifier, of what the kernel has taken.
pub fn originated(modifier: Option<u16>, retiring: bool, holds: [bool; PREFIXES]) -> Arc<OriginatedSet> {
    let installed: BTreeSet<IpNetwork> =
        NETWORKS.iter().zip(holds).filter(|(_, holds)| *holds).map(|(network, _)| *network).collect();
    let now = Announcement { modifier: modifier.map(RouteModifier), retiring, installed: &installed };
    Arc::new(announced(&CONTEXT, &now).into_iter().collect())
}

/// The first router is external, the second internal.
pub fn kind_of(router: usize) -> PeerKind {
    if router == 0 { PeerKind::External } else { PeerKind::Internal }
}

fn next_hops(side: usize) -> (Ipv4Addr, Ipv6Addr) {
    let last = if side == 0 { 1 } else { 2 };
    (Ipv4Addr::new(192, 0, 2, last), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)))
}

/// A session that has just come up, and all that it has to tell.
pub fn outwards(side: usize, kind: PeerKind, set: Arc<OriginatedSet>) -> AdjRibOut {
    let (v4, v6) = next_hops(side);
    let context = OutContext {
        local_as: LOCAL_AS,
        encoding: Encoding::new(AsWidth::Four, kind),
        send_limit: MAX_MESSAGE_LEN,
        families: Families::ALL,
        enhanced_refresh: true,
        role: None,
        next_hop_v4: Some(NextHop::V4(v4)),
        next_hop_v6: Some(NextHop::V6 { address: v6, link_local: None }),
    };
    AdjRibOut::new(context, set)
}

/// What a router knows of one prefix from one chassis.
#[derive(Clone, Debug)]
pub struct Path {
    attributes: Attributes,
    /// Kept over a restart of its sender (RFC 4724): the router does not hear that chassis now.
    pub stale: bool,
}

/// What a router makes of its paths to one prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Nobody,
    Only(usize),
    /// By LOCAL_PREF or AS_PATH.
    Better(usize),
    /// Only identifiers and addresses tell the two apart, and those are chance.
    Level,
}

/// The routing table of one router.
#[derive(Clone, Debug)]
pub struct Table {
    kind: PeerKind,
    paths: [[Option<Path>; 2]; PREFIXES],
    choices: [Choice; PREFIXES],
    /// Octets of each session that are not a whole message yet.
    streams: [Vec<u8>; 2],
}

impl Table {
    pub fn new(kind: PeerKind) -> Self {
        Self {
            kind,
            paths: [const { [const { None }; 2] }; PREFIXES],
            choices: [Choice::Nobody; PREFIXES],
            streams: [Vec::new(), Vec::new()],
        }
    }

    pub fn choice(&self, number: usize) -> Choice {
        self.choices[number]
    }

    /// It hears a chassis on a prefix now.
    pub fn hears(&self, number: usize, side: usize) -> bool {
        self.paths[number][side].as_ref().is_some_and(|path| !path.stale)
    }

    pub fn begin_session(&mut self, side: usize) {
        self.streams[side].clear();
    }

    /// The session has ended. `stale`: paths stand for a while, in case the chassis only restarts.
    pub fn end_session(&mut self, side: usize, stale: bool) {
        for paths in &mut self.paths {
            paths[side] = paths[side].take().filter(|_| stale).map(|path| Path { stale: true, ..path });
        }
        self.decide();
    }

    /// What a restarted chassis has not announced again goes.
    pub fn expire(&mut self, side: usize) {
        for paths in &mut self.paths {
            paths[side].take_if(|path| path.stale);
        }
        self.decide();
    }

    /// Octets of a session arrive.
    pub fn read(&mut self, side: usize, octets: &[u8]) -> Result<(), String> {
        let mut stream = std::mem::take(&mut self.streams[side]);
        stream.extend_from_slice(octets);
        let mut read = 0;
        let context = UpdateContext::new(AsWidth::Four, self.kind, Families::ALL);
        while let Some(frame) = first_frame(&stream[read..], MAX_MESSAGE_LEN).map_err(|n| n.to_string())? {
            if frame.kind != Kind::Update {
                return Err(format!("a {:?} among UPDATEs", frame.kind));
            }
            read += frame.wire_len();
            self.take(side, Update::decode(frame.body, context).map_err(|n| n.to_string())?)?;
        }
        stream.drain(..read);
        self.streams[side] = stream;
        self.decide();
        Ok(())
    }

    fn take(&mut self, side: usize, update: Update) -> Result<(), String> {
        if let Some(fault) = update.faults.first() {
            return Err(fault.to_string());
        }
        let number = |prefix: Prefix| {
            ROUTED.iter().position(|known| *known == prefix).ok_or_else(|| format!("{prefix} is nobody's"))
        };
        for prefix in update.withdrawn {
            self.paths[number(prefix)?][side] = None;
        }
        for announcement in update.announced {
            for prefix in announcement.prefixes {
                let attributes = announcement.attributes.clone();
                self.paths[number(prefix)?][side] = Some(Path { attributes, stale: false });
            }
        }
        if let Some(family) = update.end_of_rib {
            for (paths, prefix) in self.paths.iter_mut().zip(*ROUTED) {
                if prefix.family() == family {
                    paths[side].take_if(|path| path.stale);
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self) {
        for (choice, paths) in self.choices.iter_mut().zip(&self.paths) {
            *choice = match paths {
                [None, None] => Choice::Nobody,
                [Some(_), None] => Choice::Only(0),
                [None, Some(_)] => Choice::Only(1),
                [Some(east), Some(west)] => between(self.kind, [east, west]),
            };
        }
    }
}

fn between(kind: PeerKind, paths: [&Path; 2]) -> Choice {
    let candidates = [0, 1].map(|side: usize| {
        let (v4, _) = next_hops(side);
        Candidate {
            attributes: &paths[side].attributes,
            source: Source {
                kind,
                router_id: RouterId::try_from(v4).expect("not zero"),
                address: IpAddr::V4(v4),
                tie_breaker: 0,
                path_id: 0,
            },
            cost: 0,
            stale: false,
        }
    });
    match explain(&candidates, Multipath::OFF)[..] {
        [Why::Best, Why::Lost(Step::LocalPref(_) | Step::AsPathLength(_))] => Choice::Better(0),
        [Why::Lost(Step::LocalPref(_) | Step::AsPathLength(_)), Why::Best] => Choice::Better(1),
        _ => Choice::Level,
    }
}

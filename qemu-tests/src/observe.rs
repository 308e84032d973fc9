//! What the kernels of the routers do, by event: which chassis a service's route leads to, and which links have a carrier.
//!
//! One thread per router listens to route and link news in the router's namespace and stamps each at once. The route in
//! the kernel is what moves packets, so this, and not BGP's own view, is when a router has changed its mind.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use ipnetwork::IpNetwork;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Time;
use crate::error::LabError;
use crate::lab::Lab;
use crate::node::Node;
use crate::realtime;
use crate::rtnl::Rtnl;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_ROUTE` of linux/rtnetlink.h.
const GROUPS: [u32; 3] = [1, 7, 11];

/// One thing that a router's kernel did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: Time,
    /// The router.
    pub router: String,
    /// What.
    pub news: News,
}

/// What a router's kernel can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The route of a service leads elsewhere.
    Route {
        /// The service.
        prefix: IpNetwork,
        /// The node at the other end of the link it leads to; `None` when the route is gone.
        via: Option<String>,
    },
    /// A link lost or found its carrier.
    Carrier {
        /// The node at the other end of the link.
        to: String,
        /// Whether it has a carrier now.
        up: bool,
    },
}

/// Listens until it is dropped.
pub struct Observer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Vec<Observation>>,
}

impl Observer {
    /// Listens in all routers of `lab` from now on. Where the routes lead already is the first that was seen: chassis that start of
    /// themselves do not wait for an observer.
    pub fn start(lab: &Lab) -> Result<Self, LabError> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for router in &lab.routers {
            let rtnl = Rtnl::open(router.node.netns(), &GROUPS)?;
            let far = |name: &str| {
                let end = lab.topology.ends(router.node.name()).find(|(own, _)| own.name == name);
                end.map_or_else(String::new, |(_, far)| far.node.clone())
            };
            let mut routes = BTreeMap::new();
            for service in &lab.topology.services {
                // News of it that came meanwhile waits in the socket, and tells nothing new.
                routes.extend(router.leads_to(&lab.topology, service)?.map(|via| (*service, via)));
            }
            let at = Time::now();
            shared.seen().extend(routes.iter().map(|(prefix, via)| Observation {
                at,
                router: router.node.name().to_owned(),
                news: News::Route { prefix: *prefix, via: Some(via.clone()) },
            }));
            let mut watch = Watch {
                router: router.node.name().to_owned(),
                services: lab.topology.services.clone(),
                links: router.node.ports().iter().map(|port| (port.index, far(&port.name))).collect(),
                routes,
                carriers: BTreeMap::new(),
            };
            let shared = Arc::clone(&shared);
            let thread =
                std::thread::Builder::new().name(format!("observe-{}", watch.router)).spawn(move || {
                    // Without the right the stamps are a little later on a busy machine.
                    let _ = realtime::fifo(realtime::OBSERVER);
                    listen(&rtnl, &mut watch, &shared);
                });
            threads.push(thread.map_err(|error| LabError::Network {
                doing: "start a thread that observes a router".to_owned(),
                reason: error.to_string(),
            })?);
        }
        Ok(Self { shared, threads })
    }

    /// Everything seen since `time`, in order of time.
    pub fn since(&self, time: Time) -> Vec<Observation> {
        let mut seen: Vec<_> = self.shared.seen().iter().filter(|one| one.at >= time).cloned().collect();
        seen.sort_by_key(|one| one.at);
        seen
    }

    /// Where the routes of `router` lead now; those that it never had are not among them.
    pub fn routes(&self, router: &str) -> BTreeMap<IpNetwork, Option<String>> {
        let mut routes = BTreeMap::new();
        for one in self.shared.seen().iter().filter(|one| one.router == router) {
            if let News::Route { prefix, via } = &one.news {
                routes.insert(*prefix, via.clone());
            }
        }
        routes
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Observation>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one router's thread knows.
struct Watch {
    router: String,
    services: Vec<IpNetwork>,
    /// Node at the other end, by interface index.
    links: BTreeMap<u32, String>,
    routes: BTreeMap<IpNetwork, String>,
    carriers: BTreeMap<u32, bool>,
}

fn listen(rtnl: &Rtnl, watch: &mut Watch, shared: &Shared) {
    while !shared.stop.load(Ordering::SeqCst) {
        let mut waiting = [PollFd::new(rtnl.as_fd(), PollFlags::POLLIN)];
        // Milliseconds between looks at `stop`.
        if !matches!(poll(&mut waiting, PollTimeout::from(100_u8)), Ok(ready) if ready > 0) {
            continue;
        }
        // An overrun loses news; the next ones show where things stand.
        let Ok(messages) = rtnl.receive() else { continue };
        let at = Time::now();
        let news: Vec<News> = messages.into_iter().filter_map(|message| watch.take(message)).collect();
        let router = &watch.router;
        shared.seen().extend(news.into_iter().map(|news| Observation { at, router: router.clone(), news }));
    }
}

impl Watch {
    fn take(&mut self, message: RouteNetlinkMessage) -> Option<News> {
        match message {
            RouteNetlinkMessage::NewRoute(route) => {
                let (prefix, link) = self.service(&route)?;
                let via = self.links.get(&link)?.clone();
                let before = self.routes.insert(prefix, via.clone());
                (before.as_ref() != Some(&via)).then_some(News::Route { prefix, via: Some(via) })
            }
            RouteNetlinkMessage::DelRoute(route) => {
                let (prefix, link) = self.service(&route)?;
                // The kernel may report an old route gone after its successor came.
                (self.routes.get(&prefix) == self.links.get(&link)).then_some(())?;
                self.routes.remove(&prefix).map(|_| News::Route { prefix, via: None })
            }
            RouteNetlinkMessage::NewLink(link) => self.carrier(&link),
            _ => None, // other news were not asked for
        }
    }

    fn carrier(&mut self, link: &LinkMessage) -> Option<News> {
        let index = link.header.index;
        let up = link.header.flags.contains(LinkFlags::LowerUp);
        let before = self.carriers.insert(index, up);
        let to = self.links.get(&index)?.clone();
        // The first news of a link tells a change only if it is a loss: all links are up when a watch begins.
        (before.unwrap_or(true) != up).then_some(News::Carrier { to, up })
    }

    /// The service that a route is for, and the interface it leads to.
    fn service(&self, route: &RouteMessage) -> Option<(IpNetwork, u32)> {
        let address = route.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
            _ => None, // gateways, metrics and the like
        })?;
        let prefix = IpNetwork::new(address, route.header.destination_prefix_length).ok()?;
        let link = route.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => Some(*index),
            RouteAttribute::MultiPath(hops) => hops.first().map(|hop| hop.interface_index),
            _ => None, // as above
        })?;
        self.services.contains(&prefix).then_some((prefix, link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch {
            router: "r1".to_owned(),
            services: vec!["203.0.113.1/32".parse().expect("prefix")],
            links: BTreeMap::from([(5, "east".to_owned()), (6, "west".to_owned())]),
            routes: BTreeMap::new(),
            carriers: BTreeMap::new(),
        }
    }

    fn route(address: &str, link: u32) -> RouteMessage {
        let mut route = RouteMessage::default();
        let address: IpAddr = address.parse().expect("address");
        route.header.destination_prefix_length = 32;
        route.attributes = vec![RouteAttribute::Destination(address.into()), RouteAttribute::Oif(link)];
        route
    }

    #[test]
    fn a_replaced_route_is_one_change_and_its_late_farewell_none() {
        let mut watch = watch();
        let new = |link| RouteNetlinkMessage::NewRoute(route("203.0.113.1", link));
        let gone = |link| RouteNetlinkMessage::DelRoute(route("203.0.113.1", link));
        let leads = |via: Option<&str>| {
            let via = via.map(str::to_owned);
            Some(News::Route { prefix: "203.0.113.1/32".parse().expect("prefix"), via })
        };
        assert_eq!(watch.take(new(5)), leads(Some("east")));
        assert_eq!(watch.take(new(5)), None);
        assert_eq!(watch.take(new(6)), leads(Some("west")));
        assert_eq!(watch.take(gone(5)), None);
        assert_eq!(watch.take(gone(6)), leads(None));
    }

    #[test]
    fn routes_of_others_are_no_news() {
        let mut watch = watch();
        assert_eq!(watch.take(RouteNetlinkMessage::NewRoute(route("198.51.100.1", 5))), None);
        assert_eq!(watch.take(RouteNetlinkMessage::NewRoute(route("203.0.113.1", 99))), None);
    }

    #[test]
    fn a_carrier_is_news_when_it_changes() {
        let mut watch = watch();
        let mut link = LinkMessage::default();
        link.header.index = 5;
        link.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
        assert_eq!(watch.take(RouteNetlinkMessage::NewLink(link.clone())), None);
        link.header.flags = LinkFlags::Up;
        let lost = News::Carrier { to: "east".to_owned(), up: false };
        assert_eq!(watch.take(RouteNetlinkMessage::NewLink(link.clone())), Some(lost));
        assert_eq!(watch.take(RouteNetlinkMessage::NewLink(link)), None);
    }
}

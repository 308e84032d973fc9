//! What the kernels of the routers do, by event: which chassis a service's route leads to, and which links have a carrier.
//!
//! One thread per router listens to route and link news of the router's kernel, stamped at once: in its namespace, or inside of
//! its machine ([`inside`]). The route in the kernel is what moves packets, so this, and not BGP's own view, is when a router has
//! changed its mind.

pub mod inside;
pub mod told;

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ipnetwork::IpNetwork;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Time;
use crate::error::LabError;
use crate::lab::{Lab, Router};
use crate::node::{Job, Node};
use crate::realtime;
use crate::rtnl::Rtnl;

use inside::Inside;
use told::{GROUPS, Told};

/// Between looks at what was written inside a machine.
const LOOK: Duration = Duration::from_millis(50);
/// Time for a router to say which links it has.
const ANSWER: Duration = Duration::from_secs(30);

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
            let source = Source::open(&router.node)?;
            let mut routes = BTreeMap::new();
            for service in &lab.topology.services {
                // News of it that came meanwhile waits in the source, and tells nothing new.
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
                links: links(lab, router)?,
                routes,
                carriers: BTreeMap::new(),
            };
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("observe-{}", watch.router));
            let thread = thread.spawn(move || match source {
                Source::Here(rtnl) => {
                    // Without the right the stamps are a little later on a busy machine.
                    let _ = realtime::fifo(realtime::OBSERVER);
                    listen(&rtnl, &mut watch, &shared);
                }
                Source::Inside(inside) => read(inside, &mut watch, &shared),
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

/// Where a router's news come from.
enum Source {
    Here(Rtnl),
    Inside(Inside),
}

impl Source {
    fn open(node: &Arc<dyn Node>) -> Result<Self, LabError> {
        match node.namespace() {
            Some(namespace) => Ok(Self::Here(Rtnl::open(namespace.netns(), &GROUPS)?)),
            None => Ok(Self::Inside(Inside::start(Arc::clone(node))?)),
        }
    }
}

#[derive(serde::Deserialize)]
struct KernelLink {
    ifindex: u32,
    ifname: String,
}

/// The node at the other end of each link of a router, by the index that the link has in the router.
fn links(lab: &Lab, router: &Router) -> Result<BTreeMap<u32, String>, LabError> {
    let job = Job::new("ip", ["-j", "link"]);
    let output = router.node.run_ok(&job, ANSWER)?;
    let links: Vec<KernelLink> = serde_json::from_slice(&output.stdout)
        .map_err(|error| LabError::Answer { command: job.line(), reason: error.to_string() })?;
    let far = |link: KernelLink| {
        let end = lab.topology.ends(router.node.name()).find(|(own, _)| own.name == link.ifname);
        end.map(|(_, far)| (link.ifindex, far.node.clone()))
    };
    Ok(links.into_iter().filter_map(far).collect())
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
        let told = messages.iter().filter_map(Told::of).map(|told| (at, told));
        watch.see(told, shared);
    }
}

/// A machine's port carries answers to questions alone: what was written in it has to be asked for.
fn read(mut inside: Inside, watch: &mut Watch, shared: &Shared) {
    while !shared.stop.load(Ordering::SeqCst) {
        // A machine without power has no news.
        watch.see(inside.look().unwrap_or_default(), shared);
        std::thread::sleep(LOOK);
    }
}

impl Watch {
    fn see(&mut self, told: impl IntoIterator<Item = (Time, Told)>, shared: &Shared) {
        let router = self.router.clone();
        let news: Vec<Observation> = told
            .into_iter()
            .filter_map(|(at, told)| Some(Observation { at, router: router.clone(), news: self.take(told)? }))
            .collect();
        shared.seen().extend(news);
    }

    fn take(&mut self, told: Told) -> Option<News> {
        match told {
            Told::Route { prefix, link } if self.services.contains(&prefix) => {
                let via = self.links.get(&link)?.clone();
                let before = self.routes.insert(prefix, via.clone());
                (before.as_ref() != Some(&via)).then_some(News::Route { prefix, via: Some(via) })
            }
            Told::Gone { prefix, link } if self.services.contains(&prefix) => {
                // The kernel may report an old route gone after its successor came.
                (self.routes.get(&prefix) == self.links.get(&link)).then_some(())?;
                self.routes.remove(&prefix).map(|_| News::Route { prefix, via: None })
            }
            Told::Route { .. } | Told::Gone { .. } => None,
            Told::Carrier { link, up } => {
                let before = self.carriers.insert(link, up);
                let to = self.links.get(&link)?.clone();
                // The first news of a link tells a change only if it is a loss: all links are up when a watch begins.
                (before.unwrap_or(true) != up).then_some(News::Carrier { to, up })
            }
        }
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

    fn prefix() -> IpNetwork {
        "203.0.113.1/32".parse().expect("prefix")
    }

    #[test]
    fn a_replaced_route_is_one_change_and_its_late_farewell_none() {
        let mut watch = watch();
        let new = |link| Told::Route { prefix: prefix(), link };
        let gone = |link| Told::Gone { prefix: prefix(), link };
        let leads = |via: Option<&str>| Some(News::Route { prefix: prefix(), via: via.map(str::to_owned) });
        assert_eq!(watch.take(new(5)), leads(Some("east")));
        assert_eq!(watch.take(new(5)), None);
        assert_eq!(watch.take(new(6)), leads(Some("west")));
        assert_eq!(watch.take(gone(5)), None);
        assert_eq!(watch.take(gone(6)), leads(None));
    }

    #[test]
    fn routes_of_others_are_no_news() {
        let mut watch = watch();
        let other = "198.51.100.1/32".parse().expect("prefix");
        assert_eq!(watch.take(Told::Route { prefix: other, link: 5 }), None);
        assert_eq!(watch.take(Told::Route { prefix: prefix(), link: 99 }), None);
    }

    #[test]
    fn a_carrier_is_news_when_it_changes() {
        let mut watch = watch();
        assert_eq!(watch.take(Told::Carrier { link: 5, up: true }), None);
        let lost = News::Carrier { to: "east".to_owned(), up: false };
        assert_eq!(watch.take(Told::Carrier { link: 5, up: false }), Some(lost));
        assert_eq!(watch.take(Told::Carrier { link: 5, up: false }), None);
    }
}

//! The pair on its nodes: `srpd` and responders on the chassis, an observer on the routers, and what can be waited for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnetwork::IpNetwork;
use srp_core::api::BgpNeighbor;
use srp_core::types::ChassisState;

use crate::clock::Time;
use crate::error::LabError;
use crate::lab::Lab;
use crate::node::Kind;
use crate::observe::Observer;
use crate::pair::{Keys, Srpd};
use crate::probe;
use crate::reach::Reach;
use crate::report::{Preference, Timers};
use crate::timeline;
use crate::topology::Watch;
use crate::vm::Machine;
use crate::wait::{self, Seen};

/// How long anything may take that a working pair does within seconds.
pub const LIMIT: Duration = Duration::from_mins(1);
/// Between looks at a chassis, which cost a process each.
const LOOK: Duration = Duration::from_millis(100);
/// Between looks at what the observer has seen, which cost nothing.
const GLANCE: Duration = Duration::from_millis(5);

/// What the scenario needs besides the lab.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `srpctl` on this host, for `keygen`.
    pub srpctl: PathBuf,
    /// Configuration text by chassis.
    pub configurations: BTreeMap<String, String>,
    /// The daemons run on after the last step, for somebody who wants to look around.
    pub leave_running: bool,
    /// What there is besides where chassis are appliances.
    pub appliances: Option<Appliances>,
}

/// What a lab has for its appliances.
#[derive(Clone, Debug)]
pub struct Appliances {
    /// The way in.
    pub reach: Reach,
    /// An image on the first chassis' `/flash` to upgrade to, as a path there.
    pub next: String,
}

/// A chassis as it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Its state.
    pub state: ChassisState,
    /// Its route modifier.
    pub modifier: u16,
    /// Switchovers since its `srpd` started.
    pub switchovers: u64,
    /// State that it knows of its peer.
    pub peer: Option<ChassisState>,
}

/// The pair in a lab.
pub struct Stage<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// What the routers' kernels do.
    pub observer: Observer,
    /// Timers, once a chassis told them.
    pub timers: Option<Timers>,
    /// A file of this host to upgrade to, instead of the image that lies on the first chassis.
    pub image: Option<PathBuf>,
    settings: Settings,
    keys: Keys,
    srpd: BTreeMap<String, Srpd<'a>>,
}

impl<'a> Stage<'a> {
    /// Makes keys and begins to observe. Nothing runs on the chassis yet.
    pub fn new(lab: &'a Lab, settings: Settings) -> Result<Self, LabError> {
        let names = lab.topology.chassis();
        if names.len() != 2 {
            let reason = format!("a pair has two chassis, not {}", names.len());
            return Err(LabError::Topology { topology: lab.topology.name.clone(), reason });
        }
        let keys = Keys::make(&settings.srpctl, &lab.out.join("keys"), &names)?;
        Ok(Self {
            lab,
            observer: Observer::start(lab)?,
            timers: None,
            image: None,
            settings,
            keys,
            srpd: BTreeMap::new(),
        })
    }

    /// Names of both chassis, in the topology's order.
    pub fn names(&self) -> [String; 2] {
        let name = |index: usize| self.lab.chassis.get(index).map_or("", |node| node.name()).to_owned();
        [name(0), name(1)]
    }

    /// The other chassis.
    pub fn peer_of(&self, chassis: &str) -> String {
        let [first, second] = self.names();
        if first == chassis { second } else { first }
    }

    /// Starts a responder on a chassis, and `srpd` where the chassis has not done so itself. Does not wait for `srpd`.
    pub fn start(&mut self, chassis: &str) -> Result<(), LabError> {
        let node = self.lab.chassis(chassis)?.as_ref();
        let configuration = self.settings.configurations.get(chassis).ok_or_else(|| LabError::Topology {
            topology: self.lab.topology.name.clone(),
            reason: format!("no configuration for chassis {chassis}"),
        })?;
        probe::run::respond(node, &self.loopbacks())?;
        let srpd = match node.kind() {
            Kind::Namespace | Kind::Machine => {
                Srpd::start(node, configuration, &self.keys, &self.peer_of(chassis))?
            }
            Kind::Appliance => Srpd::of_appliance(node),
        };
        self.srpd.insert(chassis.to_owned(), srpd);
        Ok(())
    }

    /// Kills `srpd` of a chassis (SIGKILL); its kernel and the responder go on. `between` runs while nobody is there, then
    /// `srpd` is started again. Does not wait for it.
    pub fn restart(
        &mut self,
        chassis: &str,
        between: impl FnOnce(&Self) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let killed = self.srpd.remove(chassis).ok_or_else(|| LabError::Topology {
            topology: self.lab.topology.name.clone(),
            reason: format!("srpd was not started on {chassis}"),
        })?;
        killed.kill()?;
        wait::until_true(
            &format!("the end of srpd on {chassis}"),
            LIMIT,
            LOOK,
            || Ok(!killed.is_running()?),
        )?;
        between(self)?;
        let configuration = self.settings.configurations.get(chassis).map_or("", String::as_str);
        let srpd = Srpd::start(killed.node(), configuration, &self.keys, &self.peer_of(chassis))?;
        self.srpd.insert(chassis.to_owned(), srpd);
        Ok(())
    }

    /// What there is for appliances.
    pub fn appliances(&self) -> Result<&Appliances, LabError> {
        self.settings.appliances.as_ref().ok_or_else(|| LabError::Refused {
            reason: format!("the chassis of this lab are {}", kind(self.lab)),
            remedy: "this takes `made-of = \"appliances\"`".to_owned(),
        })
    }

    /// A chassis that is a machine.
    pub fn machine(&self, chassis: &str) -> Result<&'a Machine, LabError> {
        self.lab.chassis(chassis)?.machine().ok_or_else(|| LabError::Refused {
            reason: format!("{chassis} is no machine"),
            remedy: "this takes `made-of = \"machines\"` or \"appliances\"".to_owned(),
        })
    }

    /// `srpd` of a chassis.
    pub fn srpd(&self, chassis: &str) -> Result<&Srpd<'a>, LabError> {
        self.srpd.get(chassis).ok_or_else(|| LabError::Topology {
            topology: self.lab.topology.name.clone(),
            reason: format!("srpd was not started on {chassis}"),
        })
    }

    /// Forgets `srpd` of a chassis whose power is off.
    pub fn forget(&mut self, chassis: &str) {
        self.srpd.remove(chassis);
    }

    /// The loopback of each family that has one.
    pub fn loopbacks(&self) -> Vec<IpAddr> {
        [false, true].into_iter().filter_map(|v6| self.lab.topology.loopback(v6).ok()).collect()
    }

    /// A chassis as it says it is.
    pub fn view(&self, chassis: &str) -> Result<View, LabError> {
        let info = self.srpd(chassis)?.info()?;
        Ok(View {
            state: info.chassis_state,
            modifier: info.route_modifier,
            switchovers: info.switchovers,
            peer: info.peer.map(|peer| peer.state),
        })
    }

    /// All chassis that run, as they say they are.
    pub fn views(&self) -> Result<BTreeMap<String, View>, LabError> {
        self.srpd.keys().map(|name| Ok((name.clone(), self.view(name)?))).collect()
    }

    /// Waits until `wanted` is true of what the chassis say.
    pub fn until_views(
        &self,
        what: &str,
        wanted: impl Fn(&BTreeMap<String, View>) -> bool,
    ) -> Result<BTreeMap<String, View>, LabError> {
        wait::until(what, LIMIT, LOOK, || {
            for srpd in self.srpd.values() {
                srpd.alive()?;
            }
            let views = self.views()?;
            Ok(if wanted(&views) { Seen::Done(views) } else { Seen::NotYet(tell(&views)) })
        })
    }

    /// Waits until one chassis is Active and the other Standby, each by its own word and by its peer's.
    pub fn until_settled(&self, active: &str) -> Result<BTreeMap<String, View>, LabError> {
        let standby = self.peer_of(active);
        self.until_views(&format!("{active} Active and {standby} Standby"), |views| {
            let is = |name: &str, own, peer| {
                views.get(name).is_some_and(|view| view.state == own && view.peer == Some(peer))
            };
            is(active, ChassisState::Active, ChassisState::Standby)
                && is(&standby, ChassisState::Standby, ChassisState::Active)
        })
    }

    /// Waits until exactly one chassis is Active and the other Standby, whichever it is; its name.
    pub fn until_one_serves(&self) -> Result<String, LabError> {
        let active = |views: &BTreeMap<String, View>| {
            let one = views.iter().find(|(_, view)| view.state == ChassisState::Active);
            one.map(|(name, _)| name.clone())
        };
        let views = self.until_views("one chassis Active and the other Standby", |views| {
            let standby = views.values().filter(|view| view.state == ChassisState::Standby).count();
            active(views).is_some() && standby == 1
        })?;
        Ok(active(&views).unwrap_or_default())
    }

    /// Waits until all routes of all routers lead to `chassis`, in their kernels.
    pub fn until_routes_lead_to(&self, chassis: &str) -> Result<(), LabError> {
        let all = self.lab.topology.services.len();
        wait::until(&format!("all routes of all routers to lead to {chassis}"), LIMIT, GLANCE, || {
            let mut astray = Vec::new();
            for router in &self.lab.routers {
                let name = router.node.name();
                let routes = self.observer.routes(name);
                let good = routes.values().filter(|via| via.as_deref() == Some(chassis)).count();
                if good < all {
                    astray.push(format!("{name}: {good} of {all}"));
                }
            }
            Ok(if astray.is_empty() { Seen::Done(()) } else { Seen::NotYet(astray.join(", ")) })
        })
    }

    /// Waits until every router has a path to every service from every one of `chassis`.
    pub fn until_paths_from(&self, chassis: &[&str]) -> Result<(), LabError> {
        wait::until(&format!("paths from {} on all routers", chassis.join(" and ")), LIMIT, LOOK, || {
            let has = |preference: &Preference, name: &str| {
                preference.chassis.as_deref() == Some(name)
                    || preference.others.iter().any(|(other, _)| other == name)
            };
            let preferences = self.preferences()?;
            let lacking: Vec<String> = preferences
                .iter()
                .filter(|preference| !chassis.iter().all(|name| has(preference, name)))
                .map(|preference| format!("{} lacks one for {}", preference.router, preference.prefix))
                .collect();
            Ok(if lacking.is_empty() { Seen::Done(()) } else { Seen::NotYet(lacking.join(", ")) })
        })
    }

    /// Waits until the chassis' last switchover began after `zero` and has the step `name` in its journal.
    pub fn until_journal_says(&self, chassis: &str, name: &str, zero: Time) -> Result<(), LabError> {
        let ahead = self.ahead(chassis)?;
        wait::until(&format!("`{name}` in the journal of {chassis}"), LIMIT, LOOK, || {
            let Some(last) = self.srpd(chassis)?.last_switchover()? else {
                return Ok(Seen::NotYet("no switchover".to_owned()));
            };
            let ours = timeline::step_time(&last, 0.0, ahead) >= zero;
            let steps: Vec<&str> = last.steps.iter().map(|step| step.step.as_str()).collect();
            Ok(if ours && steps.contains(&name) {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("switchover {}: {}", last.number, steps.join(", ")))
            })
        })
    }

    /// Waits until all BGP sessions of a chassis are Established.
    pub fn until_bgp_established(&self, chassis: &str) -> Result<(), LabError> {
        self.until_neighbors(chassis, "to have all its BGP sessions", |_| true)
    }

    /// Waits until every router that watches by BFD has all its BFD sessions up, those with a chassis without power aside.
    pub fn until_watched(&self) -> Result<(), LabError> {
        if matches!(self.lab.topology.watch, Watch::HoldTime { .. }) {
            return Ok(());
        }
        wait::until("all BFD sessions of all routers to be up", LIMIT, LOOK, || {
            let mut lacking = Vec::new();
            for router in &self.lab.routers {
                let peers = router.routing.frr()?.bfd_peers()?;
                let name = router.node.name();
                for neighbor in self.lab.topology.neighbors(name) {
                    let peer = peers.iter().find(|peer| peer.peer == neighbor.address);
                    let status = peer.map_or("unknown", |peer| peer.status.as_str());
                    if self.srpd.contains_key(&neighbor.node) && status != "up" {
                        lacking.push(format!("{name} with {}: {status}", neighbor.address));
                    }
                }
            }
            Ok(if lacking.is_empty() { Seen::Done(()) } else { Seen::NotYet(lacking.join(", ")) })
        })
    }

    /// Waits until a chassis has accepted every router's networks: without them it has no way back to the client.
    pub fn until_routes_learnt(&self, chassis: &str) -> Result<(), LabError> {
        self.until_neighbors(chassis, "to have learnt routes from all its neighbours", |neighbor| {
            neighbor.prefixes_accepted > 0
        })
    }

    fn until_neighbors(
        &self,
        chassis: &str,
        what: &str,
        wanted: impl Fn(&BgpNeighbor) -> bool,
    ) -> Result<(), LabError> {
        wait::until(&format!("{chassis} {what}"), LIMIT, LOOK, || {
            let contexts = self.srpd(chassis)?.bgp()?;
            let neighbors = contexts.iter().flat_map(|context| &context.neighbors);
            let lacking: Vec<String> = neighbors
                .filter(|neighbor| neighbor.state != "Established" || !wanted(neighbor))
                .map(|neighbor| {
                    let (address, state) = (&neighbor.address, &neighbor.state);
                    format!("{address} {state}, {} prefixes accepted", neighbor.prefixes_accepted)
                })
                .collect();
            Ok(if lacking.is_empty() { Seen::Done(()) } else { Seen::NotYet(lacking.join("; ")) })
        })
    }

    /// What every router prefers for every service, asked of its own software.
    pub fn preferences(&self) -> Result<Vec<Preference>, LabError> {
        let mut preferences = Vec::new();
        for router in &self.lab.routers {
            let name = router.node.name();
            let neighbors = self.lab.topology.neighbors(name);
            let owner = |peer: IpAddr| {
                let found = neighbors.iter().find(|neighbor| neighbor.address == peer);
                found.map(|neighbor| neighbor.node.clone())
            };
            for service in &self.lab.topology.services {
                let paths = router.routing.paths(service)?;
                let others = paths.0.iter().filter(|path| !path.best);
                preferences.push(Preference {
                    router: name.to_owned(),
                    prefix: service.to_string(),
                    chassis: paths.best().and_then(|best| owner(best.peer)),
                    kernel: router.leads_to(&self.lab.topology, service)?,
                    as_path_length: paths.best().map_or(0, |best| best.as_path.len()),
                    prepends: paths.best().map_or(0, crate::frr::show::Path::prepends),
                    others: others.filter_map(|path| Some((owner(path.peer)?, path.prepends()))).collect(),
                });
            }
        }
        Ok(preferences)
    }

    /// Where the routes of every router lead now.
    pub fn leanings(&self) -> BTreeMap<String, Vec<(IpNetwork, Option<String>)>> {
        let routers = self.lab.routers.iter().map(|router| router.node.name().to_owned());
        routers.map(|name| (name.clone(), self.observer.routes(&name).into_iter().collect())).collect()
    }

    /// By how many nanoseconds a chassis' clock is ahead of ours.
    pub fn ahead(&self, chassis: &str) -> Result<i64, LabError> {
        Ok(self.lab.chassis(chassis)?.clock_ahead()?)
    }

    /// Stops both `srpd` in good order, the Standby first so that no switchover happens on the way out.
    pub fn stop(&mut self) -> Result<(), LabError> {
        let mut views: Vec<(String, View)> = self.views()?.into_iter().collect();
        views.sort_by_key(|(_, view)| view.state == ChassisState::Active);
        for (name, _) in views {
            self.srpd(&name)?.stop()?;
            self.forget(&name);
        }
        Ok(())
    }
}

/// What the chassis of a lab are made of, for the report.
pub fn kind(lab: &Lab) -> &'static str {
    made_of(lab.chassis.first().map_or(Kind::Namespace, |node| node.kind()))
}

/// What chassis of a kind are called together.
pub fn made_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace => "namespaces",
        Kind::Machine => "machines",
        Kind::Appliance => "appliances",
    }
}

/// The routers' software with its release.
pub fn routers_release(lab: &Lab) -> Result<String, LabError> {
    let Some(router) = lab.routers.first() else { return Ok("none".to_owned()) };
    let release = router.routing.release()?;
    let kind = router.node.kind();
    Ok(if kind == Kind::Namespace { release } else { format!("{release} in {}", made_of(kind)) })
}

/// Views in one line, for errors and reports.
pub fn tell(views: &BTreeMap<String, View>) -> String {
    let one = |(name, view): (&String, &View)| format!("{name} {} (modifier {})", view.state, view.modifier);
    views.iter().map(one).collect::<Vec<_>>().join(", ")
}

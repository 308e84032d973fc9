//! `show ip bgp` beyond its summary, and `clear ip bgp`.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::PathBuf;

use bgp_glue::speaker::{
    Community, ExtendedCommunity, LargeCommunity, NeighborKey, Originated, RouteFilter, RouteView,
    SpeakerHandle, Why,
};
use srp_core::api::{
    BgpAdvertised, BgpAnnouncement, BgpCleared, BgpDumped, BgpPath, BgpTable, ClearBgp, Response,
};

use super::Gone;
use crate::watch::Network;
use crate::whole_file;

type Speakers = BTreeMap<String, SpeakerHandle>;

/// `show ip bgp [PREFIX | ADDRESS]`, of every context.
pub(super) async fn routes(
    speakers: &Speakers,
    network: &Network,
    to: Option<&str>,
) -> Result<Response, Gone> {
    let filter = match to.map(filter) {
        None => RouteFilter::All,
        Some(Some(filter)) => filter,
        Some(None) => {
            let to = to.unwrap_or_default();
            return Ok(refusal(format!(
                "{to:?} is neither a prefix nor an address: write 10.0.0.0/8 or 10.1.2.3"
            )));
        }
    };
    let mut tables = Vec::new();
    for (context, speaker) in speakers {
        tables.push(table(context, speaker, network, filter.clone()).await?);
    }
    Ok(Response::BgpRoutes(tables))
}

/// `show ip bgp neighbors A received-routes`.
pub(super) async fn received(
    speakers: &Speakers,
    network: &Network,
    neighbor: &str,
) -> Result<Response, Gone> {
    let mut tables = Vec::new();
    for (context, speaker, key) in neighbors(speakers, neighbor).await? {
        tables.push(table(context, speaker, network, RouteFilter::Of(key)).await?);
    }
    Ok(if tables.is_empty() { nobody(neighbor) } else { Response::BgpRoutes(tables) })
}

/// `show ip bgp neighbors A advertised-routes`.
pub(super) async fn advertised(speakers: &Speakers, neighbor: &str) -> Result<Response, Gone> {
    let mut tables = Vec::new();
    for (context, speaker, key) in neighbors(speakers, neighbor).await? {
        let routes = speaker.announced(key.clone()).await.map_err(|_| Gone)?.unwrap_or_default();
        tables.push(BgpAdvertised {
            context: context.to_owned(),
            neighbor: key.to_string(),
            routes: routes.iter().map(announcement).collect(),
        });
    }
    Ok(if tables.is_empty() { nobody(neighbor) } else { Response::BgpAdvertised(tables) })
}

/// `clear ip bgp A [soft in | soft out]`.
pub(super) async fn clear(speakers: &Speakers, neighbor: &str, what: ClearBgp) -> Result<Response, Gone> {
    let mut contexts = Vec::new();
    for (context, speaker, key) in neighbors(speakers, neighbor).await? {
        let done = match what {
            ClearBgp::Session => speaker.clear(key),
            ClearBgp::SoftIn => speaker.soft_in(key),
            ClearBgp::SoftOut => speaker.soft_out(key),
        };
        if done.await.map_err(|_| Gone)? {
            contexts.push(context.to_owned());
        }
    }
    Ok(if contexts.is_empty() { nobody(neighbor) } else { Response::BgpCleared(BgpCleared { contexts }) })
}

/// `dump bgp CONTEXT FILE`. A file that is there is replaced, once the new one is whole.
pub(super) async fn dump(speakers: &Speakers, context: &str, file: PathBuf) -> Result<Response, Gone> {
    let Some(speaker) = speakers.get(context) else {
        let names: Vec<_> = speakers.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "no context does".to_owned() } else { names.join(", ") };
        return Ok(refusal(format!("no context {context:?} runs BGP: name one that does: {known}")));
    };
    let table = speaker.dump_table(context).await.map_err(|_| Gone)?;
    let octets = table.len() as u64;
    let target = file.clone();
    let written = tokio::task::spawn_blocking(move || whole_file::write(&target, table));
    Ok(match written.await.map_err(|_| Gone)? {
        Ok(()) => Response::BgpDumped(BgpDumped { file, octets }),
        Err(error) => refusal(format!(
            "{}: {error}: give an absolute path that srpd may write to, with room for {octets} octets",
            file.display()
        )),
    })
}

fn filter(to: &str) -> Option<RouteFilter> {
    let prefix = || to.parse().ok().map(RouteFilter::To);
    to.parse::<IpAddr>().ok().map(RouteFilter::Toward).or_else(prefix)
}

/// The neighbours of that name, as `show ip bgp summary` writes it, with their contexts.
async fn neighbors<'a>(
    speakers: &'a Speakers,
    name: &str,
) -> Result<Vec<(&'a str, &'a SpeakerHandle, NeighborKey)>, Gone> {
    let mut found = Vec::new();
    for (context, speaker) in speakers {
        let summary = speaker.summary().await.map_err(|_| Gone)?;
        let keys = summary.neighbors.into_iter().map(|neighbor| neighbor.neighbor);
        found.extend(keys.filter(|key| is_named(key, name)).map(|key| (context.as_str(), speaker, key)));
    }
    Ok(found)
}

/// Whether an operator means this neighbour: by its name, or by its address without the interface.
pub(super) fn is_named(key: &NeighborKey, name: &str) -> bool {
    key.to_string() == name || key.address.is_some_and(|address| address.to_string() == name)
}

pub(super) fn nobody(neighbor: &str) -> Response {
    refusal(format!("no context has a BGP neighbour {neighbor:?}: `show ip bgp summary` lists them"))
}

fn refusal(reason: String) -> Response {
    Response::Error { reasons: vec![reason] }
}

async fn table(
    context: &str,
    speaker: &SpeakerHandle,
    network: &Network,
    filter: RouteFilter,
) -> Result<BgpTable, Gone> {
    let routes = speaker.routes_where(filter).await.map_err(|_| Gone)?;
    // A full table has few next hops.
    let mut reached: HashMap<IpAddr, Option<String>> = HashMap::new();
    let paths = routes.iter().map(|route| {
        let next_hop = route.attributes.next_hop.address();
        let reached = reached.entry(next_hop).or_insert_with(|| network.how(context, next_hop));
        path(route, reached.clone())
    });
    Ok(BgpTable { context: context.to_owned(), paths: paths.collect() })
}

/// `reached` says how its next hop is.
fn path(route: &RouteView, reached: Option<String>) -> BgpPath {
    let attributes = &route.attributes;
    BgpPath {
        prefix: route.prefix.to_string(),
        neighbor: route.neighbor.to_string(),
        path_id: Some(route.path_id).filter(|id| *id != 0),
        used: match route.why {
            Why::Best | Why::Multipath => true,
            Why::Lost(_) | Why::Unusable(_) => false,
        },
        verdict: route.why.to_string(),
        stale: route.stale,
        next_hop: attributes.next_hop.to_string(),
        reached,
        as_path: attributes.as_path.to_string(),
        origin: attributes.origin.to_string(),
        local_preference: attributes.local_pref,
        med: attributes.med,
        communities: communities(
            &attributes.communities,
            &attributes.extended_communities,
            &attributes.large_communities,
        ),
        changed_by_policy: route.attributes != route.received,
    }
}

fn announcement(route: &Originated) -> BgpAnnouncement {
    BgpAnnouncement {
        prefix: route.prefix.to_string(),
        prepends: route.prepend.into(),
        local_preference: route.local_pref,
        med: route.med,
        communities: communities(&route.communities, &[], &route.large_communities),
        next_hop: route.next_hop.map(|next_hop| next_hop.to_string()),
    }
}

fn communities(
    standard: &[Community],
    extended: &[ExtendedCommunity],
    large: &[LargeCommunity],
) -> Vec<String> {
    let standard = standard.iter().map(ToString::to_string);
    let extended = extended.iter().map(ToString::to_string);
    standard.chain(extended).chain(large.iter().map(ToString::to_string)).collect()
}

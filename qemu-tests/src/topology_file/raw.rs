//! The tables of a topology file as they are written: a key that nobody knows is an error, values are not looked at.

use std::path::PathBuf;

use serde::Deserialize;

use crate::routing::Software;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Raw {
    pub(super) name: String,
    pub(super) services: Vec<String>,
    #[serde(default)]
    pub(super) chassis: RawChassis,
    #[serde(default)]
    pub(super) routers: RawRouters,
    pub(super) node: Vec<RawNode>,
    pub(super) link: Vec<RawLink>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawChassis {
    #[serde(default)]
    pub(super) made_of: MadeOf,
    pub(super) hello_interval: Option<String>,
    pub(super) dead_interval: Option<String>,
    pub(super) bfd_interval: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MadeOf {
    #[default]
    Namespaces,
    Machines,
    Appliances,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RoutersMadeOf {
    #[default]
    Namespaces,
    Machines,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawRouters {
    #[serde(default)]
    pub(super) made_of: RoutersMadeOf,
    #[serde(default)]
    pub(super) software: Software,
    pub(super) hold_time: Option<String>,
    pub(super) bfd_interval: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "role", deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(super) enum RawNode {
    Chassis {
        name: String,
        #[serde(rename = "as")]
        asn: u32,
        configuration: Option<PathBuf>,
    },
    Router {
        name: String,
        #[serde(rename = "as")]
        asn: u32,
        router_id: String,
        announces: Vec<String>,
    },
    Client {
        name: String,
    },
}

impl RawNode {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Chassis { name, .. } | Self::Router { name, .. } | Self::Client { name } => name,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLink {
    pub(super) a: RawEnd,
    pub(super) b: RawEnd,
    #[serde(default)]
    pub(super) wire: RawWire,
    pub(super) vlan: Option<u16>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWire {
    #[default]
    Cable,
    Bridge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEnd {
    pub(super) node: String,
    pub(super) name: Option<String>,
    pub(super) addresses: Vec<String>,
}

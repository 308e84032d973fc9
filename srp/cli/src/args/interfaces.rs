//! `show ip interface ...` and `show port ...`.

use clap::{Args, Subcommand};
use srp_core::api::Request;

use crate::render::View;

/// The word that asks for a line each. No link is called so by anybody who wants to be understood.
const SUMMARY: &str = "summary";

/// `show ip interface ...`.
#[derive(Debug, Args)]
pub struct ShowInterface {
    /// One interface, or `summary` for a line each
    #[arg(value_name = "NAME|summary")]
    name: Option<String>,
    /// Those of one context
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
}

/// `show port ...`.
#[derive(Debug, Subcommand)]
pub enum ShowPort {
    /// A line each: state, carrier, speed, MTU, hardware address
    Table,
    /// Everything about all ports or one
    Info {
        /// Name of the link
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Octets, packets, errors and drops, both ways
    Counters {
        /// Name of the link
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl ShowInterface {
    /// The request, and how its answer is shown.
    pub fn request(&self) -> (Request, View) {
        let context = self.context.clone();
        match self.name.as_deref() {
            Some(SUMMARY) => (Request::ShowInterfaces { context, name: None }, View::Summary),
            name => (Request::ShowInterfaces { context, name: name.map(str::to_owned) }, View::Plain),
        }
    }
}

impl ShowPort {
    /// The request, and how its answer is shown.
    pub fn request(&self) -> (Request, View) {
        let of = |name: &Option<String>| Request::ShowInterfaces { context: None, name: name.clone() };
        match self {
            Self::Table => (of(&None), View::Ports),
            Self::Info { name } => (of(name), View::Plain),
            Self::Counters { name } => (of(name), View::Counters),
        }
    }
}

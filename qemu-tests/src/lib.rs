//! Labs as code: namespaces or virtual machines, FRR peers, probes, convergence reports.

pub mod bench;
pub mod bridge;
pub mod busy;
pub mod cleanup;
pub mod clock;
pub mod error;
pub mod frr;
pub mod interrupt;
pub mod lab;
pub mod machines;
pub mod namespace;
pub mod netns;
pub mod node;
pub mod observe;
pub mod pair;
pub mod probe;
pub mod realtime;
pub mod report;
pub mod rtnl;
pub mod scenario;
pub mod spawner;
pub mod timeline;
pub mod topology;
pub mod variant;
pub mod vm;
pub mod wait;

//! Labs as code: namespaces or virtual machines, FRR peers, probes, convergence reports.

pub mod clock;
pub mod node;

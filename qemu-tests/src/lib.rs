//! Labs as code: namespaces or virtual machines, FRR peers, probes, convergence reports.

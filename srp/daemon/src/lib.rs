//! The redundancy daemon: SRP link, BGP, kernel state and control socket of one chassis.
//!
//! ```text
//!  srpd-chassis thread   state machine, SRP link, BFD: one epoll loop, real-time priority,     [beat, link, bfd, paths]
//!      |                 exact deadlines, waits for nobody                                                [alarm]
//!      | steps (in order)              ^ reports, operators' requests                                    [inbox]
//!      |                               |        (and every event and action to the srpd-record thread)  [record]
//!      v                               |
//!  srpd-steps thread     install, announce, withdraw, remove                                      [steps, restart]
//!      |              |
//!  netlink thread   bgp-io and bgp-rib threads of each context
//!      |              |
//!  main thread           learned routes, links, control socket, signals     [watch, control, start, ports, probes]
//!
//!  srpd-events thread    named events of all of them: the log, and who is to hear of them  [events]
//!  main thread           what asks the chassis thread for a snapshot: metrics, files    [metrics, bulk]
//! ```

pub mod alarm;
pub mod answer;
pub mod beat;
pub mod bfd;
pub mod bulk;
pub mod clock;
pub mod comparison;
pub mod context_network;
pub mod control;
pub mod counts;
pub mod events;
pub mod hosts;
pub mod inbox;
pub mod journal;
pub mod key_files;
pub mod link;
pub mod machine;
pub mod metrics;
pub mod notify;
pub mod paths;
pub mod ports;
pub mod probes;
pub mod realtime;
pub mod record;
pub mod reload;
pub mod replay;
pub mod restart;
pub mod section;
pub mod show;
pub mod signals;
pub mod start;
pub mod steps;
pub mod unprivileged;
pub mod watch;
pub mod whole_file;

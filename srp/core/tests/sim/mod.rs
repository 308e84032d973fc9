//! Two real chassis cores in a world of virtual time.
//!
//! What is real: `Chassis`; the link codec with its framing, over octets that arrive in pieces; what a chassis
//! originates, the UPDATEs that say so, and the decision process of the routers that read them (`bgp`). What is
//! modelled: the TCP connections (`net`), the paths of BFD (`paths`; its sessions are real), the driver with its kernel
//! (`node`), what monitors find (`monitors`), when each router learns (`speaker`, `router`). `chaos` chooses faults from a seed, `story` tells them,
//! `shrink` makes a failing story small, `script` reads stories from a text, `check` watches the invariants of the
//! design after each step, `sabotage` breaks rules on purpose, `world` joins them.

pub mod bgp;
pub mod chaos;
pub mod check;
pub mod many;
pub mod monitors;
pub mod net;
pub mod node;
pub mod paths;
pub mod rng;
pub mod router;
pub mod sabotage;
pub mod script;
pub mod shrink;
pub mod speaker;
pub mod story;
pub mod world;

//! Two real chassis cores in a world of virtual time.
//!
//! What is real: `Chassis`, and the link codec with its framing. What is modelled: the TCP connection (`net`), the
//! driver with its kernel (`node`) and its BGP speaker (`speaker`), the routers (`router`). `chaos` chooses faults from
//! a seed, `script` reads them from a text, `check` watches the invariants of the design after each step, `sabotage`
//! breaks rules on purpose, `world` joins them.

pub mod chaos;
pub mod check;
pub mod net;
pub mod node;
pub mod rng;
pub mod router;
pub mod sabotage;
pub mod script;
pub mod speaker;
pub mod world;

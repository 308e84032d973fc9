//! A neighbor that follows or breaks the RFCs, one line per case.
//!
//! A table is a list of [`Case`]s, each with the clause that decides it. All cases of a table run at once against one
//! speaker, each as a neighbor of its own: address, session and back-off are not shared, so no case disturbs another.
//! A table reports every case that fails, not only the first.
//!
//! | Table | What it is about |
//! |---|---|
//! | [`framing`] | headers: RFC 4271 section 6.1 |
//! | [`open`] | OPEN and its capabilities: RFC 4271 section 6.2, 5492, 6286, 6793, 7607, 9072 |
//! | [`machine`] | what comes when: RFC 4271 section 8, 6608 |
//! | [`notification`] | the neighbor ends the session: RFC 4271 section 6, 4486, 9003 |
//! | [`refresh`] | ROUTE-REFRESH: RFC 2918, 7313 |
//! | [`update`] | UPDATE on external and internal sessions: RFC 4271 section 6.3, 7606 |
//! | [`updates`] | every line of the codec's `updates.txt`: each clause on each kind of session |
//!
//! To add a case, add a line to a table. To add a table, add a module with a `#[test]` that calls [`run`].

mod case;
mod framing;
mod machine;
mod notification;
mod octets;
mod open;
mod refresh;
mod run;
mod update;
mod updates;

use case::{Case, Expect, opening};
use octets::Octets;
use run::run;

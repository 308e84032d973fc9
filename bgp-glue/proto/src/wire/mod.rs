//! Messages as octets: one module per message, what writes it beside what reads it.
//!
//! | Message | Module | Ends a session | Source |
//! |---|---|---|---|
//! | (header) | [`header`] | wrong marker, length, type | RFC 4271 section 4.1 |
//! | OPEN | [`open`], [`capability`] | wrong version, AS, identifier, hold time, role | RFC 4271 section 4.2, 5492, 9072 |
//! | UPDATE | [`update`] | only where its prefixes cannot be told | RFC 4271 section 4.3, 4760, 7606 |
//! | NOTIFICATION | [`notification`] | always | RFC 4271 section 4.5, 9003 |
//! | KEEPALIVE | [`header`] | never | RFC 4271 section 4.4 |
//! | ROUTE-REFRESH | [`refresh`] | wrong length | RFC 2918 |
//!
//! Beside the messages of BGP: [`mrt`] for files and [`bmp`] for monitoring stations, which are only written.
//!
//! No octets make a decoder panic, and none make it take more memory than a small multiple of their number.

#[cfg(test)]
pub(crate) mod arbitrary;
mod as_path;
mod attribute;
pub mod bmp;
pub mod capability;
pub mod header;
pub mod mrt;
mod nlri;
pub mod notification;
pub mod open;
#[cfg(test)]
mod oracle;
pub mod pack;
pub mod path_ids;
mod reader;
pub mod refresh;
pub mod update;

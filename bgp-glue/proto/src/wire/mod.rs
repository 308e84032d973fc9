//! Messages as octets: one module per message, `encode` beside `decode`.

pub mod notification;

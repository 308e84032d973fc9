//! Pure core of the redundancy pair: configuration, chassis state machine, link messages, control API types.

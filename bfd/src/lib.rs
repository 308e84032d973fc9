//! Bidirectional Forwarding Detection without I/O: packet codec and session state machine (RFC 5880, 5881, 5883).

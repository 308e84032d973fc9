//! BGP-4 without I/O: message codec, session state machine, RIBs, best path, policy.

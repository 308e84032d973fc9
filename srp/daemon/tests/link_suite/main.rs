//! The SRP link over real sockets: coming up, being refused, colliding, and going down.

mod collision;
mod credentials;
mod down;
mod dscp;
mod pair;
mod refused;
mod up;

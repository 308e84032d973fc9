//! The SRP link over real sockets: coming up, being refused, colliding, and going down.

mod pair;
mod up;

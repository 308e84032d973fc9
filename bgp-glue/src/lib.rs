//! SRP routes to BGP: prepend rule, what is announced in which state, monitor view of the neighbours.

//! Names to endpoints: what the locator knows, without any connection.
//!
//! * [`Names`] is the table of what this node offers: its services and its published apps.
//! * [`Leases`] are services outside of any node, announced by whoever runs them; only a gateway would use them.
//! * [`reachable`] turns the address a listener is bound to into addresses that a client can connect to.

mod addresses;
mod leases;
mod names;

pub use addresses::reachable;
pub use leases::{Lease, Leases};
pub use names::{Entry, Holder, Names};

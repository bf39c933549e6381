//! Services outside of any node, offered for as long as a connection lasts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::wire::Value;

/// A service that somebody announced with `publish`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub endpoints: Vec<SocketAddr>,
    /// Its version and method tree, if they were said.
    pub protocol: Option<(u64, Value)>,
}

/// The announced services. They are for gateways: the table of names of this node does not know them.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    leases: BTreeMap<u64, Lease>,
}

impl Leases {
    /// Takes a service in under a number of its own.
    pub fn grant(&mut self, number: u64, lease: Lease) {
        self.leases.insert(number, lease);
    }

    /// Ends a lease.
    pub fn end(&mut self, number: u64) -> Option<Lease> {
        self.leases.remove(&number)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }
}

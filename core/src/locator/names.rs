//! What this node offers, by name.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::machine::{EngineId, ListenerId};
use crate::wire::{Protocol, encode};

/// Who put a name into the table. Only the same one can take it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// One of the node's own services.
    Service(ListenerId),
    /// One start of an app.
    App(EngineId),
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where clients connect to, best first.
    pub endpoints: Vec<SocketAddr>,
    /// Version and methods.
    pub protocol: &'static Protocol,
    /// Whose it is.
    pub holder: Holder,
}

impl Entry {
    /// Appends the three results of `resolve`: endpoints, version, methods.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::array(out, self.endpoints.len());
        for endpoint in &self.endpoints {
            encode::array(out, 2);
            encode::raw(out, alloc::format!("{}", endpoint.ip()).as_bytes());
            encode::uint(out, u64::from(endpoint.port()));
        }
        encode::uint(out, u64::from(self.protocol.version));
        self.protocol.encode(out);
    }

    /// How many values [`encode`](Self::encode) appends.
    pub const FIELDS: usize = 3;
}

/// The table of names.
#[derive(Clone, Debug, Default)]
pub struct Names {
    entries: BTreeMap<String, Entry>,
}

impl Names {
    /// Offers something under a name. If the name is another holder's, nothing changes and that holder comes
    /// back; one's own entry is replaced.
    ///
    /// # Errors
    ///
    /// The name is taken.
    pub fn publish(&mut self, name: &str, entry: Entry) -> Result<(), Holder> {
        match self.entries.get(name) {
            Some(there) if there.holder != entry.holder => Err(there.holder),
            _ => {
                self.entries.insert(name.to_owned(), entry);
                Ok(())
            }
        }
    }

    /// Takes a name out, if it is this holder's.
    pub fn withdraw(&mut self, name: &str, holder: Holder) {
        if self.entries.get(name).is_some_and(|entry| entry.holder == holder) {
            self.entries.remove(name);
        }
    }

    /// What a name stands for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::protocols;

    fn entry(holder: Holder) -> Entry {
        Entry { endpoints: Vec::from([([127, 0, 0, 1], 5).into()]), protocol: &protocols::APP, holder }
    }

    #[test]
    fn a_name_belongs_to_whoever_took_it_first() {
        let (service, app) = (Holder::Service(ListenerId::new(1)), Holder::App(EngineId::new(1)));
        let mut names = Names::default();
        names.publish("storage", entry(service)).unwrap();
        assert_eq!(names.publish("storage", entry(app)), Err(service));
        names.withdraw("storage", app);
        assert_eq!(names.get("storage"), Some(&entry(service)));
        names.publish("storage", entry(service)).unwrap();
        names.withdraw("storage", service);
        assert_eq!(names.iter().count(), 0);
        names.publish("storage", entry(app)).unwrap();
    }

    #[test]
    fn services_defect_9_a_late_withdrawal_of_an_earlier_start_takes_nothing_away() {
        let (earlier, later) = (Holder::App(EngineId::new(1)), Holder::App(EngineId::new(2)));
        let mut names = Names::default();
        names.publish("echo", entry(earlier)).unwrap();
        names.withdraw("echo", earlier);
        names.publish("echo", entry(later)).unwrap();
        names.withdraw("echo", earlier);
        assert!(names.get("echo").is_some());
    }
}

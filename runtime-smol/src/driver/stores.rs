//! Storage operations in flight: several at once, but never two that could disturb each other.

use std::collections::VecDeque;

use cocaine_core::machine::{StoreId, StoreRequest};

/// How many operations run at once for one driver.
const AT_ONCE: usize = 8;

/// Operations of one machine. What was asked first about a key happens first.
#[derive(Default)]
pub(super) struct Stores {
    waiting: VecDeque<(StoreId, StoreRequest)>,
    running: Vec<(StoreId, Claim)>,
}

/// What an operation touches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    collection: String,
    /// `None` for a search, which touches all keys.
    key: Option<String>,
    changes: bool,
}

impl Claim {
    fn of(request: &StoreRequest) -> Self {
        let (collection, key, changes) = match request {
            StoreRequest::Read { collection, key } => (collection, Some(key), false),
            StoreRequest::Write { collection, key, .. } | StoreRequest::Remove { collection, key } => {
                (collection, Some(key), true)
            }
            StoreRequest::Find { collection, .. } => (collection, None, false),
        };
        Self { collection: collection.clone(), key: key.cloned(), changes }
    }

    fn disturbs(&self, other: &Self) -> bool {
        let same_key = self.key.is_none() || other.key.is_none() || self.key == other.key;
        (self.changes || other.changes) && self.collection == other.collection && same_key
    }
}

impl Stores {
    pub(super) fn push(&mut self, store: StoreId, request: StoreRequest) {
        self.waiting.push_back((store, request));
    }

    /// Takes note that an operation is over.
    pub(super) fn finished(&mut self, store: StoreId) {
        self.running.retain(|(running, _)| *running != store);
    }

    /// The next operation to start now.
    pub(super) fn next(&mut self) -> Option<(StoreId, StoreRequest)> {
        if self.waiting.is_empty() || self.running.len() >= AT_ONCE {
            return None;
        }
        let mut before: Vec<Claim> = self.running.iter().map(|(_, claim)| claim.clone()).collect();
        // Operations far behind wait for their turn rather than being compared with everything.
        for index in 0..self.waiting.len().min(AT_ONCE * 4) {
            let claim = Claim::of(&self.waiting.get(index)?.1);
            if before.iter().any(|other| claim.disturbs(other)) {
                before.push(claim);
                continue;
            }
            let (store, request) = self.waiting.remove(index)?;
            self.running.push((store, claim));
            return Some((store, request));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(key: &str) -> StoreRequest {
        StoreRequest::Write {
            collection: "c".into(),
            key: key.into(),
            value: bytes::Bytes::new(),
            tags: Vec::new(),
        }
    }

    fn read(key: &str) -> StoreRequest {
        StoreRequest::Read { collection: "c".into(), key: key.into() }
    }

    fn started(stores: &mut Stores) -> Vec<u64> {
        std::iter::from_fn(|| stores.next()).map(|(store, _)| store.number()).collect()
    }

    fn stores(requests: impl IntoIterator<Item = StoreRequest>) -> Stores {
        let mut stores = Stores::default();
        for (number, request) in (1..).zip(requests) {
            stores.push(StoreId::new(number), request);
        }
        stores
    }

    #[test]
    fn one_key_is_served_in_order_and_others_meanwhile() {
        let mut stores = stores([write("a"), read("a"), write("a"), read("b"), read("a")]);
        assert_eq!(started(&mut stores), [1, 4]);
        stores.finished(StoreId::new(1));
        assert_eq!(started(&mut stores), [2]);
        stores.finished(StoreId::new(2));
        assert_eq!(started(&mut stores), [3]);
        stores.finished(StoreId::new(3));
        assert_eq!(started(&mut stores), [5]);
    }

    #[test]
    fn a_search_waits_for_every_change_of_its_collection() {
        let find = StoreRequest::Find { collection: "c".into(), tags: vec!["t".into()] };
        let mut stores = stores([write("a"), find, write("b")]);
        assert_eq!(started(&mut stores), [1]);
        stores.finished(StoreId::new(1));
        assert_eq!(started(&mut stores), [2]);
        stores.finished(StoreId::new(2));
        assert_eq!(started(&mut stores), [3]);
    }

    #[test]
    fn not_too_many_at_once() {
        let mut stores = stores((0..20).map(|n| read(&n.to_string())));
        assert_eq!(started(&mut stores).len(), AT_ONCE);
    }
}

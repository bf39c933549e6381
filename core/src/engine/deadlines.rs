//! When requests must be answered.

use alloc::collections::{BTreeSet, VecDeque};

use super::request::RequestKey;
use crate::time::Timestamp;

/// The deadlines of all requests.
///
/// Nearly all requests have the profile's timeout, so their deadlines come in order: they stand in a plain
/// queue. Only those that asked for another one are sorted. Entries of answered requests are dropped in
/// passing; `is_live` says which those are.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    in_order: VecDeque<(Timestamp, RequestKey)>,
    out_of_order: BTreeSet<(Timestamp, RequestKey)>,
}

/// How many entries of answered requests may stand in the queue behind a living one.
const SLACK: usize = 64;

impl Deadlines {
    /// Adds a deadline.
    pub(super) fn insert(&mut self, at: Timestamp, key: RequestKey) {
        if self.in_order.back().is_none_or(|(last, _)| *last <= at) {
            self.in_order.push_back((at, key));
        } else {
            self.out_of_order.insert((at, key));
        }
    }

    /// Removes the deadline of an answered request, now or soon. `live` is how many requests there are.
    pub(super) fn remove(
        &mut self,
        at: Timestamp,
        key: RequestKey,
        live: usize,
        is_live: impl Fn(RequestKey) -> bool,
    ) {
        if self.out_of_order.remove(&(at, key)) {
            return;
        }
        while self.in_order.front().is_some_and(|(_, key)| !is_live(*key)) {
            self.in_order.pop_front();
        }
        if self.in_order.len() > 2 * live + SLACK {
            self.in_order.retain(|(_, key)| is_live(*key));
        }
    }

    /// The earliest deadline; it may belong to a request that was answered since.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let a = self.in_order.front().map(|entry| entry.0);
        let b = self.out_of_order.first().map(|entry| entry.0);
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes one request out whose deadline has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<RequestKey> {
        if let Some((at, key)) = self.out_of_order.first().copied()
            && at <= now
        {
            self.out_of_order.remove(&(at, key));
            return Some(key);
        }
        match self.in_order.front() {
            Some((at, _)) if *at <= now => self.in_order.pop_front().map(|entry| entry.1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Key;

    fn key(slot: u32) -> RequestKey {
        RequestKey::from_parts(slot, 0)
    }

    #[test]
    fn both_kinds_come_due_in_time() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(Timestamp::from_secs(10), key(1));
        deadlines.insert(Timestamp::from_secs(3), key(2));
        deadlines.insert(Timestamp::from_secs(11), key(3));
        assert_eq!(deadlines.next(), Some(Timestamp::from_secs(3)));
        assert_eq!(deadlines.pop_due(Timestamp::from_micros(2_999_999)), None);
        assert_eq!(deadlines.pop_due(Timestamp::from_secs(3)), Some(key(2)));
        assert_eq!(deadlines.pop_due(Timestamp::from_secs(10)), Some(key(1)));
        assert_eq!(deadlines.pop_due(Timestamp::from_secs(10)), None);
        assert_eq!(deadlines.pop_due(Timestamp::from_secs(11)), Some(key(3)));
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn one_long_request_does_not_keep_the_deadlines_of_the_short_ones() {
        let mut deadlines = Deadlines::default();
        deadlines.insert(Timestamp::from_secs(1), key(0));
        for slot in 1..10_000 {
            let at = Timestamp::from_secs(u64::from(slot) + 1);
            deadlines.insert(at, key(slot));
            deadlines.remove(at, key(slot), 1, |key| key.slot() == 0);
        }
        assert!(deadlines.in_order.len() <= 2 + SLACK + 1);
    }
}

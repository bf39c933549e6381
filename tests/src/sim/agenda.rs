//! What will happen, and when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use cocaine_core::rng::Rng;
use cocaine_core::time::Timestamp;

/// A priority queue of events by time. Events of the same time come in random order, for no order is promised.
#[derive(Debug)]
pub struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    ties: Rng,
    now: Timestamp,
}

#[derive(Debug)]
struct Entry<E> {
    at: Timestamp,
    tie: u64,
    event: E,
}

impl<E> Agenda<E> {
    /// Nothing will happen.
    #[must_use]
    pub const fn new(ties: Rng, now: Timestamp) -> Self {
        Self { heap: BinaryHeap::new(), ties, now }
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Something will happen after this time.
    pub fn after(&mut self, wait: Duration, event: E) {
        self.at(self.now + wait, event);
    }

    /// Something will happen at this moment, or now if that is past.
    pub fn at(&mut self, at: Timestamp, event: E) {
        let tie = self.ties.next_u64();
        self.heap.push(Entry { at: at.max(self.now), tie, event });
    }

    /// The next event until `end`; time goes on to it, or to `end` if there is none.
    pub fn next(&mut self, end: Timestamp) -> Option<E> {
        if self.heap.peek().is_none_or(|entry| entry.at > end) {
            self.now = self.now.max(end);
            return None;
        }
        let entry = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Entry<E> {
    const fn key(&self) -> (Timestamp, u64) {
        (self.at, self.tie)
    }
}

impl<E> Ord for Entry<E> {
    /// The heap gives the greatest first: the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_equal_times_in_any() {
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let mut agenda = Agenda::new(Rng::new(seed), Timestamp::ZERO);
            for (at, event) in [(5, 'c'), (1, 'a'), (1, 'b')] {
                agenda.at(Timestamp::from_micros(at), event);
            }
            let order: String = std::iter::from_fn(|| agenda.next(Timestamp::from_micros(9))).collect();
            assert_eq!(agenda.now(), Timestamp::from_micros(9));
            orders.insert(order);
        }
        assert_eq!(orders.into_iter().collect::<Vec<_>>(), ["abc", "bac"]);
    }
}

//! The load queue: requests that no worker has yet.

use alloc::collections::VecDeque;

use super::request::RequestKey;

/// How a request is queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// Behind all others.
    #[default]
    Normal,
    /// Before all that are not urgent, behind those that are.
    Urgent,
}

/// Requests in the order in which workers take them: urgent ones first, first come first served within
/// each class.
///
/// Requests that end while they wait leave an entry behind, which is skipped; `len` counts the living.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadQueue {
    urgent: VecDeque<RequestKey>,
    normal: VecDeque<RequestKey>,
    len: usize,
}

/// How many dead entries may stand between the living.
const SLACK: usize = 64;

impl LoadQueue {
    /// How many requests wait.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, key: RequestKey, urgency: Urgency) {
        self.len += 1;
        match urgency {
            Urgency::Urgent => self.urgent.push_back(key),
            Urgency::Normal => self.normal.push_back(key),
        }
    }

    /// The next request for which `waits` holds. It stays in the queue.
    pub(super) fn peek(&mut self, waits: impl Fn(RequestKey) -> bool) -> Option<RequestKey> {
        for queue in [&mut self.urgent, &mut self.normal] {
            while let Some(key) = queue.front() {
                if waits(*key) {
                    return Some(*key);
                }
                queue.pop_front();
            }
        }
        None
    }

    /// Takes note that a request no longer waits. Its entry goes when it is passed, or when there are too many.
    pub(super) fn forget(&mut self, waits: impl Fn(RequestKey) -> bool) {
        self.len = self.len.saturating_sub(1);
        if self.urgent.len() + self.normal.len() > 2 * self.len + SLACK {
            self.urgent.retain(|key| waits(*key));
            self.normal.retain(|key| waits(*key));
        }
    }

    /// All living requests, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = RequestKey> {
        self.urgent.iter().chain(&self.normal).copied()
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
    fn urgent_first_then_in_order() {
        let mut queue = LoadQueue::default();
        queue.push(key(1), Urgency::Normal);
        queue.push(key(2), Urgency::Urgent);
        queue.push(key(3), Urgency::Normal);
        queue.push(key(4), Urgency::Urgent);
        let mut order = alloc::vec::Vec::new();
        while let Some(next) = queue.peek(|key| !order.contains(&key)) {
            order.push(next);
            queue.forget(|key| !order.contains(&key));
        }
        assert_eq!(order, [key(2), key(4), key(1), key(3)]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn requests_that_end_while_they_wait_leave_nothing() {
        let mut queue = LoadQueue::default();
        queue.push(key(0), Urgency::Normal);
        for slot in 1..10_000 {
            queue.push(key(slot), Urgency::Normal);
            queue.forget(|key| key.slot() == 0);
        }
        assert_eq!(queue.len(), 1);
        assert!(queue.normal.len() <= 2 + SLACK + 1);
    }
}

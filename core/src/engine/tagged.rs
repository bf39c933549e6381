//! Requests for one certain worker: a tag is the name of the worker that must take them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::stop::Phase;
use super::{Engine, RequestKey};
use crate::wire::Failure;

/// Requests that wait for a worker of a certain name, which need not exist yet, or no longer.
#[derive(Clone, Debug, Default)]
pub(super) struct Parked {
    by_name: BTreeMap<String, VecDeque<RequestKey>>,
    len: usize,
}

impl Parked {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, name: &str, key: RequestKey) {
        self.len += 1;
        if let Some(queue) = self.by_name.get_mut(name) {
            queue.push_back(key);
        } else {
            self.by_name.insert(name.into(), VecDeque::from([key]));
        }
    }

    /// A parked request is over, or a worker has it.
    pub(super) fn remove(&mut self, name: &str, key: RequestKey) {
        let Some(queue) = self.by_name.get_mut(name) else { return };
        let before = queue.len();
        queue.retain(|parked| *parked != key);
        self.len -= before - queue.len();
        if queue.is_empty() {
            self.by_name.remove(name);
        }
    }

    /// The requests for this name, in order.
    pub(super) fn of(&self, name: &str) -> Vec<RequestKey> {
        self.by_name.get(name).into_iter().flatten().copied().collect()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = RequestKey> {
        self.by_name.values().flatten().copied()
    }

    fn first(&self, name: &str) -> Option<RequestKey> {
        self.by_name.get(name)?.front().copied()
    }
}

impl Engine {
    /// Gives parked requests to their workers, and starts those workers that do not exist.
    pub(super) fn assign_parked(&mut self) {
        if self.parked.len() == 0 {
            return;
        }
        let names: Vec<String> = self.parked.by_name.keys().cloned().collect();
        for name in names {
            match self.worker_named(&name) {
                Some(worker) => {
                    let room = self.config.profile.concurrency();
                    while let Some(side) = self.workers.get(&worker)
                        && side.worker.accepts_sessions()
                        && side.load < room
                        && let Some(key) = self.parked.first(&name)
                    {
                        self.parked.remove(&name, key);
                        self.assign(key, worker, None);
                    }
                }
                None if self.may_start_one() => self.spawn(name),
                // Its predecessor is not buried yet, or the pool is full, or it has to wait.
                None => {}
            }
        }
    }

    fn may_start_one(&self) -> bool {
        self.phase == Phase::Running
            && self.workers.len() < self.config.profile.pool_limit()
            && self.pool.may_spawn(self.now)
    }

    /// Fails every request that is parked.
    pub(super) fn fail_parked(&mut self, failure: &Failure) {
        let keys: Vec<RequestKey> = self.parked.iter().collect();
        for key in keys {
            self.answer_failure(key, failure.clone());
        }
    }
}

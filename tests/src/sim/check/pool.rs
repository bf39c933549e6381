//! There are never more workers than `pool-limit`.

use std::collections::BTreeMap;

use cocaine_core::machine::WorkerId;
use cocaine_core::time::Timestamp;
use cocaine_core::wire::Value;

use super::{Promise, Rules, number, workers};
use crate::sim::fact::{Fact, Moment};

#[derive(Debug)]
pub(super) struct Pool {
    limit: usize,
    /// How long a process may stay unknown before it counts no more.
    given_up: std::time::Duration,
    /// Since when there are workers; those that the driver does not know yet may be given up.
    workers: BTreeMap<WorkerId, Option<Timestamp>>,
}

impl Pool {
    pub(super) fn new(rules: &Rules) -> Self {
        // A worker may be unwanted as soon as it was asked for.
        let given_up = rules.profile.timeouts().kill;
        Self { limit: rules.profile.pool_limit(), given_up, workers: BTreeMap::new() }
    }
}

impl Promise for Pool {
    fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        match *fact {
            Fact::Spawn(worker) => {
                self.workers.insert(worker, Some(moment.now));
                let given_up =
                    |since: &Option<Timestamp>| since.is_some_and(|at| at + self.given_up <= moment.now);
                let count = self.workers.values().filter(|since| !given_up(since)).count();
                assert!(count <= self.limit, "{count} workers, but the pool has room for {}", self.limit);
            }
            Fact::Spawned(worker) => {
                // Whoever was given up does not come back.
                let since = self.workers.get(&worker).copied().flatten();
                if since.is_some_and(|at| at + self.given_up <= moment.now) {
                    self.workers.remove(&worker);
                } else {
                    self.workers.insert(worker, None);
                }
            }
            Fact::SpawnFailed(worker) | Fact::Exited(worker) => drop(self.workers.remove(&worker)),
            _ => {}
        }
    }

    fn report(&mut self, report: &Value) {
        let count = workers(report).len();
        assert!(count <= self.limit, "{count} workers, but the pool has room for {}", self.limit);
        assert_eq!(number(report, &["pool", "capacity"]), self.limit);
        let active = number(report, &["pool", "active"]) + number(report, &["pool", "idle"]);
        assert!(active <= count, "{active} of {count} workers are active");
    }
}

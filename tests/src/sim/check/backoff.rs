//! An app that crashes again and again is started less and less often.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::engine::backoff::LONGEST;
use cocaine_core::machine::{Signal, WorkerId};
use cocaine_core::time::Timestamp;

use super::{Promise, Rules};
use crate::sim::fact::{Fact, Moment};

/// Counts failures in a streak: a time without as much as the longest wait between two of them.
#[derive(Debug)]
pub(super) struct Backoff {
    pool: usize,
    /// Workers that nobody wanted to go.
    wanted: BTreeMap<WorkerId, ()>,
    begun: Timestamp,
    last: Timestamp,
    failures: usize,
}

impl Backoff {
    pub(super) fn new(rules: &Rules) -> Self {
        let pool = rules.profile.pool_limit();
        let never = Timestamp::ZERO;
        Self { pool, wanted: BTreeMap::new(), begun: never, last: never, failures: 0 }
    }

    fn failed(&mut self, now: Timestamp, worker: WorkerId) {
        if self.wanted.remove(&worker).is_none() {
            return;
        }
        if self.last + LONGEST < now {
            (self.begun, self.failures) = (now, 0);
        }
        (self.last, self.failures) = (now, self.failures + 1);
        let most = self.pool * rounds(now.since(self.begun));
        assert!(self.failures <= most, "{} failures since {}: no back-off", self.failures, self.begun);
    }
}

/// How often the pool may have been filled in this time: at once, again at once, and then after 1, 2, 4 … 32 s.
fn rounds(time: Duration) -> usize {
    let seconds = usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
    3 + (seconds + 1).ilog2() as usize + seconds / 32
}

impl Promise for Backoff {
    fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        match *fact {
            Fact::Spawn(worker) => drop(self.wanted.insert(worker, ())),
            Fact::SpawnFailed(worker) | Fact::Exited(worker) => self.failed(moment.now, worker),
            Fact::Terminate(worker) | Fact::Goodbye(worker) | Fact::Kill(worker, Signal::Term) => {
                self.wanted.remove(&worker);
            }
            _ => {}
        }
    }
}

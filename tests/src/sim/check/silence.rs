//! A worker that does not start in time, or falls silent, is got rid of at once.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::engine::Engine;
use cocaine_core::machine::WorkerId;
use cocaine_core::time::Timestamp;

use super::{Promise, Rules};
use crate::sim::fact::{Fact, Moment};

#[derive(Debug)]
pub(super) struct Silence {
    startup: Duration,
    heartbeat: Duration,
    /// When a worker must have been heard of.
    workers: BTreeMap<WorkerId, Worker>,
}

#[derive(Debug)]
struct Worker {
    known: bool,
    active: bool,
    due: Timestamp,
}

impl Silence {
    pub(super) fn new(rules: &Rules) -> Self {
        let timeouts = rules.profile.timeouts();
        Self { startup: timeouts.startup, heartbeat: timeouts.heartbeat, workers: BTreeMap::new() }
    }
}

impl Promise for Silence {
    fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        match *fact {
            Fact::Spawn(worker) => {
                let due = moment.now + self.startup;
                self.workers.insert(worker, Worker { known: false, active: false, due });
            }
            Fact::Spawned(worker) => {
                let heartbeat = self.heartbeat;
                if let Some(side) = self.workers.get_mut(&worker) {
                    side.known = true;
                    if side.active {
                        side.due = moment.now + heartbeat;
                    }
                }
            }
            Fact::Beat(worker) => {
                let heartbeat = self.heartbeat;
                if let Some(side) = self.workers.get_mut(&worker) {
                    side.active = true;
                    if side.known {
                        side.due = moment.now + heartbeat;
                    }
                }
            }
            // One that has not started yet has the time to terminate instead.
            Fact::Terminate(worker) => self.workers.retain(|id, side| *id != worker || side.active),
            Fact::Kill(worker, _)
            | Fact::Exited(worker)
            | Fact::SpawnFailed(worker)
            | Fact::Goodbye(worker)
            | Fact::Dropped(worker) => drop(self.workers.remove(&worker)),
            _ => {}
        }
    }

    fn rest(&mut self, moment: &Moment, _: &Engine) {
        for (id, worker) in &self.workers {
            // Who is not known to run cannot be told; that is the pool's affair.
            let late = worker.known && worker.due + moment.lateness < moment.now;
            assert!(!late, "{id} is silent for too long, and nothing is done about it");
        }
    }
}

//! Every worker that must go is gone in time: SIGTERM is followed by SIGKILL, and nothing else is needed.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::engine::Engine;
use cocaine_core::machine::{Signal, WorkerId};
use cocaine_core::time::Timestamp;
use cocaine_core::worker::GRACE;

use super::{Promise, Rules};
use crate::sim::fact::{Fact, Moment};

#[derive(Debug)]
pub(super) struct Signals {
    kill: Duration,
    terminate: Duration,
    /// Until when something must have happened to a worker, and what.
    due: BTreeMap<WorkerId, (Timestamp, &'static str)>,
    running: BTreeMap<WorkerId, ()>,
}

impl Signals {
    pub(super) fn new(rules: &Rules) -> Self {
        let timeouts = rules.profile.timeouts();
        let (kill, terminate) = (timeouts.kill, timeouts.terminate);
        Self { kill, terminate, due: BTreeMap::new(), running: BTreeMap::new() }
    }
}

impl Promise for Signals {
    fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        let mut must = |worker, wait, what| {
            if self.running.contains_key(&worker) {
                self.due.insert(worker, (moment.now + wait, what));
            }
        };
        match *fact {
            Fact::Spawned(worker) => drop(self.running.insert(worker, ())),
            Fact::Exited(worker) => {
                assert!(self.running.remove(&worker).is_some(), "{worker} exits twice");
                self.due.remove(&worker);
            }
            // A goodbye or a closed connection gives it the grace to exit by itself.
            Fact::Terminate(worker) => must(worker, self.terminate + GRACE, "terminate"),
            Fact::Goodbye(worker) => must(worker, GRACE, "its goodbye"),
            Fact::Kill(worker, Signal::Term) => must(worker, self.kill, "SIGTERM"),
            Fact::Kill(worker, Signal::Kill) => drop(self.due.remove(&worker)),
            _ => {}
        }
    }

    fn rest(&mut self, moment: &Moment, _: &Engine) {
        for (worker, (at, what)) in &self.due {
            let late = *at + moment.lateness < moment.now;
            assert!(!late, "{worker} runs long after {what}, and nothing is done about it");
        }
    }
}

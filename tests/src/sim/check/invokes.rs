//! A worker gets requests only after its first heartbeat, and none after it was told, or wanted, to go.
//!
//! What was decided before may still be written after, for some words overtake others on a slow connection: a
//! worker that leaves gets no request that was asked after that, and its count of requests does not grow.

use std::collections::BTreeMap;

use cocaine_core::machine::{Signal, WorkerId};
use cocaine_core::wire::Value;

use super::{Promise, number, workers};
use crate::sim::fact::{Fact, Moment};
use crate::sim::request::Req;

#[derive(Debug, Default)]
pub(super) struct Invokes {
    phases: BTreeMap<WorkerId, Phase>,
    /// The latest request.
    latest: Option<Req>,
    /// Workers that leave, as the engine said last, and their counts.
    leaving: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Known,
    Working,
    Leaving { told: bool, after: Option<Req> },
}

impl Promise for Invokes {
    fn see(&mut self, _: &Moment, fact: &Fact<'_>) {
        match *fact {
            Fact::Asked { req, .. } => self.latest = self.latest.max(Some(req)),
            Fact::Spawn(worker) => drop(self.phases.insert(worker, Phase::Starting)),
            Fact::Handshake(worker) => self.change(worker, Phase::Starting, Phase::Known),
            Fact::Beat(worker) => self.change(worker, Phase::Known, Phase::Working),
            Fact::Terminate(worker) => {
                let twice = matches!(self.phases.get(&worker), Some(Phase::Leaving { told: true, .. }));
                assert!(!twice, "{worker} is told to go twice");
                self.leave(worker, true);
            }
            Fact::Kill(worker, Signal::Term | Signal::Kill)
            | Fact::Exited(worker)
            | Fact::Dropped(worker) => {
                self.leave(worker, false);
            }
            Fact::Invoke { req, worker } => match self.phases.get(&worker) {
                Some(Phase::Working) => {}
                Some(Phase::Leaving { after, .. }) if Some(req) <= *after => {}
                phase => panic!("request {} is an invoke for {worker}, which is {phase:?}", req.0),
            },
            _ => {}
        }
    }

    fn report(&mut self, report: &Value) {
        let before = std::mem::take(&mut self.leaving);
        for (name, worker) in workers(report) {
            let count = number(worker, &["accepted"]);
            match worker.get("state").and_then(Value::as_str) {
                Some("active") => continue,
                Some("spawning" | "handshaking") => {
                    assert_eq!(count, 0, "{name:?} gets requests before it is active");
                    continue;
                }
                _ => {}
            }
            // A name that was asked for may come again, with another process.
            let name = format!("{name:?} {:?}", worker.get("pid"));
            let grown = before.get(&name).is_some_and(|before| *before < count);
            assert!(!grown, "{name} gets requests while it leaves");
            self.leaving.insert(name, count);
        }
    }
}

impl Invokes {
    fn change(&mut self, worker: WorkerId, from: Phase, to: Phase) {
        if let Some(phase) = self.phases.get_mut(&worker).filter(|phase| **phase == from) {
            *phase = to;
        }
    }

    fn leave(&mut self, worker: WorkerId, told: bool) {
        if let Some(Phase::Leaving { told: before, .. }) = self.phases.get_mut(&worker) {
            *before |= told;
            return;
        }
        self.phases.insert(worker, Phase::Leaving { told, after: self.latest });
    }
}

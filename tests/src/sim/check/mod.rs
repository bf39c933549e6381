//! What an engine promises, one file a promise. That one read and one write are in flight, that nothing is asked
//! for a dead id, and that timers lie ahead is checked by the driver's contract
//! ([`Contract`](crate::scenario::Contract)).

mod backoff;
mod bounds;
mod bytes;
mod ends;
mod invokes;
mod load;
mod memory;
mod pool;
mod queue;
mod signals;
mod silence;

use std::collections::BTreeMap;

use cocaine_core::config::{Profile, Timeouts};
use cocaine_core::engine::{Engine, EngineConfig, EngineLimits};
use cocaine_core::machine::WorkerId;
use cocaine_core::wire::Value;

use super::fact::{Fact, Moment};

/// One promise. Each method panics when it is broken.
trait Promise: std::fmt::Debug {
    /// Something was said at the engine's border.
    fn see(&mut self, _moment: &Moment, _fact: &Fact<'_>) {}
    /// The engine has nothing to do for now.
    fn rest(&mut self, _moment: &Moment, _engine: &Engine) {}
    /// What the engine says about itself.
    fn report(&mut self, _report: &Value) {}
    /// Faults have ended, everybody behaved, and all that was asked should be answered.
    fn settled(&mut self, _moment: &Moment, _engine: &Engine) {}
    /// The engine has stopped.
    fn stopped(&mut self, _engine: &Engine) {}
}

/// The profile and bounds that promises are about.
#[derive(Clone, Debug)]
struct Rules {
    profile: Profile,
    limits: EngineLimits,
}

/// All promises.
#[derive(Debug)]
pub struct Checks {
    rules: Rules,
    promises: Vec<Box<dyn Promise>>,
    unspawned: BTreeMap<WorkerId, ()>,
}

impl Checks {
    /// The promises of an engine of this configuration.
    #[must_use]
    pub fn new(config: &EngineConfig) -> Self {
        let rules = Rules { profile: config.profile.clone(), limits: config.limits };
        let promises: Vec<Box<dyn Promise>> = vec![
            Box::new(ends::Ends::new(&rules)),
            Box::new(bytes::Streams::default()),
            Box::new(load::Load::new(&rules)),
            Box::new(pool::Pool::new(&rules)),
            Box::new(queue::Queue::new(&rules)),
            Box::new(bounds::Bounds::new(&rules)),
            Box::new(signals::Signals::new(&rules)),
            Box::new(invokes::Invokes::default()),
            Box::new(silence::Silence::new(&rules)),
            Box::new(backoff::Backoff::new(&rules)),
            Box::new(memory::Memory),
        ];
        Self { rules, promises, unspawned: BTreeMap::new() }
    }

    /// The time limits.
    #[must_use]
    pub const fn timeouts(&self) -> &Timeouts {
        self.rules.profile.timeouts()
    }

    /// Whether the engine does not know yet what became of this process.
    #[must_use]
    pub fn is_unspawned(&self, worker: WorkerId) -> bool {
        self.unspawned.contains_key(&worker)
    }

    /// Something was said at the engine's border.
    pub fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        match fact {
            Fact::Spawn(worker) => drop(self.unspawned.insert(*worker, ())),
            Fact::Spawned(worker) | Fact::SpawnFailed(worker) => drop(self.unspawned.remove(worker)),
            _ => {}
        }
        self.promises.iter_mut().for_each(|promise| promise.see(moment, fact));
    }

    /// The engine has nothing to do for now.
    pub fn rest(&mut self, moment: &Moment, engine: &Engine) {
        self.promises.iter_mut().for_each(|promise| promise.rest(moment, engine));
    }

    /// What the engine says about itself.
    pub fn report(&mut self, report: &Value) {
        self.promises.iter_mut().for_each(|promise| promise.report(report));
    }

    /// Faults have ended, everybody behaved, and all that was asked should be answered.
    pub fn settled(&mut self, moment: &Moment, engine: &Engine) {
        self.promises.iter_mut().for_each(|promise| promise.settled(moment, engine));
    }

    /// The engine has stopped.
    pub fn stopped(&mut self, engine: &Engine) {
        self.promises.iter_mut().for_each(|promise| promise.stopped(engine));
    }
}

/// A number in a report.
fn number(report: &Value, path: &[&str]) -> usize {
    let found = path.iter().try_fold(report, |at, key| at.get(key));
    let number = found.and_then(Value::as_i64).unwrap_or_else(|| panic!("the report lacks {path:?}"));
    usize::try_from(number).unwrap_or_else(|_| panic!("{path:?} is {number}"))
}

/// The workers in a report: name, and what is said about it.
fn workers(report: &Value) -> &[(Value, Value)] {
    let slaves = report.get("pool").and_then(|pool| pool.get("slaves"));
    slaves.and_then(Value::as_map).expect("the report lists the workers")
}

//! What a run exercised.

use std::collections::BTreeMap;
use std::fmt;

use super::fact::{Ending, Fact};

/// Counts, over one run or many.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Events on the agenda.
    pub events: u64,
    /// Requests that reached the engine.
    pub requests: u64,
    /// Requests that got a good answer.
    pub answered: u64,
    /// Workers asked for.
    pub spawned: u64,
    /// Microseconds of simulated time.
    pub micros: u64,
    /// How often which fault happened.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often which end was seen.
    pub ends: BTreeMap<String, u64>,
}

impl Figures {
    /// A fault happened.
    pub fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// A fault happened, perhaps.
    pub fn fault_if(&mut self, happened: bool, name: &'static str) {
        if happened {
            self.fault(name);
        }
    }

    /// A fact was seen.
    pub fn count(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Asked { .. } => self.requests += 1,
            Fact::Spawn(_) => self.spawned += 1,
            Fact::AnswerEnd { end: Ending::Closed, .. } => self.answered += 1,
            Fact::AnswerEnd { end: Ending::Failed(code), .. } => {
                *self.ends.entry(code.to_string()).or_default() += 1;
            }
            _ => {}
        }
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.requests += other.requests;
        self.answered += other.answered;
        self.spawned += other.spawned;
        self.micros += other.micros;
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in &other.ends {
            *self.ends.entry(name.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, requests, answered, spawned, micros, .. } = self;
        write!(f, "{requests} requests, {answered} with a good answer, {spawned} workers, {events} events")?;
        writeln!(f, ", {} simulated seconds", micros / 1_000_000)?;
        writeln!(f, "faults:")?;
        self.faults.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9} {name}"))?;
        writeln!(f, "bad ends:")?;
        self.ends.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9} {name}"))
    }
}

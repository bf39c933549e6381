//! What every driver may rely on, checked at each step.

use std::collections::BTreeMap;

use cocaine_core::engine::{Engine, EngineCommand, EngineNotice};
use cocaine_core::machine::{ConnId, Input, Machine, Output, WorkerId};
use cocaine_core::time::{TimerReason, Timestamp};

/// Watches what goes into an engine and what comes out.
///
/// Every method panics when the engine breaks its contract with the driver.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    conns: BTreeMap<ConnId, Flight>,
    workers: BTreeMap<WorkerId, Life>,
    /// Counts inputs.
    turn: u64,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    reading: bool,
    writing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Asked,
    Running {
        /// A read of its output is in flight.
        reading: bool,
    },
    /// Gone since this turn.
    Gone(u64),
}

impl Contract {
    /// Takes note of what the driver is about to say.
    pub fn input(&mut self, input: &Input<EngineCommand>) {
        self.turn += 1;
        match input {
            Input::Accepted { conn, .. } => {
                self.conns.insert(*conn, Flight::default());
            }
            Input::Received { conn, .. } => self.flight(*conn).reading = false,
            Input::Written { conn, .. } => self.flight(*conn).writing = false,
            Input::Spawned { worker, .. } => {
                self.workers.insert(*worker, Life::Running { reading: false });
            }
            Input::SpawnFailed { worker, .. } | Input::WorkerExited { worker, .. } => {
                self.workers.insert(*worker, Life::Gone(self.turn));
            }
            Input::WorkerOutput { worker, .. } => {
                if let Some(Life::Running { reading }) = self.workers.get_mut(worker) {
                    *reading = false;
                }
            }
            _ => {}
        }
    }

    /// Checks what the engine asks for.
    pub fn output(&mut self, output: &Output<EngineNotice>) {
        assert!(!self.over || is_refusal(output), "after the end: {output:?}");
        match output {
            Output::Read { conn, .. } => {
                let flight = self.flight(*conn);
                assert!(!std::mem::replace(&mut flight.reading, true), "a second read on {conn}");
            }
            Output::Write { conn, batch } => {
                assert!(!batch.is_empty(), "an empty write on {conn}");
                let flight = self.flight(*conn);
                assert!(!std::mem::replace(&mut flight.writing, true), "a second write on {conn}");
            }
            Output::Close { conn, .. } => {
                assert!(self.conns.remove(conn).is_some(), "{conn} is closed already");
            }
            Output::Spawn { worker, .. } => {
                assert!(self.workers.insert(*worker, Life::Asked).is_none(), "{worker} is not new");
            }
            Output::ReadOutput { worker } => match self.workers.get_mut(worker) {
                Some(Life::Running { reading }) => {
                    assert!(!std::mem::replace(reading, true), "a second read of the output of {worker}");
                }
                other => panic!("the output of {worker}, which is {other:?}"),
            },
            Output::Kill { worker, .. } => match self.workers.get(worker) {
                Some(Life::Running { .. }) => {}
                // The rest of its process group, in the moment its leader is gone.
                Some(Life::Gone(turn)) if *turn == self.turn => {}
                other => panic!("a signal for {worker}, which is {other:?}"),
            },
            Output::Notice(EngineNotice::Stopped | EngineNotice::Broken { .. }) => {
                self.over = true;
                let open: Vec<_> = self.conns.keys().collect();
                assert!(open.is_empty(), "stopped with open connections: {open:?}");
                let alive = self.workers.values().filter(|life| matches!(life, Life::Running { .. })).count();
                assert_eq!(alive, 0, "stopped with processes");
            }
            _ => {}
        }
    }

    /// Checks an engine that was drained: it wants to be woken for a reason, and not in the past.
    pub fn drained(&self, engine: &Engine, now: Timestamp) {
        if let Some((at, reason)) = engine.next_timeout() {
            assert_ne!(reason, TimerReason::OutputQueued, "drained, and yet output waits");
            assert!(at > now, "wants to be woken at {at} for {reason:?}, but it is {now}");
            assert!(!self.over, "over, and yet it waits for {reason:?}");
        }
    }

    /// Whether a read is in flight on an open connection.
    #[must_use]
    pub fn is_reading(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|flight| flight.reading)
    }

    /// Whether the engine has not closed this connection.
    #[must_use]
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    fn flight(&mut self, conn: ConnId) -> &mut Flight {
        self.conns.get_mut(&conn).unwrap_or_else(|| panic!("{conn} is not open"))
    }
}

/// Late comers are sent away.
const fn is_refusal(output: &Output<EngineNotice>) -> bool {
    matches!(
        output,
        Output::Close { .. }
            | Output::Kill { .. }
            | Output::Log(_)
            | Output::Notice(EngineNotice::Fail { .. } | EngineNotice::Info { .. })
    )
}

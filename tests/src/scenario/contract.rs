//! What every driver may rely on, checked at each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use cocaine_core::client::ClientNotice;
use cocaine_core::engine::EngineNotice;
use cocaine_core::framework::AppNotice;
use cocaine_core::machine::{ConnId, Input, ListenerId, Machine, Output, WorkerId};
use cocaine_core::node::NodeNotice;
use cocaine_core::time::{TimerReason, Timestamp};

/// Which notices are a machine's last word.
pub trait LastWord: Debug {
    /// Whether nothing may follow but what sends late comers away.
    fn is_last(&self) -> bool;

    /// Whether it answers who comes too late.
    fn is_refusal(&self) -> bool {
        false
    }
}

impl LastWord for EngineNotice {
    fn is_last(&self) -> bool {
        matches!(self, Self::Stopped | Self::Broken { .. })
    }

    fn is_refusal(&self) -> bool {
        matches!(self, Self::Fail { .. } | Self::Info { .. })
    }
}

impl LastWord for AppNotice {
    fn is_last(&self) -> bool {
        matches!(self, Self::Over { .. })
    }
}

impl LastWord for NodeNotice {
    fn is_last(&self) -> bool {
        matches!(self, Self::Stopped | Self::Failed { .. })
    }
}

impl LastWord for ClientNotice {
    fn is_last(&self) -> bool {
        false
    }
}

/// Watches what goes into a machine and what comes out.
///
/// Every method panics when the machine breaks its contract with the driver.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    conns: BTreeMap<ConnId, Flight>,
    listeners: BTreeSet<ListenerId>,
    workers: BTreeMap<WorkerId, Life>,
    /// Counts inputs.
    turn: u64,
    /// The last input was a `Timeout`: nothing can be overdue.
    timed: bool,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Flight {
    dialing: bool,
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
    pub fn input<C>(&mut self, input: &Input<C>) {
        self.turn += 1;
        self.timed = matches!(input, Input::Timeout);
        match input {
            Input::Accepted { conn, .. } => {
                self.conns.insert(*conn, Flight::default());
            }
            Input::Connected { conn } => self.flight(*conn).dialing = false,
            Input::ConnectFailed { conn, .. } => {
                self.conns.remove(conn);
            }
            Input::ListenFailed { listener, .. } => {
                self.listeners.remove(listener);
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

    /// Checks what the machine asks for.
    pub fn output<N: LastWord>(&mut self, output: &Output<N>) {
        assert!(!self.over || is_refusal(output), "after the end: {output:?}");
        match output {
            Output::Connect { conn, .. } => {
                let flight = Flight { dialing: true, ..Flight::default() };
                assert!(self.conns.insert(*conn, flight).is_none(), "{conn} is not new");
            }
            Output::Listen { listener, .. } => {
                assert!(self.listeners.insert(*listener), "{listener} is not new");
            }
            Output::Unlisten { listener } => {
                assert!(self.listeners.remove(listener), "{listener} is not open");
            }
            Output::Read { conn, .. } => {
                let flight = self.flight(*conn);
                assert!(!flight.dialing, "a read on {conn}, which is not connected");
                assert!(!std::mem::replace(&mut flight.reading, true), "a second read on {conn}");
            }
            Output::Write { conn, batch } => {
                assert!(!batch.is_empty(), "an empty write on {conn}");
                let flight = self.flight(*conn);
                assert!(!flight.dialing, "a write on {conn}, which is not connected");
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
            Output::Notice(notice) if notice.is_last() => {
                self.over = true;
                let open: Vec<_> = self.conns.keys().collect();
                assert!(open.is_empty(), "stopped with open connections: {open:?}");
                let alive = self.workers.values().filter(|life| matches!(life, Life::Running { .. })).count();
                assert_eq!(alive, 0, "stopped with processes");
            }
            _ => {}
        }
    }

    /// Checks a machine that was drained: it wants to be woken for a reason, and after a `Timeout` not in the past.
    pub fn drained(&self, machine: &impl Machine, now: Timestamp) {
        if let Some((at, reason)) = machine.next_timeout() {
            assert_ne!(reason, TimerReason::OutputQueued, "drained, and yet output waits");
            assert!(at > now || !self.timed, "wants to be woken at {at} for {reason:?}, but it is {now}");
            assert!(!self.over, "over, and yet it waits for {reason:?}");
        }
    }

    /// Whether a read is in flight on an open connection.
    #[must_use]
    pub fn is_reading(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_some_and(|flight| flight.reading)
    }

    /// Whether the machine has said its last word.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the machine has not closed this connection.
    #[must_use]
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.conns.contains_key(&conn)
    }

    fn flight(&mut self, conn: ConnId) -> &mut Flight {
        self.conns.get_mut(&conn).unwrap_or_else(|| panic!("{conn} is not open"))
    }
}

/// Late comers are sent away.
fn is_refusal<N: LastWord>(output: &Output<N>) -> bool {
    match output {
        Output::Close { .. } | Output::Kill { .. } | Output::Log(_) => true,
        Output::Notice(notice) => notice.is_refusal(),
        _ => false,
    }
}

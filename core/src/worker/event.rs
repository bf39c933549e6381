//! What happens to a worker, and what is to be done about it.

use alloc::string::String;
use core::time::Duration;

use super::Loss;
use crate::config::Protocol;
use crate::machine::{CloseReason, ConnId, ExitStatus, Signal};

/// One thing that happened to a worker, or that the engine wants of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its process runs.
    Spawned {
        /// Process id, which is the process group too.
        pid: u32,
    },
    /// Its process could not be started.
    SpawnFailed(String),
    /// A connection introduced itself with this worker's uuid.
    Handshake {
        /// The connection.
        conn: ConnId,
        /// What it speaks.
        protocol: Protocol,
    },
    /// The connection that was parked before `Spawned` turned out to be a stranger's.
    Disowned,
    /// A heartbeat came on its connection.
    Heartbeat,
    /// A `terminate` came on its connection.
    Terminate {
        /// 2 is abnormal, everything else normal.
        code: i64,
        /// The worker's words.
        reason: String,
    },
    /// Its connection ended.
    Disconnected,
    /// Its connection sent something that cannot be; the text says what.
    Fault(String),
    /// Its process was reaped.
    Exited(ExitStatus),
    /// It shall get no new sessions, finish those it has, and go.
    Seal {
        /// Why.
        why: StopReason,
        /// How long its sessions may take.
        cap: Duration,
    },
    /// It shall be gone at once.
    Abort,
    /// The number of its unfinished sessions is now this.
    SessionsChanged {
        /// The number.
        load: usize,
    },
    /// Time has passed. Early, late and repeated ones are harmless.
    Timeout,
}

/// One thing to do for a worker, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It may get sessions from now on.
    Activated,
    /// Answer its heartbeat.
    SendHeartbeat,
    /// Ask it to terminate; comes once at most. See [`StopReason::message`].
    SendTerminate(StopReason),
    /// It has been without sessions for `idle-timeout`; comes again after as long. The engine decides
    /// whether the pool can do without it, and if so answers with [`Event::Seal`].
    Idle,
    /// This connection is not the worker's: close it. The worker does not mind.
    Refuse {
        /// The stranger.
        conn: ConnId,
    },
    /// Close the connection that was the worker's. Each accepted one is closed exactly once.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Send a signal to its process group.
    Kill(Signal),
    /// Whatever sessions it still has end with this error; comes exactly once.
    FailSessions(Loss),
    /// This was a failure: count it, and replace the worker when the back-off allows. Comes at most
    /// once, as soon as it is known; the process may live on for a while.
    Crashed(Loss),
    /// Process and connection are gone: forget the worker, and write its crash log if it crashed.
    /// The last action.
    Died(Outcome),
}

/// How a worker's life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As intended, or by its own normal goodbye.
    Normal,
    /// By a failure.
    Crash(Loss),
}

/// Why the runtime stops a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It had no sessions for `idle-timeout`.
    Idle,
    /// There are more workers than wanted.
    Shrink,
    /// The app stops.
    Stop,
}

impl StopReason {
    /// Code and text of the `terminate` message, in the words of either generation.
    #[must_use]
    pub const fn message(self, protocol: Protocol) -> (i64, &'static str) {
        match (protocol, self) {
            (Protocol::V0, Self::Idle | Self::Shrink) => (1, "slave is idle"),
            (Protocol::V0, Self::Stop) => (1, "the engine is shutting down"),
            (Protocol::V1, Self::Idle) => (13, "slave is idle"),
            (Protocol::V1, Self::Shrink) => (14, "slave is sealing"),
            (Protocol::V1, Self::Stop) => (11, "overseer is shutting down"),
        }
    }
}

//! The states of a worker.

use super::{Outcome, Phase, StopReason};
use crate::machine::{ConnId, ExitStatus};
use crate::time::{TimerReason, Timestamp, soonest};

/// Where a worker is in its life.
///
/// Deadlines live in the variants, so a timer of a state that was left cannot fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its process was asked for. A connection may be faster than the notice that it runs; it waits.
    Spawning {
        /// When it must have sent its first heartbeat.
        deadline: Timestamp,
        /// What came early.
        early: Early,
    },
    /// Its process runs and has not connected.
    Spawned {
        /// When it must have sent its first heartbeat.
        deadline: Timestamp,
    },
    /// It has introduced itself and sent no heartbeat.
    Handshaken {
        /// When it must have sent its first heartbeat.
        deadline: Timestamp,
        /// Its connection.
        conn: ConnId,
    },
    /// It works.
    Active {
        /// Its connection.
        conn: ConnId,
        /// When the next heartbeat must have come.
        heartbeat: Timestamp,
        /// When it has been without sessions for too long; `None` while it has some, or if that is allowed.
        idle: Option<Timestamp>,
    },
    /// It gets no new sessions and finishes those it has.
    Sealed {
        /// Its connection.
        conn: ConnId,
        /// When the next heartbeat must have come.
        heartbeat: Timestamp,
        /// When it is asked to terminate though sessions are left.
        deadline: Timestamp,
        /// Why it is stopped.
        why: StopReason,
    },
    /// It was asked to terminate.
    Draining {
        /// Its connection.
        conn: ConnId,
        /// When the next heartbeat must have come.
        heartbeat: Timestamp,
        /// When it must have answered or exited.
        deadline: Timestamp,
        /// Why it is stopped.
        why: StopReason,
    },
    /// It said goodbye, or was told to go and closed its connection: it should exit by itself.
    Exiting {
        /// Its connection, while open.
        conn: Option<ConnId>,
        /// When it gets SIGTERM.
        deadline: Timestamp,
        /// What this will have been.
        outcome: Outcome,
    },
    /// Its process is gone; what it wrote before may still be on its way, a goodbye too.
    Reaped {
        /// Its connection.
        conn: ConnId,
        /// When we wait no longer.
        deadline: Timestamp,
        /// The part of its life in which it exited.
        during: Phase,
        /// How it exited.
        status: ExitStatus,
    },
    /// It has to go, by signals.
    Killing {
        /// How far that went.
        stage: Stage,
        /// What this will have been.
        outcome: Outcome,
    },
    /// Process and connection are gone.
    Dead(Outcome),
}

/// What came on a connection before its process was known to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Nothing.
    Nothing,
    /// A handshake.
    Handshake(ConnId),
    /// A handshake and a heartbeat.
    Heartbeat(ConnId),
}

impl Early {
    /// The waiting connection.
    #[must_use]
    pub const fn conn(self) -> Option<ConnId> {
        match self {
            Self::Nothing => None,
            Self::Handshake(conn) | Self::Heartbeat(conn) => Some(conn),
        }
    }
}

/// How far killing went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is no process yet that could get a signal.
    Unspawned {
        /// When we wait for it no longer.
        deadline: Timestamp,
    },
    /// It got SIGTERM.
    Term {
        /// When it gets SIGKILL.
        deadline: Timestamp,
    },
    /// It got SIGKILL; the operating system will tell.
    Kill,
}

impl State {
    /// The connection that is, or may become, the worker's.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Spawning { early, .. } => early.conn(),
            Self::Handshaken { conn, .. }
            | Self::Active { conn, .. }
            | Self::Sealed { conn, .. }
            | Self::Draining { conn, .. }
            | Self::Reaped { conn, .. } => Some(*conn),
            Self::Exiting { conn, .. } => *conn,
            Self::Spawned { .. } | Self::Killing { .. } | Self::Dead(_) => None,
        }
    }

    /// The state's name in reports. Several states share one, for the names are a public contract
    /// and the states are not.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Spawning { .. } => "spawning",
            Self::Spawned { .. } | Self::Handshaken { .. } => "handshaking",
            Self::Active { .. } => "active",
            Self::Sealed { .. } => "sealing",
            Self::Draining { .. } | Self::Exiting { .. } | Self::Reaped { .. } | Self::Killing { .. } => {
                "terminating"
            }
            Self::Dead(Outcome::Normal) => "closed",
            Self::Dead(Outcome::Crash(_)) => "broken",
        }
    }

    /// When time alone changes something, and what that is.
    #[must_use]
    pub fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let beat = |at| Some((at, TimerReason::Heartbeat));
        match *self {
            Self::Spawning { deadline, .. }
            | Self::Spawned { deadline }
            | Self::Handshaken { deadline, .. } => Some((deadline, TimerReason::Startup)),
            Self::Active { heartbeat, idle, .. } => {
                soonest(beat(heartbeat), idle.map(|at| (at, TimerReason::Idle)))
            }
            Self::Sealed { heartbeat, deadline, .. } => {
                soonest(beat(heartbeat), Some((deadline, TimerReason::Seal)))
            }
            Self::Draining { heartbeat, deadline, .. } => {
                soonest(beat(heartbeat), Some((deadline, TimerReason::Terminate)))
            }
            Self::Exiting { deadline, .. } | Self::Reaped { deadline, .. } => {
                Some((deadline, TimerReason::Grace))
            }
            Self::Killing { stage: Stage::Unspawned { deadline } | Stage::Term { deadline }, .. } => {
                Some((deadline, TimerReason::Kill))
            }
            Self::Killing { stage: Stage::Kill, .. } | Self::Dead(_) => None,
        }
    }
}

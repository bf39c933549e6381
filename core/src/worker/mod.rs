//! One worker's life, from the request to spawn it until its process is gone.
//!
//! ```text
//!            Spawned          handshake           first heartbeat
//! Spawning ──────────▶ Spawned ──────▶ Handshaken ──────▶ Active ─────────┐ Seal
//!    │ startup-timeout    │                │                │ │ ▲ └ heartbeat, idle
//!    │ (all three)        │                │     terminate  │ │           ▼
//!    ▼                    ▼                ▼       ┌────────┘ │        Sealed
//! Killing ◀───────────────┴────────────────┴───────│──────────┤           │ no sessions, or
//!  SIGTERM, kill-timeout, SIGKILL;                 ▼          │           ▼ seal-timeout
//!  SIGKILL at once for a missed heartbeat ◀──── Exiting ◀──── │ ────── Draining
//!    │                              grace          │          │ exited    │ terminate-timeout
//!    ▼                                             ▼          ▼           ▼
//!  Dead ◀──────────────────────────────────────────┴─────── Reaped     Killing
//! ```
//!
//! The engine tells a [`Worker`] what happened ([`Event`]) and does what it says ([`Action`]). Three
//! promises hold on every path: [`Action::FailSessions`] comes exactly once,
//! [`Action::Died`] comes exactly once and last, and every connection the worker accepted is closed
//! exactly once.
//!
//! Late timers do no harm: an event that comes after a deadline, but before the
//! [`Event::Timeout`] that would have noticed, counts as in time.

mod crashlog;
mod event;
mod loss;
mod state;
mod step;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

pub use crashlog::{COLLECTION, CrashLog, LINE_LIMIT};
pub use event::{Action, Event, Outcome, StopReason};
pub use loss::{ABNORMAL, Cause, Loss, Phase};
pub use state::{Early, Stage, State};
pub use step::GRACE;

use crate::config::{Protocol, Timeouts};
use crate::machine::{ConnId, WorkerId};
use crate::time::{TimerReason, Timestamp};
use step::Step;

/// One worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Worker {
    id: WorkerId,
    uuid: String,
    since: Timestamp,
    now: Timestamp,
    state: State,
    pid: Option<u32>,
    protocol: Option<Protocol>,
    load: usize,
    log: CrashLog,
}

impl Worker {
    /// A worker whose process is being asked for right now. Its log keeps `crashlog_limit` lines.
    #[must_use]
    pub fn new(
        id: WorkerId,
        uuid: String,
        now: Timestamp,
        timeouts: &Timeouts,
        crashlog_limit: usize,
    ) -> Self {
        let state = State::Spawning { deadline: now + timeouts.startup, early: Early::Nothing };
        let log = CrashLog::new(crashlog_limit);
        Self { id, uuid, since: now, now, state, pid: None, protocol: None, load: 0, log }
    }

    /// Takes note of `event` and appends what is to be done about it, in order, to `actions`.
    pub fn step(&mut self, now: Timestamp, event: Event, timeouts: &Timeouts, actions: &mut Vec<Action>) {
        self.now = self.now.max(now);
        let speaks = match event {
            Event::Handshake { conn, protocol } if self.state.conn().is_none() => Some((conn, protocol)),
            _ => None,
        };
        match event {
            Event::Spawned { pid } => self.pid = Some(pid),
            Event::SessionsChanged { load } => self.load = load,
            _ => {}
        }
        let state = mem::replace(&mut self.state, State::Dead(Outcome::Normal));
        let mut step = Step { now: self.now, timeouts, load: self.load, actions };
        self.state = step.run(state, event);
        if let Some((conn, protocol)) = speaks
            && self.state.conn() == Some(conn)
        {
            self.protocol = Some(protocol);
        }
    }

    /// When to come back with [`Event::Timeout`] if nothing happens before, and why.
    #[must_use]
    pub fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        self.state.next_timeout()
    }

    /// Its id between machine and driver.
    #[must_use]
    pub const fn id(&self) -> WorkerId {
        self.id
    }

    /// Its name in the world: 36 characters, or the tag it was started for.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The state's public name.
    #[must_use]
    pub const fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// Its connection; one that is parked until its process is known counts too.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        self.state.conn()
    }

    /// Its process id and process group, once it was spawned.
    #[must_use]
    pub const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// What it speaks, once it has introduced itself.
    #[must_use]
    pub const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// The number of its unfinished sessions, as the engine last said.
    #[must_use]
    pub const fn load(&self) -> usize {
        self.load
    }

    /// Whether new sessions may go to it.
    #[must_use]
    pub const fn accepts_sessions(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// Whether it works or will soon: what growth may count on.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.is_starting() || self.accepts_sessions()
    }

    /// Whether it has been asked for and has not sent its first heartbeat.
    #[must_use]
    pub const fn is_starting(&self) -> bool {
        matches!(self.state, State::Spawning { .. } | State::Spawned { .. } | State::Handshaken { .. })
    }

    /// How long ago it was asked for.
    #[must_use]
    pub const fn uptime(&self, now: Timestamp) -> Duration {
        now.since(self.since)
    }

    /// What it wrote last.
    #[must_use]
    pub const fn log(&self) -> &CrashLog {
        &self.log
    }

    /// Takes note of its output; calls `line` for each line that is complete now.
    pub fn record_output(&mut self, bytes: &[u8], line: impl FnMut(&[u8])) {
        self.log.push(bytes, line);
    }
}

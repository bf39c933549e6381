//! The transitions, by event. Every event is defined in every state; what a state does not care
//! about leaves it as it is.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Action, Cause, Early, Event, Loss, Outcome, Phase, Stage, State, StopReason};
use crate::config::Timeouts;
use crate::machine::{CloseReason, ConnId, ExitStatus, Signal};
use crate::time::Timestamp;

/// How long a worker that said goodbye may take to exit before it is told to; and how long we wait
/// for the last words of one that has exited.
pub const GRACE: Duration = Duration::from_secs(2);

/// One step of a worker: what is known beside its state, and where the actions go.
pub(super) struct Step<'a> {
    pub(super) now: Timestamp,
    pub(super) timeouts: &'a Timeouts,
    pub(super) load: usize,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    /// The state after `event`.
    pub(super) fn run(&mut self, state: State, event: Event) -> State {
        match event {
            Event::Spawned { .. } => self.spawned(state),
            Event::SpawnFailed(why) => self.spawn_failed(state, why),
            Event::Handshake { conn, .. } => self.handshake(state, conn),
            Event::Disowned => self.disowned(state),
            Event::Heartbeat => self.heartbeat(state),
            Event::Terminate { code, reason } => self.terminated(state, Cause::Terminated { code, reason }),
            Event::Disconnected => self.disconnected(state, CloseReason::Gone, Cause::Disconnected),
            Event::Fault(how) => self.disconnected(state, CloseReason::Fault(how.clone()), Cause::Fault(how)),
            Event::Exited(status) => self.exited(state, status),
            Event::Seal { why, cap } => self.seal(state, why, cap),
            Event::Abort => self.abort(state),
            Event::SessionsChanged { .. } => self.sessions_changed(state),
            Event::Timeout => self.timeout(state),
        }
    }

    // ---- starting ----

    fn spawned(&mut self, state: State) -> State {
        match state {
            State::Spawning { deadline, early: Early::Nothing } => State::Spawned { deadline },
            State::Spawning { deadline, early: Early::Handshake(conn) } => {
                State::Handshaken { deadline, conn }
            }
            State::Spawning { early: Early::Heartbeat(conn), .. } => self.activate(conn),
            State::Killing { stage: Stage::Unspawned { .. }, outcome } => {
                // It has done nothing yet, so there is nothing to be polite about.
                self.actions.push(Action::Kill(Signal::Kill));
                State::Killing { stage: Stage::Kill, outcome }
            }
            State::Dead(outcome) => {
                self.actions.push(Action::Kill(Signal::Kill));
                State::Dead(outcome)
            }
            other => other,
        }
    }

    fn spawn_failed(&mut self, state: State, why: String) -> State {
        match state {
            State::Killing { outcome, .. } => self.died(outcome),
            State::Exiting { conn, outcome, .. } => {
                self.close(conn, CloseReason::Done);
                self.died(outcome)
            }
            State::Dead(outcome) => State::Dead(outcome),
            other => {
                let outcome = self.lose(phase(&other), Cause::NotSpawned(why));
                self.close(other.conn(), CloseReason::Done);
                self.died(outcome)
            }
        }
    }

    fn handshake(&mut self, state: State, conn: ConnId) -> State {
        match state {
            State::Spawning { deadline, early: Early::Nothing } => {
                State::Spawning { deadline, early: Early::Handshake(conn) }
            }
            State::Spawned { deadline } => State::Handshaken { deadline, conn },
            other => {
                if other.conn() != Some(conn) {
                    self.actions.push(Action::Refuse { conn });
                }
                other
            }
        }
    }

    fn disowned(&mut self, state: State) -> State {
        match state {
            State::Spawning { deadline, early } => {
                self.close(early.conn(), CloseReason::Done);
                State::Spawning { deadline, early: Early::Nothing }
            }
            other => other,
        }
    }

    // ---- the worker speaks ----

    fn heartbeat(&mut self, state: State) -> State {
        match state {
            State::Spawning { deadline, early: Early::Handshake(conn) } => {
                State::Spawning { deadline, early: Early::Heartbeat(conn) }
            }
            State::Handshaken { conn, .. } => self.activate(conn),
            State::Active { conn, idle, .. } => State::Active { conn, heartbeat: self.beat(), idle },
            State::Sealed { conn, deadline, why, .. } => {
                State::Sealed { conn, heartbeat: self.beat(), deadline, why }
            }
            State::Draining { conn, deadline, why, .. } => {
                State::Draining { conn, heartbeat: self.beat(), deadline, why }
            }
            other => other,
        }
    }

    fn terminated(&mut self, state: State, cause: Cause) -> State {
        match state {
            State::Spawning { .. } => self.disowned(state),
            State::Handshaken { conn, .. }
            | State::Active { conn, .. }
            | State::Sealed { conn, .. }
            | State::Draining { conn, .. } => {
                let outcome = self.lose(phase(&state), cause);
                self.exiting(Some(conn), outcome)
            }
            State::Reaped { conn, during, .. } => self.bury(conn, during, cause),
            other => other,
        }
    }

    fn disconnected(&mut self, state: State, close: CloseReason, cause: Cause) -> State {
        match state {
            State::Spawning { deadline, early } => {
                self.close(early.conn(), close);
                State::Spawning { deadline, early: Early::Nothing }
            }
            State::Handshaken { conn, .. } | State::Active { conn, .. } | State::Sealed { conn, .. } => {
                let outcome = self.lose(phase(&state), cause);
                self.close(Some(conn), close);
                self.kill(Signal::Term, outcome)
            }
            State::Draining { conn, .. } => {
                // Some frameworks answer `terminate` by just leaving.
                let outcome = self.lose(phase(&state), cause);
                self.close(Some(conn), close);
                self.exiting(None, outcome)
            }
            State::Exiting { conn, deadline, outcome } => {
                self.close(conn, close);
                State::Exiting { conn: None, deadline, outcome }
            }
            State::Reaped { conn, during, status, .. } => self.bury(conn, during, Cause::Exited(status)),
            other => other,
        }
    }

    // ---- the operating system speaks ----

    fn exited(&mut self, state: State, status: ExitStatus) -> State {
        if !matches!(state, State::Dead(_)) {
            // What it left behind in its process group would hold on to the connection.
            self.actions.push(Action::Kill(Signal::Kill));
        }
        match state {
            State::Active { conn, .. } | State::Sealed { conn, .. } | State::Draining { conn, .. } => {
                // Its last replies, or its goodbye, may stand in the socket.
                State::Reaped { conn, deadline: self.now + GRACE, during: phase(&state), status }
            }
            State::Exiting { conn, outcome, .. } => {
                self.close(conn, CloseReason::Done);
                self.died(outcome)
            }
            State::Killing { outcome, .. } => self.died(outcome),
            State::Reaped { .. } | State::Dead(_) => state,
            State::Spawning { .. } | State::Spawned { .. } | State::Handshaken { .. } => {
                let outcome = self.lose(Phase::Starting, Cause::Exited(status));
                self.close(state.conn(), CloseReason::Done);
                self.died(outcome)
            }
        }
    }

    // ---- the engine speaks ----

    fn seal(&mut self, state: State, why: StopReason, cap: Duration) -> State {
        let deadline = self.now + cap;
        match state {
            State::Active { conn, heartbeat, .. } if self.load > 0 => {
                State::Sealed { conn, heartbeat, deadline, why }
            }
            State::Active { conn, heartbeat, .. } => self.drain(conn, heartbeat, why),
            // The later reason counts, and the shorter time.
            State::Sealed { conn, heartbeat, deadline: old, .. } => {
                State::Sealed { conn, heartbeat, deadline: old.min(deadline), why }
            }
            State::Draining { conn, heartbeat, deadline, .. } => {
                State::Draining { conn, heartbeat, deadline, why }
            }
            State::Handshaken { conn, .. } => self.drain(conn, self.now + self.timeouts.heartbeat, why),
            State::Spawned { .. } => {
                let outcome = self.lose(Phase::Stopping(why), Cause::Unwanted);
                self.kill(Signal::Term, outcome)
            }
            State::Spawning { .. } => self.give_up(&state, Phase::Stopping(why), Cause::Unwanted),
            other => other,
        }
    }

    fn abort(&mut self, state: State) -> State {
        let during = Phase::Stopping(StopReason::Stop);
        match state {
            State::Spawning { .. } => self.give_up(&state, during, Cause::Unwanted),
            State::Exiting { conn, outcome, .. } => {
                self.close(conn, CloseReason::Stopping);
                self.kill(Signal::Kill, outcome)
            }
            State::Reaped { conn, .. } => self.bury(conn, during, Cause::Unwanted),
            State::Killing { stage: Stage::Term { .. }, outcome } => self.kill(Signal::Kill, outcome),
            State::Killing { .. } | State::Dead(_) => state,
            State::Spawned { .. }
            | State::Handshaken { .. }
            | State::Active { .. }
            | State::Sealed { .. }
            | State::Draining { .. } => {
                let outcome = self.lose(during, Cause::Unwanted);
                self.close(state.conn(), CloseReason::Stopping);
                self.kill(Signal::Kill, outcome)
            }
        }
    }

    fn sessions_changed(&mut self, state: State) -> State {
        match state {
            State::Active { conn, heartbeat, idle } => {
                let idle = if self.load == 0 { idle.or_else(|| self.idle()) } else { None };
                State::Active { conn, heartbeat, idle }
            }
            State::Sealed { conn, heartbeat, why, .. } if self.load == 0 => self.drain(conn, heartbeat, why),
            other => other,
        }
    }

    // ---- time speaks ----

    fn timeout(&mut self, state: State) -> State {
        match state {
            State::Spawning { deadline, .. } if self.due(deadline) => {
                self.give_up(&state, Phase::Starting, Cause::Silent)
            }
            State::Spawned { deadline } | State::Handshaken { deadline, .. } if self.due(deadline) => {
                self.stop_by(Signal::Term, &state, Cause::Silent)
            }
            State::Active { heartbeat, .. }
            | State::Sealed { heartbeat, .. }
            | State::Draining { heartbeat, .. }
                if self.due(heartbeat) =>
            {
                // It hangs; it would not hear anything gentler.
                self.stop_by(Signal::Kill, &state, Cause::Silent)
            }
            State::Active { conn, heartbeat, idle: Some(at) } if self.due(at) => {
                self.actions.push(Action::Idle);
                State::Active { conn, heartbeat, idle: self.idle() }
            }
            State::Sealed { conn, heartbeat, deadline, why } if self.due(deadline) => {
                self.drain(conn, heartbeat, why)
            }
            State::Draining { deadline, .. } if self.due(deadline) => {
                self.stop_by(Signal::Term, &state, Cause::Ignored)
            }
            State::Exiting { conn, deadline, outcome } if self.due(deadline) => {
                self.close(conn, CloseReason::Done);
                self.kill(Signal::Term, outcome)
            }
            State::Reaped { conn, deadline, during, status } if self.due(deadline) => {
                self.bury(conn, during, Cause::Exited(status))
            }
            State::Killing { stage: Stage::Term { deadline }, outcome } if self.due(deadline) => {
                self.kill(Signal::Kill, outcome)
            }
            State::Killing { stage: Stage::Unspawned { deadline }, outcome } if self.due(deadline) => {
                self.died(outcome)
            }
            other => other,
        }
    }

    // ---- ways into states ----

    fn activate(&mut self, conn: ConnId) -> State {
        let heartbeat = self.beat();
        self.actions.push(Action::Activated);
        State::Active { conn, heartbeat, idle: self.idle() }
    }

    fn drain(&mut self, conn: ConnId, heartbeat: Timestamp, why: StopReason) -> State {
        self.actions.push(Action::SendTerminate(why));
        State::Draining { conn, heartbeat, deadline: self.now + self.timeouts.terminate, why }
    }

    fn exiting(&mut self, conn: Option<ConnId>, outcome: Outcome) -> State {
        State::Exiting { conn, deadline: self.now + GRACE, outcome }
    }

    /// Its process may come yet, and could not be told before.
    fn give_up(&mut self, state: &State, during: Phase, cause: Cause) -> State {
        let outcome = self.lose(during, cause);
        self.close(state.conn(), CloseReason::Done);
        State::Killing { stage: Stage::Unspawned { deadline: self.now + self.timeouts.kill }, outcome }
    }

    fn stop_by(&mut self, signal: Signal, state: &State, cause: Cause) -> State {
        let outcome = self.lose(phase(state), cause);
        self.close(state.conn(), CloseReason::Done);
        self.kill(signal, outcome)
    }

    fn kill(&mut self, signal: Signal, outcome: Outcome) -> State {
        self.actions.push(Action::Kill(signal));
        let stage = match signal {
            Signal::Term => Stage::Term { deadline: self.now + self.timeouts.kill },
            Signal::Kill => Stage::Kill,
        };
        State::Killing { stage, outcome }
    }

    /// The last words of a process that is gone have come.
    fn bury(&mut self, conn: ConnId, during: Phase, cause: Cause) -> State {
        let outcome = self.lose(during, cause);
        self.close(Some(conn), CloseReason::Gone);
        self.died(outcome)
    }

    fn died(&mut self, outcome: Outcome) -> State {
        self.actions.push(Action::Died(outcome.clone()));
        State::Dead(outcome)
    }

    // ---- parts of transitions ----

    /// Ends its sessions, and says so if that was a failure.
    fn lose(&mut self, during: Phase, cause: Cause) -> Outcome {
        let loss = Loss { during, cause };
        self.actions.push(Action::FailSessions(loss.clone()));
        let outcome = loss.outcome();
        if let Outcome::Crash(loss) = &outcome {
            self.actions.push(Action::Crashed(loss.clone()));
        }
        outcome
    }

    fn close(&mut self, conn: Option<ConnId>, reason: CloseReason) {
        if let Some(conn) = conn {
            self.actions.push(Action::Close { conn, reason });
        }
    }

    /// Answers a heartbeat; the next one must come until then.
    fn beat(&mut self) -> Timestamp {
        self.actions.push(Action::SendHeartbeat);
        self.now + self.timeouts.heartbeat
    }

    fn idle(&self) -> Option<Timestamp> {
        self.timeouts.idle.map(|idle| self.now + idle)
    }

    fn due(&self, deadline: Timestamp) -> bool {
        deadline <= self.now
    }
}

/// The part of its life that a worker in this state is in.
fn phase(state: &State) -> Phase {
    match *state {
        State::Spawning { .. } | State::Spawned { .. } | State::Handshaken { .. } => Phase::Starting,
        State::Draining { why, .. } => Phase::Stopping(why),
        State::Reaped { during, .. } => during,
        State::Active { .. }
        | State::Sealed { .. }
        | State::Exiting { .. }
        | State::Killing { .. }
        | State::Dead(_) => Phase::Serving,
    }
}

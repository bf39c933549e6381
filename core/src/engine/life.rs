//! Doing what a worker's state machine says.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::request::InputHalf;
use super::{Engine, RequestKey};
use crate::config::Protocol;
use crate::machine::{CloseReason, Output, Record, Severity, WorkerId};
use crate::wire::{Failure, v0, v1};
use crate::worker::{Action, Event, Loss, Outcome, StopReason};

impl Engine {
    /// Tells a worker's machine what happened, and does what it says.
    pub(super) fn step(&mut self, worker: WorkerId, event: Event) {
        let Some(side) = self.workers.get_mut(&worker) else { return };
        let mut actions = mem::take(&mut self.actions);
        side.worker.step(self.now, event, self.config.profile.timeouts(), &mut actions);
        for action in actions.drain(..) {
            self.act(worker, action);
        }
        self.actions = actions;
    }

    /// Tells a worker's machine how many sessions it has, when that begins or ceases to matter.
    pub(super) fn note_load(&mut self, worker: WorkerId) {
        let Some(side) = self.workers.get(&worker) else { return };
        let load = side.load;
        if load <= 1 && load != side.worker.load() {
            self.step(worker, Event::SessionsChanged { load });
        }
    }

    pub(super) fn some_worker_is_due(&self) -> bool {
        let mut next = self.workers.values().filter_map(|side| side.worker.next_timeout());
        next.any(|(at, _)| at <= self.now)
    }

    /// Wakes the workers whose time has come.
    pub(super) fn wake_workers(&mut self) {
        let now = self.now;
        let due: Vec<WorkerId> = self
            .workers
            .iter()
            .filter(|(_, side)| side.worker.next_timeout().is_some_and(|(at, _)| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for worker in due {
            self.step(worker, Event::Timeout);
        }
        let readable: Vec<_> = self
            .workers
            .values()
            .filter(|side| side.throttle.until().is_some_and(|at| at <= now))
            .filter_map(|side| side.session)
            .collect();
        for (conn, _) in readable {
            self.read_on(conn);
        }
    }

    fn act(&mut self, worker: WorkerId, action: Action) {
        match action {
            Action::Activated => self.on_activated(worker),
            Action::SendHeartbeat => self.send_control(worker, |out, protocol| match protocol {
                Protocol::V1 => v1::heartbeat(out),
                Protocol::V0 => v0::heartbeat(out),
            }),
            Action::SendTerminate(reason) => self.send_control(worker, |out, protocol| {
                let (code, text) = reason.message(protocol);
                let code = i32::try_from(code).unwrap_or(1);
                match protocol {
                    Protocol::V1 => v1::terminate(out, code, text.as_bytes()),
                    Protocol::V0 => v0::terminate(out, code, text.as_bytes()),
                }
            }),
            Action::Idle => self.on_idle(worker),
            // Whoever made the handshake closes the stranger, with a sentence.
            Action::Refuse { .. } => {}
            Action::Close { conn, reason } => {
                self.close_worker_conn(worker, reason);
                self.drop_conn(conn, CloseReason::Gone);
            }
            Action::Kill(signal) => self.out.push(Output::Kill { worker, signal }),
            Action::FailSessions(loss) => self.fail_sessions(worker, &loss),
            Action::Crashed(loss) => self.on_crashed(worker, &loss),
            Action::Died(outcome) => self.on_died(worker, &outcome),
        }
    }

    fn on_activated(&mut self, worker: WorkerId) {
        self.pool.worker_activated(self.now);
        if let Some(side) = self.workers.get(&worker) {
            let (uuid, took) = (String::from(side.worker.uuid()), self.now.since(side.spawned));
            self.log(Severity::Info, format!("worker {uuid} is active after {} ms", took.as_millis()));
        }
    }

    /// A worker has had nothing to do for a while: it goes, unless it is one of those that must stay.
    fn on_idle(&mut self, worker: WorkerId) {
        if self.active_workers() > self.floor() {
            let cap = self.config.profile.timeouts().seal;
            self.step(worker, Event::Seal { why: StopReason::Idle, cap });
        }
    }

    fn send_control(&mut self, worker: WorkerId, write: impl FnOnce(&mut Vec<u8>, Protocol)) {
        let Some((conn, protocol)) = self.workers.get(&worker).and_then(|side| side.session) else { return };
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let before = entry.link.queued();
        entry.link.send_control(&mut self.out, |out| write(out, protocol));
        self.buffered += entry.link.queued() - before;
    }

    fn close_worker_conn(&mut self, worker: WorkerId, reason: CloseReason) {
        let Some(side) = self.workers.get_mut(&worker) else { return };
        let Some((conn, _)) = side.session.take() else { return };
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let waiting = mem::take(&mut entry.waiting);
        self.drop_conn(conn, reason);
        for key in waiting {
            self.release_client(key);
        }
    }

    /// Whatever a worker still had to do ends with an error.
    fn fail_sessions(&mut self, worker: WorkerId, loss: &Loss) {
        let Some(side) = self.workers.get(&worker) else { return };
        let keys: Vec<RequestKey> = side.channels.iter().map(|(_, key)| key).collect();
        let failure = loss.failure(side.worker.uuid());
        for key in keys {
            if let Some(request) = self.requests.get_mut(key) {
                request.input = InputHalf::Closed;
            }
            self.answer_failure(key, failure.clone());
            self.finish_if_over(key);
        }
    }

    fn on_crashed(&mut self, worker: WorkerId, loss: &Loss) {
        let Some(side) = self.workers.get(&worker) else { return };
        let text = loss.text(side.worker.uuid());
        let (excerpt, last_words) = (side.worker.log().excerpt(EXCERPT), side.worker.log().excerpt(LOGGED));
        let started = !side.worker.is_starting() && loss.during != crate::worker::Phase::Starting;
        // Those that wait for this very worker wait for the next one of its name only if it left as it should.
        let (parked, failure) = (self.parked.of(side.worker.uuid()), loss.failure(side.worker.uuid()));
        for key in parked {
            self.answer_failure(key, failure.clone());
        }
        let mut record = Record::new(Severity::Warning, self.log_source(), text.clone());
        if !last_words.is_empty() {
            record = record.with("output", last_words);
        }
        self.out.push(Output::Log(record));
        let others_active = self.active_workers() > 0;
        self.pool.worker_crashed(self.now, started, others_active, text, excerpt);
        if let Some(reason) = self.pool.refusal() {
            self.fail_queue(&Failure::new(crate::wire::codes::NO_RESOURCES, reason));
        }
    }

    fn on_died(&mut self, worker: WorkerId, outcome: &Outcome) {
        let Some(side) = self.workers.remove(&worker) else { return };
        if let Some((conn, _)) = side.session {
            self.drop_conn(conn, CloseReason::Gone);
        }
        self.drop_claimants(worker);
        match outcome {
            Outcome::Normal => {
                self.log(Severity::Info, format!("worker {} is gone", side.worker.uuid()));
            }
            Outcome::Crash(_) => self.store_crash_log(side.worker.uuid(), side.worker.log()),
        }
    }
}

/// How much of a failed worker's output goes into the error that its clients see, in bytes.
const EXCERPT: usize = 1024;

/// How much of it goes into the line of the log, in bytes.
const LOGGED: usize = 256;

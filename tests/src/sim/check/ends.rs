//! Every accepted request ends exactly once, and with an end that it may have.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::config::QueueMode;
use cocaine_core::engine::{Engine, EngineLimits};
use cocaine_core::machine::{Signal, WorkerId};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::{ErrorCode, codes};

use super::{Promise, Rules};
use crate::sim::fact::{Ending, Fact, Moment};
use crate::sim::request::Req;

/// What may happen to a request: far simpler than what an engine does about it.
#[derive(Debug)]
pub(super) struct Ends {
    queue: QueueMode,
    open: BTreeMap<Req, Request>,
    ended: BTreeMap<Req, Ending>,
    /// Ends of this step. Why they came may be said after them.
    fresh: Vec<(Req, Request, Ending)>,
    lost: BTreeMap<WorkerId, ()>,
    /// Workers that have not said anything: since when, and whether their processes are known.
    starting: BTreeMap<WorkerId, (Timestamp, bool)>,
    startup: Duration,
    /// Workers that failed, or were made to.
    losses: usize,
    stopping: bool,
    /// The bounds are small enough to be met.
    tight: bool,
}

#[derive(Debug)]
struct Request {
    deadline: Timestamp,
    tagged: bool,
    malformed: bool,
    /// The queue may have been full when it came.
    queue_full: bool,
    /// The caller, or the worker, sent what cannot be on its channel.
    misused: bool,
    worker: Option<WorkerId>,
    reply: Option<Ending>,
}

impl Ends {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            queue: rules.profile.queue_mode(),
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            fresh: Vec::new(),
            lost: BTreeMap::new(),
            starting: BTreeMap::new(),
            startup: rules.profile.timeouts().startup,
            losses: 0,
            stopping: false,
            tight: rules.limits != EngineLimits::default(),
        }
    }

    fn end(&mut self, req: Req, end: Ending) {
        let first = self.ended.insert(req, end);
        assert_eq!(first, None, "request {} ends twice", req.0);
        // Whoever left is not waited for, but what he is told must still be true.
        if let Some(request) = self.open.remove(&req) {
            self.fresh.push((req, request, end));
        }
    }

    /// Whether this is an end that the request may have.
    fn allows(&self, now: Timestamp, request: &Request, end: Ending) -> bool {
        let code = match end {
            Ending::Closed => return request.reply == Some(Ending::Closed),
            Ending::Failed(code) => code,
        };
        if request.reply == Some(end) {
            return true;
        }
        let due = request.deadline <= now;
        match code {
            codes::INVOCATION_DEADLINE => due && request.worker.is_none(),
            codes::REQUEST_TIMED_OUT => due,
            codes::APP_STOPPED => self.stopping,
            codes::QUEUE_IS_FULL => request.queue_full,
            codes::POOL_IS_FULL => request.tagged,
            // It may be that nobody knows whether there is a process to be told.
            codes::ACTIVATE_TIMEOUT if self.starting.values().any(|(at, _)| *at + self.startup <= now) => {
                true
            }
            codes::BAD_ARGUMENTS => request.misused || request.malformed,
            codes::SLOT_NOT_BOUND => request.misused,
            // Bounds of bytes and channels, or an app that does nothing but crash.
            codes::NO_RESOURCES => self.losses >= 3 || self.tight,
            code if code.category == codes::CONTROL_IPC.category => self.worker_was_lost(request, code),
            _ => false,
        }
    }

    /// Requests that no worker has, as far as can be seen, are at least as many as there really are.
    fn queue_may_be_full(&self) -> bool {
        match self.queue {
            QueueMode::Bounded(limit) => {
                self.open.values().filter(|request| request.worker.is_none()).count() >= limit
            }
            QueueMode::Vacancy => true,
        }
    }

    fn worker_was_lost(&self, request: &Request, code: ErrorCode) -> bool {
        let known = matches!(
            code,
            codes::CONTROL_IPC
                | codes::HEARTBEAT_TIMEOUT
                | codes::ACTIVATE_TIMEOUT
                | codes::COMMITTED_SUICIDE
                | codes::TERMINATE_TIMEOUT
                | codes::SPAWN_TIMEOUT
                | codes::OVERSEER_SHUTDOWN
        );
        known && request.worker.map_or(self.losses > 0, |worker| self.lost.contains_key(&worker))
    }
}

impl Promise for Ends {
    fn see(&mut self, moment: &Moment, fact: &Fact<'_>) {
        match *fact {
            Fact::Asked { req, timeout, tagged, malformed } => {
                let deadline = moment.now + timeout;
                let request = Request {
                    deadline,
                    tagged,
                    malformed,
                    queue_full: self.queue_may_be_full(),
                    misused: false,
                    worker: None,
                    reply: None,
                };
                assert!(self.open.insert(req, request).is_none(), "request {} is asked twice", req.0);
            }
            Fact::AnswerEnd { req, end } => self.end(req, end),
            Fact::Answer { req, .. } => {
                assert!(!self.ended.contains_key(&req), "request {} is answered after its end", req.0);
            }
            Fact::Abandoned { req } => drop(self.open.remove(&req)),
            Fact::Stop => self.stopping = true,
            Fact::Kill(worker, Signal::Kill | Signal::Term)
            | Fact::Exited(worker)
            | Fact::SpawnFailed(worker)
            | Fact::Goodbye(worker)
            | Fact::Dropped(worker) => {
                self.losses += usize::from(self.lost.insert(worker, ()).is_none());
            }
            Fact::Invoke { req, worker } => {
                if let Some(request) = self.open.get_mut(&req) {
                    assert_eq!(request.worker, None, "request {} is invoked twice", req.0);
                    request.worker = Some(worker);
                }
            }
            Fact::Misused { req } => {
                if let Some(request) = self.open.get_mut(&req) {
                    request.misused = true;
                }
            }
            Fact::ReplyEnd { req, end } => {
                if let Some(request) = self.open.get_mut(&req) {
                    request.reply = Some(end);
                }
            }
            Fact::Spawn(worker) => drop(self.starting.insert(worker, (moment.now, false))),
            Fact::Spawned(worker) => {
                if let Some((_, known)) = self.starting.get_mut(&worker) {
                    *known = true;
                }
            }
            // Before the process is known, nobody listens.
            Fact::Beat(worker) if self.starting.get(&worker).is_some_and(|(_, known)| *known) => {
                self.starting.remove(&worker);
            }
            _ => {}
        }
    }

    fn rest(&mut self, moment: &Moment, _: &Engine) {
        for (req, request, end) in std::mem::take(&mut self.fresh) {
            let allowed = self.allows(moment.now, &request, end);
            assert!(allowed, "request {} must not end with {end:?}: {request:?}", req.0);
        }
    }

    fn settled(&mut self, _: &Moment, _: &Engine) {
        assert!(self.open.is_empty(), "requests without an answer: {:?}", self.open);
    }

    fn stopped(&mut self, _: &Engine) {
        assert!(self.open.is_empty(), "it has stopped, and requests have no answer: {:?}", self.open);
    }
}

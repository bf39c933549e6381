//! The end of an app.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Engine, EngineCommand, EngineNotice, Role, Source};
use crate::machine::{CloseReason, ConnId, Severity, WorkerId};
use crate::session::Payload;
use crate::time::{TimerReason, Timestamp};
use crate::wire::{Failure, codes};
use crate::worker::{Event, StopReason};

/// Where an engine is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The workers' socket is not open yet.
    Starting,
    Running,
    /// Workers finish what they have; nothing new is accepted.
    Stopping(Ending),
    /// No worker is left; the last answers are being written.
    Flushing {
        deadline: Timestamp,
        ending: Ending,
    },
    Over,
}

/// What is said at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Stopped,
    Broken(Failure),
}

/// How long clients get to take their last answers.
const FLUSH: Duration = Duration::from_secs(1);

impl Phase {
    pub(super) fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        match self {
            Self::Flushing { deadline, .. } => Some((*deadline, TimerReason::Stop)),
            _ => None,
        }
    }
}

impl Engine {
    pub(super) fn on_command(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Open { stream, event, headers, policy } => {
                if self.streams.contains_key(&stream) {
                    let text = format!("stream {} is opened again; the second time does not count", stream.0);
                    return self.log(Severity::Error, text);
                }
                self.open_request(Source::Stream(stream), &event, headers, policy);
            }
            EngineCommand::Chunk { stream, data } => self.on_stream(stream, |engine, key| {
                engine.relay_input(key, Payload::Shared(data));
            }),
            EngineCommand::End { stream } => self.on_stream(stream, Self::close_input),
            EngineCommand::Fail { stream, failure } => {
                self.on_stream(stream, |engine, key| engine.fail_input(key, failure));
            }
            EngineCommand::Cancel { stream } => self.on_stream(stream, Self::abandon),
            EngineCommand::Consumed { stream, bytes } => self.on_consumed(stream, bytes),
            EngineCommand::Control { lever, workers } => self.pull_lever(lever, workers),
            EngineCommand::Release { lever } => self.release_lever(lever),
            EngineCommand::Info { query, flags } => {
                let report = self.report(flags);
                self.out.notice(EngineNotice::Info { query, report });
            }
            EngineCommand::Stop => self.stop(Ending::Stopped),
        }
    }

    fn on_stream(&mut self, stream: super::StreamId, act: impl FnOnce(&mut Self, super::RequestKey)) {
        if let Some(key) = self.streams.get(&stream).copied() {
            act(self, key);
        }
    }

    /// The app cannot go on, or cannot even begin.
    pub(super) fn break_down(&mut self, failure: Failure) {
        self.stop(Ending::Broken(failure));
    }

    fn stop(&mut self, ending: Ending) {
        if !matches!(self.phase, Phase::Starting | Phase::Running) {
            return;
        }
        self.log(Severity::Info, "stopping");
        self.phase = Phase::Stopping(ending);
        self.unpublish();
        let stopped = Failure::new(codes::APP_STOPPED, "the application has been stopped");
        self.fail_queue(&stopped);
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        let cap = self.config.profile.timeouts().stop;
        for worker in workers {
            self.step(worker, Event::Seal { why: StopReason::Stop, cap });
        }
    }

    /// Takes the next step towards the end, if it is time for it.
    pub(super) fn go_on_stopping(&mut self) {
        if let Phase::Stopping(ending) = &self.phase
            && self.workers.is_empty()
            && self.late.is_empty()
        {
            let ending = ending.clone();
            self.phase = Phase::Flushing { deadline: self.now + FLUSH, ending };
            self.close_worker_socket();
            self.flush_conns();
        }
        // A process may come late even now; it is on its way out.
        if let Phase::Flushing { deadline, ending } = &self.phase
            && self.late.is_empty()
            && (self.conns.is_empty() || *deadline <= self.now)
        {
            let ending = ending.clone();
            for conn in self.conn_ids() {
                self.on_lost(conn, CloseReason::Stopping);
            }
            self.phase = Phase::Over;
            self.out.notice(match ending {
                Ending::Stopped => EngineNotice::Stopped,
                Ending::Broken(failure) => EngineNotice::Broken { failure },
            });
        }
    }

    /// Closes each connection as soon as its last bytes are written.
    fn flush_conns(&mut self) {
        for conn in self.conn_ids() {
            let Some(entry) = self.conns.get_mut(conn) else { continue };
            if entry.link.close_when_written(&mut self.out, CloseReason::Stopping) {
                self.forget_closed(conn);
            }
        }
    }

    /// A connection has closed itself after its last write.
    pub(super) fn forget_closed(&mut self, conn: ConnId) {
        self.on_lost(conn, CloseReason::Stopping);
    }

    fn conn_ids(&self) -> Vec<ConnId> {
        self.conns
            .iter()
            .filter(|(_, entry)| !matches!(entry.role, Role::Worker(_)))
            .map(|(conn, _)| conn)
            .collect()
    }
}

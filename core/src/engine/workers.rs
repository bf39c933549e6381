//! The workers' socket: who connects, and what workers send.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{Engine, RequestKey};
use crate::config::Protocol;
use crate::machine::{CloseReason, ConnId, ExitStatus, Output, Severity, Signal, WorkerId};
use crate::session::{Channels, Cut, Lookup};
use crate::time::Timestamp;
use crate::wire::{Args, Failure, codes, single_raw, v0, v1};
use crate::worker::{Event, Worker};

/// A worker as its engine sees it.
#[derive(Clone, Debug)]
pub(super) struct WorkerSide {
    pub(super) worker: Worker,
    /// Its connection and what it speaks, from the handshake until the connection is closed.
    pub(super) session: Option<(ConnId, Protocol)>,
    pub(super) channels: Channels<RequestKey>,
    /// Requests it has not answered.
    pub(super) load: usize,
    /// Requests it ever got.
    pub(super) accepted: u64,
    pub(super) throttle: Throttle,
    pub(super) spawned: Timestamp,
}

impl WorkerSide {
    pub(super) fn new(worker: Worker, now: Timestamp) -> Self {
        Self {
            worker,
            session: None,
            channels: Channels::default(),
            load: 0,
            accepted: 0,
            throttle: Throttle::default(),
            spawned: now,
        }
    }
}

/// How fast a worker may be read.
///
/// While some client does not take what the worker sends, the worker is read slowly: never faster than one
/// read in [`SLOW_READ`], and never slower, for its heartbeats must be answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throttle {
    holds: u32,
    until: Option<Timestamp>,
}

/// The pause between two reads of a throttled worker.
const SLOW_READ: Duration = Duration::from_millis(500);

impl Throttle {
    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    pub(super) fn release(&mut self) {
        self.holds = self.holds.saturating_sub(1);
        if self.holds == 0 {
            self.until = None;
        }
    }

    /// When the next read is due, if reads are slowed down.
    pub(super) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Whether a read may start now; if so, the next one has to wait.
    pub(super) fn may_read(&mut self, now: Timestamp) -> bool {
        if self.holds == 0 {
            return true;
        }
        let due = self.until.is_some_and(|until| until <= now);
        if due || self.until.is_none() {
            self.until = Some(now + SLOW_READ);
        }
        due
    }
}

impl Engine {
    /// One frame of a worker.
    ///
    /// # Errors
    /// The sentence says why the connection cannot go on.
    pub(super) fn on_worker_frame(
        &mut self,
        conn: ConnId,
        worker: WorkerId,
        cut: &Cut,
        buf: &[u8],
    ) -> Result<(), String> {
        match self.workers.get(&worker).and_then(|side| side.session) {
            Some((current, Protocol::V1)) if current == conn => self.on_v1_frame(conn, worker, cut, buf),
            Some((current, Protocol::V0)) if current == conn => self.on_v0_frame(worker, cut, buf),
            _ => Ok(()),
        }
    }

    fn on_v1_frame(&mut self, conn: ConnId, worker: WorkerId, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let bytes = cut.bytes(buf);
        let head = v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.link.absorb_headers(bytes.get(head.headers.clone()).unwrap_or_default())?;
        }
        let args = bytes.get(head.args.clone()).unwrap_or_default();
        if head.channel == v1::CONTROL_CHANNEL {
            return match head.message {
                v1::message::HEARTBEAT => {
                    self.step(worker, Event::Heartbeat);
                    Ok(())
                }
                v1::message::TERMINATE => self.on_goodbye(worker, args),
                other => Err(format!("unknown message {other} on the control channel")),
            };
        }
        let Some(key) = self.worker_channel(worker, head.channel)? else { return Ok(()) };
        match head.message {
            v1::message::WRITE => self.on_worker_chunk(key, args, head.args.start, cut, buf),
            v1::message::ERROR => match Failure::decode(args) {
                Ok(failure) => self.on_worker_error(key, failure),
                Err(error) => self.refuse_frame(key, error.into()),
            },
            v1::message::CLOSE => self.answer_end(key),
            other => {
                let text = format!("unknown message {other} from the worker");
                self.refuse_frame(key, Failure::new(codes::SLOT_NOT_BOUND, text));
            }
        }
        Ok(())
    }

    fn on_v0_frame(&mut self, worker: WorkerId, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let bytes = cut.bytes(buf);
        let head = v0::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
        let args = bytes.get(head.args.clone()).unwrap_or_default();
        match head.message {
            v0::message::HEARTBEAT => {
                self.step(worker, Event::Heartbeat);
                return Ok(());
            }
            v0::message::TERMINATE => return self.on_goodbye(worker, args),
            v0::message::CHUNK | v0::message::ERROR | v0::message::CHOKE => {}
            other => {
                self.log(Severity::Warning, format!("ignoring unknown message {other} of a worker"));
                self.stats.ignored();
                return Ok(());
            }
        }
        let Some(key) = self.worker_channel(worker, head.session)? else { return Ok(()) };
        match head.message {
            v0::message::CHUNK => self.on_worker_chunk(key, args, head.args.start, cut, buf),
            v0::message::ERROR => match Failure::decode_v0_worker(args) {
                Ok(failure) => self.on_worker_error(key, failure),
                Err(error) => self.refuse_frame(key, error.into()),
            },
            _ => self.answer_end(key),
        }
        Ok(())
    }

    /// The request behind a worker's channel; `None` if the frame is to be ignored.
    fn worker_channel(&mut self, worker: WorkerId, channel: u64) -> Result<Option<RequestKey>, String> {
        let Some(side) = self.workers.get(&worker) else { return Ok(None) };
        match side.channels.lookup(channel) {
            Lookup::Live(key) if self.requests.get(key).is_some_and(|request| request.answering) => {
                Ok(Some(key))
            }
            Lookup::Invalid => Err("a stream frame for channel 0".into()),
            Lookup::Live(_) | Lookup::Finished | Lookup::New => {
                self.stats.ignored();
                Ok(None)
            }
        }
    }

    fn on_worker_chunk(&mut self, key: RequestKey, args: &[u8], start: usize, cut: &Cut, buf: &[u8]) {
        match single_raw(args) {
            Ok(range) => self.relay_output(key, cut.payload(buf, start + range.start..start + range.end)),
            Err(error) => self.refuse_frame(key, error.into()),
        }
    }

    /// The worker ends its answer with an error.
    fn on_worker_error(&mut self, key: RequestKey, failure: Failure) {
        self.answer_failure(key, failure);
    }

    fn on_goodbye(&mut self, worker: WorkerId, args: &[u8]) -> Result<(), String> {
        let mut args = Args::new(args).map_err(|error| error.to_string())?;
        let code = args.int().map_err(|error| format!("terminate: {error}"))?;
        let reason = if args.is_empty() { String::new() } else { lossy(args.raw().unwrap_or_default()) };
        self.step(worker, Event::Terminate { code, reason });
        Ok(())
    }

    pub(super) fn on_spawned(&mut self, worker: WorkerId, pid: u32) {
        let Some(side) = self.workers.get(&worker) else {
            // It was given up while nobody knew whether there would be a process.
            self.late.insert(worker);
            return self.out.push(Output::Kill { worker, signal: Signal::Kill });
        };
        if side.worker.pid().is_some() {
            return;
        }
        self.out.push(Output::ReadOutput { worker });
        self.step(worker, Event::Spawned { pid });
        // Handshakes that overtook this notice could not be checked before.
        self.settle_claims(worker);
    }

    pub(super) fn on_spawn_failed(&mut self, worker: WorkerId, text: String) {
        self.step(worker, Event::SpawnFailed(text));
    }

    pub(super) fn on_worker_exited(&mut self, worker: WorkerId, status: ExitStatus) {
        self.late.remove(&worker);
        self.step(worker, Event::Exited(status));
    }

    pub(super) fn on_worker_output(&mut self, worker: WorkerId, bytes: &[u8]) {
        let Some(side) = self.workers.get_mut(&worker) else { return };
        if bytes.is_empty() {
            return;
        }
        let uuid = String::from(side.worker.uuid());
        let log_output = self.config.profile.log_output();
        let mut lines = Vec::new();
        side.worker.record_output(bytes, |line| {
            if log_output {
                lines.push(lossy(line));
            }
        });
        for line in lines {
            self.log(Severity::Debug, format!("worker {uuid}: {line}"));
        }
        self.out.push(Output::ReadOutput { worker });
    }

    /// A worker's connection broke, or the worker broke the protocol on it.
    pub(super) fn lose_worker_conn(&mut self, worker: WorkerId, reason: CloseReason) {
        let event = match reason {
            CloseReason::Fault(text) => Event::Fault(text),
            _ => Event::Disconnected,
        };
        self.step(worker, event);
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

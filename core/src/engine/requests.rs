//! The life of a request: accepted, queued, assigned, answered.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use bytes::Bytes;

use super::request::{InputHalf, Place, Request, Waiting};
use super::stop::Phase;
use super::{Engine, Policy, RequestKey, Role, Source, balance};
use crate::config::Protocol;
use crate::machine::{Key as _, WorkerId};
use crate::session::Payload;
use crate::wire::headers::request_timeout;
use crate::wire::{Failure, Header, codes, v0, v1};

impl Engine {
    /// Accepts a request, or answers it with the reason why not. Returns its key if it was accepted.
    pub(super) fn open_request(
        &mut self,
        source: Source,
        event: &[u8],
        headers: Vec<Header>,
        policy: Policy,
    ) -> Option<RequestKey> {
        match self.admit(&headers, &policy) {
            Ok(timeout) => Some(self.accept(source, event, headers, policy, timeout)),
            Err(failure) => {
                self.stats.rejected(self.now);
                self.tell_failed(source, &failure);
                None
            }
        }
    }

    /// Whether a request can be accepted, and how long it may take.
    fn admit(&mut self, headers: &[Header], policy: &Policy) -> Result<Duration, Failure> {
        if !matches!(self.phase, Phase::Starting | Phase::Running) {
            return Err(Failure::new(codes::APP_STOPPED, "the application has been stopped"));
        }
        let timeout = request_timeout(headers)
            .map_err(|error| Failure::new(codes::BAD_ARGUMENTS, error.to_string()))?
            .map_or(self.config.profile.timeouts().request, Duration::from_millis);
        if let Some(reason) = self.pool.refusal() {
            return Err(Failure::new(codes::NO_RESOURCES, reason));
        }
        if self.buffered > self.config.limits.engine_bytes {
            return Err(Failure::new(codes::NO_RESOURCES, "too many bytes wait in this application"));
        }
        if self.queue_is_full() {
            return Err(codes::QUEUE_IS_FULL.into());
        }
        if let Some(tag) = &policy.tag
            && self.worker_named(tag.as_str()).is_none()
            && self.workers.len() >= self.config.profile.pool_limit()
        {
            return Err(codes::POOL_IS_FULL.into());
        }
        Ok(timeout)
    }

    /// How many accepted requests wait for a worker, tagged ones included.
    pub(super) fn queue_depth(&self) -> usize {
        self.queue.len() + self.parked.len()
    }

    fn queue_is_full(&self) -> bool {
        self.queue_depth() >= self.config.profile.queue_room(self.load())
    }

    fn accept(
        &mut self,
        source: Source,
        event: &[u8],
        headers: Vec<Header>,
        policy: Policy,
        timeout: Duration,
    ) -> RequestKey {
        self.stats.accepted(self.now);
        let deadline = self.now + timeout;
        let direct = if policy.tag.is_none() && self.queue.len() == 0 { self.select() } else { None };
        let waiting = Waiting { headers, tag: policy.tag, ..Waiting::default() };
        let key = self.requests.insert(Request::new(source, self.now, deadline, waiting));
        self.deadlines.insert(deadline, key);
        if let Source::Stream(stream) = source {
            self.streams.insert(stream, key);
        }
        if let Some(worker) = direct {
            self.assign(key, worker, Some(event));
        } else {
            self.enqueue(key, event, policy.urgency);
        }
        key
    }

    fn enqueue(&mut self, key: RequestKey, event: &[u8], urgency: super::Urgency) {
        let Some(Request { place: Place::Waiting(waiting), to_worker, .. }) = self.requests.get_mut(key)
        else {
            return;
        };
        waiting.event = Bytes::copy_from_slice(event);
        let headers: usize =
            waiting.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        let cost = event.len() + headers;
        waiting.bytes += cost;
        *to_worker += cost;
        self.buffered += cost;
        let tag = waiting.tag.clone();
        match tag {
            None => self.queue.push(key, urgency),
            Some(tag) => self.parked.push(tag.as_str(), key),
        }
        self.stats.queue_depth(self.now, self.queue_depth());
    }

    /// Gives queued requests to workers as long as there are both.
    pub(super) fn assign_queued(&mut self) {
        while self.queue.len() > 0 {
            let Some(worker) = self.select() else { return };
            let requests = &self.requests;
            let waits = |key| requests.get(key).is_some_and(|request| request.assigned().is_none());
            let Some(key) = self.queue.peek(waits) else { return };
            self.assign(key, worker, None);
            let requests = &self.requests;
            self.queue.forget(|key| requests.get(key).is_some_and(|request| request.assigned().is_none()));
            self.stats.queue_depth(self.now, self.queue_depth());
        }
    }

    /// The worker for the next request, if any has room.
    fn select(&self) -> Option<WorkerId> {
        balance::select(self.candidates(), self.config.profile.concurrency())
    }

    /// Hands a request to a worker: the invoke, and whatever the client has sent so far.
    ///
    /// `event` is given when the request was never queued.
    pub(super) fn assign(&mut self, key: RequestKey, worker: WorkerId, event: Option<&[u8]>) {
        let Some(side) = self.workers.get_mut(&worker) else { return };
        let Some((conn, protocol)) = side.session else { return };
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let Some(request) = self.requests.get_mut(key) else { return };
        let channel = match protocol {
            Protocol::V1 => side.channels.open_next(key),
            Protocol::V0 => {
                self.last_session += 1;
                side.channels.open(self.last_session, key);
                self.last_session
            }
        };
        side.load += 1;
        side.accepted += 1;
        let Place::Waiting(waiting) = mem::replace(&mut request.place, Place::Assigned { worker, channel })
        else {
            return;
        };
        request.to_worker = request.to_worker.saturating_sub(waiting.bytes);
        request.large_to_worker = 0;
        // What waited is counted again on its way.
        request.owed = 0;
        self.buffered = self.buffered.saturating_sub(waiting.bytes);
        let event = event.unwrap_or(&waiting.event);
        let bytes = entry.link.send(&mut self.out, key.to_bits(), |out| match protocol {
            Protocol::V1 => v1::invoke(out, channel, event, &waiting.headers),
            Protocol::V0 => v0::invoke(out, channel, event),
        });
        request.to_worker += bytes;
        self.buffered += bytes;
        let input = mem::replace(&mut request.input, InputHalf::Open);
        let source = request.source;
        self.note_load(worker);
        self.release_client(key);
        if !waiting.chunks.is_empty() || input != InputHalf::Open {
            self.replay(key, waiting.chunks, input);
        }
        if let Source::Client { conn, .. } = source {
            // Its other requests may have waited too long to be read on.
            self.read_on(conn);
        }
    }

    /// Sends what a client had sent before its request was assigned.
    fn replay(&mut self, key: RequestKey, chunks: Vec<Bytes>, input: InputHalf) {
        for chunk in chunks {
            self.relay_input(key, Payload::Shared(chunk));
        }
        match input {
            InputHalf::Open => {}
            InputHalf::Closed => self.close_input(key),
            InputHalf::Failed(failure) => self.fail_input(key, *failure),
        }
    }

    /// The client sends no more.
    pub(super) fn close_input(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if !request.input_open() {
            return;
        }
        request.input = InputHalf::Closed;
        if let Some((worker, channel)) = request.assigned() {
            self.send_worker(worker, key, |out, protocol| match protocol {
                Protocol::V1 => v1::close(out, channel),
                Protocol::V0 => v0::choke(out, channel),
            });
            self.finish_if_over(key);
        }
    }

    /// The client ends its half with an error.
    pub(super) fn fail_input(&mut self, key: RequestKey, failure: Failure) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if !request.input_open() {
            return;
        }
        if request.assigned().is_some() {
            self.tell_worker_failed(key, &failure);
            self.finish_if_over(key);
        } else {
            request.input = InputHalf::Failed(failure.into());
        }
    }

    /// Ends the stream to the worker with an error, if it is still open.
    pub(super) fn tell_worker_failed(&mut self, key: RequestKey, failure: &Failure) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let Some((worker, channel)) = request.assigned() else { return };
        if !request.input_open() {
            return;
        }
        request.input = InputHalf::Closed;
        self.send_worker(worker, key, |out, protocol| match protocol {
            Protocol::V1 => v1::error(out, channel, failure),
            Protocol::V0 => {
                v0::error(out, channel, failure.code.to_v0(), &failure.text);
                v0::choke(out, channel);
            }
        });
    }

    fn send_worker(&mut self, worker: WorkerId, key: RequestKey, write: impl FnOnce(&mut Vec<u8>, Protocol)) {
        let Some((conn, protocol)) = self.workers.get(&worker).and_then(|side| side.session) else { return };
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let bytes = entry.link.send(&mut self.out, key.to_bits(), |out| write(out, protocol));
        self.buffered += bytes;
        if let Some(request) = self.requests.get_mut(key) {
            request.to_worker += bytes;
        }
    }

    pub(super) fn send_client(
        &mut self,
        conn: crate::machine::ConnId,
        key: RequestKey,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if matches!(entry.role, Role::Client(_)) {
            let bytes = entry.link.send(&mut self.out, key.to_bits(), write);
            self.buffered += bytes;
        }
    }
}

/// The owner of frames that belong to no request.
pub(super) const NOBODY: u64 = u64::MAX;

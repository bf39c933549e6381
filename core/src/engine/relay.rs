//! Chunks on their way, in both directions, and what happens when they pile up.

use alloc::vec::Vec;

use super::request::{Hold, Place, Request};
use super::{Conn, Engine, EngineLimits, EngineNotice, RequestKey, Role, Source, StreamId};
use crate::config::Protocol;
use crate::machine::{Batch, ConnId, Key as _, Outbox};
use crate::session::Payload;
use crate::wire::{Failure, codes, v0, v1};

/// Which way a chunk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToWorker,
    ToClient,
}

impl Engine {
    /// A chunk from the client: to the worker, or kept until there is one.
    pub(super) fn relay_input(&mut self, key: RequestKey, payload: Payload<'_>) {
        let size = payload.len();
        let Some(request) = self.requests.get_mut(key) else { return };
        if !request.input_open() {
            return;
        }
        let (waiting, large) = (request.to_worker, &mut request.large_to_worker);
        if over_bound(&self.config.limits, waiting, large, size, self.buffered) {
            return self.break_channel(key, "too many bytes of this request wait for its worker");
        }
        if let Source::Stream(_) = request.source {
            request.owed += size;
        }
        match &mut request.place {
            Place::Waiting(waiting) => {
                let cost = size + CHUNK_COST;
                waiting.chunks.push(payload.into_bytes());
                waiting.bytes += cost;
                request.to_worker += cost;
                self.buffered += cost;
                let piled_up = request.to_worker > self.config.limits.soft_bytes / 4;
                if piled_up {
                    self.hold_client(key, Hold::Waiting);
                }
            }
            Place::Assigned { worker, channel } => {
                let channel = *channel;
                let Some(side) = self.workers.get(worker) else { return };
                let Some((conn, protocol)) = side.session else { return };
                let Some(entry) = self.conns.get_mut(conn) else { return };
                let head = |out: &mut Vec<u8>| match protocol {
                    Protocol::V1 => v1::write_head(out, channel, v1::message::WRITE, size),
                    Protocol::V0 => v0::chunk_head(out, channel, size),
                };
                let bytes = entry.link.send_payload(&mut self.out, key.to_bits(), head, payload);
                request.to_worker += bytes;
                self.buffered += bytes;
                if entry.link.queued() > self.config.limits.soft_bytes && request.holds_client.is_none() {
                    entry.waiting.push(key);
                    self.hold_client(key, Hold::Congestion);
                }
            }
        }
    }

    /// A chunk from the worker: to the client.
    pub(super) fn relay_output(&mut self, key: RequestKey, payload: Payload<'_>) {
        let size = payload.len();
        let Some(request) = self.requests.get_mut(key) else { return };
        if !request.answering || request.source == Source::Gone {
            return;
        }
        let (waiting, large) = (request.to_client, &mut request.large_to_client);
        if over_bound(&self.config.limits, waiting, large, size, self.buffered) {
            return self.break_channel(key, "the client does not read its answer");
        }
        match request.source {
            Source::Client { conn, channel } => {
                let Some(entry) = self.conns.get_mut(conn) else { return };
                let head = |out: &mut Vec<u8>| v1::write_head(out, channel, v1::message::WRITE, size);
                let bytes = entry.link.send_payload(&mut self.out, key.to_bits(), head, payload);
                request.to_client += bytes;
                self.buffered += bytes;
                if entry.link.queued() > self.config.limits.soft_bytes && !request.holds_worker {
                    entry.waiting.push(key);
                    self.hold_worker(key);
                }
            }
            Source::Stream(stream) => {
                request.to_client += size;
                self.buffered += size;
                let piled_up = request.to_client > self.config.limits.soft_bytes;
                self.out.notice(EngineNotice::Chunk { stream, data: payload.into_bytes() });
                if piled_up {
                    self.hold_worker(key);
                }
            }
            Source::Gone => {}
        }
    }

    /// A write is done: its bytes no longer count against their channels.
    pub(super) fn on_written(&mut self, conn: ConnId, batch: Batch) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let way = if matches!(entry.role, Role::Worker(_)) { Way::ToWorker } else { Way::ToClient };
        let before = entry.link.queued();
        let mut credits = Vec::new();
        let requests = &mut self.requests;
        let closed = entry.link.written(&mut self.out, batch, |owner, bytes| {
            if let Some(request) = requests.get_mut(RequestKey::from_bits(owner)) {
                pay(request, way, bytes, &mut credits);
            }
        });
        self.buffered = self.buffered.saturating_sub(before.saturating_sub(entry.link.queued()));
        let relieved = entry.link.queued() <= self.config.limits.soft_bytes / 2 && !entry.waiting.is_empty();
        tell_credits(&mut self.out, credits);
        if closed {
            self.forget_closed(conn);
        } else if relieved {
            self.relieve(conn);
        }
    }

    /// An embedder took some bytes of what it was given.
    pub(super) fn on_consumed(&mut self, stream: StreamId, bytes: usize) {
        let Some(key) = self.streams.get(&stream).copied() else { return };
        let Some(request) = self.requests.get_mut(key) else { return };
        let bytes = bytes.min(request.to_client);
        request.to_client -= bytes;
        self.buffered = self.buffered.saturating_sub(bytes);
        if request.to_client <= self.config.limits.soft_bytes / 2 {
            self.release_worker(key);
        }
    }

    /// A connection's queue has shrunk: whoever was slowed down because of it goes on.
    fn relieve(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let to_worker = matches!(entry.role, Role::Worker(_));
        for key in core::mem::take(&mut entry.waiting) {
            if to_worker {
                self.release_client(key);
            } else {
                self.release_worker(key);
            }
        }
    }

    /// Reads the request's client less until `release_client`.
    fn hold_client(&mut self, key: RequestKey, hold: Hold) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if request.holds_client.is_some() {
            return;
        }
        // A stream's embedder is slowed down by its credit instead.
        let Source::Client { conn, .. } = request.source else { return };
        if let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) {
            request.holds_client = Some(hold);
            *client.holds(hold) += 1;
        }
    }

    /// Lets the request's client be read again.
    pub(super) fn release_client(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let Some(hold) = request.holds_client.take() else { return };
        let Source::Client { conn, .. } = request.source else { return };
        if let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) {
            let holds = client.holds(hold);
            *holds = holds.saturating_sub(1);
            self.read_on(conn);
        }
    }

    /// Reads the request's worker slowly until `release_worker`.
    fn hold_worker(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else { return };
        let Some((worker, _)) = request.assigned() else { return };
        if request.holds_worker {
            return;
        }
        if let Some(side) = self.workers.get_mut(&worker) {
            request.holds_worker = true;
            side.throttle.hold();
        }
    }

    /// Lets the request's worker be read at full speed again.
    pub(super) fn release_worker(&mut self, key: RequestKey) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if !core::mem::take(&mut request.holds_worker) {
            return;
        }
        let Some((worker, _)) = request.assigned() else { return };
        let Some(side) = self.workers.get_mut(&worker) else { return };
        side.throttle.release();
        if let Some((conn, _)) = side.session {
            self.read_on(conn);
        }
    }

    /// Too much waits for one channel: it ends with an error on both halves, and nothing else does.
    fn break_channel(&mut self, key: RequestKey, text: &'static str) {
        let failure = Failure::new(codes::NO_RESOURCES, text);
        self.tell_worker_failed(key, &failure);
        self.answer_failure(key, failure);
        self.finish_if_over(key);
    }
}

/// What a waiting chunk costs beside its bytes.
const CHUNK_COST: usize = 48;

/// Whether `size` more bytes are too many. Among what waits there may be one frame that is larger than the bound
/// by itself, for every channel may carry frames of any legal size; the bound is for all the others.
fn over_bound(
    limits: &EngineLimits,
    waiting: usize,
    large: &mut usize,
    size: usize,
    buffered: usize,
) -> bool {
    if waiting == 0 {
        *large = 0;
    }
    let others = waiting.saturating_sub(*large);
    let counted = if size > limits.channel_bytes && *large == 0 {
        *large = size;
        others
    } else {
        others.saturating_add(size)
    };
    counted > limits.channel_bytes || buffered.saturating_add(size) > limits.engine_bytes
}

fn pay(request: &mut Request, way: Way, bytes: usize, credits: &mut Vec<(StreamId, usize)>) {
    match way {
        Way::ToClient => request.to_client = request.to_client.saturating_sub(bytes),
        Way::ToWorker => {
            request.to_worker = request.to_worker.saturating_sub(bytes);
            // What else was written for the request is not the caller's account.
            let bytes = bytes.min(request.owed);
            if let Source::Stream(stream) = request.source
                && bytes > 0
            {
                request.owed -= bytes;
                credits.push((stream, bytes));
            }
        }
    }
}

fn tell_credits(out: &mut Outbox<EngineNotice>, credits: Vec<(StreamId, usize)>) {
    for (stream, bytes) in credits {
        out.notice(EngineNotice::Consumed { stream, bytes });
    }
}

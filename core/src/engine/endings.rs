//! The end of a request: answered, given up, expired, and forgotten.

use alloc::vec::Vec;
use core::mem;

use super::request::Place;
use super::requests::NOBODY;
use super::{Engine, EngineNotice, RequestKey, Source};
use crate::config::{Protocol, Tag};
use crate::machine::WorkerId;
use crate::wire::{Failure, codes, v1};

impl Engine {
    /// The request's answer is complete.
    pub(super) fn answer_end(&mut self, key: RequestKey) {
        let Some(source) = self.take_answer(key) else { return };
        match source {
            Source::Client { conn, channel } => self.send_client(conn, key, |out| v1::close(out, channel)),
            Source::Stream(stream) => self.out.notice(EngineNotice::End { stream }),
            Source::Gone => {}
        }
        self.after_answer(key);
    }

    /// The request fails. A worker that has it is not told here.
    pub(super) fn answer_failure(&mut self, key: RequestKey, failure: Failure) {
        let Some(source) = self.take_answer(key) else { return };
        match source {
            Source::Client { conn, channel } => {
                self.send_client(conn, key, |out| v1::error(out, channel, &failure));
            }
            Source::Stream(stream) => self.out.notice(EngineNotice::Fail { stream, failure }),
            Source::Gone => {}
        }
        self.after_answer(key);
    }

    /// Tells somebody whose request was not accepted.
    pub(super) fn tell_failed(&mut self, source: Source, failure: &Failure) {
        match source {
            Source::Client { conn, channel } => {
                if let Some(entry) = self.conns.get_mut(conn) {
                    self.buffered +=
                        entry.link.send(&mut self.out, NOBODY, |out| v1::error(out, channel, failure));
                }
            }
            Source::Stream(stream) => {
                self.out.notice(EngineNotice::Fail { stream, failure: failure.clone() });
            }
            Source::Gone => {}
        }
    }

    /// The right to answer, which exists once.
    fn take_answer(&mut self, key: RequestKey) -> Option<Source> {
        let request = self.requests.get_mut(key)?;
        if !mem::replace(&mut request.answering, false) {
            return None;
        }
        let (source, created) = (request.source, request.created);
        if let Some((worker, _)) = request.assigned() {
            self.stats.answered(self.now, self.now.since(created));
            if let Some(side) = self.workers.get_mut(&worker) {
                side.load = side.load.saturating_sub(1);
            }
            self.note_load(worker);
        }
        Some(source)
    }

    /// After the answer the request stays only while a client's half to its worker is open.
    ///
    /// For a stream the answer is the end of everything, and so it is for a worker of the older dialect: they
    /// wait for our choke.
    fn after_answer(&mut self, key: RequestKey) {
        self.release_worker(key);
        let Some(request) = self.requests.get(key) else { return };
        let Some((worker, _)) = request.assigned().filter(|_| request.input_open()) else {
            return self.remove_request(key);
        };
        if !matches!(request.source, Source::Client { .. }) || !self.speaks_v1(worker) {
            self.close_input(key);
        }
    }

    fn speaks_v1(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|side| matches!(side.session, Some((_, Protocol::V1))))
    }

    /// Forgets a request whose halves have both ended.
    pub(super) fn finish_if_over(&mut self, key: RequestKey) {
        if self.requests.get(key).is_some_and(|request| !request.answering && !request.input_open()) {
            self.remove_request(key);
        }
    }

    /// The client has left: the worker is told, and nothing is answered any more.
    pub(super) fn abandon(&mut self, key: RequestKey) {
        self.abandon_because(key, &codes::END_OF_FILE.into());
    }

    /// The client has given the request up, for a reason that the worker is told.
    pub(super) fn abandon_because(&mut self, key: RequestKey, why: &Failure) {
        self.release_client(key);
        self.release_worker(key);
        let Some(request) = self.requests.get_mut(key) else { return };
        if let Source::Stream(stream) = mem::replace(&mut request.source, Source::Gone) {
            self.streams.remove(&stream);
            self.buffered = self.buffered.saturating_sub(mem::take(&mut request.to_client));
        }
        let told = request.input_open();
        let Some((worker, _)) = request.assigned() else { return self.remove_request(key) };
        let speaks_v1 = self.speaks_v1(worker);
        self.tell_worker_failed(key, why);
        // A worker that was told stops working for nobody: its slot is free at once. One that cannot be told
        // (it has all its input, or speaks the older protocol) keeps its slot until it is done.
        if told && speaks_v1 {
            self.take_answer(key);
        }
        if self.requests.get(key).is_some_and(|request| !request.answering) {
            self.remove_request(key);
        }
    }

    /// Takes a request out of everything that knows it.
    fn remove_request(&mut self, key: RequestKey) {
        self.release_client(key);
        self.release_worker(key);
        let Some(request) = self.requests.remove(key) else { return };
        let requests = &self.requests;
        self.deadlines.remove(request.deadline, key, requests.len(), |key| requests.get(key).is_some());
        match request.source {
            Source::Client { conn, channel } => self.finish_client_channel(conn, channel),
            Source::Stream(stream) => {
                self.streams.remove(&stream);
                // What the embedder has not taken will not be asked back.
                self.buffered = self.buffered.saturating_sub(request.to_client);
            }
            Source::Gone => {}
        }
        match request.place {
            Place::Assigned { worker, channel } => {
                if let Some(side) = self.workers.get_mut(&worker) {
                    side.channels.finish(channel);
                }
            }
            Place::Waiting(waiting) => {
                self.buffered = self.buffered.saturating_sub(waiting.bytes);
                self.leave_queue(key, waiting.tag);
            }
        }
    }

    fn leave_queue(&mut self, key: RequestKey, tag: Option<Tag>) {
        if let Some(tag) = tag {
            self.parked.remove(tag.as_str(), key);
        } else {
            let requests = &self.requests;
            self.queue.forget(|key| requests.get(key).is_some_and(|request| request.assigned().is_none()));
        }
        self.stats.queue_depth(self.now, self.queue_depth());
    }

    /// Answers the requests whose time is up.
    pub(super) fn expire_requests(&mut self) {
        while let Some(key) = self.deadlines.pop_due(self.now) {
            let Some(request) = self.requests.get(key) else { continue };
            if request.assigned().is_none() {
                let failure = Failure::new(codes::INVOCATION_DEADLINE, "the event has expired in the queue");
                self.answer_failure(key, failure);
                continue;
            }
            self.tell_worker_failed(key, &Failure::new(codes::REQUEST_TIMED_OUT, "invocation has timed out"));
            self.answer_failure(key, codes::REQUEST_TIMED_OUT.into());
            self.finish_if_over(key);
        }
    }

    /// Fails every request that waits for a worker.
    pub(super) fn fail_queue(&mut self, failure: &Failure) {
        self.fail_parked(failure);
        let keys: Vec<_> = self.queue.iter().collect();
        for key in keys {
            if self.requests.get(key).is_some_and(|request| request.assigned().is_none()) {
                self.answer_failure(key, failure.clone());
            }
        }
    }
}

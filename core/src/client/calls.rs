//! Calls from the command to their end.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::dial::State;
use super::flush::{Op, Opening, Say};
use super::{Advice, CallError, CallId, Client, ClientCommand, ClientNotice, Deadline, End, Reached};
use crate::machine::Severity;
use crate::time::Timestamp;
use crate::wire::graph::State as Protocol;

/// A call that has not ended on both sides.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) stage: Stage,
    deadline: Deadline,
    expires: Option<Timestamp>,
    /// Bytes that are not written: data of operations, then frames.
    pub(super) unsent: usize,
    /// Bytes of chunks since the caller was told the last time that all is written.
    pub(super) given: usize,
    /// Bytes of messages that the caller was given and has not consumed.
    pub(super) unread: usize,
}

/// How far a call is.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// No connection has seen it. It has waited for this many rounds that failed.
    Waiting { rounds: u32 },
    /// It has a channel.
    Open { channel: u64, dispatch: Protocol, upstream: Protocol },
    /// The caller has its end; the service does not have ours yet.
    Over { channel: u64, dispatch: Protocol },
}

impl Call {
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over { .. })
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Whether its half of the channel is to be ended so. A half that takes no data is a lease, a lock or a name
    /// held for the caller: an answer does not end it, the caller does.
    fn ends_with(&self, goodbye: &Say) -> bool {
        match (&self.stage, goodbye) {
            (Stage::Over { dispatch, .. }, Say::Close) => dispatch.message("write").is_some(),
            _ => true,
        }
    }

    pub(super) const fn reached(&self) -> Reached {
        match self.stage {
            Stage::Waiting { .. } => Reached::Nobody,
            Stage::Open { .. } | Stage::Over { .. } => Reached::Service,
        }
    }

    /// What the service is told of the time that is left.
    pub(super) fn announced(&self, now: Timestamp) -> Option<u64> {
        let (Deadline::Announced(_), Some(expires)) = (self.deadline, self.expires) else { return None };
        Some(u64::try_from(expires.since(now).as_millis()).unwrap_or(u64::MAX))
    }
}

impl Client {
    pub(super) fn on_command(&mut self, command: ClientCommand) {
        match command {
            ClientCommand::Call { call, method, args, headers, deadline } => {
                self.call(call, Box::new(Opening { method, args, headers }), deadline);
            }
            ClientCommand::Write { call, chunk } => self.say(call, Say::Chunk(chunk)),
            ClientCommand::Send { call, message, args } => self.say(call, Say::Message(message, args)),
            ClientCommand::Close { call } => self.say(call, Say::Close),
            ClientCommand::Fail { call, failure } => self.say(call, Say::Fail(failure)),
            ClientCommand::Cancel { call } => self.abandon(call),
            ClientCommand::Consumed { call, bytes } => self.consumed(call, bytes),
        }
    }

    fn call(&mut self, id: CallId, opening: Box<Opening>, deadline: Deadline) {
        if self.calls.contains_key(&id) {
            // The first one lives on; an end for the second would be taken for its.
            let text = alloc::format!("the embedder used the number of a running call again: {}", id.0);
            return self.log(Severity::Error, text);
        }
        let limits = &self.config.limits;
        if self.waiting >= limits.waiting
            || self.calls.len() >= limits.wire.channels
            || self.queued > limits.queued_bytes
        {
            return self.tell_end(id, End::Broken(CallError::Overloaded { reached: Reached::Nobody }));
        }
        let expires = match deadline {
            Deadline::Never => None,
            Deadline::Within(time) | Deadline::Announced(time) => Some(self.now + time),
        };
        self.deadlines.extend(expires.map(|at| (at, id)));
        let unsent = opening.args.len();
        let stage = Stage::Waiting { rounds: 0 };
        self.calls.insert(id, Call { stage, deadline, expires, unsent, given: 0, unread: 0 });
        self.waiting += 1;
        self.push(Op { call: id, say: Say::Open(opening) });
    }

    fn say(&mut self, id: CallId, say: Say) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.unsent > self.config.limits.unsent_bytes && !say.is_end() {
            let reached = call.reached();
            return self.break_call(id, CallError::Overloaded { reached });
        }
        call.unsent += say.len();
        if let Say::Chunk(chunk) = &say {
            call.given += chunk.len();
        }
        self.push(Op { call: id, say });
    }

    fn push(&mut self, op: Op) {
        self.queued += op.cost();
        self.ops.push_back(op);
    }

    fn consumed(&mut self, id: CallId, bytes: usize) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let bytes = bytes.min(call.unread);
        call.unread -= bytes;
        self.release(bytes);
    }

    pub(super) fn release(&mut self, bytes: usize) {
        let limit = self.config.limits.unread_bytes;
        let before = self.unread;
        self.unread = before.saturating_sub(bytes);
        if before > limit / 2 && self.unread <= limit / 2 {
            self.read_on();
        }
    }

    // ---- ends ----

    pub(super) fn tell_end(&mut self, call: CallId, end: End) {
        self.out.notice(ClientNotice::Ended { call, end });
    }

    /// The service's last message has come.
    pub(super) fn end_call(&mut self, id: CallId, end: End) {
        if self.finish(id, Say::Close) {
            self.tell_end(id, end);
        }
    }

    /// There will be no answer, or none that is of use.
    pub(super) fn break_call(&mut self, id: CallId, error: CallError) {
        if self.finish(id, Say::Leave) {
            self.tell_end(id, End::Broken(error));
        }
    }

    /// The caller does not want an answer any more.
    fn abandon(&mut self, id: CallId) {
        match self.calls.get(&id) {
            None => {}
            Some(call) if call.is_over() => self.push(Op { call: id, say: Say::Leave }),
            Some(_) => {
                self.finish(id, Say::Leave);
                self.purge();
            }
        }
    }

    /// Ends the caller's side of a call and, with `goodbye`, the service's. Whether it had not ended before.
    fn finish(&mut self, id: CallId, goodbye: Say) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let over = match &mut call.stage {
            Stage::Over { .. } => return false,
            Stage::Waiting { .. } => None,
            Stage::Open { channel, dispatch, .. } => {
                Some(Stage::Over { channel: *channel, dispatch: core::mem::take(dispatch) })
            }
        };
        let expires = call.expires.take();
        let unread = core::mem::take(&mut call.unread);
        match over {
            Some(stage) => {
                call.stage = stage;
                self.forget_if_done(id);
                if self.calls.get(&id).is_some_and(|call| call.ends_with(&goodbye)) {
                    self.push(Op { call: id, say: goodbye });
                }
            }
            None => {
                self.waiting -= 1;
                self.calls.remove(&id);
            }
        }
        if let Some(at) = expires {
            self.deadlines.remove(&(at, id));
        }
        self.release(unread);
        true
    }

    /// Forgets a call when both sides have ended.
    pub(super) fn forget_if_done(&mut self, id: CallId) {
        let Some(Call { stage: Stage::Over { channel, dispatch }, .. }) = self.calls.get(&id) else { return };
        if dispatch.is_end() {
            let channel = *channel;
            self.calls.remove(&id);
            if let State::Ready(ready) = &mut self.state {
                ready.channels.finish(channel);
            }
        }
    }

    /// The connection is gone: what it carried has ended.
    pub(super) fn disconnect_calls(&mut self, text: &str) {
        let name: String = self.config.target.name().into();
        let carried: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| !matches!(call.stage, Stage::Waiting { .. }))
            .map(|(id, _)| *id)
            .collect();
        for id in carried {
            self.break_call(id, CallError::Disconnected { name: name.clone(), text: text.into() });
            self.calls.remove(&id);
        }
        self.purge();
    }

    /// Drops what calls wanted to say that are gone.
    fn purge(&mut self) {
        let calls = &self.calls;
        self.ops.retain(|op| calls.contains_key(&op.call));
        self.queued = self.ops.iter().map(Op::cost).sum();
    }

    /// A round of resolving and connecting was in vain.
    pub(super) fn disappoint_calls(&mut self, error: &CallError) {
        let (rounds_wanted, fatal) = (self.config.rounds, error.advice() == Advice::Fix);
        let mut tired = Vec::new();
        for (id, call) in &mut self.calls {
            if let Stage::Waiting { rounds, .. } = &mut call.stage {
                *rounds = rounds.saturating_add(1);
                if fatal || *rounds >= rounds_wanted {
                    tired.push(*id);
                }
            }
        }
        for id in tired {
            self.break_call(id, error.clone());
        }
        self.purge();
    }

    pub(super) fn expire_calls(&mut self) {
        while let Some((at, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= self.now) {
            self.deadlines.remove(&(at, id));
            if let Some(reached) = self.calls.get(&id).map(Call::reached) {
                self.break_call(id, CallError::TimedOut { reached });
                self.purge();
            }
        }
    }
}

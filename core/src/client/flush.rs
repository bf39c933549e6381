//! What callers say, on its way into frames.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::calls::Stage;
use super::dial::{Ready, State};
use super::{CallError, CallId, Client, ClientNotice, End};
use crate::machine::{Batch, ConnId};
use crate::session::{MAX_WRITE, Payload};
use crate::wire::graph::{RemoteMethod, State as Protocol, Tree};
use crate::wire::{Failure, Header, codes, headers::names, v1};

/// One thing to say.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) call: CallId,
    pub(super) say: Say,
}

#[derive(Clone, Debug)]
pub(super) enum Say {
    /// Opens the channel.
    Open(Box<Opening>),
    Chunk(Bytes),
    Message(Cow<'static, str>, Bytes),
    Close,
    Fail(Failure),
    /// The caller is gone: whatever ends its half.
    Leave,
}

/// What opens a call's channel.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) method: Cow<'static, str>,
    pub(super) args: Bytes,
    pub(super) headers: Vec<Header>,
}

/// What an operation costs beside its data, in bytes.
const OP_COST: usize = 64;

impl Op {
    pub(super) fn cost(&self) -> usize {
        OP_COST + self.say.len()
    }
}

impl Say {
    /// The bytes of its data.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Chunk(bytes) | Self::Message(_, bytes) => bytes.len(),
            Self::Fail(failure) => failure.text.len(),
            Self::Open(opening) => opening.args.len(),
            Self::Close | Self::Leave => 0,
        }
    }

    /// Whether it ends the caller's half.
    pub(super) const fn is_end(&self) -> bool {
        matches!(self, Self::Close | Self::Fail(_) | Self::Leave)
    }
}

impl Client {
    /// Whether something can be written at once.
    pub(super) fn can_flush(&self) -> bool {
        !self.ops.is_empty() && matches!(&self.state, State::Ready(ready) if ready.link.queued() == 0)
    }

    /// Puts what waits into frames: as much as one write takes, and only if it can start at once.
    pub(super) fn flush(&mut self) {
        if !self.can_flush() {
            return;
        }
        while let State::Ready(ready) = &self.state
            && ready.link.queued() < MAX_WRITE
            && let Some(op) = self.ops.pop_front()
        {
            self.queued = self.queued.saturating_sub(op.cost());
            self.perform(op);
        }
    }

    fn perform(&mut self, Op { call: id, say }: Op) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.unsent = call.unsent.saturating_sub(say.len());
        match (say, &call.stage) {
            (Say::Open(opening), _) => self.open(id, *opening),
            // What is behind the opening of a call that could not be opened; the call is gone by then.
            (_, Stage::Waiting { .. }) => {}
            (say, Stage::Open { channel, dispatch, .. }) => {
                let (channel, dispatch) = (*channel, dispatch.clone());
                if !self.speak(id, channel, &dispatch, say) {
                    let failure = Failure::from(codes::CLOSED_UPSTREAM);
                    self.out.notice(ClientNotice::Refused { call: id, failure });
                }
            }
            // Data is of no use to a service that has answered.
            (Say::Chunk(_), Stage::Over { .. }) => {}
            (say, Stage::Over { channel, dispatch }) => {
                let (channel, dispatch) = (*channel, dispatch.clone());
                self.speak(id, channel, &dispatch, say);
                self.forget_if_done(id);
            }
        }
    }

    /// Opens a channel for a call.
    fn open(&mut self, id: CallId, Opening { method, args, mut headers }: Opening) {
        let (State::Ready(ready), Some(call)) = (&mut self.state, self.calls.get_mut(&id)) else { return };
        let Some((message, dispatch, upstream)) = ready.graph.method(&method).and_then(stream_of) else {
            let name = self.config.target.name().into();
            return self.break_call(id, CallError::NoMethod { name, method: method.into_owned() });
        };

        let channel = ready.channels.open_next(id);
        call.stage = Stage::Open { channel, dispatch, upstream };
        if let Some(millis) = call.announced(self.now) {
            let millis = Bytes::copy_from_slice(&millis.to_le_bytes());
            headers.push(Header::new(names::REQUEST_TIMEOUT, millis));
        }
        call.unsent += ready.send(&mut self.out, id, channel, message, args, &headers);
        self.waiting -= 1;
    }

    /// Says something on an open channel. False if the caller's half does not allow it.
    fn speak(&mut self, id: CallId, channel: u64, dispatch: &Protocol, say: Say) -> bool {
        if dispatch.is_end() && say.is_end() {
            return true;
        }
        let Some((message, next, body)) = phrase(dispatch, say) else { return false };
        let (State::Ready(ready), Some(call)) = (&mut self.state, self.calls.get_mut(&id)) else {
            return true;
        };
        call.unsent += match body {
            Body::Chunk(chunk) => ready.send_chunk(&mut self.out, id, channel, message, &chunk),
            Body::Args(args) => ready.send(&mut self.out, id, channel, message, args, &[]),
        };
        if let Stage::Open { dispatch, .. } | Stage::Over { dispatch, .. } = &mut call.stage {
            *dispatch = next;
        }
        true
    }

    /// A write is done.
    pub(super) fn on_written(&mut self, conn: ConnId, batch: Batch) {
        let (calls, window) = (&mut self.calls, self.config.limits.window_bytes);
        let (mut drained, mut mute) = (Vec::new(), Vec::new());
        let Some(link) = self.state.link(conn) else { return };
        link.written(&mut self.out, batch, |owner, bytes| {
            let id = CallId(owner);
            let Some(call) = calls.get_mut(&id) else { return };
            call.unsent = call.unsent.saturating_sub(bytes);
            if call.unsent > 0 || call.is_over() {
                return;
            }
            if call.given >= window {
                call.given = 0;
                drained.push(id);
            }
            if matches!(&call.stage, Stage::Open { upstream, .. } if upstream.is_end()) {
                mute.push(id);
            }
        });
        for call in drained {
            self.out.notice(ClientNotice::Drained { call });
        }
        for id in mute {
            self.end_call(id, End::Written);
        }
    }
}

impl Ready {
    /// Queues a message of encoded arguments; returns its length.
    fn send(
        &mut self,
        out: &mut crate::machine::Outbox<ClientNotice>,
        id: CallId,
        channel: u64,
        message: u32,
        args: Bytes,
        headers: &[Header],
    ) -> usize {
        if headers.is_empty() {
            let head = |out: &mut Vec<u8>| v1::frame(out, channel, message, |_| ());
            return self.link.send_payload(out, id.0, head, Payload::Shared(args));
        }
        self.link.send(out, id.0, |out| {
            v1::frame_with_headers(out, channel, message, headers, |out| out.extend_from_slice(&args));
        })
    }

    fn send_chunk(
        &mut self,
        out: &mut crate::machine::Outbox<ClientNotice>,
        id: CallId,
        channel: u64,
        message: u32,
        chunk: &Bytes,
    ) -> usize {
        let head = |out: &mut Vec<u8>| v1::write_head(out, channel, message, chunk.len());
        self.link.send_payload(out, id.0, head, Payload::Shared(chunk.clone()))
    }
}

enum Body {
    Chunk(Bytes),
    Args(Bytes),
}

/// The message for something to say, and the state after it; `None` if it cannot be said now.
fn phrase(dispatch: &Protocol, say: Say) -> Option<(u32, Protocol, Body)> {
    let empty = || Body::Args(Bytes::from_static(&[0x90]));
    let (name, body): (Cow<'static, str>, Body) = match say {
        Say::Open(_) => return None,
        Say::Chunk(chunk) => ("write".into(), Body::Chunk(chunk)),
        Say::Message(name, args) => (name, Body::Args(args)),
        Say::Close => ("close".into(), empty()),
        Say::Fail(failure) => ("error".into(), Body::Args(encoded(&failure))),
        Say::Leave if dispatch.message("error").is_some() => {
            ("error".into(), Body::Args(encoded(&Failure::from(codes::SOCKET_ABORTED))))
        }
        Say::Leave if dispatch.message("discard").is_some() => ("discard".into(), empty()),
        Say::Leave => ("close".into(), empty()),
    };
    let number = dispatch.message(&name)?;
    let (_, next) = dispatch.step(number)?;
    Some((u32::try_from(number).ok()?, next, body))
}

fn encoded(failure: &Failure) -> Bytes {
    let mut out = Vec::new();
    failure.encode(&mut out);
    out.into()
}

/// A method's number and the two halves of its channel. A service that does not say what it answers is taken to
/// answer a stream; one that does not say what it takes, nothing.
fn stream_of(method: &RemoteMethod) -> Option<(u32, Protocol, Protocol)> {
    let id = u32::try_from(method.id).ok()?;
    let upstream = method.upstream.clone().unwrap_or_else(|| Tree::STREAM.into());
    Some((id, method.dispatch.clone().unwrap_or_default(), upstream))
}

//! What handlers write.

use bytes::Bytes;

use super::{AppCommand, AppNotice, Farewell, Phase, Reading, Session, StreamKey};
use crate::machine::{Batch, CloseReason, Key};
use crate::session::Payload;
use crate::wire::{Dialect, Failure, codes, v0, v1};

/// The account of what belongs to no stream.
pub(super) const NOBODY: u64 = u64::MAX;

/// An invocation whose answer has not ended.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    channel: u64,
    pub(super) input: Input,
    /// Bytes given to the handler and not consumed.
    pub(super) unread: usize,
    /// Bytes of frames that are not written.
    unsent: usize,
    /// Bytes of chunks since the handler was told the last time that all is written.
    given: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Open,
    Ended,
}

impl Stream {
    pub(super) const fn new(channel: u64) -> Self {
        Self { channel, input: Input::Open, unread: 0, unsent: 0, given: 0 }
    }
}

impl Session {
    pub(super) fn on_command(&mut self, command: AppCommand) {
        match command {
            AppCommand::Write { stream, chunk } => self.write(stream, chunk),
            AppCommand::Close { stream } => self.close(stream),
            AppCommand::Fail { stream, failure } => self.fail(stream, &failure),
            AppCommand::Consumed { stream, bytes } => self.consumed(stream, bytes),
            AppCommand::Terminate { code, reason } => match self.phase {
                Phase::Serving(_) | Phase::Finishing { .. } => self.leave(code, reason),
                Phase::Connecting { .. } => {
                    self.end(CloseReason::Done, Farewell::Terminated { code, reason });
                }
                Phase::Leaving { .. } | Phase::Over => {}
            },
        }
    }

    fn write(&mut self, key: StreamKey, chunk: Bytes) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        if stream.unsent > self.config.limits.unsent_bytes {
            let failure = Failure::new(codes::NO_RESOURCES, "the worker writes more than is taken");
            self.fail(key, &failure);
            return self.out.notice(AppNotice::Refused { stream: key, failure });
        }
        let (channel, size, dialect) = (stream.channel, chunk.len(), self.config.protocol);
        stream.given += size;
        stream.unsent += self.link.send_payload(
            &mut self.out,
            key.to_bits(),
            |out| match dialect {
                Dialect::V0 => v0::chunk_head(out, channel, size),
                Dialect::V1 => v1::write_head(out, channel, v1::message::WRITE, size),
            },
            Payload::Shared(chunk),
        );
    }

    fn close(&mut self, key: StreamKey) {
        let Some(channel) = self.forget(key) else { return };
        let dialect = self.config.protocol;
        self.link.send(&mut self.out, NOBODY, |out| match dialect {
            Dialect::V0 => v0::choke(out, channel),
            Dialect::V1 => v1::close(out, channel),
        });
    }

    fn fail(&mut self, key: StreamKey, failure: &Failure) {
        if let Some(channel) = self.forget(key) {
            self.write_error(channel, failure);
        }
    }

    pub(super) fn write_error(&mut self, channel: u64, failure: &Failure) {
        let dialect = self.config.protocol;
        self.link.send(&mut self.out, NOBODY, |out| match dialect {
            Dialect::V0 => {
                v0::error(out, channel, failure.code.code, &failure.text);
                v0::choke(out, channel);
            }
            Dialect::V1 => v1::error(out, channel, failure),
        });
    }

    /// The answer has ended, and with it the stream: what the caller still sends is ignored.
    fn forget(&mut self, key: StreamKey) -> Option<u64> {
        let stream = self.streams.remove(key)?;
        self.channels.finish(stream.channel);
        self.release(stream.unread);
        Some(stream.channel)
    }

    fn consumed(&mut self, key: StreamKey, bytes: usize) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let bytes = bytes.min(stream.unread);
        stream.unread -= bytes;
        self.release(bytes);
    }

    fn release(&mut self, bytes: usize) {
        self.unread = self.unread.saturating_sub(bytes);
        if self.reading == Reading::Paused && self.unread <= self.config.limits.unread_bytes / 2 {
            self.read_on();
        }
    }

    /// A write is done.
    pub(super) fn on_written(&mut self, batch: Batch) {
        let (streams, window) = (&mut self.streams, self.config.limits.window_bytes);
        let mut drained = alloc::vec::Vec::new();
        let closed = self.link.written(&mut self.out, batch, |owner, bytes| {
            let key = StreamKey::from_bits(owner);
            let Some(stream) = streams.get_mut(key) else { return };
            stream.unsent = stream.unsent.saturating_sub(bytes);
            if stream.unsent == 0 && stream.given >= window {
                stream.given = 0;
                drained.push(key);
            }
        });
        for stream in drained {
            self.out.notice(AppNotice::Drained { stream });
        }
        if closed {
            self.on_lost("closed".into());
        }
    }
}

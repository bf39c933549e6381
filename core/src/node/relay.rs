//! `enqueue` through the node service: streams between clients of the node and engines.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Node;
use super::conns::{Caller, NOBODY, Owner};
use super::services::Message;
use crate::engine::{EngineCommand, Policy, StreamId};
use crate::machine::EngineId;
use crate::session::{Payload, unknown_method};
use crate::wire::v1::message::{CLOSE, ERROR, WRITE};
use crate::wire::{Failure, Header, single_raw, v1};

/// One stream. It is over when both halves are.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    caller: Caller,
    engine: EngineId,
    /// From the client to the engine.
    input: Half,
    /// From the engine to the client.
    output: Half,
    /// Bytes of the client that the engine still has.
    owed: usize,
    /// Bytes of the engine that still wait to be written: alone, and with their frames' heads.
    unwritten: usize,
    unwritten_frames: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Open,
    Closed,
}

impl Node {
    pub(super) fn open_stream(
        &mut self,
        caller: Caller,
        app: &str,
        event: &[u8],
        headers: Vec<Header>,
    ) -> Result<(), Failure> {
        let engine = self.running_engine(app)?;
        let stream = StreamId(self.next_number());
        self.open(caller, Owner::Stream(stream))?;
        let (input, output) = (Half::Open, Half::Open);
        let new = Stream { caller, engine, input, output, owed: 0, unwritten: 0, unwritten_frames: 0 };
        self.streams.insert(stream, new);
        let event = Bytes::copy_from_slice(event);
        self.tell_engine(engine, EngineCommand::Open { stream, event, headers, policy: Policy::default() });
        Ok(())
    }

    // ---- from the client ----

    pub(super) fn on_stream_message(&mut self, id: StreamId, message: &Message<'_>) {
        let Some(Stream { input: Half::Open, .. }) = self.streams.get(&id) else { return };
        let args = message.args();
        let result = match message.head.message {
            WRITE => single_raw(args).map_err(Failure::from).map(|range| {
                let start = message.head.args.start;
                let payload = message.cut.payload(message.buf, start + range.start..start + range.end);
                self.relay_chunk(id, payload.into_bytes());
            }),
            ERROR => Failure::decode(args).map_err(Failure::from).map(|failure| {
                self.close_input(id, EngineCommand::Fail { stream: id, failure });
            }),
            CLOSE => {
                self.close_input(id, EngineCommand::End { stream: id });
                Ok(())
            }
            other => Err(unknown_method(other)),
        };
        if let Err(failure) = result {
            self.refuse_message(id, &failure);
        }
    }

    fn relay_chunk(&mut self, id: StreamId, data: Bytes) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let (engine, caller) = (stream.engine, stream.caller);
        // After the answer the engine may have forgotten the stream, and would give no credit for it.
        if stream.output == Half::Open {
            stream.owed += data.len();
            self.owe(caller.conn, data.len());
        }
        self.tell_engine(engine, EngineCommand::Chunk { stream: id, data });
    }

    fn close_input(&mut self, id: StreamId, command: EngineCommand) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.input = Half::Closed;
        let engine = stream.engine;
        self.tell_engine(engine, command);
        self.forget_if_over(id);
    }

    /// A message that makes no sense: the channel ends, in both directions.
    fn refuse_message(&mut self, id: StreamId, failure: &Failure) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.tell_engine(stream.engine, EngineCommand::Cancel { stream: id });
        self.finish(stream.caller);
        if stream.output == Half::Open {
            self.send_error(stream.caller, failure);
        }
        self.repay(stream.caller.conn, stream.owed);
    }

    /// The client has left, or has revoked the channel.
    pub(super) fn cancel_stream(&mut self, id: StreamId) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.tell_engine(stream.engine, EngineCommand::Cancel { stream: id });
        self.repay(stream.caller.conn, stream.owed);
    }

    // ---- from the engine ----

    pub(super) fn on_stream_chunk(&mut self, id: StreamId, data: Bytes) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.output == Half::Open) else {
            return;
        };
        let Caller { conn, channel } = stream.caller;
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let len = data.len();
        let head = |out: &mut Vec<u8>| v1::write_head(out, channel, WRITE, len);
        stream.unwritten += len;
        stream.unwritten_frames += entry.link.send_payload(&mut self.out, id.0, head, Payload::Shared(data));
    }

    /// Bytes of this stream were written: the engine may send as many more.
    pub(super) fn on_stream_written(&mut self, id: StreamId, frames: usize) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let bytes = share(stream.unwritten, frames, stream.unwritten_frames);
        stream.unwritten -= bytes;
        stream.unwritten_frames = stream.unwritten_frames.saturating_sub(frames);
        let engine = stream.engine;
        if bytes > 0 {
            self.tell_engine(engine, EngineCommand::Consumed { stream: id, bytes });
        }
    }

    pub(super) fn on_stream_end(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.output == Half::Open) else {
            return;
        };
        stream.output = Half::Closed;
        let (caller, owed) = (stream.caller, core::mem::take(&mut stream.owed));
        self.send(caller.conn, NOBODY, |out| v1::close(out, caller.channel));
        self.repay(caller.conn, owed);
        self.forget_if_over(id);
    }

    /// The request has failed; whatever the client still sends is for nobody.
    pub(super) fn on_stream_failed(&mut self, id: StreamId, failure: &Failure) {
        let Some(stream) = self.streams.get(&id).filter(|stream| stream.output == Half::Open) else { return };
        if stream.input == Half::Open {
            let engine = stream.engine;
            self.tell_engine(engine, EngineCommand::End { stream: id });
        }
        self.end_stream(id, failure);
    }

    pub(super) fn on_stream_consumed(&mut self, id: StreamId, bytes: usize) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let bytes = bytes.min(stream.owed);
        stream.owed -= bytes;
        let conn = stream.caller.conn;
        self.repay(conn, bytes);
    }

    /// The engine is no more: what it has not answered is answered here.
    pub(super) fn break_streams(&mut self, engine: EngineId, failure: &Failure) {
        let of_engine = self.streams.iter().filter(|(_, stream)| stream.engine == engine);
        let ids: Vec<StreamId> = of_engine.map(|(id, _)| *id).collect();
        for id in ids {
            self.end_stream(id, failure);
        }
    }

    fn end_stream(&mut self, id: StreamId, failure: &Failure) {
        let Some(stream) = self.streams.remove(&id) else { return };
        self.finish(stream.caller);
        if stream.output == Half::Open {
            self.send_error(stream.caller, failure);
        }
        self.repay(stream.caller.conn, stream.owed);
    }

    fn forget_if_over(&mut self, id: StreamId) {
        let over = |stream: &&Stream| stream.input == Half::Closed && stream.output == Half::Closed;
        if let Some(stream) = self.streams.get(&id).filter(over) {
            let caller = stream.caller;
            self.streams.remove(&id);
            self.finish(caller);
        }
    }
}

/// How many of `bytes` were among the `written` ones of `frames`, the heads of the frames being spread evenly:
/// all of them when everything was written.
fn share(bytes: usize, written: usize, frames: usize) -> usize {
    if written >= frames {
        return bytes;
    }
    let exact = bytes as u128 * written as u128 / frames as u128;
    usize::try_from(exact).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn credit_is_exact_in_the_end_and_never_early() {
        assert_eq!(share(0, 5, 9), 0);
        assert_eq!(share(100, 54, 108), 50);
        assert_eq!(share(100, 108, 108), 100);
        assert_eq!(share(100, 200, 108), 100);
        assert_eq!(share(usize::MAX, 1, usize::MAX), 1);
    }
}

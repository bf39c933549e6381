//! What a client has called, and what it has been answered.

use std::collections::BTreeMap;

use cocaine_core::wire::v1::message::{CLOSE, ERROR, PING, REVOKE, WRITE};
use cocaine_core::wire::{Args, Frame, Limits, Scanner, single_raw, v1};

/// The methods of an app's service.
const ENQUEUE: u32 = 0;
const CONTROL: u32 = 2;

/// The calls of one connection.
///
/// Every method panics when an answer makes no sense: on a channel that was never opened, after the end of the
/// answer, or of a kind that the method does not have.
#[derive(Default)]
pub(in crate::fuzzing) struct Calls {
    calls: BTreeMap<u64, Call>,
    highest: u64,
    sent: Stream,
    received: Stream,
}

/// One of them.
#[derive(Clone, Debug, Default)]
pub(in crate::fuzzing) struct Call {
    method: u32,
    pub(in crate::fuzzing) data: Vec<u8>,
    pub(in crate::fuzzing) ended: bool,
    pub(in crate::fuzzing) failed: bool,
    revoked: bool,
}

impl Calls {
    /// Takes note of bytes that the engine was given.
    pub(in crate::fuzzing) fn sent(&mut self, bytes: &[u8]) {
        for (frame, bytes) in self.sent.frames(bytes) {
            let Ok(head) = v1::head(&bytes, &frame) else { return self.sent.broken = true };
            if head.channel <= self.highest {
                continue;
            }
            self.highest = head.channel;
            if head.message == REVOKE {
                self.note_revoked(&bytes[head.args]);
            }
            self.calls.insert(head.channel, Call { method: head.message, ..Call::default() });
        }
    }

    fn note_revoked(&mut self, args: &[u8]) {
        let revoked = Args::new(args).and_then(|mut args| args.uint()).ok();
        if let Some(call) = revoked.and_then(|channel| self.calls.get_mut(&channel)) {
            call.revoked = true;
        }
    }

    /// Takes note of bytes that the engine wrote.
    pub(in crate::fuzzing) fn received(&mut self, bytes: &[u8]) {
        for (frame, bytes) in self.received.frames(bytes) {
            let head = v1::head(&bytes, &frame).expect("the engine writes heads");
            let call = self.calls.get_mut(&head.channel);
            let call = call.unwrap_or_else(|| panic!("an answer on channel {}", head.channel));
            assert!(!call.ended, "an answer after the end on channel {}: {call:?}", head.channel);
            call.answered(head.message, &bytes[head.args]);
        }
        assert!(!self.received.broken, "the engine writes frames");
    }

    pub(in crate::fuzzing) fn get(&self, channel: u64) -> &Call {
        &self.calls[&channel]
    }

    pub(in crate::fuzzing) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Every call that must be answered was.
    pub(in crate::fuzzing) fn assert_all_ended(&self) {
        for (channel, call) in &self.calls {
            let optional = call.revoked || call.method == CONTROL;
            assert!(call.ended || optional, "channel {channel} was never answered: {call:?}");
        }
    }
}

impl Call {
    fn answered(&mut self, message: u32, args: &[u8]) {
        match (self.method, message) {
            (ENQUEUE, WRITE) => {
                let range = single_raw(args).expect("a chunk is one raw");
                self.data.extend_from_slice(&args[range]);
            }
            (ENQUEUE, CLOSE) => self.ended = true,
            (_, ERROR) => (self.ended, self.failed) = (true, true),
            (1 | CONTROL | PING | REVOKE, 0) => self.ended = true,
            (method, message) => panic!("method {method} answers with message {message}"),
        }
    }
}

/// Bytes of one direction, cut into frames.
struct Stream {
    bytes: Vec<u8>,
    scanner: Scanner,
    broken: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self { bytes: Vec::new(), scanner: Scanner::new(Limits::DEFAULT), broken: false }
    }
}

impl Stream {
    fn frames(&mut self, bytes: &[u8]) -> Vec<(Frame, Vec<u8>)> {
        let mut frames = Vec::new();
        self.bytes.extend_from_slice(bytes);
        while !self.broken {
            match self.scanner.scan(&self.bytes) {
                Ok(Some(frame)) => frames.push((frame, self.bytes.drain(..frame.len).collect())),
                Ok(None) => break,
                Err(_) => self.broken = true,
            }
        }
        frames
    }
}

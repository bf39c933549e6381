//! Who is at the other end of the engine's connections and processes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use cocaine_core::config::Protocol;
use cocaine_core::machine::{Batch, ConnId, WorkerId};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::{HeaderDecoder, Limits, Scanner, v0, v1};

use super::render;

/// One connection, as its peer has it.
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) conn: ConnId,
    pub(super) speaks: Speaks,
    /// The engine has not closed it.
    pub(super) open: bool,
    /// Sent, and not read by the engine.
    pub(super) outbox: Vec<u8>,
    /// The peer has closed it.
    pub(super) gone: bool,
    /// Delivers byte by byte.
    pub(super) drip: bool,
    /// The read that the engine asks for.
    pub(super) read: Option<BytesMut>,
    /// The peer reads nothing.
    pub(super) clogged: bool,
    /// The write that the peer has not taken.
    pub(super) write: Option<Batch>,
    received: Vec<u8>,
    scanner: Scanner,
    headers: HeaderDecoder,
}

/// What its bytes mean.
pub(super) enum Speaks {
    /// A client; by channel, the method that it called.
    Client(BTreeMap<u64, u32>),
    /// A worker or a stranger, and the highest channel seen.
    Worker { protocol: Protocol, known: u64 },
}

impl Peer {
    pub(super) fn new(name: &str, conn: ConnId, speaks: Speaks) -> Self {
        Self {
            name: name.into(),
            conn,
            speaks,
            open: true,
            outbox: Vec::new(),
            gone: false,
            drip: false,
            read: None,
            clogged: false,
            write: None,
            received: Vec::new(),
            scanner: Scanner::new(Limits { frame_bytes: usize::MAX, ..Limits::DEFAULT }),
            headers: HeaderDecoder::new(),
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self.speaks {
            Speaks::Client(_) => Protocol::V1,
            Speaks::Worker { protocol, .. } => protocol,
        }
    }

    pub(super) fn speak(&mut self, speaks: Protocol) {
        if let Speaks::Worker { protocol, .. } = &mut self.speaks {
            *protocol = speaks;
        }
    }

    /// Sends what `write` writes.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.outbox);
    }

    pub(super) fn send_write(&mut self, channel: u64, data: &[u8]) {
        match self.protocol() {
            Protocol::V1 => v1::write(&mut self.outbox, channel, data),
            Protocol::V0 => v0::chunk(&mut self.outbox, channel, data),
        }
    }

    pub(super) fn send_close(&mut self, channel: u64) {
        match self.protocol() {
            Protocol::V1 => v1::close(&mut self.outbox, channel),
            Protocol::V0 => v0::choke(&mut self.outbox, channel),
        }
    }

    pub(super) fn send_heartbeat(&mut self) {
        match self.protocol() {
            Protocol::V1 => v1::heartbeat(&mut self.outbox),
            Protocol::V0 => v0::heartbeat(&mut self.outbox),
        }
    }

    /// The frames that a write completes, in words.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Vec<String> {
        self.received.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(frame) = self.scanner.scan(&self.received).expect("the engine writes frames") {
            let bytes: Vec<u8> = self.received.drain(..frame.len).collect();
            lines.push(match &mut self.speaks {
                Speaks::Client(calls) => match v1::head(&bytes, &frame) {
                    Ok(head) if calls.get(&head.channel).is_none_or(|method| *method == 0) => {
                        render::stream_v1(head.channel, head.message, &bytes[head.args])
                    }
                    Ok(head) => render::answer_v1(head.channel, head.message, &bytes[head.args]),
                    Err(_) => render::unreadable(&bytes),
                },
                Speaks::Worker { protocol: Protocol::V1, known } => {
                    let (text, highest) = render::to_worker_v1(&bytes, &frame, &mut self.headers, *known);
                    *known = highest;
                    text
                }
                Speaks::Worker { protocol: Protocol::V0, .. } => render::to_worker_v0(&bytes, &frame),
            });
        }
        lines
    }
}

/// One worker process.
pub(super) struct Process {
    pub(super) worker: WorkerId,
    pub(super) uuid: String,
    /// The driver was asked to read its output.
    pub(super) output_wanted: bool,
    pub(super) output: Vec<u8>,
    pub(super) command_line: String,
    pub(super) identity: Option<(u32, u32)>,
    /// How often it sends a heartbeat by itself.
    pub(super) beats: Option<(Duration, Timestamp)>,
    /// Heartbeats of that kind that wait for an answer.
    pub(super) unanswered: usize,
}

impl Process {
    /// Its process id, and group.
    pub(super) fn pid(&self) -> u32 {
        100 + u32::try_from(self.worker.number()).unwrap_or(u32::MAX / 2)
    }
}

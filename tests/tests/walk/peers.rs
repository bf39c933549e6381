//! The ends of connections, and what was promised to them.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;
use cocaine_core::config::Protocol;
use cocaine_core::machine::{Batch, ConnId};
use cocaine_core::wire::{Limits, Scanner, v0, v1};

use crate::frames::{Means, Sent};

/// One connection.
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    pub(crate) kind: Kind,
    pub(crate) read: Option<BytesMut>,
    pub(crate) write: Option<Batch>,
    pub(crate) outbox: VecDeque<Sent>,
    received: Vec<u8>,
    scanner: Scanner,
}

pub(crate) enum Kind {
    Client(Client),
    /// On the workers' socket, as the worker of this name.
    Worker {
        protocol: Protocol,
        uuid: String,
        /// The sessions that it was given last.
        sessions: Vec<u64>,
    },
}

/// What a client may expect.
#[derive(Default)]
pub(crate) struct Client {
    /// The next channel that it opens.
    pub(crate) next: u64,
    /// The highest channel that the engine has seen.
    highest: u64,
    /// By channel of each `enqueue`: its answers so far, and whether there must be one.
    requests: BTreeMap<u64, (usize, bool)>,
    /// It has sent what nobody can account for.
    wild: bool,
    /// Pieces of answers, and answers that came to a good end.
    pub(crate) chunks: usize,
    pub(crate) closes: usize,
}

impl Peer {
    pub(crate) fn new(conn: ConnId, kind: Kind) -> Self {
        let scanner = Scanner::new(Limits { frame_bytes: usize::MAX, ..Limits::DEFAULT });
        Self { conn, kind, read: None, write: None, outbox: VecDeque::new(), received: Vec::new(), scanner }
    }

    /// The bytes of up to `count` of its frames; with `cut`, only so many 256ths of the first.
    pub(crate) fn take_bytes(&mut self, count: usize, cut: Option<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let Some(sent) = self.outbox.pop_front() else { break };
            if let Some(cut) = cut.map(|cut| sent.bytes.len() * usize::from(cut) / 256).filter(|cut| *cut > 0)
            {
                let (now, later) = sent.bytes.split_at(cut);
                bytes.extend_from_slice(now);
                self.outbox.push_front(Sent { bytes: later.to_vec(), means: sent.means });
                break;
            }
            if let Kind::Client(client) = &mut self.kind {
                client.note(sent.means);
            }
            bytes.extend(sent.bytes);
        }
        bytes
    }

    /// What the engine wrote has come.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        while let Some(frame) = self.scanner.scan(&self.received).expect("the engine writes frames") {
            let bytes: Vec<u8> = self.received.drain(..frame.len).collect();
            match &mut self.kind {
                Kind::Client(client) => {
                    let head = v1::head(&bytes, &frame).expect("a frame of the newer dialect");
                    client.answer(head.channel, head.message);
                }
                Kind::Worker { protocol: Protocol::V1, sessions, .. } => {
                    let head = v1::head(&bytes, &frame).expect("a frame of the newer dialect");
                    note_session(sessions, head.channel);
                }
                Kind::Worker { protocol: Protocol::V0, sessions, .. } => {
                    let head = v0::head(&bytes, &frame).expect("a frame of the older dialect");
                    note_session(sessions, head.session);
                }
            }
        }
    }
}

fn note_session(sessions: &mut Vec<u64>, session: u64) {
    if session > sessions.last().copied().unwrap_or(0) {
        sessions.push(session);
    }
    if sessions.len() > 4 {
        sessions.remove(0);
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self { next: 1, ..Self::default() }
    }

    fn note(&mut self, means: Means) {
        match means {
            Means::Call { channel, enqueues } if channel > self.highest => {
                self.highest = channel;
                if enqueues {
                    self.requests.insert(channel, (0, true));
                }
            }
            Means::Garbage => self.wild = true,
            Means::Revoke { by, channel } if by > self.highest => {
                self.highest = by;
                if let Some((_, due)) = self.requests.get_mut(&channel) {
                    *due = false;
                }
            }
            Means::Call { .. } | Means::Revoke { .. } | Means::Nothing => {}
        }
    }

    fn answer(&mut self, channel: u64, message: u32) {
        let Some((answers, _)) = self.requests.get_mut(&channel).filter(|_| !self.wild) else { return };
        assert_eq!(*answers, 0, "message {message} on channel {channel}, which was answered");
        match message {
            v1::message::WRITE => self.chunks += 1,
            v1::message::ERROR => *answers += 1,
            v1::message::CLOSE => {
                *answers += 1;
                self.closes += 1;
            }
            other => panic!("message {other} is no answer"),
        }
    }

    /// Everything that was accepted has been answered.
    pub(crate) fn check_all_answered(&self) {
        if self.wild {
            return;
        }
        for (channel, (answers, due)) in &self.requests {
            assert!(*answers == 1 || !due, "channel {channel} was answered {answers} times");
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.len()
    }
}

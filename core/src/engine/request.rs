//! One request on its way: a stream from a client to a worker, and one back.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::config::Tag;
use crate::machine::{ConnId, WorkerId, slot_key};
use crate::time::Timestamp;
use crate::wire::{Failure, Header};

slot_key! {
    /// The key of a request, from acceptance until both of its halves have ended.
    RequestKey
}

/// A stream between this engine and another machine or an embedder. Whoever opens it numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client connection's channel.
    Client {
        /// The connection.
        conn: ConnId,
        /// Its channel.
        channel: u64,
    },
    /// A stream opened by a command.
    Stream(StreamId),
    /// Whoever it was has left or has been answered.
    Gone,
}

/// Where the request is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// No worker has it yet.
    Waiting(Box<Waiting>),
    /// This worker has it, on this channel.
    Assigned { worker: WorkerId, channel: u64 },
}

/// What must be kept until a worker takes the request.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    pub(super) event: Bytes,
    pub(super) headers: Vec<Header>,
    pub(super) chunks: Vec<Bytes>,
    /// The bytes of all of that, for the bounds.
    pub(super) bytes: usize,
    /// Only the worker of this name may take it.
    pub(super) tag: Option<Tag>,
}

/// The stream from the client to the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InputHalf {
    Open,
    Closed,
    /// Ended with an error that the worker still has to be told.
    Failed(Box<Failure>),
}

/// Why a client is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Much of its input waits, as long as no worker has the request.
    Waiting,
    /// Its worker takes less than the client sends.
    Congestion,
}

/// A request: its halves, its bounds and its deadline.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) source: Source,
    pub(super) place: Place,
    pub(super) input: InputHalf,
    /// The worker may still answer. While it may, the request counts as its load.
    pub(super) answering: bool,
    pub(super) created: Timestamp,
    pub(super) deadline: Timestamp,
    /// Bytes on their way to the worker, for the bound per channel.
    pub(super) to_worker: usize,
    /// The size of the one frame among those that is larger than the bound by itself; 0 if there is none.
    pub(super) large_to_worker: usize,
    /// Bytes of a stream's chunks that its caller was not told about yet.
    pub(super) owed: usize,
    /// Bytes on their way to the client, for the bound per channel.
    pub(super) to_client: usize,
    /// Like `large_to_worker`.
    pub(super) large_to_client: usize,
    /// Whether its client is read more slowly, and why.
    pub(super) holds_client: Option<Hold>,
    /// Its worker is throttled while its bytes pile up on the way to the client.
    pub(super) holds_worker: bool,
}

impl Request {
    pub(super) fn new(source: Source, now: Timestamp, deadline: Timestamp, waiting: Waiting) -> Self {
        Self {
            source,
            place: Place::Waiting(Box::new(waiting)),
            input: InputHalf::Open,
            answering: true,
            created: now,
            deadline,
            to_worker: 0,
            large_to_worker: 0,
            owed: 0,
            to_client: 0,
            large_to_client: 0,
            holds_client: None,
            holds_worker: false,
        }
    }

    /// The worker and channel it runs on.
    pub(super) const fn assigned(&self) -> Option<(WorkerId, u64)> {
        match self.place {
            Place::Assigned { worker, channel } => Some((worker, channel)),
            Place::Waiting(_) => None,
        }
    }

    /// Whether the client may still send.
    pub(super) fn input_open(&self) -> bool {
        self.input == InputHalf::Open
    }
}

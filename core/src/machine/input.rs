//! What a driver tells a machine.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

use super::{
    Batch, ConnId, Endpoint, LaunchError, LaunchId, Launched, ListenerId, StoreError, StoreId, StoreReply,
    WorkerId,
};
use crate::time::WallClock;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<C> {
    /// A listener accepted a connection. The driver named it; its slot may be used again only after
    /// the machine's `Close`, and then with a higher generation.
    Accepted {
        /// The listener.
        listener: ListenerId,
        /// The new connection.
        conn: ConnId,
        /// Who is at the other end.
        peer: Peer,
    },
    /// A connection that the machine asked for is up.
    Connected {
        /// The connection.
        conn: ConnId,
    },
    /// A connection that the machine asked for could not be made; its id is dead.
    ConnectFailed {
        /// The connection.
        conn: ConnId,
        /// Why.
        error: IoError,
    },
    /// Answers `Read`: the buffer comes back with at least one byte more at its end.
    Received {
        /// The connection.
        conn: ConnId,
        /// What the machine sent along, and the new bytes behind it.
        buf: BytesMut,
    },
    /// Answers `Write`: everything was handed to the socket; the container comes back.
    Written {
        /// The connection.
        conn: ConnId,
        /// The empty batch, for its memory.
        batch: Batch,
    },
    /// The connection ended: end of file, or an error, on reading or writing, whichever came first.
    /// Whatever could still be read has been delivered before. The machine answers with `Close`.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// The error; `None` at a plain end of file.
        error: Option<IoError>,
    },
    /// The peer of a connection without a read in flight is gone. Unread bytes may remain.
    HungUp {
        /// The connection.
        conn: ConnId,
    },
    /// Answers `Listen`: connections will come from these addresses.
    Listening {
        /// The listener.
        listener: ListenerId,
        /// Its real addresses: the port is never 0.
        endpoints: Vec<Endpoint>,
    },
    /// Answers `Listen`: it was not possible; the id is dead.
    ListenFailed {
        /// The listener.
        listener: ListenerId,
        /// Why.
        error: IoError,
    },
    /// A worker's process runs. Its connection may have come before.
    Spawned {
        /// The worker.
        worker: WorkerId,
        /// Its process id, which is its process group too.
        pid: u32,
    },
    /// A worker's process could not be started; no `WorkerExited` follows.
    SpawnFailed {
        /// The worker.
        worker: WorkerId,
        /// Why, naming the executable.
        error: IoError,
    },
    /// Answers `ReadOutput`: what a worker wrote to its standard output or error. Empty at its end.
    WorkerOutput {
        /// The worker.
        worker: WorkerId,
        /// The bytes, not split into lines.
        bytes: Bytes,
    },
    /// A worker's process was reaped. All output that it left behind has been delivered.
    WorkerExited {
        /// The worker.
        worker: WorkerId,
        /// How it ended.
        status: ExitStatus,
    },
    /// Answers `Store`.
    Stored {
        /// The operation.
        store: StoreId,
        /// What came of it.
        result: Result<StoreReply, StoreError>,
    },
    /// Answers `Launch`.
    Launched {
        /// The preparation.
        launch: LaunchId,
        /// What came of it.
        result: Result<Launched, LaunchError>,
    },
    /// What the wall clock shows; at start, and again when it jumps.
    WallClock(WallClock),
    /// Nothing happened, but the time of `next_timeout` has come.
    Timeout,
    /// An embedder or another machine wants something.
    Command(C),
}

/// Who is at the other end of an accepted connection, as far as the operating system tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Process, user and process group of a Unix socket's peer; `None` for TCP.
    pub process: Option<PeerProcess>,
}

/// The credentials of a Unix socket's peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerProcess {
    /// Process id at the time of connecting.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// Process group of that process; `None` if it was gone already.
    pub pgid: Option<u32>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl core::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// An error of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct IoError {
    /// The POSIX error number; 0 if there is none.
    pub errno: i32,
    /// What failed and why, for people.
    pub text: String,
}

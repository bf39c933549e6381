//! What a machine asks its driver to do.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use bytes::BytesMut;

use super::{Batch, ConnId, LaunchId, ListenerId, StoreId, StoreRequest, WorkerId};

/// One thing to do. What may fail has inputs that say so.
#[derive(Clone, Debug, PartialEq)]
pub enum Output<N> {
    /// Read some bytes and append them to the buffer: `Received`, `Disconnected`.
    ///
    /// The buffer may have no capacity; the driver makes room when bytes have come, so that an idle
    /// connection holds no memory. At most [`READ_SIZE`](crate::session::READ_SIZE) bytes a read.
    Read {
        /// The connection.
        conn: ConnId,
        /// Where the bytes go.
        buf: BytesMut,
    },
    /// Write all of the batch: `Written`, `Disconnected`.
    Write {
        /// The connection.
        conn: ConnId,
        /// What to write.
        batch: Batch,
    },
    /// Close the connection and forget its id. Nothing is answered.
    Close {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
    /// Make a connection: `Connected`, `ConnectFailed`. `Close` cancels it.
    Connect {
        /// Its name, chosen by the machine.
        conn: ConnId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Listen and accept: `Listening`, then `Accepted` for each connection; or `ListenFailed`.
    Listen {
        /// The listener.
        listener: ListenerId,
        /// Where.
        at: ListenAt,
    },
    /// Stop listening. Accepted connections live on; a socket file is removed.
    Unlisten {
        /// The listener.
        listener: ListenerId,
    },
    /// Start a worker's process: `Spawned`, then `WorkerExited`; or `SpawnFailed`.
    Spawn {
        /// The worker.
        worker: WorkerId,
        /// What to run and how.
        spec: Box<SpawnSpec>,
    },
    /// Read some of the worker's output: `WorkerOutput`. At most one is in flight per worker.
    ReadOutput {
        /// The worker.
        worker: WorkerId,
    },
    /// Send a signal to the worker's whole process group. A process that is gone is no error.
    Kill {
        /// The worker.
        worker: WorkerId,
        /// Which signal.
        signal: Signal,
    },
    /// Do a storage operation: `Stored`.
    Store {
        /// The operation.
        store: StoreId,
        /// What to do.
        request: StoreRequest,
    },
    /// Find an app's manifest and profile and prepare its code: `Launched`.
    Launch {
        /// The preparation.
        launch: LaunchId,
        /// Of which app.
        request: LaunchRequest,
    },
    /// Tell people. Dropping it is harmless.
    Log(Record),
    /// Tell the embedder or another machine.
    Notice(N),
}

/// Why a machine closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed it, or it broke.
    Gone,
    /// It is no longer needed.
    Done,
    /// The peer broke the protocol; the text says how.
    Fault(String),
    /// The service behind it stops.
    Stopping,
}

/// Where a stream socket connects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// TCP, numeric.
    Tcp(SocketAddr),
    /// A Unix socket's path.
    Unix(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// TCP. Port 0 means any free one. No delay, keep-alive on.
    Tcp(SocketAddr),
    /// A Unix socket at this path. A stale file is removed first. Only our own user may connect,
    /// unless `owner` names the user that workers run as.
    Unix {
        /// The socket file.
        path: String,
        /// The user the socket file belongs to, if not our own.
        owner: Option<u32>,
    },
}

/// What to run as a worker, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpawnSpec {
    /// The app, for messages.
    pub app: String,
    /// The executable: absolute, or relative to `directory`.
    pub executable: String,
    /// The arguments, the first being the first flag.
    pub arguments: Vec<String>,
    /// What the worker's environment has beside, or instead of, the daemon's own.
    pub environment: BTreeMap<String, String>,
    /// The working directory.
    pub directory: String,
    /// User and group to run as, if not our own.
    pub identity: Option<(u32, u32)>,
    /// Resource limits by name (`nofile`, `as`, `core`, `cpu`, `nproc` …): soft and hard.
    pub limits: BTreeMap<String, (u64, u64)>,
}

/// A signal for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// SIGTERM: please exit.
    Term,
    /// SIGKILL: gone at once.
    Kill,
}

/// Which app to prepare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchRequest {
    /// Read `manifest.json` and, if there is one, `profile.json` in this directory, and run in place.
    InPlace {
        /// The app.
        app: String,
        /// Its directory.
        directory: String,
    },
    /// Unpack this archive into a fresh directory below the spool and switch to it in one step.
    Unpack {
        /// The app.
        app: String,
        /// The archive: tar, plain or compressed.
        archive: bytes::Bytes,
        /// The spool directory of the profile; `None` for the daemon's own.
        spool: Option<String>,
    },
}

/// How important a record is, in the protocol's own order (0 to 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For developers.
    Debug,
    /// Something happened as it should.
    Info,
    /// Something is odd; it still works.
    Warning,
    /// Something failed; someone should look.
    Error,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// How important it is.
    pub severity: Severity,
    /// Who says it: `node`, `app/echo`, `storage`.
    pub source: String,
    /// The sentence.
    pub message: String,
    /// Names and values beside it.
    pub attributes: Vec<(String, crate::wire::Value)>,
}

impl Record {
    /// A record without attributes.
    #[must_use]
    pub fn new(severity: Severity, source: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity, source: source.into(), message: message.into(), attributes: Vec::new() }
    }

    /// The same record with one attribute more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<crate::wire::Value>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }
}

//! What handlers and a worker's session say to each other.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::machine::{Endpoint, slot_key};
use crate::wire::{Dialect, Failure, Header, Limits};

/// Everything a worker must know to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// The runtime's socket for this app's workers.
    pub endpoint: Endpoint,
    /// Who we are: the name that the runtime gave us.
    pub uuid: String,
    /// The dialect to speak.
    pub protocol: Dialect,
    /// How long things may take.
    pub timeouts: SessionTimeouts,
    /// Bounds.
    pub limits: SessionLimits,
}

/// How long things may take on the worker's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimeouts {
    /// Connecting. Default 5 s.
    pub connect: Duration,
    /// Between two heartbeats. Default 10 s.
    pub heartbeat: Duration,
    /// From a heartbeat to its answer; without one the runtime has disowned us. Default 5 s.
    pub disown: Duration,
    /// What runs may take to finish when the runtime wants us to terminate, and then the goodbye
    /// to be written. Default 5 s.
    pub finish: Duration,
}

impl Default for SessionTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            heartbeat: Duration::from_secs(10),
            disown: Duration::from_secs(5),
            finish: Duration::from_secs(5),
        }
    }
}

/// The bounds of a worker's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Framing, and how many invocations run at a time.
    pub wire: Limits,
    /// With more bytes than this given to handlers and not consumed, the connection is not read. Default 1 MiB.
    pub unread_bytes: usize,
    /// After this many bytes of chunks a handler is told when they are written. Default 1 MiB.
    pub window_bytes: usize,
    /// A handler that writes on with more bytes than this waiting fails. Default 8 MiB.
    pub unsent_bytes: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            wire: Limits::default(),
            unread_bytes: 1024 * 1024,
            window_bytes: 1024 * 1024,
            unsent_bytes: 8 * 1024 * 1024,
        }
    }
}

slot_key! {
    /// One invocation, until its answer has ended. Its slot is small and dense; the whole is never used again.
    StreamKey
}

/// What a session is told by its app. What concerns a stream that is over is ignored: its end may have come
/// while the command was on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum AppCommand {
    /// A chunk of the answer.
    Write {
        /// The invocation.
        stream: StreamKey,
        /// Its bytes; more than a kibibyte is not copied.
        chunk: Bytes,
    },
    /// The answer is complete.
    Close {
        /// The invocation.
        stream: StreamKey,
    },
    /// The answer ends with an error.
    Fail {
        /// The invocation.
        stream: StreamKey,
        /// Which. The older dialect carries the code without its category.
        failure: Failure,
    },
    /// The handler has taken this many bytes of the chunks it was given.
    Consumed {
        /// The invocation.
        stream: StreamKey,
        /// How many bytes.
        bytes: usize,
    },
    /// The app wants to exit. What was written goes out first; unanswered invocations are the runtime's to fail.
    Terminate {
        /// 1 if all is well, 2 if not.
        code: i32,
        /// Why, for people.
        reason: String,
    },
}

/// What a session tells its app.
#[derive(Clone, Debug, PartialEq)]
pub enum AppNotice {
    /// An event for a handler. It must be answered by `Close` or `Fail`.
    Invoke {
        /// The invocation.
        stream: StreamKey,
        /// The event.
        event: Bytes,
        /// The caller's headers.
        headers: Vec<Header>,
    },
    /// A chunk from the caller. It counts as unread until it is consumed or the stream is over.
    Chunk {
        /// The invocation.
        stream: StreamKey,
        /// Its bytes.
        data: Bytes,
    },
    /// The caller sends no more.
    Closed {
        /// The invocation.
        stream: StreamKey,
    },
    /// The caller sends no more because of an error: mostly, it has left.
    Failed {
        /// The invocation.
        stream: StreamKey,
        /// Which.
        failure: Failure,
    },
    /// Everything that was to be written is; comes once for every
    /// [`window_bytes`](SessionLimits::window_bytes) that were given.
    Drained {
        /// The invocation.
        stream: StreamKey,
    },
    /// The answer was ended for the handler: it wrote far more than was taken.
    Refused {
        /// The invocation.
        stream: StreamKey,
        /// What the caller was told.
        failure: Failure,
    },
    /// The runtime wants us gone. There will be no more invocations; what runs may finish.
    Terminating {
        /// Why, as a number.
        code: i32,
        /// Why, for people.
        reason: String,
    },
    /// The end, exactly once. All streams are over.
    Over {
        /// How it came.
        farewell: Farewell,
    },
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// As agreed with the runtime.
    Terminated {
        /// Why, as a number.
        code: i32,
        /// Why, for people.
        reason: String,
    },
    /// The runtime did not answer a heartbeat in time.
    Disowned,
    /// The runtime closed the connection, or it broke.
    Disconnected(String),
    /// There was no connection to the runtime.
    Unreachable(String),
    /// What the runtime sent made no sense.
    Fault(String),
}

impl core::fmt::Display for Farewell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Terminated { code, reason } => write!(f, "terminated: {reason} (code {code})"),
            Self::Disowned => f.write_str("disowned: the runtime does not answer heartbeats"),
            Self::Disconnected(text) => write!(f, "lost the runtime: {text}"),
            Self::Unreachable(text) => write!(f, "no connection to the runtime: {text}"),
            Self::Fault(text) => write!(f, "the runtime broke the protocol: {text}"),
        }
    }
}

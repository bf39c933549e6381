//! What an embedder and a client say to each other.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::CallError;
use crate::machine::Endpoint;
use crate::wire::{Failure, Graph, Header, Limits, protocols};

/// Everything a client must know.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Which service.
    pub target: Target,
    /// How long things may take.
    pub timeouts: ClientTimeouts,
    /// Bounds.
    pub limits: ClientLimits,
    /// How many rounds of resolving and connecting a call waits for, at least one. Default 2: a service that is
    /// just being restarted is there in the second.
    pub rounds: u32,
    /// Seeds the jitter of the back-off.
    pub seed: [u8; 32],
}

impl ClientConfig {
    /// A client of this service with the usual timeouts and bounds.
    #[must_use]
    pub fn new(target: Target, seed: [u8; 32]) -> Self {
        Self { target, timeouts: ClientTimeouts::default(), limits: ClientLimits::default(), rounds: 2, seed }
    }
}

/// Which service, and how it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By name.
    Named {
        /// Its name.
        name: String,
        /// The version of its protocol that the caller was written for; 0 takes any.
        version: u32,
        /// Locators to ask, tried in this order.
        locators: Vec<Endpoint>,
    },
    /// Where it is known to be, with methods that are known.
    Fixed {
        /// What to call it in messages.
        name: String,
        /// Its addresses, tried in this order.
        endpoints: Vec<Endpoint>,
        /// Its methods.
        graph: Graph,
    },
}

impl Target {
    /// A service by name, in any version.
    #[must_use]
    pub fn named(name: impl Into<String>, locators: Vec<Endpoint>) -> Self {
        Self::Named { name: name.into(), version: 0, locators }
    }

    /// The locator itself.
    #[must_use]
    pub fn locator(endpoints: Vec<Endpoint>) -> Self {
        Self::Fixed { name: "locator".into(), endpoints, graph: Graph::from(&protocols::LOCATOR) }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Named { name, .. } | Self::Fixed { name, .. } => name,
        }
    }
}

/// How long things may take on the client's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// One attempt to connect. Default 2 s.
    pub connect: Duration,
    /// From the connection to a locator to its answer. Default 5 s.
    pub resolve: Duration,
    /// The pause after the first failed round; it doubles with each further one. Default 100 ms.
    pub backoff: Duration,
    /// The longest pause, to which up to a quarter of jitter is added. Default 5 s.
    pub backoff_limit: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            resolve: Duration::from_secs(5),
            backoff: Duration::from_millis(100),
            backoff_limit: Duration::from_secs(5),
        }
    }
}

/// The bounds of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Framing, and how many calls run at a time.
    pub wire: Limits,
    /// How many calls may wait for a connection. Default 4096.
    pub waiting: usize,
    /// With more bytes than this waiting to be written, new calls are refused. Default 64 MiB.
    pub queued_bytes: usize,
    /// After this many bytes of chunks a caller is told when they are written. Default 1 MiB.
    pub window_bytes: usize,
    /// A caller that writes on with more bytes than this waiting loses its call. Default 8 MiB.
    pub unsent_bytes: usize,
    /// With more bytes than this given to the embedder and not consumed, the connection is not read. Default 1 MiB.
    pub unread_bytes: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            wire: Limits::default(),
            waiting: 4096,
            queued_bytes: 64 * 1024 * 1024,
            window_bytes: 1024 * 1024,
            unsent_bytes: 8 * 1024 * 1024,
            unread_bytes: 1024 * 1024,
        }
    }
}

/// One call. The embedder numbers its calls and never uses a number again while the call lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// How long a call may take, from the command to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deadline {
    /// As long as it takes.
    #[default]
    Never,
    /// The client gives up.
    Within(Duration),
    /// The client gives up, and the service is told how long it has (`request_timeout`).
    Announced(Duration),
}

/// What a client is told. What concerns a call that is over is ignored: its end may have come while the command
/// was on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientCommand {
    /// Calls a method.
    Call {
        /// The new call.
        call: CallId,
        /// The method's name; its number is looked up in what the service says about itself.
        method: Cow<'static, str>,
        /// The encoded array of its arguments.
        args: Bytes,
        /// Headers to go with it.
        headers: Vec<Header>,
        /// How long it may take.
        deadline: Deadline,
    },
    /// Sends a chunk on the call's stream: a `write` of one raw.
    Write {
        /// The call.
        call: CallId,
        /// Its bytes; more than a kibibyte is not copied.
        chunk: Bytes,
    },
    /// Sends any message that the method's protocol allows now.
    Send {
        /// The call.
        call: CallId,
        /// Its name.
        message: Cow<'static, str>,
        /// The encoded array of its arguments.
        args: Bytes,
    },
    /// Nothing more will be sent. Where a method takes nothing more anyway, it does nothing.
    Close {
        /// The call.
        call: CallId,
    },
    /// Ends the caller's half with an error.
    Fail {
        /// The call.
        call: CallId,
        /// Which.
        failure: Failure,
    },
    /// The caller has left. Nothing more is said about the call; the service is told.
    Cancel {
        /// The call.
        call: CallId,
    },
    /// The caller has taken this many bytes of the messages it was given.
    Consumed {
        /// The call.
        call: CallId,
        /// How many bytes.
        bytes: usize,
    },
}

/// What a client tells.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientNotice {
    /// A message that is not the last. Its arguments count as unread until they are consumed or the call ends.
    Message {
        /// The call.
        call: CallId,
        /// Which message.
        message: Message,
        /// The encoded array of its arguments.
        args: Bytes,
    },
    /// The call has ended; exactly once, unless it was cancelled. What it holds at the service (a lock, a published
    /// name), it holds until it is cancelled or the connection ends.
    Ended {
        /// The call.
        call: CallId,
        /// How.
        end: End,
    },
    /// Everything that was to be written is; comes once for every
    /// [`window_bytes`](ClientLimits::window_bytes) of chunks.
    Drained {
        /// The call.
        call: CallId,
    },
    /// Something was sent on a half that has ended, or that the method does not have. Nothing went out.
    Refused {
        /// The call.
        call: CallId,
        /// Why.
        failure: Failure,
    },
}

/// A message by the name that the service gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A piece of a stream.
    Write,
    /// The result.
    Value,
    /// The end of a stream.
    Close,
    /// A word of the service's own.
    Other(String),
}

impl Message {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "write" => Self::Write,
            "value" => Self::Value,
            "close" => Self::Close,
            other => Self::Other(other.into()),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With the service's last message.
    Message {
        /// Which message.
        message: Message,
        /// The encoded array of its arguments.
        args: Bytes,
    },
    /// With an error of the service.
    Failed(Failure),
    /// The method answers nothing; the call was written.
    Written,
    /// Without an answer.
    Broken(CallError),
}

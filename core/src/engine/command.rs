//! What the node, or an embedder, and an engine say to each other.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::Bytes;

use super::queue::Urgency;
use super::request::StreamId;
use crate::config::{AppName, Manifest, Profile, Tag};
use crate::machine::Endpoint;
use crate::wire::{Failure, Header, Limits, Value};

/// Everything an engine must know to run one app.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The app.
    pub app: AppName,
    /// What to run.
    pub manifest: Manifest,
    /// How to run it.
    pub profile: Profile,
    /// The profile's name, for `info`.
    pub profile_name: String,
    /// The directory of the app's code: an absolute path.
    pub directory: String,
    /// The path of the Unix socket that workers connect to: at most 107 bytes.
    pub socket: String,
    /// The address and port that the app's service listens on; port 0 means any free one.
    pub listen: (IpAddr, u16),
    /// The locator's addresses, for the workers' command line, best first.
    pub locators: Vec<String>,
    /// The user that workers run as if the profile names none: the only one accepted on the socket.
    pub uid: u32,
    /// Bounds.
    pub limits: EngineLimits,
    /// Seeds uuids and jitter.
    pub seed: [u8; 32],
}

/// The bounds of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Framing and channels of each connection.
    pub wire: Limits,
    /// With more bytes than this waiting for a connection, its sources are slowed down. Default 1 MiB.
    pub soft_bytes: usize,
    /// With more bytes than this waiting for one channel, the channel ends with an error. One frame is
    /// accepted at any size that framing allows. Default 8 MiB.
    pub channel_bytes: usize,
    /// With more bytes than this waiting in the whole engine, requests are refused and channels that
    /// want to add to it end with an error. Default 256 MiB.
    pub engine_bytes: usize,
    /// Client connections at a time; one more is closed at once. Default 16384.
    pub clients: usize,
    /// Connections on the workers' socket that have not said who they are. Default 256.
    pub strangers: usize,
    /// Crash logs of the app that stay in the storage; the oldest ones go. Default 100.
    pub crash_logs: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            wire: Limits::default(),
            soft_bytes: 1024 * 1024,
            channel_bytes: 8 * 1024 * 1024,
            engine_bytes: 256 * 1024 * 1024,
            clients: 16 * 1024,
            strangers: 256,
            crash_logs: 100,
        }
    }
}

/// How a request wants to be queued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The worker that must take it, by name; it is started if there is none.
    pub tag: Option<Tag>,
    /// Whether it goes before others.
    pub urgency: Urgency,
}

/// What an engine is told.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineCommand {
    /// Opens a request. It is answered on the stream, exactly once.
    Open {
        /// Its name.
        stream: StreamId,
        /// The event.
        event: Bytes,
        /// The caller's headers; they go on to the worker.
        headers: Vec<Header>,
        /// How to queue it.
        policy: Policy,
    },
    /// A chunk from the caller.
    Chunk {
        /// The stream.
        stream: StreamId,
        /// Its bytes.
        data: Bytes,
    },
    /// The caller sends no more.
    End {
        /// The stream.
        stream: StreamId,
    },
    /// The caller ends its half with an error, which the worker is told.
    Fail {
        /// The stream.
        stream: StreamId,
        /// The error.
        failure: Failure,
    },
    /// The caller has left; nothing is answered any more.
    Cancel {
        /// The stream.
        stream: StreamId,
    },
    /// The caller has taken this many bytes of the chunks it was given.
    Consumed {
        /// The stream.
        stream: StreamId,
        /// How many bytes.
        bytes: usize,
    },
    /// Holds the pool at a number of workers, or lets it size itself again (0 or less).
    Control {
        /// Whose wish it is. The newest wish counts.
        lever: u64,
        /// How many workers.
        workers: i64,
    },
    /// The holder of a lever has left.
    Release {
        /// Whose wish ends.
        lever: u64,
    },
    /// Asks for a report: answered with [`EngineNotice::Info`].
    Info {
        /// Repeated in the answer.
        query: u64,
        /// Which parts: 1 the report, 2 the manifest, 4 the profile's content.
        flags: u32,
    },
    /// Stops the app: queued requests are answered at once, running ones get `stop-timeout`.
    Stop,
}

/// What an engine tells.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineNotice {
    /// The app runs; its service follows when enough workers are active.
    Started,
    /// The app cannot run; the engine is done.
    Broken {
        /// Why.
        failure: Failure,
    },
    /// The app's service is open for clients.
    Published {
        /// Where.
        endpoints: Vec<Endpoint>,
    },
    /// The app's service takes no new clients.
    Unpublished,
    /// A chunk for the caller. Its bytes count against the caller until they are consumed.
    Chunk {
        /// The stream.
        stream: StreamId,
        /// Its bytes.
        data: Bytes,
    },
    /// The request is answered. The stream is over for the caller.
    End {
        /// The stream.
        stream: StreamId,
    },
    /// The request failed. The stream is over for the caller.
    Fail {
        /// The stream.
        stream: StreamId,
        /// Why.
        failure: Failure,
    },
    /// This many bytes of the caller's chunks have gone on to the worker.
    Consumed {
        /// The stream.
        stream: StreamId,
        /// How many bytes.
        bytes: usize,
    },
    /// Answers [`EngineCommand::Info`].
    Info {
        /// As asked.
        query: u64,
        /// The report.
        report: Value,
    },
    /// Answers [`EngineCommand::Stop`]: the last process is gone, the engine can be dropped.
    Stopped,
}

//! What is said at the engine's border, and what it means.

use std::time::Duration;

use cocaine_core::machine::{Signal, WorkerId};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::ErrorCode;

use super::request::Req;

/// How a half of a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Closed,
    /// With an error.
    Failed(ErrorCode),
}

/// Something that the engine was told, or told, as an observer at its border sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'a> {
    /// A request came. It is accepted, or refused at once.
    Asked {
        /// Which.
        req: Req,
        /// How long it may take.
        timeout: Duration,
        /// It asks for a worker of a certain name.
        tagged: bool,
        /// Its headers make no sense.
        malformed: bool,
    },
    /// Its caller sent some input.
    Sent {
        /// Which.
        req: Req,
        /// What.
        bytes: &'a [u8],
    },
    /// Its caller ended the input.
    SentEnd {
        /// Which.
        req: Req,
        /// How.
        end: Ending,
    },
    /// Its caller sent nonsense on its channel, and gets an error for it.
    Misused {
        /// Which.
        req: Req,
    },
    /// Its caller wants no answer any more.
    Abandoned {
        /// Which.
        req: Req,
    },
    /// The caller gets some of the answer.
    Answer {
        /// Which.
        req: Req,
        /// What.
        bytes: &'a [u8],
    },
    /// The caller gets the end of the answer.
    AnswerEnd {
        /// Which.
        req: Req,
        /// How.
        end: Ending,
    },
    /// A worker gets the request.
    Invoke {
        /// Which.
        req: Req,
        /// Who.
        worker: WorkerId,
    },
    /// The worker gets some of the input.
    Input {
        /// Which.
        req: Req,
        /// What.
        bytes: &'a [u8],
    },
    /// The worker gets the end of the input.
    InputEnd {
        /// Which.
        req: Req,
        /// How.
        end: Ending,
    },
    /// The worker said some of the answer.
    Reply {
        /// Which.
        req: Req,
        /// What.
        bytes: &'a [u8],
    },
    /// The worker said the end of the answer.
    ReplyEnd {
        /// Which.
        req: Req,
        /// How.
        end: Ending,
    },
    /// The engine wants a process.
    Spawn(WorkerId),
    /// The process runs.
    Spawned(WorkerId),
    /// The process does not start.
    SpawnFailed(WorkerId),
    /// The process is gone.
    Exited(WorkerId),
    /// A signal for the process.
    Kill(WorkerId, Signal),
    /// The worker said who it is.
    Handshake(WorkerId),
    /// The worker sent a heartbeat.
    Beat(WorkerId),
    /// The worker said goodbye.
    Goodbye(WorkerId),
    /// The worker is told to go.
    Terminate(WorkerId),
    /// The worker's connection is closed.
    Dropped(WorkerId),
    /// The app is told to stop.
    Stop,
    /// The app has stopped.
    Stopped,
}

/// What an observer knows at every moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// What time it is.
    pub now: Timestamp,
    /// How late the engine's timer may be.
    pub lateness: Duration,
}

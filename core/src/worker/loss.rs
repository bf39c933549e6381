//! Why a worker's sessions were lost, as its clients are told.

use alloc::format;
use alloc::string::String;

use super::{Outcome, StopReason};
use crate::machine::ExitStatus;
use crate::wire::{ErrorCode, Failure, codes};

/// What ended a worker, and at which point of its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The part of its life in which it happened.
    pub during: Phase,
    /// What happened.
    pub cause: Cause,
}

/// A part of a worker's life, as far as blame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before its first heartbeat: whatever happens is a failed start.
    Starting,
    /// It was expected to work, or to finish its sessions.
    Serving,
    /// It was asked to terminate: whatever happens is not held against the app.
    Stopping(StopReason),
}

/// What happened to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its process could not be started, for this reason.
    NotSpawned(String),
    /// It did not start in time, or missed a heartbeat.
    Silent,
    /// Its connection ended.
    Disconnected,
    /// It broke the protocol; the text says how.
    Fault(String),
    /// Its process ended without a word.
    Exited(ExitStatus),
    /// It sent `terminate`.
    Terminated {
        /// The worker's code: 2 is abnormal, everything else normal.
        code: i64,
        /// The worker's words.
        reason: String,
    },
    /// It did not react to the runtime's `terminate` in time.
    Ignored,
    /// The runtime did not want it any more before it could be asked to terminate.
    Unwanted,
}

/// The worker's `terminate` code that means failure.
pub const ABNORMAL: i64 = 2;

/// The longest part of a worker's own words that goes into an error text, in bytes.
const WORDS_LIMIT: usize = 512;

impl Loss {
    /// Error code for the clients of the lost sessions.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match (self.during, &self.cause) {
            (Phase::Starting, _) => codes::ACTIVATE_TIMEOUT,
            (Phase::Stopping(StopReason::Stop), _) => codes::APP_STOPPED,
            (_, Cause::Silent) => codes::HEARTBEAT_TIMEOUT,
            (_, Cause::Ignored) => codes::TERMINATE_TIMEOUT,
            (_, Cause::Terminated { .. }) | (Phase::Stopping(_), _) => codes::COMMITTED_SUICIDE,
            (Phase::Serving, _) => codes::CONTROL_IPC,
        }
    }

    /// What the clients of the lost sessions get.
    #[must_use]
    pub fn failure(&self, uuid: &str) -> Failure {
        Failure::new(self.code(), self.text(uuid))
    }

    /// Error text: what happened, and to which worker.
    #[must_use]
    pub fn text(&self, uuid: &str) -> String {
        let what = match (&self.cause, self.during) {
            (Cause::NotSpawned(why), _) => format!("could not be started: {}", clip(why)),
            (Cause::Silent, Phase::Starting) => "has failed to activate in time".into(),
            (Cause::Silent, _) => "has missed its heartbeat".into(),
            (Cause::Disconnected, _) => "has unexpectedly disconnected".into(),
            (Cause::Fault(how), _) => format!("has broken the protocol: {}", clip(how)),
            (Cause::Exited(status), _) => format!("has exited with {status}"),
            (Cause::Terminated { code, reason }, _) => {
                format!("has terminated itself with code {code}: {}", clip(reason))
            }
            (Cause::Ignored, _) => "has not terminated in time".into(),
            (Cause::Unwanted, _) => "is no longer wanted".into(),
        };
        match self.during {
            Phase::Stopping(StopReason::Stop) => {
                format!("the application has been stopped: worker {uuid} {what}")
            }
            Phase::Starting | Phase::Serving | Phase::Stopping(_) => format!("worker {uuid} {what}"),
        }
    }

    /// Whether this counts against the app.
    ///
    /// Nothing does once the worker was asked to go. A worker that says a normal goodbye after it was
    /// active is no failure; one that leaves before its first heartbeat always is, or it would be
    /// started again and again without a pause.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match (self.during, &self.cause) {
            (Phase::Stopping(_), _) => Outcome::Normal,
            (Phase::Serving, Cause::Terminated { code, .. }) if *code != ABNORMAL => Outcome::Normal,
            (Phase::Starting | Phase::Serving, _) => Outcome::Crash(self),
        }
    }
}

/// The beginning of `text`, cut at a character's edge.
fn clip(text: &str) -> &str {
    let mut end = text.len().min(WORDS_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

//! How calls fail, and what can be done about it.

use alloc::string::String;

use thiserror::Error;

use super::End;
use crate::wire::codes::{self, category};
use crate::wire::{ErrorCode, Failure};

/// What whoever made a failed call may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// Nothing has happened: the call may be repeated, after a pause.
    Retry,
    /// It may have been carried out: repeat it only if that does no harm.
    MayHaveRun,
    /// It would fail again: the call is wrong.
    Fix,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Nothing of it left the client.
    Nobody,
    /// Some of it was handed to a connection.
    Service,
}

/// Why a call ended without an answer of its service.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// A locator does not know the service, or does not say where it is.
    #[error("service {name:?} was not found: {failure}")]
    Unresolved {
        /// The service.
        name: String,
        /// What the locator answered.
        failure: Failure,
    },
    /// Neither locator nor service could be reached. The text tells of the last attempt.
    #[error("service {name:?} cannot be reached: {text}")]
    Unreachable {
        /// The service.
        name: String,
        /// What happened.
        text: String,
    },
    /// The service speaks another version of its protocol.
    #[error("service {name:?} has protocol version {found}, the caller wants {wanted}")]
    Version {
        /// The service.
        name: String,
        /// What the caller was written for.
        wanted: u32,
        /// What there is.
        found: u32,
    },
    /// The service has no such method.
    #[error("service {name:?} has no method {method:?}")]
    NoMethod {
        /// The service.
        name: String,
        /// The method.
        method: String,
    },
    /// The connection ended before the answer did.
    #[error("disconnected from service {name:?}: {text}")]
    Disconnected {
        /// The service.
        name: String,
        /// What happened.
        text: String,
    },
    /// The deadline has passed.
    #[error("the deadline of the call has passed")]
    TimedOut {
        /// How far it came.
        reached: Reached,
    },
    /// Too much waits to be written, or too many calls run. The embedder is too fast.
    #[error("too much is waiting in the client")]
    Overloaded {
        /// How far it came.
        reached: Reached,
    },
    /// The answer is not what the service says it answers.
    #[error("service {name:?} broke its protocol: {text}")]
    Protocol {
        /// The service.
        name: String,
        /// How.
        text: String,
    },
}

impl CallError {
    /// What can be done about it.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Unresolved { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { reached: Reached::Nobody }
            | Self::Overloaded { reached: Reached::Nobody } => Advice::Retry,
            Self::Version { .. } | Self::NoMethod { .. } => Advice::Fix,
            Self::Disconnected { .. }
            | Self::Protocol { .. }
            | Self::TimedOut { reached: Reached::Service }
            | Self::Overloaded { reached: Reached::Service } => Advice::MayHaveRun,
        }
    }
}

impl End {
    /// What can be done about a failure; `None` if the call succeeded.
    #[must_use]
    pub const fn advice(&self) -> Option<Advice> {
        match self {
            Self::Message { .. } | Self::Written => None,
            Self::Failed(failure) => Some(Advice::on(failure.code)),
            Self::Broken(error) => Some(error.advice()),
        }
    }
}

impl Advice {
    /// What can be done about an error that a service answered.
    #[must_use]
    pub const fn on(code: ErrorCode) -> Self {
        match code {
            codes::QUEUE_IS_FULL
            | codes::POOL_IS_FULL
            | codes::APP_STOPPED
            | codes::NOT_RUNNING
            | codes::SESSION_DETACHED
            | codes::SERVICE_NOT_AVAILABLE
            | codes::INVOCATION_DEADLINE => Self::Retry,
            codes::BAD_ARGUMENTS | codes::SLOT_NOT_BOUND | codes::INVALID_ARGUMENT => Self::Fix,
            ErrorCode { category: category::SECURITY, .. } => Self::Fix,
            _ => Self::MayHaveRun,
        }
    }
}

//! How the tool ends.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Error, Failure};

/// Why a command did not do what it should. Each variant has an exit code, which scripts may rely on.
#[derive(Debug)]
pub(super) enum Exit {
    /// The service refused or failed.
    Service(Failure),
    /// An argument is wrong.
    Usage(String),
    /// Nobody answers.
    Unreachable(String),
    /// No answer in time.
    TimedOut(Duration),
    /// Reading the input or writing the output failed.
    Local(std::io::Error),
}

impl Exit {
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Service(_) | Self::Local(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::TimedOut(_) => 4,
        })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(failure) => failure.fmt(f),
            Self::Usage(text) | Self::Unreachable(text) => f.write_str(text),
            Self::TimedOut(limit) => {
                write!(f, "no answer within {} s; --timeout SECONDS allows for more", limit.as_secs())
            }
            Self::Local(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        match error {
            Error::Service(failure) | Error::Refused(failure) => Self::Service(failure),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl From<std::io::Error> for Exit {
    fn from(error: std::io::Error) -> Self {
        Self::Local(error)
    }
}

//! How the daemon ends.

use std::process::ExitCode;

use cocaine_runtime_std::host::config::{ClaimError, ConfigError};

/// Why the daemon did not end well. Each variant has an exit code, which scripts may rely on.
#[derive(Debug)]
pub enum Exit {
    /// A flag is wrong.
    Usage(String),
    /// A configuration file is wrong, or a directory cannot be used.
    Config(String),
    /// Another daemon uses the same directories.
    InUse(String),
    /// An address cannot be listened on.
    Listen(String),
    /// Something else.
    Other(String),
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Config(_) => 3,
            Self::InUse(_) => 4,
            Self::Listen(_) => 5,
        })
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(text)
            | Self::Config(text)
            | Self::InUse(text)
            | Self::Listen(text)
            | Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<ConfigError> for Exit {
    fn from(error: ConfigError) -> Self {
        let text = match error.snippet() {
            Some(snippet) => format!("{error}\n{snippet}"),
            None => error.to_string(),
        };
        match error {
            ConfigError::Flag { .. } => Self::Usage(text),
            _ => Self::Config(text),
        }
    }
}

impl From<ClaimError> for Exit {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::InUse { .. } => Self::InUse(error.to_string()),
            ClaimError::Unusable { .. } => Self::Config(error.to_string()),
        }
    }
}

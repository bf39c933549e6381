//! What an embedder and a node say to each other.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::engine::{EngineCommand, EngineConfig, EngineNotice};
use crate::machine::{EngineId, IoError};

/// What a node is told.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeCommand {
    /// Opens the services, then starts the local apps and those of the runlist. Answered with
    /// [`NodeNotice::Ready`] or [`NodeNotice::Failed`].
    Start,
    /// An engine says something.
    FromEngine {
        /// The engine.
        engine: EngineId,
        /// What it says.
        notice: EngineNotice,
    },
    /// An engine is no more, and has not said so itself: its thread died, or it could not be created. What was
    /// sent to it and not answered is not going to be.
    EngineGone {
        /// The engine.
        engine: EngineId,
    },
    /// Stops all apps, then the services. Answered with [`NodeNotice::Stopped`].
    Shutdown {
        /// How long that may take. Whatever runs after that is left behind.
        within: Duration,
    },
}

/// What a node tells.
#[derive(Clone, Debug)]
pub enum NodeNotice {
    /// An engine is to be created, on whatever thread. Its notices come back as [`NodeCommand::FromEngine`].
    StartEngine {
        /// Its name.
        engine: EngineId,
        /// What it needs to know.
        config: Box<EngineConfig>,
    },
    /// A command for an engine. If there is no such engine any more, it can be dropped:
    /// [`NodeCommand::EngineGone`] or the engine's own last notice answers for all that was open.
    ToEngine {
        /// The engine.
        engine: EngineId,
        /// The command.
        command: EngineCommand,
    },
    /// All services listen, and all apps of the runlist and the command line have been started or have failed.
    Ready {
        /// The addresses of each service, as given to clients, best first.
        endpoints: BTreeMap<String, Vec<SocketAddr>>,
    },
    /// The node cannot serve; it is done.
    Failed {
        /// Each service that cannot listen.
        errors: Vec<ListenFailure>,
    },
    /// Answers [`NodeCommand::Shutdown`]: every app has stopped, or the time is over; the node can be dropped.
    Stopped,
}

/// A service that cannot listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenFailure {
    /// The service's name.
    pub service: String,
    /// Where it was to listen.
    pub at: SocketAddr,
    /// Why it cannot.
    pub error: IoError,
}

impl core::fmt::Display for ListenFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "service {} cannot listen on {}: {}", self.service, self.at, self.error)
    }
}

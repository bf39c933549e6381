//! What a driver asks of the program around it.

use std::io;
use std::process::Command;
use std::sync::Arc;

use cocaine_core::machine::{
    LaunchError, LaunchRequest, Launched, Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};

use super::clock::Clock;

/// The services of a program that its drivers share: storage, app code, processes, log.
pub trait Host: Send + Sync + 'static {
    /// Does a storage operation. May block: drivers call it on a thread of its own.
    ///
    /// # Errors
    ///
    /// As [`StoreError`] says.
    fn store(&self, request: StoreRequest) -> Result<StoreReply, StoreError>;

    /// Finds and prepares an app's code. May block: drivers call it on a thread of its own.
    ///
    /// # Errors
    ///
    /// As [`LaunchError`] says.
    fn launch(&self, request: LaunchRequest) -> Result<Launched, LaunchError>;

    /// Makes the command that starts a worker: arguments, environment, directory, identity, limits.
    /// The driver adds its process group and its standard streams. May block.
    ///
    /// # Errors
    ///
    /// If such a worker cannot be started here.
    fn command(&self, spec: &SpawnSpec) -> io::Result<Command>;

    /// Writes a record to the log. Must not block.
    fn log(&self, record: Record);
}

/// What all drivers of a program share.
#[derive(Clone)]
pub struct World {
    pub(super) host: Arc<dyn Host>,
    pub(super) clock: Clock,
}

impl World {
    /// A world with a clock that starts now.
    #[must_use]
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self { host, clock: Clock::start() }
    }

    /// The clock of all drivers in this world.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }
}

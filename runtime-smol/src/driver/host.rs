//! What a driver asks of the program around it.

use std::sync::Arc;

use cocaine_core::machine::{
    IoError, LaunchError, LaunchRequest, Launched, Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_runtime_std::host::clock::Clock;
use cocaine_runtime_std::host::process::Prepared;

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

    /// Prepares to start a worker. Called, as is [`started`](Self::started), on the one thread that
    /// starts processes.
    ///
    /// # Errors
    ///
    /// If such a worker cannot be started here.
    fn prepare(&self, spec: &SpawnSpec) -> Result<Prepared, IoError>;

    /// Takes note of a process that was just started, so that a later run of the program can find it.
    fn started(&self, _pid: u32, _spec: &SpawnSpec) {}

    /// Takes note that a process and its whole group are gone. Called by the driver: must be quick.
    fn gone(&self, _pid: u32) {}

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
        Self { host, clock: Clock::new() }
    }

    /// The clock of all drivers in this world.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }
}

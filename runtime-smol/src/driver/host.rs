//! What a driver asks of the program around it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cocaine_core::machine::{
    IoError, LaunchError, LaunchRequest, Launched, Record, Severity, SpawnSpec, StoreError, StoreReply,
    StoreRequest,
};
use cocaine_runtime_std::host::clock::Clock;
use cocaine_runtime_std::host::launch::Launcher;
use cocaine_runtime_std::host::log::Log;
use cocaine_runtime_std::host::process::{GroupRecords, Prepared, ShimConfig, prepare};
use cocaine_runtime_std::host::storage::Storage;

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

/// The services of a node on this machine.
pub struct LocalHost {
    /// Where values are kept.
    pub storage: Arc<dyn Storage>,
    /// What prepares apps.
    pub launcher: Launcher,
    /// How workers are started.
    pub shim: ShimConfig,
    /// Where running groups are noted; `None` leaves orphans of a killed daemon alone.
    pub groups: Option<Mutex<GroupRecords>>,
    /// The log.
    pub log: Log,
}

impl LocalHost {
    fn note(&self, what: impl FnOnce(&mut GroupRecords) -> std::io::Result<()>) {
        let Some(groups) = &self.groups else {
            return;
        };
        let noted = what(&mut groups.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = noted {
            let message = format!("cannot note the running workers for the next start: {error}");
            self.log.write(Record::new(Severity::Warning, "driver", message));
        }
    }
}

impl Host for LocalHost {
    fn store(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        self.storage.run(request)
    }

    fn launch(&self, request: LaunchRequest) -> Result<Launched, LaunchError> {
        self.launcher.launch(&request)
    }

    fn prepare(&self, spec: &SpawnSpec) -> Result<Prepared, IoError> {
        prepare(spec, &self.shim)
    }

    fn started(&self, pid: u32, spec: &SpawnSpec) {
        self.note(|groups| groups.started(pid, Path::new(&spec.directory)));
    }

    fn gone(&self, pid: u32) {
        self.note(|groups| groups.gone(pid));
    }

    fn log(&self, record: Record) {
        self.log.write(record);
    }
}

//! What the drivers ask of this daemon: storage, app code, worker processes and the log.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use cocaine_core::machine::{
    IoError, LaunchError, LaunchRequest, Launched, Record, Severity, SpawnSpec, StoreError, StoreReply,
    StoreRequest,
};
use cocaine_runtime_std::host::launch::Launcher;
use cocaine_runtime_std::host::log::Log;
use cocaine_runtime_std::host::process::{self, GroupRecords, Prepared, ShimConfig};
use cocaine_runtime_std::host::storage::{FilesStorage, Storage};

use crate::driver::Host;

/// The blocking side of the daemon.
pub(super) struct DaemonHost {
    pub(super) storage: FilesStorage,
    pub(super) launcher: Launcher,
    pub(super) shim: ShimConfig,
    /// The worker processes that the next daemon must not find alive.
    pub(super) records: Mutex<GroupRecords>,
    pub(super) log: Log,
}

impl Host for DaemonHost {
    fn store(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        self.storage.run(request)
    }

    fn launch(&self, request: LaunchRequest) -> Result<Launched, LaunchError> {
        self.launcher.launch(&request)
    }

    fn prepare(&self, spec: &SpawnSpec) -> Result<Prepared, IoError> {
        process::prepare(spec, &self.shim)
    }

    fn started(&self, pid: u32, spec: &SpawnSpec) {
        self.note(|records| records.started(pid, Path::new(&spec.directory)));
    }

    fn gone(&self, pid: u32) {
        self.note(|records| records.gone(pid));
    }

    fn log(&self, record: Record) {
        self.log.write(record);
    }
}

impl DaemonHost {
    fn note(&self, change: impl FnOnce(&mut GroupRecords) -> std::io::Result<()>) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = change(&mut records) {
            let text = format!(
                "cannot record a worker's process, which would outlive a crash of this daemon: {error}"
            );
            self.log(Record::new(Severity::Error, "node", text));
        }
    }
}

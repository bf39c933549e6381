//! What the drivers ask of this daemon: storage, app code, worker processes and the log.

use std::sync::Arc;

use cocaine_core::machine::{
    IoError, LaunchError, LaunchRequest, Launched, Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_runtime_std::host::launch::Launcher;
use cocaine_runtime_std::host::log::Log;
use cocaine_runtime_std::host::process::{self, Prepared, ShimConfig};
use cocaine_runtime_std::host::storage::{FilesStorage, Storage};

use crate::driver::Host;

/// The blocking side of the daemon.
pub(super) struct DaemonHost {
    pub(super) storage: FilesStorage,
    pub(super) launcher: Launcher,
    pub(super) shim: ShimConfig,
    pub(super) log: Arc<Log>,
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

    fn log(&self, record: Record) {
        self.log.write(record);
    }
}

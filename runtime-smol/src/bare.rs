//! The host of a program that only talks: a worker, a client.

use cocaine_core::machine::{
    IoError, LaunchError, LaunchRequest, Launched, Record, Severity, SpawnSpec, StoreError, StoreReply,
    StoreRequest,
};
use cocaine_runtime_std::host::process::Prepared;

use crate::driver::Host;

/// No storage, no apps, no workers. What is odd is written to standard error.
pub(crate) struct Bare;

/// The error number of what is not supported (`EOPNOTSUPP`).
const NOT_SUPPORTED: i32 = 95;

impl Host for Bare {
    fn store(&self, _: StoreRequest) -> Result<StoreReply, StoreError> {
        Err(StoreError { errno: NOT_SUPPORTED, text: "this program has no storage".into() })
    }

    fn launch(&self, _: LaunchRequest) -> Result<Launched, LaunchError> {
        Err(LaunchError { errno: NOT_SUPPORTED, text: "this program runs no apps".into() })
    }

    fn prepare(&self, _: &SpawnSpec) -> Result<Prepared, IoError> {
        Err(IoError { errno: NOT_SUPPORTED, text: "this program starts no workers".into() })
    }

    fn log(&self, record: Record) {
        if record.severity >= Severity::Warning {
            eprintln!("{}: {}", record.source, record.message);
        }
    }
}

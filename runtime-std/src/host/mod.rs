//! Configuration files, storage, spool, exec shim and log: blocking code that every daemon shares.
//!
//! Nothing in here knows an executor or the protocol. An asynchronous daemon calls it on a thread
//! where blocking is allowed; what it returns is plain data of the core.

pub mod clock;
pub mod config;
pub mod json;
pub mod launch;
pub mod log;
pub mod process;
pub mod ready;
pub mod storage;

mod lock;
mod os;

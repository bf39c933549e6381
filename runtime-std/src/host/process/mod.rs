//! Starting workers and getting rid of them, without an executor.
//!
//! Workers are started through the *exec shim*: our own binary, called once more, which does in a
//! fresh single-threaded process what must not be done between `fork` and `exec` of a large threaded
//! one, and then becomes the worker.

mod command;
mod groups;
mod limits;
mod peer;
mod proc;
mod shim;

pub use command::{ExecErrorReader, Prepared, ShimConfig, Streams, prepare, shim_error};
pub use groups::{GroupRecords, Leftover, kill_leftovers};
pub use limits::{FileLimit, raise_file_limit};
pub use peer::peer;
pub use shim::shim_main;

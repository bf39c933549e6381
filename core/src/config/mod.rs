//! Manifests, profiles and runlists: checked once, then types that cannot be wrong.
//!
//! The runtimes make [`Document`](crate::machine::Document)s of files and stored values; here they
//! are checked against the rules of both generations of the format. What is wrong is a
//! [`Complaint`] that names source, key, value and rule; what is merely odd (unknown keys, keys
//! without effect) comes as warnings beside the value, see [`Checked`].

mod complaint;
mod isolate;
mod manifest;
mod names;
mod profile;
mod runlist;
mod section;
#[cfg(test)]
mod tests;
mod timeouts;

/// A dialect of the worker protocol.
pub use crate::wire::Dialect as Protocol;
pub use complaint::{Checked, Complaint};
pub use isolate::UNLIMITED;
pub use manifest::Manifest;
pub use names::{AppName, NameError, Tag};
pub use profile::{CRASHLOG_LIMIT, Growth, OPEN_QUEUE_LIMIT, Profile, QueueMode};
pub use runlist::Runlist;
pub use timeouts::Timeouts;

//! Manifests, profiles and runlists: checked once, then types that cannot be wrong.

mod timeouts;

pub use timeouts::Timeouts;

/// A dialect of the worker protocol.
pub use crate::wire::Dialect as Protocol;

//! Manifests, profiles and runlists: checked once, then types that cannot be wrong.

mod timeouts;

pub use timeouts::Timeouts;

/// A dialect of the worker protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// Three elements a frame, one message table.
    V0,
    /// Channels, headers, method trees.
    V1,
}

//! One connection's protocol state.

/// The most that one read brings, in bytes.
pub const READ_SIZE: usize = 64 * 1024;

//! One connection's protocol state: frames in, batches out, channels in between.
//!
//! [`Link`] is what every machine has for each of its connections: the resumable scanner, the header
//! table of the incoming direction, the bounded send queue, and the bits that say what is in flight.
//! [`Channels`] is the table of the conversations on it. What a frame *means* is for the owner to say.

mod channels;
mod control;
mod link;
mod send_queue;

pub use channels::{Channels, Lookup};
pub use control::{Control, unknown_method};
pub use link::{Cut, Link};
pub use send_queue::{MAX_WRITE, Payload, SendQueue};

/// The most that one read brings, in bytes.
pub const READ_SIZE: usize = 64 * 1024;

/// Payloads up to this many bytes are copied into the batch; larger ones are shared with the read buffer.
///
/// Copying keeps small frames from pinning a whole read buffer, and is cheaper than one more slice in the
/// vectored write up to about this size.
pub const COPY_LIMIT: usize = 1024;

//! How much one peer may ask of us.

/// Bounds on what a connection's peer may send. Reaching one ends the connection, or the new channel for
/// [`channels`](Self::channels); nothing is ever reserved on the word of a peer beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes of one frame. A frame that declares more is refused before the bytes come.
    pub frame_bytes: usize,
    /// How many containers may be open inside each other, the frame's own array included. Values above
    /// [`MAX_DEPTH`] mean [`MAX_DEPTH`], which is what old peers could read themselves.
    pub depth: u8,
    /// The bytes of the names and values in one frame's header list, after expanding table references.
    pub header_bytes: usize,
    /// The entries of one frame's header list.
    pub headers: usize,
    /// The live channels of one connection.
    pub channels: usize,
}

/// The deepest nesting that [`Limits::depth`] can allow.
pub const MAX_DEPTH: usize = 32;

impl Limits {
    /// What a public listener should start with: 64 MiB frames, 32 levels, 256 headers of 64 KiB, 65536 channels.
    pub const DEFAULT: Self = Self {
        frame_bytes: 64 * 1024 * 1024,
        depth: 32,
        header_bytes: 64 * 1024,
        headers: 256,
        channels: 65_536,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

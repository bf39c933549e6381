//! What both dialects have in common: the elements of a frame, and telling the dialects apart.

use core::ops::Range;

use thiserror::Error;

use super::scanner::Frame;
use super::token::{Reader, Token};

/// The generation of the protocol that a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// `[message, session, args]`, one flat table of messages.
    V0,
    /// `[channel, message, args, headers]`, a protocol state per channel.
    V1,
}

/// The largest message number: what fits the type that old peers keep it in.
pub const MAX_MESSAGE: u64 = i32::MAX as u64;

/// Why a whole frame is no message. The peer is at fault and the connection is to be closed: its headers, if it
/// has any, were not read, so those of later frames cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Too few elements, or in the older dialect too many.
    #[error("a frame has {expected} elements, this one has {found}")]
    Arity {
        /// How many it must have.
        expected: &'static str,
        /// How many it has.
        found: u32,
    },
    /// The channel, or session, is not an integer ≥ 0.
    #[error("the channel must be an integer ≥ 0")]
    Channel,
    /// The message type is not an integer from 0 to [`MAX_MESSAGE`].
    #[error("the message type must be an integer from 0 to {MAX_MESSAGE}")]
    Message,
    /// The arguments are not an array.
    #[error("the arguments must be an array")]
    Args,
    /// The headers are not an array.
    #[error("the headers must be an array")]
    Headers,
    /// A worker's first frame is the handshake of neither dialect.
    #[error("the first frame must begin with 0 or 1: it is the handshake")]
    Dialect,
}

/// Which dialect a worker speaks, told from its first frame, the handshake: its first element is the message
/// type 0 in one and the channel 1 in the other. All later frames can look alike.
///
/// # Errors
///
/// It is something else.
pub fn dialect(bytes: &[u8], frame: &Frame) -> Result<Dialect, FrameError> {
    match unsigned(bytes, frame, 0) {
        Some(0) => Ok(Dialect::V0),
        Some(1) => Ok(Dialect::V1),
        _ => Err(FrameError::Dialect),
    }
}

/// Element `index` as an integer ≥ 0 in any encoding.
#[inline]
pub(super) fn unsigned(bytes: &[u8], frame: &Frame, index: usize) -> Option<u64> {
    match Reader::new(bytes.get(frame.element(index)?)?).token() {
        Ok(Token::Uint(number)) => Some(number),
        _ => None,
    }
}

/// Element `index` as a message type.
#[inline]
pub(super) fn message(bytes: &[u8], frame: &Frame, index: usize) -> Result<u32, FrameError> {
    let number = unsigned(bytes, frame, index).filter(|number| *number <= MAX_MESSAGE);
    number.and_then(|number| u32::try_from(number).ok()).ok_or(FrameError::Message)
}

/// Where element `index` is, if it is an array.
#[inline]
pub(super) fn array(bytes: &[u8], frame: &Frame, index: usize) -> Option<Range<usize>> {
    let range = frame.element(index)?;
    matches!(bytes.get(range.start)?, 0x90..=0x9f | 0xdc | 0xdd).then_some(range)
}

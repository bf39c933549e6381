//! The dialect of protocol 0: `[message, session, args]`, exactly three elements, one table of messages.

use alloc::vec::Vec;
use core::ops::Range;

use super::encode;
use super::frame::{self, FrameError};
use super::scanner::Frame;

/// Message types of a worker's connection; the last three are also what every service answers with.
pub mod message {
    /// A worker's first message.
    pub const HANDSHAKE: u32 = 0;
    /// Both ways.
    pub const HEARTBEAT: u32 = 1;
    /// Both ways.
    pub const TERMINATE: u32 = 2;
    /// To the worker: begins a session.
    pub const INVOKE: u32 = 3;
    /// Both ways: a piece.
    pub const CHUNK: u32 = 4;
    /// Both ways: it failed. A choke follows, as a rule.
    pub const ERROR: u32 = 5;
    /// Both ways: the end of that direction.
    pub const CHOKE: u32 = 6;
}

/// The session number of handshake, heartbeats and terminate.
pub const CONTROL_SESSION: u64 = 0;

/// What a frame says before its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The message type, at most [`MAX_MESSAGE`](super::frame::MAX_MESSAGE).
    pub message: u32,
    /// The session, chosen by whoever began it.
    pub session: u64,
    /// Where the encoded array of arguments is.
    pub args: Range<usize>,
}

/// Reads the head of the frame that a scanner found at the beginning of `bytes`.
///
/// # Errors
///
/// Not exactly three elements, or one of the wrong type.
#[inline]
pub fn head(bytes: &[u8], frame: &Frame) -> Result<Head, FrameError> {
    if frame.arity != 3 {
        return Err(FrameError::Arity { expected: "exactly 3", found: frame.arity });
    }
    let message = frame::message(bytes, frame, 0)?;
    let session = frame::unsigned(bytes, frame, 1).ok_or(FrameError::Channel)?;
    let args = frame::array(bytes, frame, 2).ok_or(FrameError::Args)?;
    Ok(Head { message, session, args })
}

/// Appends a frame; `args` appends the array of arguments.
#[inline]
pub fn frame(out: &mut Vec<u8>, message: u32, session: u64, args: impl FnOnce(&mut Vec<u8>)) {
    encode::array(out, 3);
    encode::uint(out, u64::from(message));
    encode::uint(out, session);
    args(out);
}

/// Appends a worker's first message.
pub fn handshake(out: &mut Vec<u8>, uuid: &[u8]) {
    frame(out, message::HANDSHAKE, CONTROL_SESSION, |out| one_raw(out, uuid));
}

/// Appends a heartbeat, or the answer to one.
pub fn heartbeat(out: &mut Vec<u8>) {
    frame(out, message::HEARTBEAT, CONTROL_SESSION, |out| encode::array(out, 0));
}

/// Appends the demand, or the consent, to part: code 1 is normal, 2 is not.
pub fn terminate(out: &mut Vec<u8>, code: i32, reason: &[u8]) {
    frame(out, message::TERMINATE, CONTROL_SESSION, |out| code_and_text(out, code, reason));
}

/// Appends the beginning of a session.
pub fn invoke(out: &mut Vec<u8>, session: u64, event: &[u8]) {
    frame(out, message::INVOKE, session, |out| one_raw(out, event));
}

/// Appends all of a chunk but its payload, `len` bytes of which must follow.
#[inline]
pub fn chunk_head(out: &mut Vec<u8>, session: u64, len: usize) {
    frame(out, message::CHUNK, session, |out| {
        encode::array(out, 1);
        encode::raw_head(out, len);
    });
}

/// Appends a piece.
#[inline]
pub fn chunk(out: &mut Vec<u8>, session: u64, payload: &[u8]) {
    chunk_head(out, session, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a failure. Follow it with a [`choke`].
pub fn error(out: &mut Vec<u8>, session: u64, code: i32, text: &[u8]) {
    frame(out, message::ERROR, session, |out| code_and_text(out, code, text));
}

/// Appends the end of a direction.
pub fn choke(out: &mut Vec<u8>, session: u64) {
    frame(out, message::CHOKE, session, |out| encode::array(out, 0));
}

fn one_raw(out: &mut Vec<u8>, bytes: &[u8]) {
    encode::array(out, 1);
    encode::raw(out, bytes);
}

fn code_and_text(out: &mut Vec<u8>, code: i32, text: &[u8]) {
    encode::array(out, 2);
    encode::int(out, i64::from(code));
    encode::raw(out, text);
}

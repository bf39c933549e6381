//! The dialect of protocol 1: `[channel, message, args]`, and headers as a fourth element.
//!
//! What we write has three elements without headers and four with them, and headers only in their literal form.

use alloc::vec::Vec;
use core::ops::Range;

use super::encode;
use super::error::Failure;
use super::frame::{self, FrameError};
use super::headers::{self, Header};
use super::scanner::Frame;

/// The channel of a worker's connection that carries handshake, heartbeats and terminate.
pub const CONTROL_CHANNEL: u64 = 1;

/// Message types. Numbering begins anew in every protocol state.
pub mod message {
    /// First message of a worker's connection.
    pub const HANDSHAKE: u32 = 0;
    /// On the control channel, both ways, after the handshake.
    pub const HEARTBEAT: u32 = 0;
    /// On the control channel, both ways.
    pub const TERMINATE: u32 = 1;
    /// First message of a worker's channel.
    pub const INVOKE: u32 = 0;
    /// Streams: a piece.
    pub const WRITE: u32 = 0;
    /// Streams and single results: it failed; the end of that direction.
    pub const ERROR: u32 = 1;
    /// Streams: the end of that direction.
    pub const CLOSE: u32 = 2;
    /// Single results: the result; the end of that direction.
    pub const VALUE: u32 = 0;
    /// Control protocol, first message of a fresh channel: drop another channel.
    pub const REVOKE: u32 = 65_535;
    /// Control protocol: settings of the connection. Nobody implements it.
    pub const SETTINGS: u32 = 65_534;
    /// Control protocol: are you there?
    pub const PING: u32 = 65_533;
    /// Control protocol: no new channels, please. Nobody implements it.
    pub const GOAWAY: u32 = 65_532;
}

/// What a frame says before its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The channel. 0 is never legal, which is the session's business.
    pub channel: u64,
    /// The message type, at most [`MAX_MESSAGE`](super::frame::MAX_MESSAGE).
    pub message: u32,
    /// Where the encoded array of arguments is.
    pub args: Range<usize>,
    /// Where the encoded array of headers is; empty if there is none.
    pub headers: Range<usize>,
}

/// Reads the head of the frame that a scanner found at the beginning of `bytes`.
///
/// # Errors
///
/// Fewer than three elements, or one of the wrong type. Elements after the fourth are ignored.
#[inline]
pub fn head(bytes: &[u8], frame: &Frame) -> Result<Head, FrameError> {
    if frame.arity < 3 {
        return Err(FrameError::Arity { expected: "at least 3", found: frame.arity });
    }
    let channel = frame::unsigned(bytes, frame, 0).ok_or(FrameError::Channel)?;
    let message = frame::message(bytes, frame, 1)?;
    let args = frame::array(bytes, frame, 2).ok_or(FrameError::Args)?;
    let headers = match frame.arity {
        3 => args.end..args.end,
        _ => frame::array(bytes, frame, 3).ok_or(FrameError::Headers)?,
    };
    Ok(Head { channel, message, args, headers })
}

/// Appends a frame; `args` appends the array of arguments.
#[inline]
pub fn frame(out: &mut Vec<u8>, channel: u64, message: u32, args: impl FnOnce(&mut Vec<u8>)) {
    encode::array(out, 3);
    encode::uint(out, channel);
    encode::uint(out, u64::from(message));
    args(out);
}

/// Appends a frame with headers in their literal form; without any, one of three elements.
pub fn frame_with_headers(
    out: &mut Vec<u8>,
    channel: u64,
    message: u32,
    headers: &[Header],
    args: impl FnOnce(&mut Vec<u8>),
) {
    if headers.is_empty() {
        return frame(out, channel, message, args);
    }
    encode::array(out, 4);
    encode::uint(out, channel);
    encode::uint(out, u64::from(message));
    args(out);
    headers::encode_literal(out, headers);
}

/// Appends the invocation of an event, with the caller's headers.
pub fn invoke(out: &mut Vec<u8>, channel: u64, event: &[u8], headers: &[Header]) {
    frame_with_headers(out, channel, message::INVOKE, headers, |out| {
        encode::array(out, 1);
        encode::raw(out, event);
    });
}

/// Appends all of a write but its payload, `len` bytes of which must follow; for other messages of one raw too.
#[inline]
pub fn write_head(out: &mut Vec<u8>, channel: u64, message: u32, len: usize) {
    frame(out, channel, message, |out| {
        encode::array(out, 1);
        encode::raw_head(out, len);
    });
}

/// Appends a piece of a stream.
#[inline]
pub fn write(out: &mut Vec<u8>, channel: u64, payload: &[u8]) {
    write_head(out, channel, message::WRITE, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a failure, the end of a stream or single result.
pub fn error(out: &mut Vec<u8>, channel: u64, failure: &Failure) {
    frame(out, channel, message::ERROR, |out| failure.encode(out));
}

/// Appends the end of a stream.
pub fn close(out: &mut Vec<u8>, channel: u64) {
    frame(out, channel, message::CLOSE, |out| encode::array(out, 0));
}

/// Appends a single result; `fields` appends its `count` values.
pub fn value(out: &mut Vec<u8>, channel: u64, count: usize, fields: impl FnOnce(&mut Vec<u8>)) {
    frame(out, channel, message::VALUE, |out| {
        encode::array(out, count);
        fields(out);
    });
}

/// Appends a worker's first message.
pub fn handshake(out: &mut Vec<u8>, uuid: &[u8]) {
    frame(out, CONTROL_CHANNEL, message::HANDSHAKE, |out| {
        encode::array(out, 1);
        encode::raw(out, uuid);
    });
}

/// Appends a heartbeat, or the answer to one: they are the same bytes.
pub fn heartbeat(out: &mut Vec<u8>) {
    frame(out, CONTROL_CHANNEL, message::HEARTBEAT, |out| encode::array(out, 0));
}

/// Appends the demand, or the consent, to part.
pub fn terminate(out: &mut Vec<u8>, code: i32, reason: &[u8]) {
    frame(out, CONTROL_CHANNEL, message::TERMINATE, |out| {
        encode::array(out, 2);
        encode::int(out, i64::from(code));
        encode::raw(out, reason);
    });
}

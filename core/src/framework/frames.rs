//! What the runtime sends.

use alloc::string::{String, ToString};
use alloc::{format, vec::Vec};
use core::ops::Range;

use bytes::Bytes;

use super::streams::{Input, Stream};
use super::{AppNotice, Phase, Session, StreamKey};
use crate::machine::Severity;
use crate::session::{Cut, Lookup};
use crate::wire::{Args, ArgsError, Dialect, Failure, Header, codes, single_raw, v0, v1};

/// A message in the words of either dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Heartbeat,
    Terminate,
    Chunk,
    Error,
    Close,
    Unknown,
}

/// What a frame of either dialect says before its arguments.
struct Head {
    channel: u64,
    /// The number of the message.
    message: u32,
    args: Range<usize>,
    /// Empty in the older dialect.
    headers: Range<usize>,
}

impl Session {
    /// One frame of the runtime.
    ///
    /// # Errors
    /// The sentence says why the connection cannot go on.
    pub(super) fn on_frame(&mut self, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let bytes = cut.bytes(buf);
        let head = self.head(cut, bytes)?;
        let args = bytes.get(head.args.clone()).unwrap_or_default();
        let headers = bytes.get(head.headers.clone()).unwrap_or_default();
        if self.is_control(&head) {
            self.link.absorb_headers(headers)?;
            return self.on_control(&head, args);
        }
        match self.channels.lookup(head.channel) {
            Lookup::Invalid => Err("a stream frame for channel 0".into()),
            Lookup::Finished => self.link.absorb_headers(headers),
            Lookup::Live(key) => {
                self.link.absorb_headers(headers)?;
                self.on_stream_frame(key, &head, cut, buf);
                Ok(())
            }
            Lookup::New => {
                let headers = self.link.decode_headers(headers)?;
                self.on_new_channel(&head, args, headers)
            }
        }
    }

    fn head(&self, cut: &Cut, bytes: &[u8]) -> Result<Head, String> {
        match self.config.protocol {
            Dialect::V1 => {
                let v1::Head { channel, message, args, headers } =
                    v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
                Ok(Head { channel, message, args, headers })
            }
            Dialect::V0 => {
                let v0::Head { message, session, args } =
                    v0::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
                Ok(Head { channel: session, message, args, headers: 0..0 })
            }
        }
    }

    fn is_control(&self, head: &Head) -> bool {
        match self.config.protocol {
            Dialect::V1 => head.channel == v1::CONTROL_CHANNEL,
            // Sessions of control messages are ignored.
            Dialect::V0 => head.message <= v0::message::TERMINATE,
        }
    }

    fn on_control(&mut self, head: &Head, args: &[u8]) -> Result<(), String> {
        match control_word(self.config.protocol, head.message) {
            Word::Heartbeat => self.on_heartbeat(),
            Word::Terminate => {
                let (code, reason) = goodbye(args).map_err(|error| format!("terminate: {error}"))?;
                self.on_terminate(code, reason);
            }
            _ => self.ignore(&format!("unknown control message {}", head.message)),
        }
        Ok(())
    }

    fn on_new_channel(&mut self, head: &Head, args: &[u8], headers: Vec<Header>) -> Result<(), String> {
        let opens = match self.config.protocol {
            Dialect::V1 => head.message == v1::message::INVOKE,
            Dialect::V0 => head.message == v0::message::INVOKE,
        };
        self.channels.skip(head.channel);
        if !opens {
            self.ignore(&format!("message {} for channel {}, which is not open", head.message, head.channel));
            return Ok(());
        }
        let event = single_raw(args).map_err(|error| format!("invoke: {error}"))?;
        let event = Bytes::copy_from_slice(args.get(event).unwrap_or_default());
        self.on_invoke(head.channel, event, headers);
        Ok(())
    }

    fn on_invoke(&mut self, channel: u64, event: Bytes, headers: Vec<Header>) {
        if !matches!(self.phase, Phase::Serving(_)) {
            return self.write_error(channel, &Failure::from(codes::SLAVE_IS_SEALING));
        }
        if self.streams.len() >= self.config.limits.wire.channels {
            return self.write_error(channel, &Failure::from(codes::NO_RESOURCES));
        }
        let stream = self.streams.insert(Stream::new(channel));
        self.channels.keep(channel, stream);
        self.out.notice(AppNotice::Invoke { stream, event, headers });
    }

    fn on_stream_frame(&mut self, key: StreamKey, head: &Head, cut: &Cut, buf: &[u8]) {
        let args = cut.bytes(buf).get(head.args.clone()).unwrap_or_default();
        match stream_word(self.config.protocol, head.message) {
            Word::Chunk => match single_raw(args) {
                Ok(range) => {
                    let start = head.args.start;
                    let payload = cut.payload(buf, start + range.start..start + range.end);
                    self.on_chunk(key, payload.into_bytes());
                }
                Err(error) => self.fail_input(key, error.into()),
            },
            Word::Error => {
                let failure = match self.config.protocol {
                    Dialect::V1 => Failure::decode(args),
                    Dialect::V0 => Failure::decode_v0_worker(args),
                };
                self.fail_input(key, failure.unwrap_or_else(|error| error.into()));
            }
            Word::Close => self.close_input(key),
            _ => self.ignore(&format!("unknown message {} on channel {}", head.message, head.channel)),
        }
    }

    fn on_chunk(&mut self, key: StreamKey, data: Bytes) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        if stream.input == Input::Open {
            stream.unread += data.len();
            self.unread += data.len();
            self.out.notice(AppNotice::Chunk { stream: key, data });
        }
    }

    fn close_input(&mut self, key: StreamKey) {
        if self.end_input(key) {
            self.out.notice(AppNotice::Closed { stream: key });
        }
    }

    fn fail_input(&mut self, key: StreamKey, failure: Failure) {
        if self.end_input(key) {
            self.out.notice(AppNotice::Failed { stream: key, failure });
        }
    }

    /// Whether that was the end of the input, and not something behind it.
    fn end_input(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.streams.get_mut(key) else { return false };
        core::mem::replace(&mut stream.input, Input::Ended) == Input::Open
    }

    fn ignore(&mut self, what: &str) {
        self.log(Severity::Warning, format!("ignoring {what}"));
    }
}

const fn control_word(dialect: Dialect, message: u32) -> Word {
    match (dialect, message) {
        (Dialect::V1, v1::message::HEARTBEAT) | (Dialect::V0, v0::message::HEARTBEAT) => Word::Heartbeat,
        (Dialect::V1, v1::message::TERMINATE) | (Dialect::V0, v0::message::TERMINATE) => Word::Terminate,
        _ => Word::Unknown,
    }
}

const fn stream_word(dialect: Dialect, message: u32) -> Word {
    match (dialect, message) {
        (Dialect::V1, v1::message::WRITE) | (Dialect::V0, v0::message::CHUNK) => Word::Chunk,
        (Dialect::V1, v1::message::ERROR) | (Dialect::V0, v0::message::ERROR) => Word::Error,
        (Dialect::V1, v1::message::CLOSE) | (Dialect::V0, v0::message::CHOKE) => Word::Close,
        _ => Word::Unknown,
    }
}

fn goodbye(args: &[u8]) -> Result<(i32, String), ArgsError> {
    let mut args = Args::new(args)?;
    let code = i32::try_from(args.int()?).unwrap_or(i32::MAX);
    let reason = if args.is_empty() { &[] } else { args.raw()? };
    Ok((code, String::from_utf8_lossy(reason).into_owned()))
}

//! Everything in the protocol's own words.

use std::fmt::Write as _;

use cocaine_core::machine::{CloseReason, ListenAt, Severity, Signal, StoreRequest};
use cocaine_core::wire::headers::names;
use cocaine_core::wire::{Args, Failure, Frame, Header, HeaderDecoder, Limits, Value, v0, v1};

/// Payloads longer than this are abbreviated.
const SHORT: usize = 40;

/// Text longer than this is abbreviated even where it is for people.
const LONG: usize = 1000;

/// Text in quotation marks, other bytes in hexadecimal; the length is told instead of the rest.
pub(super) fn payload(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(SHORT)];
    let printable = head.iter().all(|byte| (0x20..0x7f).contains(byte));
    let mut text = match std::str::from_utf8(head) {
        Ok(text) if printable => format!("{text:?}"),
        _ => format!("<{}>", head.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    };
    if bytes.len() > SHORT {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}

/// Text for people, never abbreviated.
pub(super) fn text(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

pub(super) fn value(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match value {
        Value::Nil => "nil".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Raw(bytes) if bytes.len() > LONG => payload(bytes),
        Value::Raw(bytes) => text(bytes),
        Value::Array(items) => format!("[{}]", list(items.iter().map(self::value).collect())),
        Value::Map(pairs) => {
            let pair = |(key, item): &(Value, Value)| match key.as_str() {
                Some(key) => format!("{key}: {}", self::value(item)),
                None => format!("{}: {}", self::value(key), self::value(item)),
            };
            format!("{{{}}}", list(pairs.iter().map(pair).collect()))
        }
    }
}

pub(super) fn failure(failure: &Failure) -> String {
    format!("[{},{}] {}", failure.code.category, failure.code.code, text(&failure.text))
}

pub(super) fn signal(signal: Signal) -> &'static str {
    match signal {
        Signal::Term => "SIGTERM",
        Signal::Kill => "SIGKILL",
    }
}

pub(super) fn close_reason(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Gone => "gone".into(),
        CloseReason::Done => "done".into(),
        CloseReason::Stopping => "stopping".into(),
        CloseReason::Fault(text) => format!("fault: {text}"),
    }
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

pub(super) fn listen_at(at: &ListenAt) -> String {
    match at {
        ListenAt::Tcp(address) => format!("tcp {address}"),
        ListenAt::Unix { path, owner: None } => format!("unix {path}"),
        ListenAt::Unix { path, owner: Some(owner) } => format!("unix {path} owned by {owner}"),
    }
}

pub(super) fn store(request: &StoreRequest) -> String {
    match request {
        StoreRequest::Write { collection, key, value: bytes, tags } => {
            let content = match Value::decode(bytes) {
                Ok((content, [])) => value(&content),
                _ => payload(bytes),
            };
            format!("store {collection}/{key} tags [{}] {content}", tags.join(", "))
        }
        StoreRequest::Remove { collection, key } => format!("remove {collection}/{key}"),
        StoreRequest::Find { collection, tags } => format!("find {collection} tagged [{}]", tags.join(", ")),
        StoreRequest::Read { collection, key } => format!("read {collection}/{key}"),
    }
}

/// A frame to a worker of the newer dialect.
pub(super) fn to_worker_v1(
    bytes: &[u8],
    frame: &Frame,
    headers: &mut HeaderDecoder,
    known: u64,
) -> (String, u64) {
    let Ok(head) = v1::head(bytes, frame) else { return (unreadable(bytes), known) };
    let args = &bytes[head.args.clone()];
    let opens = head.channel > known;
    let known = known.max(head.channel);
    let text = match (head.channel, head.message) {
        (v1::CONTROL_CHANNEL, v1::message::HEARTBEAT) => "heartbeat".into(),
        (v1::CONTROL_CHANNEL, v1::message::TERMINATE) => format!("terminate {}", code_and_text(args)),
        (channel, v1::message::INVOKE) if opens => {
            let list = headers.decode(&bytes[head.headers], &Limits::DEFAULT).unwrap_or_default();
            format!("invoke {channel} {}{}", raw(args), header_list(&list))
        }
        (channel, message) => stream_v1(channel, message, args),
    };
    (text, known)
}

/// A frame of a stream, either way.
pub(super) fn stream_v1(channel: u64, message: u32, args: &[u8]) -> String {
    match message {
        v1::message::WRITE => format!("write {channel} {}", raw(args)),
        v1::message::ERROR => {
            format!("error {channel} {}", Failure::decode(args).map_or_else(|_| raw(args), |f| failure(&f)))
        }
        v1::message::CLOSE => format!("close {channel}"),
        other => format!("message {other} on {channel} {}", raw(args)),
    }
}

/// A frame of the answer to a call that is no stream.
pub(super) fn answer_v1(channel: u64, message: u32, args: &[u8]) -> String {
    match message {
        v1::message::VALUE => match Value::decode(args) {
            Ok((content, _)) => format!("value {channel} {}", value(&content)),
            Err(_) => format!("value {channel} {}", raw(args)),
        },
        other => stream_v1(channel, other, args),
    }
}

/// A frame to a worker of the older dialect.
pub(super) fn to_worker_v0(bytes: &[u8], frame: &Frame) -> String {
    let Ok(head) = v0::head(bytes, frame) else { return unreadable(bytes) };
    let args = &bytes[head.args.clone()];
    let session = head.session;
    match head.message {
        v0::message::HEARTBEAT => "heartbeat".into(),
        v0::message::TERMINATE => format!("terminate {}", code_and_text(args)),
        v0::message::INVOKE => format!("invoke {session} {}", raw(args)),
        v0::message::CHUNK => format!("chunk {session} {}", raw(args)),
        v0::message::ERROR => format!("error {session} {}", code_and_text(args)),
        v0::message::CHOKE => format!("choke {session}"),
        other => format!("message {other} of {session} {}", raw(args)),
    }
}

fn code_and_text(args: &[u8]) -> String {
    let read = |args: &[u8]| {
        let mut args = Args::new(args).ok()?;
        Some(format!("{} {}", args.int().ok()?, text(args.raw().ok()?)))
    };
    read(args).unwrap_or_else(|| raw(args))
}

/// The one raw of the arguments, or all of them.
fn raw(args: &[u8]) -> String {
    match Args::new(args).and_then(|mut args| args.raw().map(|bytes| (bytes, args.is_empty()))) {
        Ok((bytes, true)) => payload(bytes),
        _ => Value::decode(args).map_or_else(|_| unreadable(args), |(content, _)| value(&content)),
    }
}

fn header_list(headers: &[Header]) -> String {
    let one = |header: &Header| {
        let name = String::from_utf8_lossy(&header.name).into_owned();
        match <[u8; 8]>::try_from(header.value.as_ref()) {
            Ok(bytes) if name == names::REQUEST_TIMEOUT => format!("{name}: {}", u64::from_le_bytes(bytes)),
            _ => format!("{name}: {}", payload(&header.value)),
        }
    };
    if headers.is_empty() {
        return String::new();
    }
    format!(" {{{}}}", headers.iter().map(one).collect::<Vec<_>>().join(", "))
}

pub(super) fn unreadable(bytes: &[u8]) -> String {
    format!("unreadable {}", payload(bytes))
}

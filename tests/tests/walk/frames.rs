//! What peers send: mostly sense, sometimes nonsense.

use cocaine_core::config::Protocol;
use cocaine_core::rng::Rng;
use cocaine_core::wire::headers::names;
use cocaine_core::wire::{ErrorCode, Failure, Header, Value, v0, v1};

/// A frame, and what it means for the one who counts.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    pub(crate) means: Means,
}

/// What must come of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    Nothing,
    /// A call on this channel: if the channel is fresh and the call an `enqueue`, one answer.
    Call {
        channel: u64,
        enqueues: bool,
    },
    /// The channel may stay without an answer. It is said on a channel of its own.
    Revoke {
        by: u64,
        channel: u64,
    },
    /// Who knows.
    Garbage,
}

fn failure(rng: &mut Rng) -> Failure {
    Failure::new(ErrorCode::new(42, i32::try_from(rng.below(500)).unwrap_or(0)), "because")
}

fn payload(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(10) {
        0 => rng.below(12_000),
        1 => rng.below(3_000),
        _ => rng.below(40),
    };
    vec![b'x'; usize::try_from(len).unwrap_or(0)]
}

/// A frame of a client whose next fresh channel is `next`.
pub(crate) fn client(rng: &mut Rng, next: u64) -> Sent {
    let mut bytes = Vec::new();
    if next == 1 {
        return enqueue(rng, next);
    }
    let old = 1 + rng.below(next - 1);
    let means = match rng.below(40) {
        0..14 => return enqueue(rng, next),
        14..22 => {
            v1::write(&mut bytes, old, &payload(rng));
            Means::Nothing
        }
        22..28 => {
            v1::close(&mut bytes, old);
            Means::Nothing
        }
        28..30 => {
            v1::error(&mut bytes, old, &failure(rng));
            Means::Nothing
        }
        30..32 => {
            let args = Value::Array(vec![old.into(), Value::Array(vec![5u64.into(), 2u64.into()])]);
            v1::frame(&mut bytes, next, v1::message::REVOKE, |out| args.encode(out));
            return Sent { bytes, means: Means::Revoke { by: next, channel: old } };
        }
        32..37 => return call(rng, next),
        37 => {
            let args = Value::Array(vec![rng.below(4).into()]);
            v1::frame(&mut bytes, old, 0, |out| args.encode(out));
            Means::Nothing
        }
        38 => {
            v1::frame(&mut bytes, old, 77, |out| Value::Array(Vec::new()).encode(out));
            Means::Nothing
        }
        _ if rng.below(10) == 0 => {
            bytes = garbage(rng);
            Means::Garbage
        }
        _ => return call(rng, next),
    };
    Sent { bytes, means }
}

fn enqueue(rng: &mut Rng, channel: u64) -> Sent {
    let mut args = vec![Value::from("event")];
    if rng.below(4) == 0 {
        args.push(["blue", "red", "../x"][usize::try_from(rng.below(3)).unwrap_or(0)].into());
    }
    let timeout = match rng.below(8) {
        0 => Some(rng.below(3_000).to_le_bytes().to_vec()),
        1 => Some(vec![1, 2, 3]),
        _ => None,
    };
    let headers: Vec<Header> =
        timeout.into_iter().map(|value| Header::new(names::REQUEST_TIMEOUT, value)).collect();
    let mut bytes = Vec::new();
    v1::frame_with_headers(&mut bytes, channel, 0, &headers, |out| Value::Array(args).encode(out));
    Sent { bytes, means: Means::Call { channel, enqueues: true } }
}

/// Another method, or one that does not exist.
fn call(rng: &mut Rng, channel: u64) -> Sent {
    let methods = [1, 2, 3, v1::message::PING];
    let method = methods[usize::try_from(rng.below(4)).unwrap_or(0)];
    let mut bytes = Vec::new();
    v1::frame(&mut bytes, channel, method, |out| Value::Array(Vec::new()).encode(out));
    Sent { bytes, means: Means::Call { channel, enqueues: false } }
}

/// A frame of a worker, mostly for one of its sessions.
pub(crate) fn worker(rng: &mut Rng, protocol: Protocol, uuid: &str, sessions: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    let v1 = protocol == Protocol::V1;
    let known = sessions.get(usize::try_from(rng.below(sessions.len() as u64)).unwrap_or(0));
    let channel = known.copied().filter(|_| rng.below(8) > 0).unwrap_or(1 + rng.below(12));
    match rng.below(60) {
        0..12 => heartbeat(&mut out, protocol),
        12..30 if v1 => v1::write(&mut out, channel.max(2), &payload(rng)),
        12..30 => v0::chunk(&mut out, channel, &payload(rng)),
        30..50 if v1 => v1::close(&mut out, channel.max(2)),
        30..50 => v0::choke(&mut out, channel),
        50..56 if v1 => v1::error(&mut out, channel.max(2), &failure(rng)),
        50..56 => v0::error(&mut out, channel, 7, b"because"),
        56.. if rng.below(8) > 0 => heartbeat(&mut out, protocol),
        56 if v1 => v1::terminate(&mut out, 1 + i32::from(rng.below(3) == 0), b"enough"),
        56 => v0::terminate(&mut out, 1, b"enough"),
        57 if v1 => v1::frame(&mut out, channel, 0, |out| Value::Array(vec![Value::Nil]).encode(out)),
        58 => out = handshake(protocol, uuid),
        _ => out = garbage(rng),
    }
    out
}

pub(crate) fn heartbeat(out: &mut Vec<u8>, protocol: Protocol) {
    match protocol {
        Protocol::V1 => v1::heartbeat(out),
        Protocol::V0 => v0::heartbeat(out),
    }
}

pub(crate) fn handshake(protocol: Protocol, uuid: &str) -> Vec<u8> {
    let mut out = Vec::new();
    match protocol {
        Protocol::V1 => v1::handshake(&mut out, uuid.as_bytes()),
        Protocol::V0 => v0::handshake(&mut out, uuid.as_bytes()),
    }
    out
}

/// Any bytes, half of them beginning like a frame.
fn garbage(rng: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..1 + rng.below(12)).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
    if rng.below(2) == 0 {
        bytes.splice(0..1, [0x93, u8::try_from(rng.below(5)).unwrap_or(0), 0]);
    }
    bytes
}

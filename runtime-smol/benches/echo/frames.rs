//! As much of the wire as a client or worker needs that knows what will come: nothing is checked.

/// One frame: `[channel, message, args]`.
pub(crate) struct Frame<'a> {
    pub(crate) channel: u64,
    pub(crate) message: u64,
    /// The first argument, if it is a string; else empty.
    pub(crate) payload: &'a [u8],
    pub(crate) len: usize,
}

pub(crate) const WRITE: u64 = 0;
pub(crate) const ERROR: u64 = 1;
pub(crate) const CLOSE: u64 = 2;

/// What is echoed: longer than any event, so that an echo can tell it from one.
pub(crate) const PAYLOAD: [u8; 64] = [b'x'; 64];
/// Shorter than this is an event.
pub(crate) const LEAST: usize = 32;

/// The frame at the beginning, if it is whole.
#[inline]
pub(crate) fn next(bytes: &[u8]) -> Option<Frame<'_>> {
    let (elements, mut at) = array(bytes, 0)?;
    let (channel, next) = number(bytes, at)?;
    let (message, next) = number(bytes, next)?;
    at = next;
    let (count, args) = array(bytes, at)?;
    let payload = if count > 0 { raw(bytes, args).map_or(&[][..], |(payload, _)| payload) } else { &[] };
    for _ in 2..elements {
        at = skip(bytes, at)?;
    }
    Some(Frame { channel, message, payload, len: at })
}

#[inline]
fn big_endian(bytes: &[u8], at: usize, len: usize) -> Option<u64> {
    Some(bytes.get(at..at + len)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[inline]
fn number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    match first {
        0..=0x7f => Some((u64::from(first), at + 1)),
        0xcc..=0xcf => {
            let len = 1 << (first - 0xcc);
            Some((big_endian(bytes, at + 1, len)?, at + 1 + len))
        }
        _ => None,
    }
}

#[inline]
fn array(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    match first {
        0x90..=0x9f => Some((u64::from(first & 0xf), at + 1)),
        0xdc => Some((big_endian(bytes, at + 1, 2)?, at + 3)),
        _ => None,
    }
}

#[inline]
fn raw(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let first = *bytes.get(at)?;
    let (len, start) = match first {
        0xa0..=0xbf => (u64::from(first & 0x1f), at + 1),
        0xd9 | 0xc4 => (big_endian(bytes, at + 1, 1)?, at + 2),
        0xda | 0xc5 => (big_endian(bytes, at + 1, 2)?, at + 3),
        0xdb | 0xc6 => (big_endian(bytes, at + 1, 4)?, at + 5),
        _ => return None,
    };
    let end = start + usize::try_from(len).ok()?;
    Some((bytes.get(start..end)?, end))
}

/// Behind the value at this place.
fn skip(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at)?;
    match first {
        0..=0x7f | 0xc0..=0xc3 | 0xe0..=0xff => Some(at + 1),
        0xcc..=0xd3 => Some(at + 1 + (1 << (first & 3))),
        0x90..=0x9f | 0xdc => {
            let (count, mut at) = array(bytes, at)?;
            for _ in 0..count {
                at = skip(bytes, at)?;
            }
            Some(at)
        }
        _ => raw(bytes, at).map(|(_, end)| end),
    }
    .filter(|end| *end <= bytes.len())
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=0x7f => out.push(number as u8),
        0x80..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        _ => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
    }
}

/// Appends a frame with one string, or none.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, channel: u64, message: u64, payload: Option<&[u8]>) {
    out.push(0x93);
    put_number(out, channel);
    put_number(out, message);
    let Some(payload) = payload else { return out.push(0x90) };
    out.push(0x91);
    match payload.len() {
        len @ 0..=31 => out.push(0xa0 | len as u8),
        len => {
            out.push(0xda);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Appends a request: the event, the payload, the end.
pub(crate) fn put_request(out: &mut Vec<u8>, channel: u64) {
    put(out, channel, WRITE, Some(b"ping"));
    put(out, channel, WRITE, Some(&PAYLOAD));
    put(out, channel, CLOSE, None);
}

/// Answers a frame that has something to echo.
#[inline]
pub(crate) fn echo(out: &mut Vec<u8>, frame: &Frame<'_>) {
    if frame.message == WRITE && frame.payload.len() >= LEAST {
        put(out, frame.channel, WRITE, Some(frame.payload));
        put(out, frame.channel, CLOSE, None);
    }
}

/// Appends a worker's goodbye.
pub(crate) fn put_farewell(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x93\x01\x01\x92\x01\xa4done");
}

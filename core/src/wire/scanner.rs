//! Cutting a byte stream into frames without decoding them.

use core::ops::Range;

use rmp::Marker;
use thiserror::Error;

use super::limits::{Limits, MAX_DEPTH};

/// Finds the end of each frame of one connection and looks at no byte twice.
///
/// [`scan`](Self::scan) is given everything received since the first byte of the current frame, again and again,
/// and goes on where it stopped. The inside of a string is skipped without being looked at.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    /// The next byte to look at. It lies behind what was received while a string's bytes are awaited.
    position: usize,
    /// Values that must still begin before the frame is whole, over all open containers.
    owed: u64,
    /// The open containers: how many of their values have not begun, outermost first.
    open: [u64; MAX_DEPTH],
    depth: usize,
    state: State,
    arity: u32,
    /// Where the first elements of the frame's array begin.
    starts: [usize; NOTED],
    noted: usize,
}

/// Four elements mean something; the fifth only says where the fourth ends.
const NOTED: usize = 5;

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next byte is a marker.
    Marker,
    /// The next bytes are the rest of a length.
    Length(Length),
    /// This connection is lost.
    Failed(ScanError),
}

#[derive(Clone, Copy, Debug)]
struct Length {
    of: Kind,
    bytes_left: u8,
    value: u32,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Raw,
    Array,
    Map,
}

/// One whole frame: the first [`len`](Self::len) bytes that were scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How many bytes the frame has.
    pub len: usize,
    /// How many elements its array has.
    pub arity: u32,
    starts: [usize; NOTED],
}

impl Frame {
    /// Where element `index` is, for the first four elements; `None` if there are fewer.
    #[must_use]
    pub fn element(&self, index: usize) -> Option<Range<usize>> {
        let count = self.arity as usize;
        if index >= count || index + 1 >= NOTED {
            return None;
        }
        let start = *self.starts.get(index)?;
        let end = if index + 1 == count { self.len } else { *self.starts.get(index + 1)? };
        Some(start..end)
    }
}

/// Why a byte stream cannot be cut into frames. The peer is at fault and the connection is to be closed: where
/// the next frame would begin is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScanError {
    /// A frame begins with something that is not an array.
    #[error("a frame must be a msgpack array, this one begins with byte {0:#04x}")]
    NotAnArray(u8),
    /// The byte 0xc1, which msgpack never uses.
    #[error("byte {offset} of the frame is the reserved 0xc1")]
    Reserved {
        /// Where in the frame.
        offset: usize,
    },
    /// A msgpack extension, which this protocol does not have.
    #[error(
        "byte {offset} of the frame, {marker:#04x}, begins a msgpack extension, which the protocol does not have"
    )]
    Extension {
        /// Where in the frame.
        offset: usize,
        /// The byte.
        marker: u8,
    },
    /// Containers inside containers beyond [`Limits::depth`].
    #[error("the frame nests deeper than {limit} containers at byte {offset}")]
    TooDeep {
        /// Where in the frame.
        offset: usize,
        /// The limit that applied.
        limit: usize,
    },
    /// More bytes than [`Limits::frame_bytes`], by what the frame declares of itself.
    #[error("the frame needs at least {needed} bytes, more than the limit of {limit}")]
    TooLarge {
        /// What the lengths and counts read so far add up to.
        needed: u64,
        /// The limit that applied.
        limit: usize,
    },
}

impl Scanner {
    /// A scanner at the beginning of a connection.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            position: 0,
            owed: 1,
            open: [0; MAX_DEPTH],
            depth: 0,
            state: State::Marker,
            arity: 0,
            starts: [0; NOTED],
            noted: 0,
        }
    }

    /// Looks for the end of the current frame. `bytes` begins at the frame's first byte and holds all that was
    /// received since. With `Some`, the scanner is at the beginning of the next frame: the caller takes
    /// [`Frame::len`] bytes away.
    ///
    /// # Errors
    ///
    /// The stream is not the protocol's, or exceeds a limit; every later call says so again.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<Frame>, ScanError> {
        if self.position == 0
            && matches!(self.state, State::Marker)
            && let Some(frame) = common_frame(bytes, &self.limits)
        {
            return Ok(Some(frame));
        }
        let result = self.run(bytes);
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    /// At least how many bytes are missing, if `have` bytes of the current frame were received; 0 means that
    /// a frame is whole. Never more than [`Limits::frame_bytes`].
    #[must_use]
    pub fn needed(&self, have: usize) -> usize {
        let in_length = if let State::Length(length) = self.state { u64::from(length.bytes_left) } else { 0 };
        let end = (self.position as u64).saturating_add(self.owed).saturating_add(in_length);
        usize::try_from(end).unwrap_or(usize::MAX).min(self.limits.frame_bytes).saturating_sub(have)
    }

    fn run(&mut self, bytes: &[u8]) -> Result<Option<Frame>, ScanError> {
        match self.state {
            State::Marker => {}
            State::Length(length) => {
                if !self.length(bytes, length)? {
                    return Ok(None);
                }
            }
            State::Failed(error) => return Err(error),
        }
        while self.owed > 0 {
            let Some(&marker) = bytes.get(self.position) else { return Ok(None) };
            if !self.value(bytes, marker)? {
                return Ok(None);
            }
        }
        if self.position > bytes.len() {
            return Ok(None);
        }
        Ok(Some(self.finish()))
    }

    fn finish(&mut self) -> Frame {
        let frame = Frame { len: self.position, arity: self.arity, starts: self.starts };
        self.position = 0;
        self.owed = 1;
        self.starts = [0; NOTED];
        self.noted = 0;
        frame
    }

    /// Takes the value that begins at `position`; false if its length is not whole yet.
    #[inline]
    fn value(&mut self, bytes: &[u8], marker: u8) -> Result<bool, ScanError> {
        match self.depth {
            0 if !matches!(marker, 0x90..=0x9f | 0xdc | 0xdd) => return Err(ScanError::NotAnArray(marker)),
            1 => self.note_element(),
            _ => {}
        }
        let offset = self.position;
        self.position += 1;
        self.owed -= 1;
        let length = match Marker::from_u8(marker) {
            Marker::FixStr(len) => return self.leaf(usize::from(len)),
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::False | Marker::True => {
                return self.leaf(0);
            }
            Marker::FixArray(len) => return self.container(u64::from(len)),
            Marker::FixMap(len) => return self.container(2 * u64::from(len)),
            Marker::U8 | Marker::I8 => return self.leaf(1),
            Marker::U16 | Marker::I16 => return self.leaf(2),
            Marker::U32 | Marker::I32 | Marker::F32 => return self.leaf(4),
            Marker::U64 | Marker::I64 | Marker::F64 => return self.leaf(8),
            Marker::Str8 | Marker::Bin8 => Length::new(Kind::Raw, 1),
            Marker::Str16 | Marker::Bin16 => Length::new(Kind::Raw, 2),
            Marker::Str32 | Marker::Bin32 => Length::new(Kind::Raw, 4),
            Marker::Array16 => Length::new(Kind::Array, 2),
            Marker::Array32 => Length::new(Kind::Array, 4),
            Marker::Map16 => Length::new(Kind::Map, 2),
            Marker::Map32 => Length::new(Kind::Map, 4),
            Marker::Reserved => return Err(ScanError::Reserved { offset }),
            _ => return Err(ScanError::Extension { offset, marker }),
        };
        self.length(bytes, length)
    }

    #[inline]
    fn note_element(&mut self) {
        if let Some(start) = self.starts.get_mut(self.noted) {
            *start = self.position;
            self.noted += 1;
        }
    }

    /// Takes what there is of a length, and the value with it once the length is whole.
    fn length(&mut self, bytes: &[u8], mut length: Length) -> Result<bool, ScanError> {
        while length.bytes_left > 0 {
            let Some(&byte) = bytes.get(self.position) else {
                self.state = State::Length(length);
                return Ok(false);
            };
            self.position += 1;
            length.value = length.value << 8 | u32::from(byte);
            length.bytes_left -= 1;
        }
        self.state = State::Marker;
        match length.of {
            Kind::Raw => self.leaf(usize::try_from(length.value).unwrap_or(usize::MAX)),
            Kind::Array => self.container(u64::from(length.value)),
            Kind::Map => self.container(2 * u64::from(length.value)),
        }
    }

    /// A value without others inside, of `size` more bytes. Its marker is known, so it has begun: true.
    #[inline]
    fn leaf(&mut self, size: usize) -> Result<bool, ScanError> {
        self.position = self.position.saturating_add(size);
        self.check_size()?;
        self.value_began();
        self.close_finished();
        Ok(true)
    }

    #[inline]
    fn container(&mut self, items: u64) -> Result<bool, ScanError> {
        self.owed += items;
        self.check_size()?;
        if self.depth == 0 {
            self.arity = u32::try_from(items).unwrap_or(u32::MAX);
        }
        self.value_began();
        let limit = usize::from(self.limits.depth).min(MAX_DEPTH);
        match self.open.get_mut(self.depth) {
            Some(slot) if self.depth < limit => *slot = items,
            _ => return Err(ScanError::TooDeep { offset: self.position - 1, limit }),
        }
        self.depth += 1;
        self.close_finished();
        Ok(true)
    }

    /// Counts a value off the innermost container.
    #[inline]
    fn value_began(&mut self) {
        if let Some(left) = self.depth.checked_sub(1).and_then(|top| self.open.get_mut(top)) {
            *left -= 1;
        }
    }

    /// Leaves all containers whose last value has just ended.
    #[inline]
    fn close_finished(&mut self) {
        while let Some(top) = self.depth.checked_sub(1)
            && self.open.get(top) == Some(&0)
        {
            self.depth = top;
        }
    }

    /// Every value that is still owed takes at least a byte.
    #[inline]
    fn check_size(&self) -> Result<(), ScanError> {
        let needed = (self.position as u64).saturating_add(self.owed);
        if needed > self.limits.frame_bytes as u64 {
            return Err(ScanError::TooLarge { needed, limit: self.limits.frame_bytes });
        }
        Ok(())
    }
}

impl Length {
    const fn new(of: Kind, bytes_left: u8) -> Self {
        Self { of, bytes_left, value: 0 }
    }
}

/// The frame at the beginning if it is whole and looks like nearly all of them: an array of two numbers and an
/// array of at most one string. It is what [`Scanner::run`] would find, with a third of the work.
#[inline]
fn common_frame(bytes: &[u8], limits: &Limits) -> Option<Frame> {
    if *bytes.first()? != 0x93 || limits.depth < 2 {
        return None;
    }
    let message = number_end(bytes, 1)?;
    let args = number_end(bytes, message)?;
    let len = match *bytes.get(args)? {
        0x90 => args + 1,
        0x91 => string_end(bytes, args + 1)?,
        _ => return None,
    };
    let whole = len <= bytes.len() && len <= limits.frame_bytes;
    whole.then_some(Frame { len, arity: 3, starts: [1, message, args, 0, 0] })
}

#[inline]
fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        0..=0x7f => Some(at + 1),
        marker @ 0xcc..=0xcf => Some(at + 1 + (1 << (marker - 0xcc))),
        _ => None,
    }
}

#[inline]
fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        marker @ 0xa0..=0xbf => Some(at + 1 + usize::from(marker & 0x1f)),
        0xd9 | 0xc4 => Some(at + 2 + usize::from(*bytes.get(at + 1)?)),
        0xda | 0xc5 => {
            let len = bytes.get(at + 1..at + 3)?.first_chunk::<2>()?;
            Some(at + 3 + usize::from(u16::from_be_bytes(*len)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

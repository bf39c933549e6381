//! One connection as its machine sees it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::{COPY_LIMIT, Payload, SendQueue};
use crate::machine::{Batch, CloseReason, ConnId, Outbox, Output};
use crate::wire::{Frame, Header, HeaderDecoder, Limits, Scanner};

/// A connection: frames in, batches out, at most one read and one write in flight.
#[derive(Clone, Debug)]
pub struct Link {
    conn: ConnId,
    limits: Limits,
    scanner: Scanner,
    headers: HeaderDecoder,
    reading: Reading,
    send: SendQueue,
    /// It is in the outbox's list of connections with something to write.
    dirty: bool,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Reading {
    /// The buffer is here; its content is the beginning of a frame.
    Idle(BytesMut),
    /// The buffer is with the driver, or with whoever cuts frames from it.
    Away,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Closes when everything is written; nothing more is read.
    Closing(CloseReason),
    Closed,
}

/// An empty buffer that grew beyond this many bytes is given back between bursts.
const KEEP_BUFFER: usize = 32 * 1024;

/// One frame, cut from what was received.
#[derive(Debug)]
pub enum Cut {
    /// A small one, still at the front of the buffer.
    Small(Frame),
    /// A large one, taken out so that its payload can be shared.
    Large(Frame, Bytes),
}

impl Cut {
    /// Where its parts are.
    #[must_use]
    pub const fn frame(&self) -> &Frame {
        match self {
            Self::Small(frame) | Self::Large(frame, _) => frame,
        }
    }

    /// Its bytes. `buf` is the buffer it was cut from.
    #[must_use]
    pub fn bytes<'a>(&'a self, buf: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Small(frame) => buf.get(..frame.len).unwrap_or_default(),
            Self::Large(_, bytes) => bytes,
        }
    }

    /// A part of it as a payload: shared if it is large enough to be worth it.
    #[must_use]
    pub fn payload<'a>(&'a self, buf: &'a [u8], range: Range<usize>) -> Payload<'a> {
        match self {
            Self::Large(_, bytes) if range.len() > COPY_LIMIT && range.end <= bytes.len() => {
                Payload::Shared(bytes.slice(range))
            }
            _ => Payload::Borrowed(self.bytes(buf).get(range).unwrap_or_default()),
        }
    }
}

impl Link {
    /// A new connection with nothing in flight.
    #[must_use]
    pub fn new(conn: ConnId, limits: Limits) -> Self {
        Self {
            conn,
            limits,
            scanner: Scanner::new(limits),
            headers: HeaderDecoder::new(),
            reading: Reading::Idle(BytesMut::new()),
            send: SendQueue::default(),
            dirty: false,
            phase: Phase::Open,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn conn(&self) -> ConnId {
        self.conn
    }

    /// Whether frames may still come and go.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Bytes waiting to be written.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.send.len()
    }

    /// Bytes received that are not a whole frame yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        match &self.reading {
            Reading::Idle(buf) => buf.len(),
            Reading::Away => 0,
        }
    }

    // ---- receiving ----

    /// Asks for a read unless one is in flight.
    pub fn read<N>(&mut self, out: &mut Outbox<N>) {
        if !self.is_open() {
            return;
        }
        if let Reading::Idle(buf) = mem::replace(&mut self.reading, Reading::Away) {
            out.push(Output::Read { conn: self.conn, buf });
        }
    }

    /// Cuts the next whole frame from `buf`, which came with `Received`.
    ///
    /// After the frame was dealt with, [`consume`](Self::consume) removes it.
    ///
    /// # Errors
    /// The sentence says what is wrong with the framing; the connection must be closed.
    pub fn cut(&mut self, buf: &mut BytesMut) -> Result<Option<Cut>, String> {
        if !self.is_open() {
            return Ok(None);
        }
        let Some(frame) = self.scanner.scan(buf).map_err(|error| error.to_string())? else { return Ok(None) };
        if frame.len <= COPY_LIMIT {
            return Ok(Some(Cut::Small(frame)));
        }
        let bytes = buf.split_to(frame.len.min(buf.len())).freeze();
        Ok(Some(Cut::Large(frame, bytes)))
    }

    /// Removes a frame that was dealt with from the front of the buffer.
    pub fn consume(cut: &Cut, buf: &mut BytesMut) {
        if let Cut::Small(frame) = cut {
            buf.advance(frame.len.min(buf.len()));
        }
    }

    /// Takes out what was received and put back, to look at it again; `None` while a read is in flight.
    #[must_use]
    pub fn take_received(&mut self) -> Option<BytesMut> {
        match mem::replace(&mut self.reading, Reading::Away) {
            Reading::Idle(buf) => Some(buf),
            Reading::Away => None,
        }
    }

    /// Takes the buffer back when no whole frame is left in it.
    pub fn put_back(&mut self, mut buf: BytesMut) {
        if buf.is_empty() && buf.capacity() > KEEP_BUFFER {
            buf = BytesMut::new();
        }
        if !buf.is_empty() {
            // Room for the rest of a frame whose length is known, but never more than has come already: a
            // declared length costs its sender nothing.
            buf.reserve(self.scanner.needed(buf.len()).min(buf.len()));
        }
        self.reading = Reading::Idle(buf);
    }

    /// Decodes a frame's headers and feeds the table.
    ///
    /// # Errors
    /// The sentence says what is wrong with the headers; the connection must be closed.
    pub fn decode_headers(&mut self, encoded: &[u8]) -> Result<Vec<Header>, String> {
        if encoded.is_empty() {
            return Ok(Vec::new());
        }
        self.headers.decode(encoded, &self.limits).map_err(|error| error.to_string())
    }

    /// Feeds the table with the headers of a frame that nobody looks at.
    ///
    /// # Errors
    /// The sentence says what is wrong with the headers; the connection must be closed.
    pub fn absorb_headers(&mut self, encoded: &[u8]) -> Result<(), String> {
        if encoded.is_empty() {
            return Ok(());
        }
        self.headers.absorb(encoded, &self.limits).map_err(|error| error.to_string())
    }

    // ---- sending ----

    /// Queues a control frame; it overtakes stream frames.
    pub fn send_control<N>(&mut self, out: &mut Outbox<N>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_open() {
            self.send.push_control(write);
            self.wake(out);
        }
    }

    /// Queues a stream frame on the account of `owner`; returns its length.
    pub fn send<N>(&mut self, out: &mut Outbox<N>, owner: u64, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        if !self.is_open() {
            return 0;
        }
        let bytes = self.send.push_frame(owner, write);
        self.wake(out);
        bytes
    }

    /// Queues a stream frame of a head and a payload on the account of `owner`; returns its length.
    pub fn send_payload<N>(
        &mut self,
        out: &mut Outbox<N>,
        owner: u64,
        head: impl FnOnce(&mut Vec<u8>),
        payload: Payload<'_>,
    ) -> usize {
        if !self.is_open() {
            return 0;
        }
        let bytes = self.send.push_payload(owner, head, payload);
        self.wake(out);
        bytes
    }

    /// The next write, when the outbox names this connection as one with something to write.
    pub fn take_write<N>(&mut self) -> Option<Output<N>> {
        self.dirty = false;
        if self.phase == Phase::Closed {
            return None;
        }
        self.send.take_write().map(|batch| Output::Write { conn: self.conn, batch })
    }

    /// Takes the container of a finished write back, tells `paid` whose bytes left, and closes the
    /// connection if that was the last thing to wait for. Returns whether it is closed now.
    pub fn written<N>(&mut self, out: &mut Outbox<N>, batch: Batch, paid: impl FnMut(u64, usize)) -> bool {
        self.send.written(batch, paid);
        if !self.send.is_empty() {
            self.wake(out);
            return false;
        }
        if let Phase::Closing(reason) = &self.phase {
            let reason = reason.clone();
            self.close(out, reason);
            return true;
        }
        false
    }

    // ---- ending ----

    /// Closes the connection now. What waits is dropped.
    pub fn close<N>(&mut self, out: &mut Outbox<N>, reason: CloseReason) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            self.send.clear();
            self.reading = Reading::Away;
            out.push(Output::Close { conn: self.conn, reason });
        }
    }

    /// Closes the connection when everything is written. Returns whether it is closed already.
    pub fn close_when_written<N>(&mut self, out: &mut Outbox<N>, reason: CloseReason) -> bool {
        match self.phase {
            Phase::Open if self.send.is_empty() => {
                self.close(out, reason);
                true
            }
            Phase::Open => {
                self.phase = Phase::Closing(reason);
                false
            }
            Phase::Closing(_) => false,
            Phase::Closed => true,
        }
    }

    fn wake<N>(&mut self, out: &mut Outbox<N>) {
        if !self.dirty && !self.send.is_writing() {
            self.dirty = true;
            out.mark_dirty(self.conn);
        }
    }
}

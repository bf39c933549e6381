//! What waits to be written to one connection.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::COPY_LIMIT;
use crate::machine::Batch;

/// The most that one write carries, in bytes. Control frames wait no longer than such a write takes.
pub const MAX_WRITE: usize = 256 * 1024;

/// The bytes of a chunk on its way, as they are at hand.
#[derive(Clone, Debug)]
pub enum Payload<'a> {
    /// Part of a read buffer that will be used again: copied.
    Borrowed(&'a [u8]),
    /// A slice that can be kept.
    Shared(Bytes),
}

impl Payload<'_> {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether it is empty. An empty chunk is a chunk nevertheless.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Shared(bytes) => bytes,
        }
    }

    /// Its bytes, to keep.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Payload::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
            Payload::Shared(bytes) => bytes,
        }
    }
}

/// Frames waiting for one connection, in two classes: control frames overtake stream frames at the next
/// frame boundary. It knows how many bytes wait for whom, so that a slow reader can be held to account.
///
/// Two batches take turns: one is filled while the other is with the driver. In steady state nothing is
/// allocated.
#[derive(Clone, Debug, Default)]
pub struct SendQueue {
    control: Batch,
    /// Full pieces; the first may continue a frame whose beginning is with the driver.
    pieces: VecDeque<Piece>,
    /// The piece being filled.
    current: Piece,
    /// What is with the driver: `None` if nothing is.
    in_flight: Option<InFlight>,
    /// Memory that came back from the driver.
    spare: Piece,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Piece {
    batch: Batch,
    /// The bytes in it, by owner.
    marks: Vec<Mark>,
    /// It begins in the middle of a frame.
    continues: bool,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    owner: u64,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct InFlight {
    marks: Vec<Mark>,
    bytes: usize,
}

impl SendQueue {
    /// Bytes that wait, those with the driver included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits and nothing is with the driver.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a write is with the driver.
    #[must_use]
    pub const fn is_writing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Queues a control frame.
    pub fn push_control(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.control.len();
        self.control.append(write);
        self.len += self.control.len() - before;
    }

    /// Queues one or more whole small stream frames on the account of `owner`; returns their length.
    pub fn push_frame(&mut self, owner: u64, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.roll();
        let before = self.current.batch.len();
        self.current.batch.append(write);
        let bytes = self.current.batch.len() - before;
        self.note(owner, bytes);
        bytes
    }

    /// Queues a stream frame made of a head and a payload; returns its length.
    pub fn push_payload(
        &mut self,
        owner: u64,
        head: impl FnOnce(&mut Vec<u8>),
        payload: Payload<'_>,
    ) -> usize {
        let mut bytes = self.push_frame(owner, head);
        match payload {
            Payload::Shared(shared) if shared.len() > COPY_LIMIT => {
                bytes += shared.len();
                self.push_shared(owner, shared);
            }
            other => {
                let slice = other.as_slice();
                self.current.batch.push_copy(slice);
                self.note(owner, slice.len());
                bytes += slice.len();
            }
        }
        bytes
    }

    /// The next write, if there is something to write and no write is in flight.
    pub fn take_write(&mut self) -> Option<Batch> {
        if self.in_flight.is_some() {
            return None;
        }
        let mid_frame = self.pieces.front().map_or(self.current.continues, |piece| piece.continues);
        if !mid_frame && !self.control.is_empty() {
            let batch = mem::replace(&mut self.control, mem::take(&mut self.spare.batch));
            self.in_flight = Some(InFlight { marks: Vec::new(), bytes: batch.len() });
            return Some(batch);
        }
        let piece = match self.pieces.pop_front() {
            Some(piece) => piece,
            None if !self.current.batch.is_empty() => {
                mem::replace(&mut self.current, mem::take(&mut self.spare))
            }
            None => return None,
        };
        self.in_flight = Some(InFlight { marks: piece.marks, bytes: piece.batch.len() });
        Some(piece.batch)
    }

    /// Takes the container of a finished write back and tells `paid` whose bytes have left.
    pub fn written(&mut self, mut batch: Batch, mut paid: impl FnMut(u64, usize)) {
        let Some(InFlight { mut marks, bytes }) = self.in_flight.take() else { return };
        self.len -= bytes;
        for mark in marks.drain(..) {
            paid(mark.owner, mark.bytes);
        }
        batch.clear();
        self.spare.batch = batch;
        if marks.capacity() > 0 {
            self.spare.marks = marks;
        }
    }

    /// Forgets everything that waits. Owners are not told.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn push_shared(&mut self, owner: u64, mut shared: Bytes) {
        loop {
            let room = MAX_WRITE.saturating_sub(self.current.batch.len());
            if shared.len() <= room {
                self.note(owner, shared.len());
                self.current.batch.push_shared(shared);
                return;
            }
            let part = shared.split_to(room);
            self.note(owner, part.len());
            self.current.batch.push_shared(part);
            self.start_piece(true);
        }
    }

    /// Starts another piece when the current one is full.
    fn roll(&mut self) {
        if self.current.batch.len() >= MAX_WRITE {
            self.start_piece(false);
        }
    }

    fn start_piece(&mut self, continues: bool) {
        let next = Piece { continues, ..Piece::default() };
        self.pieces.push_back(mem::replace(&mut self.current, next));
    }

    fn note(&mut self, owner: u64, bytes: usize) {
        self.len += bytes;
        match self.current.marks.last_mut() {
            Some(mark) if mark.owner == owner => mark.bytes += bytes,
            _ => self.current.marks.push(Mark { owner, bytes }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut SendQueue) -> (Vec<Vec<u8>>, Vec<(u64, usize)>) {
        let (mut writes, mut paid) = (Vec::new(), Vec::new());
        while let Some(batch) = queue.take_write() {
            assert!(queue.take_write().is_none(), "one write in flight");
            assert!(batch.len() <= MAX_WRITE + COPY_LIMIT + 16);
            writes.push(batch.to_vec());
            queue.written(batch, |owner, bytes| paid.push((owner, bytes)));
        }
        (writes, paid)
    }

    #[test]
    fn frames_of_one_wake_up_leave_in_one_write() {
        let mut queue = SendQueue::default();
        queue.push_frame(1, |out| out.extend_from_slice(b"aa"));
        queue.push_payload(1, |out| out.push(b'h'), Payload::Borrowed(b"body"));
        queue.push_frame(2, |out| out.push(b'z'));
        assert_eq!(queue.len(), 8);
        let (writes, paid) = drain(&mut queue);
        assert_eq!(writes, [b"aahbodyz".to_vec()]);
        assert_eq!(paid, [(1, 7), (2, 1)]);
        assert!(queue.is_empty());
    }

    #[test]
    fn control_overtakes_at_a_frame_boundary_only() {
        let mut queue = SendQueue::default();
        let big = Bytes::from(vec![7u8; 3 * MAX_WRITE]);
        queue.push_payload(1, |out| out.push(b'h'), Payload::Shared(big));
        queue.push_frame(1, |out| out.push(b'n'));
        let first = queue.take_write().unwrap();
        queue.push_control(|out| out.push(b'!'));
        queue.written(first, |_, _| ());
        let (writes, _) = drain(&mut queue);
        let control = writes.iter().position(|write| write == b"!").unwrap();
        let before: usize = writes[..control].iter().map(Vec::len).sum();
        assert!(before > 0, "the frame that had begun goes on");
        let all: Vec<u8> = writes.concat();
        assert_eq!(all.iter().filter(|byte| **byte == 7).count() + MAX_WRITE - 1, 3 * MAX_WRITE);
        assert!(queue.is_empty());
    }

    #[test]
    fn control_waits_for_no_queue_of_whole_frames() {
        let mut queue = SendQueue::default();
        for _ in 0..2_000 {
            queue.push_payload(1, |out| out.push(b'h'), Payload::Borrowed(&[0; 1000]));
        }
        queue.push_control(|out| out.push(b'!'));
        assert_eq!(queue.take_write().unwrap().to_vec(), b"!");
    }

    #[test]
    fn steady_state_uses_the_same_two_batches() {
        let mut queue = SendQueue::default();
        for round in 0..100u64 {
            queue.push_payload(round, |out| out.push(b'h'), Payload::Borrowed(&[1; 64]));
            let batch = queue.take_write().unwrap();
            queue.push_frame(round, |out| out.push(b'x'));
            queue.written(batch, |owner, bytes| assert_eq!((owner, bytes), (round, 65)));
            let batch = queue.take_write().unwrap();
            queue.written(batch, |_, _| ());
        }
        assert!(queue.is_empty() && queue.pieces.is_empty());
    }
}

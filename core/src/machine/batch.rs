//! What one write carries.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

/// Bytes to write to one connection, as a few slices: small pieces copied together, large ones shared.
///
/// A driver writes [`slices`](Batch::slices) (making its own `IoSlice`s), calls
/// [`advance`](Batch::advance) with what the socket took, and gives the batch back in
/// [`Input::Written`](super::Input::Written) when it is empty. Its memory is then used again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The copied pieces, back to back.
    copied: Vec<u8>,
    /// The order of the pieces.
    parts: VecDeque<Part>,
    /// Where in `copied` the first unwritten copied byte is.
    start: usize,
    len: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// This many of the copied bytes.
    Copied(usize),
    Shared(Bytes),
}

/// A copied area larger than this is not kept for the next batch.
const KEEP_CAPACITY: usize = 256 * 1024;

impl Batch {
    /// An empty batch.
    #[must_use]
    pub const fn new() -> Self {
        Self { copied: Vec::new(), parts: VecDeque::new(), start: 0, len: 0 }
    }

    /// How many bytes are left to write.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is left to write.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes left to write, as slices in order.
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = self.start;
        self.parts.iter().map(move |part| match part {
            Part::Copied(len) => {
                let slice = self.copied.get(at..at + len).unwrap_or_default();
                at += len;
                slice
            }
            Part::Shared(bytes) => bytes.as_ref(),
        })
    }

    /// Takes note that the first `count` bytes were written.
    pub fn advance(&mut self, count: usize) {
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            match self.parts.front_mut() {
                Some(Part::Copied(len)) => {
                    let step = left.min(*len);
                    self.start += step;
                    *len -= step;
                    left -= step;
                    if *len > 0 {
                        return;
                    }
                }
                Some(Part::Shared(bytes)) => {
                    let step = left.min(bytes.len());
                    bytes::Buf::advance(bytes, step);
                    left -= step;
                    if !bytes.is_empty() {
                        return;
                    }
                }
                None => return,
            }
            self.parts.pop_front();
        }
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.copied.clear();
        if self.copied.capacity() > KEEP_CAPACITY {
            self.copied = Vec::new();
        }
        self.parts.clear();
        self.start = 0;
        self.len = 0;
    }

    /// Appends what `write` writes.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.copied.len();
        write(&mut self.copied);
        let added = self.copied.len().saturating_sub(before);
        self.note_copied(added);
    }

    /// Appends a copy of `bytes`.
    pub fn push_copy(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
        self.note_copied(bytes.len());
    }

    /// Appends `bytes` without copying them.
    pub fn push_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.parts.push_back(Part::Shared(bytes));
        }
    }

    /// Appends all of `other`, whose memory stays with it.
    pub fn push_batch(&mut self, other: &mut Self) {
        let mut at = other.start;
        for part in other.parts.drain(..) {
            match part {
                Part::Copied(len) => {
                    self.push_copy(other.copied.get(at..at + len).unwrap_or_default());
                    at += len;
                }
                Part::Shared(bytes) => self.push_shared(bytes),
            }
        }
        other.clear();
    }

    /// Everything in one piece; for tests and traces.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices().fold(Vec::with_capacity(self.len), |mut all, slice| {
            all.extend_from_slice(slice);
            all
        })
    }

    fn note_copied(&mut self, added: usize) {
        if added == 0 {
            return;
        }
        self.len += added;
        if let Some(Part::Copied(len)) = self.parts.back_mut() {
            *len += added;
        } else {
            self.parts.push_back(Part::Copied(added));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed() -> Batch {
        let mut batch = Batch::new();
        batch.push_copy(b"abc");
        batch.append(|out| out.extend_from_slice(b"def"));
        batch.push_shared(Bytes::from_static(b"GHI"));
        batch.push_copy(b"jk");
        batch
    }

    #[test]
    fn copied_neighbours_become_one_slice() {
        let batch = mixed();
        let slices: Vec<&[u8]> = batch.slices().collect();
        assert_eq!(slices, [&b"abcdef"[..], b"GHI", b"jk"]);
        assert_eq!(batch.len(), 11);
    }

    #[test]
    fn any_two_writes_give_the_same_bytes() {
        for cut in 0..=11 {
            let mut batch = mixed();
            let all = batch.to_vec();
            batch.advance(cut);
            assert_eq!(batch.to_vec(), &all[cut..]);
            batch.advance(100);
            assert!(batch.is_empty());
            assert_eq!(batch.slices().count(), 0);
        }
    }

    #[test]
    fn a_half_written_batch_moves_over_whole() {
        let mut batch = mixed();
        batch.advance(4);
        let mut other = Batch::new();
        other.push_copy(b"_");
        other.push_batch(&mut batch);
        assert_eq!(other.to_vec(), b"_efGHIjk");
        assert!(batch.is_empty());
    }
}

//! Bytes of one direction, cut into frames.

use cocaine_core::wire::{Frame, Limits, Scanner};

pub(super) struct Stream {
    bytes: Vec<u8>,
    scanner: Scanner,
    broken: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self { bytes: Vec::new(), scanner: Scanner::new(Limits::DEFAULT), broken: false }
    }
}

impl Stream {
    /// The frames that these bytes complete; none after one that makes no sense.
    pub(super) fn frames(&mut self, bytes: &[u8]) -> Vec<(Frame, Vec<u8>)> {
        let mut frames = Vec::new();
        self.bytes.extend_from_slice(bytes);
        while !self.broken {
            match self.scanner.scan(&self.bytes) {
                Ok(Some(frame)) => frames.push((frame, self.bytes.drain(..frame.len).collect())),
                Ok(None) => break,
                Err(_) => self.broken = true,
            }
        }
        frames
    }

    /// The frames that a machine has written.
    ///
    /// # Panics
    ///
    /// They make no sense.
    pub(super) fn sound_frames(&mut self, bytes: &[u8]) -> Vec<(Frame, Vec<u8>)> {
        let frames = self.frames(bytes);
        assert!(!self.broken, "the machine writes frames");
        frames
    }

    /// What came before made no sense.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }
}

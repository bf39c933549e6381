//! What happened: all of it as a number, the last of it as words.

use std::collections::VecDeque;
use std::fmt;

use cocaine_core::time::Timestamp;

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    last: VecDeque<String>,
    /// Lines are printed as they come.
    aloud: bool,
    lines: u64,
}

/// How many lines are remembered.
const KEPT: usize = 60;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

impl Trace {
    /// Nothing has happened.
    #[must_use]
    pub const fn new(aloud: bool) -> Self {
        Self { hash: OFFSET, last: VecDeque::new(), aloud, lines: 0 }
    }

    /// One more thing.
    pub fn note(&mut self, now: Timestamp, what: fmt::Arguments<'_>) {
        let line = format!("{now} {what}");
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        if self.aloud {
            println!("{line}");
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
        self.lines += 1;
    }

    /// Equal for equal runs.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How much happened.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The last lines.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

//! What a request is like, for those who make it, who answer it, and who watch.

use std::time::Duration;

/// A request's number in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Req(pub usize);

/// What a worker does about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers at once.
    Prompt,
    /// Answers when it has all the input.
    Patient,
    /// Answers in pieces over some time.
    Slow,
    /// Fails.
    Fails,
    /// Answers never.
    Hangs,
    /// Exits.
    Crashes,
    /// Answers, and goes on talking after the end.
    Sloppy,
    /// Sends a chunk that is none.
    Nonsense,
}

/// All kinds with their letters.
const KINDS: &[(Kind, u8)] = &[
    (Kind::Prompt, b'p'),
    (Kind::Patient, b'w'),
    (Kind::Slow, b's'),
    (Kind::Fails, b'f'),
    (Kind::Hangs, b'h'),
    (Kind::Crashes, b'x'),
    (Kind::Sloppy, b'l'),
    (Kind::Nonsense, b'n'),
];

/// What its event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Which request it is.
    pub req: Req,
    /// What to do.
    pub kind: Kind,
    /// How many pieces the answer has.
    pub chunks: usize,
    /// How many bytes each has.
    pub size: usize,
}

impl Task {
    /// The name of the event.
    #[must_use]
    pub fn event(&self) -> String {
        let letter = KINDS.iter().find(|(kind, _)| *kind == self.kind).map_or(b'?', |(_, letter)| *letter);
        format!("{} {} {} {}", self.req.0, char::from(letter), self.chunks, self.size)
    }

    /// What an event's name says.
    #[must_use]
    pub fn read(event: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(event).ok()?;
        let mut words = text.split(' ');
        let req = Req(words.next()?.parse().ok()?);
        let letter = *words.next()?.as_bytes().first()?;
        let kind = KINDS.iter().find(|(_, known)| *known == letter)?.0;
        Some(Self { req, kind, chunks: words.next()?.parse().ok()?, size: words.next()?.parse().ok()? })
    }
}

/// What else is to know about a request.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long it may take.
    pub timeout: Duration,
    /// It asks for a worker of a certain name.
    pub tagged: bool,
    /// Its headers make no sense.
    pub malformed: bool,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the worker.
    Up,
    /// To the caller.
    Down,
}

/// The bytes at this place of this request's stream: like no other's.
pub fn pattern(req: Req, way: Way, from: u64, len: usize) -> impl Iterator<Item = u8> {
    let salt = (req.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(way == Way::Up);
    (from..from + len as u64).map(move |at| {
        let mixed = (salt ^ at).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed.to_be_bytes()[0]
    })
}

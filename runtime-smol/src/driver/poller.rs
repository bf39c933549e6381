//! Which sockets have something to do: one edge-triggered epoll per driver.
//!
//! Executors' reactors watch descriptors in one-shot mode, which costs a system call per descriptor
//! and wake-up. A driver registers each of its descriptors once, with itself, and lets the executor
//! watch only this one set.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cocaine_core::machine::{ConnId, ListenerId, Origin, WorkerId};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Token {
    Conn(ConnId),
    Listener(ListenerId),
    /// The output pipe of a worker.
    Output(WorkerId),
    /// Whether a worker could be executed.
    Executed(WorkerId),
    /// The end of a worker's process.
    Exit(WorkerId),
    Alarm,
    WallClock,
}

/// A kind in the three highest bits, the rest below.
const KIND_SHIFT: u32 = 61;
/// Connections have 29 bits of slot over 32 bits of generation.
pub(super) const MAX_SLOT: u32 = (1 << 29) - 1;

impl Token {
    fn pack(self) -> u64 {
        let (kind, rest) = match self {
            Self::Conn(id) => {
                let rest = u64::from(id.slot() & MAX_SLOT) << 32 | u64::from(id.generation());
                (if id.origin() == Origin::Accepted { 0 } else { 1 }, rest)
            }
            Self::Listener(id) => (2, id.number()),
            Self::Output(id) => (3, id.number()),
            Self::Exit(id) => (4, id.number()),
            Self::Executed(id) => (5, id.number()),
            Self::Alarm => (6, 0),
            Self::WallClock => (7, 0),
        };
        kind << KIND_SHIFT | rest
    }

    fn unpack(packed: u64) -> Self {
        let rest = packed & ((1 << KIND_SHIFT) - 1);
        let (slot, generation) = ((rest >> 32) as u32, rest as u32);
        match packed >> KIND_SHIFT {
            0 => Self::Conn(ConnId::accepted(slot, generation)),
            1 => Self::Conn(ConnId::dialed(slot, generation)),
            2 => Self::Listener(ListenerId::new(rest)),
            3 => Self::Output(WorkerId::new(rest)),
            4 => Self::Exit(WorkerId::new(rest)),
            5 => Self::Executed(WorkerId::new(rest)),
            6 => Self::Alarm,
            _ => Self::WallClock,
        }
    }
}

/// What happened to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readiness(EventFlags);

impl Readiness {
    pub(super) fn readable(self) -> bool {
        self.0.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
    }

    pub(super) fn writable(self) -> bool {
        self.0.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR)
    }

    /// The peer closed at least its sending half, or the connection broke.
    pub(super) fn hung_up(self) -> bool {
        self.0.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
    }
}

/// What to be told about a descriptor.
///
/// Room to write is asked for only while a write waits for it: a Unix socket would report it each
/// time the peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    Read,
    ReadWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        let read = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        match self {
            Self::Read => read,
            Self::ReadWrite => read | EventFlags::OUT,
        }
    }
}

/// How many events one call brings.
const EVENTS: usize = 256;

pub(super) struct Poller {
    epoll: OwnedFd,
    /// What the last `collect` brought.
    events: Vec<(Token, Readiness)>,
}

impl Poller {
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(EVENTS) })
    }

    pub(super) fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> Result<(), Errno> {
        epoll::add(&self.epoll, fd, EventData::new_u64(token.pack()), interest.flags())
    }

    /// Changes the interest. What is possible already is reported again.
    pub(super) fn modify(&self, fd: impl AsFd, token: Token, interest: Interest) -> Result<(), Errno> {
        epoll::modify(&self.epoll, fd, EventData::new_u64(token.pack()), interest.flags())
    }

    /// Collects what happened without waiting. What does not fit keeps the set readable.
    pub(super) fn collect(&mut self) -> Result<(), Errno> {
        self.events.clear();
        let mut buffer = [const { MaybeUninit::<Event>::uninit() }; EVENTS];
        let events = match epoll::wait(&self.epoll, &mut buffer[..], Some(&Timespec::default())) {
            Ok((events, _)) => &*events,
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error),
        };
        let known = events.iter().map(|event| (Token::unpack(event.data.u64()), Readiness(event.flags)));
        self.events.extend(known);
        Ok(())
    }

    /// One of the things that the last `collect` brought.
    pub(super) fn event(&self, index: usize) -> Option<(Token, Readiness)> {
        self.events.get(index).copied()
    }
}

impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [
            Token::Conn(ConnId::accepted(0, 0)),
            Token::Conn(ConnId::accepted(MAX_SLOT, u32::MAX)),
            Token::Conn(ConnId::dialed(7, 9)),
            Token::Listener(ListenerId::new(1)),
            Token::Output(WorkerId::new(u64::MAX >> 3)),
            Token::Exit(WorkerId::new(3)),
            Token::Executed(WorkerId::new(4)),
            Token::Alarm,
            Token::WallClock,
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}

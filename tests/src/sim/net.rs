//! Connections with a weather of their own.

use std::collections::VecDeque;
use std::time::Duration;

use cocaine_core::time::Timestamp;

use super::agenda::Agenda;
use super::dice::Dice;
use super::event::{Event, Owner};
use super::options::Options;

/// All connections.
#[derive(Debug)]
pub struct Net {
    pipes: Vec<[Side; 2]>,
    dice: Dice,
    delay_ms: u64,
    capacity: usize,
    crumbs: u32,
    /// Faults still happen.
    pub stormy: bool,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pipe: usize,
    side: usize,
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The sender sends no more.
    Fin,
    /// The connection is broken.
    Reset,
}

/// An end, and what comes to it.
#[derive(Debug)]
struct Side {
    owner: Owner,
    /// Arrived and not read.
    inbox: VecDeque<u8>,
    /// Sent to this end and not read, in bytes.
    load: usize,
    /// When what was sent last arrives: nothing overtakes.
    last: Timestamp,
    /// Nothing arrives; what should waits here.
    clogged: bool,
    held: Vec<Parcel>,
    fin: bool,
    reset: bool,
    /// This end has closed.
    closed: bool,
    /// The other end waits for room.
    awaited: bool,
}

/// What a read gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The other side sends no more.
    Fin,
    /// The connection is broken.
    Reset,
}

impl Side {
    const fn new(owner: Owner) -> Self {
        Self {
            owner,
            inbox: VecDeque::new(),
            load: 0,
            last: Timestamp::ZERO,
            clogged: false,
            held: Vec::new(),
            fin: false,
            reset: false,
            closed: false,
            awaited: false,
        }
    }
}

impl Net {
    /// No connections yet.
    #[must_use]
    pub const fn new(options: &Options, dice: Dice) -> Self {
        let Options { delay_ms, capacity, crumbs, .. } = *options;
        Self { pipes: Vec::new(), dice, delay_ms, capacity, crumbs, stormy: true }
    }

    /// A connection between two; the end of each.
    pub fn connect(&mut self, a: Owner, b: Owner) -> (End, End) {
        let pipe = self.pipes.len();
        self.pipes.push([Side::new(a), Side::new(b)]);
        (End { pipe, side: 0 }, End { pipe, side: 1 })
    }

    fn side(&mut self, end: End) -> &mut Side {
        &mut self.pipes[end.pipe][end.side]
    }

    /// Whose end this is.
    #[must_use]
    pub fn owner(&self, end: End) -> Owner {
        self.pipes[end.pipe][end.side].owner
    }

    /// Sends some of the bytes; how many. With none, or not all, `Event::Room` follows when there is room.
    pub fn send(&mut self, agenda: &mut Agenda<Event>, from: End, bytes: &[u8]) -> usize {
        let to = other(from);
        let capacity = self.capacity;
        let target = self.side(to);
        if target.closed || target.reset {
            return bytes.len();
        }
        let count = capacity.saturating_sub(target.load).min(bytes.len());
        target.awaited |= count < bytes.len();
        if count > 0 {
            target.load += count;
            self.post(agenda, to, Parcel::Bytes(bytes[..count].to_vec()));
        }
        count
    }

    /// Sends however much it is.
    pub fn send_all(&mut self, agenda: &mut Agenda<Event>, from: End, bytes: &[u8]) {
        self.side(other(from)).load += bytes.len();
        self.post(agenda, other(from), Parcel::Bytes(bytes.to_vec()));
    }

    /// Sends no more.
    pub fn half_close(&mut self, agenda: &mut Agenda<Event>, from: End) {
        self.post(agenda, other(from), Parcel::Fin);
    }

    /// Closes this end; what was sent still arrives.
    pub fn close(&mut self, agenda: &mut Agenda<Event>, end: End) {
        let side = self.side(end);
        if std::mem::replace(&mut side.closed, true) {
            return;
        }
        side.inbox.clear();
        self.post(agenda, other(end), Parcel::Fin);
    }

    /// Breaks the connection for both.
    pub fn reset(&mut self, agenda: &mut Agenda<Event>, end: End) {
        for end in [end, other(end)] {
            agenda.after(Duration::ZERO, Event::Arrive { end, parcel: Parcel::Reset });
        }
    }

    fn post(&mut self, agenda: &mut Agenda<Event>, to: End, parcel: Parcel) {
        let delay = if self.stormy { self.dice.millis(0, self.delay_ms) } else { Duration::ZERO };
        let at = (agenda.now() + delay).max(self.side(to).last);
        self.side(to).last = at;
        // A microsecond between parcels keeps their order from the ties of the agenda.
        self.side(to).last = at + Duration::from_micros(1);
        agenda.at(at, Event::Arrive { end: to, parcel });
    }

    /// A parcel arrives; whether its owner should look.
    pub fn arrive(&mut self, end: End, parcel: Parcel) -> bool {
        let side = self.side(end);
        if side.closed {
            return false;
        }
        if side.clogged && !matches!(parcel, Parcel::Reset) {
            side.held.push(parcel);
            return false;
        }
        match parcel {
            Parcel::Bytes(bytes) => side.inbox.extend(bytes),
            Parcel::Fin => side.fin = true,
            Parcel::Reset => side.reset = true,
        }
        true
    }

    /// What an end reads, at most so much.
    pub fn read(&mut self, agenda: &mut Agenda<Event>, end: End, most: usize) -> Read {
        let crumb = self.stormy && self.dice.chance(self.crumbs);
        let whole = !crumb && self.dice.chance(600);
        let capacity = self.capacity;
        let side = &mut self.pipes[end.pipe][end.side];
        if side.reset {
            return Read::Reset;
        }
        if side.inbox.is_empty() {
            return if side.fin { Read::Fin } else { Read::Nothing };
        }
        let all = side.inbox.len().min(most);
        let count = if crumb {
            1
        } else if whole {
            all
        } else {
            self.dice.size(1, all)
        };
        side.load = side.load.saturating_sub(count);
        if side.awaited && side.load < capacity {
            side.awaited = false;
            agenda.after(Duration::ZERO, Event::Room { end: other(end) });
        }
        Read::Bytes(side.inbox.drain(..count).collect())
    }

    /// Whether the other side is gone as far as this one can know without reading.
    #[must_use]
    pub fn is_hung_up(&self, end: End) -> bool {
        let side = &self.pipes[end.pipe][end.side];
        side.fin || side.reset
    }

    /// Whether the connection is broken, as this end knows.
    #[must_use]
    pub fn is_reset(&self, end: End) -> bool {
        self.pipes[end.pipe][end.side].reset
    }

    /// Nothing comes to this end any more.
    pub fn clog(&mut self, end: End) {
        self.side(end).clogged = true;
    }

    /// What was held up comes now.
    pub fn unclog(&mut self, end: End) -> bool {
        self.side(end).clogged = false;
        let held = std::mem::take(&mut self.side(end).held);
        let some = !held.is_empty();
        for parcel in held {
            self.arrive(end, parcel);
        }
        some
    }

    /// The ends of connections that both sides still have open.
    pub fn open(&self) -> Vec<End> {
        let pipes = self.pipes.iter().enumerate();
        let open = pipes.filter(|(_, sides)| sides.iter().all(|side| !side.closed && !side.reset));
        open.flat_map(|(pipe, _)| [End { pipe, side: 0 }, End { pipe, side: 1 }]).collect()
    }

    /// All ends at which nothing arrives.
    pub fn clogged(&self) -> Vec<End> {
        let ends = (0..self.pipes.len()).flat_map(|pipe| [End { pipe, side: 0 }, End { pipe, side: 1 }]);
        ends.filter(|end| self.pipes[end.pipe][end.side].clogged).collect()
    }
}

/// The other end of the same connection.
#[must_use]
pub const fn other(end: End) -> End {
    End { pipe: end.pipe, side: 1 - end.side }
}

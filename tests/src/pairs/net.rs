//! Connections in memory.

use std::collections::{BTreeMap, VecDeque};

use cocaine_core::machine::{Endpoint, ListenAt, ListenerId, Peer};

/// All connections and listeners.
#[derive(Debug)]
pub struct Net {
    pipes: Vec<Pipe>,
    listeners: BTreeMap<Endpoint, Listener>,
    next_port: u16,
    /// No read brings more than this many bytes.
    piece: usize,
    /// What one direction holds before writing has to wait, in bytes.
    pub capacity: usize,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pipe: usize,
    side: usize,
}

#[derive(Debug)]
struct Listener {
    id: ListenerId,
    /// Connections that nobody has accepted.
    backlog: VecDeque<(End, Peer)>,
}

/// Two directions; an index is the side that reads.
#[derive(Debug, Default)]
struct Pipe {
    bytes: [VecDeque<u8>; 2],
    closed: [bool; 2],
}

/// What a read gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The other side has closed.
    End,
}

impl Net {
    /// An empty net that cuts what it carries into pieces of at most `piece` bytes.
    #[must_use]
    pub const fn new(piece: usize) -> Self {
        Self { pipes: Vec::new(), listeners: BTreeMap::new(), next_port: 20_000, piece, capacity: 128 * 1024 }
    }

    /// Opens a listener; its real address.
    pub fn listen(&mut self, id: ListenerId, at: &ListenAt) -> Endpoint {
        let endpoint = match at {
            ListenAt::Unix { path, .. } => Endpoint::Unix(path.clone()),
            ListenAt::Tcp(addr) if addr.port() == 0 => {
                self.next_port += 1;
                Endpoint::Tcp((addr.ip(), self.next_port).into())
            }
            ListenAt::Tcp(addr) => Endpoint::Tcp(*addr),
        };
        self.listeners.insert(endpoint.clone(), Listener { id, backlog: VecDeque::new() });
        endpoint
    }

    /// Closes a listener and what it has not accepted.
    pub fn unlisten(&mut self, id: ListenerId) {
        let of = |listener: &Listener| listener.id == id;
        let gone: Vec<Endpoint> =
            self.listeners.iter().filter(|(_, listener)| of(listener)).map(|(at, _)| at.clone()).collect();
        for at in gone {
            let listener = self.listeners.remove(&at);
            for (end, _) in listener.into_iter().flat_map(|listener| listener.backlog) {
                self.close(end);
            }
        }
    }

    /// Connects; `None` if nobody listens.
    pub fn connect(&mut self, endpoint: &Endpoint, peer: Peer) -> Option<End> {
        let listener = self.listeners.get_mut(endpoint)?;
        let pipe = self.pipes.len();
        self.pipes.push(Pipe::default());
        listener.backlog.push_back((End { pipe, side: 1 }, peer));
        Some(End { pipe, side: 0 })
    }

    /// The next connection to one of these listeners.
    pub fn accept(&mut self, mine: &[ListenerId]) -> Option<(ListenerId, End, Peer)> {
        let mut listeners = self.listeners.values_mut().filter(|listener| mine.contains(&listener.id));
        listeners.find_map(|listener| {
            let (end, peer) = listener.backlog.pop_front()?;
            Some((listener.id, end, peer))
        })
    }

    /// What has come.
    pub fn read(&mut self, end: End) -> Read {
        let pipe = &mut self.pipes[end.pipe];
        let bytes = &mut pipe.bytes[end.side];
        if bytes.is_empty() {
            return if pipe.closed[1 - end.side] { Read::End } else { Read::Nothing };
        }
        let count = bytes.len().min(self.piece);
        Read::Bytes(bytes.drain(..count).collect())
    }

    /// Takes some of the bytes; how many. `None` if the other side has closed.
    pub fn write(&mut self, end: End, bytes: &[u8]) -> Option<usize> {
        let pipe = &mut self.pipes[end.pipe];
        let other = 1 - end.side;
        if pipe.closed[other] {
            return None;
        }
        let room = self.capacity.saturating_sub(pipe.bytes[other].len());
        let count = room.min(bytes.len());
        pipe.bytes[other].extend(bytes[..count].iter());
        Some(count)
    }

    /// Whether the other side has closed.
    #[must_use]
    pub fn is_hung_up(&self, end: End) -> bool {
        self.pipes[end.pipe].closed[1 - end.side]
    }

    /// Closes one end. What it sent can still be read.
    pub fn close(&mut self, end: End) {
        let pipe = &mut self.pipes[end.pipe];
        pipe.closed[end.side] = true;
        pipe.bytes[end.side].clear();
    }
}

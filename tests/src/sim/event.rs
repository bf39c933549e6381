//! Everything that can be on the agenda.

use cocaine_core::engine::EngineCommand;
use cocaine_core::machine::{ConnId, ExitStatus, Input, ListenerId, Peer, StoreId, WorkerId};

use super::net::{End, Parcel};

/// One thing that will happen.
#[derive(Debug)]
pub enum Event {
    /// Something arrives at an end of a connection.
    Arrive {
        /// Where.
        end: End,
        /// What.
        parcel: Parcel,
    },
    /// There is room again to send from this end.
    Room {
        /// Which.
        end: End,
    },
    /// Somebody who connected is accepted.
    Accept {
        /// The accepting end.
        end: End,
        /// By this listener.
        listener: ListenerId,
        /// Who it is.
        peer: Peer,
    },
    /// The driver of a machine looks at a connection.
    Ready {
        /// Whose.
        who: Party,
        /// Which.
        conn: ConnId,
    },
    /// The driver of a machine looks at the time.
    Wake(Party),
    /// The engine's driver says something for no good reason, or too late.
    Ghost(Box<Input<EngineCommand>>),
    /// A worker's process does something.
    Process(WorkerId, Step),
    /// A client does something.
    Client(usize, Move),
    /// The embedder does something.
    Embedder(Deed),
    /// The storage answers.
    Stored(StoreId),
    /// The weather changes.
    Weather,
    /// The operator looks in.
    Operator,
}

/// A machine with a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// The engine.
    Engine,
}

/// Whose end of a connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A machine's.
    Machine(Party),
    /// A worker's, or that of somebody who says so.
    Script(WorkerId),
    /// A client's.
    Client(usize),
}

/// What a worker's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The driver tells the engine that it runs.
    Spawned,
    /// The driver tells the engine that it does not.
    SpawnFailed,
    /// It connects and says who it is.
    Connect,
    /// Somebody else says that he is it.
    Impostor,
    /// It sends a heartbeat.
    Beat,
    /// It goes on with this session.
    Reply(u64),
    /// Something happens to it.
    Accident,
    /// It prints something.
    Print,
    /// Its process is gone.
    Exit(ExitStatus),
    /// The driver has noticed that.
    Reaped(ExitStatus),
    /// What it left behind lets go of its connection.
    LetGo,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It connects.
    Connect,
    /// It makes a request.
    Ask,
    /// It goes on with the call on this channel of its connection.
    Stream {
        /// Counts its connections.
        life: u32,
        /// The channel.
        channel: u64,
    },
    /// It reads what has come.
    Read,
}

/// What the embedder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It opens a stream.
    Ask,
    /// It goes on with a stream.
    Stream(u64),
    /// It takes what it was given.
    Consume(u64, usize),
}

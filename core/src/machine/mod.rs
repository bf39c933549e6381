//! The vocabulary between machines and drivers.
//!
//! A *machine* decides and a *driver* acts. The driver tells a machine what happened
//! ([`Input`]) and does what it is asked ([`Output`]); both are plain data that can be recorded,
//! replayed, compared and made up by a fuzzer. All machines share one vocabulary for the world
//! (connections, listeners, processes, storage); what differs is the *command* an embedder or
//! another machine gives, and the *notice* that comes back.

mod batch;
mod digest;
mod ids;
mod input;
mod outbox;
mod output;
mod slots;
mod store;

pub use batch::Batch;
pub use digest::digest;
pub use ids::{ConnId, EngineId, LaunchId, ListenerId, Origin, StoreId, WorkerId};
pub use input::{ExitStatus, Input, IoError, Peer, PeerProcess};
pub use outbox::Outbox;
pub use output::{
    CloseReason, Endpoint, LaunchRequest, ListenAt, Output, Record, Severity, Signal, SpawnSpec,
};
pub(crate) use slots::slot_key;
pub use slots::{Key, Slots};
pub use store::{Document, LaunchError, Launched, StoreError, StoreReply, StoreRequest};

use crate::time::{TimerReason, Timestamp};

/// A state machine that owns no socket, clock, thread, lock, waker or randomness source.
///
/// The driver's loop is: drain [`poll_output`](Machine::poll_output), sleep until
/// [`next_timeout`](Machine::next_timeout) or until something happens, call
/// [`handle`](Machine::handle), repeat.
///
/// * `handle` never fails and never blocks; it is complete in itself, draining may wait.
/// * `now` must not go back; a machine clamps it. Early, late and repeated
///   [`Input::Timeout`]s are harmless. Whatever else has happened is told before a `Timeout`: a peer whose
///   words wait to be read is not silent.
/// * Per connection at most one [`Output::Read`] and one [`Output::Write`] are in flight; the
///   buffers travel inside the enums and come back. Not asking for the next read *is* backpressure.
/// * Inputs for a connection after its [`Output::Close`] are ignored.
pub trait Machine {
    /// What an embedder, or another machine, tells this one.
    type Command;
    /// What this machine tells its embedder or another machine.
    type Notice;

    /// Takes note of one thing that happened.
    fn handle(&mut self, now: Timestamp, input: Input<Self::Command>);

    /// The next thing to do; `None` when there is nothing left for now.
    #[must_use]
    fn poll_output(&mut self) -> Option<Output<Self::Notice>>;

    /// When to come back with [`Input::Timeout`] if nothing happens before, and why.
    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)>;

    /// A short name for the machine's whole state, see [`digest`].
    #[must_use]
    fn digest(&self) -> u64
    where
        Self: core::fmt::Debug + Sized,
    {
        digest(self)
    }
}

//! The other end: one service as its client sees it.
//!
//! ```text
//! idle ─▶ locator ─▶ resolving ─▶ service ─▶ ready ─▶ (lost) ─▶ idle
//!            └───────────┴────────────┴─▶ backoff ─▶ …
//! ```
//!
//! [`Client`] keeps at most one connection. It connects when there is a call to make, asks a locator anew before
//! every connection, and carries all calls over that one connection. Whatever happens, every call ends exactly once.
//!
//! A call whose bytes were never handed to a write waits for the next connection; one that was is never repeated.
//! That is exact, because a call is put into frames only when the connection can write at once.

mod calls;
mod command;
mod dial;
mod error;
mod flush;
mod replies;
#[cfg(test)]
mod tests;

pub use command::{
    CallId, ClientCommand, ClientConfig, ClientLimits, ClientNotice, ClientTimeouts, Deadline, End, Message,
    Target,
};
pub use error::{Advice, CallError, Reached};

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;

use bytes::BytesMut;

use self::calls::Call;
use self::dial::State;
use self::flush::Op;
use crate::machine::{CloseReason, ConnId, Input, Machine, Outbox, Output, Record, Severity};
use crate::rng::Rng;
use crate::session::Link;
use crate::time::{TimerReason, Timestamp, soonest};

/// The machine of one service's client.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    out: Outbox<ClientNotice>,
    now: Timestamp,
    rng: Rng,
    state: State,
    /// How many connections there were before.
    dialed: u64,
    /// Failed rounds in a row.
    failures: u32,
    calls: BTreeMap<CallId, Call>,
    /// Calls that no connection has seen.
    waiting: usize,
    deadlines: BTreeSet<(Timestamp, CallId)>,
    /// What is to be said, in order.
    ops: VecDeque<Op>,
    /// What the operations cost, in bytes.
    queued: usize,
    /// Bytes of messages that the embedder was given and has not consumed.
    unread: usize,
}

impl Client {
    /// A client that connects when there is something to do.
    #[must_use]
    pub fn new(config: ClientConfig, now: Timestamp) -> Self {
        Self {
            rng: Rng::from_seed(config.seed),
            out: Outbox::default(),
            now,
            state: State::Idle,
            dialed: 0,
            failures: 0,
            calls: BTreeMap::new(),
            waiting: 0,
            deadlines: BTreeSet::new(),
            ops: VecDeque::new(),
            queued: 0,
            unread: 0,
            config,
        }
    }

    /// How many calls have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        self.calls.values().filter(|call| !call.is_over()).count()
    }

    fn on_received(&mut self, conn: ConnId, mut buf: BytesMut) {
        loop {
            let Some(link) = self.state.link(conn) else { return };
            let cut = match link.cut(&mut buf) {
                Ok(Some(cut)) => cut,
                Ok(None) => break,
                Err(text) => return self.on_lost(CloseReason::Fault(text.clone()), text),
            };
            let result = self.on_frame(&cut, &buf);
            Link::consume(&cut, &mut buf);
            if let Err(text) = result {
                return self.on_lost(CloseReason::Fault(text.clone()), text);
            }
        }
        if let Some(link) = self.state.link(conn) {
            link.put_back(buf);
        }
        self.read_on();
    }

    /// Reads on, unless the embedder has more than enough to do.
    fn read_on(&mut self) {
        let enough = self.unread > self.config.limits.unread_bytes;
        match &mut self.state {
            State::Ready(_) if enough => {}
            State::Ready(ready) => ready.link.read(&mut self.out),
            State::Resolving { link, .. } => link.read(&mut self.out),
            _ => {}
        }
    }

    /// Does what time and waiting calls ask for.
    fn settle(&mut self) {
        self.expire_calls();
        self.expire_state();
        self.connect_if_wanted();
    }

    fn log(&mut self, severity: Severity, message: impl Into<String>) {
        let source = format!("client/{}", self.config.target.name());
        self.out.push(Output::Log(Record::new(severity, source, message)));
    }
}

impl Machine for Client {
    type Command = ClientCommand;
    type Notice = ClientNotice;

    fn handle(&mut self, now: Timestamp, input: Input<ClientCommand>) {
        self.now = self.now.max(now);
        match input {
            Input::Connected { conn } => self.on_connected(conn),
            Input::ConnectFailed { conn, error } => self.on_connect_failed(conn, &error),
            Input::Received { conn, buf } => self.on_received(conn, buf),
            Input::Written { conn, batch } => self.on_written(conn, batch),
            Input::Disconnected { conn, error } if self.state.link(conn).is_some() => {
                let text = error.map_or_else(|| "the peer closed the connection".into(), |error| error.text);
                self.on_lost(CloseReason::Gone, text);
            }
            Input::Command(command) => self.on_command(command),
            // A hang-up will be read as soon as the embedder has consumed what came before; what else there is
            // does not concern a client.
            _ => {}
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Option<Output<ClientNotice>> {
        if self.out.is_empty() {
            self.flush();
        }
        let state = &mut self.state;
        self.out.poll(|conn| state.link(conn)?.take_write())
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if !self.out.is_empty() || self.can_flush() {
            return Some((self.now, TimerReason::OutputQueued));
        }
        let call = self.deadlines.first().map(|(at, _)| (*at, TimerReason::Request));
        soonest(call, self.state_timeout())
    }
}

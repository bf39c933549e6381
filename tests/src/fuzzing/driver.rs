//! A driver for any machine, whose other side is whoever calls it.

use std::collections::{BTreeMap, VecDeque};

use bytes::BytesMut;
use cocaine_core::machine::{Batch, CloseReason, ConnId, Input, Machine, Output};
use cocaine_core::session::READ_SIZE;
use cocaine_core::time::Timestamp;

use crate::scenario::{Contract, LastWord};

/// A machine under watch, the driver's half of its connections, and what else it wants.
pub(super) struct Driver<M: Machine> {
    pub(super) machine: M,
    pub(super) now: Timestamp,
    contract: Contract,
    wires: BTreeMap<ConnId, Wire>,
    closed: BTreeMap<ConnId, CloseReason>,
    /// What it asked for beside reading and writing, oldest first.
    pub(super) wishes: VecDeque<Output<M::Notice>>,
}

/// What is in flight on a connection, and what was written to it.
#[derive(Default)]
struct Wire {
    read: Option<BytesMut>,
    write: Option<Batch>,
    received: Vec<u8>,
}

impl<M: Machine<Notice: LastWord>> Driver<M> {
    pub(super) fn new(machine: M) -> Self {
        let mut driver = Self {
            machine,
            now: Timestamp::ZERO,
            contract: Contract::default(),
            wires: BTreeMap::new(),
            closed: BTreeMap::new(),
            wishes: VecDeque::new(),
        };
        driver.drain();
        driver
    }

    /// Tells the machine something, and takes what it wants.
    pub(super) fn tell(&mut self, input: Input<M::Command>) {
        self.contract.input(&input);
        if let Input::Accepted { conn, .. } | Input::Connected { conn } = &input {
            self.wires.insert(*conn, Wire::default());
        }
        self.tell_stale(input);
    }

    /// Tells it what a driver says when it has not heard yet that a connection or a worker is gone.
    pub(super) fn tell_stale(&mut self, input: Input<M::Command>) {
        self.machine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.contract.output(&output);
            match output {
                Output::Read { conn, buf } => self.wire(conn).read = Some(buf),
                Output::Write { conn, batch } => {
                    let wire = self.wire(conn);
                    batch.slices().for_each(|slice| wire.received.extend_from_slice(slice));
                    wire.write = Some(batch);
                }
                Output::Close { conn, reason } => {
                    self.closed.insert(conn, reason);
                }
                other => self.wishes.push_back(other),
            }
        }
        self.contract.drained(&self.machine, self.now);
    }

    fn wire(&mut self, conn: ConnId) -> &mut Wire {
        self.wires.get_mut(&conn).expect("the contract knows it")
    }

    /// Whether the machine has not closed this connection.
    pub(super) fn is_open(&self, conn: ConnId) -> bool {
        self.contract.is_open(conn)
    }

    /// Why it has closed this connection.
    pub(super) fn why_closed(&self, conn: ConnId) -> Option<&CloseReason> {
        self.closed.get(&conn)
    }

    pub(super) fn is_over(&self) -> bool {
        self.contract.is_over()
    }

    /// Lets the machine read from the front of `bytes`, as long as it wants to, in pieces of at most this size.
    pub(super) fn deliver(&mut self, conn: ConnId, mut bytes: &[u8], piece: usize) -> usize {
        let all = bytes.len();
        while !bytes.is_empty() && self.is_open(conn) {
            let Some(mut buf) = self.wire(conn).read.take() else { break };
            let (now, later) = bytes.split_at(bytes.len().min(READ_SIZE).min(piece));
            buf.extend_from_slice(now);
            bytes = later;
            self.tell(Input::Received { conn, buf });
        }
        all - bytes.len()
    }

    /// Tells the machine that its write is done, if there is one. Whether there was.
    pub(super) fn acknowledge(&mut self, conn: ConnId) -> bool {
        if !self.is_open(conn) {
            return false;
        }
        let Some(mut batch) = self.wire(conn).write.take() else { return false };
        batch.clear();
        self.tell(Input::Written { conn, batch });
        true
    }

    /// The peer is gone: a read finds out, or the driver.
    pub(super) fn hang_up(&mut self, conn: ConnId) {
        if self.is_open(conn) {
            let reading = self.wire(conn).read.take().is_some();
            let input = Input::Disconnected { conn, error: None };
            self.tell(if reading { input } else { Input::HungUp { conn } });
        }
    }

    /// What was written to a connection since the last call.
    pub(super) fn take_received(&mut self, conn: ConnId) -> Vec<u8> {
        self.wires.get_mut(&conn).map(|wire| std::mem::take(&mut wire.received)).unwrap_or_default()
    }

    /// Goes to the machine's next timeout if it is before `end`, else to `end`. Whether it woke the machine.
    pub(super) fn sleep_until(&mut self, end: Timestamp) -> bool {
        let due = self.machine.next_timeout().map(|(at, _)| at).filter(|at| *at <= end);
        self.now = self.now.max(due.unwrap_or(end));
        if due.is_some() {
            self.tell(Input::Timeout);
        }
        due.is_some()
    }
}

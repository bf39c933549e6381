//! A machine and its sockets: a driver without a world.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use cocaine_core::machine::{Batch, ConnId, Input, IoError, Machine, Output};
use cocaine_core::session::READ_SIZE;
use cocaine_core::time::Timestamp;

use super::agenda::Agenda;
use super::event::{Event, Party};
use super::net::{End, Net, Read};
use crate::scenario::{Contract, LastWord};

/// One machine under the eyes of the driver's contract.
#[derive(Debug)]
pub struct Driven<M: Machine> {
    /// It.
    pub machine: M,
    who: Party,
    contract: Contract,
    socks: BTreeMap<ConnId, Sock>,
    conns: BTreeMap<End, ConnId>,
    accepted: u32,
    armed: Option<Timestamp>,
    /// Completions that were under way when the machine closed a connection.
    pub orphans: Vec<Input<M::Command>>,
}

#[derive(Debug)]
struct Sock {
    end: End,
    read: Option<BytesMut>,
    write: Option<Batch>,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// The machine knows that the other side is gone.
    HungUp,
    Ended,
}

impl<M: Machine<Notice: LastWord>> Driven<M> {
    /// A machine that has asked for nothing yet.
    pub fn new(machine: M, who: Party) -> Self {
        Self {
            machine,
            who,
            contract: Contract::default(),
            socks: BTreeMap::new(),
            conns: BTreeMap::new(),
            accepted: 0,
            armed: None,
            orphans: Vec::new(),
        }
    }

    /// Tells the machine one thing.
    pub fn tell(&mut self, now: Timestamp, input: Input<M::Command>) {
        self.contract.input(&input);
        self.machine.handle(now, input);
    }

    /// Tells it something that a driver may say though it makes no sense any more.
    pub fn tell_ghost(&mut self, now: Timestamp, input: Input<M::Command>) {
        self.machine.handle(now, input);
    }

    /// The next thing that it asks for, which its contract allows.
    pub fn ask(&mut self) -> Option<Output<M::Notice>> {
        let output = self.machine.poll_output()?;
        self.contract.output(&output);
        Some(output)
    }

    /// When it wants to be woken, if that is news. It was drained.
    pub fn news_of_timer(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.contract.drained(&self.machine, now);
        let next = self.machine.next_timeout().map(|(at, _)| at);
        let news = next != self.armed;
        self.armed = next;
        next.filter(|_| news)
    }

    /// Whether its time has come.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.armed.is_some_and(|at| at <= now)
    }

    /// The timer has fired.
    pub fn disarm(&mut self) {
        self.armed = None;
    }

    /// Whether it has said its last word.
    pub const fn is_over(&self) -> bool {
        self.contract.is_over()
    }

    /// Whether it has not closed this connection.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.socks.contains_key(&conn)
    }

    /// A name for a connection that is accepted.
    pub fn accept(&mut self, end: End) -> ConnId {
        let conn = ConnId::accepted(self.accepted, 0);
        self.accepted += 1;
        self.adopt(conn, end);
        conn
    }

    /// A connection that it asked for is up.
    pub fn adopt(&mut self, conn: ConnId, end: End) {
        self.socks.insert(conn, Sock { end, read: None, write: None, phase: Phase::Open });
        self.conns.insert(end, conn);
    }

    /// The connection at this end, if it is open.
    pub fn conn(&self, end: End) -> Option<ConnId> {
        self.conns.get(&end).copied()
    }

    /// Does what is asked about connections; the rest comes back.
    pub fn perform(
        &mut self,
        output: Output<M::Notice>,
        net: &mut Net,
        agenda: &mut Agenda<Event>,
    ) -> Option<Output<M::Notice>> {
        let who = self.who;
        let conn = match output {
            Output::Read { conn, buf } => {
                self.socks.get_mut(&conn)?.read = Some(buf);
                conn
            }
            Output::Write { conn, batch } => {
                self.socks.get_mut(&conn)?.write = Some(batch);
                conn
            }
            Output::Close { conn, .. } => {
                let sock = self.socks.remove(&conn)?;
                self.conns.remove(&sock.end);
                self.orphans.extend(sock.read.map(|buf| Input::Received { conn, buf }));
                self.orphans.extend(sock.write.map(|batch| Input::Written { conn, batch }));
                net.close(agenda, sock.end);
                return None;
            }
            other => return Some(other),
        };
        agenda.after(Duration::ZERO, Event::Ready { who, conn });
        None
    }

    /// The next thing that happened on a connection.
    pub fn work(
        &mut self,
        conn: ConnId,
        net: &mut Net,
        agenda: &mut Agenda<Event>,
    ) -> Option<Input<M::Command>> {
        let sock = self.socks.get_mut(&conn)?;
        if sock.phase == Phase::Ended {
            return None;
        }
        sock.push(conn, net, agenda).or_else(|| sock.pull(conn, net, agenda))
    }

    /// Its process is gone, and with it all sockets.
    pub fn leave(&mut self, net: &mut Net, agenda: &mut Agenda<Event>) {
        self.conns.clear();
        for sock in std::mem::take(&mut self.socks).into_values() {
            net.close(agenda, sock.end);
        }
    }
}

impl Sock {
    /// Writes on.
    fn push<C>(&mut self, conn: ConnId, net: &mut Net, agenda: &mut Agenda<Event>) -> Option<Input<C>> {
        let mut batch = self.write.take()?;
        loop {
            let first = batch.slices().find(|slice| !slice.is_empty());
            let Some((all, taken)) = first.map(|slice| (slice.len(), net.send(agenda, self.end, slice)))
            else {
                break;
            };
            batch.advance(taken);
            if taken < all {
                break;
            }
        }
        if batch.is_empty() {
            return Some(Input::Written { conn, batch });
        }
        self.write = Some(batch);
        None
    }

    /// Reads on.
    fn pull<C>(&mut self, conn: ConnId, net: &mut Net, agenda: &mut Agenda<Event>) -> Option<Input<C>> {
        let Some(mut buf) = self.read.take() else {
            if self.phase == Phase::Open && net.is_hung_up(self.end) {
                self.phase = Phase::HungUp;
                return Some(Input::HungUp { conn });
            }
            return None;
        };
        match net.read(agenda, self.end, READ_SIZE) {
            Read::Bytes(bytes) => {
                buf.extend_from_slice(&bytes);
                return Some(Input::Received { conn, buf });
            }
            Read::Nothing => {
                self.read = Some(buf);
                return None;
            }
            Read::Fin | Read::Reset => self.phase = Phase::Ended,
        }
        let error = IoError { errno: 104, text: "Connection reset by peer".into() };
        let broken = net.is_reset(self.end);
        Some(Input::Disconnected { conn, error: broken.then_some(error) })
    }
}

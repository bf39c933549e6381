//! A machine and its sockets: a driver without a world.

use std::collections::BTreeMap;

use bytes::BytesMut;
use cocaine_core::machine::{
    Batch, ConnId, Endpoint, Input, IoError, ListenerId, Machine, Output, Peer, PeerProcess,
};
use cocaine_core::time::Timestamp;

use super::net::{End, Net, Read};

/// One machine.
pub struct Party<M: Machine> {
    /// It.
    pub machine: M,
    /// What it has said.
    pub notices: Vec<M::Notice>,
    socks: BTreeMap<ConnId, Sock>,
    listeners: Vec<ListenerId>,
    accepted: u32,
    /// Who it is when it connects to a Unix socket.
    process: Option<PeerProcess>,
}

struct Sock {
    end: End,
    read: Option<BytesMut>,
    write: Option<Batch>,
    phase: Phase,
}

#[derive(PartialEq, Eq)]
enum Phase {
    Open,
    /// The machine knows that the other side is gone.
    HungUp,
    Ended,
}

impl<M: Machine> Party<M> {
    /// A machine that has asked for nothing yet.
    pub fn new(machine: M, process: Option<PeerProcess>) -> Self {
        Self {
            machine,
            notices: Vec::new(),
            socks: BTreeMap::new(),
            listeners: Vec::new(),
            accepted: 0,
            process,
        }
    }

    /// Tells the machine one thing.
    pub fn handle(&mut self, now: Timestamp, input: Input<M::Command>) {
        self.machine.handle(now, input);
    }

    /// Tells it that its time has come, if it has.
    pub fn wake(&mut self, now: Timestamp) {
        if self.machine.next_timeout().is_some_and(|(at, _)| at <= now) {
            self.handle(now, Input::Timeout);
        }
    }

    /// Does what it asks for and tells it what happened; whether there was anything. What is no business of
    /// sockets goes to `rest`.
    pub fn step(&mut self, now: Timestamp, net: &mut Net, mut rest: impl FnMut(Output<M::Notice>)) -> bool {
        let mut busy = false;
        while let Some(output) = self.machine.poll_output() {
            busy = true;
            self.perform(now, net, output, &mut rest);
        }
        while let Some((listener, end, peer)) = net.accept(&self.listeners) {
            let conn = ConnId::accepted(self.accepted, 0);
            self.accepted += 1;
            self.socks.insert(conn, Sock::new(end));
            self.handle(now, Input::Accepted { listener, conn, peer });
            busy = true;
        }
        for conn in self.socks.keys().copied().collect::<Vec<_>>() {
            let input = self.socks.get_mut(&conn).and_then(|sock| sock.work(conn, net));
            if let Some(input) = input {
                self.handle(now, input);
                busy = true;
            }
        }
        busy
    }

    fn perform(
        &mut self,
        now: Timestamp,
        net: &mut Net,
        output: Output<M::Notice>,
        rest: &mut impl FnMut(Output<M::Notice>),
    ) {
        match output {
            Output::Read { conn, buf } => {
                let sock = self.socks.get_mut(&conn).expect("a read on a live connection");
                assert!(sock.read.replace(buf).is_none(), "one read in flight");
            }
            Output::Write { conn, batch } => {
                let sock = self.socks.get_mut(&conn).expect("a write on a live connection");
                assert!(sock.write.replace(batch).is_none(), "one write in flight");
            }
            Output::Close { conn, .. } => {
                if let Some(sock) = self.socks.remove(&conn) {
                    net.close(sock.end);
                }
            }
            Output::Connect { conn, endpoint } => self.connect(now, net, conn, &endpoint),
            Output::Listen { listener, at } => {
                let endpoints = vec![net.listen(listener, &at)];
                self.listeners.push(listener);
                self.handle(now, Input::Listening { listener, endpoints });
            }
            Output::Unlisten { listener } => net.unlisten(listener),
            Output::Notice(notice) => self.notices.push(notice),
            Output::Log(_) => {}
            other => rest(other),
        }
    }

    fn connect(&mut self, now: Timestamp, net: &mut Net, conn: ConnId, endpoint: &Endpoint) {
        let peer = Peer { process: self.process };
        match net.connect(endpoint, peer) {
            Some(end) => {
                self.socks.insert(conn, Sock::new(end));
                self.handle(now, Input::Connected { conn });
            }
            None => {
                let error = IoError { errno: 111, text: format!("nobody listens at {endpoint}") };
                self.handle(now, Input::ConnectFailed { conn, error });
            }
        }
    }

    /// Its process is gone, and with it all sockets.
    pub fn leave(&mut self, net: &mut Net) {
        for sock in std::mem::take(&mut self.socks).into_values() {
            net.close(sock.end);
        }
    }
}

impl Sock {
    const fn new(end: End) -> Self {
        Self { end, read: None, write: None, phase: Phase::Open }
    }

    /// The next thing that happened on it.
    fn work<C>(&mut self, conn: ConnId, net: &mut Net) -> Option<Input<C>> {
        if self.phase == Phase::Ended {
            return None;
        }
        if let Some(mut batch) = self.write.take() {
            // What cannot be delivered any more is lost; reading says so.
            let taken = net.write(self.end, &batch.to_vec()).unwrap_or(batch.len());
            batch.advance(taken);
            if batch.is_empty() {
                return Some(Input::Written { conn, batch });
            }
            self.write = Some(batch);
        }
        let Some(mut buf) = self.read.take() else {
            if self.phase == Phase::Open && net.is_hung_up(self.end) {
                self.phase = Phase::HungUp;
                return Some(Input::HungUp { conn });
            }
            return None;
        };
        match net.read(self.end) {
            Read::Bytes(bytes) => {
                buf.extend_from_slice(&bytes);
                Some(Input::Received { conn, buf })
            }
            Read::Nothing => {
                self.read = Some(buf);
                None
            }
            Read::End => {
                self.phase = Phase::Ended;
                Some(Input::Disconnected { conn, error: None })
            }
        }
    }
}

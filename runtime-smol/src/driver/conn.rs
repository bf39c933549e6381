//! One connection: what is in flight on it and what its socket can do.

use std::os::fd::OwnedFd;

use bytes::BytesMut;
use cocaine_core::machine::{Batch, ConnId, Endpoint, Input, IoError};
use rustix::io::Errno;

use super::poller::{Interest, Poller, Readiness, Token};
use super::socket::{self, Dialed, Received, Sent, io_error};

pub(super) struct Conn {
    id: ConnId,
    fd: OwnedFd,
    phase: Phase,
    /// The read in flight.
    read: Option<BytesMut>,
    /// The write in flight.
    write: Option<Batch>,
    readable: bool,
    writable: bool,
    interest: Interest,
    hang_up: HangUp,
    /// Whether it is on the driver's list of things to do.
    pub(super) queued: bool,
}

enum Phase {
    Dialing(Endpoint),
    /// The listener was busy; dialing starts again a little later.
    Redialing(Endpoint),
    Open,
    /// A write failed; what can still be read is delivered first.
    Failing(Errno),
    /// The machine knows that it ended.
    Ended,
}

/// Whether the peer is known to be gone, and the machine knows.
#[derive(PartialEq, Eq)]
enum HangUp {
    No,
    Seen,
    Told,
}

/// How making a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dial {
    /// It is there.
    Connected,
    /// There is nothing to do but wait.
    Waiting,
    /// The listener is busy; go on a little later.
    Busy,
}

impl Conn {
    /// A connection that was accepted.
    pub(super) fn accepted(id: ConnId, fd: OwnedFd, poller: &Poller) -> Result<Self, Errno> {
        poller.add(&fd, Token::Conn(id), Interest::Read)?;
        Ok(Self::new(id, fd, Phase::Open))
    }

    /// A connection that is to be made; [`dial`](Self::dial) does it.
    pub(super) fn dialing(id: ConnId, endpoint: Endpoint) -> Result<Self, IoError> {
        let fd = socket::dialing_socket(&endpoint).map_err(|error| dial_error(&endpoint, error))?;
        Ok(Self::new(id, fd, Phase::Redialing(endpoint)))
    }

    /// Goes on with connecting, if that is what it does.
    pub(super) fn dial(&mut self, poller: &Poller) -> Result<Dial, IoError> {
        let result = match &self.phase {
            Phase::Dialing(_) if !self.writable => return Ok(Dial::Waiting),
            Phase::Dialing(endpoint) => {
                socket::dial_result(&self.fd).map_err(|error| dial_error(endpoint, error))
            }
            Phase::Redialing(endpoint) => {
                socket::dial(&self.fd, endpoint).map_err(|error| dial_error(endpoint, error))
            }
            _ => return Ok(Dial::Waiting),
        };
        match result? {
            Dialed::Connected => self.connected(poller),
            Dialed::Waiting => self.wait_for_dial(poller),
            Dialed::Busy => Ok(Dial::Busy),
        }
    }

    fn connected(&mut self, poller: &Poller) -> Result<Dial, IoError> {
        let result = match std::mem::replace(&mut self.phase, Phase::Open) {
            Phase::Dialing(endpoint) => self.watch_reads(poller).map_err(|error| (endpoint, error)),
            Phase::Redialing(endpoint) => {
                poller.add(&self.fd, Token::Conn(self.id), Interest::Read).map_err(|error| (endpoint, error))
            }
            _ => Ok(()),
        };
        self.writable = true;
        result.map(|()| Dial::Connected).map_err(|(endpoint, error)| dial_error(&endpoint, error))
    }

    fn wait_for_dial(&mut self, poller: &Poller) -> Result<Dial, IoError> {
        self.writable = false;
        if let Phase::Redialing(endpoint) = &self.phase {
            poller
                .add(&self.fd, Token::Conn(self.id), Interest::ReadWrite)
                .map_err(|error| dial_error(endpoint, error))?;
            self.interest = Interest::ReadWrite;
            self.phase = Phase::Dialing(endpoint.clone());
        }
        Ok(Dial::Waiting)
    }

    fn watch_reads(&mut self, poller: &Poller) -> Result<(), Errno> {
        self.interest = Interest::Read;
        poller.modify(&self.fd, Token::Conn(self.id), Interest::Read)
    }

    fn new(id: ConnId, fd: OwnedFd, phase: Phase) -> Self {
        Self {
            id,
            fd,
            phase,
            read: None,
            write: None,
            readable: false,
            writable: true,
            interest: Interest::Read,
            hang_up: HangUp::No,
            queued: false,
        }
    }

    /// Takes note of what the socket can do. Says whether the peer is gone.
    pub(super) fn note(&mut self, readiness: Readiness) -> bool {
        self.readable |= readiness.readable();
        self.writable |= readiness.writable();
        if readiness.hung_up() && self.hang_up == HangUp::No {
            self.hang_up = HangUp::Seen;
        }
        self.is_ending()
    }

    /// Whether it needs a look after each exchange with the machine: the peer is gone, or it broke.
    pub(super) fn is_ending(&self) -> bool {
        match self.phase {
            Phase::Failing(_) => true,
            Phase::Open => self.hang_up == HangUp::Seen,
            Phase::Dialing(_) | Phase::Redialing(_) | Phase::Ended => false,
        }
    }

    /// Takes a read that the machine asks for. Says whether there may be something to read.
    pub(super) fn start_read(&mut self, buf: BytesMut) -> bool {
        if matches!(self.phase, Phase::Ended) {
            return false;
        }
        self.read = Some(buf);
        self.readable || matches!(self.phase, Phase::Failing(_))
    }

    /// Takes a write that the machine asks for.
    pub(super) fn start_write(&mut self, batch: Batch) {
        if matches!(self.phase, Phase::Open) {
            self.write = Some(batch);
        }
    }

    /// Writes what the socket takes of the write in flight.
    pub(super) fn flush<C>(&mut self, poller: &Poller) -> Option<Input<C>> {
        if !self.writable {
            return None;
        }
        let mut batch = self.write.take()?;
        match socket::send(&self.fd, &mut batch) {
            Sent::All => {
                self.want(Interest::Read, poller);
                return Some(Input::Written { conn: self.id, batch });
            }
            Sent::Full => {
                self.writable = false;
                self.write = Some(batch);
                self.want(Interest::ReadWrite, poller);
            }
            Sent::Broken(error) => self.phase = Phase::Failing(error),
        }
        None
    }

    /// Reads once, if a read is in flight and there may be something.
    pub(super) fn fill<C>(&mut self, scratch: &mut [u8]) -> Option<Input<C>> {
        let failing = matches!(self.phase, Phase::Failing(_));
        if !self.readable && !failing {
            return None;
        }
        let mut buf = self.read.take()?;
        match socket::receive(&self.fd, scratch, &mut buf) {
            Received::Some { more } => {
                // Behind the last bytes of a peer that is gone there is the end of file, which no
                // event announces again.
                self.readable = more || self.hang_up != HangUp::No;
                Some(Input::Received { conn: self.id, buf })
            }
            Received::Nothing if failing => Some(self.end(None)),
            Received::Nothing => {
                self.readable = false;
                self.read = Some(buf);
                None
            }
            Received::End(error) => Some(self.end(error)),
        }
    }

    /// Whether there is more to read for the read in flight.
    pub(super) fn can_fill(&self) -> bool {
        self.read.is_some() && (self.readable || matches!(self.phase, Phase::Failing(_)))
    }

    /// What the machine must be told if it does not read: that the peer is gone, or that it broke.
    pub(super) fn without_read<C>(&mut self) -> Option<Input<C>> {
        if self.read.is_some() {
            return None;
        }
        match self.phase {
            Phase::Failing(_) => Some(self.end(None)),
            Phase::Open if self.hang_up == HangUp::Seen => {
                self.hang_up = HangUp::Told;
                Some(Input::HungUp { conn: self.id })
            }
            _ => None,
        }
    }

    /// Ends it before its descriptor is closed.
    pub(super) fn close(self, scratch: &mut [u8]) {
        if matches!(self.phase, Phase::Open | Phase::Failing(_)) {
            socket::discard(&self.fd, scratch);
        }
    }

    fn end<C>(&mut self, error: Option<Errno>) -> Input<C> {
        let error = match self.phase {
            Phase::Failing(first) => Some(io_error("writing to the peer", first)),
            _ => error.map(|error| io_error("reading from the peer", error)),
        };
        self.phase = Phase::Ended;
        self.read = None;
        self.write = None;
        Input::Disconnected { conn: self.id, error }
    }

    fn want(&mut self, interest: Interest, poller: &Poller) {
        if self.interest == interest {
            return;
        }
        self.interest = interest;
        if let Err(error) = poller.modify(&self.fd, Token::Conn(self.id), interest) {
            self.phase = Phase::Failing(error);
        }
    }
}

fn dial_error(endpoint: &Endpoint, errno: Errno) -> IoError {
    io_error(format_args!("connecting to {endpoint}"), errno)
}

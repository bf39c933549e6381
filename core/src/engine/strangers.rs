//! Who connects to the workers' socket: strangers, until they say which worker they are and it can be true.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Conn, Engine, Role};
use crate::config::Protocol;
use crate::machine::{CloseReason, ConnId, Peer, WorkerId};
use crate::session::{Cut, Link};
use crate::time::{TimerReason, Timestamp};
use crate::wire::{Args, dialect, v0, v1};
use crate::worker::Event;

/// A connection on the workers' socket that has not said who it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stranger {
    peer: Peer,
    deadline: Timestamp,
    /// What it says it is, while nobody knows yet which process that would be. It is not read meanwhile.
    pub(super) claim: Option<(WorkerId, Protocol)>,
}

impl Engine {
    pub(super) fn accept_stranger(&mut self, conn: ConnId, peer: Peer) {
        let mut link = Link::new(conn, self.config.limits.wire);
        if self.strangers.len() >= self.config.limits.strangers && !self.make_room() {
            return link
                .close(&mut self.out, CloseReason::Fault("too many connections without a handshake".into()));
        }
        link.read(&mut self.out);
        let deadline = self.now + self.config.profile.timeouts().startup;
        let role = Role::Stranger(Stranger { peer, deadline, claim: None });
        if self.conns.insert_at(conn, Conn { link, role, waiting: Vec::new() }).is_ok() {
            self.strangers.push(conn);
        }
    }

    /// Closes the oldest connection that can be no worker's, so that those who say nothing keep no worker out.
    fn make_room(&mut self) -> bool {
        let hopeless = self.strangers.iter().copied().find(|conn| match self.conns.get(*conn) {
            Some(Conn { role: Role::Stranger(Stranger { peer, claim: None, .. }), .. }) => {
                let group = peer.process.and_then(|process| process.pgid);
                !self.workers.values().any(|side| group.is_some() && side.worker.pid() == group)
            }
            _ => false,
        });
        if let Some(conn) = hopeless {
            self.on_fault(
                conn,
                "too many connections without a handshake, and this one is no worker's".into(),
            );
        }
        hopeless.is_some()
    }

    pub(super) fn strangers_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        let deadlines = self.strangers.iter().filter_map(|conn| match self.conns.get(*conn)?.role {
            Role::Stranger(stranger) => Some(stranger.deadline),
            _ => None,
        });
        deadlines.min().map(|at| (at, TimerReason::Startup))
    }

    /// Closes the connections that did not introduce themselves in time.
    pub(super) fn expire_strangers(&mut self) {
        for conn in self.strangers.clone() {
            let late = match self.conns.get(conn).map(|entry| &entry.role) {
                Some(Role::Stranger(stranger)) => stranger.deadline <= self.now,
                _ => false,
            };
            if late {
                self.on_fault(conn, "no handshake came".into());
            }
        }
    }

    /// The first frame on the workers' socket: it must be the handshake of a worker that we started.
    ///
    /// # Errors
    /// The sentence says why the connection is closed. No worker is touched by it.
    pub(super) fn on_stranger_frame(&mut self, conn: ConnId, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let bytes = cut.bytes(buf);
        let protocol = dialect(bytes, cut.frame()).map_err(|error| error.to_string())?;
        let (uuid, headers) = match protocol {
            Protocol::V1 => {
                let head = v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
                if (head.channel, head.message) != (v1::CONTROL_CHANNEL, v1::message::HANDSHAKE) {
                    return Err("the first frame is no handshake".into());
                }
                (uuid_argument(bytes.get(head.args).unwrap_or_default())?, head.headers)
            }
            Protocol::V0 => {
                let head = v0::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
                if head.message != v0::message::HANDSHAKE {
                    return Err("the first frame is no handshake".into());
                }
                (uuid_argument(bytes.get(head.args).unwrap_or_default())?, 0..0)
            }
        };
        let Some(Conn { link, role: Role::Stranger(stranger), .. }) = self.conns.get_mut(conn) else {
            return Ok(());
        };
        link.absorb_headers(bytes.get(headers).unwrap_or_default())?;
        let peer = stranger.peer;
        let Some(worker) = self.worker_named(uuid) else {
            return Err(format!("handshake with uuid {uuid:?}, which no worker here has"));
        };
        self.introduce(conn, worker, protocol, peer)
    }

    /// A connection says that it is this worker's.
    fn introduce(
        &mut self,
        conn: ConnId,
        worker: WorkerId,
        protocol: Protocol,
        peer: Peer,
    ) -> Result<(), String> {
        let uid = self.worker_uid();
        let Some(side) = self.workers.get(&worker) else { return Ok(()) };
        let (pid, uuid) = (side.worker.pid(), side.worker.uuid());
        if let Some(why) = stranger_because(peer, uid, pid) {
            return Err(format!("handshake for worker {uuid} from a process that is not it: {why}"));
        }
        if pid.is_none() {
            if let Some(Conn { role: Role::Stranger(stranger), .. }) = self.conns.get_mut(conn) {
                stranger.claim = Some((worker, protocol));
            }
            return Ok(());
        }
        self.attach(conn, worker, protocol)
    }

    /// The connection is the worker's, if that waits for one.
    fn attach(&mut self, conn: ConnId, worker: WorkerId, protocol: Protocol) -> Result<(), String> {
        self.step(worker, Event::Handshake { conn, protocol });
        let Some(side) = self.workers.get_mut(&worker) else { return Ok(()) };
        if side.worker.conn() != Some(conn) {
            return Err(match side.session {
                Some(_) => "a second handshake for a worker that is connected".into(),
                None => format!("handshake for worker {}, which is being stopped", side.worker.uuid()),
            });
        }
        side.session = Some((conn, protocol));
        if protocol == Protocol::V1 {
            side.channels.skip(v1::CONTROL_CHANNEL);
        }
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.role = Role::Worker(worker);
        }
        self.strangers.retain(|stranger| *stranger != conn);
        Ok(())
    }

    /// Those that said that they are this worker, before its process was known.
    fn claimants(&self, worker: WorkerId) -> Vec<ConnId> {
        let claims = |conn: &ConnId| match self.conns.get(*conn).map(|entry| &entry.role) {
            Some(Role::Stranger(stranger)) => stranger.claim.is_some_and(|(claimed, _)| claimed == worker),
            _ => false,
        };
        self.strangers.iter().copied().filter(claims).collect()
    }

    /// The worker's process is known now: whoever said to be the worker is looked at, and heard on.
    pub(super) fn settle_claims(&mut self, worker: WorkerId) {
        for conn in self.claimants(worker) {
            let Some(Conn { link, role: Role::Stranger(stranger), .. }) = self.conns.get_mut(conn) else {
                continue;
            };
            let (peer, claim) = (stranger.peer, stranger.claim.take());
            let buf = link.take_received();
            let Some((worker, protocol)) = claim else { continue };
            if let Err(text) = self.introduce(conn, worker, protocol, peer) {
                self.on_fault(conn, text);
            } else if let Some(buf) = buf {
                self.on_received(conn, buf);
            }
        }
    }

    /// The worker will never be: those that said to be it are not.
    pub(super) fn drop_claimants(&mut self, worker: WorkerId) {
        for conn in self.claimants(worker) {
            self.on_fault(conn, "handshake for a worker that could not be started".into());
        }
    }

    /// The worker of this uuid or tag.
    pub(super) fn worker_named(&self, uuid: &str) -> Option<WorkerId> {
        self.workers.iter().find(|(_, side)| side.worker.uuid() == uuid).map(|(id, _)| *id)
    }

    fn worker_uid(&self) -> u32 {
        self.config.profile.identity().map_or(self.config.uid, |(uid, _)| uid)
    }
}

/// Why the process at the other end cannot be the worker, if so. What is not known yet is checked later.
fn stranger_because(peer: Peer, uid: u32, pid: Option<u32>) -> Option<String> {
    let Some(process) = peer.process else { return Some("its user and process are not known".into()) };
    if process.uid != uid {
        return Some(format!("user {} instead of {uid}", process.uid));
    }
    let group = pid?;
    match process.pgid {
        Some(pgid) if pgid == group => None,
        Some(pgid) => Some(format!("process {} of group {pgid} instead of {group}", process.pid)),
        None => Some(format!("process {} is gone", process.pid)),
    }
}

fn uuid_argument(args: &[u8]) -> Result<&str, String> {
    let mut args = Args::new(args).map_err(|error| error.to_string())?;
    args.text().map_err(|error| format!("handshake: {error}"))
}

//! One app: its clients, its queue, its workers.
//!
//! ```text
//! client ──▶ channel n ─▶ queue ─▶ balance::select ─▶ channel m ──▶ worker
//!    ◀──────────── the worker's answer, by the same two channels ────────
//! ```
//!
//! Every accepted request is answered exactly once, whatever happens to anyone.
//!
//! * [`Engine`] is the machine; `clients` and `workers` read its two kinds of connections (`strangers` those of
//!   which nobody knows yet whose they are), `requests` begins and `endings` ends what is asked, `relay` carries
//!   chunks, `pool` decides how many workers there are, `publish` opens and closes the app's
//!   service, `crashes` keeps what failed workers wrote last, and `stop` ends it all.
//! * [`balance`], [`backoff`] and [`stats`] decide and count without knowing any of this.

pub mod backoff;
pub mod balance;
pub mod stats;

mod clients;
mod command;
mod crashes;
mod deadlines;
mod endings;
mod info;
mod life;
mod pool;
mod publish;
mod queue;
mod relay;
mod request;
mod requests;
#[cfg(test)]
mod spawn_tests;
mod stop;
mod strangers;
mod tagged;
mod workers;

pub use command::{EngineCommand, EngineConfig, EngineLimits, EngineNotice, Policy};
pub use info::flags;
pub use queue::Urgency;
pub use request::{RequestKey, Source, StreamId};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use self::clients::ClientSide;
use self::crashes::Crashes;
use self::deadlines::Deadlines;
use self::pool::Pool;
use self::publish::Publication;
use self::queue::LoadQueue;
use self::request::Request;
use self::stats::Stats;
use self::stop::Phase;
use self::strangers::Stranger;
use self::tagged::Parked;
use self::workers::WorkerSide;
use crate::machine::{
    CloseReason, ConnId, Input, Machine, Outbox, Output, Record, Severity, Slots, WorkerId,
};
use crate::session::Link;
use crate::time::{TimerReason, Timestamp, WallClock, soonest};
use crate::worker::Action;

/// The machine of one app.
///
/// It listens for workers at once, for clients when enough workers are active, starts workers when requests
/// need them, and answers every request it has accepted. Tell it [`EngineCommand::Stop`] and wait for
/// [`EngineNotice::Stopped`] (or [`EngineNotice::Broken`]) before dropping it.
#[derive(Clone, Debug)]
pub struct Engine {
    config: EngineConfig,
    out: Outbox<EngineNotice>,
    now: Timestamp,
    wall: WallClock,
    started: Timestamp,
    phase: Phase,
    publication: Publication,
    conns: Slots<ConnId, Conn>,
    clients: usize,
    requests: Slots<RequestKey, Request>,
    streams: BTreeMap<StreamId, RequestKey>,
    queue: LoadQueue,
    parked: Parked,
    deadlines: Deadlines,
    workers: BTreeMap<WorkerId, WorkerSide>,
    /// Processes that came after their workers were given up, and were told to go.
    late: BTreeSet<WorkerId>,
    pool: Pool,
    stats: Stats,
    crashes: Crashes,
    /// Bytes waiting in the queue and in all send queues.
    buffered: usize,
    /// The last session number of a worker of the older dialect, which numbers per engine.
    last_session: u64,
    /// Connections on the workers' socket without a handshake.
    strangers: Vec<ConnId>,
    /// Some step of stopping a worker may take no time at all.
    has_instant_limits: bool,
    /// Memory for the actions of a step.
    actions: Vec<Action>,
}

/// A connection and whose it is.
#[derive(Clone, Debug)]
struct Conn {
    link: Link,
    role: Role,
    /// Requests that slow down their other end until this connection's queue has shrunk.
    waiting: Vec<RequestKey>,
}

#[derive(Clone, Debug)]
enum Role {
    Client(ClientSide),
    /// On the workers' socket, not introduced yet.
    Stranger(Stranger),
    Worker(WorkerId),
}

impl Engine {
    /// An engine that is about to open its workers' socket.
    #[must_use]
    pub fn new(config: EngineConfig, now: Timestamp, wall: WallClock) -> Self {
        let mut engine = Self {
            pool: Pool::new(&config),
            out: Outbox::default(),
            now,
            wall,
            started: now,
            phase: Phase::Starting,
            publication: Publication::default(),
            conns: Slots::default(),
            clients: 0,
            requests: Slots::default(),
            streams: BTreeMap::new(),
            queue: LoadQueue::default(),
            parked: Parked::default(),
            deadlines: Deadlines::default(),
            workers: BTreeMap::new(),
            late: BTreeSet::new(),
            stats: Stats::new(now),
            crashes: Crashes::default(),
            buffered: 0,
            last_session: 0,
            strangers: Vec::new(),
            has_instant_limits: config.profile.timeouts().has_instant(),
            actions: Vec::new(),
            config,
        };
        engine.open_worker_socket();
        engine
    }

    /// The app it runs.
    #[must_use]
    pub const fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// How many bytes wait in the queue, in all send queues, and with embedders who have not consumed them:
    /// what [`EngineLimits::engine_bytes`] bounds.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffered
    }

    fn log(&mut self, severity: Severity, message: impl Into<String>) {
        self.out.push(Output::Log(Record::new(severity, self.log_source(), message)));
    }

    fn log_source(&self) -> String {
        format!("app/{}", self.config.app)
    }

    /// Whether a connection of either kind may be read now, and if so asks for the read.
    fn read_on(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get(conn) else { return };
        let allowed = match &entry.role {
            Role::Client(client) => self.client_may_read(client),
            Role::Stranger(stranger) => stranger.claim.is_none(),
            Role::Worker(worker) => {
                self.workers.get_mut(worker).is_none_or(|side| side.throttle.may_read(self.now))
            }
        };
        if allowed && let Some(entry) = self.conns.get_mut(conn) {
            entry.link.read(&mut self.out);
        }
    }

    fn on_received(&mut self, conn: ConnId, mut buf: bytes::BytesMut) {
        loop {
            let Some(entry) = self.conns.get_mut(conn) else { return };
            if matches!(entry.role, Role::Stranger(Stranger { claim: Some(_), .. })) {
                break;
            }
            let cut = match entry.link.cut(&mut buf) {
                Ok(Some(cut)) => cut,
                Ok(None) => break,
                Err(text) => return self.on_fault(conn, text),
            };
            let result = match entry.role {
                Role::Client(_) => self.on_client_frame(conn, &cut, &buf),
                Role::Stranger(_) => self.on_stranger_frame(conn, &cut, &buf),
                Role::Worker(worker) => self.on_worker_frame(conn, worker, &cut, &buf),
            };
            Link::consume(&cut, &mut buf);
            if let Err(text) = result {
                return self.on_fault(conn, text);
            }
        }
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.link.put_back(buf);
        }
        self.read_on(conn);
    }

    /// The peer broke the protocol: its connection ends, nobody else notices.
    fn on_fault(&mut self, conn: ConnId, text: String) {
        self.log(Severity::Warning, format!("closing connection {conn}: {text}"));
        self.on_lost(conn, CloseReason::Fault(text));
    }

    /// Does what time alone asks for. Only a `Timeout` may do that: other inputs can come late, all at once, after
    /// the whole process stood still, and must all be heard before anybody is called silent.
    fn on_time(&mut self) {
        self.expire_requests();
        self.expire_strangers();
        self.wake_workers();
    }

    /// A peer that is not being read is gone. What a worker said before is still wanted: reading never stops
    /// for long, and finds the end.
    fn on_hung_up(&mut self, conn: ConnId) {
        match self.conns.get(conn).map(|entry| &entry.role) {
            Some(Role::Worker(_)) => self.read_on(conn),
            _ => self.on_lost(conn, CloseReason::Gone),
        }
    }

    /// A connection is gone or has to go.
    fn on_lost(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(entry) = self.conns.get(conn) else { return };
        match entry.role {
            Role::Client(_) => self.drop_client(conn, reason),
            Role::Stranger(_) => {
                self.strangers.retain(|stranger| *stranger != conn);
                self.drop_conn(conn, reason);
            }
            Role::Worker(worker) => self.lose_worker_conn(worker, reason),
        }
    }

    /// Closes a connection and forgets it. What its owner must know has been dealt with.
    fn drop_conn(&mut self, conn: ConnId, reason: CloseReason) {
        if let Some(mut entry) = self.conns.remove(conn) {
            self.buffered = self.buffered.saturating_sub(entry.link.queued());
            entry.link.close(&mut self.out, reason);
        }
    }
}

impl Machine for Engine {
    type Command = EngineCommand;
    type Notice = EngineNotice;

    fn handle(&mut self, now: Timestamp, input: Input<EngineCommand>) {
        self.now = self.now.max(now);
        match input {
            Input::Accepted { listener, conn, peer } => self.on_accepted(listener, conn, peer),
            Input::Received { conn, buf } => self.on_received(conn, buf),
            Input::Written { conn, batch } => self.on_written(conn, batch),
            Input::Disconnected { conn, .. } => self.on_lost(conn, CloseReason::Gone),
            Input::HungUp { conn } => self.on_hung_up(conn),
            Input::Listening { listener, endpoints } => self.on_listening(listener, endpoints),
            Input::ListenFailed { listener, error } => self.on_listen_failed(listener, &error),
            Input::Spawned { worker, pid } => self.on_spawned(worker, pid),
            Input::SpawnFailed { worker, error } => self.on_spawn_failed(worker, error.text),
            Input::WorkerOutput { worker, bytes } => self.on_worker_output(worker, &bytes),
            Input::WorkerExited { worker, status } => self.on_worker_exited(worker, status),
            Input::Stored { store, result } => self.on_stored(store, result),
            Input::WallClock(wall) => self.wall = wall,
            Input::Command(command) => self.on_command(command),
            Input::Timeout => self.on_time(),
            // An engine neither dials nor prepares code.
            Input::Connected { .. } | Input::ConnectFailed { .. } | Input::Launched { .. } => {}
        }
        self.settle();
        // A limit of no length has passed as soon as it was set.
        while self.has_instant_limits && self.some_worker_is_due() {
            self.on_time();
            self.settle();
        }
    }

    fn poll_output(&mut self) -> Option<Output<EngineNotice>> {
        let conns = &mut self.conns;
        self.out.poll(|conn| conns.get_mut(conn)?.link.take_write())
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if !self.out.is_empty() {
            return Some((self.now, TimerReason::OutputQueued));
        }
        let request = self.deadlines.next().map(|at| (at, TimerReason::Request));
        let workers = self.workers.values().filter_map(|side| {
            soonest(side.worker.next_timeout(), side.throttle.until().map(|at| (at, TimerReason::Throttle)))
        });
        // Nobody is replaced any more when the end has begun.
        let backoff = if self.phase == Phase::Running { self.pool.next_timeout(self.now) } else { None };
        workers
            .chain(request)
            .chain(self.strangers_timeout())
            .chain(backoff)
            .chain(self.phase.next_timeout().filter(|_| self.late.is_empty()))
            .fold(None, |best, next| soonest(best, Some(next)))
    }
}

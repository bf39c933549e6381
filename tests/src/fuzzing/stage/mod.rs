//! An engine among workers that echo and clients that behave, with room for one of either who does not.

mod echo;

use std::time::Duration;

use cocaine_core::config::Protocol;
use cocaine_core::engine::{Engine, EngineCommand, EngineConfig, EngineLimits, EngineNotice};
use cocaine_core::machine::{
    ConnId, Endpoint, ExitStatus, Input, ListenerId, Output, Peer, PeerProcess, Signal, SpawnSpec,
    StoreReply, WorkerId,
};
use cocaine_core::time::{Timestamp, WallClock};
use cocaine_core::wire::{Limits, Value, protocols, v0, v1};

use echo::Echo;

use super::calls::Calls;
use super::driver::Driver;
use crate::scenario::config;

/// Small bounds, so that an input can reach them; that of the whole engine, which all share, is out of reach.
pub(super) const LIMITS: EngineLimits = EngineLimits {
    wire: Limits { frame_bytes: 16 * 1024, channels: 64, ..Limits::DEFAULT },
    soft_bytes: 1024,
    channel_bytes: 2048,
    engine_bytes: 1024 * 1024,
    clients: 8,
    strangers: 256,
    crash_logs: 2,
};

/// Whoever is not at rest after so many steps never will be.
const MANY_STEPS: usize = 10_000;

/// A worker that is read slowly is read once in this time.
const SLOW: Duration = Duration::from_millis(500);

/// How often a worker that behaves sends a heartbeat.
const BEAT: Duration = Duration::from_secs(5);

/// The engine and everyone around it.
pub(super) struct Stage {
    pub(super) driver: Driver<Engine>,
    pub(super) workers: Vec<Process>,
    listeners: Vec<ListenerId>,
    clients: Vec<Client>,
    pub(super) notices: Vec<EngineNotice>,
    /// How many of the first workers are not ours to play.
    pub(super) strange_workers: usize,
    conns: u32,
    next_beat: Timestamp,
}

/// A process that the engine has started.
pub(super) struct Process {
    pub(super) id: WorkerId,
    pub(super) uuid: String,
    pub(super) alive: bool,
    echo: Option<Echo>,
}

/// A client that behaves.
struct Client {
    conn: ConnId,
    outbox: Vec<u8>,
    calls: Calls,
}

impl Stage {
    pub(super) fn new(profile: Value) -> Self {
        Self::with(config(profile, Value::Map(vec![("slave".into(), "worker".into())]), LIMITS))
    }

    fn with(config: EngineConfig) -> Self {
        let now = Timestamp::ZERO;
        let mut stage = Self {
            driver: Driver::new(Engine::new(config, now, WallClock::new(now, 0))),
            workers: Vec::new(),
            listeners: Vec::new(),
            clients: Vec::new(),
            notices: Vec::new(),
            strange_workers: 0,
            conns: 0,
            next_beat: now + BEAT,
        };
        stage.settle();
        stage
    }

    pub(super) fn command(&mut self, command: EngineCommand) {
        self.driver.tell(Input::Command(command));
        self.settle();
    }

    // ---- connections ----

    fn new_conn(&mut self) -> ConnId {
        self.conns += 1;
        ConnId::accepted(self.conns - 1, 0)
    }

    /// Somebody on the app's service.
    pub(super) fn accept_client(&mut self) -> ConnId {
        let (listener, conn) = (self.listeners[1], self.new_conn());
        self.driver.tell(Input::Accepted { listener, conn, peer: Peer::default() });
        conn
    }

    /// Somebody on the workers' socket, with the credentials of this worker.
    pub(super) fn accept_worker(&mut self, worker: WorkerId) -> ConnId {
        let (listener, conn, pid) = (self.listeners[0], self.new_conn(), pid(worker));
        let process = PeerProcess { pid, uid: self.driver.machine.config().uid, pgid: Some(pid) };
        self.driver.tell(Input::Accepted { listener, conn, peer: Peer { process: Some(process) } });
        conn
    }

    /// A client that behaves; its number.
    pub(super) fn connect_client(&mut self) -> usize {
        let conn = self.accept_client();
        self.clients.push(Client { conn, outbox: Vec::new(), calls: Calls::new(&protocols::APP) });
        self.clients.len() - 1
    }

    /// What this client sends, and what comes of it.
    pub(super) fn send(&mut self, client: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let client = &mut self.clients[client];
        let before = client.outbox.len();
        write(&mut client.outbox);
        client.calls.sent(&client.outbox[before..]);
        self.settle();
    }

    /// This client's open call on a worker that echoes goes on, at once or, while a worker is read slowly because
    /// of somebody who does not take what it sends, a little later.
    pub(super) fn assert_served(&mut self, client: usize, channel: u64) {
        let before = self.calls(client).get(channel).data.len();
        self.send(client, |out| v1::write(out, channel, b"x"));
        if self.calls(client).get(channel).data.len() == before {
            self.advance(SLOW);
        }
        assert_eq!(self.calls(client).get(channel).data.len(), before + 1, "no echo");
    }

    pub(super) fn calls(&self, client: usize) -> &Calls {
        &self.clients[client].calls
    }

    /// Plays a worker's way up to its first heartbeat.
    pub(super) fn introduce(&mut self, worker: usize, protocol: Protocol) -> ConnId {
        let (id, uuid) = (self.workers[worker].id, self.workers[worker].uuid.clone());
        let conn = self.accept_worker(id);
        let mut hello = Vec::new();
        match protocol {
            Protocol::V1 => {
                v1::handshake(&mut hello, uuid.as_bytes());
                v1::heartbeat(&mut hello);
            }
            Protocol::V0 => {
                v0::handshake(&mut hello, uuid.as_bytes());
                v0::heartbeat(&mut hello);
            }
        }
        assert_eq!(self.driver.deliver(conn, &hello, usize::MAX), hello.len());
        conn
    }

    // ---- what goes on by itself ----

    /// Lets everyone who behaves go on until nobody has anything to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..MANY_STEPS {
            let mut moved = false;
            while let Some(wish) = self.driver.wishes.pop_front() {
                moved = true;
                self.grant(wish);
            }
            moved |= self.move_clients() | self.move_workers();
            if !moved {
                return self.check_bounds();
            }
        }
        panic!("it never comes to rest");
    }

    fn check_bounds(&self) {
        let buffered = self.driver.machine.buffered();
        let bound = LIMITS.engine_bytes + LIMITS.wire.frame_bytes;
        assert!(buffered <= bound, "{buffered} bytes are buffered");
    }

    fn move_clients(&mut self) -> bool {
        let mut moved = false;
        for client in &mut self.clients {
            moved |= self.driver.acknowledge(client.conn);
            client.calls.received(&self.driver.take_received(client.conn));
            let taken = self.driver.deliver(client.conn, &client.outbox, usize::MAX);
            client.outbox.drain(..taken);
            moved |= taken > 0;
        }
        moved
    }

    fn move_workers(&mut self) -> bool {
        let echoes = self.workers.iter_mut().filter_map(|worker| worker.echo.as_mut());
        echoes.fold(false, |moved, echo| moved | echo.go_on(&mut self.driver))
    }

    fn grant(&mut self, wish: Output<EngineNotice>) {
        match wish {
            Output::Listen { listener, .. } => {
                self.listeners.push(listener);
                let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], 4000).into())];
                self.driver.tell(Input::Listening { listener, endpoints });
            }
            Output::Spawn { worker, spec } => self.spawn(worker, &spec),
            Output::Kill { worker, signal } => self.kill(worker, signal),
            Output::Store { store, .. } => {
                self.driver.tell(Input::Stored { store, result: Ok(StoreReply::Done) });
            }
            Output::Notice(notice) => self.notices.push(notice),
            _ => {}
        }
    }

    fn spawn(&mut self, id: WorkerId, spec: &SpawnSpec) {
        let uuid = spec.arguments.last().cloned().unwrap_or_default();
        self.workers.push(Process { id, uuid, alive: true, echo: None });
        self.driver.tell(Input::Spawned { worker: id, pid: pid(id) });
        let index = self.workers.len() - 1;
        if index >= self.strange_workers {
            let conn = self.introduce(index, Protocol::V1);
            self.workers[index].echo = Some(Echo::new(conn));
        }
    }

    fn kill(&mut self, worker: WorkerId, _: Signal) {
        self.exit(worker, ExitStatus::Signal(15));
    }

    /// A worker's process ends.
    pub(super) fn exit(&mut self, worker: WorkerId, status: ExitStatus) {
        let process = self.workers.iter_mut().find(|process| process.id == worker);
        let Some(process) = process.filter(|process| process.alive) else { return };
        process.alive = false;
        if let Some(echo) = &process.echo {
            self.driver.hang_up(echo.conn);
        }
        self.driver.tell(Input::WorkerExited { worker, status });
    }

    /// Lets time pass, with the heartbeats of those who behave.
    pub(super) fn advance(&mut self, time: Duration) {
        let end = self.driver.now + time;
        self.settle();
        for _ in 0..MANY_STEPS {
            let woke = self.driver.sleep_until(end.min(self.next_beat));
            if self.driver.now >= self.next_beat {
                self.next_beat = self.driver.now + BEAT;
                self.workers.iter_mut().filter_map(|worker| worker.echo.as_mut()).for_each(Echo::beat);
            }
            self.settle();
            if !woke && self.driver.now >= end {
                return;
            }
        }
        panic!("time does not pass");
    }

    /// Stops the engine, which must say so within its own timeouts.
    pub(super) fn stop(&mut self) {
        self.command(EngineCommand::Stop);
        self.advance(Duration::from_secs(60));
        assert!(self.driver.is_over(), "a minute after its stop the engine has not ended");
    }
}

fn pid(worker: WorkerId) -> u32 {
    1000 + u32::try_from(worker.number()).unwrap_or(0)
}

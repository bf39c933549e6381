//! A driver that does whatever comes to its mind.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use cocaine_core::config::Protocol;
use cocaine_core::engine::{Engine, EngineCommand, EngineLimits, EngineNotice, Policy, StreamId, Urgency};
use cocaine_core::machine::{
    CloseReason, ConnId, Endpoint, ExitStatus, Input, IoError, ListenerId, Machine, Output,
    Peer as Credentials, PeerProcess, StoreReply, WorkerId,
};
use cocaine_core::rng::Rng;
use cocaine_core::time::{Timestamp, WallClock};
use cocaine_core::wire::{ErrorCode, Failure, Value};
use cocaine_tests::scenario::{Contract, config};

use crate::frames::{self, Means, Sent};
use crate::peers::{Client, Kind, Peer};

const UID: u32 = 1000;

pub(crate) struct Walker {
    rng: Rng,
    engine: Engine,
    contract: Contract,
    now: Timestamp,
    listeners: [Option<ListenerId>; 2],
    peers: Vec<Peer>,
    conns: u32,
    workers: BTreeMap<WorkerId, Process>,
    /// By stream: its ends so far.
    streams: BTreeMap<u64, usize>,
    stopped: bool,
    marks: [usize; 4],
}

struct Process {
    uuid: String,
    spawned: bool,
    output_wanted: bool,
}

impl Walker {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let limits = EngineLimits {
            soft_bytes: 2_000,
            channel_bytes: 8_000,
            engine_bytes: 30_000,
            clients: 5,
            ..Default::default()
        };
        let mut config = config(profile(&mut rng), Value::map([("slave", "worker")]), limits);
        config.seed[..8].copy_from_slice(&seed.to_le_bytes());
        let now = Timestamp::ZERO;
        let mut walker = Self {
            engine: Engine::new(config, now, WallClock::new(now, 0)),
            rng,
            contract: Contract::default(),
            now,
            listeners: [None; 2],
            peers: Vec::new(),
            conns: 0,
            workers: BTreeMap::new(),
            streams: BTreeMap::new(),
            stopped: false,
            marks: [0; 4],
        };
        walker.drain();
        walker
    }

    /// Requests, answers that workers gave, workers that became active, chunks that came through.
    pub(crate) fn marks(&self) -> [usize; 4] {
        self.marks
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        match self.rng.below(100) {
            0..3 => self.client_comes(),
            3..10 => self.worker_comes(),
            10..50 => self.somebody_sends(),
            50..75 => self.somebody_takes(),
            75..83 => self.process_news(),
            83..93 => self.command(),
            93 => self.somebody_leaves(),
            _ => self.time_passes(),
        }
    }

    fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.below(count as u64)).unwrap_or(0)
    }

    fn tell(&mut self, input: Input<EngineCommand>) {
        self.contract.input(&input);
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        let mut answers = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            self.contract.output(&output);
            self.take(output, &mut answers);
        }
        self.contract.drained(&self.engine, self.now);
        for input in answers {
            self.tell(input);
        }
    }

    fn take(&mut self, output: Output<EngineNotice>, answers: &mut Vec<Input<EngineCommand>>) {
        match output {
            Output::Read { conn, buf } => self.peer(conn).read = Some(buf),
            Output::Write { conn, batch } => self.peer(conn).write = Some(batch),
            Output::Close { conn, reason } => self.close(conn, &reason),
            Output::Listen { listener, .. } => {
                let slot = usize::from(self.listeners[0].is_some());
                self.listeners[slot] = Some(listener);
                let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], 1).into())];
                answers.push(Input::Listening { listener, endpoints });
            }
            Output::Spawn { worker, spec } => {
                let uuid = spec.arguments.last().cloned().unwrap_or_default();
                self.workers.insert(worker, Process { uuid, spawned: false, output_wanted: false });
            }
            Output::ReadOutput { worker } => {
                if let Some(process) = self.workers.get_mut(&worker) {
                    process.output_wanted = true;
                }
            }
            Output::Store { store, .. } => {
                answers.push(Input::Stored { store, result: Ok(StoreReply::Done) });
            }
            Output::Log(record) => self.marks[2] += usize::from(record.message.contains("is active after")),
            Output::Notice(notice) => self.noticed(&notice),
            _ => {}
        }
    }

    fn noticed(&mut self, notice: &EngineNotice) {
        match notice {
            EngineNotice::Chunk { stream, .. } => {
                assert_eq!(self.streams[&stream.0], 0, "a chunk after the end");
            }
            EngineNotice::End { stream } | EngineNotice::Fail { stream, .. } => {
                *self.streams.get_mut(&stream.0).expect("a stream of ours") += 1;
            }
            EngineNotice::Stopped => self.stopped = true,
            _ => {}
        }
    }

    fn peer(&mut self, conn: ConnId) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.conn == conn).expect("open")
    }

    /// The engine closes a connection: whatever it wanted to say has been written before.
    fn close(&mut self, conn: ConnId, reason: &CloseReason) {
        let at = self.peers.iter().position(|peer| peer.conn == conn).expect("open");
        let peer = self.peers.swap_remove(at);
        if let Kind::Client(client) = &peer.kind {
            if *reason == CloseReason::Stopping {
                client.check_all_answered();
            }
            self.marks[0] += client.count();
            self.marks[1] += client.closes;
            self.marks[3] += client.chunks;
        }
    }

    // ---- what happens ----

    fn accept(&mut self, listener: ListenerId, kind: Kind, process: Option<PeerProcess>) -> ConnId {
        self.conns += 1;
        let conn = ConnId::accepted(self.conns, 0);
        self.peers.push(Peer::new(conn, kind));
        self.tell(Input::Accepted { listener, conn, peer: Credentials { process } });
        conn
    }

    fn client_comes(&mut self) {
        if let Some(listener) = self.listeners[1] {
            self.accept(listener, Kind::Client(Client::new()), None);
        }
    }

    /// Mostly the worker it says it is.
    fn worker_comes(&mut self) {
        let running = self.some_worker(|process| process.spawned);
        let Some(worker) = running.or_else(|| self.some_worker(|_| true)) else { return };
        let Some(listener) = self.listeners[0] else { return };
        let uuid = self.workers[&worker].uuid.clone();
        let protocol = if self.rng.below(3) == 0 { Protocol::V0 } else { Protocol::V1 };
        let pgid = if self.rng.below(10) == 0 { 9_999 } else { pid(worker) };
        let uid = if self.rng.below(20) == 0 { 0 } else { UID };
        let mut bytes = frames::handshake(protocol, &uuid);
        let process = PeerProcess { pid: pgid, uid, pgid: Some(pgid) };
        let conn =
            self.accept(listener, Kind::Worker { protocol, uuid, sessions: Vec::new() }, Some(process));
        if self.contract.is_open(conn) {
            if self.rng.below(5) > 0 {
                frames::heartbeat(&mut bytes, protocol);
            }
            self.peer(conn).outbox.push_back(Sent { bytes, means: Means::Nothing });
            self.deliver(conn);
        }
    }

    fn some_peer(&mut self, fits: impl Fn(&Peer) -> bool) -> Option<ConnId> {
        let fitting: Vec<ConnId> =
            self.peers.iter().filter(|peer| fits(peer)).map(|peer| peer.conn).collect();
        let at = self.pick(fitting.len().max(1));
        fitting.get(at).copied()
    }

    fn some_worker(&mut self, fits: impl Fn(&Process) -> bool) -> Option<WorkerId> {
        let fitting: Vec<WorkerId> =
            self.workers.iter().filter(|(_, process)| fits(process)).map(|(id, _)| *id).collect();
        let at = self.pick(fitting.len().max(1));
        fitting.get(at).copied()
    }

    fn somebody_sends(&mut self) {
        let busy = self
            .some_peer(|peer| matches!(&peer.kind, Kind::Worker { sessions, .. } if !sessions.is_empty()));
        let Some(conn) = busy.filter(|_| self.rng.below(2) == 0).or_else(|| self.some_peer(|_| true)) else {
            return;
        };
        for _ in 0..1 + self.rng.below(3) {
            let rng = &mut self.rng;
            let peer = self.peers.iter_mut().find(|peer| peer.conn == conn).expect("open");
            let sent = match &mut peer.kind {
                Kind::Client(client) => {
                    let sent = frames::client(rng, client.next);
                    client.next += u64::from(!matches!(sent.means, Means::Nothing | Means::Garbage));
                    sent
                }
                Kind::Worker { protocol, uuid, sessions } => {
                    let bytes = frames::worker(rng, *protocol, uuid, sessions);
                    Sent { bytes, means: Means::Nothing }
                }
            };
            peer.outbox.push_back(sent);
        }
        self.deliver(conn);
    }

    /// Some of what a peer sent reaches the engine.
    fn deliver(&mut self, conn: ConnId) {
        let cut = u8::try_from(self.pick(256)).ok().filter(|cut| cut % 4 == 0);
        let count = 1 + self.pick(3);
        let peer = self.peer(conn);
        let Some(mut buf) = peer.read.take() else { return };
        let bytes = peer.take_bytes(count, cut);
        if bytes.is_empty() {
            peer.read = Some(buf);
            return;
        }
        buf.extend_from_slice(&bytes);
        self.tell(Input::Received { conn, buf });
    }

    fn somebody_takes(&mut self) {
        if let Some(conn) = self.some_peer(|peer| peer.write.is_some()) {
            self.take_write(conn);
        }
    }

    fn take_write(&mut self, conn: ConnId) {
        let peer = self.peer(conn);
        let Some(mut batch) = peer.write.take() else { return };
        peer.receive(&batch.to_vec());
        batch.clear();
        self.tell(Input::Written { conn, batch });
    }

    fn process_news(&mut self) {
        if let Some(worker) = self.some_worker(|process| !process.spawned) {
            return if self.rng.below(12) == 0 { self.spawn_failed(worker) } else { self.spawned(worker) };
        }
        let Some(worker) = self.some_worker(|process| process.spawned) else { return };
        if self.rng.below(30) == 0 {
            self.exited(worker);
        } else if let Some(process) = self.workers.get_mut(&worker).filter(|process| process.output_wanted) {
            process.output_wanted = false;
            self.tell(Input::WorkerOutput { worker, bytes: Bytes::from_static(b"line\nand a half") });
        }
    }

    fn spawned(&mut self, worker: WorkerId) {
        if let Some(process) = self.workers.get_mut(&worker) {
            process.spawned = true;
        }
        self.tell(Input::Spawned { worker, pid: pid(worker) });
    }

    fn spawn_failed(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.tell(Input::SpawnFailed { worker, error: IoError { errno: 2, text: "no such file".into() } });
    }

    fn exited(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.tell(Input::WorkerExited { worker, status: ExitStatus::Code(1) });
    }

    fn command(&mut self) {
        let stream = StreamId(1 + self.rng.below(self.streams.len() as u64 + 1));
        let command = match self.rng.below(12) {
            0..4 => {
                let stream = StreamId(self.streams.len() as u64 + 1);
                self.streams.insert(stream.0, 0);
                let urgency = if self.rng.below(3) == 0 { Urgency::Urgent } else { Urgency::Normal };
                let policy = Policy { tag: None, urgency };
                EngineCommand::Open { stream, event: "event".into(), headers: Vec::new(), policy }
            }
            4 | 5 => EngineCommand::Chunk { stream, data: vec![b'y'; self.pick(3_000)].into() },
            6 => EngineCommand::End { stream },
            7 => EngineCommand::Fail { stream, failure: Failure::new(ErrorCode::new(1, 1), "no") },
            8 => {
                // Whoever cancels expects nothing.
                if let Some(ends) = self.streams.get_mut(&stream.0) {
                    *ends = (*ends).max(1);
                }
                EngineCommand::Cancel { stream }
            }
            9 => EngineCommand::Consumed { stream, bytes: self.pick(4_000) },
            10 => EngineCommand::Control { lever: self.rng.below(3), workers: self.pick(4) as i64 - 1 },
            _ => EngineCommand::Info { query: 1, flags: 7 },
        };
        self.tell(Input::Command(command));
    }

    fn somebody_leaves(&mut self) {
        let Some(conn) = self.some_peer(|_| true) else { return };
        if self.peer(conn).read.take().is_some() {
            self.tell(Input::Disconnected { conn, error: None });
        } else {
            self.tell(Input::HungUp { conn });
        }
    }

    fn time_passes(&mut self) {
        let timeout = self.engine.next_timeout().map(|(at, _)| at);
        self.now = match timeout.filter(|_| self.rng.below(8) == 0) {
            Some(at) => at,
            None => self.now + Duration::from_micros(self.rng.below(300_000)),
        };
        self.tell(Input::Timeout);
    }

    // ---- the end ----

    /// Everybody behaves, and the engine is told to stop: it must get there, with everyone answered and nothing
    /// kept.
    pub(crate) fn end(&mut self) {
        self.tell(Input::Command(EngineCommand::Stop));
        for _ in 0..1_000 {
            while let Some(conn) = self.some_peer(|peer| peer.write.is_some()) {
                self.take_write(conn);
            }
            if self.stopped {
                return self.check_nothing_is_left();
            }
            if let Some(worker) = self.some_worker(|process| !process.spawned) {
                self.spawned(worker);
            } else if let Some(worker) = self.some_worker(|_| true) {
                self.exited(worker);
            }
            if let Some((at, _)) = self.engine.next_timeout() {
                self.now = at;
                self.tell(Input::Timeout);
            }
        }
        panic!("it never stops: {:?}", self.engine.next_timeout());
    }

    fn check_nothing_is_left(&self) {
        let open = self.streams.iter().find(|(_, ends)| **ends != 1);
        assert_eq!(open, None, "a stream and its ends");
        let state = format!("{:?}", self.engine);
        for nothing in ["buffered: 0,", "streams: {}", "workers: {}"] {
            assert!(state.contains(nothing), "not {nothing} in {state}");
        }
    }
}

fn pid(worker: WorkerId) -> u32 {
    100 + u32::try_from(worker.number()).unwrap_or(0)
}

/// Small numbers, so that every limit is met.
fn profile(rng: &mut Rng) -> Value {
    let mut number = |key: &str, most: u64| (Value::from(key), Value::Uint(1 + rng.below(most)));
    Value::Map(vec![
        number("pool-limit", 4),
        number("concurrency", 5),
        number("queue-limit", 8),
        number("startup-timeout", 20),
        number("heartbeat-timeout", 30),
        number("idle-timeout", 9),
        number("request-timeout", 30),
        number("seal-timeout", 4),
        number("stop-timeout", 3),
        number("terminate-timeout", 3),
        number("kill-timeout", 2),
        number("grow-threshold", 2),
    ])
}

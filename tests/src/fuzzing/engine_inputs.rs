//! Whatever can happen to an engine, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocaine_core::config::{Protocol, Tag};
use cocaine_core::engine::{Engine, EngineCommand, EngineNotice, Policy, StreamId, Urgency};
use cocaine_core::machine::{
    Batch, ConnId, Endpoint, ExitStatus, Input, IoError, ListenAt, ListenerId, Output, Peer, PeerProcess,
    StoreError, StoreId, StoreReply, WorkerId,
};
use cocaine_core::time::{Timestamp, WallClock};
use cocaine_core::wire::{Header, Value, v0, v1};

use super::driver::Driver;
use super::reader::Reader;
use super::stage::LIMITS;
use crate::scenario::config;

/// Each step is a byte that says what happens, and some more that say to whom and how.
///
/// # Panics
///
/// The engine breaks its contract with the driver, a stream ends twice or not at all, or the engine does not stop.
pub fn run(data: &[u8]) {
    let mut reader = Reader(data);
    let mut world = World::new(reader.byte());
    while !reader.is_empty() && !world.driver.is_over() {
        world.step(&mut reader);
        world.collect();
    }
    world.finish();
}

struct World {
    driver: Driver<Engine>,
    /// Asked for, and not opened or refused yet.
    opening: Vec<(ListenerId, ListenAt)>,
    workers_socket: Option<ListenerId>,
    service: Option<ListenerId>,
    accepted: u32,
    conns: Vec<ConnId>,
    processes: BTreeMap<WorkerId, Process>,
    stores: Vec<StoreId>,
    streams: BTreeMap<StreamId, bool>,
    cancelled: BTreeSet<StreamId>,
}

struct Process {
    uuid: String,
    life: Life,
    /// Its output is being read.
    reading: bool,
    /// It got a signal.
    doomed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Asked,
    Running,
    Gone,
}

impl World {
    fn new(options: u8) -> Self {
        let mut world = Self {
            driver: Driver::new(Engine::new(
                config(profile(options), Value::map([("slave", "worker")]), LIMITS),
                Timestamp::ZERO,
                WallClock::default(),
            )),
            opening: Vec::new(),
            workers_socket: None,
            service: None,
            accepted: 0,
            conns: Vec::new(),
            processes: BTreeMap::new(),
            stores: Vec::new(),
            streams: BTreeMap::new(),
            cancelled: BTreeSet::new(),
        };
        world.collect();
        if options & 0x80 == 0 {
            world.answer_listen(true);
            world.collect();
            world.answer_listen(true);
            world.collect();
        }
        world
    }

    fn command(&mut self, command: EngineCommand) {
        self.driver.tell(Input::Command(command));
    }

    // ---- what happens ----

    fn step(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 16 {
            0 => self.accept(self.service, Peer::default()),
            1 => self.accept_worker(reader),
            2 => self.receive(reader, |_, reader, out| out.extend_from_slice(reader.bytes())),
            3 | 4 => self.receive(reader, Self::client_frame),
            5 | 6 => self.receive(reader, Self::worker_frame),
            7 => {
                let conn = reader.one_of(&self.conns);
                conn.map(|conn| self.driver.acknowledge(conn));
            }
            8 => {
                let conn = reader.one_of(&self.conns);
                conn.into_iter().for_each(|conn| self.driver.hang_up(conn));
            }
            9 | 10 => self.process_step(reader),
            11 | 12 => self.stream_step(reader),
            13 => self.pass_time(reader),
            14 => self.stale(reader),
            _ => self.rare(reader),
        }
    }

    fn accept(&mut self, listener: Option<ListenerId>, peer: Peer) {
        let Some(listener) = listener else { return };
        let conn = ConnId::accepted(self.accepted, 0);
        self.accepted += 1;
        self.conns.push(conn);
        self.driver.tell(Input::Accepted { listener, conn, peer });
    }

    fn accept_worker(&mut self, reader: &mut Reader<'_>) {
        let worker = self.any_worker(reader);
        let uid = self.driver.machine.config().uid + u32::from(reader.byte() > 250);
        let pid = worker.map_or(1, pid);
        self.accept(self.workers_socket, Peer { process: Some(PeerProcess { pid, uid, pgid: Some(pid) }) });
    }

    fn receive(&mut self, reader: &mut Reader<'_>, write: impl FnOnce(&Self, &mut Reader<'_>, &mut Vec<u8>)) {
        let Some(conn) = reader.one_of(&self.conns) else { return };
        let mut bytes = Vec::new();
        write(self, reader, &mut bytes);
        self.driver.deliver(conn, &bytes, usize::MAX);
    }

    fn client_frame(&self, reader: &mut Reader<'_>, out: &mut Vec<u8>) {
        let (kind, channel) = (reader.byte(), u64::from(reader.byte()));
        match kind % 8 {
            0 => v1::invoke(out, channel, reader.bytes(), &[]),
            1 => v1::invoke(out, channel, b"ping", &headers(reader)),
            2 => v1::frame(out, channel, 0, |out| {
                Value::Array(vec!["ping".into(), "tag".into()]).encode(out);
            }),
            3 => v1::write(out, channel, &vec![b'x'; usize::from(reader.byte()) * 16]),
            4 => v1::close(out, channel),
            5 => v1::error(out, channel, &cocaine_core::wire::codes::END_OF_FILE.into()),
            6 => v1::frame(out, channel, u32::from(reader.byte()) | 0xff00, |out| {
                Value::Array(vec![u64::from(reader.byte()).into(), Value::array([1_u64, 2])]).encode(out);
            }),
            _ => v1::frame(out, channel, u32::from(reader.byte() % 4), |out| {
                Value::Array(vec![u64::from(reader.byte()).into()]).encode(out);
            }),
        }
    }

    fn worker_frame(&self, reader: &mut Reader<'_>, out: &mut Vec<u8>) {
        let kind = reader.byte();
        let channel = u64::from(reader.byte());
        let uuid = self.any_worker(reader).map_or("", |worker| &self.processes[&worker].uuid);
        let (data, error) = (vec![b'y'; usize::from(reader.byte()) * 16], codes());
        match (kind % 6, if kind < 128 { Protocol::V1 } else { Protocol::V0 }) {
            (0, Protocol::V1) => v1::handshake(out, uuid.as_bytes()),
            (0, Protocol::V0) => v0::handshake(out, uuid.as_bytes()),
            (1, Protocol::V1) => v1::heartbeat(out),
            (1, Protocol::V0) => v0::heartbeat(out),
            (2, Protocol::V1) => v1::write(out, channel, &data),
            (2, Protocol::V0) => v0::chunk(out, channel, &data),
            (3, Protocol::V1) => v1::close(out, channel),
            (3, Protocol::V0) => v0::choke(out, channel),
            (4, Protocol::V1) => v1::error(out, channel, &error),
            (4, Protocol::V0) => v0::error(out, channel, 2, b"no"),
            (_, Protocol::V1) => v1::terminate(out, 1, b"bye"),
            (_, Protocol::V0) => v0::terminate(out, 1, b"bye"),
        }
    }

    fn any_worker(&self, reader: &mut Reader<'_>) -> Option<WorkerId> {
        let all: Vec<WorkerId> = self.processes.keys().copied().collect();
        reader.one_of(&all)
    }

    fn process_step(&mut self, reader: &mut Reader<'_>) {
        let Some(worker) = self.any_worker(reader) else { return };
        let Some(process) = self.processes.get_mut(&worker) else { return };
        let step = reader.byte() % 8;
        let input = match (process.life, step) {
            (Life::Asked, 0) => {
                process.life = Life::Gone;
                Input::SpawnFailed { worker, error: IoError { errno: 2, text: "no such file".into() } }
            }
            (Life::Asked, _) => {
                process.life = Life::Running;
                Input::Spawned { worker, pid: pid(worker) }
            }
            (Life::Running, 0) => {
                process.life = Life::Gone;
                Input::WorkerExited { worker, status: ExitStatus::Code(i32::from(reader.byte())) }
            }
            (Life::Running, 1) if process.reading => {
                process.reading = false;
                Input::WorkerOutput { worker, bytes: Bytes::copy_from_slice(reader.bytes()) }
            }
            (Life::Running, 2 | 3) => return self.introduce(worker, step == 3),
            _ => return,
        };
        self.driver.tell(input);
    }

    /// Connects and says hello as it should.
    fn introduce(&mut self, worker: WorkerId, old: bool) {
        let process =
            PeerProcess { pid: pid(worker), uid: self.driver.machine.config().uid, pgid: Some(pid(worker)) };
        self.accept(self.workers_socket, Peer { process: Some(process) });
        let (Some(conn), uuid) = (self.conns.last().copied(), self.processes[&worker].uuid.as_bytes()) else {
            return;
        };
        let mut hello = Vec::new();
        if old {
            v0::handshake(&mut hello, uuid);
            v0::heartbeat(&mut hello);
        } else {
            v1::handshake(&mut hello, uuid);
            v1::heartbeat(&mut hello);
        }
        self.driver.deliver(conn, &hello, usize::MAX);
    }

    fn stream_step(&mut self, reader: &mut Reader<'_>) {
        let all: Vec<StreamId> = self.streams.keys().copied().collect();
        let (step, stream) = (reader.byte() % 8, reader.one_of(&all).unwrap_or(StreamId(u64::MAX)));
        let command = match step {
            0 | 1 => return self.open_stream(reader),
            2 | 3 => {
                EngineCommand::Chunk { stream, data: vec![b'z'; usize::from(reader.byte()) * 16].into() }
            }
            4 => EngineCommand::End { stream },
            5 => EngineCommand::Fail { stream, failure: codes() },
            6 => EngineCommand::Consumed { stream, bytes: usize::from(reader.byte()) * 16 },
            _ => {
                self.cancelled.insert(stream);
                EngineCommand::Cancel { stream }
            }
        };
        self.command(command);
    }

    fn open_stream(&mut self, reader: &mut Reader<'_>) {
        let stream = StreamId(self.streams.len() as u64);
        self.streams.insert(stream, false);
        let urgency = if reader.byte() > 127 { Urgency::Urgent } else { Urgency::Normal };
        let tag = (reader.byte() > 200).then(|| Tag::new("tag").expect("a tag"));
        let policy = Policy { tag, urgency };
        let headers = if reader.byte() > 127 { headers(reader) } else { vec![] };
        self.command(EngineCommand::Open { stream, event: Bytes::from_static(b"ping"), headers, policy });
    }

    fn pass_time(&mut self, reader: &mut Reader<'_>) {
        let end = self.driver.now + Duration::from_millis(u64::from(reader.byte()) * 64);
        while self.driver.sleep_until(end) {
            self.collect();
        }
    }

    /// What a driver may say about those who are gone, or were never there.
    fn stale(&mut self, reader: &mut Reader<'_>) {
        let gone: Vec<ConnId> =
            self.conns.iter().copied().filter(|conn| !self.driver.is_open(*conn)).collect();
        let conn = reader.one_of(&gone).unwrap_or(ConnId::accepted(reader.number(), u32::MAX));
        let worker = WorkerId::new(u64::from(reader.number()) | 1 << 32);
        let text = String::from("gone");
        self.driver.tell_stale(match reader.byte() % 11 {
            0 => Input::Received { conn, buf: BytesMut::from(reader.bytes()) },
            1 => Input::Written { conn, batch: Batch::new() },
            2 => Input::Disconnected { conn, error: Some(IoError { errno: 104, text }) },
            3 => Input::HungUp { conn },
            4 => Input::WorkerExited { worker, status: ExitStatus::Signal(9) },
            5 => Input::WorkerOutput { worker, bytes: Bytes::from_static(b"x\n") },
            6 => Input::SpawnFailed { worker, error: IoError { errno: 2, text } },
            7 => Input::Stored {
                store: StoreId::new(u64::from(reader.number()) | 1 << 32),
                result: Ok(StoreReply::Done),
            },
            8 => Input::Connected { conn },
            9 => Input::ConnectFailed { conn, error: IoError { errno: 111, text } },
            _ => Input::Timeout,
        });
    }

    fn rare(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 10 {
            0 => self.answer_listen(true),
            1 => self.answer_listen(reader.byte() < 200),
            2 => {
                if let Some(store) = self.stores.pop() {
                    let result = Err(StoreError { errno: 28, text: "no space".into() });
                    self.driver.tell(Input::Stored { store, result });
                }
            }
            3 => self
                .driver
                .tell(Input::WallClock(WallClock::new(self.driver.now, u64::from(reader.number())))),
            4 => self.command(EngineCommand::Info { query: 1, flags: u32::from(reader.byte()) }),
            5 | 6 => {
                let (lever, workers) = (u64::from(reader.byte() % 4), i64::from(reader.byte() % 8) - 1);
                self.command(EngineCommand::Control { lever, workers });
            }
            7 => self.command(EngineCommand::Release { lever: u64::from(reader.byte() % 4) }),
            8 if reader.byte() > 200 => self.command(EngineCommand::Stop),
            _ => self.driver.tell(Input::Timeout),
        }
    }

    fn answer_listen(&mut self, opens: bool) {
        let Some((listener, at)) = self.opening.pop() else { return };
        if !opens {
            let error = IoError { errno: 98, text: "Address already in use".into() };
            return self.driver.tell(Input::ListenFailed { listener, error });
        }
        let endpoint = match at {
            ListenAt::Unix { path, .. } => {
                self.workers_socket = Some(listener);
                Endpoint::Unix(path)
            }
            ListenAt::Tcp(addr) => {
                self.service = Some(listener);
                Endpoint::Tcp(addr)
            }
        };
        self.driver.tell(Input::Listening { listener, endpoints: vec![endpoint] });
    }

    // ---- what the engine wants ----

    fn collect(&mut self) {
        while let Some(wish) = self.driver.wishes.pop_front() {
            match wish {
                Output::Listen { listener, at } => self.opening.push((listener, at)),
                Output::Unlisten { listener } => self.unlisten(listener),
                Output::Spawn { worker, spec } => {
                    let uuid = spec.arguments.last().cloned().unwrap_or_default();
                    let process = Process { uuid, life: Life::Asked, reading: false, doomed: false };
                    self.processes.insert(worker, process);
                }
                Output::Kill { worker, .. } => {
                    self.processes.get_mut(&worker).expect("it was spawned").doomed = true;
                }
                Output::ReadOutput { worker } => {
                    self.processes.get_mut(&worker).expect("it was spawned").reading = true;
                }
                Output::Store { store, .. } => self.stores.push(store),
                Output::Notice(notice) => self.on_notice(&notice),
                _ => {}
            }
        }
        let buffered = self.driver.machine.buffered();
        assert!(buffered <= LIMITS.engine_bytes + LIMITS.wire.frame_bytes, "{buffered} bytes are buffered");
    }

    fn unlisten(&mut self, listener: ListenerId) {
        self.opening.retain(|(opening, _)| *opening != listener);
        for open in [&mut self.workers_socket, &mut self.service] {
            open.take_if(|open| *open == listener);
        }
    }

    fn on_notice(&mut self, notice: &EngineNotice) {
        let (stream, last) = match notice {
            EngineNotice::Chunk { stream, .. } => (stream, false),
            EngineNotice::End { stream } | EngineNotice::Fail { stream, .. } => (stream, true),
            _ => return,
        };
        assert!(!self.cancelled.contains(stream), "{stream:?} was cancelled: {notice:?}");
        let over = self.streams.get_mut(stream).expect("it was opened");
        assert!(!*over, "{stream:?} is over: {notice:?}");
        *over = last;
    }

    // ---- the end ----

    /// The engine is stopped, and the world is well again.
    fn finish(mut self) {
        while !self.opening.is_empty() {
            self.answer_listen(true);
            self.collect();
        }
        if !self.driver.is_over() {
            self.command(EngineCommand::Stop);
        }
        for _ in 0..120 {
            self.collect();
            self.bury();
            let end = self.driver.now + Duration::from_secs(1);
            while self.driver.sleep_until(end) {
                self.collect();
                self.bury();
            }
        }
        assert!(self.driver.is_over(), "two minutes after its stop the engine has not ended");
        let open: Vec<_> = self
            .streams
            .iter()
            .filter(|(stream, over)| !**over && !self.cancelled.contains(stream))
            .collect();
        assert!(open.is_empty(), "never answered: {open:?}");
        assert_eq!(self.driver.machine.buffered(), 0, "nobody waits for anything");
    }

    /// Processes start, and end when they are told to.
    fn bury(&mut self) {
        let mut inputs = Vec::new();
        for (worker, process) in &mut self.processes {
            let worker = *worker;
            if process.life == Life::Asked {
                process.life = Life::Running;
                inputs.push(Input::Spawned { worker, pid: pid(worker) });
            } else if process.life == Life::Running && process.doomed {
                process.life = Life::Gone;
                inputs.push(Input::WorkerExited { worker, status: ExitStatus::Signal(9) });
            }
        }
        for input in inputs {
            self.driver.tell(input);
            self.collect();
        }
    }
}

fn profile(options: u8) -> Value {
    Value::map([
        ("pool-limit", u64::from(options & 3) + 1),
        ("concurrency", u64::from(options >> 2 & 3) + 1),
        ("queue-limit", u64::from(options >> 4 & 3) * 2),
        ("min-pool", u64::from(options >> 6 & 1)),
        ("startup-timeout", 2),
        ("request-timeout", 5),
        ("heartbeat-timeout", 3),
        ("idle-timeout", 4),
    ])
}

fn headers(reader: &mut Reader<'_>) -> Vec<Header> {
    let timeout = u64::from(reader.byte()) * 16;
    vec![Header::new("request_timeout", timeout.to_le_bytes().to_vec())]
}

fn codes() -> cocaine_core::wire::Failure {
    cocaine_core::wire::codes::END_OF_FILE.into()
}

fn pid(worker: WorkerId) -> u32 {
    1000 + u32::try_from(worker.number()).unwrap_or(0)
}

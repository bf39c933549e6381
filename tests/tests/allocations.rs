//! Forwarding small chunks allocates nothing in steady state; large ones cost at most one allocation per read
//! buffer.

use bytes::BytesMut;
use cocaine_core::engine::{Engine, EngineCommand, EngineLimits};
use cocaine_core::machine::{Batch, ConnId, Endpoint, Input, ListenerId, Machine, Output, Peer, PeerProcess};
use cocaine_core::session::{COPY_LIMIT, READ_SIZE};
use cocaine_core::time::{Timestamp, WallClock};
use cocaine_core::wire::{Value, v1};
use cocaine_tests::counting::{Counting, allocations};
use cocaine_tests::scenario::config;

#[global_allocator]
static COUNTING: Counting = Counting;

const CLIENT: ConnId = ConnId::accepted(0, 0);
const WORKER: ConnId = ConnId::accepted(1, 0);

/// An engine, one client, one worker, and one request between them.
struct Pair {
    engine: Engine,
    reads: [Option<BytesMut>; 2],
    writes: [Option<Batch>; 2],
    listeners: Vec<ListenerId>,
    uuid: String,
    /// Bytes that came out at each side.
    written: [usize; 2],
    /// Allocations inside of the engine.
    inside: usize,
}

const NOW: Timestamp = Timestamp::ZERO;

fn side(conn: ConnId) -> usize {
    usize::from(conn == WORKER)
}

impl Pair {
    fn new() -> Self {
        let limits = EngineLimits::default();
        let config = config(Value::Map(Vec::new()), Value::map([("slave", "worker")]), limits);
        let mut pair = Self {
            engine: Engine::new(config, NOW, WallClock::default()),
            reads: [None, None],
            writes: [None, None],
            listeners: Vec::new(),
            uuid: String::new(),
            written: [0; 2],
            inside: 0,
        };
        pair.drain();
        for at in 0..2 {
            let listener = pair.listeners[at];
            let endpoints = vec![Endpoint::Unix("x".into())];
            pair.tell(Input::Listening { listener, endpoints });
        }
        pair.introduce();
        pair
    }

    fn introduce(&mut self) {
        let (workers, clients) = (self.listeners[0], self.listeners[1]);
        self.tell(Input::Accepted { listener: clients, conn: CLIENT, peer: Peer::default() });
        let enqueue = frame(|out| v1::frame(out, 1, 0, |out| Value::array(["event"]).encode(out)));
        self.send(CLIENT, &enqueue);
        let worker = cocaine_core::machine::WorkerId::new(1);
        self.tell(Input::Spawned { worker, pid: 7 });
        let process = Some(PeerProcess { pid: 7, uid: self.engine.config().uid, pgid: Some(7) });
        self.tell(Input::Accepted { listener: workers, conn: WORKER, peer: Peer { process } });
        let uuid = self.uuid.clone();
        self.send(WORKER, &frame(|out| v1::handshake(out, uuid.as_bytes())));
        self.send(WORKER, &frame(v1::heartbeat));
    }

    fn tell(&mut self, input: Input<EngineCommand>) {
        let before = allocations();
        self.engine.handle(NOW, input);
        self.inside += allocations() - before;
        self.drain();
        for conn in [CLIENT, WORKER] {
            if let Some(mut batch) = self.writes[side(conn)].take() {
                self.written[side(conn)] += batch.len();
                let len = batch.len();
                batch.advance(len);
                self.tell(Input::Written { conn, batch });
            }
        }
    }

    fn drain(&mut self) {
        loop {
            let before = allocations();
            let output = self.engine.poll_output();
            self.inside += allocations() - before;
            match output {
                Some(Output::Read { conn, buf }) => self.reads[side(conn)] = Some(buf),
                Some(Output::Write { conn, batch }) => self.writes[side(conn)] = Some(batch),
                Some(Output::Listen { listener, .. }) => self.listeners.push(listener),
                Some(Output::Spawn { spec, .. }) => {
                    self.uuid = spec.arguments.last().cloned().unwrap_or_default();
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Sends bytes as a socket would give them.
    fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        for part in bytes.chunks(READ_SIZE) {
            let mut buf = self.reads[side(conn)].take().expect("the engine reads on");
            // As a driver does that reads into memory of its own: room is made for what has come.
            buf.extend_from_slice(part);
            self.tell(Input::Received { conn, buf });
        }
    }
}

fn frame(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn ten_thousand_small_chunks_allocate_nothing() {
    let mut pair = Pair::new();
    // One for one, there and back; then many in one read.
    let there = frame(|out| v1::write(out, 1, b"ping"));
    let back = frame(|out| v1::write(out, 2, b"pong"));
    let many: Vec<u8> = (0..16).flat_map(|_| frame(|out| v1::write(out, 1, &[7; 700]))).collect();
    let round = |pair: &mut Pair| {
        pair.send(CLIENT, &there);
        pair.send(WORKER, &back);
        pair.send(CLIENT, &many);
    };
    (0..10).for_each(|_| round(&mut pair));
    let (before, inside, written) = (allocations(), pair.inside, pair.written);
    (0..600).for_each(|_| round(&mut pair));
    assert_eq!(pair.inside - inside, 0, "in the engine");
    assert_eq!(allocations() - before, 0, "in all, reading and writing included");
    let [to_client, to_worker] = [0, 1].map(|at| pair.written[at] - written[at]);
    assert_eq!(to_client, 600 * back.len());
    assert_eq!(to_worker, 600 * (there.len() + many.len()), "10,200 chunks");
}

#[test]
fn large_chunks_cost_at_most_one_allocation_per_read() {
    let mut pair = Pair::new();
    for size in [COPY_LIMIT + 1, 5_000, 60_000] {
        let chunk = frame(|out| v1::write(out, 2, &vec![7; size]));
        let read: Vec<u8> = chunk.repeat((READ_SIZE / chunk.len()).max(1));
        (0..4).for_each(|_| pair.send(WORKER, &read));
        let (inside, written) = (pair.inside, pair.written[0]);
        (0..100).for_each(|_| pair.send(WORKER, &read));
        let allocations = pair.inside - inside;
        assert!(allocations <= 100, "{allocations} allocations for 100 reads of chunks of {size} bytes");
        assert_eq!(pair.written[0] - written, 100 * read.len());
    }
}

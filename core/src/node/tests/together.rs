//! A node and its engines, both real, with a worker that echoes.

use std::collections::BTreeMap;

use bytes::BytesMut;

use crate::engine::Engine;
use crate::machine::{
    ConnId, Endpoint, EngineId, ExitStatus, Input, Launched, ListenAt, ListenerId, Machine, Output, Peer,
    PeerProcess, Signal, StoreReply, StoreRequest, WorkerId,
};
use crate::node::{Node, NodeCommand, NodeConfig, NodeNotice, ServiceKind};
use crate::time::{Timestamp, WallClock};
use crate::wire::v1::message::{CLOSE, ERROR, HEARTBEAT, INVOKE, TERMINATE, WRITE};
use crate::wire::{Value, v1};

use super::{code, done, frame};

const PID: u32 = 4000;
const ME: u32 = 1000;

/// One machine and the bytes on its connections.
struct Side<M> {
    machine: M,
    conns: BTreeMap<ConnId, Wire>,
    accepted: u32,
}

#[derive(Default)]
struct Wire {
    reading: Option<BytesMut>,
    unread: Vec<u8>,
    got: Vec<u8>,
}

impl<M: Machine> Side<M> {
    fn new(machine: M) -> Self {
        Self { machine, conns: BTreeMap::new(), accepted: 0 }
    }

    fn accept(&mut self, listener: ListenerId, peer: Peer) -> ConnId {
        let conn = ConnId::accepted(self.accepted, 0);
        self.accepted += 1;
        self.conns.insert(conn, Wire::default());
        self.machine.handle(NOW, Input::Accepted { listener, conn, peer });
        conn
    }

    /// Gives bytes to every connection that is read. Returns whether there were any.
    fn deliver(&mut self) -> bool {
        let ready = |wire: &Wire| wire.reading.is_some() && !wire.unread.is_empty();
        let Some((conn, wire)) = self.conns.iter_mut().find(|(_, wire)| ready(wire)) else { return false };
        let mut buf = wire.reading.take().unwrap();
        let most = wire.unread.len().min(crate::session::READ_SIZE);
        buf.extend(wire.unread.drain(..most));
        let conn = *conn;
        self.machine.handle(NOW, Input::Received { conn, buf });
        true
    }

    /// Does what every machine asks for in the same way; gives back the rest.
    fn act(&mut self, output: Output<M::Notice>) -> Option<Output<M::Notice>> {
        match output {
            Output::Read { conn, buf } => self.conns.get_mut(&conn).unwrap().reading = Some(buf),
            Output::Write { conn, batch } => {
                self.conns.get_mut(&conn).unwrap().got.extend(batch.to_vec());
                self.machine.handle(NOW, Input::Written { conn, batch });
            }
            Output::Listen { listener, at } => {
                let endpoint = match at {
                    ListenAt::Tcp(mut addr) => {
                        addr.set_port(7000);
                        Endpoint::Tcp(addr)
                    }
                    ListenAt::Unix { path, .. } => Endpoint::Unix(path),
                };
                self.machine.handle(NOW, Input::Listening { listener, endpoints: vec![endpoint] });
            }
            other => return Some(other),
        }
        None
    }
}

const NOW: Timestamp = Timestamp::ZERO;

struct Cloud {
    node: Side<Node>,
    engines: BTreeMap<EngineId, (Side<Engine>, Worker)>,
    stored: BTreeMap<(String, String), Value>,
}

/// A worker that gives back what it gets, on whichever channel.
#[derive(Default)]
struct Worker {
    id: Option<WorkerId>,
    conn: Option<ConnId>,
    /// Terminated.
    leaving: bool,
    invoked: Vec<u64>,
}

impl Cloud {
    fn new(soft_bytes: usize) -> Self {
        let mut config = NodeConfig::new(([127, 0, 0, 1], 7000).into(), "/run/node", [3; 32]);
        (config.runlist, config.uid, config.limits.soft_bytes) = (None, ME, soft_bytes);
        let key = |collection: &str, key: &str| (collection.to_owned(), key.to_owned());
        let stored = BTreeMap::from([
            (key("manifests", "echo"), Value::map([("slave", "worker")])),
            (key("profiles", "default"), Value::map([("pool-limit", Value::Uint(1))])),
            (key("apps", "echo"), Value::from("archive")),
        ]);
        let mut cloud = Self { node: Side::new(Node::new(config, NOW)), engines: BTreeMap::new(), stored };
        cloud.node.machine.handle(NOW, Input::Command(NodeCommand::Start));
        cloud.run();
        cloud
    }

    /// Runs until nothing is left to do.
    fn run(&mut self) {
        loop {
            let mut busy = self.node.deliver();
            while let Some(output) = self.node.machine.poll_output() {
                busy = true;
                self.on_node(output);
            }
            for engine in self.engines.keys().copied().collect::<Vec<_>>() {
                busy |= self.run_engine(engine);
            }
            if !busy {
                return;
            }
        }
    }

    fn on_node(&mut self, output: Output<NodeNotice>) {
        match self.node.act(output) {
            Some(Output::Store { store, request: StoreRequest::Read { collection, key } }) => {
                let value = self.stored[&(collection, key)].to_vec().into();
                self.node.machine.handle(NOW, Input::Stored { store, result: Ok(StoreReply::Value(value)) });
            }
            Some(Output::Launch { launch, .. }) => {
                let directory = "/spool/echo".to_owned();
                let result = Ok(Launched { directory, manifest: None, profile: None });
                self.node.machine.handle(NOW, Input::Launched { launch, result });
            }
            Some(Output::Notice(NodeNotice::StartEngine { engine, config })) => {
                let machine = Engine::new(*config, NOW, WallClock::default());
                self.engines.insert(engine, (Side::new(machine), Worker::default()));
            }
            Some(Output::Notice(NodeNotice::ToEngine { engine, command })) => {
                if let Some((side, _)) = self.engines.get_mut(&engine) {
                    side.machine.handle(NOW, Input::Command(command));
                }
            }
            _ => {}
        }
    }

    fn run_engine(&mut self, engine: EngineId) -> bool {
        let Some((side, worker)) = self.engines.get_mut(&engine) else { return false };
        let mut busy = side.deliver();
        while let Some(output) = side.machine.poll_output() {
            busy = true;
            match side.act(output) {
                Some(Output::Spawn { worker: id, spec }) => worker.spawn(side, id, &spec.arguments),
                Some(Output::Kill { worker, signal }) => {
                    let number = if signal == Signal::Term { 15 } else { 9 };
                    let status = ExitStatus::Signal(number);
                    side.machine.handle(NOW, Input::WorkerExited { worker, status });
                }
                Some(Output::Notice(notice)) => {
                    let command = NodeCommand::FromEngine { engine, notice };
                    self.node.machine.handle(NOW, Input::Command(command));
                }
                _ => {}
            }
            worker.work(side);
        }
        busy
    }

    fn client(&mut self) -> ConnId {
        let listener =
            self.node.machine.listeners.iter().find(|(_, entry)| entry.kind() == ServiceKind::Node);
        let listener = *listener.unwrap().0;
        self.node.accept(listener, Peer::default())
    }

    fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        self.node.conns.get_mut(&conn).unwrap().unread.extend_from_slice(bytes);
        self.run();
    }

    fn frames(&mut self, conn: ConnId) -> Vec<super::Frame> {
        super::decode(&std::mem::take(&mut self.node.conns.get_mut(&conn).unwrap().got))
    }

    /// A client of the node service, and the app `echo` runs.
    fn started(soft_bytes: usize) -> (Self, ConnId) {
        let mut cloud = Self::new(soft_bytes);
        let client = cloud.client();
        cloud.send(client, &frame(1, 0, &["echo".into(), "default".into()]));
        assert_eq!(cloud.frames(client), [done(1)]);
        (cloud, client)
    }
}

impl Worker {
    fn spawn(&mut self, side: &mut Side<Engine>, id: WorkerId, arguments: &[String]) {
        let at = arguments.iter().position(|argument| argument == "--uuid").unwrap();
        let mut hello = Vec::new();
        v1::handshake(&mut hello, arguments[at + 1].as_bytes());
        v1::heartbeat(&mut hello);
        side.machine.handle(NOW, Input::Spawned { worker: id, pid: PID });
        let process = Some(PeerProcess { pid: PID, uid: ME, pgid: Some(PID) });
        // The workers' socket is the first listener of an engine.
        let conn = side.accept(ListenerId::new(1), Peer { process });
        side.conns.get_mut(&conn).unwrap().unread = hello;
        *self = Self { id: Some(id), conn: Some(conn), ..Self::default() };
    }

    /// Reads what came and answers it.
    fn work(&mut self, side: &mut Side<Engine>) {
        let Some(wire) = self.conn.and_then(|conn| side.conns.get_mut(&conn)) else { return };
        for (channel, message, args) in super::decode(&std::mem::take(&mut wire.got)) {
            let (message, out) = (u32::try_from(message).unwrap(), &mut wire.unread);
            match (channel, message) {
                (1, HEARTBEAT) => {}
                (1, TERMINATE) => self.leaving = true,
                (_, INVOKE) if !self.invoked.contains(&channel) => self.invoked.push(channel),
                (_, WRITE) => v1::write(out, channel, args.as_array().unwrap()[0].as_bytes().unwrap()),
                (_, CLOSE) => v1::close(out, channel),
                (_, ERROR) => {}
                other => panic!("a worker does not get {other:?}"),
            }
        }
        if self.leaving
            && let Some(worker) = self.id.take()
        {
            if let Some(conn) = self.conn.take() {
                side.machine.handle(NOW, Input::Disconnected { conn, error: None });
            }
            side.machine.handle(NOW, Input::WorkerExited { worker, status: ExitStatus::Code(0) });
        }
    }
}

fn enqueue(channel: u64) -> Vec<u8> {
    frame(channel, 5, &["echo".into(), "ping".into()])
}

/// How many bytes of chunks there are, and what ended the stream.
fn echoed(frames: &[super::Frame], channel: u64) -> (usize, Option<u64>) {
    let own = frames.iter().filter(|frame| frame.0 == channel);
    own.fold((0, None), |(bytes, end), (_, message, args)| match (message, end) {
        (0, None) => (bytes + args.as_array().unwrap()[0].as_bytes().unwrap().len(), None),
        (message, None) => (bytes, Some(*message)),
        _ => panic!("a frame behind the end"),
    })
}

#[test]
fn a_request_through_the_node_is_echoed() {
    let (mut cloud, client) = Cloud::started(1 << 20);
    cloud.send(client, &enqueue(2));
    cloud.send(client, &frame(2, 0, &["one".into()]));
    assert_eq!(cloud.frames(client), [(2, 0, Value::array(["one"]))]);
    cloud.send(client, &[frame(2, 0, &["".into()]), frame(2, 2, &[])].concat());
    assert_eq!(cloud.frames(client), [(2, 0, Value::array([""])), (2, 2, Value::Array(vec![]))]);
    assert!(cloud.node.machine.streams.is_empty());
}

#[test]
fn more_bytes_than_every_bound_come_back_in_the_end() {
    for (soft_bytes, size) in [(1000, 10), (1000, 5000), (100_000, 1), (100_000, 70_000)] {
        let (mut cloud, client) = Cloud::started(soft_bytes);
        let count = (20 * soft_bytes / size).clamp(20, 20_000);
        let chunk = Value::from("x".repeat(size));
        let mut bytes = [enqueue(2), enqueue(3)].concat();
        for _ in 0..count {
            bytes.extend(frame(2, 0, std::slice::from_ref(&chunk)));
            bytes.extend(frame(3, 0, std::slice::from_ref(&chunk)));
        }
        bytes.extend([frame(2, 2, &[]), frame(3, 2, &[])].concat());
        cloud.send(client, &bytes);
        let frames = cloud.frames(client);
        assert_eq!(echoed(&frames, 2), (count * size, Some(2)), "{soft_bytes} {size}");
        assert_eq!(echoed(&frames, 3), (count * size, Some(2)), "{soft_bytes} {size}");
    }
}

#[test]
fn an_app_is_stopped_with_its_requests_answered_and_started_again() {
    let (mut cloud, client) = Cloud::started(1 << 20);
    let pauser = cloud.client();
    cloud.send(client, &enqueue(2));
    cloud.send(pauser, &frame(1, 1, &["echo".into()]));
    assert_eq!(cloud.frames(pauser), [], "a request is running");
    cloud.send(client, &frame(2, 0, &["last words".into()]));
    cloud.send(client, &frame(2, 2, &[]));
    assert_eq!(echoed(&cloud.frames(client), 2), (10, Some(2)));
    assert_eq!(cloud.frames(pauser), [done(1)]);
    cloud.send(client, &enqueue(3));
    assert_eq!(code(&cloud.frames(client)[0]), (20_991, 6));
    cloud.send(client, &frame(4, 0, &["echo".into(), "default".into()]));
    cloud.send(client, &[enqueue(5), frame(5, 0, &["again".into()]), frame(5, 2, &[])].concat());
    let frames = cloud.frames(client);
    assert_eq!((&frames[0], echoed(&frames, 5)), (&done(4), (5, Some(2))));
}

#[test]
fn services_defect_36_a_report_says_published_in_both_spellings() {
    let (mut cloud, client) = Cloud::started(1 << 20);
    cloud.send(client, &frame(2, 3, &["echo".into(), Value::Uint(7)]));
    let frames = cloud.frames(client);
    let report = &frames[0].2.as_array().unwrap()[0];
    assert_eq!(report.get("state").unwrap().as_str(), Some("running"));
    assert_eq!(report.get("profile").unwrap().get("name").unwrap().as_str(), Some("default"));
    for spelling in ["published", "publushed"] {
        assert_eq!(report.get(spelling), Some(&Value::Bool(true)));
    }
}

#[test]
fn a_client_that_leaves_leaves_nothing_behind() {
    let (mut cloud, client) = Cloud::started(1 << 20);
    cloud.send(client, &[enqueue(2), frame(2, 0, &["x".into()]), enqueue(3)].concat());
    cloud.send(client, &frame(4, 4, &["echo".into()]));
    cloud.node.machine.handle(NOW, Input::Disconnected { conn: client, error: None });
    cloud.run();
    assert!(cloud.node.machine.streams.is_empty() && cloud.node.machine.levers.is_empty());
    let client = cloud.client();
    cloud.send(client, &[enqueue(1), frame(1, 0, &["y".into()]), frame(1, 2, &[])].concat());
    assert_eq!(echoed(&cloud.frames(client), 1), (1, Some(2)));
}

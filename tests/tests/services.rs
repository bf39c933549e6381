//! What clients that nobody here wrote say to a node's services, and what the node answers.
//!
//! The recordings have the answers of a stand-in. Ours are the same to the byte, but for what each server says in
//! its own way: its addresses, uuids, reports, and the texts of errors.

use std::collections::BTreeMap;

use bytes::BytesMut;
use cocaine_core::engine::EngineNotice;
use cocaine_core::machine::{
    ConnId, Endpoint, EngineId, Input, Launched, ListenAt, ListenerId, Machine, Output, Peer,
};
use cocaine_core::node::{Node, NodeCommand, NodeConfig, NodeNotice};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::Value;
use cocaine_tests::stored::Stored;
use cocaine_tests::transcripts::{Recorded, recorded};

const SERVICES: [&str; 4] = ["locator", "node", "storage", "logging"];

/// A node with a storage in memory and engines that start and stop at once.
struct Stand {
    node: Node,
    listeners: Vec<ListenerId>,
    conns: u32,
    reads: BTreeMap<ConnId, BytesMut>,
    got: BTreeMap<ConnId, Vec<u8>>,
    stored: Stored,
}

impl Stand {
    fn new() -> Self {
        let config = NodeConfig::new(([127, 0, 0, 1], 10053).into(), "/run/node", [1; 32]);
        let mut stand = Self {
            node: Node::new(config, Timestamp::ZERO),
            listeners: Vec::new(),
            conns: 0,
            reads: BTreeMap::new(),
            got: BTreeMap::new(),
            stored: Stored::default(),
        };
        stand.put("manifests", "demo-app", &Value::map([("slave", "worker.py")]));
        stand.put("apps", "demo-app", &Value::from("archive"));
        stand.put("profiles", "demo-profile", &Value::Map(Vec::new()));
        stand.put("runlists", "default", &Value::map([("demo-app", "demo-profile")]));
        stand.input(Input::Command(NodeCommand::Start));
        stand
    }

    fn put(&mut self, collection: &str, key: &str, value: &Value) {
        self.stored.put(collection, key, value);
    }

    fn input(&mut self, input: Input<NodeCommand>) {
        self.node.handle(Timestamp::ZERO, input);
        while let Some(output) = self.node.poll_output() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output<NodeNotice>) {
        match output {
            Output::Listen { listener, at: ListenAt::Tcp(mut addr) } => {
                self.listeners.push(listener);
                addr.set_port(addr.port().max(20_000));
                self.input(Input::Listening { listener, endpoints: vec![Endpoint::Tcp(addr)] });
            }
            Output::Read { conn, buf } => drop(self.reads.insert(conn, buf)),
            Output::Write { conn, batch } => {
                self.got.entry(conn).or_default().extend(batch.to_vec());
                self.input(Input::Written { conn, batch });
            }
            Output::Store { store, request } => {
                let result = self.stored.run(request);
                self.input(Input::Stored { store, result });
            }
            Output::Launch { launch, .. } => {
                let directory = "/spool/app".to_owned();
                let result = Ok(Launched { directory, manifest: None, profile: None });
                self.input(Input::Launched { launch, result });
            }
            Output::Notice(notice) => self.on_notice(&notice),
            _ => {}
        }
    }

    fn on_notice(&mut self, notice: &NodeNotice) {
        use cocaine_core::engine::EngineCommand::{Info, Stop};
        match notice {
            NodeNotice::StartEngine { engine, .. } => {
                let engine = *engine;
                let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], 30_000).into())];
                self.engine_says(engine, EngineNotice::Published { endpoints });
                self.engine_says(engine, EngineNotice::Started);
            }
            NodeNotice::ToEngine { engine, command: Stop } => {
                self.engine_says(*engine, EngineNotice::Stopped);
            }
            NodeNotice::ToEngine { engine, command: Info { query, .. } } => {
                let report = Value::map([("state", "running")]);
                self.engine_says(*engine, EngineNotice::Info { query: *query, report });
            }
            _ => {}
        }
    }

    fn engine_says(&mut self, engine: EngineId, notice: EngineNotice) {
        self.input(Input::Command(NodeCommand::FromEngine { engine, notice }));
    }

    /// A new client of the service with this name; the services listen in the order of their configuration.
    fn connect(&mut self, service: &str) -> ConnId {
        let listener = self.listeners[SERVICES.iter().position(|name| *name == service).unwrap()];
        let conn = ConnId::accepted(self.conns, 0);
        self.conns += 1;
        self.input(Input::Accepted { listener, conn, peer: Peer::default() });
        conn
    }

    fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut buf = self.reads.remove(&conn).expect("the node reads");
        buf.extend_from_slice(bytes);
        self.input(Input::Received { conn, buf });
    }
}

/// The frames in some bytes, without their headers.
fn frames(mut bytes: &[u8]) -> Vec<Vec<Value>> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = Value::decode(bytes).unwrap();
        frames.push(frame.as_array().unwrap()[..3].to_vec());
        bytes = rest;
    }
    frames
}

/// The frame with what every server says in its own way left out.
fn in_common(conn: &str, request: &Recorded, mut frame: Vec<Value>) -> Vec<Value> {
    let method = request.decoded[1].as_u64();
    let result = frame[1] == Value::Uint(0);
    frame[2] = match (conn, method, result, frame[2].clone()) {
        ("locator", Some(0), true, Value::Array(mut resolved)) => {
            resolved[0] = Value::Nil;
            Value::Array(resolved)
        }
        ("locator", Some(3 | 6), true, _) | ("node", Some(3), true, _) => Value::Nil,
        ("locator", _, false, failure) => failure,
        ("storage", _, false, _) => Value::Nil,
        (_, _, false, Value::Array(failure)) => failure[0].clone(),
        (_, _, _, args) => args,
    };
    frame
}

/// Whether the stand-in answered something that a node like ours does not.
fn special(request: &Recorded, answers: &[&Recorded]) -> bool {
    // It had a cluster, and unicorn.
    ["locator_connect", "unicorn"].iter().any(|special| request.file.contains(special))
        // It published an app only some time after it had answered its start.
        || request.file.contains("pause_and_start") && answers.iter().any(|answer| answer.decoded[1] == 1)
}

fn service_of(frame: &Recorded) -> &str {
    frame.stream.0.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn recorded_clients_get_the_answers_that_they_are_used_to() {
    let recorded = recorded();
    let mut compared = BTreeMap::from(SERVICES.map(|service| (service, 0)));
    for file in recorded.chunk_by(|one, other| one.file == other.file) {
        let mut stand = Stand::new();
        let mut conns = BTreeMap::new();
        for request in file.iter().filter(|frame| frame.stream.1 == "C->S") {
            let service = service_of(request);
            let Some(count) = compared.get_mut(service) else { continue };
            let same_channel = |answer: &&Recorded| {
                answer.stream == (request.stream.0.clone(), "S->C".to_owned())
                    && answer.decoded[0] == request.decoded[0]
            };
            let answers: Vec<&Recorded> = file.iter().filter(same_channel).collect();
            if special(request, &answers) {
                continue;
            }
            let conn = *conns.entry(&request.stream.0).or_insert_with(|| stand.connect(service));
            stand.say(conn, &request.bytes);
            let ours = frames(&stand.got.remove(&conn).unwrap_or_default());
            let theirs = answers.iter().flat_map(|answer| frames(&answer.bytes));
            let common = |frame| in_common(service, request, frame);
            let (ours, theirs): (Vec<_>, Vec<_>) =
                (ours.into_iter().map(common).collect(), theirs.map(common).collect());
            assert_eq!(ours, theirs, "{} {}", request.file, request.decoded);
            *count += 1;
        }
    }
    let least = BTreeMap::from([("locator", 60), ("node", 8), ("storage", 20), ("logging", 5)]);
    assert!(compared.iter().all(|(service, count)| *count >= least[service]), "{compared:?}");
}

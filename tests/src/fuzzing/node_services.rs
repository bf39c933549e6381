//! The services of a node, one of whose clients sends anything.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::engine::{EngineCommand, EngineLimits, EngineNotice, StreamId};
use cocaine_core::machine::{
    CloseReason, ConnId, Endpoint, EngineId, Input, Launched, ListenAt, ListenerId, Output, Peer,
};
use cocaine_core::node::{Node, NodeCommand, NodeConfig, NodeNotice, ServiceKind};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::{Failure, Limits, Value, codes, v1};

use super::calls::Calls;
use super::driver::Driver;
use crate::stored::Stored;

/// Small bounds, so that an input can reach them.
fn limits() -> EngineLimits {
    let wire = Limits { frame_bytes: 16 * 1024, channels: 16, ..Limits::DEFAULT };
    EngineLimits { wire, soft_bytes: 1024, ..EngineLimits::default() }
}

/// `uuid` of the locator.
const UUID: u32 = 6;

/// The first byte chooses the size of the pieces in which the others arrive, the bits of the second after which
/// pieces the client takes what was written to it, the third the service and how it ends; the others are what the
/// client sends.
///
/// # Panics
///
/// The node breaks its contract with the driver, another client does not get its answers, a call is answered
/// twice or not at all, or the node does not stop.
pub fn run(data: &[u8]) {
    let [piece, takes, mode, stream @ ..] = data else { return };
    let mut lab = Lab::new();
    let service = usize::from(mode % 4);
    let mut stranger = Client::new(&mut lab, service);
    let mut innocent = Client::new(&mut lab, 0);
    for (number, bytes) in stream.chunks(usize::from(*piece) + 1).enumerate() {
        stranger.send(&mut lab, bytes);
        if takes >> (number % 8) & 1 == 1 {
            lab.driver.acknowledge(stranger.conn);
            stranger.go_on(&mut lab);
        }
        innocent.is_answered(&mut lab, number as u64 + 1);
    }
    if mode & 4 == 0 {
        lab.driver.hang_up(stranger.conn);
        lab.go_on();
        innocent.is_answered(&mut lab, stream.len() as u64 + 1);
    }
    shut_down(lab, stranger, innocent, mode & 8 == 0);
}

fn shut_down(mut lab: Lab, mut stranger: Client, mut innocent: Client, takes: bool) {
    lab.driver.tell(Input::Command(NodeCommand::Shutdown { within: Duration::from_secs(10) }));
    lab.go_on();
    for _ in 0..24 {
        innocent.take_all(&mut lab);
        if takes {
            stranger.take_all(&mut lab);
        }
        let end = lab.driver.now + Duration::from_millis(500);
        while lab.driver.sleep_until(end) {
            lab.go_on();
        }
    }
    assert!(lab.driver.is_over(), "the node has not stopped");
    innocent.go_on(&mut lab);
    innocent.calls.assert_all_ended(&[]);
    stranger.go_on(&mut lab);
    if takes && lab.driver.why_closed(stranger.conn) == Some(&CloseReason::Stopping) {
        stranger.calls.assert_all_ended(&["publish", "control", "emit"]);
    }
}

/// A client of one service.
struct Client {
    conn: ConnId,
    unsent: Vec<u8>,
    calls: Calls,
}

impl Client {
    fn new(lab: &mut Lab, service: usize) -> Self {
        let conn = lab.accept(service);
        Self { conn, unsent: Vec::new(), calls: Calls::new(ServiceKind::ALL[service].protocol()) }
    }

    fn send(&mut self, lab: &mut Lab, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.go_on(lab);
    }

    fn go_on(&mut self, lab: &mut Lab) {
        let taken = lab.driver.deliver(self.conn, &self.unsent, usize::MAX);
        self.calls.sent(&self.unsent[..taken]);
        self.unsent.drain(..taken);
        lab.go_on();
        self.calls.received(&lab.driver.take_received(self.conn));
    }

    fn take_all(&mut self, lab: &mut Lab) {
        self.go_on(lab);
        while lab.driver.acknowledge(self.conn) {
            self.go_on(lab);
        }
    }

    fn is_answered(&mut self, lab: &mut Lab, channel: u64) {
        let mut call = Vec::new();
        v1::frame(&mut call, channel, UUID, |out| Value::Array(vec![]).encode(out));
        self.send(lab, &call);
        self.take_all(lab);
        let call = self.calls.get(channel);
        assert!(call.ended() && !call.failed, "{call:?}");
    }
}

/// A node with a storage in memory, and engines that echo.
struct Lab {
    driver: Driver<Node>,
    listeners: Vec<ListenerId>,
    accepted: u32,
    stored: Stored,
    /// Streams of each engine.
    engines: BTreeMap<EngineId, Vec<StreamId>>,
}

impl Lab {
    fn new() -> Self {
        let mut config = NodeConfig::new(([127, 0, 0, 1], 10053).into(), "/run/node", [1; 32]);
        config.limits = limits();
        let mut lab = Self {
            driver: Driver::new(Node::new(config, Timestamp::ZERO)),
            listeners: Vec::new(),
            accepted: 0,
            stored: Stored::default(),
            engines: BTreeMap::new(),
        };
        lab.put("manifests", "demo-app", &Value::map([("slave", "worker.py")]));
        lab.put("apps", "demo-app", &Value::from("archive"));
        lab.put("profiles", "demo-profile", &Value::Map(Vec::new()));
        lab.put("runlists", "default", &Value::map([("demo-app", "demo-profile")]));
        lab.driver.tell(Input::Command(NodeCommand::Start));
        lab.go_on();
        lab
    }

    fn put(&mut self, collection: &str, key: &str, value: &Value) {
        self.stored.put(collection, key, value);
    }

    fn accept(&mut self, service: usize) -> ConnId {
        let (listener, conn) = (self.listeners[service], ConnId::accepted(self.accepted, 0));
        self.accepted += 1;
        self.driver.tell(Input::Accepted { listener, conn, peer: Peer::default() });
        conn
    }

    fn go_on(&mut self) {
        while let Some(wish) = self.driver.wishes.pop_front() {
            match wish {
                Output::Listen { listener, at: ListenAt::Tcp(mut addr) } => {
                    self.listeners.push(listener);
                    addr.set_port(addr.port().max(20_000));
                    self.driver.tell(Input::Listening { listener, endpoints: vec![Endpoint::Tcp(addr)] });
                }
                Output::Store { store, request } => {
                    let result = self.stored.run(request);
                    self.driver.tell(Input::Stored { store, result });
                }
                Output::Launch { launch, .. } => {
                    let result =
                        Ok(Launched { directory: "/spool/app".into(), manifest: None, profile: None });
                    self.driver.tell(Input::Launched { launch, result });
                }
                Output::Notice(notice) => self.on_notice(notice),
                _ => {}
            }
        }
    }

    fn on_notice(&mut self, notice: NodeNotice) {
        match notice {
            NodeNotice::StartEngine { engine, .. } => {
                self.engines.insert(engine, Vec::new());
                let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], 30_000).into())];
                self.engine_says(engine, EngineNotice::Published { endpoints });
                self.engine_says(engine, EngineNotice::Started);
            }
            NodeNotice::ToEngine { engine, command } => self.engine_hears(engine, command),
            _ => {}
        }
    }

    fn engine_says(&mut self, engine: EngineId, notice: EngineNotice) {
        self.driver.tell(Input::Command(NodeCommand::FromEngine { engine, notice }));
    }

    /// The engines are as simple as can be: they send back what comes.
    fn engine_hears(&mut self, engine: EngineId, command: EngineCommand) {
        let Some(streams) = self.engines.get_mut(&engine) else { return };
        match command {
            EngineCommand::Open { stream, event, .. } => {
                streams.push(stream);
                self.engine_says(engine, EngineNotice::Chunk { stream, data: event });
            }
            EngineCommand::Chunk { stream, data } if streams.contains(&stream) => {
                let bytes = data.len();
                self.engine_says(engine, EngineNotice::Chunk { stream, data });
                self.engine_says(engine, EngineNotice::Consumed { stream, bytes });
            }
            EngineCommand::End { stream } | EngineCommand::Fail { stream, .. } => {
                let before = streams.len();
                streams.retain(|open| *open != stream);
                if streams.len() < before {
                    self.engine_says(engine, EngineNotice::End { stream });
                }
            }
            EngineCommand::Cancel { stream } => streams.retain(|open| *open != stream),
            EngineCommand::Info { query, .. } => {
                let report = Value::map([("state", "running")]);
                self.engine_says(engine, EngineNotice::Info { query, report });
            }
            EngineCommand::Stop => {
                for stream in self.engines.remove(&engine).unwrap_or_default() {
                    let failure: Failure = codes::APP_STOPPED.into();
                    self.engine_says(engine, EngineNotice::Fail { stream, failure });
                }
                self.engine_says(engine, EngineNotice::Stopped);
            }
            _ => {}
        }
    }
}

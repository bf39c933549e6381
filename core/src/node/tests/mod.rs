//! A node driven by hand: the tests play clients, storage and engines.

mod apps;
mod boot;
mod calls;
mod relay;
mod services;
mod together;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::{Node, NodeCommand, NodeConfig, NodeNotice, ServiceKind};
use crate::engine::{EngineCommand, EngineConfig, EngineNotice};
use crate::machine::{
    Batch, CloseReason, ConnId, Endpoint, EngineId, Input, IoError, LaunchError, LaunchId, LaunchRequest,
    Launched, ListenAt, ListenerId, Machine, Output, Peer, Record, StoreError, StoreId, StoreReply,
    StoreRequest,
};
use crate::time::Timestamp;
use crate::wire::{Value, encode, v1};

/// One frame that a client got: channel, message, arguments.
pub(super) type Frame = (u64, u64, Value);

/// A node, and everything around it.
pub(super) struct Lab {
    pub(super) node: Node,
    pub(super) now: Timestamp,
    pub(super) listeners: BTreeMap<ListenerId, ListenAt>,
    /// Listening at these ports fails with this errno.
    pub(super) refused: BTreeMap<u16, i32>,
    conns: BTreeMap<ConnId, Wire>,
    accepted: u32,
    /// What the storage has; answered at once unless `hold_stores`.
    pub(super) stored: BTreeMap<(String, String), Bytes>,
    pub(super) hold_stores: bool,
    pub(super) stores: Vec<(StoreId, StoreRequest)>,
    /// What launching gives; answered at once unless `hold_launches`.
    pub(super) launch: Result<Launched, LaunchError>,
    pub(super) hold_launches: bool,
    pub(super) launches: Vec<(LaunchId, LaunchRequest)>,
    pub(super) engines: BTreeMap<EngineId, EngineConfig>,
    pub(super) commands: Vec<(EngineId, EngineCommand)>,
    pub(super) notices: Vec<NodeNotice>,
    pub(super) logs: Vec<Record>,
}

#[derive(Default)]
struct Wire {
    reading: Option<BytesMut>,
    /// Sent by the client, not read by the node yet.
    unread: Vec<u8>,
    /// Written by the node, not looked at by the test yet.
    got: Vec<u8>,
    closed: Option<CloseReason>,
    /// Writes stay in flight.
    stuck: bool,
    in_flight: Option<Batch>,
}

impl Lab {
    /// A node that was configured like this and not started.
    pub(super) fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let mut config = NodeConfig::new(([127, 0, 0, 1], 10053).into(), "/run/node", [3; 32]);
        config.runlist = None;
        config.uid = 1000;
        change(&mut config);
        let directory = "/spool/app".to_owned();
        Self {
            node: Node::new(config, Timestamp::ZERO),
            now: Timestamp::ZERO,
            listeners: BTreeMap::new(),
            refused: BTreeMap::new(),
            conns: BTreeMap::new(),
            accepted: 0,
            stored: BTreeMap::new(),
            hold_stores: false,
            stores: Vec::new(),
            launch: Ok(Launched { directory, manifest: None, profile: None }),
            hold_launches: false,
            launches: Vec::new(),
            engines: BTreeMap::new(),
            commands: Vec::new(),
            notices: Vec::new(),
            logs: Vec::new(),
        }
    }

    /// A node that serves, without any app.
    pub(super) fn serving() -> Self {
        let mut lab = Self::with(|_| ());
        lab.command(NodeCommand::Start);
        assert!(matches!(lab.notices.pop(), Some(NodeNotice::Ready { .. })));
        lab
    }

    /// A node that serves and has what it takes to start the app `echo`.
    pub(super) fn with_echo() -> Self {
        let mut lab = Self::serving();
        lab.store_app("echo");
        lab
    }

    /// Puts an app into the storage, and the profile `default`.
    pub(super) fn store_app(&mut self, app: &str) {
        let manifest = Value::map([("slave", Value::from("worker.py"))]);
        self.put("manifests", app, &manifest);
        self.put("apps", app, &Value::from("an archive"));
        self.put("profiles", "default", &Value::map([("pool-limit", Value::Uint(4))]));
    }

    pub(super) fn put(&mut self, collection: &str, key: &str, value: &Value) {
        self.stored.insert((collection.into(), key.into()), value.to_vec().into());
    }

    // ---- the world ----

    pub(super) fn command(&mut self, command: NodeCommand) {
        self.input(Input::Command(command));
    }

    pub(super) fn input(&mut self, input: Input<NodeCommand>) {
        self.node.handle(self.now, input);
        while let Some(output) = self.node.poll_output() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output<NodeNotice>) {
        match output {
            Output::Read { conn, buf } => {
                let wire = self.conns.get_mut(&conn).unwrap();
                assert!(wire.reading.replace(buf).is_none(), "one read in flight");
                self.deliver(conn);
            }
            Output::Write { conn, batch } => {
                let wire = self.conns.get_mut(&conn).unwrap();
                wire.got.extend_from_slice(&batch.to_vec());
                assert!(wire.in_flight.replace(batch).is_none(), "one write in flight");
                if !wire.stuck {
                    self.unstick(conn);
                }
            }
            Output::Close { conn, reason } => {
                let wire = self.conns.get_mut(&conn).unwrap();
                assert!(wire.closed.replace(reason).is_none(), "closed once");
            }
            Output::Listen { listener, at } => self.listen(listener, at),
            Output::Unlisten { listener } => drop(self.listeners.remove(&listener)),
            Output::Store { store, request } => {
                self.stores.push((store, request));
                if !self.hold_stores {
                    self.answer_stores();
                }
            }
            Output::Launch { launch, request } => {
                self.launches.push((launch, request));
                if !self.hold_launches {
                    self.answer_launch(launch);
                }
            }
            Output::Log(record) => self.logs.push(record),
            Output::Notice(NodeNotice::StartEngine { engine, config }) => {
                assert!(self.engines.insert(engine, *config).is_none(), "every engine has a name of its own");
            }
            Output::Notice(NodeNotice::ToEngine { engine, command }) => self.commands.push((engine, command)),
            Output::Notice(notice) => self.notices.push(notice),
            other => panic!("a node does not do {other:?}"),
        }
    }

    fn listen(&mut self, listener: ListenerId, at: ListenAt) {
        let ListenAt::Tcp(mut addr) = at.clone() else { panic!("a node listens on TCP") };
        if let Some(errno) = self.refused.get(&addr.port()) {
            let error = IoError { errno: *errno, text: format!("error {errno}") };
            return self.input(Input::ListenFailed { listener, error });
        }
        if addr.port() == 0 {
            addr.set_port(20_000 + u16::try_from(listener.number()).unwrap());
        }
        self.listeners.insert(listener, at);
        self.input(Input::Listening { listener, endpoints: vec![Endpoint::Tcp(addr)] });
    }

    /// Does all storage operations that wait.
    pub(super) fn answer_stores(&mut self) {
        for (store, request) in std::mem::take(&mut self.stores) {
            let result = self.storage(request);
            self.input(Input::Stored { store, result });
        }
    }

    fn storage(&mut self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        let missing =
            |collection: &str, key: &str| StoreError { errno: 2, text: format!("no {collection}/{key}") };
        match request {
            StoreRequest::Read { collection, key } => {
                let found = self.stored.get(&(collection.clone(), key.clone()));
                found.cloned().map(StoreReply::Value).ok_or_else(|| missing(&collection, &key))
            }
            StoreRequest::Write { key, .. } if key == "full" => {
                Err(StoreError { errno: 28, text: "no space left".into() })
            }
            StoreRequest::Write { collection, key, value, .. } => {
                self.stored.insert((collection, key), value);
                Ok(StoreReply::Done)
            }
            StoreRequest::Remove { collection, key } => {
                self.stored.remove(&(collection, key));
                Ok(StoreReply::Done)
            }
            StoreRequest::Find { collection, tags } if !tags.is_empty() => {
                let keys = self.stored.keys().filter(|(there, _)| *there == collection);
                Ok(StoreReply::Keys(keys.map(|(_, key)| key.clone()).collect()))
            }
            StoreRequest::Find { .. } => Ok(StoreReply::Keys(Vec::new())),
        }
    }

    pub(super) fn answer_launch(&mut self, launch: LaunchId) {
        let result = self.launch.clone();
        self.input(Input::Launched { launch, result });
    }

    // ---- engines ----

    pub(super) fn engine_says(&mut self, engine: u64, notice: EngineNotice) {
        self.command(NodeCommand::FromEngine { engine: EngineId::new(engine), notice });
    }

    /// The engine opens its socket and its service.
    pub(super) fn engine_starts(&mut self, engine: u64) {
        let addr = ([127, 0, 0, 1], 30_000 + u16::try_from(engine).unwrap()).into();
        self.engine_says(engine, EngineNotice::Published { endpoints: vec![Endpoint::Tcp(addr)] });
        self.engine_says(engine, EngineNotice::Started);
    }

    /// What the engines were told since the last look.
    pub(super) fn told(&mut self) -> Vec<(u64, EngineCommand)> {
        std::mem::take(&mut self.commands).into_iter().map(|(engine, told)| (engine.number(), told)).collect()
    }

    // ---- clients ----

    /// A new client of a service.
    pub(super) fn client(&mut self, kind: ServiceKind) -> ConnId {
        let listener = self.node.listeners.iter().find(|(_, entry)| entry.kind() == kind);
        let listener = *listener.expect("the service listens").0;
        let conn = ConnId::accepted(self.accepted, 0);
        self.accepted += 1;
        self.conns.insert(conn, Wire::default());
        self.input(Input::Accepted { listener, conn, peer: Peer::default() });
        conn
    }

    /// The client sends bytes; the node gets as many as it asks for.
    pub(super) fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        self.conns.get_mut(&conn).unwrap().unread.extend_from_slice(bytes);
        self.deliver(conn);
    }

    fn deliver(&mut self, conn: ConnId) {
        let wire = self.conns.get_mut(&conn).unwrap();
        if wire.unread.is_empty() || wire.closed.is_some() {
            return;
        }
        let Some(mut buf) = wire.reading.take() else { return };
        let most = wire.unread.len().min(crate::session::READ_SIZE);
        buf.extend(wire.unread.drain(..most));
        self.input(Input::Received { conn, buf });
    }

    /// Bytes of the client that the node has not asked for.
    pub(super) fn unread(&self, conn: ConnId) -> usize {
        self.conns[&conn].unread.len()
    }

    pub(super) fn call(&mut self, conn: ConnId, channel: u64, message: u32, args: &[Value]) {
        self.send(conn, &frame(channel, message, args));
    }

    /// Makes a call and returns the one frame that answers it.
    pub(super) fn ask(&mut self, conn: ConnId, channel: u64, message: u32, args: &[Value]) -> Frame {
        self.call(conn, channel, message, args);
        let frames = self.frames(conn);
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0].0, channel);
        frames[0].clone()
    }

    /// The frames the client got since the last look.
    pub(super) fn frames(&mut self, conn: ConnId) -> Vec<Frame> {
        let got = std::mem::take(&mut self.conns.get_mut(&conn).unwrap().got);
        decode(&got)
    }

    /// The bytes the client got since the last look.
    pub(super) fn bytes(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.conns.get_mut(&conn).unwrap().got)
    }

    pub(super) fn closed(&self, conn: ConnId) -> Option<&CloseReason> {
        self.conns[&conn].closed.as_ref()
    }

    pub(super) fn stick(&mut self, conn: ConnId) {
        self.conns.get_mut(&conn).unwrap().stuck = true;
    }

    /// The write in flight is done.
    pub(super) fn unstick(&mut self, conn: ConnId) {
        let wire = self.conns.get_mut(&conn).unwrap();
        wire.stuck = false;
        if let Some(batch) = wire.in_flight.take() {
            self.input(Input::Written { conn, batch });
        }
    }

    pub(super) fn hang_up(&mut self, conn: ConnId) {
        self.input(Input::Disconnected { conn, error: None });
        assert!(self.closed(conn).is_some());
    }

    pub(super) fn log_says(&self, text: &str) -> bool {
        self.logs.iter().any(|record| record.message.contains(text))
    }
}

/// The frames in what a node wrote.
pub(super) fn decode(mut rest: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (value, behind) = Value::decode(rest).expect("whole frames");
        rest = behind;
        let parts = value.as_array().unwrap();
        assert_eq!(parts.len(), 3, "no headers, no fourth element");
        frames.push((parts[0].as_u64().unwrap(), parts[1].as_u64().unwrap(), parts[2].clone()));
    }
    frames
}

pub(super) fn frame(channel: u64, message: u32, args: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    v1::frame(&mut out, channel, message, |out| {
        encode::array(out, args.len());
        args.iter().for_each(|arg| arg.encode(out));
    });
    out
}

/// The arguments of an error.
pub(super) fn error(category: u64, code: u64, text: &str) -> Value {
    let code = Value::array([Value::from(category), Value::from(code)]);
    Value::array([code, Value::from(text)])
}

/// Category and code of an error's arguments.
#[track_caller]
pub(super) fn code(frame: &Frame) -> (u64, u64) {
    assert_eq!(frame.1, 1, "an error: {frame:?}");
    let pair = frame.2.as_array().unwrap()[0].as_array().unwrap();
    (pair[0].as_u64().unwrap(), pair[1].as_u64().unwrap())
}

/// The text of an error's arguments.
#[track_caller]
pub(super) fn text(frame: &Frame) -> &str {
    assert_eq!(frame.1, 1, "an error: {frame:?}");
    frame.2.as_array().unwrap()[1].as_str().unwrap()
}

/// An answer without values.
pub(super) fn done(channel: u64) -> Frame {
    (channel, 0, Value::Array(Vec::new()))
}

//! The control plane of a node: its services, and the life of its apps.
//!
//! ```text
//! clients, workers ──▶ locator, node, storage, logging ──▶ apps ──▶ engines (other machines)
//! ```
//!
//! * [`Node`] is the machine; `boot` opens the services and starts the first apps, `conns` reads the connections,
//!   `services` knows the methods.
//! * `start`, `apps` and `stop` are an app's way from a name to an engine, and back. The node does not run
//!   engines: it asks its driver to ([`NodeNotice::StartEngine`]) and talks to them by messages that the driver
//!   carries.
//! * `relay` carries the requests that come through the node service.
//!
//! Two decisions that are the node's own: a start that fails leaves nothing in the way of the next one (`info`
//! tells why it failed until then, `list` does not have it, `pause_app` forgets it); and while the node shuts
//! down, the locator, storage and logging services stay until the last worker is gone.

mod apps;
mod boot;
mod command;
mod config;
mod conns;
mod ports;
mod relay;
mod services;
mod start;
mod stop;
mod stores;
#[cfg(test)]
mod tests;

pub use command::{ListenFailure, NodeCommand, NodeNotice};
pub use config::{AppNameRefused, NodeConfig, PortConfig, SOCKET_PATH_LIMIT, ServiceConfig};
pub use services::ServiceKind;

use alloc::collections::BTreeMap;
use alloc::string::String;

use self::apps::{App, EngineSide, Query};
use self::boot::{Listener, Phase};
use self::conns::Conn;
use self::ports::Ports;
use self::relay::Stream;
use self::services::Lever;
use self::stores::Storing;
use crate::config::AppName;
use crate::engine::StreamId;
use crate::locator::{Leases, Names};
use crate::machine::{
    CloseReason, ConnId, EngineId, Input, LaunchId, ListenerId, Machine, Outbox, Output, Record, Severity,
    Slots, StoreId,
};
use crate::rng::Rng;
use crate::time::{TimerReason, Timestamp};

/// The machine of one node.
///
/// Tell it [`NodeCommand::Start`] and wait for [`NodeNotice::Ready`] or [`NodeNotice::Failed`]; tell it
/// [`NodeCommand::Shutdown`] and wait for [`NodeNotice::Stopped`].
#[derive(Clone, Debug)]
pub struct Node {
    config: NodeConfig,
    uuid: String,
    out: Outbox<NodeNotice>,
    now: Timestamp,
    rng: Rng,
    phase: Phase,
    listeners: BTreeMap<ListenerId, Listener>,
    conns: Slots<ConnId, Conn>,
    names: Names,
    leases: Leases,
    apps: BTreeMap<AppName, App>,
    engines: BTreeMap<EngineId, EngineSide>,
    last_engine: u64,
    ports: Ports,
    stores: BTreeMap<StoreId, Storing>,
    launches: BTreeMap<LaunchId, AppName>,
    streams: BTreeMap<StreamId, Stream>,
    levers: BTreeMap<u64, Lever>,
    queries: BTreeMap<u64, Query>,
    /// The last number given to a stream, lever, query or lease.
    last_number: u64,
    verbosity: Severity,
}

impl Node {
    /// A node that waits for [`NodeCommand::Start`].
    #[must_use]
    pub fn new(config: NodeConfig, now: Timestamp) -> Self {
        let mut rng = Rng::from_seed(config.seed);
        let random = rng.uuid();
        Self {
            uuid: config.uuid.clone().unwrap_or(random),
            out: Outbox::default(),
            now,
            rng,
            phase: Phase::Idle,
            listeners: BTreeMap::new(),
            conns: Slots::default(),
            names: Names::default(),
            leases: Leases::default(),
            apps: BTreeMap::new(),
            engines: BTreeMap::new(),
            last_engine: 0,
            ports: Ports::new(config.ports.clone()),
            stores: BTreeMap::new(),
            launches: BTreeMap::new(),
            streams: BTreeMap::new(),
            levers: BTreeMap::new(),
            queries: BTreeMap::new(),
            last_number: 0,
            verbosity: config.verbosity,
            config,
        }
    }

    /// The node's uuid.
    #[must_use]
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// The services announced from outside of any node, for a gateway.
    #[must_use]
    pub const fn leases(&self) -> &Leases {
        &self.leases
    }

    fn log(&mut self, severity: Severity, message: impl Into<String>) {
        self.out.push(Output::Log(Record::new(severity, "node", message)));
    }

    /// A number that was never given before.
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn on_command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Start => self.start(),
            NodeCommand::FromEngine { engine, notice } => self.on_engine(engine, notice),
            NodeCommand::EngineGone { engine } => self.on_engine_gone(engine),
            NodeCommand::Shutdown { within } => self.shut_down(within),
        }
    }
}

impl Machine for Node {
    type Command = NodeCommand;
    type Notice = NodeNotice;

    fn handle(&mut self, now: Timestamp, input: Input<NodeCommand>) {
        self.now = self.now.max(now);
        match input {
            Input::Accepted { listener, conn, .. } => self.on_accepted(listener, conn),
            Input::Received { conn, buf } => self.on_received(conn, buf),
            Input::Written { conn, batch } => self.on_written(conn, batch),
            Input::Disconnected { conn, .. } => self.on_lost(conn, CloseReason::Gone),
            Input::HungUp { conn } => self.on_hung_up(conn),
            Input::Listening { listener, endpoints } => self.on_listening(listener, &endpoints),
            Input::ListenFailed { listener, error } => self.on_listen_failed(listener, error),
            Input::Stored { store, result } => self.on_stored(store, result),
            Input::Launched { launch, result } => self.on_launched(launch, result),
            Input::Command(command) => self.on_command(command),
            Input::Timeout => {}
            // A node neither dials nor runs processes, and no wall time appears in what it says.
            Input::Connected { .. }
            | Input::ConnectFailed { .. }
            | Input::Spawned { .. }
            | Input::SpawnFailed { .. }
            | Input::WorkerOutput { .. }
            | Input::WorkerExited { .. }
            | Input::WallClock(_) => {}
        }
        self.go_on_stopping();
    }

    fn poll_output(&mut self) -> Option<Output<NodeNotice>> {
        let conns = &mut self.conns;
        self.out.poll(|conn| conns.get_mut(conn)?.link.take_write())
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if !self.out.is_empty() {
            return Some((self.now, TimerReason::OutputQueued));
        }
        self.phase.next_timeout()
    }
}

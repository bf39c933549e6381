//! What the driver costs before any protocol: a machine that only copies bytes between a TCP client and
//! a Unix server. `relay PORT SOCKET [spread|smol]` serves until it is killed; measure it from outside,
//! beside a relay that uses system calls directly.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use cocaine_core::machine::{
    Batch, CloseReason, ConnId, Endpoint, Input, IoError, LaunchError, LaunchRequest, Launched, ListenAt,
    ListenerId, Machine, Origin, Output, Record, Slots, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_core::time::{TimerReason, Timestamp};
use cocaine_runtime_smol::driver::{Host, Spread, World, drive};
use cocaine_runtime_std::host::process::Prepared;

/// Copies bytes between each accepted connection and one it dials for it.
struct Relay {
    to: Endpoint,
    accepted: Slots<ConnId, Leg>,
    dialed: Slots<ConnId, Leg>,
    outputs: VecDeque<Output<()>>,
    dirty: VecDeque<ConnId>,
}

/// One of the two connections of a pair.
struct Leg {
    other: ConnId,
    waiting: Batch,
    /// The memory of the last write; `None` while one is in flight.
    spare: Option<Batch>,
}

impl Leg {
    fn new(other: ConnId, spare: Option<Batch>) -> Self {
        Self { other, waiting: Batch::new(), spare }
    }
}

impl Relay {
    fn new(listen: SocketAddr, to: Endpoint) -> Self {
        let listen = Output::Listen { listener: ListenerId::new(1), at: ListenAt::Tcp(listen) };
        Self {
            to,
            accepted: Slots::default(),
            dialed: Slots::default(),
            outputs: VecDeque::from([listen]),
            dirty: VecDeque::new(),
        }
    }

    fn leg(&mut self, id: ConnId) -> Option<&mut Leg> {
        match id.origin() {
            Origin::Accepted => self.accepted.get_mut(id),
            Origin::Dialed => self.dialed.get_mut(id),
        }
    }

    fn accept(&mut self, conn: ConnId) {
        let other = self.dialed.insert(Leg::new(conn, None));
        let _ = self.accepted.insert_at(conn, Leg::new(other, Some(Batch::new())));
        self.outputs.push_back(Output::Connect { conn: other, endpoint: self.to.clone() });
    }

    fn received(&mut self, conn: ConnId, mut buf: BytesMut) {
        let Some(other) = self.leg(conn).map(|leg| leg.other) else {
            return;
        };
        if let Some(leg) = self.leg(other) {
            let first = leg.waiting.is_empty();
            leg.waiting.push_copy(&buf);
            if first && leg.spare.is_some() {
                self.dirty.push_back(other);
            }
        }
        buf.clear();
        self.outputs.push_back(Output::Read { conn, buf });
    }

    fn written(&mut self, conn: ConnId, mut batch: Batch) {
        batch.clear();
        if let Some(leg) = self.leg(conn) {
            leg.spare = Some(batch);
            if !leg.waiting.is_empty() {
                self.dirty.push_back(conn);
            }
        }
    }

    fn close(&mut self, conn: ConnId) {
        let other = self.leg(conn).map(|leg| leg.other);
        for id in [Some(conn), other].into_iter().flatten() {
            match id.origin() {
                Origin::Accepted => self.accepted.remove(id),
                Origin::Dialed => self.dialed.remove(id),
            };
            self.outputs.push_back(Output::Close { conn: id, reason: CloseReason::Gone });
        }
    }
}

impl Machine for Relay {
    type Command = ();
    type Notice = ();

    fn handle(&mut self, _now: Timestamp, input: Input<()>) {
        match input {
            Input::Accepted { conn, .. } => self.accept(conn),
            Input::Connected { conn } => {
                self.written(conn, Batch::new());
                let other = self.leg(conn).map(|leg| leg.other);
                for conn in [Some(conn), other].into_iter().flatten() {
                    self.outputs.push_back(Output::Read { conn, buf: BytesMut::new() });
                }
            }
            Input::Received { conn, buf } => self.received(conn, buf),
            Input::Written { conn, batch } => self.written(conn, batch),
            Input::ConnectFailed { conn, .. } | Input::Disconnected { conn, .. } => self.close(conn),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output<()>> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let conn = self.dirty.pop_front()?;
        let leg = self.leg(conn)?;
        let spare = leg.spare.take()?;
        let batch = std::mem::replace(&mut leg.waiting, spare);
        Some(Output::Write { conn, batch })
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        None
    }
}

/// A relay needs nothing but sockets.
struct Nothing;

impl Host for Nothing {
    fn store(&self, _: StoreRequest) -> Result<StoreReply, StoreError> {
        Err(StoreError { errno: 95, text: "a relay stores nothing".into() })
    }
    fn launch(&self, _: LaunchRequest) -> Result<Launched, LaunchError> {
        Err(LaunchError { errno: 95, text: "a relay launches nothing".into() })
    }
    fn prepare(&self, _: &SpawnSpec) -> Result<Prepared, IoError> {
        Err(IoError { errno: 95, text: "a relay starts nothing".into() })
    }
    fn log(&self, record: Record) {
        eprintln!("{}", record.message);
    }
}

async fn serve(port: u16, socket: String) -> io::Result<()> {
    let machine = Relay::new(SocketAddr::from(([127, 0, 0, 1], port)), Endpoint::Unix(socket));
    let (_keep, commands) = smol::channel::bounded(1);
    drive(machine, commands, |()| {}, &World::new(Arc::new(Nothing))).await
}

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let [port, socket, rest @ ..] = args.as_slice() else {
        println!("usage: relay PORT SOCKET [spread|smol]");
        return Ok(());
    };
    let port = port.parse().map_err(io::Error::other)?;
    let socket = socket.clone();
    if rest.first().is_some_and(|mode| mode == "smol") {
        return smol::block_on(serve(port, socket));
    }
    let spread = Spread::new(1, |task, panic| eprintln!("{task} panicked: {panic}"))?;
    let result = spread.spawn("relay", move || serve(port, socket));
    smol::block_on(result.recv())
        .map_err(io::Error::other)?
        .map_err(|panic| io::Error::other(panic.message))?
}

//! Tests of the driver with real sockets and processes. The machine is a puppet: what the test orders
//! becomes its outputs, and its inputs are what the test sees.

mod endings;
mod processes;
mod sockets;
mod source;
mod spreading;
mod time;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cocaine_core::machine::{
    Batch, CloseReason, ConnId, Endpoint, Input, IoError, LaunchError, LaunchRequest, Launched, ListenAt,
    ListenerId, Machine, Output, Peer, Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_core::time::{TimerReason, Timestamp};
use cocaine_runtime_std::host::process::{Prepared, ShimConfig, prepare};
use smol::channel::{Receiver, Sender};

use super::{Host, Spread, World, drive};

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the puppet saw, and when.
type Seen = (Timestamp, Input<()>);

/// What a test orders.
enum Order {
    Do(Output<Seen>),
    WakeAt(Timestamp),
}

#[derive(Default)]
struct Puppet {
    outputs: VecDeque<Output<Seen>>,
    wake_at: Option<Timestamp>,
}

impl Machine for Puppet {
    type Command = Vec<Order>;
    type Notice = Seen;

    fn handle(&mut self, now: Timestamp, input: Input<Vec<Order>>) {
        if let Input::Command(orders) = input {
            return orders.into_iter().for_each(|order| match order {
                Order::Do(output) => self.outputs.push_back(output),
                Order::WakeAt(at) => self.wake_at = Some(at),
            });
        }
        if matches!(input, Input::Timeout) {
            self.wake_at = None;
        }
        self.outputs.push_back(Output::Notice((now, without_command(input))));
    }

    fn poll_output(&mut self) -> Option<Output<Seen>> {
        self.outputs.pop_front()
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        self.wake_at.map(|at| (at, TimerReason::Reply))
    }
}

fn without_command(input: Input<Vec<Order>>) -> Input<()> {
    match input {
        Input::Command(_) => Input::Command(()),
        Input::Accepted { listener, conn, peer } => Input::Accepted { listener, conn, peer },
        Input::Connected { conn } => Input::Connected { conn },
        Input::ConnectFailed { conn, error } => Input::ConnectFailed { conn, error },
        Input::Received { conn, buf } => Input::Received { conn, buf },
        Input::Written { conn, batch } => Input::Written { conn, batch },
        Input::Disconnected { conn, error } => Input::Disconnected { conn, error },
        Input::HungUp { conn } => Input::HungUp { conn },
        Input::Listening { listener, endpoints } => Input::Listening { listener, endpoints },
        Input::ListenFailed { listener, error } => Input::ListenFailed { listener, error },
        Input::Spawned { worker, pid } => Input::Spawned { worker, pid },
        Input::SpawnFailed { worker, error } => Input::SpawnFailed { worker, error },
        Input::WorkerOutput { worker, bytes } => Input::WorkerOutput { worker, bytes },
        Input::WorkerExited { worker, status } => Input::WorkerExited { worker, status },
        Input::Stored { store, result } => Input::Stored { store, result },
        Input::Launched { launch, result } => Input::Launched { launch, result },
        Input::WallClock(wall) => Input::WallClock(wall),
        Input::Timeout => Input::Timeout,
    }
}

/// An exec shim for tests: skips its options, and says errno 2 to its standard input if there is no
/// such program.
const SHIM: &str = r#"
    while [ "$1" != -- ]; do shift; done; shift
    [ -x "$1" ] || { printf '\002\000\000\000no: ' >&0; exit 127; }
    exec "$@" </dev/null
"#;

/// A program around the driver: workers run as they are, values are echoed, the log is kept.
#[derive(Default)]
struct Props {
    log: Mutex<Vec<Record>>,
    running: Mutex<BTreeSet<u32>>,
}

impl Host for Props {
    fn store(&self, request: StoreRequest) -> Result<StoreReply, StoreError> {
        match request {
            StoreRequest::Read { key, .. } => Ok(StoreReply::Value(Bytes::from(key))),
            _ => Err(StoreError { errno: 30, text: "read-only".into() }),
        }
    }

    fn launch(&self, request: LaunchRequest) -> Result<Launched, LaunchError> {
        match request {
            LaunchRequest::InPlace { directory, .. } => {
                Ok(Launched { directory, manifest: None, profile: None })
            }
            LaunchRequest::Unpack { .. } => Err(LaunchError { errno: 28, text: "disk full".into() }),
        }
    }

    fn prepare(&self, spec: &SpawnSpec) -> Result<Prepared, IoError> {
        let arguments = vec!["-c".into(), SHIM.into()];
        prepare(spec, &ShimConfig { program: "/bin/sh".into(), arguments, file_limit: None })
    }

    fn started(&self, pid: u32, _: &SpawnSpec) {
        self.running.lock().unwrap().insert(pid);
    }

    fn gone(&self, pid: u32) {
        self.running.lock().unwrap().remove(&pid);
    }

    fn log(&self, record: Record) {
        self.log.lock().unwrap().push(record);
    }
}

/// A driver with a puppet on a thread of its own.
struct Stage {
    orders: Option<Sender<Vec<Order>>>,
    seen: mpsc::Receiver<Seen>,
    ended: Receiver<io::Result<()>>,
    world: World,
    props: Arc<Props>,
    /// Keeps the driver's thread.
    _spread: Option<Spread>,
}

impl Stage {
    /// On a thread of `Spread`.
    fn spread() -> Self {
        let spread = Spread::new(1, |_, _| {}).unwrap();
        Self::new(Some(spread))
    }

    /// On whatever executor an embedder has.
    fn plain() -> Self {
        Self::new(None)
    }

    fn new(spread: Option<Spread>) -> Self {
        let props = Arc::new(Props::default());
        let world = World::new(Arc::clone(&props) as Arc<dyn Host>);
        let (orders, commands) = smol::channel::unbounded();
        let (notices, seen) = mpsc::channel();
        let (end, ended) = smol::channel::bounded(1);
        let here = world.clone();
        let play = async move {
            let notices = move |seen| drop(notices.send(seen));
            let result = drive(Puppet::default(), commands, notices, &here).await;
            let _ = end.try_send(result);
        };
        match &spread {
            Some(spread) => drop(spread.spawn("puppet", || play)),
            None => drop(std::thread::spawn(|| smol::block_on(play))),
        }
        let stage = Self { orders: Some(orders), seen, ended, world, props, _spread: spread };
        assert!(matches!(stage.next(), Input::WallClock(_)));
        stage
    }

    fn order(&self, orders: Vec<Order>) {
        self.orders.as_ref().unwrap().try_send(orders).unwrap();
    }

    fn act(&self, output: Output<Seen>) {
        self.order(vec![Order::Do(output)]);
    }

    fn next(&self) -> Input<()> {
        self.seen.recv_timeout(PATIENCE).expect("the driver has nothing to tell").1
    }

    /// Nothing has come, though everything ordered before has been done.
    fn expect_silence(&self) {
        let store = cocaine_core::machine::StoreId::new(u64::MAX);
        let request = StoreRequest::Read { collection: String::new(), key: String::new() };
        self.act(Output::Store { store, request });
        let next = self.next();
        assert!(matches!(next, Input::Stored { .. }), "{next:?}");
    }

    /// Ends the driver and waits until it has.
    fn end(&mut self) {
        self.orders = None;
        smol::block_on(self.ended.recv()).unwrap().unwrap();
    }

    fn listen(&self, at: ListenAt) -> Endpoint {
        self.act(Output::Listen { listener: ListenerId::new(1), at });
        match self.next() {
            Input::Listening { endpoints, .. } => endpoints.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn listen_tcp(&self) -> SocketAddr {
        match self.listen(ListenAt::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))) {
            Endpoint::Tcp(addr) => addr,
            Endpoint::Unix(path) => panic!("{path}"),
        }
    }

    fn accepted(&self) -> (ConnId, Peer) {
        match self.next() {
            Input::Accepted { conn, peer, .. } => (conn, peer),
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, conn: ConnId) {
        self.act(read(conn));
    }

    fn write(&self, conn: ConnId, bytes: &[u8]) {
        self.act(write(conn, bytes));
    }

    fn close(&self, conn: ConnId) {
        self.act(Output::Close { conn, reason: CloseReason::Done });
    }

    fn received(&self, conn: ConnId) -> BytesMut {
        match self.next() {
            Input::Received { conn: from, buf } if from == conn => buf,
            other => panic!("{other:?}"),
        }
    }

    fn expect_written(&self, conn: ConnId) {
        match self.next() {
            Input::Written { conn: to, batch } if to == conn => assert!(batch.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

fn read(conn: ConnId) -> Output<Seen> {
    Output::Read { conn, buf: BytesMut::new() }
}

fn write(conn: ConnId, bytes: &[u8]) -> Output<Seen> {
    let mut batch = Batch::new();
    batch.push_copy(bytes);
    Output::Write { conn, batch }
}

/// Runs a test in both ways a driver can sleep.
fn both_ways(test: impl Fn(Stage)) {
    test(Stage::spread());
    test(Stage::plain());
}

//! What passes through the driver in steady state allocates nothing. A program of its own, because it
//! counts the allocations of a whole thread.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use cocaine_core::machine::{
    Batch, ConnId, Endpoint, Input, IoError, LaunchError, LaunchRequest, Launched, ListenAt, ListenerId,
    Machine, Output, Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_core::time::{TimerReason, Timestamp};
use cocaine_runtime_smol::driver::{Host, Spread, World, drive};
use cocaine_runtime_std::host::process::Prepared;
use cocaine_tests::counting::{Counting, show_allocations};

/// Allocations of the driver's thread.
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sends back what it gets, and has a deadline that moves with every input.
struct Echo {
    outputs: VecDeque<Output<SocketAddr>>,
    spare: Batch,
    deadline: Timestamp,
}

impl Machine for Echo {
    type Command = ();
    type Notice = SocketAddr;

    fn handle(&mut self, now: Timestamp, input: Input<()>) {
        self.deadline = now + Duration::from_secs(30);
        match input {
            Input::Listening { endpoints, .. } => {
                self.outputs.extend(endpoints.into_iter().filter_map(|endpoint| match endpoint {
                    Endpoint::Tcp(addr) => Some(Output::Notice(addr)),
                    Endpoint::Unix(_) => None,
                }));
            }
            Input::Accepted { conn, .. } => {
                self.outputs.push_back(Output::Read { conn, buf: BytesMut::new() });
            }
            Input::Received { conn, buf } => self.echo(conn, buf),
            Input::Written { mut batch, .. } => {
                batch.clear();
                self.spare = batch;
            }
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output<SocketAddr>> {
        self.outputs.pop_front()
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        Some((self.deadline, TimerReason::Heartbeat))
    }
}

impl Echo {
    fn echo(&mut self, conn: ConnId, mut buf: BytesMut) {
        let mut batch = std::mem::take(&mut self.spare);
        batch.push_copy(&buf);
        buf.clear();
        self.outputs.push_back(Output::Write { conn, batch });
        self.outputs.push_back(Output::Read { conn, buf });
    }
}

/// An echo needs nothing but sockets.
struct Nothing;

impl Host for Nothing {
    fn store(&self, _: StoreRequest) -> Result<StoreReply, StoreError> {
        Err(StoreError { errno: 95, text: "nothing is stored here".into() })
    }

    fn launch(&self, _: LaunchRequest) -> Result<Launched, LaunchError> {
        Err(LaunchError { errno: 95, text: "nothing is launched here".into() })
    }

    fn prepare(&self, _: &SpawnSpec) -> Result<Prepared, IoError> {
        Err(IoError { errno: 95, text: "nothing is started here".into() })
    }

    fn log(&self, _: Record) {}
}

#[test]
fn ten_thousand_echoes_allocate_nothing() {
    let spread = Spread::new(1, |task, panic| eprintln!("{task} panicked: {panic}")).unwrap();
    let (notices, addr) = std::sync::mpsc::channel();
    let (_keep, commands) = smol::channel::bounded(1);
    drop(spread.spawn("echo", move || async move {
        show_allocations(&COUNT);
        let at = ListenAt::Tcp((Ipv4Addr::LOCALHOST, 0).into());
        let machine = Echo {
            outputs: [Output::Listen { listener: ListenerId::new(1), at }].into(),
            spare: Batch::new(),
            deadline: Timestamp::NEVER,
        };
        let tell = move |addr| notices.send(addr).unwrap();
        drive(machine, commands, tell, &World::new(Arc::new(Nothing))).await
    }));
    let mut client = TcpStream::connect(addr.recv().unwrap()).unwrap();
    client.set_nodelay(true).unwrap();
    echo(&mut client, 1_000);
    let before = COUNT.load(Ordering::Relaxed);
    assert!(before > 0, "the thread is counted");
    echo(&mut client, 10_000);
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0);
}

fn echo(client: &mut TcpStream, times: usize) {
    let mut answer = [0; 64];
    for _ in 0..times {
        client.write_all(&[7; 64]).unwrap();
        client.read_exact(&mut answer).unwrap();
    }
}

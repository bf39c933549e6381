//! Chunks on their way through a whole engine and its driver allocate nothing: real sockets on both sides, a real
//! worker's process, and a count of what the engine's thread allocates.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use cocaine_core::config::{AppName, Manifest, Profile};
use cocaine_core::engine::{Engine, EngineCommand, EngineConfig, EngineLimits, EngineNotice};
use cocaine_core::machine::{
    Document, Endpoint, IoError, LaunchError, LaunchRequest, Launched, Record, SpawnSpec, StoreError,
    StoreReply, StoreRequest,
};
use cocaine_core::wire::{Value, v1};
use cocaine_runtime_smol::driver::{Host, Spread, World, drive};
use cocaine_runtime_std::host::process::Prepared;
use cocaine_tests::counting::{Counting, show_allocations};

/// Allocations of the driver's thread.
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Starts the daemon's own echo worker, without a shim.
struct Workers;

impl Host for Workers {
    fn store(&self, _: StoreRequest) -> Result<StoreReply, StoreError> {
        Ok(StoreReply::Done)
    }

    fn launch(&self, _: LaunchRequest) -> Result<Launched, LaunchError> {
        Err(LaunchError { errno: 95, text: "an engine launches nothing".into() })
    }

    fn prepare(&self, spec: &SpawnSpec) -> Result<Prepared, IoError> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cocaine-runtime"));
        command.arg("echo-worker").args(&spec.arguments);
        Prepared::without_shim(command).map_err(|error| IoError { errno: 24, text: error.to_string() })
    }

    fn log(&self, record: Record) {
        eprintln!("{}: {}", record.source, record.message);
    }
}

fn config(directory: &std::path::Path) -> EngineConfig {
    let document = |value| Document { source: "test".into(), value, positions: Default::default() };
    EngineConfig {
        app: AppName::new("echo").unwrap(),
        manifest: Manifest::read(&document(Value::map([("slave", "echo")]))).unwrap().value,
        profile: Profile::read(&document(Value::map([("pool-limit", 1_u64)]))).unwrap().value,
        profile_name: "default".into(),
        directory: directory.display().to_string(),
        socket: directory.join("workers").display().to_string(),
        listen: (Ipv4Addr::LOCALHOST.into(), 0),
        locators: vec!["127.0.0.1:10053".into()],
        uid: rustix::process::getuid().as_raw(),
        limits: EngineLimits::default(),
        seed: [1; 32],
    }
}

/// Notices of the engine that the test waits for.
enum Told {
    Published(SocketAddr),
    Stopped,
}

fn tell(notice: &EngineNotice, to: &Sender<Told>) {
    let told = match notice {
        EngineNotice::Published { endpoints } => endpoints.iter().find_map(|endpoint| match endpoint {
            Endpoint::Tcp(addr) => Some(Told::Published(*addr)),
            Endpoint::Unix(_) => None,
        }),
        EngineNotice::Stopped => Some(Told::Stopped),
        _ => None,
    };
    told.into_iter().for_each(|told| to.send(told).unwrap());
}

#[test]
fn ten_thousand_forwarded_chunks_allocate_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let spread = Spread::new(1, |task, panic| eprintln!("{task} panicked: {panic}")).unwrap();
    let (notices, told) = std::sync::mpsc::channel();
    let (commands, inbox) = smol::channel::bounded(1);
    drop(spread.spawn("engine", move || async move {
        show_allocations(&COUNT);
        let world = World::new(Arc::new(Workers));
        let engine = Engine::new(config, world.clock().now(), world.clock().wall());
        drive(engine, inbox, move |notice| tell(&notice, &notices), &world).await
    }));
    let Told::Published(addr) = told.recv().unwrap() else { panic!("it is not published") };
    let mut client = Client::connect(addr);
    client.exchange(1_000, 1);
    client.exchange(100, 32);
    let before = COUNT.load(Ordering::Relaxed);
    assert!(before > 0, "the thread is counted");
    client.exchange(10_000, 1);
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "one at a time");
    client.exchange(400, 32);
    assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "many at a time");
    commands.send_blocking(EngineCommand::Stop).unwrap();
    drop(client);
    assert!(matches!(told.recv().unwrap(), Told::Stopped));
}

/// A client with one open stream.
struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// Its channel.
const CHANNEL: u64 = 1;
const PAYLOAD: [u8; 64] = [b'x'; 64];

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut client = Self { stream, answer: Vec::new() };
        let mut call = Vec::new();
        v1::invoke(&mut call, CHANNEL, b"echo", &[]);
        client.stream.write_all(&call).unwrap();
        client
    }

    /// Sends so many chunks together, and takes their echo; so often.
    fn exchange(&mut self, times: usize, together: usize) {
        let mut chunks = Vec::new();
        (0..together).for_each(|_| v1::write(&mut chunks, CHANNEL, &PAYLOAD));
        self.answer.resize(chunks.len(), 0);
        for _ in 0..times {
            self.stream.write_all(&chunks).unwrap();
            self.stream.read_exact(&mut self.answer).unwrap();
            assert_eq!(self.answer, chunks, "an echo is the same frame");
        }
    }
}

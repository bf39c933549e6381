//! A driver that runs out of file descriptors goes on. A program of its own, because it lowers its own
//! limit.

use std::collections::VecDeque;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use cocaine_core::machine::{
    Endpoint, Input, IoError, LaunchError, LaunchRequest, Launched, ListenAt, ListenerId, Machine, Output,
    Record, SpawnSpec, StoreError, StoreReply, StoreRequest,
};
use cocaine_core::time::{TimerReason, Timestamp};
use cocaine_runtime_smol::driver::{Host, Spread, World, drive};
use cocaine_runtime_std::host::process::Prepared;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const PATIENCE: Duration = Duration::from_secs(30);

/// Listens and tells what it is told about it.
struct Doorman(VecDeque<Output<Input<()>>>);

impl Machine for Doorman {
    type Command = ();
    type Notice = Input<()>;

    fn handle(&mut self, _: Timestamp, input: Input<()>) {
        if matches!(input, Input::Listening { .. } | Input::Accepted { .. }) {
            self.0.push_back(Output::Notice(input));
        }
    }

    fn poll_output(&mut self) -> Option<Output<Input<()>>> {
        self.0.pop_front()
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        None
    }
}

/// Tells what is logged.
struct Listener(Sender<Record>);

impl Host for Listener {
    fn store(&self, _: StoreRequest) -> Result<StoreReply, StoreError> {
        Err(StoreError { errno: 95, text: "nothing is stored here".into() })
    }

    fn launch(&self, _: LaunchRequest) -> Result<Launched, LaunchError> {
        Err(LaunchError { errno: 95, text: "nothing is launched here".into() })
    }

    fn prepare(&self, _: &SpawnSpec) -> Result<Prepared, IoError> {
        Err(IoError { errno: 95, text: "nothing is started here".into() })
    }

    fn log(&self, record: Record) {
        self.0.send(record).unwrap();
    }
}

#[test]
fn a_driver_without_descriptors_accepts_later() {
    let spread = Spread::new(1, |task, panic| eprintln!("{task} panicked: {panic}")).unwrap();
    let (notices, told) = channel();
    let (log, logged) = channel();
    let (_keep, commands) = smol::channel::bounded(1);
    drop(spread.spawn("doorman", move || async move {
        let at = ListenAt::Tcp((Ipv4Addr::LOCALHOST, 0).into());
        let listen = Output::Listen { listener: ListenerId::new(1), at };
        let tell = move |notice| notices.send(notice).unwrap();
        drive(Doorman([listen].into()), commands, tell, &World::new(Arc::new(Listener(log)))).await
    }));
    let addr = match told.recv_timeout(PATIENCE).unwrap() {
        Input::Listening { endpoints, .. } => address(&endpoints),
        other => panic!("{other:?}"),
    };

    let client = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    let mut hoard = use_up_descriptors();
    rustix::net::connect(&client, &addr).unwrap();
    let complaint = logged.recv_timeout(PATIENCE).unwrap();
    assert!(complaint.message.contains(&addr.to_string()), "{complaint:?}");
    // It tries again and again, and says so once.
    assert!(logged.recv_timeout(Duration::from_millis(350)).is_err());
    hoard.pop();
    assert!(matches!(told.recv_timeout(PATIENCE).unwrap(), Input::Accepted { .. }));
}

fn address(endpoints: &[Endpoint]) -> SocketAddr {
    match endpoints {
        [Endpoint::Tcp(addr)] => *addr,
        other => panic!("{other:?}"),
    }
}

/// Opens files until there is no descriptor left.
fn use_up_descriptors() -> Vec<OwnedFd> {
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: hard }).unwrap();
    let mut hoard = Vec::with_capacity(64);
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(OwnedFd::from(file));
    }
    hoard
}

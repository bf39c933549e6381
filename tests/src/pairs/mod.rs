//! Machines back to back: clients, the engine of one app and its workers, over an in-memory wire, with a clock
//! that jumps to the next thing that happens.
//!
//! Everything is real but the world: a worker is started with the command line that the engine asks for, finds
//! its way by its options, and speaks the protocol with the engine that a client speaks with.
//!
//! * [`World`] is all of it. [`net`] carries bytes, [`party`] plays the driver of one machine, [`app`] is what runs in
//!   the workers.

pub mod app;
pub mod net;
pub mod party;

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::client::{Client, ClientCommand, ClientConfig, ClientNotice};
use cocaine_core::engine::{Engine, EngineCommand, EngineConfig, EngineNotice};
use cocaine_core::framework::{AppNotice, Options, Session};
use cocaine_core::machine::{
    Endpoint, ExitStatus, Input, Machine, Output, PeerProcess, Signal, SpawnSpec, StoreReply, WorkerId,
};
use cocaine_core::time::{Timestamp, WallClock};

use self::app::App;
use self::net::Net;
use self::party::Party;

/// One engine, its workers, and any number of clients.
pub struct World {
    /// What time it is.
    pub now: Timestamp,
    /// The wires.
    pub net: Net,
    /// The engine.
    pub engine: Party<Engine>,
    /// The clients.
    pub clients: Vec<Party<Client>>,
    /// The workers' processes.
    pub workers: BTreeMap<WorkerId, Process>,
    /// How many processes were started so far.
    pub spawned: u32,
    uid: u32,
}

/// A worker's process.
pub struct Process {
    /// Its end of the worker protocol.
    pub session: Party<Session>,
    /// What runs in it.
    pub app: App,
}

/// More exchanges than this without time going on are an endless loop.
const MAX_STEPS: usize = 100_000;

impl World {
    /// An engine that opens its sockets at once; bytes travel in pieces of at most `piece`.
    #[must_use]
    pub fn new(config: EngineConfig, piece: usize) -> Self {
        let now = Timestamp::from_secs(1_000);
        let uid = config.uid;
        let engine = Engine::new(config, now, WallClock::new(now, 1_600_000_000_000_000));
        let mut world = Self {
            now,
            net: Net::new(piece),
            engine: Party::new(engine, None),
            clients: Vec::new(),
            workers: BTreeMap::new(),
            spawned: 0,
            uid,
        };
        world.settle();
        world
    }

    /// Where the app's service is published.
    ///
    /// # Panics
    ///
    /// It is not.
    #[must_use]
    pub fn service(&self) -> Endpoint {
        let published = self.engine.notices.iter().rev().find_map(|notice| match notice {
            EngineNotice::Published { endpoints } => endpoints.first().cloned(),
            _ => None,
        });
        published.expect("the app is published")
    }

    /// One more client; returns its number.
    pub fn add_client(&mut self, config: ClientConfig) -> usize {
        self.clients.push(Party::new(Client::new(config, self.now), None));
        self.clients.len() - 1
    }

    /// Tells a client something and lets everybody react.
    pub fn tell(&mut self, client: usize, command: ClientCommand) {
        self.clients[client].handle(self.now, Input::Command(command));
        self.settle();
    }

    /// Tells the engine something and lets everybody react.
    pub fn command(&mut self, command: EngineCommand) {
        self.engine.handle(self.now, Input::Command(command));
        self.settle();
    }

    /// What a client was told since the last look.
    pub fn heard(&mut self, client: usize) -> Vec<ClientNotice> {
        std::mem::take(&mut self.clients[client].notices)
    }

    /// A worker's process dies.
    pub fn crash(&mut self, worker: WorkerId, status: ExitStatus) {
        if let Some(mut process) = self.workers.remove(&worker) {
            process.session.leave(&mut self.net);
            self.engine.handle(self.now, Input::WorkerExited { worker, status });
        }
        self.settle();
    }

    /// Lets time pass, jumping from one deadline to the next.
    ///
    /// # Panics
    ///
    /// A machine wants to be woken in the past.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.next_timeout().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.wake(at);
            self.settle();
        }
        self.now = end;
    }

    /// Lets everybody react until nobody has anything to do at this moment.
    ///
    /// # Panics
    ///
    /// They never stop.
    pub fn settle(&mut self) {
        for _ in 0..MAX_STEPS {
            if !self.step() {
                return;
            }
        }
        panic!("endless activity at {}", self.now);
    }

    /// One round; whether anything happened.
    fn step(&mut self) -> bool {
        let mut busy = false;
        for client in &mut self.clients {
            busy |= client.step(self.now, &mut self.net, |output| unexpected(&output));
        }
        let mut wishes = Vec::new();
        busy |= self.engine.step(self.now, &mut self.net, |output| wishes.push(output));
        for wish in wishes {
            self.grant(wish);
        }
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            busy |= self.step_worker(worker);
        }
        busy
    }

    fn step_worker(&mut self, worker: WorkerId) -> bool {
        let Some(process) = self.workers.get_mut(&worker) else { return false };
        let busy = process.session.step(self.now, &mut self.net, |output| unexpected(&output));
        let mut exit = None;
        for notice in std::mem::take(&mut process.session.notices) {
            if matches!(notice, AppNotice::Over { .. }) {
                exit = Some(ExitStatus::Code(0));
            }
            for reaction in process.app.react(notice) {
                match reaction {
                    app::Reaction::Say(command) => {
                        process.session.handle(self.now, Input::Command(command));
                    }
                    app::Reaction::Exit(code) => exit = Some(ExitStatus::Code(code)),
                }
            }
        }
        if let Some(status) = exit {
            self.crash(worker, status);
            return true;
        }
        busy
    }

    /// Does what only the engine asks for.
    fn grant(&mut self, wish: Output<EngineNotice>) {
        match wish {
            Output::Spawn { worker, spec } => self.spawn(worker, &spec),
            Output::Kill { worker, signal } => {
                let number = if signal == Signal::Term { 15 } else { 9 };
                self.crash(worker, ExitStatus::Signal(number));
            }
            Output::Store { store, .. } => {
                self.engine.handle(self.now, Input::Stored { store, result: Ok(StoreReply::Done) });
            }
            // Nothing is written there.
            Output::ReadOutput { .. } => {}
            other => unexpected(&other),
        }
    }

    fn spawn(&mut self, worker: WorkerId, spec: &SpawnSpec) {
        self.spawned += 1;
        let pid = 100 + self.spawned;
        let options = Options::from_args(spec.arguments.clone()).expect("a line that a worker understands");
        let peer = PeerProcess { pid, uid: self.uid, pgid: Some(pid) };
        let session = Party::new(Session::new(options.session(), self.now), Some(peer));
        self.workers.insert(worker, Process { session, app: App::default() });
        self.engine.handle(self.now, Input::Spawned { worker, pid });
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let clients = self.clients.iter().filter_map(|client| client.machine.next_timeout());
        let workers = self.workers.values().filter_map(|process| process.session.machine.next_timeout());
        clients.chain(workers).chain(self.engine.machine.next_timeout()).map(|(at, _)| at).min()
    }

    /// Wakes everybody whose time has come.
    fn wake(&mut self, at: Timestamp) {
        self.clients.iter_mut().for_each(|client| client.wake(at));
        self.workers.values_mut().for_each(|process| process.session.wake(at));
        self.engine.wake(at);
    }
}

fn unexpected<N: std::fmt::Debug>(output: &Output<N>) {
    panic!("nobody here can do {output:?}");
}

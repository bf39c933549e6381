//! The world around one engine, on simulated time.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::engine::{Engine, EngineCommand, EngineNotice};
use cocaine_core::machine::{ConnId, Endpoint, Input, ListenerId, Output, StoreError, StoreReply, WorkerId};
use cocaine_core::rng::Rng;
use cocaine_core::time::{Timestamp, WallClock};

use super::agenda::Agenda;
use super::check::Checks;
use super::client::Client;
use super::dice::Dice;
use super::driven::Driven;
use super::embedder::Embedder;
use super::event::{Event, Owner, Party};
use super::fact::{Fact, Moment};
use super::figures::Figures;
use super::net::{End, Net};
use super::options::Options;
use super::process::Process;
use super::request::Terms;
use super::tap::Tap;
use super::trace::Trace;

/// One run.
#[derive(Debug)]
pub struct World {
    /// What the seed decided.
    pub options: Options,
    /// What happened.
    pub trace: Trace,
    /// What was exercised.
    pub figures: Figures,
    pub(super) agenda: Agenda<Event>,
    pub(super) net: Net,
    pub(super) dice: Dice,
    pub(super) engine: Driven<Engine>,
    /// The workers' socket, and the app's service while it is open.
    pub(super) listeners: [Option<ListenerId>; 2],
    pub(super) taps: BTreeMap<ConnId, Tap>,
    pub(super) processes: BTreeMap<WorkerId, Process>,
    pub(super) clients: Vec<Client>,
    pub(super) embedder: Embedder,
    pub(super) terms: Vec<Terms>,
    pub(super) checks: Checks,
    /// Faults still happen.
    pub(super) stormy: bool,
}

/// More events than this in one run are an endless loop.
const MANY_EVENTS: usize = 20_000_000;

impl World {
    /// The world of these options, in which nothing has happened.
    #[must_use]
    pub fn new(options: Options, aloud: bool) -> Self {
        let mut dice = Dice::new(Rng::new(options.seed ^ 0x5eed));
        let now = Timestamp::from_secs(1_000);
        let config = options.engine();
        let checks = Checks::new(&config);
        let engine = Engine::new(config, now, WallClock::new(now, 1_467_374_400_000_000));
        let client = |_| Client::new(options.requests);
        Self {
            agenda: Agenda::new(dice.rng(), now),
            net: Net::new(&options, dice.fork()),
            engine: Driven::new(engine, Party::Engine),
            listeners: [None; 2],
            taps: BTreeMap::new(),
            processes: BTreeMap::new(),
            clients: (0..options.clients).map(client).collect(),
            embedder: Embedder::new(options.requests),
            terms: Vec::new(),
            trace: Trace::new(aloud),
            figures: Figures::default(),
            stormy: true,
            checks,
            dice,
            options,
        }
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.agenda.now()
    }

    /// Lets time pass until then.
    ///
    /// # Panics
    ///
    /// A promise is broken, or it never ends.
    pub fn run_until(&mut self, end: Timestamp) {
        for _ in 0..MANY_EVENTS {
            let Some(event) = self.agenda.next(end) else { return };
            self.happen(event);
        }
        panic!("endless activity");
    }

    fn happen(&mut self, event: Event) {
        self.figures.events += 1;
        match event {
            Event::Arrive { end, parcel } => {
                if self.net.arrive(end, parcel) {
                    self.look(end);
                }
            }
            Event::Room { end } => self.look(end),
            Event::Accept { end, listener, peer } => self.accept(end, listener, peer),
            Event::Ready { who, conn } => self.ready(who, conn),
            Event::Wake(who) => self.wake(who),
            Event::Ghost(input) => self.ghost(*input),
            Event::Process(worker, step) => self.step_process(worker, step),
            Event::Client(client, step) => self.step_client(client, step),
            Event::Embedder(deed) => self.step_embedder(deed),
            Event::Stored(store) => {
                let failed = self.stormy && self.dice.chance(self.options.storage / 2);
                let error = || StoreError { errno: 28, text: "no space left".into() };
                let result = if failed { Err(error()) } else { Ok(StoreReply::Done) };
                self.figures.fault_if(failed, "storage fails");
                self.tell(Input::Stored { store, result });
            }
            Event::Weather => self.weather(),
            Event::Operator => self.operator(),
        }
    }

    /// The owner of an end looks what there is.
    pub(super) fn look(&mut self, end: End) {
        match self.net.owner(end) {
            Owner::Machine(Party::Engine) => {
                if let Some(conn) = self.engine.conn(end) {
                    self.agenda.after(Duration::ZERO, Event::Ready { who: Party::Engine, conn });
                }
            }
            Owner::Script(worker) => self.hear_script(worker, end),
            Owner::Client(client) => self.look_client(client, end),
        }
    }

    fn ready(&mut self, who: Party, conn: ConnId) {
        match who {
            Party::Engine => {
                if let Some(input) = self.engine.work(conn, &mut self.net, &mut self.agenda) {
                    self.tell(input);
                    self.agenda.after(Duration::ZERO, Event::Ready { who, conn });
                }
            }
        }
    }

    fn wake(&mut self, who: Party) {
        let now = self.now();
        match who {
            Party::Engine if self.engine.is_due(now) => {
                self.engine.disarm();
                self.tell(Input::Timeout);
                if self.stormy && self.dice.chance(self.options.spurious) {
                    self.figures.fault("timeout twice");
                    self.tell(Input::Timeout);
                }
            }
            // It wants to be woken at another time now.
            Party::Engine => {}
        }
    }

    /// What a driver says too late, or for no reason.
    fn ghost(&mut self, input: Input<EngineCommand>) {
        self.figures.fault(if input == Input::Timeout {
            "timeout too early"
        } else {
            "completion after close"
        });
        self.trace.note(self.agenda.now(), format_args!("ghost {}", super::words::input(&input)));
        self.engine.tell_ghost(self.agenda.now(), input);
        self.drain();
    }

    // ---- the engine ----

    /// Tells the engine something and does what it asks for.
    pub(super) fn tell(&mut self, input: Input<EngineCommand>) {
        let now = self.now();
        if !matches!(input, Input::Command(EngineCommand::Info { .. })) {
            self.trace.note(now, format_args!("> {}", super::words::input(&input)));
        }
        self.overhear(&input);
        self.engine.tell(now, input);
        self.drain();
    }

    /// Does what the engine asks for.
    pub(super) fn drain(&mut self) {
        let now = self.now();
        while let Some(output) = self.engine.ask() {
            if !matches!(output, Output::Log(_) | Output::Notice(EngineNotice::Info { .. })) {
                self.trace.note(now, format_args!("  < {}", super::words::output(&output)));
            }
            self.take(output);
        }
        self.checks.rest(&self.moment(), &self.engine.machine);
        if let Some(at) = self.engine.news_of_timer(now) {
            let late = self.stormy && self.dice.chance(self.options.late);
            let lateness = if late { self.dice.millis(0, self.options.lateness_ms) } else { Duration::ZERO };
            self.figures.fault_if(late, "timeout late");
            self.agenda.at(at + lateness, Event::Wake(Party::Engine));
        }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment { now: self.now(), lateness: Duration::from_millis(self.options.lateness_ms) }
    }

    fn take(&mut self, output: Output<EngineNotice>) {
        match &output {
            Output::Write { conn, batch } => {
                let bytes = batch.to_vec();
                self.with_tap(*conn, |tap, _, tell| tap.say(&bytes, tell));
            }
            Output::Read { conn, buf } => {
                if let Some(tap) = self.taps.get_mut(conn) {
                    tap.offered = buf.len();
                }
            }
            Output::Close { conn, .. } => self.forget_conn(*conn),
            _ => {}
        }
        let Some(output) = self.engine.perform(output, &mut self.net, &mut self.agenda) else {
            return self.raise_ghosts();
        };
        match output {
            Output::Listen { listener, .. } => {
                let slot = usize::from(self.listeners[0].is_some());
                self.listeners[slot] = Some(listener);
                let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], 10_000).into())];
                let input = Input::Listening { listener, endpoints };
                self.engine.tell(self.agenda.now(), input);
            }
            Output::Unlisten { listener } => {
                let slot = self.listeners.iter_mut().find(|slot| **slot == Some(listener));
                *slot.expect("an open listener") = None;
            }
            Output::Spawn { worker, spec } => self.spawn(worker, &spec),
            Output::ReadOutput { worker } => self.want_output(worker),
            Output::Kill { worker, signal } => self.kill(worker, signal),
            Output::Store { store, .. } => {
                let slow = self.stormy && self.dice.chance(self.options.storage);
                let most = if slow { 20_000 } else { 0 };
                self.figures.fault_if(slow, "storage slow");
                let wait = self.dice.millis(0, most);
                self.agenda.after(wait, Event::Stored(store));
            }
            Output::Notice(notice) => self.notice(notice),
            Output::Log(_) => {}
            other => panic!("an engine asks for {other:?}"),
        }
    }

    fn notice(&mut self, notice: EngineNotice) {
        match notice {
            EngineNotice::Stopped => {
                let mut known =
                    self.processes.iter().filter(|(worker, _)| !self.checks.is_unspawned(**worker));
                let alive = known.find(|(_, process)| process.is_alive());
                assert!(alive.is_none(), "it says that it has stopped, but a process lives: {alive:?}");
                self.state(&Fact::Stopped);
            }
            EngineNotice::Broken { failure } => panic!("it says that it is broken: {failure}"),
            EngineNotice::Info { report, .. } => self.checks.report(&report),
            EngineNotice::Chunk { .. }
            | EngineNotice::End { .. }
            | EngineNotice::Fail { .. }
            | EngineNotice::Consumed { .. } => self.embedder_hears(&notice),
            EngineNotice::Started | EngineNotice::Published { .. } | EngineNotice::Unpublished => {}
        }
    }

    /// Some completions were under way when their connection was closed.
    fn raise_ghosts(&mut self) {
        for input in std::mem::take(&mut self.engine.orphans) {
            if self.stormy && self.dice.chance(self.options.spurious * 5) {
                let wait = self.dice.millis(0, 20);
                self.agenda.after(wait, Event::Ghost(Box::new(input)));
            }
        }
    }

    // ---- facts ----

    /// Tells all observers.
    pub(super) fn state(&mut self, fact: &Fact<'_>) {
        self.figures.count(fact);
        let moment = self.moment();
        note(&mut self.trace, &moment, fact);
        self.checks.see(&moment, fact);
    }

    /// Something is said on a connection.
    fn with_tap(&mut self, conn: ConnId, read: impl FnOnce(&mut Tap, &[Terms], &mut dyn FnMut(Fact<'_>))) {
        let moment = self.moment();
        let Some(tap) = self.taps.get_mut(&conn) else { return };
        let (checks, figures, trace) = (&mut self.checks, &mut self.figures, &mut self.trace);
        read(tap, &self.terms, &mut |fact| {
            figures.count(&fact);
            note(trace, &moment, &fact);
            checks.see(&moment, &fact);
        });
    }

    fn overhear(&mut self, input: &Input<EngineCommand>) {
        match input {
            Input::Received { conn, buf } => {
                let heard = self.taps.get(conn).map_or(0, |tap| tap.offered);
                let fresh = buf[heard.min(buf.len())..].to_vec();
                self.with_tap(*conn, |tap, terms, tell| tap.hear(&fresh, terms, tell));
            }
            Input::Spawned { worker, .. } => self.state(&Fact::Spawned(*worker)),
            Input::SpawnFailed { worker, .. } => self.state(&Fact::SpawnFailed(*worker)),
            Input::WorkerExited { worker, .. } => self.state(&Fact::Exited(*worker)),
            Input::Command(EngineCommand::Stop) => self.state(&Fact::Stop),
            _ => {}
        }
    }

    fn forget_conn(&mut self, conn: ConnId) {
        let Some(tap) = self.taps.remove(&conn) else { return };
        if let Some(worker) = tap.owner() {
            self.state(&Fact::Dropped(worker));
        }
        for req in tap.requests() {
            self.state(&Fact::Abandoned { req });
        }
    }

    fn accept(&mut self, end: End, listener: ListenerId, peer: cocaine_core::machine::Peer) {
        if !self.listeners.contains(&Some(listener)) {
            return self.net.close(&mut self.agenda, end);
        }
        let limits = self.options.limits.wire;
        let other = super::net::other(end);
        let tap = match self.net.owner(other) {
            Owner::Client(_) => Tap::client(limits),
            Owner::Script(worker) if self.is_itself(worker, other) => Tap::worker(limits, worker),
            _ => Tap::stranger(limits),
        };
        let conn = self.engine.accept(end);
        self.taps.insert(conn, tap);
        self.tell(Input::Accepted { listener, conn, peer });
    }
}

/// Facts about payloads are seen as what carries them.
fn note(trace: &mut Trace, moment: &Moment, fact: &Fact<'_>) {
    if !matches!(fact, Fact::Sent { .. } | Fact::Input { .. } | Fact::Reply { .. } | Fact::Answer { .. }) {
        trace.note(moment.now, format_args!("  = {fact:?}"));
    }
}

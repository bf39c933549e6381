//! A driver for one engine whose world is a script.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use cocaine_core::engine::{Engine, EngineCommand, EngineConfig, EngineNotice};
use cocaine_core::machine::{
    ConnId, Endpoint, Input, IoError, ListenerId, Machine, Output, StoreReply, StoreRequest, WorkerId,
};
use cocaine_core::session::READ_SIZE;
use cocaine_core::time::{Timestamp, WallClock};

use super::contract::Contract;
use super::peers::{Peer, Process, Speaks};

/// What the wall clock shows when a scenario begins: noon of a summer's day in 2016.
pub(super) const WALL: u64 = 1_467_374_400_000_000;

/// A step takes no time; more of them than this without rest are a loop.
const MANY_STEPS: usize = 200_000;

/// An engine and everything around it.
pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) now: Timestamp,
    contract: Contract,
    pub(super) peers: Vec<Peer>,
    pub(super) processes: BTreeMap<WorkerId, Process>,
    /// The driver's own answers that are due.
    pub(super) answers: VecDeque<Input<EngineCommand>>,
    /// The workers' socket, and the app's service while it is open.
    pub(super) listeners: Vec<ListenerId>,
    /// This many more listeners open; the one after them fails.
    pub(super) listen_fails: Option<usize>,
    /// What came out since the last command, in words.
    pub(super) lines: Vec<String>,
    /// Lines tell the time.
    pub(super) timed: bool,
    pub(super) info_path: String,
    /// The tags of everything that was stored, by collection and key.
    shelf: BTreeMap<(String, String), Vec<String>>,
    /// Names of unread bytes that were told already.
    told_unread: BTreeMap<String, usize>,
}

impl World {
    pub(super) fn new(config: EngineConfig, listen_fails: Option<usize>) -> Self {
        let now = Timestamp::ZERO;
        let mut world = Self {
            engine: Engine::new(config, now, WallClock::new(now, WALL)),
            now,
            contract: Contract::default(),
            peers: Vec::new(),
            processes: BTreeMap::new(),
            answers: VecDeque::new(),
            listeners: Vec::new(),
            listen_fails,
            lines: Vec::new(),
            timed: false,
            info_path: String::new(),
            shelf: BTreeMap::new(),
            told_unread: BTreeMap::new(),
        };
        world.run();
        world
    }

    /// Tells the engine something and lets everything happen that follows at once.
    pub(super) fn tell(&mut self, input: Input<EngineCommand>) {
        self.hand_over(input);
        self.run();
    }

    fn hand_over(&mut self, input: Input<EngineCommand>) {
        self.contract.input(&input);
        self.engine.handle(self.now, input);
        self.drain();
    }

    /// Goes on until nothing moves without time passing.
    pub(super) fn run(&mut self) {
        self.drain();
        for _ in 0..MANY_STEPS {
            let Some(input) = self.next_input() else {
                self.contract.drained(&self.engine, self.now);
                return self.tell_unread();
            };
            self.hand_over(input);
        }
        panic!("it never comes to rest");
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            self.contract.output(&output);
            self.take(output);
        }
    }

    /// What the world has to say without being asked.
    fn next_input(&mut self) -> Option<Input<EngineCommand>> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        if let Some(input) = self.peers.iter_mut().filter(|peer| peer.open).find_map(peer_input) {
            return Some(input);
        }
        let talker = self
            .processes
            .values_mut()
            .find(|process| process.output_wanted && !process.output.is_empty())?;
        talker.output_wanted = false;
        let rest = talker.output.split_off(talker.output.len().min(READ_SIZE));
        let bytes = Bytes::from(std::mem::replace(&mut talker.output, rest));
        Some(Input::WorkerOutput { worker: talker.worker, bytes })
    }

    /// Lets time pass, from one thing that happens to the next.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        self.timed = true;
        loop {
            let beat = self.processes.values().filter_map(|process| process.beats.map(|(_, at)| at)).min();
            let timeout = self.engine.next_timeout().map(|(at, _)| at);
            let Some(next) = beat.into_iter().chain(timeout).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            if timeout == Some(next) {
                self.tell(Input::Timeout);
            }
            if beat == Some(next) {
                self.beat();
            }
        }
        self.now = end;
        self.timed = false;
        self.tell_unread();
    }

    /// The whole process stands still: time goes on, and nobody tells the engine.
    pub(super) fn stall(&mut self, by: Duration) {
        self.now = self.now + by;
    }

    /// Sends the heartbeats that are due.
    fn beat(&mut self) {
        let now = self.now;
        let mut silent = Vec::new();
        for process in self.processes.values_mut() {
            let Some((every, at)) = process.beats.filter(|(_, at)| *at <= now) else { continue };
            process.beats = Some((every, at + every));
            let name = process.worker.to_string();
            let Some(peer) = self.peers.iter_mut().rev().find(|peer| peer.name == name && peer.open) else {
                continue;
            };
            if process.unanswered > 0 {
                silent.push(name);
            }
            process.unanswered += 1;
            peer.send_heartbeat();
        }
        for name in silent {
            self.say(format!("{name} waits for an answer to its heartbeat"));
        }
        self.run();
    }

    // ---- names ----

    /// The newest peer of this name.
    pub(super) fn peer(&mut self, name: &str) -> &mut Peer {
        self.peers
            .iter_mut()
            .rev()
            .find(|peer| peer.name == name)
            .unwrap_or_else(|| panic!("{name} is not connected"))
    }

    pub(super) fn process(&mut self, name: &str) -> &mut Process {
        self.processes
            .values_mut()
            .find(|process| process.worker.to_string() == name)
            .unwrap_or_else(|| panic!("{name} was not spawned"))
    }

    /// A driver's name for a new connection: the slot of a closed one is used again.
    pub(super) fn new_conn(&self) -> ConnId {
        let mut slots: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
        for peer in &self.peers {
            let entry = slots.entry(peer.conn.slot()).or_default();
            *entry = (entry.0.max(peer.conn.generation()), entry.1 || peer.open);
        }
        let free = slots.iter().find(|(_, (_, open))| !open);
        let unused = u32::try_from(slots.len()).unwrap_or(u32::MAX);
        free.map_or(ConnId::accepted(unused, 0), |(slot, (generation, _))| {
            ConnId::accepted(*slot, generation + 1)
        })
    }

    pub(super) fn add_peer(&mut self, name: &str, speaks: Speaks) -> ConnId {
        let conn = self.new_conn();
        self.peers.push(Peer::new(name, conn, speaks));
        conn
    }

    // ---- what is shown ----

    /// Adds a line. Uuids become names; a line that repeats is counted.
    pub(super) fn say(&mut self, line: String) {
        let mut line = line;
        for process in self.processes.values() {
            if process.uuid.len() == 36 {
                line = line.replace(&process.uuid, &format!("{}.uuid", process.worker));
            }
        }
        if self.timed {
            line = format!("{}s {line}", seconds(self.now));
        }
        self.lines.push(line);
    }

    /// What the engine has been sent and does not read.
    fn tell_unread(&mut self) {
        let unread = self.peers.iter().filter(|peer| peer.open && !peer.outbox.is_empty());
        let unread: BTreeMap<String, usize> =
            unread.map(|peer| (peer.name.clone(), peer.outbox.len())).collect();
        if unread == self.told_unread || self.timed {
            return;
        }
        for (name, bytes) in &unread {
            self.say(format!("{name} is not read: {bytes} bytes wait"));
        }
        self.told_unread = unread;
    }

    // ---- what the engine asks for ----

    pub(super) fn answer(&mut self, input: Input<EngineCommand>) {
        self.answers.push_back(input);
    }

    pub(super) fn listen(&mut self, listener: ListenerId) {
        let fails = self.listen_fails == Some(0);
        self.listen_fails = self.listen_fails.and_then(|left| left.checked_sub(1));
        if fails {
            let error = IoError { errno: 98, text: "Address already in use".into() };
            return self.answer(Input::ListenFailed { listener, error });
        }
        self.listeners.push(listener);
        let port = u16::try_from(10_000 + listener.number()).unwrap_or(u16::MAX);
        let endpoints = vec![Endpoint::Tcp(([127, 0, 0, 1], port).into())];
        self.answer(Input::Listening { listener, endpoints });
    }

    fn take(&mut self, output: Output<EngineNotice>) {
        match output {
            Output::Read { conn, buf } => self.peer_of(conn).read = Some(buf),
            Output::Write { conn, batch } => {
                let peer = self.peer_of(conn);
                let clogged = peer.clogged;
                let bytes = if clogged { Vec::new() } else { batch.to_vec() };
                peer.write = Some(batch);
                self.show_frames(conn, &bytes);
            }
            Output::Close { conn, reason } => {
                let peer = self.peer_of(conn);
                peer.open = false;
                let name = peer.name.clone();
                self.say(format!("{name} closed, {}", super::render::close_reason(&reason)));
            }
            Output::ReadOutput { worker } => {
                if let Some(process) = self.processes.get_mut(&worker) {
                    process.output_wanted = true;
                }
            }
            Output::Store { store, ref request } => {
                self.say(super::render::store(request));
                let result = Ok(self.keep(request));
                self.answer(Input::Stored { store, result });
            }
            other => self.show(other),
        }
    }

    /// A storage that remembers keys and tags.
    fn keep(&mut self, request: &StoreRequest) -> StoreReply {
        match request {
            StoreRequest::Write { collection, key, tags, .. } => {
                self.shelf.insert((collection.clone(), key.clone()), tags.clone());
            }
            StoreRequest::Remove { collection, key } => {
                self.shelf.remove(&(collection.clone(), key.clone()));
            }
            StoreRequest::Find { collection, tags } => {
                let found = self.shelf.iter().filter(|((place, _), of)| {
                    place == collection && tags.iter().all(|tag| of.contains(tag))
                });
                return StoreReply::Keys(found.map(|((_, key), _)| key.clone()).collect());
            }
            StoreRequest::Read { .. } => {}
        }
        StoreReply::Done
    }

    pub(super) fn peer_of(&mut self, conn: ConnId) -> &mut Peer {
        self.peers.iter_mut().find(|peer| peer.conn == conn).expect("the contract knows it")
    }

    /// Shows what a peer has been written, but not the answers to heartbeats that came by themselves.
    pub(super) fn show_frames(&mut self, conn: ConnId, bytes: &[u8]) {
        let peer = self.peer_of(conn);
        let name = peer.name.clone();
        for frame in peer.receive(bytes) {
            let process = self.processes.values_mut().find(|process| process.worker.to_string() == name);
            match process {
                Some(process) if frame == "heartbeat" && process.unanswered > 0 => process.unanswered -= 1,
                _ => self.say(format!("{name} <- {frame}")),
            }
        }
    }
}

/// What the engine hears of a peer next.
fn peer_input(peer: &mut Peer) -> Option<Input<EngineCommand>> {
    let conn = peer.conn;
    if !peer.clogged
        && let Some(mut batch) = peer.write.take()
    {
        batch.clear();
        return Some(Input::Written { conn, batch });
    }
    if peer.outbox.is_empty() {
        return (peer.gone && peer.read.is_some()).then(|| {
            peer.read = None;
            Input::Disconnected { conn, error: None }
        });
    }
    let mut buf = peer.read.take()?;
    let size = if peer.drip { 1 } else { peer.outbox.len().min(READ_SIZE) };
    buf.extend_from_slice(&peer.outbox[..size]);
    peer.outbox.drain(..size);
    Some(Input::Received { conn, buf })
}

/// Seconds without needless digits.
pub(super) fn seconds(at: Timestamp) -> String {
    let text = at.to_string();
    text.trim_end_matches('0').trim_end_matches('.').into()
}

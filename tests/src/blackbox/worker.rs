//! Scripted workers: the test program, started once more by an app's script.
//!
//! A *plan* is a few words: how it starts, and what it does differently from a well-behaved worker. What it does
//! with a request is up to the request's event. It notes what happens to it in the app's journal, since its
//! outputs belong to the daemon.

mod events;

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cocaine_core::wire::{Dialect, Value, v0, v1};

use super::journal::Journal;
use super::peer::{Got, Message, Peer, frame};
use events::Events;

/// The environment variable with the plan.
pub(super) const PLAN: &str = "BLACK_BOX_PLAN";
/// The environment variable with the path of the journal.
pub(super) const JOURNAL: &str = "BLACK_BOX_JOURNAL";
/// The environment variable with the arguments that the daemon gave, separated by [`SEPARATOR`].
pub(super) const ARGUMENTS: &str = "BLACK_BOX_ARGUMENTS";
/// Separates arguments; no path or address has it.
pub(super) const SEPARATOR: char = '|';

/// How often a worker sends heartbeats. The shortest heartbeat-timeout of a test is some of these.
const BEAT: Duration = Duration::from_millis(300);

/// What a process does that was started as a worker; others return.
pub fn main() {
    let Ok(plan) = env::var(PLAN) else { return };
    let worker = Start {
        plan: plan.split_whitespace().map(Into::into).collect(),
        journal: Journal::existing(Path::new(&env::var(JOURNAL).expect("the script sets it"))),
        arguments: env::var(ARGUMENTS)
            .expect("the script sets it")
            .split(SEPARATOR)
            .map(Into::into)
            .collect(),
    };
    worker.journal.note(&format!("start {} {}", std::process::id(), worker.option("--uuid")));
    worker.journal.note(&format!("arguments {}", worker.arguments.join(" ")));
    worker.run();
    std::process::exit(0);
}

/// A worker before its connection.
#[derive(Debug)]
struct Start {
    plan: Vec<String>,
    journal: Journal,
    arguments: Vec<String>,
}

impl Start {
    fn option(&self, name: &str) -> &str {
        let at = self.arguments.iter().position(|argument| argument == name);
        at.and_then(|at| self.arguments.get(at + 1)).unwrap_or_else(|| panic!("{name} is missing"))
    }

    fn has(&self, word: &str) -> bool {
        self.plan.iter().any(|have| have == word)
    }

    fn run(self) {
        match self.plan.first().map(String::as_str) {
            Some("serve") => self.serve(),
            Some("exits") => {
                eprintln!("cannot find my configuration");
                std::process::exit(3);
            }
            Some("never-connects") => wait_for_the_end(),
            Some("silent") => {
                let _peer = self.connect();
                wait_for_the_end();
            }
            Some("no-heartbeat") => self.no_heartbeat(),
            Some("garbage") => self.says(b"GET / HTTP/1.1\r\n\r\n"),
            // A handshake whose uuid would have 2 GiB.
            Some("huge") => self.says(b"\x93\x01\x00\x91\xc6\x80\x00\x00\x00"),
            Some("wrong-uuid") => {
                let uuid: Value = "00000000-0000-4000-8000-000000000000".into();
                self.says(&frame(Dialect::V1, 1, 0, &[uuid]));
            }
            other => panic!("unknown plan {other:?}"),
        }
    }

    fn connect(&self) -> Peer {
        let dialect = if self.has("v0") { Dialect::V0 } else { Dialect::V1 };
        let peer = Peer::unix(Path::new(self.option("--endpoint")), dialect);
        self.journal.note("connected");
        peer.expect("the endpoint takes connections")
    }

    /// Says something instead of the handshake; the connection is then closed, and this worker lives on.
    fn says(&self, bytes: &[u8]) {
        let mut peer = self.connect();
        peer.raw(bytes).expect("sent");
        if matches!(peer.next(Duration::from_secs(600)), Got::End) {
            self.journal.note("refused");
        }
        wait_for_the_end();
    }

    fn handshake(&self) -> Peer {
        let mut peer = self.connect();
        let bytes = frame(
            peer.dialect(),
            u64::from(peer.dialect() == Dialect::V1),
            0,
            &[self.option("--uuid").into()],
        );
        if self.has("drips") {
            bytes.iter().for_each(|byte| peer.raw(&[*byte]).expect("sent"));
        } else {
            peer.raw(&bytes).expect("sent");
        }
        peer
    }

    /// It introduces itself; an invoke before its first heartbeat would be noted.
    fn no_heartbeat(&self) {
        let mut peer = self.handshake();
        loop {
            match peer.next(Duration::from_secs(600)) {
                Got::Message(message) => self.journal.note(&format!("unexpected {message:?}")),
                Got::End => return wait_for_the_end(),
                Got::Nothing => {}
            }
        }
    }

    fn serve(self) {
        if self.has("waits") {
            self.journal.line("go");
        }
        let peer = self.handshake();
        Worker {
            ignores_terminate: self.has("ignores-terminate"),
            peer,
            last_beat: None,
            journal: self.journal.clone(),
            uuid: self.option("--uuid").into(),
            endpoint: self.option("--endpoint").into(),
            events: Events::default(),
        }
        .serve();
    }
}

/// The daemon kills it.
fn wait_for_the_end() {
    loop {
        std::thread::park();
    }
}

/// A worker with a connection.
#[derive(Debug)]
struct Worker {
    peer: Peer,
    ignores_terminate: bool,
    last_beat: Option<Instant>,
    journal: Journal,
    uuid: String,
    endpoint: String,
    events: Events,
}

/// What the frames of a worker's connection mean, whatever the dialect.
#[derive(Debug)]
enum Meaning {
    Heartbeat,
    Terminate(Message),
    Invoke(String),
    Chunk(Bytes),
    /// The client ended its half with an error.
    Failed(Message),
    End,
}

fn meaning(dialect: Dialect, known: bool, message: Message) -> Meaning {
    let raw = |message: &Message| message.args[0].as_bytes().expect("raw").clone();
    let text = |message: &Message| String::from_utf8(raw(message).to_vec()).expect("text");
    match (dialect, message.channel, message.message) {
        (Dialect::V1, 1, 0) | (Dialect::V0, _, v0::message::HEARTBEAT) => Meaning::Heartbeat,
        (Dialect::V1, 1, _) | (Dialect::V0, _, v0::message::TERMINATE) => Meaning::Terminate(message),
        (Dialect::V1, _, 0) if !known => Meaning::Invoke(text(&message)),
        (Dialect::V0, _, v0::message::INVOKE) => Meaning::Invoke(text(&message)),
        (Dialect::V1, _, v1::message::WRITE) | (Dialect::V0, _, v0::message::CHUNK) => {
            Meaning::Chunk(raw(&message))
        }
        (Dialect::V1, _, v1::message::ERROR) | (Dialect::V0, _, v0::message::ERROR) => {
            Meaning::Failed(message)
        }
        _ => Meaning::End,
    }
}

impl Worker {
    fn serve(mut self) {
        loop {
            self.beat();
            match self.peer.next(BEAT) {
                Got::Message(message) => self.on_message(message),
                Got::End => {
                    self.journal.note("disconnected");
                    return;
                }
                Got::Nothing => {}
            }
        }
    }

    fn beat(&mut self) {
        if self.last_beat.is_none_or(|last| last.elapsed() >= BEAT) {
            self.beat_now();
        }
    }

    fn beat_now(&mut self) {
        self.last_beat = Some(Instant::now());
        match self.peer.dialect() {
            Dialect::V1 => self.send(1, 0, &[]),
            Dialect::V0 => self.send(0, v0::message::HEARTBEAT, &[]),
        }
    }

    fn on_message(&mut self, message: Message) {
        let channel = message.channel;
        let headers = message.headers.clone();
        match meaning(self.peer.dialect(), self.events.knows(channel), message) {
            Meaning::Heartbeat => {}
            Meaning::Terminate(message) => self.on_terminate(&message),
            Meaning::Invoke(event) => self.on_invoke(channel, event, headers),
            Meaning::Chunk(bytes) => self.on_chunk(channel, bytes),
            Meaning::Failed(message) => {
                self.journal.note(&format!("input-error {:?}", message.args[0]));
                self.on_end(channel);
            }
            Meaning::End => self.on_end(channel),
        }
    }

    fn on_terminate(&mut self, message: &Message) {
        self.journal.note(&format!("terminate {}", message.args[0].as_i64().expect("a code")));
        if !self.ignores_terminate {
            self.goodbye(message.args[0].as_i64().unwrap_or(1));
            std::process::exit(0);
        }
    }

    fn goodbye(&mut self, code: i64) {
        let (channel, message) = match self.peer.dialect() {
            Dialect::V1 => (1, v1::message::TERMINATE),
            Dialect::V0 => (0, v0::message::TERMINATE),
        };
        self.send(channel, message, &[code.into(), "goodbye".into()]);
    }

    fn chunk(&mut self, channel: u64, bytes: impl Into<Bytes>) {
        let message = match self.peer.dialect() {
            Dialect::V1 => v1::message::WRITE,
            Dialect::V0 => v0::message::CHUNK,
        };
        self.send(channel, message, &[Value::Raw(bytes.into())]);
    }

    fn end(&mut self, channel: u64) {
        let message = match self.peer.dialect() {
            Dialect::V1 => v1::message::CLOSE,
            Dialect::V0 => v0::message::CHOKE,
        };
        self.send(channel, message, &[]);
    }

    fn fail(&mut self, channel: u64, code: u64, text: &str) {
        match self.peer.dialect() {
            Dialect::V1 => {
                let code = Value::array([42_u64, code]);
                self.send(channel, v1::message::ERROR, &[code, text.into()]);
            }
            Dialect::V0 => {
                self.send(channel, v0::message::ERROR, &[code.into(), text.into()]);
                self.end(channel);
            }
        }
    }

    fn send(&mut self, channel: u64, message: u32, args: &[Value]) {
        if self.peer.send(channel, message, args).is_err() {
            self.journal.note("disconnected");
            std::process::exit(1);
        }
    }
}

/// The script that an app runs: it keeps the arguments, and becomes this program.
pub(super) fn script(plan: &str, journal: &Path) -> String {
    let program: PathBuf = env::current_exe().expect("our own path");
    let ignore =
        if plan.split_whitespace().any(|word| word == "ignores-term") { "trap '' TERM\n" } else { "" };
    format!(
        "#!/bin/sh\n{ignore}IFS='{SEPARATOR}'\n{PLAN}='{plan}' {JOURNAL}='{}' {ARGUMENTS}=\"$*\" \\\n\
         exec '{}' --exact worker_entry --ignored --nocapture --test-threads=1\n",
        journal.display(),
        program.display(),
    )
}

//! Workers that served, and then stop to, one way or another.

use std::time::{Duration, Instant};

use cocaine_core::wire::{ErrorCode, codes};

use super::super::Binaries;
use super::super::client::Client;
use super::super::journal::eventually;
use super::super::process::{Watched, resident};
use super::super::stage::{SUBJECT, Stage};

const ONE_WORKER: &str = r#"{"pool-limit": 1, "heartbeat-timeout": 1.5, "kill-timeout": 0.3}"#;

/// A stage, a client with three open requests, and the worker that has them.
struct Trouble {
    stage: Stage,
    client: Client,
    held: Vec<u64>,
    worker: Watched,
    uuid: String,
}

impl Trouble {
    fn new(binaries: &Binaries, plan: &str) -> Self {
        let stage = Stage::new(binaries, plan, ONE_WORKER);
        let mut client = stage.client();
        let held: Vec<u64> = (0..3).map(|_| client.enqueue("hold")).collect();
        stage.subject().journal.nth_line("invoke hold", 3);
        let (pid, uuid) = stage.subject().worker(1);
        Self { stage, client, held, worker: Watched::new(pid), uuid }
    }

    /// Something happens in the worker; each of its requests fails once, with the reason and the worker's name.
    fn strikes(&mut self, event: &str, code: ErrorCode, reason: &str) {
        let cause = self.client.enqueue(event);
        for channel in self.held.clone().into_iter().chain([cause]) {
            let text = self.client.reply(channel).failed(code);
            assert!(text.contains(reason) && text.contains(&self.uuid), "{text}");
            self.client.nothing_on(channel);
        }
    }

    /// The worker's process is gone, another one serves, and nobody else noticed.
    fn is_over(&mut self) {
        self.worker.must_end();
        self.client.echoes("with another worker");
        assert_eq!(self.stage.subject().journal.count("start "), 2);
        self.stage.nobody_noticed();
    }

    fn crashes(&self) -> u64 {
        self.stage.node.figure(SUBJECT, &["pool", "total:crashed"])
    }
}

/// A worker that exits in the middle of its work.
pub fn a_worker_crashes(binaries: &Binaries) {
    for plan in ["serve", "serve v0"] {
        let mut trouble = Trouble::new(binaries, plan);
        // Whether the end of the connection or of the process is seen first is chance.
        trouble.strikes("crash", codes::CONTROL_IPC, "has ");
        trouble.is_over();
        assert_eq!(trouble.crashes(), 1);
        let logs = eventually("a crash log", || {
            Some(trouble.stage.node.crash_logs(SUBJECT)).filter(|logs| !logs.is_empty())
        });
        assert_eq!(logs.len(), 1, "{logs:?}");
    }
}

/// A worker that hangs, and ignores SIGTERM too, is killed when its heartbeat is missed.
pub fn a_worker_hangs(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve ignores-term");
    trouble.strikes("hang", codes::HEARTBEAT_TIMEOUT, "has missed its heartbeat");
    trouble.is_over();
    assert_eq!(trouble.crashes(), 1);
}

/// A worker that hangs up but lives on is killed, even if it ignores SIGTERM.
pub fn a_worker_disconnects(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve ignores-term");
    trouble.strikes("disconnect", codes::CONTROL_IPC, "has unexpectedly disconnected");
    trouble.is_over();
    assert_eq!(trouble.crashes(), 1);
}

/// A worker that suddenly talks nonsense.
pub fn an_active_worker_sends_garbage(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve");
    trouble.strikes("garbage", codes::CONTROL_IPC, "has broken the protocol");
    trouble.is_over();
}

/// An active worker that declares a frame of 2 GiB: nothing is reserved for it.
pub fn an_active_worker_declares_two_gibibytes(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve");
    trouble.strikes("huge", codes::CONTROL_IPC, "has broken the protocol");
    trouble.is_over();
    assert!(resident(trouble.stage.node.process.id()) < 256 * 1024 * 1024);
}

/// A chunk that is no chunk fails its own request; the worker and its other requests go on.
pub fn a_worker_sends_a_wrong_chunk(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve");
    let channel = trouble.client.enqueue("wrong");
    trouble.client.reply(channel).failed(codes::BAD_ARGUMENTS);
    trouble.stage.subject().journal.line("input-error ");
    trouble.client.echoes("with the same worker");
    assert!(trouble.worker.is_alive());
    assert_eq!(trouble.crashes(), 0);
    trouble.stage.nobody_noticed();
}

/// A worker says a normal goodbye and does not go: it is no crash, and it is helped out.
pub fn a_worker_terminates_itself_and_lingers(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve ignores-term");
    trouble.strikes("linger", codes::COMMITTED_SUICIDE, "goodbye");
    trouble.is_over();
    assert_eq!(trouble.crashes(), 0, "a normal goodbye is no failure");
}

/// One worker's failure that it reports itself does not disable the app.
pub fn a_worker_terminates_abnormally(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve");
    trouble.strikes("abnormal", codes::COMMITTED_SUICIDE, "goodbye");
    trouble.is_over();
    assert_eq!(trouble.crashes(), 1);
}

/// A worker's child goes with the worker.
pub fn a_worker_forks_a_child_and_dies(binaries: &Binaries) {
    let mut trouble = Trouble::new(binaries, "serve");
    let channel = trouble.client.enqueue("fork");
    assert_eq!(trouble.client.chunk(channel), "forked", "its last words arrive");
    let child: u32 = trouble.stage.subject().journal.line("child ").parse().expect("a process id");
    let child = Watched::new(child);
    trouble.client.reply(channel).failed(codes::CONTROL_IPC);
    child.must_end();
    for held in trouble.held.clone() {
        trouble.client.reply(held).failed(codes::CONTROL_IPC);
    }
    trouble.is_over();
}

/// A worker that writes megabytes to its standard error holds up nobody, not even itself.
pub fn a_worker_floods_its_output(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    client.echoes("before");
    let flooding: Vec<u64> = (0..3).map(|_| client.enqueue("flood")).collect();
    flooding.iter().for_each(|channel| client.close(*channel));
    stage.nobody_noticed();
    for channel in flooding {
        assert_eq!(client.reply(channel).text(), "flooded");
    }
    assert_eq!(stage.subject().journal.count("start "), 1);
    stage.nobody_noticed();
}

/// The first crash is replaced at once, the second after a second and its jitter.
pub fn crashes_of_active_workers_are_replaced(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", ONE_WORKER);
    let mut client = stage.client();
    let mut replaced_after = Vec::new();
    for number in 1..=2 {
        let channel = client.enqueue("crash");
        client.reply(channel).failed(codes::CONTROL_IPC);
        let began = Instant::now();
        Watched::new(stage.subject().worker(number).0).must_end();
        stage.nobody_noticed();
        client.echoes("with the next one");
        replaced_after.push(began.elapsed());
    }
    assert!(replaced_after[0] < Duration::from_millis(900), "{replaced_after:?}");
    assert!(replaced_after[1] > Duration::from_millis(900), "{replaced_after:?}");
    assert_eq!(stage.subject().journal.count("start "), 3);
}

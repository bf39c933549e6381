//! How many workers there are.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::backoff::Backoff;
use super::stop::Phase;
use super::workers::WorkerSide;
use super::{Engine, EngineConfig, balance};
use crate::config::Protocol;
use crate::machine::{Output, SpawnSpec, WorkerId};
use crate::rng::Rng;
use crate::time::{TimerReason, Timestamp};
use crate::worker::{Event, StopReason, Worker};

/// What the engine wants of its pool, beside the workers themselves.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    backoff: Backoff,
    rng: Rng,
    /// Wishes for a fixed size, the newest last.
    levers: Vec<(u64, i64)>,
    last_lever: u64,
    pub(super) spawned: u64,
    pub(super) crashed: u64,
    last_failure: Option<LastFailure>,
}

#[derive(Clone, Debug)]
struct LastFailure {
    text: String,
    output: String,
}

impl Pool {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let mut rng = Rng::from_seed(config.seed);
        Self {
            backoff: Backoff::new(rng.fork()),
            rng,
            levers: Vec::new(),
            last_lever: 0,
            spawned: 0,
            crashed: 0,
            last_failure: None,
        }
    }

    /// A name for a hold on the pool's size, distinct from those that commands use.
    pub(super) fn next_lever(&mut self) -> u64 {
        self.last_lever += 1;
        self.last_lever | OWN_LEVER
    }

    pub(super) fn worker_activated(&mut self, now: Timestamp) {
        self.backoff.activated(now);
        self.last_failure = None;
    }

    pub(super) fn worker_crashed(
        &mut self,
        now: Timestamp,
        was_active: bool,
        others_active: bool,
        text: String,
        output: String,
    ) {
        self.crashed += 1;
        self.backoff.failed(now, was_active, others_active);
        self.last_failure = Some(LastFailure { text, output });
    }

    /// Why requests are refused, if the app does nothing but crash.
    pub(super) fn refusal(&self) -> Option<String> {
        if !self.backoff.is_crash_looping() {
            return None;
        }
        let mut reason = String::from("the application keeps crashing at start");
        if let Some(failure) = &self.last_failure {
            reason += &format!(": {}", failure.text);
            if !failure.output.is_empty() {
                reason += &format!("; its last output: {}", failure.output);
            }
        }
        Some(reason)
    }

    /// Whether the app does nothing but crash.
    pub(super) fn is_crash_looping(&self) -> bool {
        self.backoff.is_crash_looping()
    }

    /// The size that somebody asked for, if any.
    fn manual(&self) -> Option<usize> {
        self.levers.last().and_then(|(_, workers)| usize::try_from(*workers).ok())
    }

    /// Whether a worker may be started now, as far as failures go.
    pub(super) fn may_spawn(&self, now: Timestamp) -> bool {
        self.backoff.may_spawn(now)
    }

    pub(super) fn next_timeout(&self, now: Timestamp) -> Option<(Timestamp, TimerReason)> {
        self.backoff.until(now).map(|at| (at, TimerReason::Backoff))
    }
}

/// Marks the levers that clients of the app's own service hold.
const OWN_LEVER: u64 = 1 << 63;

impl Engine {
    /// Sets the size that the holder of a lever wants; 0 or less is no wish.
    pub(super) fn pull_lever(&mut self, lever: u64, workers: i64) {
        self.pool.levers.retain(|(holder, _)| *holder != lever);
        if workers > 0 {
            self.pool.levers.push((lever, workers));
        }
    }

    pub(super) fn release_lever(&mut self, lever: u64) {
        self.pull_lever(lever, 0);
    }

    /// Brings requests and workers together until nothing changes any more.
    pub(super) fn settle(&mut self) {
        self.assign_parked();
        self.assign_queued();
        // Being published or not changes how many workers there should be, and their number whether it is.
        self.publish_or_not();
        if self.phase == Phase::Running {
            self.resize();
            self.publish_or_not();
        }
        self.go_on_stopping();
    }

    /// How many workers stay even without work.
    ///
    /// An app that is published from so many workers on must get there without a client's help; and an
    /// app that does nothing but crash gets no requests, so one start must be tried without any.
    pub(super) fn floor(&self) -> usize {
        let automatic = self.config.profile.floor(self.publication.is_published());
        let probe = usize::from(self.pool.is_crash_looping());
        self.pool.manual().unwrap_or(automatic.max(probe))
    }

    pub(super) fn active_workers(&self) -> usize {
        self.workers.values().filter(|side| side.worker.accepts_sessions()).count()
    }

    /// The unfinished sessions of all workers.
    pub(super) fn load(&self) -> usize {
        self.workers.values().map(|side| side.load).sum()
    }

    fn resize(&mut self) {
        let view = balance::PoolView {
            queued: self.queue.len(),
            load: self.load(),
            usable: self.workers.values().filter(|side| side.worker.is_usable()).count(),
            starting: self.workers.values().filter(|side| side.worker.is_starting()).count(),
            total: self.workers.len(),
        };
        let wish = balance::plan(&view, self.pool.manual(), self.floor(), &self.config.profile);
        match wish {
            balance::Plan::Keep => {}
            balance::Plan::Spawn(count) => self.spawn_some(count),
            balance::Plan::Shrink(count) => self.shrink(count),
        }
    }

    fn spawn_some(&mut self, count: usize) {
        for _ in 0..count {
            if !self.pool.may_spawn(self.now) {
                return;
            }
            let uuid = self.pool.rng.uuid();
            self.spawn(uuid);
        }
    }

    /// The workers as those who choose among them see them.
    pub(super) fn candidates(&self) -> impl Iterator<Item = balance::Candidate> {
        self.workers.iter().map(|(id, side)| balance::Candidate {
            worker: *id,
            load: side.load,
            accepts: side.worker.accepts_sessions(),
        })
    }

    /// Stops as many workers, least loaded first. Back-off never keeps us from it.
    fn shrink(&mut self, count: usize) {
        let victims: Vec<WorkerId> = balance::shrink(self.candidates(), count);
        let cap = self.config.profile.timeouts().seal;
        for worker in victims {
            self.step(worker, Event::Seal { why: StopReason::Shrink, cap });
        }
    }

    /// Starts a worker of this name.
    pub(super) fn spawn(&mut self, uuid: String) {
        let worker = self.out.next_worker();
        let profile = &self.config.profile;
        let machine = Worker::new(worker, uuid, self.now, profile.timeouts(), profile.crashlog_limit());
        let spec = self.spawn_spec(machine.uuid());
        self.workers.insert(worker, WorkerSide::new(machine, self.now));
        self.pool.spawned += 1;
        self.out.push(Output::Spawn { worker, spec: Box::new(spec) });
    }

    /// The command line that frameworks expect: flags in alphabetical order.
    fn spawn_spec(&self, uuid: &str) -> SpawnSpec {
        let config = &self.config;
        let mut arguments = Vec::new();
        let mut flag = |name: &str, value: String| arguments.extend([String::from(name), value]);
        flag("--app", config.app.to_string());
        flag("--endpoint", config.socket.clone());
        match config.manifest.protocol() {
            Protocol::V0 => flag("--locator", config.locators.first().cloned().unwrap_or_default()),
            Protocol::V1 => {
                flag("--locator", config.locators.join(","));
                flag("--protocol", "1".into());
            }
        }
        flag("--uuid", uuid.into());
        SpawnSpec {
            app: config.app.to_string(),
            executable: config.manifest.executable().into(),
            arguments,
            environment: config.manifest.environment().clone(),
            directory: config.directory.clone(),
            identity: config.profile.identity(),
            limits: config.profile.limits().clone(),
        }
    }
}

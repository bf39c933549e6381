//! What a seed decides before anything happens.

use std::fmt;
use std::time::Duration;

use cocaine_core::engine::{EngineConfig, EngineLimits};
use cocaine_core::rng::Rng;
use cocaine_core::wire::Value;

use super::dice::Dice;
use crate::scenario::config;

/// The options of one run: who there is, how much they bear, and what goes wrong. Rates are per thousand.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// How long faults last.
    pub storm: Duration,
    /// Clients on connections; the embedder, who opens streams, comes beside them.
    pub clients: usize,
    /// Requests that each of them makes.
    pub requests: usize,
    /// The pause between two requests of one client, at most.
    pub pause_ms: u64,
    /// The keys of the profile.
    pub profile: Vec<(&'static str, u64)>,
    /// The engine's bounds.
    pub limits: EngineLimits,
    /// Of workers: how many speak the older dialect.
    pub older: u32,
    /// Network: the longest delay.
    pub delay_ms: u64,
    /// Network: what one direction holds, in bytes.
    pub capacity: usize,
    /// Network: reads that bring one byte only.
    pub crumbs: u32,
    /// Network: directions that get clogged, each second.
    pub clogs: u32,
    /// Network: connections that are reset or half closed, each second.
    pub resets: u32,
    /// Processes: those that do not start well.
    pub misstarts: u32,
    /// Processes: those that meet an accident while they work.
    pub accidents: u32,
    /// Clients: steps that are no good behaviour.
    pub mischief: u32,
    /// Storage: operations that fail or are slow.
    pub storage: u32,
    /// Driver: timeouts that are late, and by how much at most.
    pub late: u32,
    /// See `late`.
    pub lateness_ms: u64,
    /// Driver: timeouts without reason, and completions after a close.
    pub spurious: u32,
}

impl Options {
    /// What this seed means.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(Rng::new(seed));
        // Most runs know some kinds of trouble only: what is everywhere hides the rest.
        let mut rate = |most: u64| match dice.within(0, 2) {
            0 => 0,
            1 => u32::try_from(dice.within(0, most / 5)).unwrap_or(0),
            _ => u32::try_from(dice.within(0, most)).unwrap_or(0),
        };
        let [older, crumbs, clogs, resets] = [1_000, 300, 2_000, 600].map(&mut rate);
        let [misstarts, accidents, mischief, storage] = [600, 800, 300, 800].map(&mut rate);
        let [late, spurious] = [600, 100].map(&mut rate);
        Self {
            seed,
            storm: Duration::from_secs(dice.within(5, 40)),
            clients: dice.size(1, 6),
            requests: dice.size(10, 60),
            pause_ms: dice.pick(&[1, 20, 200, 1_000]),
            profile: profile(&mut dice),
            limits: limits(&mut dice),
            delay_ms: dice.pick(&[0, 1, 10, 200]),
            capacity: dice.pick(&[300, 4_000, 200_000]),
            lateness_ms: dice.pick(&[0, 5, 300]),
            older,
            crumbs,
            clogs,
            resets,
            misstarts,
            accidents,
            mischief,
            storage,
            late,
            spurious,
        }
    }

    /// The engine of this run.
    ///
    /// # Panics
    ///
    /// The profile is not one.
    #[must_use]
    pub fn engine(&self) -> EngineConfig {
        let pairs = self.profile.iter().map(|(key, value)| (*key, *value));
        let mut config = config(Value::map(pairs), Value::map([("slave", "worker")]), self.limits);
        config.seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        config
    }
}

fn profile(dice: &mut Dice) -> Vec<(&'static str, u64)> {
    let pool = dice.within(1, 6);
    let mut profile = vec![
        ("pool-limit", pool),
        ("concurrency", dice.pick(&[1, 1, 2, 5, 10])),
        ("queue-limit", dice.pick(&[0, 1, 4, 20, 100])),
        ("startup-timeout", dice.within(1, 5)),
        ("heartbeat-timeout", dice.within(2, 8)),
        ("idle-timeout", dice.pick(&[0, 1, 3, 10])),
        ("request-timeout", dice.pick(&[1, 3, 10, 30])),
        ("seal-timeout", dice.within(0, 4)),
        ("stop-timeout", dice.within(0, 3)),
        ("terminate-timeout", dice.within(0, 3)),
        ("kill-timeout", dice.within(0, 2)),
        ("grow-threshold", dice.within(1, 4)),
        ("starting-limit", dice.within(1, 4)),
        ("crashlog-limit", dice.within(0, 5)),
    ];
    if dice.chance(300) {
        profile.push(("min-pool", dice.within(0, pool)));
    }
    profile
}

/// Half of the runs have bounds that are soon met.
fn limits(dice: &mut Dice) -> EngineLimits {
    let mut limits = EngineLimits::default();
    if dice.chance(500) {
        return limits;
    }
    limits.soft_bytes = dice.size(500, 20_000);
    limits.channel_bytes = limits.soft_bytes * dice.size(1, 5);
    limits.engine_bytes = limits.channel_bytes * dice.size(1, 6);
    limits.clients = dice.size(3, 10);
    limits.wire.frame_bytes = dice.pick(&[2_000, 100_000]);
    limits.wire.channels = dice.pick(&[2, 5, 100]);
    limits
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, storm, clients, requests, pause_ms, .. } = self;
        writeln!(f, "seed {seed}: {clients} clients × {requests} requests, {storm:?} of faults")?;
        write!(f, "  pauses ≤ {pause_ms} ms; profile")?;
        self.profile.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))?;
        let limits = &self.limits;
        write!(f, "\n  soft {} channel {} engine", limits.soft_bytes, limits.channel_bytes)?;
        write!(f, " {} bytes, {} clients,", limits.engine_bytes, limits.clients)?;
        writeln!(f, " frames of {}, {} channels", limits.wire.frame_bytes, limits.wire.channels)?;
        write!(f, "  ‰ older {} crumbs {}", self.older, self.crumbs)?;
        write!(f, " clogs {} resets {} misstarts {}", self.clogs, self.resets, self.misstarts)?;
        write!(f, " accidents {} mischief {} storage {}", self.accidents, self.mischief, self.storage)?;
        write!(f, " late {} (≤ {} ms) spurious {}", self.late, self.lateness_ms, self.spurious)?;
        write!(f, "; delay ≤ {} ms, capacity {}", self.delay_ms, self.capacity)
    }
}

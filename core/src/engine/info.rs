//! What an app reports about itself.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::stop::Phase;
use super::workers::WorkerSide;
use super::{Engine, Role};
use crate::machine::WorkerId;
use crate::wire::Value;

/// Flags of `node.info`.
pub mod flags {
    /// Requests, queue, pool, rates, timings.
    pub const REPORT: u32 = 1;
    /// The manifest, with [`REPORT`].
    pub const MANIFEST: u32 = 2;
    /// The profile's content, with [`REPORT`].
    pub const PROFILE: u32 = 4;
}

impl Engine {
    /// The report, in the layout of the original: the keys of the newer generation, then those that only the
    /// older one has. `flags` says which parts.
    pub(super) fn report(&self, flags: u32) -> Value {
        let mut report = Vec::new();
        let mut put = |key: &str, value: Value| report.push((Value::from(key), value));
        put("uptime", self.now.since(self.started).as_secs().into());
        put("state", self.state_name().into());
        if let Some(reason) = self.pool.refusal() {
            put("cause", reason.into());
        }
        put("published", self.publication.is_published().into());
        // The original's spelling, which tools may look for.
        put("publushed", self.publication.is_published().into());
        if flags & flags::REPORT == 0 {
            return Value::Map(report);
        }
        if flags & flags::MANIFEST != 0 {
            put("manifest", self.config.manifest.to_value());
        }
        put("profile", self.profile_value(flags));
        put("requests", self.requests_value());
        put("queue", self.queue_value());
        put("rate", Value::array(self.stats.rates(self.now)));
        put("rate_mean", self.stats.rate_mean(self.now).into());
        put("timings", Value::map(self.stats.timings()));
        put("timings_reversed", Value::map(self.stats.timings_reversed()));
        put("load", count(self.load()));
        put("pool", self.pool_value(flags));
        self.older_keys(&mut put);
        Value::Map(report)
    }

    fn state_name(&self) -> &'static str {
        match self.phase {
            Phase::Starting | Phase::Running if self.pool.is_crash_looping() => "crash-looping",
            Phase::Starting | Phase::Running => "running",
            Phase::Stopping(_) | Phase::Flushing { .. } => "stopping",
            Phase::Over => "stopped",
        }
    }

    fn profile_value(&self, flags: u32) -> Value {
        let mut profile = Vec::from([(Value::from("name"), Value::from(self.config.profile_name.as_str()))]);
        if flags & flags::PROFILE != 0 {
            profile.push(("data".into(), self.config.profile.to_value()));
        }
        Value::Map(profile)
    }

    fn requests_value(&self) -> Value {
        Value::map([
            ("accepted", self.stats.accepted_total()),
            ("rejected", self.stats.rejected_total()),
            ("ignored_frames", self.stats.ignored_total()),
        ])
    }

    fn queue_value(&self) -> Value {
        let queued = self.queue.iter().chain(self.parked.iter()).filter_map(|key| self.requests.get(key));
        let waiting = queued.filter(|request| request.assigned().is_none());
        let oldest = waiting.map(|request| request.created).min();
        Value::map([
            ("capacity", count(self.config.profile.queue_capacity())),
            ("depth", count(self.queue_depth())),
            ("depth_average", self.stats.queue_average(self.now).into()),
            ("oldest_event_age", oldest.map_or(0, |at| millis(self.now.since(at))).into()),
        ])
    }

    fn pool_value(&self, flags: u32) -> Value {
        let busy =
            self.workers.values().filter(|side| side.worker.accepts_sessions() && side.load > 0).count();
        let slaves =
            self.workers.iter().map(|(id, side)| (side.worker.uuid(), self.worker_value(*id, side, flags)));
        Value::map([
            ("active", count(busy)),
            ("idle", count(self.active_workers() - busy)),
            ("capacity", count(self.config.profile.pool_limit())),
            ("total:spawned", self.pool.spawned.into()),
            ("total:crashed", self.pool.crashed.into()),
            ("slaves", Value::map(slaves)),
        ])
    }

    fn worker_value(&self, id: WorkerId, side: &WorkerSide, flags: u32) -> Value {
        let requests = || side.channels.iter().filter_map(|(_, key)| self.requests.get(key));
        let oldest = requests().map(|request| request.created).min();
        let waiting = side.session.and_then(|(conn, _)| self.conns.get(conn)).map_or(0, |entry| {
            debug_assert!(matches!(entry.role, Role::Worker(worker) if worker == id));
            entry.link.queued()
        });
        Value::map([
            ("accepted", Value::from(side.accepted)),
            ("load:tx", count(requests().filter(|request| request.input_open()).count())),
            ("load:rx", count(requests().filter(|request| request.answering).count())),
            ("load:total", count(side.load)),
            ("state", side.worker.state_name().into()),
            ("uptime", side.worker.uptime(self.now).as_secs().into()),
            ("pid", side.worker.pid().map_or(Value::Nil, |pid| u64::from(pid).into())),
            ("queued_bytes", count(waiting)),
            ("profile", self.profile_value(flags)),
            ("oldest_channel_age", oldest.map_or(0, |at| millis(self.now.since(at))).into()),
        ])
    }

    /// What only the older generation's report has.
    fn older_keys(&self, put: &mut impl FnMut(&str, Value)) {
        let mut loads: Vec<usize> = self.workers.values().map(|side| side.load).collect();
        loads.sort_unstable();
        put("load-median", count(loads.get(loads.len() / 2).copied().unwrap_or(0)));
        put("sessions", Value::map([("pending", count(self.load()))]));
        let busy = self.workers.values().filter(|side| side.load > 0).count();
        put(
            "slaves",
            Value::map([
                ("active", count(busy)),
                ("capacity", count(self.config.profile.pool_limit())),
                ("idle", count(self.workers.len() - busy)),
            ]),
        );
        put("app", self.config.app.to_string().into());
    }
}

fn count(number: usize) -> Value {
    Value::Uint(number as u64)
}

fn millis(duration: core::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

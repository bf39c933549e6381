//! The profile: how an app runs on this node.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::complaint::{Checked, Complaint};
use super::isolate::Isolate;
use super::section::Section;
use super::timeouts::Timeouts;
use crate::machine::Document;
use crate::wire::Value;

/// How an app runs. Every key of both generations is understood; all have defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    log_output: bool,
    timeouts: Timeouts,
    concurrency: usize,
    pool_limit: usize,
    min_pool: usize,
    starting_limit: usize,
    queue: QueueMode,
    growth: Growth,
    grow_threshold: usize,
    crashlog_limit: usize,
    publish_on: usize,
    unpublish_under: usize,
    isolate: Isolate,
}

/// The most lines of output that are kept of one worker.
pub const CRASHLOG_LIMIT: usize = 10_000;

/// The bound of a queue that its profile calls unlimited, in requests.
pub const OPEN_QUEUE_LIMIT: usize = 100_000;

/// How many requests may wait for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueMode {
    /// So many, at least 1. `queue-limit: 0` with `queue-limit-zero: unlimited`, the older
    /// generation's meaning, is [`OPEN_QUEUE_LIMIT`]: nothing here is without a bound.
    Bounded(usize),
    /// `queue-limit: 0`: as many as the pool at its full size could run at once, beside those that
    /// run already. Whatever is accepted can run as soon as the pool has grown.
    Vacancy,
}

/// The formula by which the pool grows. In [`QueueMode::Vacancy`] it is always as many workers as it
/// takes to run all that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// One worker per `grow-threshold` waiting requests, and none as long as no more than that wait
    /// per worker. The older generation's, and the default.
    Threshold,
    /// One worker per `grow-threshold` waiting requests. The newer generation's.
    Demand,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            log_output: false,
            timeouts: Timeouts::default(),
            concurrency: 10,
            pool_limit: 10,
            min_pool: 0,
            starting_limit: 4,
            queue: QueueMode::Bounded(100),
            growth: Growth::Threshold,
            grow_threshold: 5,
            crashlog_limit: 50,
            publish_on: 0,
            unpublish_under: 0,
            isolate: Isolate::default(),
        }
    }
}

/// Reading.
impl Profile {
    /// Checks a document.
    ///
    /// # Errors
    /// The first thing that is wrong, naming key, value and rule.
    pub fn read(document: &Document) -> Result<Checked<Self>, Complaint> {
        let default = Self::default();
        let mut section = Section::root(document)?;
        let (isolate, kill) = Isolate::read(&mut section)?;
        let pool_limit = section.size("pool-limit", 1)?.unwrap_or(default.pool_limit);
        let (queue, queue_limit) = queue(&mut section)?;
        // By default the pool has its full size when the queue is half full.
        let half_full = (queue_limit / pool_limit / 2).max(1);
        let publish_on = within_pool(&mut section, "publish-on", pool_limit)?;
        let profile = Self {
            log_output: section.flag("log-output")?.unwrap_or(default.log_output),
            timeouts: Timeouts::read(&mut section, kill)?,
            concurrency: section.size("concurrency", 1)?.unwrap_or(default.concurrency),
            pool_limit,
            min_pool: within_pool(&mut section, "min-pool", pool_limit)?,
            starting_limit: section.size("starting-limit", 1)?.unwrap_or(default.starting_limit),
            queue,
            growth: growth(&mut section)?,
            grow_threshold: section.size("grow-threshold", 1)?.unwrap_or(half_full),
            crashlog_limit: crashlog_limit(&mut section, default.crashlog_limit)?,
            publish_on,
            unpublish_under: unpublish_under(&mut section, publish_on)?,
            isolate,
        };
        Ok(Checked { value: profile, warnings: section.finish() })
    }

    /// The profile as a value, with every key that counts, defaults included.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let number = |number: usize| Value::Uint(u64::try_from(number).unwrap_or(u64::MAX));
        let growth = if self.growth == Growth::Demand { "demand" } else { "threshold" };
        let mut entries = vec![
            ("log-output".into(), Value::Bool(self.log_output)),
            ("concurrency".into(), number(self.concurrency)),
            ("pool-limit".into(), number(self.pool_limit)),
            ("min-pool".into(), number(self.min_pool)),
            ("starting-limit".into(), number(self.starting_limit)),
            ("queue-limit".into(), number(self.queue_capacity())),
            ("growth".into(), growth.into()),
            ("grow-threshold".into(), number(self.grow_threshold)),
            ("crashlog-limit".into(), number(self.crashlog_limit)),
            ("publish-on".into(), number(self.publish_on)),
            ("unpublish-under".into(), number(self.unpublish_under)),
            ("isolate".into(), self.isolate.to_value()),
        ];
        entries.extend(self.timeouts.to_entries());
        Value::Map(entries)
    }
}

fn within_pool<'a>(section: &mut Section<'a>, key: &'a str, pool_limit: usize) -> Result<usize, Complaint> {
    let number = section.size(key, 0)?.unwrap_or(0);
    if number > pool_limit {
        let rule = format!("is {number}: must be at most pool-limit, which is {pool_limit}");
        return Err(section.about(key, rule));
    }
    Ok(number)
}

fn unpublish_under(section: &mut Section<'_>, publish_on: usize) -> Result<usize, Complaint> {
    let under = section.size("unpublish-under", 0)?.unwrap_or(0);
    if under > publish_on {
        let rule = format!("is {under}: must be at most publish-on, which is {publish_on}");
        return Err(section.about("unpublish-under", rule));
    }
    Ok(under)
}

/// The mode, and the number that the profile has.
fn queue(section: &mut Section<'_>) -> Result<(QueueMode, usize), Complaint> {
    let words = [("vacancy", QueueMode::Vacancy), ("unlimited", QueueMode::Bounded(OPEN_QUEUE_LIMIT))];
    let zero = section.word("queue-limit-zero", &words)?.unwrap_or(QueueMode::Vacancy);
    match section.size("queue-limit", 0)? {
        None => Ok((QueueMode::Bounded(100), 100)),
        Some(0) => Ok((zero, 0)),
        Some(limit) => Ok((QueueMode::Bounded(limit), limit)),
    }
}

fn growth(section: &mut Section<'_>) -> Result<Growth, Complaint> {
    let words = [("threshold", Growth::Threshold), ("demand", Growth::Demand)];
    Ok(section.word("growth", &words)?.unwrap_or(Growth::Threshold))
}

fn crashlog_limit(section: &mut Section<'_>, default: usize) -> Result<usize, Complaint> {
    let lines = section.size("crashlog-limit", 0)?.unwrap_or(default);
    if lines > CRASHLOG_LIMIT {
        section.warn("crashlog-limit", format!("is {lines}: only {CRASHLOG_LIMIT} lines are kept"));
    }
    Ok(lines.min(CRASHLOG_LIMIT))
}

/// What it says.
impl Profile {
    /// Key `log-output` (false): copy the workers' output to the log.
    #[must_use]
    pub const fn log_output(&self) -> bool {
        self.log_output
    }

    /// The time limits.
    #[must_use]
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Key `concurrency` (10): the most sessions of one worker. At least 1.
    #[must_use]
    pub const fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Key `pool-limit` (10): the most workers, in whatever state. At least 1.
    #[must_use]
    pub const fn pool_limit(&self) -> usize {
        self.pool_limit
    }

    /// Key `min-pool` (0): idle workers are stopped down to this number, and started up to it. At
    /// most `pool-limit`.
    #[must_use]
    pub const fn min_pool(&self) -> usize {
        self.min_pool
    }

    /// Key `starting-limit` (4): the most workers that start at the same time. At least 1.
    #[must_use]
    pub const fn starting_limit(&self) -> usize {
        self.starting_limit
    }

    /// Keys `queue-limit` (100) and `queue-limit-zero` (`vacancy`, or `unlimited`).
    #[must_use]
    pub const fn queue_mode(&self) -> QueueMode {
        self.queue
    }

    /// The queue's bound as reports give it: 0 in vacancy mode.
    #[must_use]
    pub const fn queue_capacity(&self) -> usize {
        match self.queue {
            QueueMode::Bounded(limit) => limit,
            QueueMode::Vacancy => 0,
        }
    }

    /// How many requests may wait while `load` sessions run.
    #[must_use]
    pub const fn queue_room(&self, load: usize) -> usize {
        match self.queue {
            QueueMode::Bounded(limit) => limit,
            QueueMode::Vacancy => self.pool_limit.saturating_mul(self.concurrency).saturating_sub(load),
        }
    }

    /// Key `growth` (`threshold`, or `demand`): the formula by which the pool grows.
    #[must_use]
    pub const fn growth(&self) -> Growth {
        self.growth
    }

    /// Key `grow-threshold` (`queue-limit / pool-limit / 2`, at least 1): waiting requests per worker.
    #[must_use]
    pub const fn grow_threshold(&self) -> usize {
        self.grow_threshold
    }

    /// Key `crashlog-limit` (50): lines of output kept of each worker. At most [`CRASHLOG_LIMIT`].
    #[must_use]
    pub const fn crashlog_limit(&self) -> usize {
        self.crashlog_limit
    }

    /// Key `publish-on` (0): active workers needed to be offered to clients. At most `pool-limit`.
    #[must_use]
    pub const fn publish_on(&self) -> usize {
        self.publish_on
    }

    /// Key `unpublish-under` (0): active workers needed to stay offered. At most `publish-on`.
    #[must_use]
    pub const fn unpublish_under(&self) -> usize {
        self.unpublish_under
    }

    /// How many workers there should be without any request: what it takes to get, or to stay,
    /// published, and at least `min-pool`. Never above `pool-limit`.
    #[must_use]
    pub fn floor(&self, published: bool) -> usize {
        let needed = if published { self.unpublish_under } else { self.publish_on };
        self.min_pool.max(needed)
    }

    /// Key `isolate.args.spool`: where the app's code is unpacked; `None` for the daemon's own place.
    #[must_use]
    pub fn spool(&self) -> Option<&str> {
        self.isolate.spool.as_deref()
    }

    /// Keys `isolate.args.uid` and `gid`: whom workers run as, if not as the daemon.
    #[must_use]
    pub const fn identity(&self) -> Option<(u32, u32)> {
        self.isolate.identity
    }

    /// Key `isolate.args.rlimits`: resource limits by name, soft and hard;
    /// [`UNLIMITED`](super::UNLIMITED) is none.
    #[must_use]
    pub const fn limits(&self) -> &BTreeMap<String, (u64, u64)> {
        &self.isolate.limits
    }
}

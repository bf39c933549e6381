//! What an app counts for its report. Memory is bounded, and no sample allocates.

mod depth;
mod meter;
mod timings;

use core::time::Duration;

use crate::time::Timestamp;
use depth::Depth;
use meter::Meter;
use timings::Timings;

/// Counters and averages of one app.
#[derive(Clone, Debug)]
pub struct Stats {
    accepted: u64,
    rejected: u64,
    ignored: u64,
    meter: Meter,
    depth: Depth,
    timings: Timings,
}

impl Stats {
    /// Nothing so far.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            accepted: 0,
            rejected: 0,
            ignored: 0,
            meter: Meter::new(now),
            depth: Depth::new(now),
            timings: Timings::new(now),
        }
    }

    /// A request was accepted.
    pub fn accepted(&mut self, now: Timestamp) {
        self.accepted += 1;
        self.meter.mark(now);
    }

    /// A request was refused.
    pub const fn rejected(&mut self, _now: Timestamp) {
        self.rejected += 1;
    }

    /// A frame came that belongs to nothing.
    pub const fn ignored(&mut self) {
        self.ignored += 1;
    }

    /// So many requests wait from now on.
    pub fn queue_depth(&mut self, now: Timestamp, depth: usize) {
        self.depth.set(now, depth);
    }

    /// A request was answered, so long after it came.
    pub fn answered(&mut self, now: Timestamp, took: Duration) {
        self.timings.record(now, took);
    }

    /// Requests accepted so far.
    #[must_use]
    pub const fn accepted_total(&self) -> u64 {
        self.accepted
    }

    /// Requests refused so far.
    #[must_use]
    pub const fn rejected_total(&self) -> u64 {
        self.rejected
    }

    /// Frames ignored so far.
    #[must_use]
    pub const fn ignored_total(&self) -> u64 {
        self.ignored
    }

    /// Requests accepted per second, averaged over 1, 5 and 15 minutes, the recent ones counting more.
    #[must_use]
    pub fn rates(&self, now: Timestamp) -> [f64; 3] {
        self.meter.rates(now)
    }

    /// Requests accepted per second since the start.
    #[must_use]
    pub fn rate_mean(&self, now: Timestamp) -> f64 {
        self.meter.mean(now)
    }

    /// The mean number of waiting requests over the last 2 s, rounded up to 3 digits.
    #[must_use]
    pub fn queue_average(&self, now: Timestamp) -> f64 {
        self.depth.average(now)
    }

    /// How long requests took, in milliseconds: the name of a share, and what that share of all
    /// requests did not exceed.
    #[must_use]
    pub fn timings(&self) -> [(&'static str, f64); 7] {
        self.timings.quantiles()
    }

    /// The other way round: the name of a time, and the percentage of requests that took no longer.
    #[must_use]
    pub fn timings_reversed(&self) -> [(&'static str, f64); 9] {
        self.timings.reversed()
    }
}

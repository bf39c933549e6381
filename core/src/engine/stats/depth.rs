//! The mean length of a queue over the last moments.

use crate::time::Timestamp;

/// How finely the window moves, in microseconds.
const SLICE: u64 = 100_000;

/// Slices in the window: 2 s.
const SLICES: usize = 20;

/// A mean weighted by time. The window is as long as [`SLICES`] whole slices and the one that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Depth {
    start: Timestamp,
    last: Timestamp,
    depth: u64,
    /// The whole slices, each with length times microseconds, as a ring by slice number.
    slices: [u64; SLICES],
    current: u64,
}

impl Depth {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { start: now, last: now, depth: 0, slices: [0; SLICES], current: 0 }
    }

    /// The queue has this length from now on.
    pub(super) fn set(&mut self, now: Timestamp, depth: usize) {
        self.advance(now);
        self.depth = u64::try_from(depth).unwrap_or(u64::MAX);
    }

    /// The mean, rounded up to thousandths.
    pub(super) fn average(&self, now: Timestamp) -> f64 {
        let mut copy = self.clone();
        copy.advance(now);
        let lived = copy.number(copy.last);
        let whole = lived.min(SLICES as u64) * SLICE;
        let micros = whole + copy.last.since(copy.start).as_micros() as u64 % SLICE;
        if micros == 0 {
            return super::meter::float(copy.depth);
        }
        let sum = copy.slices.iter().fold(copy.current, |sum, slice| sum.saturating_add(*slice));
        super::meter::float(sum.saturating_mul(1_000).div_ceil(micros)) / 1_000.0
    }

    /// The number of the slice that a moment is in.
    fn number(&self, at: Timestamp) -> u64 {
        at.as_micros().saturating_sub(self.start.as_micros()) / SLICE
    }

    fn advance(&mut self, now: Timestamp) {
        let (from, to) = (self.number(self.last), self.number(now));
        if from < to {
            self.finish(from);
            let full = self.depth.saturating_mul(SLICE);
            // After a long time each slice of the ring is as full as the other.
            for number in from.saturating_add(1).max(to.saturating_sub(SLICES as u64))..to {
                self.put(number, full);
            }
            self.last = self.start + core::time::Duration::from_micros(to.saturating_mul(SLICE));
        }
        let part = u64::try_from(now.since(self.last).as_micros()).unwrap_or(u64::MAX);
        self.current = self.current.saturating_add(self.depth.saturating_mul(part));
        self.last = self.last.max(now);
    }

    /// Ends the slice that has begun.
    fn finish(&mut self, number: u64) {
        let end = self.start.as_micros().saturating_add(number.saturating_add(1).saturating_mul(SLICE));
        let rest = end.saturating_sub(self.last.as_micros());
        let sum = self.current.saturating_add(self.depth.saturating_mul(rest));
        self.put(number, sum);
        self.current = 0;
    }

    fn put(&mut self, number: u64, sum: u64) {
        let index = usize::try_from(number % SLICES as u64).unwrap_or(0);
        if let Some(slice) = self.slices.get_mut(index) {
            *slice = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Timestamp {
        Timestamp::from_millis(5_000 + n)
    }

    #[test]
    fn a_steady_queue_is_its_own_mean() {
        let mut depth = Depth::new(millis(0));
        depth.set(millis(0), 7);
        for at in [0, 1, 99, 100, 101, 1_999, 2_000, 2_050, 100_000_000] {
            assert!((depth.average(millis(at)) - 7.0).abs() < 1e-9, "{at}: {}", depth.average(millis(at)));
        }
    }

    #[test]
    fn half_the_time_twice_as_long_is_the_same_mean() {
        let mut depth = Depth::new(millis(0));
        for n in 0..100 {
            depth.set(millis(n * 50), if n % 2 == 0 { 4 } else { 0 });
        }
        assert!((depth.average(millis(5_000)) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut depth = Depth::new(millis(0));
        depth.set(millis(0), 1_000);
        depth.set(millis(1_000), 0);
        assert!((depth.average(millis(2_000)) - 500.0).abs() < 1e-9);
        assert!((depth.average(millis(2_900)) - 50.0).abs() < 1e-9);
        assert!(depth.average(millis(3_000)).abs() < 1e-9);
    }

    #[test]
    fn it_is_rounded_up_to_thousandths() {
        let mut depth = Depth::new(millis(0));
        depth.set(millis(0), 1);
        depth.set(millis(1), 0);
        // One of 2000 milliseconds: 0.0005.
        assert!((depth.average(millis(2_000)) - 0.001).abs() < 1e-9);
        assert!(depth.average(millis(2_100)).abs() < 1e-9);
    }

    #[test]
    fn time_that_stands_still_or_never_ends_is_harmless() {
        let mut depth = Depth::new(Timestamp::ZERO);
        depth.set(Timestamp::ZERO, usize::MAX);
        depth.set(Timestamp::NEVER, 3);
        assert!(depth.average(Timestamp::NEVER) >= 0.0);
        assert!(depth.average(Timestamp::ZERO) >= 0.0);
    }
}

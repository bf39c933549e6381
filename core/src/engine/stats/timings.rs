//! How long requests took: shares and times, from counters only.

use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::meter::float;
use crate::time::Timestamp;

/// How long one half of the memory lasts. What is reported is between one and two of these old.
const HALF: Duration = Duration::from_secs(300);

/// Each power of two has so many counters: a time is known to within a sixty-fourth of itself.
const STEPS: u64 = 32;

/// Longest time that is told from longer ones: 2³⁷ µs, a day and a half.
const LONGEST_BITS: u64 = 37;

/// Times below twice the steps have a counter of their own for each microsecond.
const COUNTERS: u64 = 2 * STEPS + (LONGEST_BITS - STEPS.ilog2() as u64 - 1) * STEPS;

/// The shares that are reported, in hundredths of a percent.
const SHARES: [(&str, u64); 7] = [
    ("50.00%", 5_000),
    ("75.00%", 7_500),
    ("90.00%", 9_000),
    ("95.00%", 9_500),
    ("98.00%", 9_800),
    ("99.00%", 9_900),
    ("99.95%", 9_995),
];

/// The times that are reported, in microseconds.
const TIMES: [(&str, u64); 9] = [
    ("1ms", 1_000),
    ("2ms", 2_000),
    ("5ms", 5_000),
    ("10ms", 10_000),
    ("20ms", 20_000),
    ("50ms", 50_000),
    ("100ms", 100_000),
    ("500ms", 500_000),
    ("1000ms", 1_000_000),
];

/// Two halves of memory, the older one forgotten as a whole when the younger is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Timings {
    young: Half,
    old: Half,
    since: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Half {
    counters: Vec<u32>,
    /// How many took no longer than each of [`TIMES`], and longer than the one before.
    within: [u32; TIMES.len()],
    total: u32,
}

impl Half {
    fn new() -> Self {
        let counters = vec![0; usize::try_from(COUNTERS).unwrap_or(0)];
        Self { counters, within: [0; TIMES.len()], total: 0 }
    }

    fn clear(&mut self) {
        self.counters.fill(0);
        self.within = [0; TIMES.len()];
        self.total = 0;
    }
}

impl Timings {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { young: Half::new(), old: Half::new(), since: now }
    }

    /// One request.
    pub(super) fn record(&mut self, now: Timestamp, took: Duration) {
        self.age(now);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let half = &mut self.young;
        half.total = half.total.saturating_add(1);
        if let Some(counter) = half.counters.get_mut(counter(micros)) {
            *counter = counter.saturating_add(1);
        }
        let within = TIMES.iter().position(|(_, time)| micros <= *time);
        if let Some(counter) = within.and_then(|index| half.within.get_mut(index)) {
            *counter = counter.saturating_add(1);
        }
    }

    fn age(&mut self, now: Timestamp) {
        let age = now.since(self.since);
        if age < HALF {
            return;
        }
        mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        if age >= HALF * 2 {
            self.old.clear();
        }
        self.since = now;
    }

    fn total(&self) -> u64 {
        u64::from(self.young.total) + u64::from(self.old.total)
    }

    /// Milliseconds for each of [`SHARES`]; 0 as long as there is nothing to report.
    pub(super) fn quantiles(&self) -> [(&'static str, f64); SHARES.len()] {
        SHARES.map(|(name, share)| (name, self.quantile(share)))
    }

    fn quantile(&self, share: u64) -> f64 {
        let rank = (self.total() * share).div_ceil(10_000).max(1);
        let both = self.young.counters.iter().zip(&self.old.counters);
        let mut seen = 0;
        for (index, (young, old)) in (0_u64..).zip(both) {
            seen += u64::from(*young) + u64::from(*old);
            if seen >= rank {
                return middle(index) / 1_000.0;
            }
        }
        0.0
    }

    /// Percentages for each of [`TIMES`], cut to 2 digits; 0 as long as there is nothing to report.
    pub(super) fn reversed(&self) -> [(&'static str, f64); TIMES.len()] {
        let mut seen = 0;
        let mut result = TIMES.map(|(name, _)| (name, 0.0));
        let both = self.young.within.iter().zip(&self.old.within);
        for ((_, percent), (young, old)) in result.iter_mut().zip(both) {
            seen += u64::from(*young) + u64::from(*old);
            *percent = float((seen * 10_000).checked_div(self.total()).unwrap_or(0)) / 100.0;
        }
        result
    }
}

/// The counter of a time: by its highest bit, and by the five bits after it.
fn counter(micros: u64) -> usize {
    let micros = micros.min((1 << LONGEST_BITS) - 1);
    let index = match micros.checked_ilog2() {
        Some(bits) if u64::from(bits) > u64::from(STEPS.ilog2()) => {
            let shift = u64::from(bits - STEPS.ilog2());
            shift * STEPS + (micros >> shift)
        }
        _ => micros,
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The middle of the times that a counter counts, in microseconds.
fn middle(index: u64) -> f64 {
    if index < 2 * STEPS {
        return float(index);
    }
    let shift = index / STEPS - 1;
    let low = (index - shift * STEPS) << shift;
    float(low) + float((1 << shift) - 1) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_secs(1_000);

    fn recorded(micros: impl Iterator<Item = u64>) -> Timings {
        let mut timings = Timings::new(T0);
        micros.for_each(|micros| timings.record(T0, Duration::from_micros(micros)));
        timings
    }

    #[test]
    fn every_time_has_a_counter_whose_middle_is_near() {
        let edges = (0..37).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for micros in (0..5_000).chain(edges) {
            let index = counter(micros) as u64;
            assert!(index < COUNTERS, "{micros}");
            let error = (middle(index) - micros as f64).abs();
            assert!(error <= micros as f64 / 64.0, "{micros}: {error}");
            let next = counter(micros + 1) as u64;
            assert!(next == index || next == index + 1, "{micros}");
        }
        assert_eq!(counter(u64::MAX) as u64, COUNTERS - 1);
    }

    #[test]
    fn quantiles_of_an_even_spread() {
        let timings = recorded(1..=100_000);
        for (name, millis) in timings.quantiles() {
            let share: f64 = name.trim_end_matches('%').parse().unwrap();
            assert!((millis - share).abs() <= share / 64.0, "{name}: {millis}");
        }
    }

    #[test]
    fn a_single_request_is_every_quantile() {
        let timings = recorded([3_000].into_iter());
        assert!(timings.quantiles().iter().all(|(_, millis)| (millis - 3.0).abs() < 0.05));
    }

    #[test]
    fn shares_of_times_are_exact_at_their_edges() {
        let timings = recorded([1_000, 1_001, 2_000, 1_000_000, 1_000_001].into_iter());
        let percents = timings.reversed().map(|(_, percent)| percent);
        let expected = [20.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 80.0];
        assert!(percents.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{percents:?}");
    }

    #[test]
    fn nothing_recorded_is_zero_everywhere() {
        let timings = recorded(core::iter::empty());
        assert!(timings.quantiles().iter().all(|(_, millis)| *millis == 0.0));
        assert!(timings.reversed().iter().all(|(_, percent)| *percent == 0.0));
    }

    #[test]
    fn old_requests_are_forgotten_between_one_and_two_halves() {
        let mut timings = recorded([1_000].into_iter());
        timings.record(T0 + HALF, Duration::from_secs(1));
        assert_eq!(timings.total(), 2);
        timings.record(T0 + HALF * 2, Duration::from_secs(1));
        assert_eq!(timings.total(), 2);
        assert_eq!(timings.reversed()[0].1, 0.0);
        timings.record(T0 + HALF * 9, Duration::from_secs(1));
        assert_eq!(timings.total(), 1);
    }

    #[test]
    fn a_sample_allocates_nothing() {
        let mut timings = recorded(0..10);
        let capacity = timings.young.counters.capacity() + timings.old.counters.capacity();
        (0..10_000).for_each(|n| timings.record(T0 + HALF * n, Duration::from_micros(u64::from(n))));
        assert_eq!(timings.young.counters.capacity() + timings.old.counters.capacity(), capacity);
    }
}

//! Events per second, averaged.

use core::time::Duration;

use crate::time::Timestamp;

/// How often the averages move.
const TICK: Duration = Duration::from_secs(5);

/// What an average keeps of itself in one tick: e^(−tick ÷ window) for 1, 5 and 15 minutes.
const KEEP: [f64; 3] = [0.920_044_414_629_323_3, 0.983_471_453_821_617_5, 0.994_459_848_004_896_7];

/// Exponentially weighted averages of a rate, the way load averages are made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Meter {
    start: Timestamp,
    /// When the current tick began.
    tick: Timestamp,
    in_tick: u64,
    total: u64,
    rates: Option<[f64; 3]>,
}

impl Meter {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { start: now, tick: now, in_tick: 0, total: 0, rates: None }
    }

    /// One event.
    pub(super) fn mark(&mut self, now: Timestamp) {
        self.advance(now);
        self.in_tick += 1;
        self.total += 1;
    }

    pub(super) fn rates(&self, now: Timestamp) -> [f64; 3] {
        let mut meter = self.clone();
        meter.advance(now);
        meter.rates.unwrap_or([meter.mean(now); 3])
    }

    /// Events per second since the start.
    pub(super) fn mean(&self, now: Timestamp) -> f64 {
        let seconds = now.since(self.start).as_secs_f64();
        if seconds > 0.0 { float(self.total) / seconds } else { 0.0 }
    }

    /// Finishes the ticks that have passed: the current one with its events, the rest without.
    fn advance(&mut self, now: Timestamp) {
        let ticks = now.since(self.tick).as_micros() / TICK.as_micros();
        let Ok(ticks) = u64::try_from(ticks) else { return };
        if ticks == 0 {
            return;
        }
        let rate = float(self.in_tick) / TICK.as_secs_f64();
        let before = self.rates.unwrap_or([rate; 3]);
        let mut rates = before;
        for (average, keep) in rates.iter_mut().zip(KEEP) {
            *average = (rate + keep * (*average - rate)) * power(keep, ticks - 1);
        }
        self.rates = Some(rates);
        self.in_tick = 0;
        self.tick = self.tick + Duration::from_micros(ticks.saturating_mul(5_000_000));
    }
}

/// `base` to the power of `exponent`.
fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result *= square;
        }
        square *= square;
        exponent /= 2;
    }
    result
}

/// Counters are far below 2⁵³, where this would begin to round.
#[allow(clippy::cast_precision_loss)]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_steady_rate_is_its_own_average() {
        let mut meter = Meter::new(Timestamp::ZERO);
        for n in 0..6_000 {
            meter.mark(Timestamp::from_millis(n * 100));
        }
        let now = Timestamp::from_secs(600);
        assert!(meter.rates(now).into_iter().all(|rate| near(rate, 10.0)), "{:?}", meter.rates(now));
        assert!(near(meter.mean(now), 10.0));
    }

    #[test]
    fn averages_fall_by_e_in_their_own_window() {
        let mut meter = Meter::new(Timestamp::ZERO);
        for n in 0..50 {
            meter.mark(Timestamp::from_millis(n * 100));
        }
        let first = meter.rates(Timestamp::from_secs(5));
        assert!(first.into_iter().all(|rate| near(rate, 10.0)));
        for (index, window) in [60, 300, 900].into_iter().enumerate() {
            let later = meter.rates(Timestamp::from_secs(5 + window))[index];
            assert!(near(later, 10.0 / core::f64::consts::E), "{later}");
        }
    }

    #[test]
    fn a_long_silence_is_as_many_short_ones() {
        let mut meter = Meter::new(Timestamp::ZERO);
        meter.mark(Timestamp::ZERO);
        let mut stepwise = meter.clone();
        for tick in 1..=100 {
            stepwise.advance(Timestamp::from_secs(tick * 5));
        }
        let now = Timestamp::from_secs(500);
        assert!(meter.rates(now).into_iter().zip(stepwise.rates(now)).all(|(a, b)| near(a, b)));
        assert_eq!(meter.rates(Timestamp::NEVER), [0.0; 3]);
    }

    #[test]
    fn the_first_seconds_show_the_mean() {
        let mut meter = Meter::new(Timestamp::ZERO);
        assert_eq!(meter.rates(Timestamp::ZERO), [0.0; 3]);
        meter.mark(Timestamp::from_secs(1));
        assert!(near(meter.rates(Timestamp::from_secs(2))[0], 0.5));
    }
}

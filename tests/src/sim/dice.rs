//! Chance.

use std::time::Duration;

use cocaine_core::rng::Rng;

/// Random numbers in the forms that faults need.
#[derive(Clone, Debug)]
pub struct Dice(Rng);

impl Dice {
    /// The same seed throws the same numbers.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self(rng)
    }

    /// Dice of its own for a part.
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A generator of its own.
    pub fn rng(&mut self) -> Rng {
        self.0.fork()
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.0.below(1_000) < u64::from(per_mille)
    }

    /// A number from `least` to `most`, both included.
    pub fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.0.below(most.saturating_sub(least) + 1)
    }

    /// The same as a size.
    pub fn size(&mut self, least: usize, most: usize) -> usize {
        usize::try_from(self.within(least as u64, most as u64)).unwrap_or(least)
    }

    /// A time from `least` to `most` milliseconds, to the microsecond.
    pub fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.within(least * 1_000, most * 1_000))
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.size(0, among.len() - 1)]
    }
}

//! Time for drivers.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cocaine_core::time::{Timestamp, WallClock};

/// The monotonic clock of one driver: [`Timestamp`]s since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { epoch: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When that moment is in the terms of the operating system, for timers. `None` for moments that
    /// never come.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Option<Instant> {
        self.epoch.checked_add(at.since(Timestamp::ZERO)).filter(|_| at != Timestamp::NEVER)
    }

    /// What the wall clock shows now.
    #[must_use]
    pub fn wall(&self) -> WallClock {
        WallClock::new(self.now(), unix_micros())
    }

    /// What the wall clock shows now, if that differs by more than a second from what is expected:
    /// somebody has set it.
    #[must_use]
    pub fn wall_jump(&self, expected: WallClock) -> Option<WallClock> {
        let wall = self.wall();
        let now = self.now();
        (wall.unix_micros(now).abs_diff(expected.unix_micros(now)) > 1_000_000).then_some(wall)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// Microseconds since the Unix epoch; 0 before it.
#[must_use]
pub fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_ways_of_telling_time_agree() {
        let clock = Clock::new();
        let at = clock.now() + Duration::from_secs(1);
        let instant = clock.instant(at).unwrap();
        assert_eq!(instant.duration_since(clock.epoch), at.since(Timestamp::ZERO));
        assert_eq!(clock.instant(Timestamp::NEVER), None);
    }

    #[test]
    fn only_a_jump_of_the_wall_clock_is_one() {
        let clock = Clock::new();
        let wall = clock.wall();
        assert_eq!(clock.wall_jump(wall), None);
        let set = WallClock::new(clock.now(), unix_micros() - 5_000_000);
        assert!(clock.wall_jump(set).is_some());
    }
}

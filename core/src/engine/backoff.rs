//! When a failed worker is replaced, and when an app does nothing but crash.

use core::time::Duration;

use crate::rng::Rng;
use crate::time::Timestamp;

/// The longest wait, and how long an app must be healthy until its failures are forgotten.
pub const LONGEST: Duration = Duration::from_secs(32);

/// After so many failed starts in a row, without any worker that works, an app is crash-looping.
pub const FAILED_STARTS: u32 = 3;

/// The back-off of one app.
///
/// The first failure is replaced at once; further ones wait 1, 2, 4 … 32 s and up to a quarter more,
/// so that apps which failed together do not come back together. Failures during a wait are part of
/// what it waits for and do not make it longer. Only starting waits; stopping never does.
///
/// Failures are forgotten after [`LONGEST`] without one while a worker is active, counted from the
/// end of the last wait: otherwise the longest wait would end the back-off by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    rng: Rng,
    /// Waits so far, the one of no length included.
    waits: u32,
    until: Timestamp,
    /// Since when there are active workers and no failure.
    healthy: Option<Timestamp>,
    failed_starts: u32,
}

impl Backoff {
    /// No failure so far. `rng` gives the jitter.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self { rng, waits: 0, until: Timestamp::ZERO, healthy: None, failed_starts: 0 }
    }

    /// A worker has become active.
    pub fn activated(&mut self, now: Timestamp) {
        self.failed_starts = 0;
        self.healthy.get_or_insert(now.max(self.until));
    }

    /// A worker has failed. `was_active` says whether it ever became active, `others_active` whether
    /// there is still a worker that is.
    pub fn failed(&mut self, now: Timestamp, was_active: bool, others_active: bool) {
        if others_active {
            self.failed_starts = 0;
        } else if !was_active {
            self.failed_starts = self.failed_starts.saturating_add(1);
        }
        if self.healthy.is_some_and(|since| now >= since + LONGEST) {
            self.waits = 0;
        }
        if self.may_spawn(now) {
            let wait = self.next_wait();
            self.until = now + self.rng.jittered(wait);
            self.waits = self.waits.saturating_add(1);
        }
        self.healthy = others_active.then_some(self.until.max(now));
    }

    fn next_wait(&self) -> Duration {
        match self.waits {
            0 => Duration::ZERO,
            before => Duration::from_secs(1_u64.checked_shl(before - 1).unwrap_or(u64::MAX)).min(LONGEST),
        }
    }

    /// Whether a worker may be started now.
    #[must_use]
    pub fn may_spawn(&self, now: Timestamp) -> bool {
        self.until <= now
    }

    /// When a worker may be started, if not now.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.until).filter(|until| *until > now)
    }

    /// Whether the app does nothing but crash. Its requests have no chance and should fail; one
    /// worker should still be tried when [`may_spawn`](Self::may_spawn) allows, or it never recovers.
    #[must_use]
    pub const fn is_crash_looping(&self) -> bool {
        self.failed_starts >= FAILED_STARTS
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const T0: Timestamp = Timestamp::from_secs(1_000);
    const JUST_BEFORE: Duration = Duration::from_micros(1);

    fn backoff() -> Backoff {
        Backoff::new(Rng::new(1))
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// Fails at once whenever it may start, `times` times; gives the waits.
    fn fail_again_and_again(backoff: &mut Backoff, mut now: Timestamp, times: usize) -> Vec<Duration> {
        let mut waits = Vec::new();
        for _ in 0..times {
            backoff.failed(now, false, false);
            let until = backoff.until(now).unwrap_or(now);
            assert!(until == now || !backoff.may_spawn(until - JUST_BEFORE));
            assert!(backoff.may_spawn(until));
            waits.push(until.since(now));
            now = until;
        }
        waits
    }

    fn assert_waits(waits: &[Duration], seconds: &[u64]) {
        assert_eq!(waits.len(), seconds.len());
        for (wait, expected) in waits.iter().zip(seconds) {
            let (least, most) = (secs(*expected), secs(*expected) * 5 / 4);
            assert!((least..=most).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn engine_defect_09_failures_wait_longer_and_longer() {
        let waits = fail_again_and_again(&mut backoff(), T0, 10);
        assert_waits(&waits, &[0, 1, 2, 4, 8, 16, 32, 32, 32, 32]);
    }

    #[test]
    fn engine_defect_10_the_longest_wait_does_not_end_the_back_off() {
        // A worker that comes up each time and dies soon after, alone and beside a healthy one.
        for others in [false, true] {
            let mut backoff = backoff();
            let mut now = T0;
            backoff.activated(now);
            let mut waits = Vec::new();
            for _ in 0..9 {
                backoff.failed(now, true, others);
                let until = backoff.until(now).unwrap_or(now);
                waits.push(until.since(now));
                backoff.activated(until);
                now = until + secs(1);
            }
            assert_waits(&waits, &[0, 1, 2, 4, 8, 16, 32, 32, 32]);
        }
    }

    #[test]
    fn failures_are_forgotten_after_a_healthy_while_and_not_before() {
        for (healthy, waits) in [(LONGEST - JUST_BEFORE, 16), (LONGEST, 0)] {
            let mut backoff = backoff();
            fail_again_and_again(&mut backoff, T0, 5);
            let up = T0 + secs(500);
            backoff.activated(up);
            backoff.failed(up + healthy, true, false);
            let until = backoff.until(up + healthy).unwrap_or(up + healthy);
            assert_waits(&[until.since(up + healthy)], &[waits]);
        }
    }

    #[test]
    fn time_alone_forgets_nothing() {
        let mut backoff = backoff();
        fail_again_and_again(&mut backoff, T0, 3);
        let later = T0 + secs(10_000);
        backoff.failed(later, false, false);
        assert!(!backoff.may_spawn(later + secs(4) - JUST_BEFORE));
    }

    #[test]
    fn failures_during_a_wait_are_part_of_it() {
        let mut backoff = backoff();
        fail_again_and_again(&mut backoff, T0, 1);
        backoff.failed(T0, true, true);
        let until = backoff.until(T0).unwrap();
        for _ in 0..10 {
            backoff.failed(T0, true, false);
        }
        assert_eq!(backoff.until(T0), Some(until));
        assert_waits(&[until.since(T0)], &[1]);
    }

    #[test]
    fn waits_are_spread() {
        let first = |seed| {
            let mut backoff = Backoff::new(Rng::new(seed));
            fail_again_and_again(&mut backoff, T0, 6)[5]
        };
        let mut waits: Vec<Duration> = (0..50).map(first).collect();
        waits.sort_unstable();
        waits.dedup();
        assert!(waits.len() > 45);
        assert!(waits.last().unwrap().saturating_sub(waits[0]) > secs(3));
    }

    #[test]
    fn three_failed_starts_in_a_row_are_a_crash_loop_until_one_succeeds() {
        let mut backoff = backoff();
        fail_again_and_again(&mut backoff, T0, 2);
        assert!(!backoff.is_crash_looping());
        backoff.failed(T0, false, false);
        assert!(backoff.is_crash_looping());
        backoff.activated(T0 + secs(9));
        assert!(!backoff.is_crash_looping());
    }

    #[test]
    fn it_is_no_crash_loop_while_a_worker_works_or_if_they_die_later() {
        let mut backoff = backoff();
        for _ in 0..9 {
            backoff.failed(T0, false, true);
            backoff.failed(T0, true, false);
        }
        assert!(!backoff.is_crash_looping());
    }
}

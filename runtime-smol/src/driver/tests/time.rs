//! Deadlines.

use super::*;

impl Stage {
    /// Orders a wake-up and returns how late it came.
    fn wake_after(&self, delay: Duration) -> Duration {
        let at = self.world.clock().now() + delay;
        self.order(vec![Order::WakeAt(at)]);
        let (now, input) = self.seen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(input, Input::Timeout);
        assert!(now >= at, "woken at {now}, before {at}");
        now.since(at)
    }
}

#[test]
fn a_deadline_is_kept() {
    both_ways(|stage| {
        let lateness = (0..20).map(|_| stage.wake_after(Duration::from_millis(3))).min().unwrap();
        // The best of twenty is what the driver costs; the others are what else the machine does.
        assert!(lateness < Duration::from_millis(2), "{lateness:?} late");
    });
}

#[test]
fn an_earlier_deadline_overtakes_a_later_one() {
    both_ways(|stage| {
        let far = stage.world.clock().now() + Duration::from_secs(3600);
        stage.order(vec![Order::WakeAt(far)]);
        stage.expect_silence();
        let late = stage.wake_after(Duration::from_millis(1));
        assert!(late < PATIENCE);
    });
}

/// The timer stays armed for the first deadline and rings early, which nobody notices.
#[test]
fn a_deadline_that_moved_away_is_not_kept_early() {
    both_ways(|stage| {
        let soon = stage.world.clock().now() + Duration::from_millis(5);
        stage.order(vec![Order::WakeAt(soon)]);
        stage.order(vec![Order::WakeAt(soon + Duration::from_millis(20))]);
        let (now, input) = stage.seen.recv_timeout(PATIENCE).unwrap();
        assert_eq!(input, Input::Timeout);
        assert!(now >= soon);
        stage.expect_silence();
    });
}

#[test]
fn a_deadline_of_the_past_is_due_at_once() {
    both_ways(|stage| {
        stage.order(vec![Order::WakeAt(Timestamp::ZERO)]);
        assert_eq!(stage.next(), Input::Timeout);
        stage.expect_silence();
    });
}

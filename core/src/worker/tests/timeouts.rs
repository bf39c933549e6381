//! The timeouts, from both sides.

use super::*;
use crate::machine::Signal;

/// The state's deadline is exactly there: nothing one microsecond before, something at it.
fn assert_deadline(path: &[Event], after: Duration, reason: TimerReason) -> Vec<Action> {
    let mut bench = Bench::after(path);
    assert_eq!(bench.worker.next_timeout(), Some((T0 + after, reason)));
    let before = bench.worker.state().clone();
    assert_eq!(bench.at(after - JUST_BEFORE, Event::Timeout), []);
    assert_eq!(*bench.worker.state(), before);
    let actions = bench.at(after, Event::Timeout);
    assert!(!actions.is_empty());
    actions
}

#[test]
fn startup_covers_spawn_connect_handshake_and_first_heartbeat() {
    for path in [[].to_vec(), [SPAWNED].to_vec(), [SPAWNED, handshake()].to_vec()] {
        let actions = assert_deadline(&path, secs(10), TimerReason::Startup);
        assert_eq!(first_loss(&actions).code(), ErrorCode::new(21503, 4));
    }
    assert_deadline(&active(), secs(30), TimerReason::Heartbeat);
}

#[test]
fn a_missed_heartbeat_is_sigkill_at_once() {
    for path in [busy(), then(busy(), &[Event::Seal { why: StopReason::Shrink, cap: secs(99) }])] {
        let actions = assert_deadline(&path, secs(30), TimerReason::Heartbeat);
        assert_eq!(first_loss(&actions).code(), ErrorCode::new(21503, 8));
        assert!(actions.contains(&Action::Kill(Signal::Kill)));
        assert!(!actions.contains(&Action::Kill(Signal::Term)));
    }
}

#[test]
fn each_heartbeat_gives_the_whole_time_again() {
    let mut bench = Bench::after(&busy());
    for n in 1..=100 {
        let at = (secs(30) - JUST_BEFORE) * n;
        assert_eq!(bench.at(at, Event::Heartbeat), [Action::SendHeartbeat]);
        assert_eq!(bench.worker.next_timeout(), Some((T0 + at + secs(30), TimerReason::Heartbeat)));
    }
}

#[test]
fn engine_defect_06_a_worker_that_ignores_terminate_is_killed_though_it_keeps_beating() {
    let mut bench = Bench::after(&active());
    assert_eq!(bench.tell(seal(StopReason::Idle)), [Action::SendTerminate(StopReason::Idle)]);
    for second in 1..10 {
        assert_eq!(bench.at(secs(second), Event::Heartbeat), [Action::SendHeartbeat]);
    }
    assert_eq!(bench.at(secs(10) - JUST_BEFORE, Event::Timeout), []);
    assert!(bench.at(secs(10), Event::Timeout).contains(&Action::Kill(Signal::Term)));
    assert_eq!(bench.at(secs(15) - JUST_BEFORE, Event::Timeout), []);
    assert_eq!(bench.at(secs(15), Event::Timeout), [Action::Kill(Signal::Kill)]);
    let killed = bench.tell(Event::Exited(ExitStatus::Signal(9)));
    assert_eq!(killed.last(), Some(&Action::Died(Outcome::Normal)));
}

#[test]
fn after_goodbye_come_grace_then_sigterm_then_sigkill() {
    let mut bench = Bench::after(&busy());
    let actions = bench.tell(terminate(1));
    assert_eq!(first_loss(&actions).code(), ErrorCode::new(21503, 12));
    assert_eq!(bench.at(GRACE - JUST_BEFORE, Event::Timeout), []);
    assert!(bench.at(GRACE, Event::Timeout).contains(&Action::Kill(Signal::Term)));
    assert_eq!(bench.at(GRACE + secs(5) - JUST_BEFORE, Event::Timeout), []);
    assert_eq!(bench.at(GRACE + secs(5), Event::Timeout), [Action::Kill(Signal::Kill)]);
    assert_eq!(bench.worker.next_timeout(), None);
}

#[test]
fn sealing_ends_with_the_last_session_or_with_its_time() {
    let mut bench = Bench::after(&then(busy(), &[seal(StopReason::Shrink)]));
    assert!(!bench.worker.accepts_sessions());
    assert_eq!(bench.at(secs(20), Event::Heartbeat), [Action::SendHeartbeat]);
    assert_eq!(bench.at(secs(25), EMPTY), [Action::SendTerminate(StopReason::Shrink)]);

    let mut bench = Bench::after(&then(busy(), &[Event::Seal { why: StopReason::Stop, cap: secs(5) }]));
    assert_eq!(bench.at(secs(5) - JUST_BEFORE, Event::Timeout), []);
    assert_eq!(bench.at(secs(5), Event::Timeout), [Action::SendTerminate(StopReason::Stop)]);
    assert_eq!(bench.at(secs(6), Event::Timeout), [], "terminate is sent once");
}

#[test]
fn stopping_shortens_the_time_of_a_worker_that_is_sealed_already() {
    let mut bench = Bench::after(&then(busy(), &[seal(StopReason::Shrink)]));
    bench.at(secs(1), Event::Seal { why: StopReason::Stop, cap: secs(5) });
    assert_eq!(bench.worker.next_timeout(), Some((T0 + secs(6), TimerReason::Seal)));
    assert_eq!(bench.at(secs(6), Event::Timeout), [Action::SendTerminate(StopReason::Stop)]);
}

#[test]
fn the_idle_timer_runs_only_without_sessions_and_comes_again() {
    let timeouts = Timeouts { heartbeat: secs(10_000), ..Timeouts::default() };
    let mut bench = Bench { timeouts, ..Bench::new() };
    active().into_iter().for_each(|event| drop(bench.tell(event)));
    assert_eq!(bench.worker.next_timeout(), Some((T0 + secs(600), TimerReason::Idle)));
    bench.at(secs(599), BUSY);
    assert_eq!(bench.at(secs(700), Event::Timeout), []);
    bench.at(secs(800), EMPTY);
    bench.at(secs(900), EMPTY);
    assert_eq!(bench.at(secs(1_400) - JUST_BEFORE, Event::Timeout), []);
    assert_eq!(bench.at(secs(1_400), Event::Timeout), [Action::Idle]);
    assert_eq!(bench.at(secs(2_000), Event::Timeout), [Action::Idle]);
}

#[test]
fn without_an_idle_timeout_a_worker_may_idle_for_ever() {
    let timeouts = Timeouts { idle: None, ..Timeouts::default() };
    let mut bench = Bench { timeouts, ..Bench::new() };
    active().into_iter().for_each(|event| drop(bench.tell(event)));
    assert_eq!(bench.worker.next_timeout(), Some((T0 + secs(30), TimerReason::Heartbeat)));
}

//! Defects of the originals, and what clients are told.

use alloc::string::ToString;

use super::*;
use crate::machine::{CloseReason, Signal};

fn outcome(path: &[Event]) -> Outcome {
    match Bench::after(path).worker.state() {
        State::Dead(outcome) => outcome.clone(),
        other => panic!("still {other:?}"),
    }
}

#[test]
fn engine_defect_05_an_abnormal_terminate_concerns_one_worker() {
    let actions = Bench::after(&busy()).tell(terminate(ABNORMAL));
    assert!(matches!(actions.as_slice(), [Action::FailSessions(_), Action::Crashed(_)]));
}

#[test]
fn engine_defect_07_no_worker_is_forgotten_before_its_process_is_gone() {
    for (name, path) in states() {
        let mut bench = Bench::after(&path);
        if matches!(
            bench.worker.state(),
            State::Dead(_) | State::Killing { stage: Stage::Unspawned { .. }, .. }
        ) {
            continue;
        }
        bench.tell(SPAWNED);
        for second in 0..200 {
            let actions = bench.at(secs(second), Event::Timeout);
            let gone = path.contains(&EXITED);
            assert!(gone || !actions.iter().any(|a| matches!(a, Action::Died(_))), "{name}");
        }
        let ended =
            matches!(bench.worker.state(), State::Killing { stage: Stage::Kill, .. } | State::Dead(_));
        assert!(ended, "{name}: {:?}", bench.worker.state());
    }
}

#[test]
fn engine_defect_08_an_exit_is_noticed_before_anything_connected() {
    for path in [[SPAWNED].to_vec(), [SPAWNED, handshake()].to_vec()] {
        let actions = Bench::after(&path).tell(EXITED);
        assert_eq!(first_loss(&actions).code(), ErrorCode::new(21503, 4));
        assert!(matches!(actions.last(), Some(Action::Died(Outcome::Crash(_)))));
    }
    let failed = Bench::new().tell(Event::SpawnFailed("/opt/echo: permission denied".into()));
    assert_eq!(
        first_loss(&failed).text(UUID),
        "worker u-1 could not be started: /opt/echo: permission denied"
    );
}

#[test]
fn engine_defect_11_a_normal_goodbye_is_no_crash_and_a_silent_exit_is_one() {
    assert_eq!(outcome(&then(busy(), &[terminate(1), EXITED])), Outcome::Normal);
    assert_eq!(outcome(&then(busy(), &[terminate(0), EXITED])), Outcome::Normal);
    assert!(matches!(outcome(&then(busy(), &[terminate(2), EXITED])), Outcome::Crash(_)));
    let exited = |code| Event::Exited(ExitStatus::Code(code));
    assert!(matches!(outcome(&then(busy(), &[exited(0), Event::Disconnected])), Outcome::Crash(_)));
    // A start that ends without a heartbeat is a failure however politely it ends.
    assert!(matches!(outcome(&[SPAWNED, handshake(), terminate(1), EXITED]), Outcome::Crash(_)));
}

#[test]
fn a_goodbye_that_is_still_in_the_socket_when_the_process_is_gone_counts() {
    let mut bench = Bench::after(&then(busy(), &[EXITED]));
    let actions = bench.tell(terminate(1));
    assert_eq!(first_loss(&actions).code(), ErrorCode::new(21503, 12));
    assert_eq!(actions.last(), Some(&Action::Died(Outcome::Normal)));
}

#[test]
fn engine_defect_19_a_spawn_that_is_never_answered_gives_its_place_back() {
    let mut bench = Bench::new();
    assert!(matches!(bench.at(secs(10), Event::Timeout).last(), Some(Action::Crashed(_))));
    assert_eq!(bench.at(secs(15) - JUST_BEFORE, Event::Timeout), []);
    assert!(matches!(bench.at(secs(15), Event::Timeout).as_slice(), [Action::Died(_)]));
    assert_eq!(bench.tell(SPAWNED), [Action::Kill(Signal::Kill)], "and if it comes late, it goes");
}

#[test]
fn engine_defect_20_a_handshake_faster_than_the_spawn_notice_is_accepted() {
    let mut bench = Bench::new();
    assert_eq!(bench.tell(handshake()), []);
    assert_eq!(bench.tell(Event::Heartbeat), []);
    assert_eq!(bench.tell(SPAWNED), [Action::SendHeartbeat, Action::Activated]);
    assert_eq!((bench.worker.conn(), bench.worker.pid()), (Some(CONN), Some(7)));
    assert_eq!(bench.worker.protocol(), Some(Protocol::V1));
}

#[test]
fn engine_defect_37_a_second_handshake_does_not_touch_the_worker() {
    let stranger = || Event::Handshake { conn: STRANGER, protocol: Protocol::V0 };
    for (name, path) in states() {
        let mut bench = Bench::after(&path);
        let before = bench.worker.clone();
        if matches!(name, "Spawning" | "Spawned") {
            continue;
        }
        assert_eq!(bench.tell(stranger()), [Action::Refuse { conn: STRANGER }], "{name}");
        assert_eq!(bench.worker, before, "{name}");
    }
}

#[test]
fn a_stranger_that_came_early_makes_room_for_the_worker() {
    let mut bench = Bench::after(&[Event::Handshake { conn: STRANGER, protocol: Protocol::V0 }]);
    let actions = bench.tell(Event::Disowned);
    assert_eq!(actions, [Action::Close { conn: STRANGER, reason: CloseReason::Done }]);
    bench.tell(SPAWNED);
    bench.tell(handshake());
    assert_eq!((bench.worker.conn(), bench.worker.protocol()), (Some(CONN), Some(Protocol::V1)));
}

#[test]
fn terminate_is_said_in_the_words_of_each_generation() {
    let all = [StopReason::Idle, StopReason::Shrink, StopReason::Stop];
    assert_eq!(
        all.map(|why| why.message(Protocol::V1)),
        [(13, "slave is idle"), (14, "slave is sealing"), (11, "overseer is shutting down")]
    );
    assert_eq!(
        all.map(|why| why.message(Protocol::V0)),
        [(1, "slave is idle"), (1, "slave is idle"), (1, "the engine is shutting down")]
    );
}

#[test]
fn errors_name_the_worker_and_the_code_of_their_cause() {
    let serving = |cause| Loss { during: Phase::Serving, cause };
    let stopping = |cause| Loss { during: Phase::Stopping(StopReason::Stop), cause };
    let rows = [
        (serving(Cause::Silent), ErrorCode::new(21503, 8), "worker u-1 has missed its heartbeat"),
        (serving(Cause::Disconnected), ErrorCode::new(21503, 10), "worker u-1 has unexpectedly disconnected"),
        (
            serving(Cause::Exited(ExitStatus::Signal(11))),
            ErrorCode::new(21503, 10),
            "worker u-1 has exited with signal 11",
        ),
        (
            serving(Cause::Terminated { code: 2, reason: "oops".to_string() }),
            ErrorCode::new(21503, 12),
            "worker u-1 has terminated itself with code 2: oops",
        ),
        (
            stopping(Cause::Ignored),
            ErrorCode::new(12, 32),
            "the application has been stopped: worker u-1 has not terminated in time",
        ),
    ];
    for (loss, code, text) in rows {
        assert_eq!((loss.code(), loss.text(UUID)), (code, text.to_string()));
    }
    let long = serving(Cause::Fault("я".repeat(5_000)));
    assert!(long.text(UUID).len() < 600);
}

//! Workers that do not get as far as their first heartbeat.

use cocaine_core::wire::codes;

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::journal::eventually;
use super::super::process::Watched;
use super::super::stage::{SUBJECT, Stage};

const IMPATIENT: &str = r#"{"startup-timeout": 0.5, "kill-timeout": 0.2, "pool-limit": 1}"#;

/// After three starts the request is refused with this reason, no process is left, and nobody else notices.
fn fails_to_start(binaries: &Binaries, subject: AppSpec, reason: &str) -> Stage {
    let mut stage = Stage::with(binaries, subject);
    let text = stage.client().request("echo", "is anybody there?").failed(codes::NO_RESOURCES);
    assert!(text.contains(reason), "{text}");
    stage.nobody_noticed();
    stage
}

fn plan_fails(binaries: &Binaries, plan: &str, reason: &str) -> Stage {
    let stage = fails_to_start(binaries, AppSpec::new(SUBJECT, plan).profile(IMPATIENT), reason);
    for number in 1..=3 {
        Watched::new(stage.subject().worker(number).0).must_end();
    }
    // It is given up only for as long as it does not start.
    assert_eq!(stage.node.info(SUBJECT).get("state").and_then(|state| state.as_str()), Some("crash-looping"));
    stage
}

const TOO_LATE: &str = "has failed to activate in time";

/// A worker that never connects is killed at its startup-timeout.
pub fn a_worker_never_connects(binaries: &Binaries) {
    plan_fails(binaries, "never-connects ignores-term", TOO_LATE);
}

/// A worker that connects and says nothing.
pub fn a_worker_never_handshakes(binaries: &Binaries) {
    plan_fails(binaries, "silent", TOO_LATE);
}

/// A worker that introduces itself and sends no heartbeat gets no request; its last words are kept.
pub fn a_worker_never_beats(binaries: &Binaries) {
    let stage = plan_fails(binaries, "no-heartbeat", TOO_LATE);
    assert_eq!(stage.subject().journal.count("unexpected"), 0, "{}", stage.subject().journal.text());
    let logs =
        eventually("crash logs", || Some(stage.node.crash_logs(SUBJECT)).filter(|logs| logs.len() >= 3));
    assert!(logs[0].contains("running 1 test"), "the worker's output: {logs:?}");
}

/// A worker that exits at once: its exit code and its last words are in the answer.
pub fn a_worker_exits_at_once(binaries: &Binaries) {
    let stage = plan_fails(binaries, "exits", "cannot find my configuration");
    let logs =
        eventually("crash logs", || Some(stage.node.crash_logs(SUBJECT)).filter(|logs| logs.len() >= 3));
    assert!(logs.iter().all(|log| log.contains("cannot find my configuration")), "{logs:?}");
}

/// A worker that talks another protocol is hung up on at once.
pub fn a_worker_sends_garbage(binaries: &Binaries) {
    plan_fails(binaries, "garbage", TOO_LATE).subject().journal.line("refused");
}

/// A worker whose first frame would have 2 GiB is hung up on before they come.
pub fn a_worker_declares_two_gibibytes(binaries: &Binaries) {
    plan_fails(binaries, "huge", TOO_LATE).subject().journal.line("refused");
}

/// A worker with a uuid that nobody has is hung up on.
pub fn an_unknown_uuid(binaries: &Binaries) {
    plan_fails(binaries, "wrong-uuid", TOO_LATE).subject().journal.line("refused");
}

/// A program that is not there is a failed start with the operating system's reason, not a slow one.
pub fn an_executable_is_missing(binaries: &Binaries) {
    let subject = AppSpec::serving(SUBJECT).manifest(r#"{"slave": "nothing-here"}"#);
    fails_to_start(binaries, subject, "no such file or directory");
}

/// An app that crashed at each start is served again once a start succeeds, without anybody's help.
pub fn an_app_recovers_from_a_crash_loop(binaries: &Binaries) {
    let stage = plan_fails(binaries, "exits", "has exited with");
    stage.subject().set_plan("serve");
    let mut client = stage.client();
    eventually("the app serves again", || {
        let reply = client.request("echo", "better now");
        reply.end.is_ok().then_some(())
    });
    assert_eq!(stage.node.info(SUBJECT).get("state").and_then(|state| state.as_str()), Some("running"));
}

/// The workers' socket takes a handshake byte by byte.
pub fn a_handshake_in_pieces(binaries: &Binaries) {
    for plan in ["serve drips", "serve drips v0"] {
        Stage::new(binaries, plan, "{}").client().echoes("one byte after the other");
    }
}

//! Stopping an app: everybody who waits gets one answer, and no process stays.

use std::time::{Duration, Instant};

use cocaine_core::wire::v1::message::CLOSE;
use cocaine_core::wire::{Failure, codes};

use super::super::Binaries;
use super::super::client::{Client, ENQUEUE};
use super::super::process::Watched;
use super::super::stage::{SUBJECT, Stage};

const START: u32 = 0;
const PAUSE: u32 = 1;

const ONE_AT_A_TIME: &str = r#"{"pool-limit": 1, "concurrency": 1, "stop-timeout": 0.3, "terminate-timeout": 0.3, "kill-timeout": 0.3}"#;

/// Asks for the end of the subject, and does not wait for the answer.
fn begin_pause(stage: &Stage) -> (Client, u64) {
    let mut node = stage.node.client("node");
    let channel = node.open(PAUSE, &[SUBJECT.into()]);
    (node, channel)
}

/// The answer of the pause, and with it the end of the worker.
fn is_paused((mut node, channel): (Client, u64), worker: &Watched) {
    assert_eq!(node.result(channel), Ok(vec![]));
    assert!(worker.ends_within(Duration::ZERO), "the answer came before the end of the last process");
    node.refused(PAUSE, &[SUBJECT.into()], codes::NOT_RUNNING);
}

fn starts_again(stage: &Stage) {
    assert_eq!(stage.node.client("node").call(START, &[SUBJECT.into(), "".into()]), Ok(vec![]));
    stage.client().echoes("started again");
}

/// A request that runs and one that waits: both are told, and so is one that comes too late.
fn both_are_told(binaries: &Binaries, plan: &str) -> Stage {
    let mut stage = Stage::new(binaries, plan, ONE_AT_A_TIME);
    let mut client = stage.client();
    let running = client.enqueue("hold");
    stage.subject().journal.line("invoke hold");
    let waiting = client.enqueue("echo");
    client.settle();
    let worker = Watched::new(stage.subject().worker(1).0);
    let pause = begin_pause(&stage);
    client.reply(waiting).failed(codes::APP_STOPPED);
    let late = client.enqueue("echo");
    client.reply(late).failed(codes::APP_STOPPED);
    let text = client.reply(running).failed(codes::APP_STOPPED);
    assert!(text.contains(&stage.subject().worker(1).1), "it names the worker: {text}");
    is_paused(pause, &worker);
    stage.nobody_noticed();
    starts_again(&stage);
    stage
}

/// A worker that terminates when it is told to.
pub fn queued_and_running_requests(binaries: &Binaries) {
    let stage = both_are_told(binaries, "serve");
    stage.subject().journal.line("terminate ");
}

/// A worker that ignores both the message and SIGTERM is killed; the stop does not wait for ever.
pub fn a_worker_that_ignores_everything(binaries: &Binaries) {
    let began = Instant::now();
    both_are_told(binaries, "serve ignores-terminate ignores-term");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// A worker that finishes in time: its client gets the whole answer.
pub fn a_request_that_finishes_in_time(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", r#"{"stop-timeout": 20, "terminate-timeout": 1}"#);
    let mut client = stage.client();
    let running = client.enqueue("echo");
    client.write(running, "first");
    assert_eq!(client.chunk(running), "first");
    let worker = Watched::new(stage.subject().worker(1).0);
    let pause = begin_pause(&stage);
    // New requests are refused from now on; the running one goes on.
    super::super::journal::eventually("the app stops", || {
        let late = client.enqueue("echo");
        client.close(late);
        client.reply(late).end.is_err().then_some(())
    });
    client.write(running, "last");
    assert_eq!(client.chunk(running), "last");
    client.close(running);
    assert_eq!(client.next(running).message, CLOSE);
    is_paused(pause, &worker);
    stage.nobody_noticed();
    starts_again(&stage);
}

/// A worker that has not come as far as its first heartbeat.
pub fn a_worker_that_is_starting(binaries: &Binaries) {
    let profile = r#"{"startup-timeout": 60, "stop-timeout": 0.3, "kill-timeout": 0.3}"#;
    let mut stage = Stage::new(binaries, "never-connects", profile);
    let mut client = stage.client();
    let waiting = client.enqueue("echo");
    let worker = Watched::new(stage.subject().worker(1).0);
    let pause = begin_pause(&stage);
    client.reply(waiting).failed(codes::APP_STOPPED);
    is_paused(pause, &worker);
    stage.subject().set_plan("serve");
    stage.nobody_noticed();
    starts_again(&stage);
}

/// Workers without work, and none at all.
pub fn idle_workers_and_none(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let mut node = stage.node.client("node");
    assert_eq!(node.call(PAUSE, &[SUBJECT.into()]), Ok(vec![]));
    starts_again(&stage);
    let worker = Watched::new(stage.subject().worker(1).0);
    is_paused(begin_pause(&stage), &worker);
}

/// A stream through the node service ends with the app too.
pub fn a_stream_through_the_node_service(binaries: &Binaries) {
    const NODE_ENQUEUE: u32 = 5;
    let stage = Stage::new(binaries, "serve", ONE_AT_A_TIME);
    let mut node = stage.node.client("node");
    let whole = node.open(NODE_ENQUEUE, &[SUBJECT.into(), "echo".into()]);
    node.write(whole, "through the node");
    node.close(whole);
    assert_eq!(node.reply(whole).text(), "through the node");
    let held = node.open(NODE_ENQUEUE, &[SUBJECT.into(), "hold".into()]);
    stage.subject().journal.line("invoke hold");
    let pause = node.open(PAUSE, &[SUBJECT.into()]);
    node.reply(held).failed(codes::APP_STOPPED);
    assert_eq!(node.result(pause), Ok(vec![]));
    let late = node.open(NODE_ENQUEUE, &[SUBJECT.into(), "echo".into()]);
    node.reply(late).failed(codes::NOT_RUNNING);
}

/// An idle pool shrinks by itself, politely, and that is no crash.
pub fn idle_workers_go(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", r#"{"idle-timeout": 0.2, "kill-timeout": 0.3}"#);
    let mut client = stage.client();
    client.echoes("then nothing");
    let worker = Watched::new(stage.subject().worker(1).0);
    stage.subject().journal.line("terminate ");
    worker.must_end();
    client.echoes("with another one");
    assert_eq!(stage.node.figure(SUBJECT, &["pool", "total:crashed"]), 0);
    stage.nobody_noticed();
}

/// Documents and code are read anew at each start.
pub fn manifest_and_profile_are_reread(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let mut node = stage.node.client("node");
    assert_eq!(stage.client().request("variable", "COLOUR").text(), "(not set)");
    node.call(PAUSE, &[SUBJECT.into()]).expect("paused");
    stage.subject().write("manifest.json", r#"{"slave": "worker", "environment": {"COLOUR": "green"}}"#);
    stage.subject().write("profile.json", r#"{"queue-limit": 7}"#);
    node.call(START, &[SUBJECT.into(), "".into()]).expect("started");
    assert_eq!(stage.client().request("variable", "COLOUR").text(), "green");
    assert_eq!(stage.node.figure(SUBJECT, &["queue", "capacity"]), 7);
    node.call(PAUSE, &[SUBJECT.into()]).expect("paused");
    stage.subject().write("profile.json", r#"{"queue-limit": "many"}"#);
    let refused: Failure = node.call(START, &[SUBJECT.into(), "".into()]).expect_err("a bad profile");
    assert_eq!(refused.code, codes::INVALID_ARGUMENT, "{refused}");
    stage.subject().write("profile.json", "{}");
    node.call(START, &[SUBJECT.into(), "".into()]).expect("a failed start is in nobody's way");
    let mut client = stage.client();
    let channel = client.open(ENQUEUE, &["size".into()]);
    client.close(channel);
    assert_eq!(client.reply(channel).text(), "0");
}

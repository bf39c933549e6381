//! Requests that must be over by a certain time, and queues that are full.

use std::time::{Duration, Instant};

use cocaine_core::wire::v1::message::REVOKE;
use cocaine_core::wire::{Header, Value, codes};

use super::super::Binaries;
use super::super::client::{Client, ENQUEUE};
use super::super::journal::eventually;
use super::super::stage::{SUBJECT, Stage};

fn enqueue_within(client: &mut Client, event: &str, milliseconds: u64) -> u64 {
    let header = Header::new("request_timeout", milliseconds.to_le_bytes().to_vec());
    client.open_with(ENQUEUE, &[event.into()], &[header])
}

/// A request expires on time although no worker ever comes.
pub fn a_request_expires_without_any_worker(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "never-connects", r#"{"startup-timeout": 60, "kill-timeout": 0.1}"#);
    let mut client = stage.client();
    let began = Instant::now();
    let channel = enqueue_within(&mut client, "echo", 200);
    client.reply(channel).failed(codes::INVOCATION_DEADLINE);
    assert!(began.elapsed() >= Duration::from_millis(200), "too early");
    assert!(began.elapsed() < Duration::from_secs(5), "too late: {:?}", began.elapsed());
    stage.nobody_noticed();
}

/// A request that a worker takes too long for ends on both sides; the worker goes on.
pub fn a_request_times_out_with_a_worker(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", r#"{"pool-limit": 1, "concurrency": 1}"#);
    let mut client = stage.client();
    let channel = enqueue_within(&mut client, "hold", 200);
    client.reply(channel).failed(codes::REQUEST_TIMED_OUT);
    stage.subject().journal.line("input-error ");
    client.echoes("with the same worker");
    assert_eq!(stage.subject().journal.count("start "), 1);
    stage.nobody_noticed();
}

/// The profile's limit holds where the client gives none.
pub fn the_profile_limits_the_time_of_a_request(binaries: &Binaries) {
    let stage = Stage::new(binaries, "serve", r#"{"request-timeout": 0.2}"#);
    let mut client = stage.client();
    client.echoes("quick");
    let channel = client.enqueue("hold");
    client.reply(channel).failed(codes::REQUEST_TIMED_OUT);
}

/// A `request_timeout` of the wrong length fails its request, and nothing else.
pub fn a_malformed_timeout_fails_one_request(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    let header = Header::new("request_timeout", "1000");
    let channel = client.open_with(ENQUEUE, &["echo".into()], &[header]);
    let text = client.reply(channel).failed(codes::BAD_ARGUMENTS);
    assert!(text.contains("request_timeout"), "{text}");
    client.echoes("next, please");
    stage.nobody_noticed();
}

/// A full queue refuses; those in it are served in order.
pub fn the_queue_is_full(binaries: &Binaries) {
    let profile = r#"{"pool-limit": 1, "concurrency": 1, "queue-limit": 2}"#;
    let mut stage = Stage::new(binaries, "serve", profile);
    let mut client = stage.client();
    let running = client.enqueue("hold");
    stage.subject().journal.line("invoke hold");
    let waiting: Vec<u64> = (0..2).map(|_| client.enqueue("size")).collect();
    let refused = client.enqueue("size");
    client.reply(refused).failed(codes::QUEUE_IS_FULL);
    assert_eq!(stage.node.figure("subject", &["queue", "depth"]), 2);
    client.call(REVOKE, &[running.into(), Value::array([5_u64, 2])]).expect("given up");
    for channel in waiting {
        client.write(channel, "1234");
        client.close(channel);
        assert_eq!(client.reply(channel).text(), "4");
    }
    stage.nobody_noticed();
}

/// Requests go to the least loaded worker.
pub fn requests_are_spread(binaries: &Binaries) {
    const CONTROL: u32 = 2;
    let stage = Stage::new(binaries, "serve", r#"{"pool-limit": 2, "concurrency": 10}"#);
    let mut client = stage.client();
    let lever = client.open(CONTROL, &[]);
    client.write_number(lever, 2);
    eventually("both serve", || (stage.node.figure(SUBJECT, &["pool", "idle"]) == 2).then_some(()));
    let held: Vec<u64> = (0..4).map(|_| client.enqueue("uuid")).collect();
    held.iter().for_each(|channel| client.close(*channel));
    let uuids: Vec<String> = held.into_iter().map(|channel| client.reply(channel).text()).collect();
    assert_eq!(uuids.iter().filter(|uuid| **uuid == uuids[0]).count(), 2, "{uuids:?}");
}

/// A queue of limit 0 takes what workers can take at once.
pub fn a_queue_limit_of_zero_takes_what_fits(binaries: &Binaries) {
    let stage = Stage::new(binaries, "serve", r#"{"pool-limit": 1, "concurrency": 1, "queue-limit": 0}"#);
    let mut client = stage.client();
    client.echoes("one at a time");
    let running = client.enqueue("talk");
    client.chunk(running);
    let refused = client.enqueue("echo");
    client.reply(refused).failed(codes::QUEUE_IS_FULL);
}

/// A tag chooses the worker, which has that name; no room for another one is said so.
pub fn a_tag_chooses_the_worker(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", r#"{"pool-limit": 2}"#);
    let mut client = stage.client();
    for tag in ["blue", "red", "blue"] {
        let channel = client.open(ENQUEUE, &["uuid".into(), tag.into()]);
        client.close(channel);
        assert_eq!(client.reply(channel).text(), tag);
    }
    assert_eq!(stage.subject().journal.count("start "), 2);
    let channel = client.open(ENQUEUE, &["uuid".into(), "green".into()]);
    client.reply(channel).failed(codes::POOL_IS_FULL);
    stage.nobody_noticed();
}

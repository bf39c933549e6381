//! Clients that do their part, and clients that do not.

use cocaine_core::wire::v1::message::{CLOSE, REVOKE, WRITE};
use cocaine_core::wire::{Dialect, Header, Value, codes};

use super::super::Binaries;
use super::super::client::{Client, ENQUEUE};
use super::super::journal::eventually;
use super::super::peer::frame;
use super::super::process::{open_files, resident};
use super::super::stage::{SUBJECT, Stage};

const ONE_AT_A_TIME: &str = r#"{"pool-limit": 1, "concurrency": 1}"#;

/// A stream goes both ways, chunk by chunk, and ends when both halves have.
pub fn a_stream_goes_both_ways(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let mut client = stage.client();
    let channel = client.enqueue("echo");
    for words in ["one", "", "three"] {
        client.write(channel, words);
        assert_eq!(client.chunk(channel), words);
    }
    client.close(channel);
    assert_eq!(client.next(channel).message, CLOSE);
    client.nothing_on(channel);
}

/// The error that an app answers with arrives as it was sent.
pub fn an_error_of_the_app_is_passed_on(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let reply = stage.client().request("error", "");
    assert_eq!(reply.failed(cocaine_core::wire::ErrorCode::new(42, 200)), "there is no such thing");
}

/// What a client says beside its request reaches the worker; a header that the table stored counts too.
pub fn headers_reach_the_worker(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let mut client = stage.client();
    let channel = client.open_with(ENQUEUE, &["header".into()], &[Header::new("colour", "blue")]);
    client.write(channel, "colour");
    client.close(channel);
    assert_eq!(client.reply(channel).text(), "blue");
    // Stored on one channel, used on the next: index 83 is the newest entry.
    client.raw(b"\x94\x02\x00\x91\xa6header\x91\x93\xc3\xa4mood\xa4good");
    client.raw(b"\x94\x03\x00\x91\xa6header\x91\x53");
    for channel in [2, 3] {
        client.write(channel, "mood");
        client.close(channel);
        assert_eq!(client.reply(channel).text(), "good");
    }
}

/// A client that leaves in the middle of a stream: the worker is told, and free for somebody else.
pub fn a_client_disconnects_midway(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", ONE_AT_A_TIME);
    let mut client = stage.client();
    let channel = client.enqueue("talk");
    client.chunk(channel);
    drop(client);
    let error = stage.subject().journal.line("input-error ");
    assert!(error.contains("Uint(5)") && error.contains("Uint(2)"), "[5,2], not {error}");
    stage.client().echoes("next, please");
    stage.nobody_noticed();
    assert_eq!(stage.subject().journal.count("start "), 1);
}

/// A client that never ends its half does not keep the worker from others.
pub fn a_client_never_closes_its_half(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve", ONE_AT_A_TIME);
    let mut client = stage.client();
    let channel = client.enqueue("early");
    client.write(channel, "the only words");
    assert_eq!(client.reply(channel).text(), "the only words");
    stage.client().echoes("next, please");
    // What it still sends is for nobody, and harms nobody.
    client.write(channel, "by the way");
    client.close(channel);
    client.echoes("on the same connection");
    client.nothing_on(channel);
    stage.nobody_noticed();
}

/// A client that asks for much and takes nothing: others are served, and it gets everything in the end.
pub fn a_client_reads_nothing(binaries: &Binaries) {
    const SIZE: usize = 2 * 1024 * 1024;
    let mut stage =
        Stage::new(binaries, "serve", r#"{"pool-limit": 2, "concurrency": 10, "grow-threshold": 1}"#);
    let mut greedy = stage.client();
    let channels: Vec<u64> = (0..8).map(|_| greedy.enqueue("bytes")).collect();
    for channel in &channels {
        greedy.write(*channel, SIZE.to_string());
        greedy.close(*channel);
    }
    stage.nobody_noticed();
    for channel in channels {
        assert_eq!(greedy.reply(channel).bytes().len(), SIZE);
    }
    greedy.echoes("enough");
    stage.client().echoes("at last");
    stage.nobody_noticed();
}

/// Calls that make no sense get an error on their channel; the connection goes on.
pub fn bad_arguments_are_answered(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    client.refused(ENQUEUE, &[], codes::BAD_ARGUMENTS);
    client.refused(ENQUEUE, &[Value::Uint(7)], codes::BAD_ARGUMENTS);
    client.refused(ENQUEUE, &["echo".into(), "../tag".into()], codes::BAD_ARGUMENTS);
    client.refused(9, &["echo".into()], codes::SLOT_NOT_BOUND);
    let channel = client.enqueue("echo");
    client.send(channel, WRITE, &[Value::Uint(5)]);
    client.reply(channel).failed(codes::BAD_ARGUMENTS);
    let channel = client.enqueue("echo");
    client.send(channel, 17, &[]);
    client.reply(channel).failed(codes::SLOT_NOT_BOUND);
    client.echoes("and now properly");
    stage.nobody_noticed();
}

/// The twelve bytes that killed an original: a channel beyond 32 bits, and no arguments.
pub fn the_twelve_bytes(binaries: &Binaries) {
    const BYTES: &[u8] = b"\x93\xcf\x00\x00\x00\x02\x00\x00\x00\x00\x01\x90";
    const CHANNEL: u64 = 2 << 32;
    let mut stage = Stage::serving(binaries);
    for name in [SUBJECT, "node", "storage", "logging", "locator"] {
        let mut client = stage.node.client(name);
        client.raw(BYTES);
        let answer = client.result(CHANNEL);
        match name {
            // Method 1 without arguments: the report, and the level.
            SUBJECT | "logging" => assert_eq!(answer.map(|values| values.len()), Ok(1), "{name}"),
            _ => assert_eq!(answer.unwrap_err().code, codes::BAD_ARGUMENTS, "{name}"),
        }
    }
    stage.nobody_noticed();
}

/// What is no frame, or never can be one, closes that connection and no other.
pub fn broken_framing_closes_the_connection(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let broken: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        // A string of 2 GiB, an array of 4 G elements, a frame of channel 0, headers that refer to nothing.
        b"\x93\x01\x00\x91\xc6\x80\x00\x00\x00",
        b"\x93\x01\x00\xdd\xff\xff\xff\xff",
        b"\x93\x00\x00\x91\xa4echo",
        b"\x94\x01\x00\x91\xa4echo\x91\xcd\x03\xe8",
        b"\x92\x01\x00",
    ];
    for name in [SUBJECT, "node", "storage", "logging", "locator"] {
        for bytes in broken {
            let mut client = stage.node.client(name);
            client.raw_regardless(bytes);
            client.is_closed();
        }
    }
    assert!(
        resident(stage.node.process.id()) < 256 * 1024 * 1024,
        "nothing is reserved on the word of a peer"
    );
    stage.nobody_noticed();
}

/// A frame may arrive in any two pieces.
pub fn a_frame_split_anywhere(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let mut other = stage.client();
    let args = ["echo".into()];
    let whole = [
        frame(Dialect::V1, 1, ENQUEUE, &args),
        frame(Dialect::V1, 1, WRITE, &["in two pieces".into()]),
        frame(Dialect::V1, 1, CLOSE, &[]),
    ]
    .concat();
    for at in 1..whole.len() {
        let mut client = stage.client();
        client.raw(&whole[..at]);
        // By the time this is answered the first piece was read, as a rule.
        other.settle();
        client.raw(&whole[at..]);
        assert_eq!(client.reply(1).text(), "in two pieces", "split at byte {at}");
    }
    let mut client = stage.client();
    whole.iter().for_each(|byte| client.raw(&[*byte]));
    assert_eq!(client.reply(1).text(), "in two pieces", "byte by byte");
}

/// A large payload that comes before its worker does, and another one behind it.
pub fn a_large_payload_for_a_worker_that_starts(binaries: &Binaries) {
    const SIZE: usize = 12 * 1024 * 1024;
    let stage = Stage::new(binaries, "serve waits", "{}");
    let mut client = stage.client();
    let channel = client.enqueue("size");
    client.write(channel, vec![b'x'; SIZE]);
    client.write(channel, "and some more");
    client.close(channel);
    stage.subject().journal.line("start ");
    stage.subject().journal.note("go");
    assert_eq!(client.reply(channel).text(), (SIZE + 13).to_string());
}

/// A payload of 16 MiB goes there and back, as one chunk.
pub fn sixteen_mebibytes_both_ways(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    let payload: Vec<u8> = (0..16 * 1024 * 1024_u32).map(|at| (at % 251) as u8).collect();
    let channel = client.enqueue("echo");
    client.write(channel, payload.clone());
    client.close(channel);
    assert!(client.reply(channel).bytes() == payload, "it came back changed");
    stage.nobody_noticed();
}

/// How long the answers to heartbeats took so far, in milliseconds.
fn answers(stage: &Stage) -> Vec<u64> {
    let text = stage.subject().journal.text();
    text.lines()
        .filter_map(|line| line.strip_prefix("answered "))
        .map(|time| time.parse().expect("a time"))
        .collect()
}

/// Heartbeats are answered while a hundred megabytes are on their way.
pub fn heartbeats_in_the_middle_of_bulk(binaries: &Binaries) {
    const CHUNKS: usize = 1_600;
    let stage = Stage::serving(binaries);
    let reply = stage.client().request("bulk", &CHUNKS.to_string());
    assert_eq!(reply.bytes().len(), CHUNKS * 64 * 1024);
    let mut times = answers(&stage);
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    assert!(
        times.len() >= 10 && median < 100 && worst < 2_000,
        "median {median} ms, worst {worst} ms: {times:?}"
    );
}

/// Heartbeats are answered in time although the client takes nothing of what the worker sends. Frameworks give up
/// after five seconds.
pub fn heartbeats_of_a_throttled_worker(binaries: &Binaries) {
    const CHUNKS: usize = 480;
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    let channel = client.enqueue("bulk");
    client.write(channel, CHUNKS.to_string());
    client.close(channel);
    // Answers are slow from the time on when everything between worker and client is full.
    let slow = |times: &[u64]| times.iter().filter(|time| **time > 300).count();
    eventually("the worker is throttled", || (slow(&answers(&stage)) >= 2).then_some(()));
    stage.nobody_noticed();
    assert_eq!(client.reply(channel).bytes().len(), CHUNKS * 64 * 1024);
    let worst = answers(&stage).into_iter().max().expect("there were answers");
    assert!(worst < 4_000, "{worst} ms");
    assert_eq!(stage.subject().journal.count("start "), 1);
}

/// The control messages that every connection understands.
pub fn control_messages(binaries: &Binaries) {
    let stage = Stage::new(binaries, "serve", ONE_AT_A_TIME);
    let mut client = stage.client();
    client.settle();
    let channel = client.enqueue("talk");
    client.chunk(channel);
    let code = Value::array([12_u64, 125]);
    assert_eq!(client.call(REVOKE, &[channel.into(), code]), Ok(vec![]));
    stage.subject().journal.line("input-error ");
    client.echoes("the worker is free");
    for name in ["node", "storage", "logging", "locator"] {
        stage.node.client(name).settle();
    }
}

/// Ten thousand requests, and hundreds of connections, leave nothing behind.
pub fn nothing_leaks(binaries: &Binaries) {
    let stage = Stage::serving(binaries);
    let daemon = stage.node.process.id();
    let rounds = |client: &mut Client, count: u32| (0..count).for_each(|_| client.echoes("again"));
    let mut client = stage.client();
    rounds(&mut client, 2_000);
    let (files, memory) = (open_files(daemon), resident(daemon));
    rounds(&mut client, 8_000);
    for _ in 0..200 {
        stage.client().echoes("for the first time");
    }
    eventually("connections are given back", || (open_files(daemon) <= files).then_some(()));
    let grown = resident(daemon).saturating_sub(memory);
    assert!(grown < 4 * 1024 * 1024, "grown by {grown} bytes in 8,200 requests");
}

//! `enqueue` and `control` through the node service.

use bytes::Bytes;

use super::{Frame, Lab, code, done, frame};
use crate::engine::{EngineCommand, EngineNotice, Policy, StreamId};
use crate::machine::{ConnId, EngineId, Input};
use crate::node::{NodeCommand, ServiceKind};
use crate::wire::v1::message::{CLOSE, ERROR, REVOKE, WRITE};
use crate::wire::{Failure, Header, Value, codes, v1};

const PAUSE: u32 = 1;
const CONTROL: u32 = 4;
const ENQUEUE: u32 = 5;

/// A node whose app `echo` runs on engine 1, and a client of its node service.
fn running_with(soft_bytes: usize) -> (Lab, ConnId) {
    let mut lab = Lab::with(|config| config.limits.soft_bytes = soft_bytes);
    lab.command(NodeCommand::Start);
    lab.store_app("echo");
    let node = lab.client(ServiceKind::Node);
    lab.call(node, 1, 0, &["echo".into(), "default".into()]);
    lab.engine_starts(1);
    lab.frames(node);
    (lab, node)
}

fn running() -> (Lab, ConnId) {
    running_with(1 << 20)
}

/// Opens a stream on a channel and returns its name.
fn open(lab: &mut Lab, node: ConnId, channel: u64) -> StreamId {
    lab.told();
    lab.call(node, channel, ENQUEUE, &["echo".into(), "ping".into()]);
    match &lab.told()[..] {
        [(1, EngineCommand::Open { stream, event, headers, policy })] => {
            assert_eq!((&event[..], headers.len(), policy), (&b"ping"[..], 0, &Policy::default()));
            *stream
        }
        other => panic!("{other:?}"),
    }
}

fn chunk(channel: u64, data: &str) -> Frame {
    (channel, u64::from(WRITE), Value::array([data]))
}

fn close(channel: u64) -> Frame {
    (channel, u64::from(CLOSE), Value::Array(vec![]))
}

fn says_chunk(stream: StreamId, data: impl Into<Bytes>) -> EngineNotice {
    EngineNotice::Chunk { stream, data: data.into() }
}

#[test]
fn chunks_and_ends_go_both_ways() {
    let (mut lab, node) = running();
    let stream = open(&mut lab, node, 5);
    lab.call(node, 5, WRITE, &["one".into()]);
    lab.call(node, 5, WRITE, &["".into()]);
    lab.call(node, 5, CLOSE, &[]);
    let chunk_of = |data: &'static str| (1, EngineCommand::Chunk { stream, data: data.into() });
    assert_eq!(lab.told(), [chunk_of("one"), chunk_of(""), (1, EngineCommand::End { stream })]);
    lab.engine_says(1, says_chunk(stream, "ONE"));
    lab.engine_says(1, says_chunk(stream, ""));
    lab.engine_says(1, EngineNotice::End { stream });
    assert_eq!(lab.frames(node), [chunk(5, "ONE"), chunk(5, ""), close(5)]);
    lab.told();
    lab.call(node, 5, WRITE, &["late".into()]);
    lab.engine_says(1, says_chunk(stream, "late"));
    lab.engine_says(1, EngineNotice::End { stream });
    assert_eq!((lab.told(), lab.frames(node)), (vec![], vec![]));
}

#[test]
fn an_answer_may_end_before_the_request() {
    let (mut lab, node) = running();
    let stream = open(&mut lab, node, 5);
    lab.engine_says(1, EngineNotice::End { stream });
    assert_eq!(lab.frames(node), [close(5)]);
    lab.call(node, 5, WRITE, &["more".into()]);
    lab.call(node, 5, CLOSE, &[]);
    let more = EngineCommand::Chunk { stream, data: "more".into() };
    assert_eq!(lab.told(), [(1, more), (1, EngineCommand::End { stream })]);
    lab.call(node, 5, WRITE, &["late".into()]);
    assert_eq!(lab.told(), []);
}

#[test]
fn headers_of_the_call_go_on_decoded() {
    let (mut lab, node) = running();
    lab.told();
    let header = Header { name: b"trace_id"[..].into(), value: b"12345678"[..].into() };
    let mut bytes = Vec::new();
    v1::frame_with_headers(&mut bytes, 5, ENQUEUE, std::slice::from_ref(&header), |out| {
        Value::array(["echo", "ping"]).encode(out);
    });
    lab.send(node, &bytes);
    let told = lab.told();
    let [(1, EngineCommand::Open { headers, .. })] = &told[..] else { panic!("{told:?}") };
    assert_eq!(headers, &[header]);
}

#[test]
fn failures_go_both_ways() {
    let (mut lab, node) = running();
    let (one, two) = (open(&mut lab, node, 5), open(&mut lab, node, 6));
    lab.send(node, b"\x93\x05\x01\x92\x92\x2a\x07\xa4oops");
    let failure = Failure::new(crate::wire::ErrorCode::new(42, 7), "oops");
    assert_eq!(lab.told(), [(1, EngineCommand::Fail { stream: one, failure })]);
    lab.engine_says(1, EngineNotice::Fail { stream: two, failure: codes::QUEUE_IS_FULL.into() });
    let frames = lab.frames(node);
    assert_eq!((frames.len(), frames[0].0, code(&frames[0])), (1, 6, (21_247, 1)));
    // The engine is told that no more comes, so that it need not keep the request.
    assert_eq!(lab.told(), [(1, EngineCommand::End { stream: two })]);
    lab.call(node, 6, WRITE, &["late".into()]);
    assert_eq!(lab.told(), []);
}

#[test]
fn a_message_that_makes_no_sense_ends_its_channel_and_no_other() {
    let bad: [(u32, &[Value], (u64, u64)); 4] = [
        (WRITE, &[], (7, 2)),
        (WRITE, &[Value::Uint(1)], (7, 2)),
        (ERROR, &[Value::Nil], (7, 2)),
        (9, &[], (7, 5)),
    ];
    for (message, args, expected) in bad {
        let (mut lab, node) = running();
        let (one, two) = (open(&mut lab, node, 5), open(&mut lab, node, 6));
        lab.call(node, 5, message, args);
        let frames = lab.frames(node);
        assert_eq!((frames.len(), frames[0].0, code(&frames[0])), (1, 5, expected));
        assert_eq!(lab.told(), [(1, EngineCommand::Cancel { stream: one })]);
        lab.engine_says(1, EngineNotice::End { stream: one });
        assert_eq!(lab.frames(node), [], "answered once");
        lab.engine_says(1, EngineNotice::End { stream: two });
        assert_eq!(lab.frames(node), [close(6)]);
    }
}

#[test]
fn an_app_that_does_not_run_is_a_stream_error() {
    let mut lab = Lab::with_echo();
    let node = lab.client(ServiceKind::Node);
    assert_eq!(code(&lab.ask(node, 1, ENQUEUE, &["echo".into(), "ping".into()])), (20_991, 6));
    lab.call(node, 2, 0, &["echo".into(), "default".into()]);
    let starting = lab.ask(node, 3, ENQUEUE, &["echo".into(), "ping".into()]);
    assert_eq!(code(&starting), (20_991, 6));
    lab.engine_starts(1);
    lab.frames(node);
    lab.told();
    lab.call(node, 4, PAUSE, &["echo".into()]);
    assert_eq!(code(&lab.ask(node, 5, ENQUEUE, &["echo".into(), "ping".into()])), (20_991, 6));
    assert_eq!(code(&lab.ask(node, 6, CONTROL, &["echo".into()])), (20_991, 6));
    assert_eq!(lab.told(), [(1, EngineCommand::Stop)]);
}

#[test]
fn engine_defect_1_every_open_stream_is_answered_when_its_engine_ends() {
    let ends = [
        NodeCommand::EngineGone { engine: EngineId::new(1) },
        NodeCommand::FromEngine { engine: EngineId::new(1), notice: EngineNotice::Stopped },
    ];
    for end in ends {
        let (mut lab, node) = running();
        open(&mut lab, node, 5);
        open(&mut lab, node, 6);
        lab.call(node, 6, CLOSE, &[]);
        let answered = open(&mut lab, node, 7);
        lab.engine_says(1, EngineNotice::End { stream: answered });
        lab.call(node, 8, CONTROL, &["echo".into()]);
        assert_eq!(lab.frames(node), [close(7)]);
        lab.command(end);
        let frames = lab.frames(node);
        let channels: Vec<u64> = frames.iter().map(|frame| frame.0).collect();
        assert_eq!(channels, [5, 6, 8]);
        assert!(frames.iter().all(|frame| code(frame) == (12, 32)));
        assert_eq!(lab.node.streams.len() + lab.node.levers.len(), 0);
    }
}

#[test]
fn engine_defect_36_a_client_that_leaves_is_cancelled() {
    let leave: [fn(&mut Lab, ConnId); 3] = [
        |lab, node| lab.hang_up(node),
        |lab, node| lab.input(Input::HungUp { conn: node }),
        |lab, node| lab.send(node, b"\xc1"),
    ];
    for leave in leave {
        let (mut lab, node) = running();
        let stream = open(&mut lab, node, 5);
        lab.call(node, 6, CONTROL, &["echo".into()]);
        leave(&mut lab, node);
        let told = lab.told();
        assert!(told.contains(&(1, EngineCommand::Cancel { stream })), "{told:?}");
        assert!(matches!(told.last(), Some((1, EngineCommand::Release { .. }))), "{told:?}");
        lab.engine_says(1, says_chunk(stream, "late"));
        assert_eq!((lab.node.streams.len(), lab.node.levers.len()), (0, 0));
    }
}

#[test]
fn a_revoked_stream_is_cancelled_and_not_answered() {
    let (mut lab, node) = running();
    let stream = open(&mut lab, node, 5);
    let reason = Value::array([Value::Uint(12), Value::Uint(22)]);
    assert_eq!(lab.ask(node, 6, REVOKE, &[Value::Uint(5), reason]), done(6));
    assert_eq!(lab.told(), [(1, EngineCommand::Cancel { stream })]);
    lab.engine_says(1, EngineNotice::End { stream });
    assert_eq!(lab.frames(node), []);
}

#[test]
fn engine_defect_32_a_client_is_not_read_while_its_bytes_pile_up() {
    let (mut lab, node) = running_with(10_000);
    let stream = open(&mut lab, node, 5);
    for _ in 0..30 {
        lab.call(node, 5, WRITE, &["x".repeat(1000).into()]);
    }
    let passed = |lab: &mut Lab| lab.told().len();
    assert_eq!((passed(&mut lab), lab.unread(node) > 15_000), (11, true));
    lab.engine_says(1, EngineNotice::Consumed { stream, bytes: 11_000 });
    assert!(passed(&mut lab) > 10);
    lab.engine_says(1, EngineNotice::Fail { stream, failure: codes::HEARTBEAT_TIMEOUT.into() });
    assert_eq!(lab.unread(node), 0, "nobody waits for credit of a stream that is over");
    let other = open(&mut lab, node, 6);
    lab.engine_says(1, EngineNotice::End { stream: other });
    assert_eq!(lab.frames(node).len(), 2);
}

#[test]
fn what_follows_an_ended_answer_needs_no_credit() {
    let (mut lab, node) = running_with(10_000);
    let stream = open(&mut lab, node, 5);
    lab.engine_says(1, EngineNotice::End { stream });
    lab.told();
    for _ in 0..30 {
        lab.call(node, 5, WRITE, &["x".repeat(1000).into()]);
    }
    // The engine may have forgotten the stream by now.
    assert_eq!((lab.told().len(), lab.unread(node)), (30, 0));
}

#[test]
fn the_engine_gets_credit_for_what_was_written_and_only_then() {
    let (mut lab, node) = running();
    let stream = open(&mut lab, node, 5);
    lab.stick(node);
    lab.engine_says(1, says_chunk(stream, vec![b'x'; 300]));
    lab.engine_says(1, says_chunk(stream, vec![b'y'; 5000]));
    assert_eq!(lab.told(), []);
    lab.unstick(node);
    let credit: usize = lab
        .told()
        .into_iter()
        .map(|(_, command)| match command {
            EngineCommand::Consumed { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(credit, 5300, "the bytes of the chunks, without the heads of their frames");
}

#[test]
fn two_streams_of_one_connection_do_not_mix() {
    let (mut lab, node) = running();
    let (one, two) = (open(&mut lab, node, 5), open(&mut lab, node, 6));
    lab.engine_says(1, says_chunk(two, "2"));
    lab.engine_says(1, says_chunk(one, "1"));
    lab.engine_says(1, EngineNotice::End { stream: two });
    assert_eq!(lab.frames(node), [chunk(6, "2"), chunk(5, "1"), close(6)]);
    lab.send(node, &[frame(6, WRITE, &["b".into()]), frame(5, WRITE, &["a".into()])].concat());
    let data = |stream, data: &'static str| (1, EngineCommand::Chunk { stream, data: data.into() });
    let told: Vec<_> =
        lab.told().into_iter().filter(|(_, told)| matches!(told, EngineCommand::Chunk { .. })).collect();
    assert_eq!(told, [data(two, "b"), data(one, "a")]);
}

#[test]
fn control_holds_the_pool_as_long_as_its_channel_is_open() {
    let (mut lab, node) = running();
    lab.call(node, 5, CONTROL, &["echo".into()]);
    lab.call(node, 6, CONTROL, &["echo".into()]);
    lab.call(node, 5, WRITE, &[Value::Uint(3)]);
    lab.call(node, 6, WRITE, &[Value::Int(-1)]);
    let told = lab.told();
    let [
        (1, EngineCommand::Control { lever: first, workers: 3 }),
        (1, EngineCommand::Control { lever: second, workers: -1 }),
    ] = told[..]
    else {
        panic!("{told:?}")
    };
    assert_ne!(first, second);
    lab.call(node, 5, CLOSE, &[]);
    assert_eq!(
        (lab.told(), lab.frames(node)),
        (vec![(1, EngineCommand::Release { lever: first })], vec![done(5)])
    );
    lab.call(node, 6, WRITE, &["three".into()]);
    assert_eq!(code(&lab.frames(node)[0]), (7, 2));
    assert_eq!(lab.told(), [(1, EngineCommand::Release { lever: second })]);
    lab.call(node, 7, CONTROL, &["echo".into()]);
    lab.call(node, 7, 9, &[]);
    assert_eq!(code(&lab.frames(node)[0]), (7, 5));
}

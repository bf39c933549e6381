//! Calls on a connection.

use super::*;

#[test]
fn a_stream_goes_both_ways_as_recorded() {
    let mut world = World::calling();
    world.command(ClientCommand::Write { call: CALL, chunk: "hello".into() });
    world.command(ClientCommand::Close { call: CALL });
    assert_eq!(world.frames(), [r#"[1, 0, ["hello"]]"#, "[1, 2, []]"]);
    world.receive(b"\x94\x01\x00\x91\xa5hello\x90");
    world.receive(b"\x94\x01\x02\x90\x90");
    let [
        ClientNotice::Message { call: CALL, message: Message::Write, args },
        ClientNotice::Ended { call: CALL, end },
    ] = &world.notices[..]
    else {
        panic!("{:?}", world.notices)
    };
    assert_eq!((&args[..], end), (&b"\x91\xa5hello"[..], &closed()));
    assert!(world.frames().is_empty());
    assert_eq!((world.client.calls.len(), world.client.ops.len()), (0, 0));
}

#[test]
fn the_own_half_is_ended_when_the_service_has_ended_its_half() {
    let mut world = World::calling();
    world.receive(b"\x93\x01\x01\x92\x92\x2a\x4d\xa4boom");
    assert_eq!(world.ends(), [(1, End::Failed(Failure::new(crate::wire::ErrorCode::new(42, 77), "boom")))]);
    assert_eq!(world.frames(), ["[1, 2, []]"]);
    world.command(ClientCommand::Write { call: CALL, chunk: "late".into() });
    world.command(ClientCommand::Close { call: CALL });
    world.receive(b"\x93\x01\x02\x90\x93\x01\x00\x91\xa1x");
    assert!(world.frames().is_empty() && world.notices.is_empty(), "what comes behind the end is ignored");
}

#[test]
fn one_connection_carries_many_calls_with_rising_channels() {
    let mut world = World::calling();
    world.enqueue(CallId(5));
    world.call(CallId(3), "info", b"\x90", Deadline::Never);
    assert_eq!(world.frames(), [r#"[2, 0, ["ping"]]"#, "[3, 1, []]"]);
    world.receive(b"\x93\x03\x00\x91\x80\x93\x01\x02\x90");
    world.receive(b"\x93\x02\x02\x90");
    let value = End::Message { message: Message::Value, args: Bytes::from_static(b"\x91\x80") };
    assert_eq!(world.ends(), [(3, value), (1, closed()), (5, closed())]);
    world.enqueue(CALL);
    assert_eq!(world.frames()[2..], [r#"[4, 0, ["ping"]]"#], "no channel is used again");
    assert_eq!(world.dials, 2);
}

#[test]
fn a_half_that_has_ended_takes_nothing_more() {
    let mut world = World::calling();
    world.command(ClientCommand::Fail { call: CALL, failure: Failure::new(codes::INVALID_ARGUMENT, "no") });
    world.command(ClientCommand::Write { call: CALL, chunk: "x".into() });
    world.command(ClientCommand::Close { call: CALL });
    assert_eq!(world.frames(), [r#"[1, 1, [[12, 22], "no"]]"#]);
    let failure = Failure::from(codes::CLOSED_UPSTREAM);
    assert_eq!(world.notices, [ClientNotice::Refused { call: CALL, failure }]);
    world.receive(b"\x93\x01\x02\x90");
    assert_eq!(world.ends().pop(), Some((1, closed())));
}

#[test]
fn a_method_that_is_not_there_is_the_callers_fault() {
    let mut world = World::calling();
    world.call(CallId(2), "nothing", b"\x90", Deadline::Never);
    let ends = world.ends();
    let [(2, End::Broken(error))] = &ends[..] else { panic!("{ends:?}") };
    assert_eq!(error.to_string(), r#"service "demo-app" has no method "nothing""#);
    assert_eq!(error.advice(), Advice::Fix);
    assert_eq!(world.client.running(), 1);
}

#[test]
fn headers_and_the_time_left_go_with_a_call() {
    let mut world = World::calling();
    world.command(ClientCommand::Call {
        call: CallId(2),
        method: "enqueue".into(),
        args: Bytes::from_static(b"\x91\xa4ping"),
        headers: vec![Header::new("k", "v")],
        deadline: Deadline::Announced(Duration::from_millis(1500)),
    });
    assert_eq!(
        world.frames(),
        [r#"[2, 0, ["ping"], [[false, "k", "v"], [false, "request_timeout", 0xdc05000000000000]]]"#]
    );
}

#[test]
fn deadlines_fire_on_time_and_say_how_far_the_call_came() {
    let mut world = World::new(app());
    world.call(CALL, "enqueue", b"\x91\xa1e", Deadline::Within(Duration::from_secs(1)));
    world.pass(Duration::from_micros(999_999));
    assert!(world.notices.is_empty());
    world.pass(Duration::from_micros(1));
    let error = world.broken();
    assert_eq!((&error, error.advice()), (&CallError::TimedOut { reached: Reached::Nobody }, Advice::Retry));

    let mut world = World::calling();
    world.call(CallId(2), "enqueue", b"\x91\xa1e", Deadline::Within(Duration::from_secs(1)));
    world.frames();
    world.pass(Duration::from_secs(1));
    assert_eq!(world.ends(), [(2, End::Broken(CallError::TimedOut { reached: Reached::Service }))]);
    assert_eq!(world.frames(), [r#"[2, 1, [[2, 125], "Operation aborted."]]"#], "the service is told");
    world.receive(b"\x93\x02\x02\x90");
    assert!(world.notices.is_empty());
    assert!(world.client.deadlines.is_empty());
}

#[test]
fn a_cancelled_call_says_nothing_more() {
    let mut world = World::calling();
    world.command(ClientCommand::Cancel { call: CALL });
    assert_eq!(world.frames(), [r#"[1, 1, [[2, 125], "Operation aborted."]]"#]);
    world.receive(b"\x93\x01\x00\x91\xa1x\x93\x01\x02\x90");
    world.hang_up();
    assert!(world.notices.is_empty());
    let mut world = World::new(app());
    world.enqueue(CALL);
    world.command(ClientCommand::Cancel { call: CALL });
    assert_eq!((world.client.waiting, world.client.ops.len(), world.client.queued), (0, 0, 0));
}

#[test]
fn an_answer_that_the_service_did_not_announce_ends_its_call_alone() {
    let mut world = World::calling();
    world.enqueue(CallId(2));
    world.receive(b"\x93\x01\x07\x90");
    let error = world.broken();
    assert!(matches!(error, CallError::Protocol { .. }), "{error}");
    world.receive(b"\x93\x02\x02\x90");
    assert_eq!(world.ends(), [(2, closed())]);
}

#[test]
fn broken_framing_ends_the_connection_and_every_call_on_it() {
    for bytes in [&b"\xc1"[..], b"\x93\x00\x00\x90", b"\x94\x01\x00\x90\x91\x7f", b"\x92\x01\x00"] {
        let mut world = World::calling();
        world.receive(bytes);
        assert!(matches!(world.broken(), CallError::Disconnected { .. }), "{bytes:02x?}");
        assert_eq!(world.conn, None);
    }
}

#[test]
fn a_method_that_answers_nothing_ends_when_it_is_written() {
    let graph = crate::wire::Graph::from(&crate::wire::protocols::LOGGING);
    let target = Target::Fixed { name: "logging".into(), endpoints: vec![endpoint(1)], graph };
    let mut world = World::new(ClientConfig::new(target, [1; 32]));
    world.call(CALL, "emit", b"\x93\x01\xa1s\xa1m", Deadline::Never);
    world.accept();
    assert_eq!(world.frames(), [r#"[1, 0, [1, "s", "m"]]"#]);
    assert_eq!(world.ends(), [(1, End::Written)]);
    assert!(world.client.calls.is_empty());
}

#[test]
fn a_lease_lives_on_behind_its_answer_until_it_is_cancelled() {
    let mut world = World::new(ClientConfig::new(Target::locator(vec![endpoint(10053)]), [1; 32]));
    world.call(CALL, "publish", b"\x92\xa1n\x90", Deadline::Never);
    world.accept();
    world.frames();
    world.receive(b"\x93\x01\x00\x90");
    assert_eq!(world.ends().len(), 1);
    assert!(world.frames().is_empty(), "nothing is given up");
    world.command(ClientCommand::Cancel { call: CALL });
    assert_eq!(world.frames(), ["[1, 0, []]"], "discard");
    assert!(world.client.calls.is_empty());
}

#[test]
fn what_is_not_consumed_stops_the_reading() {
    let mut config = app();
    config.limits.unread_bytes = 8;
    let mut world = World::new(config);
    world.enqueue(CALL);
    world.resolve();
    world.accept();
    world.receive(b"\x93\x01\x00\x91\xa8\x30\x31\x32\x33\x34\x35\x36\x37");
    assert!(world.read.is_none(), "ten bytes are unread");
    world.command(ClientCommand::Consumed { call: CALL, bytes: 5 });
    assert!(world.read.is_none());
    world.command(ClientCommand::Consumed { call: CALL, bytes: 1 });
    assert!(world.read.is_some());
}

#[test]
fn a_caller_is_told_when_its_window_is_written_and_loses_a_call_it_floods() {
    let mut config = app();
    (config.limits.window_bytes, config.limits.unsent_bytes) = (100, 150);
    let mut world = World::new(config);
    world.enqueue(CALL);
    for _ in 0..2 {
        world.command(ClientCommand::Write { call: CALL, chunk: Bytes::from(vec![0; 60]) });
    }
    world.resolve();
    world.accept();
    assert_eq!(world.notices, [ClientNotice::Drained { call: CALL }]);
    for _ in 0..4 {
        let chunk = Bytes::from(vec![0; 60]);
        world.client.handle(world.now, Input::Command(ClientCommand::Write { call: CALL, chunk }));
    }
    world.drain();
    assert_eq!(world.ends(), [(1, End::Broken(CallError::Overloaded { reached: Reached::Service }))]);
}

#[test]
fn calls_that_wait_are_bounded() {
    let mut config = app();
    config.limits.waiting = 2;
    let mut world = World::new(config);
    (1..=3).for_each(|call| world.enqueue(CallId(call)));
    let ends = world.ends();
    assert_eq!(ends, [(3, End::Broken(CallError::Overloaded { reached: Reached::Nobody }))]);
    assert_eq!(ends[0].1.advice(), Some(Advice::Retry));
}

#[test]
fn large_chunks_are_shared_and_small_ones_gathered() {
    let mut world = World::calling();
    let chunk = Bytes::from(vec![9; 1 << 20]);
    for chunk in ["a".into(), chunk.clone(), "b".into()] {
        world.client.handle(world.now, Input::Command(ClientCommand::Write { call: CALL, chunk }));
    }
    let mut shared = 0;
    while let Some(output) = world.client.poll_output() {
        let Output::Write { conn, batch } = output else { continue };
        shared += batch.slices().filter(|slice| chunk.as_ptr_range().contains(&slice.as_ptr())).count();
        world.written.extend(batch.to_vec());
        world.client.handle(world.now, Input::Written { conn, batch });
    }
    assert!(shared > 0, "no copy was made");
    assert_eq!(world.frames().len(), 3);
}

#[test]
fn errors_of_services_have_the_advice_of_the_table() {
    for (code, advice) in [
        (codes::QUEUE_IS_FULL, Advice::Retry),
        (codes::APP_STOPPED, Advice::Retry),
        (codes::NOT_RUNNING, Advice::Retry),
        (codes::SESSION_DETACHED, Advice::Retry),
        (codes::SERVICE_NOT_AVAILABLE, Advice::Retry),
        (codes::INVOCATION_DEADLINE, Advice::Retry),
        (codes::REQUEST_TIMED_OUT, Advice::MayHaveRun),
        (codes::CONTROL_IPC, Advice::MayHaveRun),
        (crate::wire::ErrorCode::new(42, 1), Advice::MayHaveRun),
        (codes::INVALID_ARGUMENT, Advice::Fix),
        (codes::UNAUTHORIZED, Advice::Fix),
    ] {
        assert_eq!(Advice::on(code), advice, "{code}");
    }
}

#[test]
fn a_lock_is_not_given_up_because_it_was_granted() {
    // `lock` as the coordination service describes it: an answer, and a half that takes nothing but `close`.
    let graph = crate::wire::Graph::decode(
        b"\x81\x08\x93\xa4lock\x81\x00\x92\xa5close\x80\x82\x00\x92\xa5value\x80\x01\x92\xa5error\x80",
    );
    let target =
        Target::Fixed { name: "unicorn".into(), endpoints: vec![endpoint(1)], graph: graph.unwrap() };
    let mut world = World::new(ClientConfig::new(target, [1; 32]));
    world.call(CALL, "lock", b"\x91\xa2/l", Deadline::Never);
    world.accept();
    world.frames();
    world.receive(b"\x93\x01\x00\x91\xc3");
    assert_eq!(world.ends().len(), 1);
    assert!(world.frames().is_empty());
    world.command(ClientCommand::Cancel { call: CALL });
    assert_eq!(world.frames(), ["[1, 0, []]"]);
}

//! Resolving, connecting, and losing it all.

use super::*;

#[test]
fn the_locator_is_asked_and_left_and_endpoints_are_tried_in_order() {
    let mut world = World::new(app());
    assert_eq!(world.client.next_timeout(), None, "nothing happens without a call");
    world.enqueue(CALL);
    assert_eq!(world.dialed(), &endpoint(10053));
    world.refuse();
    assert_eq!(world.dialed(), &endpoint(10054), "the next locator");
    world.accept();
    world.frames();
    // Two endpoints, the first being a name.
    let reply = Value::array([
        Value::from(1_u64),
        Value::from(0_u64),
        Value::array([
            Value::array([
                Value::array([Value::from("localhost"), Value::from(1_u64)]),
                Value::array([Value::from("127.0.0.1"), Value::from(2_u64)]),
                Value::array([Value::from("::1"), Value::from(3_u64)]),
            ]),
            Value::from(1_u64),
            Value::Map(Vec::new()),
        ]),
    ]);
    world.receive(&reply.to_vec());
    assert_eq!(world.dialed(), &endpoint(2), "what is no address is passed over");
    world.refuse();
    assert_eq!(world.dialed(), &Endpoint::Tcp("[::1]:3".parse().unwrap()));
}

#[test]
fn attempts_end_on_time() {
    let mut world = World::new(app());
    world.enqueue(CALL);
    world.pass(Duration::from_micros(1_999_999));
    assert_eq!(world.dialed(), &endpoint(10053));
    world.pass(Duration::from_micros(1));
    assert_eq!(world.dialed(), &endpoint(10054));
    world.accept();
    world.pass(Duration::from_micros(4_999_999));
    assert!(world.conn.is_some());
    world.pass(Duration::from_micros(1));
    assert_eq!(world.conn, None, "no answer within five seconds");
    assert_eq!(world.client.next_timeout().unwrap().1, TimerReason::Retry);
}

#[test]
fn services_defect_45_a_failed_resolve_is_tried_once_more_after_a_pause_and_its_reason_is_told() {
    let mut world = World::new(app());
    world.enqueue(CALL);
    for _ in 0..2 {
        assert!(world.notices.is_empty());
        world.pass(Duration::from_millis(125));
        world.accept();
        world.receive(b"\x94\x01\x01\x92\x92\x0a\x01\xb8service is not available\x90");
    }
    let error = world.broken();
    assert_eq!(error.to_string(), r#"service "demo-app" was not found: [10,1] service is not available"#);
    assert_eq!(error.advice(), Advice::Retry);
    assert_eq!((world.dials, world.client.next_timeout()), (2, None));
}

#[test]
fn pauses_double_up_to_a_limit_and_carry_jitter() {
    let mut config = app();
    (config.rounds, config.seed) = (u32::MAX, [3; 32]);
    let mut world = World::new(config);
    world.enqueue(CALL);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        world.refuse();
        world.refuse();
        let (at, reason) = world.client.next_timeout().unwrap();
        assert_eq!(reason, TimerReason::Retry);
        let pause = at.since(world.now);
        world.pass(pause);
        pauses.push(pause.as_micros());
    }
    for (pause, base) in pauses.iter().zip([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]) {
        let base = base * 1000;
        assert!((base..=base * 5 / 4).contains(pause), "{pauses:?}");
    }
    assert!(pauses.iter().any(|pause| pause % 1000 != 0), "{pauses:?}");
}

#[test]
fn everybody_waits_for_the_same_round_and_newcomers_for_the_same_pause() {
    let mut world = World::new(app());
    world.enqueue(CALL);
    world.enqueue(CallId(2));
    world.refuse();
    world.refuse();
    world.enqueue(CallId(3));
    assert_eq!(world.dialing, None, "a newcomer does not shorten the pause");
    world.pass(Duration::from_millis(125));
    world.refuse();
    world.refuse();
    let ends = world.ends();
    assert_eq!(
        ends.iter().map(|(call, _)| *call).collect::<Vec<_>>(),
        [1, 2],
        "the third waits for one round more"
    );
    world.pass(Duration::from_millis(250));
    world.resolve();
    world.accept();
    assert_eq!(world.frames(), [r#"[1, 0, ["ping"]]"#]);
}

#[test]
fn a_pinned_version_must_match() {
    let mut config = app();
    if let Target::Named { version, .. } = &mut config.target {
        *version = 2;
    }
    let mut world = World::new(config);
    world.enqueue(CALL);
    world.accept();
    world.receive(RESOLVED);
    let error = world.broken();
    assert_eq!(error, CallError::Version { name: "demo-app".into(), wanted: 2, found: 1 });
    assert_eq!(error.advice(), Advice::Fix);
}

#[test]
fn a_disconnect_ends_what_was_sent_and_carries_over_what_was_not() {
    let mut world = World::calling();
    world.receive(b"\x93\x01\x00\x91\xa1x");
    world.notices.clear();
    // A write is in flight; what comes now is not handed out.
    let chunk = |call| Input::Command(ClientCommand::Write { call, chunk: "chunk".into() });
    world.client.handle(world.now, chunk(CALL));
    let Some(Output::Write { .. }) = world.client.poll_output() else { panic!("no write") };
    let args = Bytes::from_static(b"\x91\xa1e");
    let (call, headers, deadline) = (CallId(2), Vec::new(), Deadline::Never);
    let command = ClientCommand::Call { call, method: "enqueue".into(), args, headers, deadline };
    world.client.handle(world.now, Input::Command(command));
    world.client.handle(world.now, chunk(CallId(2)));
    world.drain();
    world.hang_up();
    let ends = world.ends();
    let [(1, End::Broken(error))] = &ends[..] else { panic!("{ends:?}") };
    assert_eq!(error.to_string(), r#"disconnected from service "demo-app": the peer closed the connection"#);
    assert_eq!(error.advice(), Advice::MayHaveRun);
    assert_eq!(world.dialed(), &endpoint(10053), "a locator is asked anew");
    world.written.clear();
    world.resolve();
    world.accept();
    assert_eq!(world.frames(), [r#"[1, 0, ["e"]]"#, r#"[1, 0, ["chunk"]]"#]);
}

#[test]
fn without_a_call_a_lost_connection_is_not_made_again() {
    let mut world = World::calling();
    world.receive(b"\x93\x01\x02\x90");
    world.hang_up();
    assert_eq!((world.dials, world.client.next_timeout()), (2, None));
    world.enqueue(CallId(2));
    assert_eq!(world.dials, 3);
}

#[test]
fn services_defect_44_methods_are_those_of_the_newest_resolve() {
    let mut world = World::calling();
    world.receive(b"\x93\x01\x02\x90");
    world.hang_up();
    world.enqueue(CallId(2));
    world.accept();
    let mut moved = RESOLVED.to_vec();
    // The next version of the app has `enqueue` under another number.
    let at = moved.windows(9).position(|bytes| bytes == b"\x93\xa7enqueue").unwrap();
    moved[at - 1] = 9;
    world.receive(&moved);
    world.written.clear();
    world.accept();
    assert_eq!(world.frames(), [r#"[1, 9, ["ping"]]"#]);
}

#[test]
fn late_words_about_an_old_connection_do_not_touch_the_new_one() {
    let mut world = World::calling();
    let old = world.conn.unwrap();
    world.hang_up();
    world.enqueue(CallId(2));
    world.pass(Duration::from_millis(125));
    world.resolve();
    world.accept();
    world.ends();
    world.input(Input::Disconnected { conn: old, error: None });
    world.input(Input::Received { conn: old, buf: BytesMut::from(&b"\x93\x01\x02\x90"[..]) });
    world.input(Input::ConnectFailed { conn: old, error: IoError { errno: 1, text: String::new() } });
    assert!(world.notices.is_empty() && world.conn.is_some());
}

#[test]
fn a_service_that_hangs_up_at_once_is_not_hammered() {
    let mut world = World::calling();
    world.hang_up();
    world.ends();
    world.enqueue(CallId(2));
    assert_eq!(world.dialing, None, "it said nothing on the last connection");
    world.pass(Duration::from_millis(125));
    assert!(world.dialing.is_some());
}

#[test]
fn an_app_that_has_stopped_is_looked_for_anew() {
    let mut world = World::calling();
    world.receive(b"\x93\x01\x01\x92\x92\x0c\x20\xa7stopped");
    assert_eq!(world.conn, None);
    assert!(matches!(&world.ends()[..], [(1, End::Failed(failure))] if failure.code == codes::APP_STOPPED));
    world.enqueue(CallId(2));
    assert_eq!(world.dialed(), &endpoint(10053));
}

#[test]
fn a_fixed_service_is_not_resolved() {
    let mut world = World::new(ClientConfig::new(Target::locator(vec![endpoint(1), endpoint(2)]), [0; 32]));
    world.call(CALL, "uuid", b"\x90", Deadline::Never);
    assert_eq!(world.dialed(), &endpoint(1));
    world.refuse();
    assert_eq!(world.dialed(), &endpoint(2));
    world.accept();
    assert_eq!(world.frames(), ["[1, 6, []]"]);
    world.receive(b"\x93\x01\x00\x91\xa1u");
    assert!(matches!(&world.ends()[..], [(1, End::Message { message: Message::Value, .. })]));
}

#[test]
fn a_locator_that_makes_no_sense_is_passed_over() {
    for bytes in [&b"\x93\x01\x00\x90"[..], b"\x93\x01\x02\x90", b"\xc1"] {
        let mut world = World::new(app());
        world.enqueue(CALL);
        world.accept();
        world.receive(bytes);
        assert_eq!(world.dialed(), &endpoint(10054), "{bytes:02x?}");
    }
}

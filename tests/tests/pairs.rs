//! A client, an engine and its workers, all real, over a wire in memory.

use std::time::Duration;

use bytes::Bytes;
use cocaine_core::client::{
    CallError, CallId, ClientCommand, ClientConfig, ClientNotice, Deadline, End, Message, Target,
};
use cocaine_core::engine::{EngineCommand, EngineLimits, EngineNotice};
use cocaine_core::machine::ExitStatus;
use cocaine_core::wire::{ErrorCode, Failure, Graph, Value, codes, protocols, single_raw};
use cocaine_tests::pairs::World;
use cocaine_tests::scenario::config;

const CALL: CallId = CallId(1);

fn app(dialect: u64, piece: usize) -> (World, usize) {
    let profile = Value::map([("pool-limit", 1_u64), ("concurrency", 4), ("heartbeat-timeout", 30)]);
    let manifest = Value::map([("slave", Value::from("/bin/echo")), ("protocol", Value::from(dialect))]);
    let mut world = World::new(config(profile, manifest, EngineLimits::default()), piece);
    let target = Target::Fixed {
        name: "echo".into(),
        endpoints: vec![world.service()],
        graph: Graph::from(&protocols::APP),
    };
    let client = world.add_client(ClientConfig::new(target, [1; 32]));
    (world, client)
}

fn enqueue(event: &str) -> ClientCommand {
    let args = Value::array([event]).to_vec().into();
    ClientCommand::Call {
        call: CALL,
        method: "enqueue".into(),
        args,
        headers: Vec::new(),
        deadline: Deadline::Never,
    }
}

/// The bytes of all chunks, and the end.
fn answer(notices: Vec<ClientNotice>) -> (Vec<u8>, Option<End>) {
    let (mut bytes, mut ended) = (Vec::new(), None);
    for notice in notices {
        match notice {
            ClientNotice::Message { message: Message::Write, args, .. } => {
                bytes.extend_from_slice(&args[single_raw(&args).unwrap()]);
            }
            ClientNotice::Ended { end, .. } => assert!(ended.replace(end).is_none(), "one end"),
            ClientNotice::Drained { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    (bytes, ended)
}

fn closed() -> Option<End> {
    Some(End::Message { message: Message::Close, args: Bytes::from_static(&[0x90]) })
}

#[test]
fn a_request_goes_all_the_way_in_both_dialects_and_in_pieces_of_any_size() {
    for dialect in [0, 1] {
        for piece in [1, 7, 64 * 1024] {
            let (mut world, client) = app(dialect, piece);
            world.tell(client, enqueue("ping"));
            world.tell(client, ClientCommand::Write { call: CALL, chunk: "hello".into() });
            world.tell(client, ClientCommand::Close { call: CALL });
            let (bytes, end) = answer(world.heard(client));
            assert_eq!((&bytes[..], end), (&b"hello"[..], closed()), "dialect {dialect}, pieces of {piece}");
            assert_eq!(world.spawned, 1);
        }
    }
}

#[test]
fn a_large_stream_comes_back_whole() {
    let (mut world, client) = app(1, 10_000);
    world.tell(client, enqueue("echo"));
    let mut sent = Vec::new();
    let mut received = Vec::new();
    for number in 0..100_u8 {
        let chunk = Bytes::from(vec![number; 40_000]);
        sent.extend_from_slice(&chunk);
        world.tell(client, ClientCommand::Write { call: CALL, chunk });
        let (bytes, end) = answer(world.heard(client));
        assert_eq!(end, None);
        received.extend_from_slice(&bytes);
        world.tell(client, ClientCommand::Consumed { call: CALL, bytes: usize::MAX });
    }
    world.tell(client, ClientCommand::Close { call: CALL });
    let (bytes, end) = answer(world.heard(client));
    received.extend_from_slice(&bytes);
    assert!(received == sent);
    assert_eq!(end, closed());
}

#[test]
fn errors_of_a_handler_reach_the_caller_with_their_code() {
    for (dialect, event, code) in [(1, "error", (42, 42)), (0, "error", (42, 42)), (1, "none", (42, 200))] {
        let (mut world, client) = app(dialect, 100);
        world.tell(client, enqueue(event));
        let (_, end) = answer(world.heard(client));
        assert!(
            matches!(&end, Some(End::Failed(failure)) if failure.code == ErrorCode::new(code.0, code.1)),
            "{end:?}"
        );
    }
}

#[test]
fn a_worker_that_dies_is_an_error_for_its_caller_and_replaced() {
    let (mut world, client) = app(1, 1000);
    world.tell(client, enqueue("crash"));
    let (_, end) = answer(world.heard(client));
    assert!(matches!(&end, Some(End::Failed(failure)) if failure.code == codes::CONTROL_IPC), "{end:?}");
    world.tell(client, enqueue("ping"));
    world.tell(client, ClientCommand::Write { call: CALL, chunk: "x".into() });
    world.pass(Duration::from_secs(2));
    assert_eq!(answer(world.heard(client)), (b"x".to_vec(), closed()));
    assert_eq!(world.spawned, 2);
}

#[test]
fn an_idle_connection_and_its_heartbeats_live_for_hours() {
    let (mut world, client) = app(1, 3);
    world.tell(client, enqueue("hang"));
    world.pass(Duration::from_secs(2 * 3600));
    assert_eq!(answer(world.heard(client)), (Vec::new(), None));
    assert_eq!((world.spawned, world.workers.len()), (1, 1));
}

#[test]
fn a_caller_that_cancels_or_leaves_frees_its_worker() {
    let (mut world, client) = app(1, 1000);
    for _ in 0..10 {
        world.tell(client, enqueue("echo"));
        world.tell(client, ClientCommand::Cancel { call: CALL });
        assert!(world.heard(client).is_empty());
    }
    let running: usize = world.workers.values().map(|process| process.session.machine.running()).sum();
    assert_eq!(running, 0, "the handler was told");
    world.tell(client, enqueue("echo"));
    let invoked: usize = world.workers.values().map(|process| process.app.invoked).sum();
    assert_eq!(invoked, 11);
    let mut gone = world.clients.remove(client);
    gone.leave(&mut world.net);
    world.settle();
    let running: usize = world.workers.values().map(|process| process.session.machine.running()).sum();
    assert_eq!(running, 0);
}

#[test]
fn stopping_the_app_lets_its_worker_say_goodbye_and_tells_the_caller() {
    let (mut world, client) = app(1, 1000);
    world.tell(client, enqueue("hang"));
    world.command(EngineCommand::Stop);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.engine.notices.last(), Some(&EngineNotice::Stopped));
    assert!(world.workers.is_empty());
    let (_, end) = answer(world.heard(client));
    assert!(matches!(&end, Some(End::Failed(Failure { code: codes::APP_STOPPED, .. }))), "{end:?}");
    world.tell(client, enqueue("ping"));
    world.pass(Duration::from_secs(1));
    let (_, end) = answer(world.heard(client));
    assert!(matches!(end, Some(End::Broken(CallError::Unreachable { .. }))), "{end:?}");
}

#[test]
fn the_idle_worker_of_a_sealed_pool_exits_by_agreement() {
    let (mut world, client) = app(1, 1000);
    world.tell(client, enqueue("ping"));
    world.tell(client, ClientCommand::Write { call: CALL, chunk: "x".into() });
    assert_eq!(answer(world.heard(client)).1, closed());
    world.command(EngineCommand::Stop);
    assert_eq!(world.engine.notices.last(), Some(&EngineNotice::Stopped), "nothing has to be waited for");
}

#[test]
fn a_call_with_a_deadline_ends_even_if_every_worker_dies() {
    let (mut world, client) = app(1, 1000);
    let args = Value::array(["hang"]).to_vec().into();
    let deadline = Deadline::Announced(Duration::from_secs(3));
    let command =
        ClientCommand::Call { call: CALL, method: "enqueue".into(), args, headers: Vec::new(), deadline };
    world.tell(client, command);
    let worker = *world.workers.keys().next().expect("a worker");
    world.crash(worker, ExitStatus::Signal(9));
    world.pass(Duration::from_secs(3));
    let (_, end) = answer(world.heard(client));
    assert!(matches!(end, Some(End::Failed(_) | End::Broken(_))), "{end:?}");
}

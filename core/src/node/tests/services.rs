//! Locator, storage and logging, method by method.

use super::{Lab, code, done, error, frame, text};
use crate::engine::EngineNotice;
use crate::machine::{CloseReason, Endpoint, EngineId, Severity};
use crate::node::{NodeCommand, NodeNotice, ServiceKind};
use crate::wire::{Graph, Value, protocols};

fn raw(text: &str) -> Value {
    Value::from(text)
}

#[test]
fn resolve_gives_endpoints_version_and_methods_as_three_values() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    for (channel, kind) in (1..).zip(ServiceKind::ALL) {
        let (_, message, args) = lab.ask(locator, channel, 0, &[raw(kind.default_name())]);
        let args = args.as_array().unwrap().to_vec();
        assert_eq!((message, args.len()), (0, 3));
        let pair = args[0].as_array().unwrap()[0].as_array().unwrap().to_vec();
        assert_eq!(pair[0], raw("127.0.0.1"));
        assert_ne!(pair[1], Value::Uint(0));
        assert_eq!(args[1], Value::from(u64::from(kind.protocol().version)));
        let mut expected = Vec::new();
        kind.protocol().encode(&mut expected);
        assert_eq!(args[2].to_vec(), expected);
    }
    let answer = lab.ask(locator, 9, 0, &[raw("locator"), raw("seed")]);
    assert_eq!(answer.2.as_array().unwrap()[0].to_vec(), b"\x91\x92\xa9127.0.0.1\xcd\x27\x45");
}

#[test]
fn services_defect_16_an_unknown_name_gets_the_text_that_clients_compare() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 0, &[raw("nobody")]).2, error(10, 1, "service is not available"));
    assert_eq!(
        lab.ask(locator, 2, 0, &[raw("nobody"), raw("seed")]).2,
        error(10, 1, "service is not available")
    );
}

#[test]
fn apps_are_resolved_while_they_are_published_and_only_then() {
    let mut lab = Lab::with_echo();
    let (locator, node) = (lab.client(ServiceKind::Locator), lab.client(ServiceKind::Node));
    lab.call(node, 1, 0, &[raw("echo"), raw("default")]);
    assert_eq!(code(&lab.ask(locator, 1, 0, &[raw("echo")])), (10, 1));
    let v4 = Endpoint::Tcp(([127, 0, 0, 1], 7).into());
    lab.engine_says(1, EngineNotice::Published { endpoints: vec![v4] });
    let (_, _, args) = lab.ask(locator, 2, 0, &[raw("echo")]);
    assert_eq!(args.as_array().unwrap()[0].to_vec(), b"\x91\x92\xa9127.0.0.1\x07");
    assert_eq!(args.as_array().unwrap()[1], Value::Uint(1));
    let graph = Graph::decode(&args.as_array().unwrap()[2].to_vec()).unwrap();
    assert_eq!(graph.methods().count(), protocols::APP.methods.len());
    lab.engine_says(1, EngineNotice::Unpublished);
    assert_eq!(code(&lab.ask(locator, 3, 0, &[raw("echo")])), (10, 1));
}

#[test]
fn services_defect_34_an_app_is_withdrawn_however_it_ends() {
    let gone = [
        NodeCommand::FromEngine { engine: EngineId::new(1), notice: EngineNotice::Stopped },
        NodeCommand::EngineGone { engine: EngineId::new(1) },
    ];
    for end in gone {
        let mut lab = Lab::with_echo();
        let (locator, node) = (lab.client(ServiceKind::Locator), lab.client(ServiceKind::Node));
        lab.call(node, 1, 0, &[raw("echo"), raw("default")]);
        lab.engine_starts(1);
        assert_eq!(lab.ask(locator, 1, 0, &[raw("echo")]).1, 0);
        lab.command(end);
        assert_eq!(code(&lab.ask(locator, 2, 0, &[raw("echo")])), (10, 1));
    }
}

#[test]
fn connect_closes_its_stream_at_once_for_there_is_no_cluster() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 1, &[raw("uuid")]), (1, 2, Value::Array(vec![])));
}

#[test]
fn refresh_cluster_and_uuid() {
    let mut lab = Lab::with(|config| config.uuid = Some("65f9".into()));
    lab.command(NodeCommand::Start);
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 2, &[Value::array([raw("g")])]), done(1));
    assert_eq!(lab.ask(locator, 2, 2, &[Value::Array(vec![])]), done(2));
    assert_eq!(code(&lab.ask(locator, 3, 2, &[raw("g")])), (7, 2));
    lab.send(locator, &frame(4, 3, &[]));
    assert_eq!(lab.bytes(locator), b"\x93\x04\x00\x91\x80");
    assert_eq!(lab.ask(locator, 5, 6, &[]).2, Value::array([raw("65f9")]));
}

#[test]
fn a_node_without_a_uuid_makes_one_of_its_seed() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    let (_, _, uuid) = lab.ask(locator, 1, 6, &[]);
    assert_eq!(uuid.as_array().unwrap()[0].as_str(), Some(lab.node.uuid()));
    assert_eq!(lab.node.uuid().len(), 36);
    assert_ne!(lab.node.uuid(), Lab::with(|config| config.seed = [4; 32]).node.uuid());
}

fn publish_args(version: u64) -> Vec<Value> {
    let endpoint = Value::array([raw("192.0.2.1"), Value::Uint(80)]);
    let graph = Value::Map(vec![]);
    vec![raw("ext"), Value::array([endpoint]), Value::array([Value::from(version), graph])]
}

#[test]
fn a_published_service_is_a_lease_that_only_gateways_see() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 4, &publish_args(1)), done(1));
    assert_eq!(lab.ask(locator, 2, 4, &publish_args(2)[..2]), done(2));
    let leases: Vec<_> = lab.node.leases().iter().cloned().collect();
    assert_eq!(leases[0].endpoints, [([192, 0, 2, 1], 80).into()]);
    assert_eq!(leases.iter().map(|lease| lease.protocol.is_some()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(code(&lab.ask(locator, 3, 0, &[raw("ext")])), (10, 1));
    lab.call(locator, 1, 0, &[]);
    assert_eq!(lab.node.leases().iter().count(), 1, "discarded");
    lab.hang_up(locator);
    assert_eq!(lab.node.leases().iter().count(), 0);
}

#[test]
fn bad_publications_are_refused() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(locator, 1, 4, &publish_args(0)).2, error(10, 3, "missing protocol version"));
    let host = Value::array([Value::array([raw("localhost"), Value::Uint(80)])]);
    assert_eq!(code(&lab.ask(locator, 2, 4, &[raw("ext"), host])), (7, 2));
    let port = Value::array([Value::array([raw("::1"), Value::Uint(70_000)])]);
    assert_eq!(code(&lab.ask(locator, 3, 4, &[raw("ext"), port])), (7, 2));
    let mut args = publish_args(1);
    args[2] = raw("no");
    assert_eq!(code(&lab.ask(locator, 4, 4, &args)), (7, 2));
    assert_eq!(lab.node.leases().iter().count(), 0);
}

#[test]
fn routing_writes_an_empty_map_at_once_and_stays_open() {
    let mut lab = Lab::serving();
    let locator = lab.client(ServiceKind::Locator);
    lab.call(locator, 5, 5, &[raw("router"), Value::Bool(true)]);
    assert_eq!(lab.bytes(locator), b"\x93\x05\x00\x91\x80");
    lab.call(locator, 5, 0, &[]);
    assert_eq!(lab.frames(locator), [(5, 2, Value::Array(vec![]))], "discarded");
    lab.call(locator, 6, 5, &[raw("router")]);
    lab.frames(locator);
    lab.command(NodeCommand::Shutdown { within: core::time::Duration::from_secs(5) });
    assert_eq!(lab.frames(locator), [(6, 2, Value::Array(vec![]))], "the end is said");
    assert_eq!(lab.closed(locator), Some(&CloseReason::Stopping));
    assert!(matches!(lab.notices.pop(), Some(NodeNotice::Stopped)));
}

#[test]
fn storage_writes_reads_finds_and_removes() {
    let mut lab = Lab::serving();
    let storage = lab.client(ServiceKind::Storage);
    let key = || [raw("things"), raw("one")];
    let write = [key().to_vec(), vec![raw("value"), Value::array([raw("tag")])]].concat();
    assert_eq!(lab.ask(storage, 1, 1, &write), done(1));
    assert_eq!(lab.ask(storage, 2, 1, &write[..3]), done(2), "tags may be missing");
    assert_eq!(lab.ask(storage, 3, 0, &key()).2, Value::array([raw("value")]));
    let find = [raw("things"), Value::array([raw("tag")])];
    assert_eq!(lab.ask(storage, 4, 3, &find).2, Value::array([Value::array([raw("one")])]));
    assert_eq!(lab.ask(storage, 5, 2, &key()), done(5));
    assert_eq!(lab.ask(storage, 6, 2, &key()), done(6), "absent is success");
    assert_eq!(lab.ask(storage, 7, 3, &find).2, Value::array([Value::Array(vec![])]));
}

#[test]
fn storage_errors_carry_errno_in_the_generic_category() {
    let mut lab = Lab::serving();
    let storage = lab.client(ServiceKind::Storage);
    assert_eq!(lab.ask(storage, 1, 0, &[raw("c"), raw("k")]).2, error(12, 2, "no c/k"));
    let full = [raw("c"), raw("full"), raw("value")];
    assert_eq!(lab.ask(storage, 2, 1, &full).2, error(12, 28, "no space left"));
    let answer = lab.ask(storage, 3, 0, &[raw("c")]);
    assert_eq!(answer.2, error(7, 2, "argument 1: expected a string, found nothing"));
    assert_eq!(code(&lab.ask(storage, 4, 1, &[raw("c"), raw("k"), Value::Uint(1)])), (7, 2));
    assert_eq!(code(&lab.ask(storage, 5, 3, &[raw("c"), raw("tag")])), (7, 2));
    assert_eq!(code(&lab.ask(storage, 6, 4, &[])), (7, 5));
    assert_eq!(lab.closed(storage), None);
}

#[test]
fn an_unanswered_operation_holds_nobody_else_up_and_its_caller_may_leave() {
    let mut lab = Lab::serving();
    lab.hold_stores = true;
    let (one, two) = (lab.client(ServiceKind::Storage), lab.client(ServiceKind::Storage));
    lab.call(one, 1, 1, &[raw("c"), raw("k"), raw("v")]);
    lab.hang_up(one);
    lab.call(two, 1, 0, &[raw("c"), raw("k")]);
    lab.answer_stores();
    assert_eq!(lab.frames(two), [(1, 0, Value::array([raw("v")]))], "the write was done");
    assert_eq!(lab.frames(one), []);
}

#[test]
fn a_client_with_too_many_bytes_under_way_is_not_read() {
    let mut lab = Lab::with(|config| config.limits.soft_bytes = 1000);
    lab.command(NodeCommand::Start);
    lab.hold_stores = true;
    let storage = lab.client(ServiceKind::Storage);
    let blob = Value::from("x".repeat(900));
    lab.call(storage, 1, 1, &[raw("c"), raw("k"), blob]);
    lab.call(storage, 2, 2, &[raw("c"), raw("k")]);
    assert!(lab.unread(storage) > 0);
    assert_eq!(lab.stores.len(), 1);
    lab.answer_stores();
    assert_eq!(lab.unread(storage), 0);
    lab.answer_stores();
    assert_eq!(lab.frames(storage), [done(1), done(2)]);
}

#[test]
fn emit_is_never_answered_and_becomes_a_record() {
    let mut lab = Lab::serving();
    let logging = lab.client(ServiceKind::Logging);
    lab.logs.clear();
    lab.call(logging, 1, 0, &[Value::Uint(2), raw("app/echo"), raw("three arguments")]);
    let attributes = Value::array([Value::array([raw("n"), Value::Int(-3)])]);
    lab.call(logging, 2, 0, &[Value::Uint(3), raw("app/echo"), raw("four"), attributes]);
    assert_eq!(lab.frames(logging), []);
    assert_eq!(lab.logs[0].severity, Severity::Warning);
    assert_eq!((&*lab.logs[0].source, &*lab.logs[0].message), ("app/echo", "three arguments"));
    assert_eq!(lab.logs[1].attributes, [("n".to_owned(), Value::Int(-3))]);
}

#[test]
fn a_bad_emit_is_not_answered_either_but_logged() {
    let mut lab = Lab::serving();
    let logging = lab.client(ServiceKind::Logging);
    lab.logs.clear();
    let bad: [&[Value]; 4] =
        [&[], &[raw("x")], &[Value::Uint(1), raw("s")], &[Value::Uint(1), raw("s"), raw("m"), raw("a")]];
    for (channel, args) in (1..).zip(bad) {
        lab.call(logging, channel, 0, args);
    }
    assert_eq!(lab.frames(logging), []);
    assert_eq!(lab.logs.len(), 4);
    assert!(lab.log_says("argument 0: expected an integer"));
    assert_eq!(lab.ask(logging, 9, 1, &[]).1, 0, "the connection is as good as before");
}

#[test]
fn services_0_12_set_verbosity_is_bound_and_filters() {
    let mut lab = Lab::serving();
    let logging = lab.client(ServiceKind::Logging);
    assert_eq!(lab.ask(logging, 1, 1, &[]).2, Value::array([Value::Uint(0)]));
    assert_eq!(lab.ask(logging, 2, 2, &[Value::Uint(2)]), done(2));
    assert_eq!(lab.ask(logging, 3, 1, &[]).2, Value::array([Value::Uint(2)]));
    lab.logs.clear();
    for level in 0..4 {
        lab.call(logging, 10 + level, 0, &[Value::Uint(level), raw("s"), raw("m")]);
    }
    let seen: Vec<Severity> = lab.logs.iter().map(|record| record.severity).collect();
    assert_eq!(seen, [Severity::Warning, Severity::Error]);
    let answer = lab.ask(logging, 20, 2, &[Value::Uint(4)]);
    assert_eq!(code(&answer), (7, 2));
    assert!(text(&answer).contains("0 debug, 1 info, 2 warning or 3 error"));
    assert_eq!(code(&lab.ask(logging, 21, 3, &[])), (7, 5));
}

//! What every service does with frames, good and bad.

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::{Lab, code, done, error, frame};
use crate::machine::{CloseReason, Input};
use crate::node::{NodeCommand, ServiceKind};
use crate::wire::v1::message::{GOAWAY, PING, REVOKE, SETTINGS};
use crate::wire::{Header, Value, v1};

#[test]
fn unknown_methods_and_bad_arguments_cost_one_channel_and_no_connection() {
    for kind in ServiceKind::ALL {
        let mut lab = Lab::serving();
        let conn = lab.client(kind);
        for (channel, message) in [(1, 99), (2, SETTINGS), (3, GOAWAY), (4, 65_000)] {
            let text = format!("message {message} does not exist here");
            assert_eq!(lab.ask(conn, channel, message, &[]).2, error(7, 5, &text), "{kind:?}");
        }
        let ids = kind.protocol().methods.iter().map(|method| method.id).filter(|id| *id != 4);
        let takes_some =
            |id: &u32| !matches!((kind, *id), (ServiceKind::Locator, 3 | 6) | (ServiceKind::Node, 2));
        let takes_some = ids.filter(takes_some).filter(|id| kind != ServiceKind::Logging || *id == 2);
        for (channel, id) in (10..).zip(takes_some) {
            assert_eq!(code(&lab.ask(conn, channel, id, &[Value::Nil])), (7, 2), "{kind:?} {id}");
        }
        assert_eq!(lab.closed(conn), None);
        assert_eq!(lab.ask(conn, 100, PING, &[]), done(100));
    }
}

#[test]
fn ping_and_revoke_are_answered_on_every_service() {
    for kind in ServiceKind::ALL {
        let mut lab = Lab::serving();
        let conn = lab.client(kind);
        assert_eq!(lab.ask(conn, 1, PING, &[]), done(1));
        let code_12_22 = Value::array([Value::Uint(12), Value::Uint(22)]);
        assert_eq!(lab.ask(conn, 2, REVOKE, &[Value::Uint(1), code_12_22]), done(2), "nothing to revoke");
        assert_eq!(code(&lab.ask(conn, 3, REVOKE, &[Value::Uint(1)])), (7, 2));
    }
}

#[test]
fn a_revoked_call_is_not_answered() {
    let mut lab = Lab::serving();
    lab.hold_stores = true;
    let conn = lab.client(ServiceKind::Storage);
    lab.call(conn, 1, 0, &["c".into(), "k".into()]);
    let reason = Value::array([Value::Uint(12), Value::Uint(22)]);
    assert_eq!(lab.ask(conn, 2, REVOKE, &[Value::Uint(1), reason]), done(2));
    lab.answer_stores();
    assert_eq!(lab.frames(conn), []);
}

#[test]
fn frames_on_finished_channels_are_ignored() {
    let mut lab = Lab::serving();
    let conn = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(conn, 5, 6, &[]).1, 0);
    for (channel, message) in [(5, 0), (5, 2), (4, 6), (1, 99)] {
        lab.call(conn, channel, message, &[]);
    }
    assert_eq!(lab.frames(conn), []);
    assert_eq!(lab.ask(conn, 6, 6, &[]).1, 0);
}

#[test]
fn what_breaks_the_framing_closes_the_connection_and_no_other() {
    let bad_headers = b"\x94\x01\x06\x90\x91\xcd\x03\xe8";
    let faults: [&[u8]; 7] = [
        &frame(0, 6, &[]),
        b"\x93\xcf\x00\x00\x00\x02\x00\x00\x00\x00\x01\x90",
        b"\xc1",
        b"\x92\x01\x06",
        b"\x93\x01\x06\xa1x",
        bad_headers,
        b"\xdf\xff\xff\xff\xff",
    ];
    for fault in faults {
        let mut lab = Lab::serving();
        let (bad, good) = (lab.client(ServiceKind::Locator), lab.client(ServiceKind::Locator));
        lab.send(bad, fault);
        match fault.get(1) {
            // The twelve bytes that killed an original: a channel above all 32-bit numbers is a channel.
            Some(0xcf) => assert_eq!(lab.closed(bad), None),
            _ => assert!(matches!(lab.closed(bad), Some(CloseReason::Fault(_))), "{fault:02x?}"),
        }
        assert_eq!(lab.ask(good, 1, 6, &[]).1, 0);
        assert_eq!(lab.client(ServiceKind::Node).generation(), 0);
    }
}

#[test]
fn headers_of_every_frame_enter_the_table_even_when_nobody_looks_at_them() {
    let mut lab = Lab::serving();
    let conn = lab.client(ServiceKind::Locator);
    // Stored in the table by a frame on a finished channel, used by index in the next call.
    assert_eq!(lab.ask(conn, 2, 6, &[]).1, 0);
    lab.send(conn, b"\x94\x01\x06\x90\x91\x93\xc3\xa4name\xa5value");
    lab.send(conn, b"\x94\x03\x06\x90\x91\x53");
    let frames = lab.frames(conn);
    assert_eq!((frames.len(), frames[0].0, frames[0].1), (1, 3, 0));
    assert_eq!(lab.closed(conn), None);
    lab.send(conn, b"\x94\x04\x06\x90\x91\x54");
    assert!(matches!(lab.closed(conn), Some(CloseReason::Fault(_))), "no such entry");
}

#[test]
fn headers_of_calls_are_accepted_by_every_method() {
    let mut lab = Lab::serving();
    let conn = lab.client(ServiceKind::Storage);
    let mut bytes = Vec::new();
    let header = Header { name: b"authorization"[..].into(), value: b""[..].into() };
    v1::frame_with_headers(&mut bytes, 1, 0, &[header], |out| {
        Value::array([Value::from("c"), Value::from("k")]).encode(out);
    });
    lab.send(conn, &bytes);
    assert_eq!(code(&lab.frames(conn)[0]), (12, 2));
}

#[test]
fn the_channels_of_a_connection_are_bounded_and_freed() {
    let mut lab = Lab::with(|config| config.limits.wire.channels = 2);
    lab.command(NodeCommand::Start);
    lab.hold_stores = true;
    let conn = lab.client(ServiceKind::Storage);
    for channel in 1..=3 {
        lab.call(conn, channel, 0, &["c".into(), "k".into()]);
    }
    let refused = lab.frames(conn);
    assert_eq!((refused.len(), refused[0].0, code(&refused[0])), (1, 3, (20_991, 2)));
    lab.answer_stores();
    assert_eq!(lab.frames(conn).len(), 2);
    lab.hold_stores = false;
    assert_eq!(code(&lab.ask(conn, 4, 0, &["c".into(), "k".into()])), (12, 2));
}

#[test]
fn the_connections_of_a_node_are_bounded() {
    let mut lab = Lab::with(|config| config.connections = 2);
    lab.command(NodeCommand::Start);
    let first = lab.client(ServiceKind::Locator);
    lab.client(ServiceKind::Node);
    let third = lab.client(ServiceKind::Locator);
    assert!(matches!(lab.closed(third), Some(CloseReason::Fault(_))));
    lab.hang_up(first);
    let fourth = lab.client(ServiceKind::Locator);
    assert_eq!(lab.ask(fourth, 1, 6, &[]).1, 0);
}

#[test]
fn a_client_that_reads_nothing_is_not_read_either() {
    let mut lab = Lab::with(|config| config.limits.soft_bytes = 4096);
    lab.command(NodeCommand::Start);
    let conn = lab.client(ServiceKind::Locator);
    lab.stick(conn);
    let calls: Vec<u8> = (1..5000).flat_map(|channel| frame(channel, 6, &[])).collect();
    for part in calls.chunks(1000) {
        lab.send(conn, part);
    }
    assert!(lab.unread(conn) > 10_000, "{}", lab.unread(conn));
    lab.unstick(conn);
    assert_eq!(lab.unread(conn), 0);
    assert_eq!(lab.frames(conn).len(), 4999);
}

#[test]
fn services_defect_18_a_client_that_hangs_up_unread_is_still_heard_out() {
    let mut lab = Lab::with(|config| config.limits.soft_bytes = 100);
    lab.command(NodeCommand::Start);
    lab.hold_stores = true;
    let conn = lab.client(ServiceKind::Storage);
    lab.call(conn, 1, 1, &["c".into(), "a".into(), "x".into()]);
    lab.call(conn, 2, 1, &["c".into(), "b".into(), "y".into()]);
    assert!(lab.unread(conn) > 0, "held back by the first");
    lab.input(Input::HungUp { conn });
    lab.answer_stores();
    lab.answer_stores();
    assert_eq!(lab.stored.len(), 2, "both were written");
    assert!(lab.frames(conn).iter().all(|frame| frame.0 == 2), "what was asked before is for nobody");
}

/// Bytes that look like frames more often than noise does.
#[derive(Clone, Debug)]
struct Junk(Vec<Vec<u8>>);

impl Arbitrary for Junk {
    fn arbitrary(g: &mut Gen) -> Self {
        let pieces = (0..1 + usize::arbitrary(g) % 12).map(|_| piece(g));
        Self(pieces.collect())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        Box::new(self.0.shrink().map(Self))
    }
}

fn piece(g: &mut Gen) -> Vec<u8> {
    let words = ["echo", "default", "storage", "", "../x", "locator"];
    let value = |g: &mut Gen| match u8::arbitrary(g) % 7 {
        0 => Value::Nil,
        1 => Value::from(u64::arbitrary(g) % 8),
        2 => Value::Int(-1),
        3 => Value::array([Value::from("x")]),
        4 => Value::Map(vec![(Value::Uint(1), Value::Nil)]),
        _ => Value::from(*g.choose(&words).unwrap()),
    };
    let args: Vec<Value> = (0..u8::arbitrary(g) % 4).map(|_| value(g)).collect();
    let message = *g.choose(&[0, 1, 2, 3, 4, 5, 6, 7, PING, REVOKE]).unwrap();
    let mut bytes = frame(u64::arbitrary(g) % 9, message, &args);
    match u8::arbitrary(g) % 10 {
        0 => Vec::arbitrary(g),
        1 => {
            bytes.truncate(usize::arbitrary(g) % bytes.len());
            bytes
        }
        _ => bytes,
    }
}

#[test]
fn no_bytes_on_any_service_harm_the_node_or_its_other_clients() {
    fn survives(junk: Vec<(u8, Junk)>) -> bool {
        let mut lab = Lab::with_echo();
        let good = lab.client(ServiceKind::Locator);
        for (kind, Junk(pieces)) in junk {
            let conn = lab.client(ServiceKind::ALL[usize::from(kind) % 4]);
            for piece in pieces {
                if lab.closed(conn).is_none() {
                    lab.send(conn, &piece);
                }
                lab.answer_stores();
            }
            if kind % 3 == 0 && lab.closed(conn).is_none() {
                lab.hang_up(conn);
            }
        }
        let resolved = lab.ask(good, 1, 0, &["storage".into()]);
        let wait = core::time::Duration::from_secs(1);
        lab.command(NodeCommand::Shutdown { within: wait });
        lab.now = lab.now + wait + wait;
        lab.input(Input::Timeout);
        resolved.1 == 0 && matches!(lab.notices.last(), Some(crate::node::NodeNotice::Stopped))
    }
    QuickCheck::new().tests(400).quickcheck(survives as fn(Vec<(u8, Junk)>) -> bool);
}

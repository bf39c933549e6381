//! Who is a worker, and who only says so.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cocaine_core::wire::{Dialect, codes, v0, v1};

use super::super::app::AppSpec;
use super::super::journal::PATIENCE;
use super::super::node::Node;
use super::super::peer::{Got, Peer, frame};
use super::super::stage::{SUBJECT, Stage};
use super::super::{Binaries, skipped};

/// Nobody's user and group: any id that is not ours would do.
const NOBODY: u32 = 65_534;

fn handshake(dialect: Dialect, uuid: &str) -> Vec<u8> {
    match dialect {
        Dialect::V1 => frame(dialect, v1::CONTROL_CHANNEL, v1::message::HANDSHAKE, &[uuid.into()]),
        Dialect::V0 => frame(dialect, v0::CONTROL_SESSION, v0::message::HANDSHAKE, &[uuid.into()]),
    }
}

/// Connects to the workers' socket, says something, and must be hung up on without an answer.
fn is_refused(socket: &Path, dialect: Dialect, bytes: &[u8]) {
    let mut peer = Peer::unix(socket, dialect).expect("the socket is there");
    // It may be closed before all of it is sent.
    let _ = peer.raw(bytes);
    match peer.next(PATIENCE) {
        Got::End => {}
        other => panic!("it should have been refused: {other:?}"),
    }
}

/// A process of our own user that knows the uuid of a live worker is no worker, in neither dialect.
pub fn a_stranger_who_knows_the_uuid(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    client.echoes("before");
    let stream = client.enqueue("echo");
    let (_, uuid) = stage.subject().worker(1);
    let socket = stage.node.worker_socket(SUBJECT);
    for dialect in [Dialect::V1, Dialect::V0] {
        is_refused(&socket, dialect, &handshake(dialect, &uuid));
        is_refused(&socket, dialect, &handshake(dialect, "00000000-0000-4000-8000-000000000000"));
        is_refused(&socket, dialect, b"hello\n");
    }
    client.write(stream, "the worker is still the worker");
    assert_eq!(client.chunk(stream), "the worker is still the worker");
    assert_eq!(stage.subject().journal.count("disconnected"), 0);
    stage.node.log.contains("that is not");
    stage.nobody_noticed();
}

/// The same uuid before its worker has introduced itself: the worker itself is still welcome.
pub fn a_stranger_cannot_come_first(binaries: &Binaries) {
    let stage = Stage::new(binaries, "no-heartbeat", r#"{"startup-timeout": 60, "kill-timeout": 0.1}"#);
    let mut client = stage.client();
    let _waiting = client.enqueue("echo");
    let (_, uuid) = stage.subject().worker(1);
    let socket = stage.node.worker_socket(SUBJECT);
    let mut both = handshake(Dialect::V1, &uuid);
    both.extend(frame(Dialect::V1, 1, 0, &[]));
    is_refused(&socket, Dialect::V1, &both);
    stage.subject().journal.line("connected");
    assert_eq!(stage.subject().journal.count("invoke"), 0);
}

/// A worker that connects twice: the second connection is refused, the first goes on.
pub fn a_second_handshake_of_the_same_worker(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut client = stage.client();
    assert_eq!(client.request("twice", "").text(), "refused");
    client.echoes("the first connection goes on");
    assert_eq!(stage.subject().journal.count("start "), 1);
    stage.nobody_noticed();
}

/// The workers' socket and its directory are closed to other users.
pub fn another_user_cannot_connect(binaries: &Binaries) {
    if !rustix::process::geteuid().is_root() {
        return skipped("another_user_cannot_connect", "only root can be somebody else");
    }
    let mut stage = Stage::serving(binaries);
    stage.client().echoes("before");
    let socket = stage.node.worker_socket(SUBJECT);
    let mut command = Command::new("sh");
    // Whichever tool is there; each fails if the socket cannot be opened.
    command.args(["-c", "test -w \"$0\""]).arg(&socket).uid(NOBODY).gid(NOBODY).stdin(Stdio::null());
    assert!(!command.status().expect("a shell").success(), "{} is open to everybody", socket.display());
    stage.nobody_noticed();
}

/// Workers may run as another user; then even ours, who knows the uuid, is a stranger.
pub fn workers_of_another_user(binaries: &Binaries) {
    if !rustix::process::geteuid().is_root() {
        return skipped("workers_of_another_user", "only root can start processes of somebody else");
    }
    let program = std::env::current_exe().expect("our own path");
    let reachable =
        Command::new(&program).arg("--list").uid(NOBODY).gid(NOBODY).stdout(Stdio::null()).status();
    if !reachable.is_ok_and(|status| status.success()) {
        return skipped("workers_of_another_user", "other users cannot run this test program where it is");
    }
    let profile =
        format!(r#"{{"isolate": {{"type": "process", "args": {{"uid": {NOBODY}, "gid": {NOBODY}}}}}}}"#);
    let mut stage = Stage::new(binaries, "serve", &profile);
    let mut client = stage.client();
    let status = client.request("file", "/proc/self/status").text();
    assert!(status.contains(&format!("Uid:\t{NOBODY}\t{NOBODY}")), "{status}");
    let (_, uuid) = stage.subject().worker(1);
    is_refused(&stage.node.worker_socket(SUBJECT), Dialect::V1, &handshake(Dialect::V1, &uuid));
    client.echoes("after");
    stage.nobody_noticed();
}

/// Workers of both dialects serve side by side on one socket; what a worker is told does not decide it.
pub fn both_dialects_on_one_socket(binaries: &Binaries) {
    let node = Node::with(
        binaries,
        &[AppSpec::serving(SUBJECT).profile(r#"{"pool-limit": 2, "concurrency": 1, "queue-limit": 0}"#)],
    );
    let mut client = node.client(SUBJECT);
    let first = client.enqueue("echo");
    client.write(first, "newer");
    assert_eq!(client.chunk(first), "newer");
    node.app(SUBJECT).set_plan("serve v0");
    let second = client.enqueue("echo");
    client.write(second, "older");
    assert_eq!(client.chunk(second), "older");
    for channel in [first, second] {
        client.close(channel);
        assert_eq!(client.reply(channel).text(), "");
    }
    assert_eq!(node.app(SUBJECT).journal.count("start "), 2);
    let error = client.request("error", "");
    assert_eq!(error.failed(cocaine_core::wire::ErrorCode::new(42, 200)), "there is no such thing");
}

/// A worker of the older dialect: streams, its own errors, a client that leaves, a crash.
pub fn a_worker_of_the_older_dialect(binaries: &Binaries) {
    let mut stage = Stage::new(binaries, "serve v0", r#"{"pool-limit": 1, "concurrency": 1}"#);
    let mut client = stage.client();
    client.echoes("like everybody else");
    let arguments = stage.subject().journal.line("arguments ");
    assert!(!arguments.contains("--protocol") && !arguments.contains(','), "{arguments}");
    assert_eq!(client.request("size", "12345").text(), "5");
    client.request("error", "").failed(cocaine_core::wire::ErrorCode::new(42, 200));
    let mut leaving = stage.client();
    let channel = leaving.enqueue("talk");
    leaving.chunk(channel);
    drop(leaving);
    stage.subject().journal.line("input-error ");
    let channel = client.enqueue("crash");
    client.reply(channel).failed(codes::CONTROL_IPC);
    client.echoes("after");
    stage.nobody_noticed();
}

//! A session against a scripted runtime.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::machine::{Endpoint, IoError};
use crate::wire::{Failure, Value, codes};

/// The runtime's side of a session, and time.
struct Runtime {
    session: Session,
    now: Timestamp,
    read: Option<BytesMut>,
    notices: Vec<AppNotice>,
    written: Vec<u8>,
    closed: bool,
}

fn config(protocol: Dialect) -> SessionConfig {
    SessionConfig {
        endpoint: Endpoint::Unix("/run/app.sock".into()),
        uuid: "u-1".into(),
        protocol,
        timeouts: SessionTimeouts::default(),
        limits: SessionLimits::default(),
    }
}

impl Runtime {
    fn new(config: SessionConfig) -> Self {
        let now = Timestamp::from_secs(100);
        let session = Session::new(config, now);
        Self { session, now, read: None, notices: Vec::new(), written: Vec::new(), closed: false }
    }

    /// A session that is connected and has said what it says first.
    fn serving(protocol: Dialect) -> Self {
        let mut runtime = Self::new(config(protocol));
        runtime.input(Input::Connected { conn: ConnId::dialed(0, 0) });
        runtime.frames();
        runtime
    }

    fn input(&mut self, input: Input<AppCommand>) {
        self.session.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Read { buf, .. } => assert!(self.read.replace(buf).is_none(), "one read in flight"),
                Output::Write { conn, batch } => {
                    self.written.extend(batch.to_vec());
                    self.session.handle(self.now, Input::Written { conn, batch });
                }
                Output::Close { .. } => self.closed = true,
                Output::Notice(notice) => self.notices.push(notice),
                Output::Connect { .. } | Output::Log(_) => {}
                other => panic!("a worker does not ask for {other:?}"),
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        let mut buf = self.read.take().expect("the session reads");
        buf.extend_from_slice(bytes);
        self.input(Input::Received { conn: ConnId::dialed(0, 0), buf });
    }

    fn invoke(&mut self, channel: u8) -> StreamKey {
        self.send(&[0x93, channel, 0, 0x91, 0xa4, b'p', b'i', b'n', b'g']);
        match self.notices.pop() {
            Some(AppNotice::Invoke { stream, .. }) => stream,
            other => panic!("no invocation but {other:?}"),
        }
    }

    fn command(&mut self, command: AppCommand) {
        self.input(Input::Command(command));
    }

    /// What was written since the last look.
    fn frames(&mut self) -> Vec<String> {
        let bytes = std::mem::take(&mut self.written);
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (value, after) = Value::decode(rest).expect("whole frames");
            frames.push(value.to_string());
            rest = after;
        }
        frames
    }

    /// Lets time pass, waking the session whenever it wants to be.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.session.next_timeout().filter(|(at, _)| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    fn over(&self) -> Option<&Farewell> {
        match self.notices.last() {
            Some(AppNotice::Over { farewell }) => Some(farewell),
            _ => None,
        }
    }
}

const HEARTBEAT: [u8; 5] = [0x94, 1, 0, 0x90, 0x90];

#[test]
fn handshake_and_first_heartbeat_are_one_write_of_known_bytes() {
    for (protocol, bytes) in [
        (Dialect::V1, &b"\x93\x01\x00\x91\xa3u-1\x93\x01\x00\x90"[..]),
        (Dialect::V0, &b"\x93\x00\x00\x91\xa3u-1\x93\x01\x00\x90"[..]),
    ] {
        let mut session = Session::new(config(protocol), Timestamp::ZERO);
        assert!(matches!(session.poll_output(), Some(Output::Connect { .. })));
        session.handle(Timestamp::ZERO, Input::Connected { conn: ConnId::dialed(0, 0) });
        assert!(matches!(session.poll_output(), Some(Output::Read { .. })));
        match session.poll_output() {
            Some(Output::Write { batch, .. }) => assert_eq!(batch.to_vec(), bytes),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_invocation_is_answered_in_the_frames_of_its_dialect() {
    let mut runtime = Runtime::serving(Dialect::V1);
    runtime.send(
        b"\x94\x02\x00\x91\xa4ping\x91\x93\xc2\xa1k\xa1v\x94\x02\x00\x91\xa5hello\x90\x94\x02\x02\x90\x90",
    );
    let [
        AppNotice::Invoke { stream, event, headers },
        AppNotice::Chunk { data, .. },
        AppNotice::Closed { .. },
    ] = &runtime.notices[..]
    else {
        panic!("{:?}", runtime.notices)
    };
    assert_eq!((&event[..], &data[..]), (&b"ping"[..], &b"hello"[..]));
    assert_eq!(headers[..], [crate::wire::Header::new("k", "v")]);
    let stream = *stream;
    runtime.command(AppCommand::Write { stream, chunk: "one".into() });
    runtime.command(AppCommand::Close { stream });
    assert_eq!(runtime.frames(), [r#"[2, 0, ["one"]]"#, "[2, 2, []]"]);
}

#[test]
fn the_older_dialect_ends_an_error_with_a_choke() {
    let mut runtime = Runtime::serving(Dialect::V0);
    runtime.send(b"\x93\x03\x07\x91\xa4ping\x93\x04\x07\x91\xa2hi\x93\x06\x07\x90");
    let [AppNotice::Invoke { stream, .. }, AppNotice::Chunk { .. }, AppNotice::Closed { .. }] =
        runtime.notices[..]
    else {
        panic!("{:?}", runtime.notices)
    };
    runtime.command(AppCommand::Write { stream, chunk: "hi".into() });
    runtime.command(AppCommand::Fail { stream, failure: Failure::new(HANDLER_FAILED, "oops") });
    assert_eq!(runtime.frames(), [r#"[4, 7, ["hi"]]"#, r#"[5, 7, [100, "oops"]]"#, "[6, 7, []]"]);
}

#[test]
fn nothing_is_written_behind_the_own_end_and_late_frames_are_ignored() {
    let mut runtime = Runtime::serving(Dialect::V1);
    let stream = runtime.invoke(2);
    runtime.command(AppCommand::Fail { stream, failure: Failure::new(codes::EVENT_NOT_FOUND, "no") });
    runtime.command(AppCommand::Write { stream, chunk: "late".into() });
    runtime.command(AppCommand::Close { stream });
    runtime.send(b"\x93\x02\x00\x91\xa4late\x93\x02\x02\x90");
    assert_eq!(runtime.frames(), [r#"[2, 1, [[42, 1], "no"]]"#]);
    assert!(runtime.notices.is_empty(), "{:?}", runtime.notices);
    assert_eq!(runtime.session.running(), 0);
    let next = runtime.invoke(3);
    assert_ne!(next, stream, "a key is never used again");
}

#[test]
fn heartbeats_go_out_on_time_and_are_missed_on_time() {
    let mut runtime = Runtime::serving(Dialect::V1);
    runtime.send(&HEARTBEAT);
    runtime.pass(Duration::from_micros(9_999_999));
    assert!(runtime.frames().is_empty());
    runtime.pass(Duration::from_micros(1));
    assert_eq!(runtime.frames(), ["[1, 0, []]"]);
    runtime.pass(Duration::from_micros(4_999_999));
    assert_eq!(runtime.over(), None);
    runtime.pass(Duration::from_micros(1));
    assert_eq!(runtime.over(), Some(&Farewell::Disowned));
    assert!(runtime.closed);
    assert_eq!(runtime.session.next_timeout(), None);
}

#[test]
fn a_worker_that_did_not_run_itself_looks_before_it_gives_up() {
    let mut runtime = Runtime::serving(Dialect::V1);
    runtime.now = runtime.now + Duration::from_secs(60);
    runtime.input(Input::Timeout);
    assert_eq!(runtime.over(), None);
    runtime.send(&HEARTBEAT);
    runtime.pass(Duration::from_secs(9));
    assert_eq!(runtime.over(), None);
}

#[test]
fn heartbeats_overtake_what_handlers_write() {
    let mut runtime = Runtime::serving(Dialect::V1);
    runtime.send(&HEARTBEAT);
    let stream = runtime.invoke(2);
    let session = &mut runtime.session;
    for _ in 0..4 {
        let chunk = Bytes::from(vec![0; 400_000]);
        session.handle(runtime.now, Input::Command(AppCommand::Write { stream, chunk }));
    }
    session.handle(runtime.now + Duration::from_secs(10), Input::Timeout);
    runtime.drain();
    let frames = runtime.frames();
    let beat = frames.iter().position(|frame| frame == "[1, 0, []]").unwrap();
    assert_eq!((frames.len(), beat), (5, 0));
}

#[test]
fn terminate_lets_what_runs_finish_and_is_answered_last() {
    let mut runtime = Runtime::serving(Dialect::V1);
    let stream = runtime.invoke(2);
    runtime.send(b"\x93\x01\x01\x92\x0b\xa4stop");
    assert_eq!(runtime.notices, [AppNotice::Terminating { code: 11, reason: "stop".into() }]);
    assert!(runtime.frames().is_empty());
    runtime.command(AppCommand::Write { stream, chunk: "last".into() });
    runtime.command(AppCommand::Close { stream });
    assert_eq!(runtime.frames(), [r#"[2, 0, ["last"]]"#, "[2, 2, []]", r#"[1, 1, [11, "stop"]]"#]);
    assert!(runtime.closed);
    assert_eq!(runtime.over(), Some(&Farewell::Terminated { code: 11, reason: "stop".into() }));
}

#[test]
fn what_runs_too_long_after_terminate_is_left_behind() {
    let mut runtime = Runtime::serving(Dialect::V0);
    runtime.send(b"\x93\x03\x07\x91\xa4hang\x93\x02\x00\x92\x01\xa3bye");
    runtime.send(b"\x93\x01\x00\x90");
    runtime.pass(Duration::from_micros(4_999_999));
    assert!(runtime.frames().is_empty());
    runtime.pass(Duration::from_micros(1));
    assert_eq!(runtime.frames(), [r#"[2, 0, [1, "bye"]]"#]);
    assert!(matches!(runtime.over(), Some(Farewell::Terminated { code: 1, .. })));
}

#[test]
fn the_worker_itself_may_leave() {
    let mut runtime = Runtime::serving(Dialect::V1);
    let stream = runtime.invoke(2);
    runtime.command(AppCommand::Write { stream, chunk: "x".into() });
    runtime.command(AppCommand::Terminate { code: 2, reason: "broken".into() });
    runtime.command(AppCommand::Write { stream, chunk: "y".into() });
    assert_eq!(runtime.frames(), [r#"[2, 0, ["x"]]"#, r#"[1, 1, [2, "broken"]]"#]);
    assert!(matches!(runtime.over(), Some(Farewell::Terminated { code: 2, .. })));
}

#[test]
fn slow_handlers_stop_the_reading_but_not_the_heart() {
    let mut config = config(Dialect::V1);
    config.limits.unread_bytes = 10;
    let mut runtime = Runtime::new(config);
    runtime.input(Input::Connected { conn: ConnId::dialed(0, 0) });
    let stream = runtime.invoke(2);
    runtime.send(b"\x93\x02\x00\x91\xa80123456789abcdef"[..13].as_ref());
    runtime.send(b"\x93\x02\x00\x91\xa601234567"[..11].as_ref());
    assert!(runtime.read.is_none(), "14 bytes are unread");
    runtime.frames();
    runtime.pass(Duration::from_secs(30));
    assert_eq!(runtime.frames().len(), 3, "heartbeats go on");
    assert_eq!(runtime.over(), None, "an answer that is not read is not missed");
    runtime.command(AppCommand::Consumed { stream, bytes: 8 });
    assert!(runtime.read.is_none());
    runtime.command(AppCommand::Consumed { stream, bytes: 1 });
    assert!(runtime.read.is_some());
    runtime.pass(Duration::from_micros(4_999_999));
    assert_eq!(runtime.over(), None);
    runtime.pass(Duration::from_micros(1));
    assert_eq!(runtime.over(), Some(&Farewell::Disowned), "but now it is");
}

#[test]
fn a_handler_is_told_when_its_window_is_written_and_stopped_when_it_does_not_care() {
    let mut config = config(Dialect::V1);
    config.limits.window_bytes = 100;
    config.limits.unsent_bytes = 150;
    let mut runtime = Runtime::new(config);
    runtime.input(Input::Connected { conn: ConnId::dialed(0, 0) });
    let stream = runtime.invoke(2);
    let write = || Input::Command(AppCommand::Write { stream, chunk: Bytes::from(vec![0; 60]) });
    runtime.input(write());
    assert!(runtime.notices.is_empty());
    runtime.input(write());
    assert_eq!(runtime.notices, [AppNotice::Drained { stream }]);
    for _ in 0..4 {
        runtime.session.handle(runtime.now, write());
    }
    runtime.drain();
    assert!(
        matches!(&runtime.notices[1..], [AppNotice::Refused { failure, .. }] if failure.code == codes::NO_RESOURCES)
    );
    assert_eq!(runtime.session.running(), 0);
}

#[test]
fn a_runtime_that_makes_no_sense_is_left() {
    for (bytes, text) in [
        (&b"\x93\x00\x00\x91\xa1x"[..], "channel 0"),
        (b"\x93\x02\x00\x90", "invoke: argument 0"),
        (b"\xc1", ""),
        (b"\x93\x01\x01\x91\xa1x", "terminate"),
        (b"\x94\x02\x00\x91\xa1x\x91\x7f", ""),
    ] {
        let mut runtime = Runtime::serving(Dialect::V1);
        runtime.send(bytes);
        assert!(
            matches!(runtime.over(), Some(Farewell::Fault(why)) if why.contains(text)),
            "{:?}",
            runtime.over()
        );
        assert!(runtime.closed);
    }
}

#[test]
fn a_first_message_that_is_no_invocation_is_ignored_and_its_channel_is_used_up() {
    let mut runtime = Runtime::serving(Dialect::V1);
    runtime.send(b"\x93\x05\x02\x90\x93\x05\x00\x91\xa4ping");
    assert!(runtime.notices.is_empty());
    runtime.invoke(6);
}

#[test]
fn there_is_one_end_whatever_it_is() {
    let conn = ConnId::dialed(0, 0);
    let mut runtime = Runtime::new(config(Dialect::V1));
    runtime.input(Input::ConnectFailed { conn, error: IoError { errno: 111, text: "refused".into() } });
    assert_eq!(runtime.over(), Some(&Farewell::Unreachable("refused".into())));
    assert!(!runtime.closed, "a connection that was never there is not closed");

    let mut runtime = Runtime::new(config(Dialect::V1));
    runtime.pass(Duration::from_secs(5));
    assert!(matches!(runtime.over(), Some(Farewell::Unreachable(_))));

    let mut runtime = Runtime::serving(Dialect::V1);
    let stream = runtime.invoke(2);
    runtime.input(Input::Disconnected { conn, error: None });
    runtime.input(Input::HungUp { conn });
    runtime.command(AppCommand::Write { stream, chunk: "x".into() });
    assert_eq!(runtime.notices.len(), 1);
    assert!(matches!(runtime.over(), Some(Farewell::Disconnected(_))));
}

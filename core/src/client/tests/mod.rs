//! A client against scripted locators and services.

mod calls;
mod dial;

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::machine::{Endpoint, IoError};
use crate::wire::{Failure, Header, Value, codes};

/// What a locator answered an unmodified client that was recorded, its headers empty: app `demo-app` at
/// 127.0.0.1:33227, version 1, with `enqueue`, `info` and `control`.
pub(super) const RESOLVED: &[u8] = b"\x94\x01\x00\x93\x91\x92\xa9127.0.0.1\xcd\x81\xcb\x01\x83\
    \x00\x93\xa7enqueue\x83\x00\x92\xa5write\xc0\x01\x92\xa5error\x80\x02\x92\xa5close\x80\
    \x83\x00\x92\xa5write\xc0\x01\x92\xa5error\x80\x02\x92\xa5close\x80\
    \x01\x93\xa4info\x80\x82\x00\x92\xa5value\x80\x01\x92\xa5error\x80\
    \x02\x93\xa7control\x83\x00\x92\xa5write\xc0\x01\x92\xa5error\x80\x02\x92\xa5close\x80\
    \x82\x00\x92\xa5value\x80\x01\x92\xa5error\x80\x90";

pub(super) const CALL: CallId = CallId(1);

/// The world around a client, and time.
pub(super) struct World {
    pub(super) client: Client,
    pub(super) now: Timestamp,
    /// What it asked to connect to and was not answered.
    pub(super) dialing: Option<(ConnId, Endpoint)>,
    pub(super) conn: Option<ConnId>,
    pub(super) read: Option<BytesMut>,
    pub(super) written: Vec<u8>,
    pub(super) notices: Vec<ClientNotice>,
    pub(super) dials: usize,
}

pub(super) fn endpoint(port: u16) -> Endpoint {
    Endpoint::Tcp(([127, 0, 0, 1], port).into())
}

pub(super) fn app() -> ClientConfig {
    ClientConfig::new(Target::named("demo-app", vec![endpoint(10053), endpoint(10054)]), [7; 32])
}

impl World {
    pub(super) fn new(config: ClientConfig) -> Self {
        let now = Timestamp::from_secs(50);
        Self {
            client: Client::new(config, now),
            now,
            dialing: None,
            conn: None,
            read: None,
            written: Vec::new(),
            notices: Vec::new(),
            dials: 0,
        }
    }

    /// A client of an app with an open call of event `ping`.
    pub(super) fn calling() -> Self {
        let mut world = Self::new(app());
        world.enqueue(CALL);
        world.resolve();
        world.accept();
        assert_eq!(world.frames(), [r#"[1, 0, ["ping"]]"#]);
        world
    }

    /// Tells the client one thing and does what it wants.
    pub(super) fn input(&mut self, input: Input<ClientCommand>) {
        self.client.handle(self.now, input);
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Read { conn, buf } => {
                    assert_eq!(Some(conn), self.conn);
                    assert!(self.read.replace(buf).is_none(), "one read in flight");
                }
                Output::Write { conn, batch } => {
                    assert_eq!(Some(conn), self.conn);
                    self.written.extend(batch.to_vec());
                    self.client.handle(self.now, Input::Written { conn, batch });
                }
                Output::Connect { conn, endpoint } => {
                    assert_eq!((&self.dialing, self.conn), (&None, None), "one connection at a time");
                    self.dialing = Some((conn, endpoint));
                    self.dials += 1;
                }
                Output::Close { conn, .. } => {
                    assert!(
                        Some(conn) == self.conn || self.dialing.as_ref().is_some_and(|(id, _)| *id == conn)
                    );
                    (self.conn, self.read, self.dialing) = (None, None, None);
                }
                Output::Notice(notice) => self.notices.push(notice),
                Output::Log(_) => {}
                other => panic!("a client does not ask for {other:?}"),
            }
        }
    }

    pub(super) fn command(&mut self, command: ClientCommand) {
        self.input(Input::Command(command));
    }

    pub(super) fn call(
        &mut self,
        call: CallId,
        method: &'static str,
        args: &'static [u8],
        deadline: Deadline,
    ) {
        let args = Bytes::from_static(args);
        self.command(ClientCommand::Call {
            call,
            method: method.into(),
            args,
            headers: Vec::new(),
            deadline,
        });
    }

    pub(super) fn enqueue(&mut self, call: CallId) {
        self.call(call, "enqueue", b"\x91\xa4ping", Deadline::Never);
    }

    pub(super) fn dialed(&self) -> &Endpoint {
        &self.dialing.as_ref().expect("it connects").1
    }

    pub(super) fn accept(&mut self) {
        let (conn, _) = self.dialing.take().expect("it connects");
        self.conn = Some(conn);
        self.input(Input::Connected { conn });
    }

    pub(super) fn refuse(&mut self) {
        let (conn, _) = self.dialing.take().expect("it connects");
        self.input(Input::ConnectFailed { conn, error: IoError { errno: 111, text: "refused".into() } });
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let mut buf = self.read.take().expect("it reads");
        buf.extend_from_slice(bytes);
        let conn = self.conn.expect("it is connected");
        self.input(Input::Received { conn, buf });
    }

    /// A locator takes the connection and answers.
    pub(super) fn resolve(&mut self) {
        self.accept();
        assert_eq!(self.frames(), [r#"[1, 0, ["demo-app"]]"#]);
        self.receive(RESOLVED);
        assert_eq!(self.dialed(), &endpoint(33227));
    }

    pub(super) fn hang_up(&mut self) {
        let conn = self.conn.expect("it is connected");
        self.read = None;
        self.client.handle(self.now, Input::Disconnected { conn, error: None });
        self.drain();
        assert_eq!(self.conn, None, "it closes what is gone");
    }

    pub(super) fn frames(&mut self) -> Vec<String> {
        let bytes = std::mem::take(&mut self.written);
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (value, after) = Value::decode(rest).expect("whole frames");
            frames.push(value.to_string());
            rest = after;
        }
        frames
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.client.next_timeout().filter(|(at, _)| *at <= end) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// The ends that were told since the last look.
    pub(super) fn ends(&mut self) -> Vec<(u64, End)> {
        let notices = std::mem::take(&mut self.notices);
        let end = |notice| match notice {
            ClientNotice::Ended { call, end } => Some((call.0, end)),
            _ => None,
        };
        notices.into_iter().filter_map(end).collect()
    }

    /// The one way in which the one call that ended was broken.
    pub(super) fn broken(&mut self) -> CallError {
        match &self.ends()[..] {
            [(1, End::Broken(error))] => error.clone(),
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn closed() -> End {
    End::Message { message: Message::Close, args: Bytes::from_static(&[0x90]) }
}

//! A worker's session whose runtime says anything.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::framework::{
    AppCommand, AppNotice, Session, SessionConfig, SessionLimits, SessionTimeouts, StreamKey,
};
use cocaine_core::machine::{ConnId, Endpoint, Input, Output};
use cocaine_core::wire::v1::message::{CLOSE, ERROR};
use cocaine_core::wire::{Dialect, Frame, Limits, v0, v1};

use super::driver::Driver;
use super::stream::Stream;

/// Small bounds, so that an input can reach them.
const LIMITS: SessionLimits = SessionLimits {
    wire: Limits { frame_bytes: 16 * 1024, channels: 16, ..Limits::DEFAULT },
    unread_bytes: 512,
    window_bytes: 256,
    unsent_bytes: 1024,
};

/// The first byte chooses the size of the pieces in which the others arrive, the bits of the second after which
/// pieces the runtime takes what was written to it, the third the dialect, what handlers do, and how it ends; the
/// others are what the runtime says.
///
/// # Panics
///
/// The session breaks its contract with the driver or its handlers, says something after the end of an answer, or
/// does not come to an end.
pub fn run(data: &[u8]) {
    let [piece, takes, mode, stream @ ..] = data else { return };
    let mut lab = Lab::new(*mode);
    for (number, bytes) in stream.chunks(usize::from(*piece) + 1).enumerate() {
        lab.driver.deliver(lab.conn, bytes, usize::MAX);
        lab.go_on();
        if takes >> (number % 8) & 1 == 1 {
            lab.driver.acknowledge(lab.conn);
            lab.go_on();
        }
    }
    match mode >> 4 & 3 {
        0 => lab.driver.hang_up(lab.conn),
        1 => lab.command(AppCommand::Terminate { code: 1, reason: "done".into() }),
        2 => while lab.driver.acknowledge(lab.conn) {},
        _ => {}
    }
    lab.go_on();
    lab.wait_for_the_end();
}

struct Lab {
    driver: Driver<Session>,
    conn: ConnId,
    dialect: Dialect,
    mode: u8,
    /// What each handler has not consumed.
    handlers: BTreeMap<StreamKey, usize>,
    received: Stream,
    ended: BTreeMap<u64, ()>,
}

impl Lab {
    fn new(mode: u8) -> Self {
        let dialect = if mode & 1 == 0 { Dialect::V1 } else { Dialect::V0 };
        let config = SessionConfig {
            endpoint: Endpoint::Unix("/run/app.sock".into()),
            uuid: "uuid".into(),
            protocol: dialect,
            timeouts: SessionTimeouts::default(),
            limits: LIMITS,
        };
        let mut driver = Driver::new(Session::new(config, cocaine_core::time::Timestamp::ZERO));
        let Some(Output::Connect { conn, .. }) = driver.wishes.pop_front() else { panic!("it dials") };
        driver.tell(Input::Connected { conn });
        let (handlers, ended) = (BTreeMap::new(), BTreeMap::new());
        Self { driver, conn, dialect, mode, handlers, received: Stream::default(), ended }
    }

    fn command(&mut self, command: AppCommand) {
        self.driver.tell(Input::Command(command));
    }

    /// Lets handlers do what they have to, and looks at what was written.
    fn go_on(&mut self) {
        while let Some(wish) = self.driver.wishes.pop_front() {
            if let Output::Notice(notice) = wish {
                self.on_notice(notice);
            }
        }
        for (frame, bytes) in self.received.sound_frames(&self.driver.take_received(self.conn)) {
            self.check(&frame, &bytes);
        }
    }

    fn on_notice(&mut self, notice: AppNotice) {
        match notice {
            AppNotice::Invoke { stream, event, .. } => {
                assert!(self.handlers.insert(stream, 0).is_none(), "{stream:?} is not new");
                self.command(AppCommand::Write { stream, chunk: event });
            }
            AppNotice::Chunk { stream, data } => {
                *self.handlers.get_mut(&stream).expect("a running handler") += data.len();
                if self.mode & 2 == 0 {
                    self.command(AppCommand::Write { stream, chunk: data.clone() });
                }
                if self.mode & 4 == 0 {
                    self.command(AppCommand::Consumed { stream, bytes: data.len() });
                }
            }
            AppNotice::Closed { stream } | AppNotice::Failed { stream, .. } if self.mode & 8 == 0 => {
                assert!(self.handlers.contains_key(&stream), "the end of what nobody handles");
                self.command(AppCommand::Close { stream });
            }
            AppNotice::Over { .. } => self.handlers.clear(),
            _ => {}
        }
    }

    /// Nothing comes after the end of an answer.
    fn check(&mut self, frame: &Frame, bytes: &[u8]) {
        let (channel, last) = match self.dialect {
            Dialect::V1 => {
                let head = v1::head(bytes, frame).expect("a head");
                (head.channel, matches!(head.message, ERROR | CLOSE) && head.channel != v1::CONTROL_CHANNEL)
            }
            Dialect::V0 => {
                let head = v0::head(bytes, frame).expect("a head");
                (head.session, head.message == v0::message::CHOKE)
            }
        };
        assert!(!self.ended.contains_key(&channel), "something after the end on channel {channel}");
        if last {
            self.ended.insert(channel, ());
        }
    }

    /// Without an answer to its heartbeats a session does not last, once handlers have taken what they were given.
    fn wait_for_the_end(&mut self) {
        self.mode &= !4;
        for (stream, bytes) in self.handlers.clone() {
            self.command(AppCommand::Consumed { stream, bytes });
        }
        let end = self.driver.now + Duration::from_secs(60);
        while !self.driver.is_over() {
            assert!(self.driver.sleep_until(end), "a minute later the session is not over");
            self.go_on();
        }
        self.go_on();
        assert_eq!(self.driver.machine.running(), 0);
        assert!(!self.driver.is_open(self.conn));
    }
}

//! A client whose locator and service say anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use cocaine_core::client::{
    CallId, Client, ClientCommand, ClientConfig, ClientLimits, ClientNotice, Deadline, Target,
};
use cocaine_core::machine::{ConnId, Endpoint, Input, IoError, Output};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::{Graph, Limits, protocols, v1};

use super::driver::Driver;
use super::reader::Reader;
use super::stream::Stream;

/// Small bounds, so that an input can reach them.
const LIMITS: ClientLimits = ClientLimits {
    wire: Limits { frame_bytes: 16 * 1024, channels: 16, ..Limits::DEFAULT },
    waiting: 8,
    queued_bytes: 4096,
    window_bytes: 256,
    unsent_bytes: 1024,
    unread_bytes: 512,
};

/// How many calls are made: each method of an app twice.
const CALLS: u64 = 6;

/// The first byte chooses the size of the pieces in which the others arrive, the bits of the second after which
/// pieces what was written is taken, the third what the embedder does; the others are what the peers say, in
/// pieces of a length byte and so many bytes: one for each connection.
///
/// # Panics
///
/// The client breaks its contract with the driver, or a call does not end exactly once.
pub fn run(data: &[u8]) {
    let [piece, takes, mode, script @ ..] = data else { return };
    let mut lab = Lab::new(*mode);
    (0..CALLS).for_each(|call| lab.call(call));
    let mut script = Reader(script);
    while !script.is_empty() {
        let said = script.bytes();
        let Some(conn) = lab.conn else { break };
        for (number, bytes) in said.chunks(usize::from(*piece) + 1).enumerate() {
            lab.driver.deliver(conn, bytes, usize::MAX);
            lab.go_on();
            if takes >> (number % 8) & 1 == 1 {
                lab.driver.acknowledge(conn);
                lab.go_on();
            }
        }
        if mode & 8 == 0 && lab.conn == Some(conn) {
            lab.driver.hang_up(conn);
            lab.go_on();
            lab.wake();
        }
    }
    lab.wait_for_the_end();
}

struct Lab {
    driver: Driver<Client>,
    mode: u8,
    /// The connection that is up.
    conn: Option<ConnId>,
    /// No connection comes up any more.
    alone: bool,
    ended: BTreeSet<CallId>,
    cancelled: BTreeSet<CallId>,
    unread: BTreeMap<CallId, usize>,
    received: Stream,
}

impl Lab {
    fn new(mode: u8) -> Self {
        let endpoint = |port| Endpoint::Tcp(([127, 0, 0, 1], port).into());
        let target = if mode & 1 == 0 {
            let graph = Graph::from(&protocols::APP);
            Target::Fixed { name: "app".into(), endpoints: vec![endpoint(1), endpoint(2)], graph }
        } else {
            Target::named("app", vec![endpoint(10053)])
        };
        let config = ClientConfig { limits: LIMITS, ..ClientConfig::new(target, [5; 32]) };
        Self {
            driver: Driver::new(Client::new(config, Timestamp::ZERO)),
            mode,
            conn: None,
            alone: false,
            ended: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            unread: BTreeMap::new(),
            received: Stream::default(),
        }
    }

    fn command(&mut self, command: ClientCommand) {
        self.driver.tell(Input::Command(command));
        self.go_on();
    }

    fn call(&mut self, number: u64) {
        let call = CallId(number);
        let method = ["enqueue", "info", "control"][number as usize % 3];
        let deadline = if number.is_multiple_of(2) {
            Deadline::Never
        } else {
            Deadline::Announced(Duration::from_secs(5))
        };
        let args = Bytes::from_static(if method == "enqueue" { b"\x91\xa4ping" } else { b"\x90" });
        self.command(ClientCommand::Call { call, method: method.into(), args, headers: vec![], deadline });
        self.command(ClientCommand::Write { call, chunk: Bytes::from_static(&[b'x'; 300]) });
        match number {
            0 | 4 => self.command(ClientCommand::Close { call }),
            5 if self.mode & 4 == 0 => {
                self.cancelled.insert(call);
                self.command(ClientCommand::Cancel { call });
            }
            _ => {}
        }
    }

    /// Does what the client asks for, and looks at what it has to say.
    fn go_on(&mut self) {
        while let Some(wish) = self.driver.wishes.pop_front() {
            match wish {
                Output::Connect { conn, .. } => self.connect(conn),
                Output::Notice(notice) => self.on_notice(notice),
                _ => {}
            }
        }
        let Some(conn) = self.conn else { return };
        for (frame, bytes) in self.received.sound_frames(&self.driver.take_received(conn)) {
            v1::head(&bytes, &frame).expect("the client writes heads");
        }
        if !self.driver.is_open(conn) {
            self.conn = None;
        }
    }

    fn connect(&mut self, conn: ConnId) {
        if self.alone {
            let error = IoError { errno: 111, text: "Connection refused".into() };
            return self.driver.tell(Input::ConnectFailed { conn, error });
        }
        (self.conn, self.received) = (Some(conn), Stream::default());
        self.driver.tell(Input::Connected { conn });
    }

    fn on_notice(&mut self, notice: ClientNotice) {
        match notice {
            ClientNotice::Message { call, args, .. } => {
                assert!(!self.ended.contains(&call) && !self.cancelled.contains(&call), "after the end");
                *self.unread.entry(call).or_default() += args.len();
                if self.mode & 2 == 0 {
                    self.consume();
                }
            }
            ClientNotice::Ended { call, .. } => {
                assert!(!self.cancelled.contains(&call), "{call:?} was cancelled");
                assert!(self.ended.insert(call), "{call:?} ends twice");
            }
            ClientNotice::Drained { .. } | ClientNotice::Refused { .. } => {}
        }
    }

    fn consume(&mut self) {
        for (call, bytes) in std::mem::take(&mut self.unread) {
            self.driver.tell(Input::Command(ClientCommand::Consumed { call, bytes }));
        }
    }

    fn wake(&mut self) {
        let end = self.driver.now + Duration::from_secs(10);
        while self.conn.is_none() && self.driver.sleep_until(end) {
            self.go_on();
        }
    }

    /// Everybody has left for good: no call lasts.
    fn wait_for_the_end(&mut self) {
        self.alone = true;
        self.consume();
        if let Some(conn) = self.conn.take() {
            self.driver.hang_up(conn);
        }
        let end = self.driver.now + Duration::from_secs(120);
        self.go_on();
        while self.driver.sleep_until(end) {
            self.consume();
            self.go_on();
        }
        assert_eq!(self.ended.len() + self.cancelled.len(), CALLS as usize, "{:?}", self.ended);
        assert_eq!(self.driver.machine.running(), 0);
    }
}

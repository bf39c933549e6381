//! A worker's process, played by a script: mostly well, sometimes not.

use std::collections::BTreeMap;
use std::time::Duration;

use cocaine_core::config::Protocol;
use cocaine_core::wire::{ErrorCode, Failure, Limits, Scanner, single_raw, v0, v1};

use super::dice::Dice;
use super::net::End;
use super::options::Options;
use super::request::{Kind, Task, Way, pattern};

/// A process that plays a worker.
#[derive(Debug)]
pub struct Script {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its name.
    pub uuid: String,
    /// How it starts.
    pub start: Start,
    /// How it takes being told to go.
    pub manner: Manner,
    /// Between two heartbeats.
    pub beat: Duration,
    /// Its connection.
    pub end: Option<End>,
    /// It does nothing any more, but does not go.
    pub hangs: bool,
    /// It talks garbage: what comes does not matter any more.
    pub mad: bool,
    scanner: Scanner,
    heard: Vec<u8>,
    sessions: BTreeMap<u64, Session>,
}

/// How a process starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// As it should.
    Well,
    /// Not at all.
    Fails,
    /// It does not connect.
    Mute,
    /// It connects and says nothing.
    Shy,
    /// It says who it is and sends no heartbeat.
    Heartless,
    /// It says that it is somebody else.
    WrongName,
    /// It says who it is before the driver knows that it runs.
    Early,
    /// It talks garbage.
    Garbage,
    /// It exits before it connects.
    Exits,
    /// Its first heartbeat comes a microsecond before, at, or after the last moment.
    LastMoment,
    /// The driver notices very late that it runs.
    LateNotice,
    /// Its process group is not its own.
    WrongGroup,
}

/// The ways to start that are none.
pub const MISSTARTS: &[Start] = &[
    Start::Fails,
    Start::Mute,
    Start::Shy,
    Start::Heartless,
    Start::WrongName,
    Start::Early,
    Start::Garbage,
    Start::Exits,
    Start::LastMoment,
    Start::LateNotice,
    Start::WrongGroup,
];

/// How a process takes being told to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It says goodbye and exits.
    Polite,
    /// It exits.
    Short,
    /// It closes its connection, and exits later.
    Slow,
    /// It does not hear `terminate`, but SIGTERM.
    Deaf,
    /// It hears nothing but SIGKILL.
    Stone,
}

/// An invocation.
#[derive(Debug)]
struct Session {
    task: Task,
    sent: u64,
    left: usize,
    input_ended: bool,
}

/// What comes of a frame or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on with a session after this time.
    Reply(u64, Duration),
    /// It exits.
    Exit(i32),
    /// It was told to go.
    Terminated,
}

impl Script {
    /// What becomes of the next process.
    pub fn cast(options: &Options, dice: &mut Dice, stormy: bool, uuid: String, beat: Duration) -> Self {
        let protocol = if dice.chance(options.older) { Protocol::V0 } else { Protocol::V1 };
        let bad = stormy && dice.chance(options.misstarts);
        let start = if bad { dice.pick(MISSTARTS) } else { Start::Well };
        let rude = stormy && dice.chance(options.accidents);
        let rudeness = [Manner::Short, Manner::Slow, Manner::Deaf, Manner::Stone];
        let manner = if rude { dice.pick(&rudeness) } else { Manner::Polite };
        Self {
            protocol,
            uuid,
            start,
            manner,
            beat,
            end: None,
            hangs: false,
            mad: false,
            scanner: Scanner::new(Limits { frame_bytes: usize::MAX, ..Limits::DEFAULT }),
            heard: Vec::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Its first words.
    #[must_use]
    pub fn handshake(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let name = if self.start == Start::WrongName { "somebody-else" } else { &self.uuid };
        match self.protocol {
            Protocol::V1 => v1::handshake(&mut out, name.as_bytes()),
            Protocol::V0 => v0::handshake(&mut out, name.as_bytes()),
        }
        out
    }

    /// A heartbeat.
    #[must_use]
    pub fn heartbeat(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.protocol {
            Protocol::V1 => v1::heartbeat(&mut out),
            Protocol::V0 => v0::heartbeat(&mut out),
        }
        out
    }

    /// Goodbye: code 2 is abnormal.
    #[must_use]
    pub fn goodbye(&self, code: i32) -> Vec<u8> {
        let mut out = Vec::new();
        match self.protocol {
            Protocol::V1 => v1::terminate(&mut out, code, b"enough"),
            Protocol::V0 => v0::terminate(&mut out, code, b"enough"),
        }
        out
    }

    /// Reads what has come.
    pub fn hear(&mut self, bytes: &[u8], dice: &mut Dice, then: &mut Vec<Then>) {
        self.heard.extend_from_slice(bytes);
        while let Ok(Some(frame)) = self.scanner.scan(&self.heard) {
            let whole: Vec<u8> = self.heard.drain(..frame.len).collect();
            match self.protocol {
                Protocol::V1 => {
                    let Ok(head) = v1::head(&whole, &frame) else { continue };
                    let args = &whole[head.args];
                    match (head.channel, head.message) {
                        (v1::CONTROL_CHANNEL, v1::message::TERMINATE) => then.push(Then::Terminated),
                        (v1::CONTROL_CHANNEL, _) => {}
                        (channel, message) => {
                            let ends = message != v1::message::WRITE;
                            self.hear_session(channel, ends, args, dice, then);
                        }
                    }
                }
                Protocol::V0 => {
                    let Ok(head) = v0::head(&whole, &frame) else { continue };
                    let args = &whole[head.args];
                    match head.message {
                        v0::message::TERMINATE => then.push(Then::Terminated),
                        v0::message::HEARTBEAT => {}
                        message => {
                            let ends = matches!(message, v0::message::CHOKE | v0::message::ERROR);
                            self.hear_session(head.session, ends, args, dice, then);
                        }
                    }
                }
            }
        }
    }

    fn hear_session(&mut self, channel: u64, ends: bool, args: &[u8], dice: &mut Dice, then: &mut Vec<Then>) {
        if let Some(session) = self.sessions.get_mut(&channel) {
            if ends
                && !std::mem::replace(&mut session.input_ended, true)
                && session.task.kind == Kind::Patient
            {
                then.push(Then::Reply(channel, Duration::ZERO));
            }
            return;
        }
        let event = single_raw(args).ok().map(|range| &args[range]);
        let Some(task) = event.and_then(Task::read).filter(|_| !ends) else { return };
        self.sessions.insert(channel, Session { task, sent: 0, left: task.chunks, input_ended: false });
        match task.kind {
            Kind::Crashes => then.push(Then::Exit(3)),
            Kind::Hangs | Kind::Patient => {}
            _ => then.push(Then::Reply(channel, dice.millis(0, 3))),
        }
    }

    /// Goes on with a session: what it says, and when it goes on.
    pub fn reply(&mut self, channel: u64, dice: &mut Dice) -> (Vec<u8>, Option<Duration>) {
        let protocol = self.protocol;
        let mut out = Vec::new();
        let Some(session) = self.sessions.get_mut(&channel) else { return (out, None) };
        let Task { req, kind, size, .. } = session.task;
        let pieces = if kind == Kind::Slow { session.left.min(1) } else { session.left };
        for _ in 0..pieces {
            let bytes: Vec<u8> = pattern(req, Way::Down, session.sent, size).collect();
            session.sent += size as u64;
            session.left -= 1;
            write(&mut out, protocol, channel, &bytes);
        }
        if session.left > 0 {
            return (out, Some(dice.millis(0, 700)));
        }
        match kind {
            Kind::Fails => fail(&mut out, protocol, channel),
            Kind::Nonsense => nonsense(&mut out, protocol, channel),
            _ => close(&mut out, protocol, channel),
        }
        if kind == Kind::Sloppy {
            write(&mut out, protocol, channel, b"one more thing");
            close(&mut out, protocol, channel);
            write(&mut out, protocol, channel + 1_000, b"to nobody");
        }
        // It stays known, so that late input is no new invocation.
        (out, None)
    }
}

fn write(out: &mut Vec<u8>, protocol: Protocol, channel: u64, bytes: &[u8]) {
    match protocol {
        Protocol::V1 => v1::write(out, channel, bytes),
        Protocol::V0 => v0::chunk(out, channel, bytes),
    }
}

fn close(out: &mut Vec<u8>, protocol: Protocol, channel: u64) {
    match protocol {
        Protocol::V1 => v1::close(out, channel),
        Protocol::V0 => v0::choke(out, channel),
    }
}

fn fail(out: &mut Vec<u8>, protocol: Protocol, channel: u64) {
    match protocol {
        Protocol::V1 => v1::error(out, channel, &Failure::new(ErrorCode::new(42, 77), "because")),
        Protocol::V0 => {
            v0::error(out, channel, 77, b"because");
            v0::choke(out, channel);
        }
    }
}

/// A chunk with a number in it.
fn nonsense(out: &mut Vec<u8>, protocol: Protocol, channel: u64) {
    match protocol {
        Protocol::V1 => v1::frame(out, channel, v1::message::WRITE, |out| out.extend([0x91, 5])),
        Protocol::V0 => v0::frame(out, v0::message::CHUNK, channel, |out| out.extend([0x91, 5])),
    }
}

//! A client, played by a script: mostly well, sometimes not.

use std::collections::BTreeMap;

use cocaine_core::wire::headers::names;
use cocaine_core::wire::{ErrorCode, Failure, Header, Value, v1};

use super::dice::Dice;
use super::net::End;
use super::request::{Kind, Req, Task, Terms, Way, pattern};

/// A client.
#[derive(Debug, Default)]
pub struct Client {
    /// Its connection.
    pub end: Option<End>,
    /// Counts its connections.
    pub life: u32,
    /// Requests that it will still make.
    pub left: usize,
    /// It reads slowly, or not at all.
    pub sleepy: bool,
    next: u64,
    calls: BTreeMap<u64, Call>,
}

/// A call that it is still sending on.
#[derive(Clone, Copy, Debug)]
struct Call {
    req: Req,
    sent: u64,
    left: usize,
    size: usize,
    last: Last,
}

/// How it ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Close,
    Fail,
    Never,
    Revoke,
}

/// What a request looks like that anybody makes.
pub fn task(dice: &mut Dice, req: Req) -> Task {
    let kind = match dice.within(0, 99) {
        0..45 => Kind::Prompt,
        45..65 => Kind::Patient,
        65..80 => Kind::Slow,
        80..88 => Kind::Fails,
        88..92 => Kind::Hangs,
        92 => Kind::Crashes,
        93..97 => Kind::Sloppy,
        _ => Kind::Nonsense,
    };
    Task { req, kind, chunks: dice.size(0, 4), size: size(dice) }
}

/// Mostly small, sometimes not.
pub fn size(dice: &mut Dice) -> usize {
    match dice.within(0, 19) {
        0 => dice.size(1_000, 30_000),
        1..4 => dice.size(100, 2_000),
        _ => dice.size(0, 60),
    }
}

impl Client {
    /// One that will make so many requests.
    #[must_use]
    pub fn new(left: usize) -> Self {
        Self { left, ..Self::default() }
    }

    /// It is connected, again.
    pub fn begin(&mut self, end: End) {
        self.end = Some(end);
        self.life += 1;
        self.next = 0;
        self.calls.clear();
    }

    /// The call of a request, its channel, and its terms. `wild` asks for what good clients do not do.
    pub fn ask(
        &mut self,
        dice: &mut Dice,
        task: &Task,
        default: std::time::Duration,
        wild: bool,
    ) -> (Vec<u8>, u64, Terms) {
        self.next += dice.pick(&[1, 1, 1, 2, 7]);
        let mut terms =
            Terms { timeout: default, tagged: dice.chance(40), malformed: wild && dice.chance(300) };
        let mut args = vec![Value::from(task.event().as_str())];
        if terms.tagged {
            args.push(dice.pick(&["blue", "red"]).into());
        }
        let mut headers = Vec::new();
        if terms.malformed {
            headers.push(Header::new(names::REQUEST_TIMEOUT, vec![1, 2, 3]));
        } else if dice.chance(150) {
            let millis = dice.pick(&[0, 1, 100, 2_000]);
            terms.timeout = std::time::Duration::from_millis(millis);
            headers.push(Header::new(names::REQUEST_TIMEOUT, millis.to_le_bytes().to_vec()));
        }
        let last = match dice.within(0, 19) {
            0 => Last::Fail,
            1 => Last::Never,
            2 if wild => Last::Revoke,
            _ => Last::Close,
        };
        let call = Call { req: task.req, sent: 0, left: dice.size(0, 4), size: size(dice), last };
        self.calls.insert(self.next, call);
        let mut out = Vec::new();
        let args = Value::Array(args);
        v1::frame_with_headers(&mut out, self.next, 0, &headers, |out| args.encode(out));
        (out, self.next, terms)
    }

    /// Goes on with a call; whether there is more to come.
    pub fn stream(&mut self, channel: u64) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        let Some(call) = self.calls.get_mut(&channel) else { return (out, false) };
        if call.left > 0 {
            let bytes: Vec<u8> = pattern(call.req, Way::Up, call.sent, call.size).collect();
            call.sent += call.size as u64;
            call.left -= 1;
            v1::write(&mut out, channel, &bytes);
            return (out, true);
        }
        match call.last {
            Last::Close => v1::close(&mut out, channel),
            Last::Fail => v1::error(&mut out, channel, &Failure::new(ErrorCode::new(7, 7), "no more")),
            Last::Never => {}
            Last::Revoke => {
                self.next += 1;
                let args = Value::Array(vec![channel.into(), Value::Array(vec![5u64.into(), 2u64.into()])]);
                v1::frame(&mut out, self.next, v1::message::REVOKE, |out| args.encode(out));
            }
        }
        self.calls.remove(&channel);
        (out, false)
    }

    /// Something that no good client sends; and the kind of it.
    pub fn mischief(&mut self, dice: &mut Dice) -> (Vec<u8>, &'static str) {
        let mut out = Vec::new();
        let some = dice.within(1, self.next.max(1));
        let what = match dice.within(0, 8) {
            0 => {
                v1::close(&mut out, some);
                "closes some channel"
            }
            1 => {
                v1::frame(&mut out, some, v1::message::WRITE, |out| out.extend([0x91, 5]));
                "sends a chunk that is none"
            }
            2 => {
                v1::frame(&mut out, some, 77, |out| out.push(0x90));
                "calls what does not exist"
            }
            3 => {
                self.next += 1;
                v1::frame(&mut out, self.next, dice.pick(&[0, 1, 2, 3]), |out| out.push(0x90));
                "calls without arguments"
            }
            4 => {
                self.next += 1;
                v1::frame(&mut out, self.next, v1::message::PING, |out| out.push(0x90));
                "pings"
            }
            5 => {
                v1::frame(&mut out, 0, 0, |out| out.push(0x90));
                "uses channel 0"
            }
            6 => {
                out.extend((0..dice.size(1, 20)).map(|_| dice.within(0, 255).to_le_bytes()[0]));
                "sends garbage"
            }
            7 => {
                out.extend([0x93, 1, 0, 0x91, 0xdb, 0x7f, 0xff, 0xff, 0xff]);
                "declares a frame of 2 GiB"
            }
            _ => {
                v1::error(&mut out, some, &Failure::new(ErrorCode::new(1, 1), "no"));
                "fails some channel"
            }
        };
        (out, what)
    }
}

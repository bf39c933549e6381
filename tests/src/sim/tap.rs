//! Reads along at the engine's border: bytes become facts.

use std::collections::BTreeMap;

use cocaine_core::machine::WorkerId;
use cocaine_core::wire::{Args, Dialect, ErrorCode, Failure, Limits, Scanner, dialect, single_raw, v0, v1};

use super::fact::{Ending, Fact};
use super::request::{Req, Task, Terms};

/// One connection of the engine, overheard in both directions.
#[derive(Debug)]
pub struct Tap {
    heard: Line,
    said: Line,
    /// The peer made no sense: the engine closes the connection, and so nothing counts any more.
    pub wild: bool,
    /// How many bytes the engine sent along with its last read.
    pub offered: usize,
    side: Side,
}

#[derive(Debug)]
struct Line {
    scanner: Scanner,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Side {
    Client {
        /// The highest channel so far.
        highest: u64,
        calls: BTreeMap<u64, Call>,
    },
    /// Somebody who is not the worker he says he is.
    Stranger,
    Worker {
        worker: WorkerId,
        dialect: Option<Dialect>,
        sessions: BTreeMap<u64, Talk>,
    },
}

#[derive(Clone, Copy, Debug)]
struct Call {
    req: Req,
    /// Whether the caller may still send.
    open: bool,
}

/// A session of a worker.
#[derive(Clone, Copy, Debug)]
struct Talk {
    req: Req,
    /// Whether the worker may still answer.
    answering: bool,
    /// Whether the engine may still send.
    input: bool,
}

impl Line {
    const fn new(limits: Limits) -> Self {
        Self { scanner: Scanner::new(limits), bytes: Vec::new() }
    }
}

impl Tap {
    /// A client's connection.
    #[must_use]
    pub const fn client(limits: Limits) -> Self {
        Self::new(limits, Side::Client { highest: 0, calls: BTreeMap::new() })
    }

    /// A worker's connection.
    #[must_use]
    pub const fn worker(limits: Limits, worker: WorkerId) -> Self {
        Self::new(limits, Side::Worker { worker, dialect: None, sessions: BTreeMap::new() })
    }

    /// The connection of somebody who is no worker: he must not be told anything.
    #[must_use]
    pub const fn stranger(limits: Limits) -> Self {
        Self::new(limits, Side::Stranger)
    }

    const fn new(limits: Limits, side: Side) -> Self {
        let said = Line::new(Limits { frame_bytes: usize::MAX, ..limits });
        Self { heard: Line::new(limits), said, wild: false, offered: 0, side }
    }

    /// The worker that this connection belongs to.
    #[must_use]
    pub const fn owner(&self) -> Option<WorkerId> {
        match self.side {
            Side::Worker { worker, .. } => Some(worker),
            Side::Client { .. } | Side::Stranger => None,
        }
    }

    /// The requests that nobody waits for when this connection is gone.
    pub fn requests(&self) -> Vec<Req> {
        match &self.side {
            Side::Client { calls, .. } => calls.values().map(|call| call.req).collect(),
            Side::Worker { .. } | Side::Stranger => Vec::new(),
        }
    }

    /// The engine is about to be told these bytes.
    pub fn hear(&mut self, bytes: &[u8], terms: &[Terms], tell: &mut dyn FnMut(Fact<'_>)) {
        self.heard.bytes.extend_from_slice(bytes);
        let mut buf = std::mem::take(&mut self.heard.bytes);
        while !self.wild {
            let Ok(found) = self.heard.scanner.scan(&buf) else {
                self.wild = true;
                break;
            };
            let Some(frame) = found else { break };
            let (whole, rest) = buf.split_at(frame.len);
            let sane = match &mut self.side {
                Side::Stranger => true,
                Side::Client { highest, calls } => v1::head(whole, &frame)
                    .is_ok_and(|head| hear_client(highest, calls, &head, whole, terms, tell)),
                Side::Worker { worker, dialect: spoken, sessions } => {
                    if spoken.is_none() {
                        *spoken = dialect(whole, &frame).ok();
                        tell(Fact::Handshake(*worker));
                        spoken.is_some()
                    } else if *spoken == Some(Dialect::V1) {
                        v1::head(whole, &frame).is_ok_and(|head| {
                            hear_v1(*worker, sessions, head.channel, head.message, &whole[head.args], tell)
                        })
                    } else {
                        v0::head(whole, &frame).is_ok_and(|head| {
                            hear_v0(*worker, sessions, head.session, head.message, &whole[head.args], tell)
                        })
                    }
                }
            };
            self.wild = !sane;
            buf = rest.to_vec();
        }
        self.heard.bytes = buf;
    }

    /// The engine says these bytes.
    ///
    /// # Panics
    ///
    /// They are not what it may say.
    pub fn say(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Fact<'_>)) {
        self.said.bytes.extend_from_slice(bytes);
        let buf = std::mem::take(&mut self.said.bytes);
        let mut rest = buf.as_slice();
        while let Some(frame) = self.said.scanner.scan(rest).expect("the engine writes frames") {
            let (whole, more) = rest.split_at(frame.len);
            rest = more;
            match &mut self.side {
                Side::Stranger => panic!("the engine speaks to a stranger"),
                Side::Client { calls, highest } => {
                    let head = v1::head(whole, &frame).expect("the engine writes frames to clients");
                    assert!(head.channel <= *highest, "an answer on a channel that nobody opened");
                    if let Some(call) = calls.get_mut(&head.channel) {
                        say_client(call, head.message, &whole[head.args], tell);
                    }
                }
                Side::Worker { worker, dialect: Some(Dialect::V0), sessions } => {
                    let head =
                        v0::head(whole, &frame).expect("the engine writes frames of the older dialect");
                    let message = head.message;
                    say_worker_v0(*worker, sessions, head.session, message, &whole[head.args], tell);
                }
                Side::Worker { worker, dialect, sessions } => {
                    assert!(dialect.is_some(), "the engine speaks to a stranger");
                    let head =
                        v1::head(whole, &frame).expect("the engine writes frames of the newer dialect");
                    let message = head.message;
                    say_worker_v1(*worker, sessions, head.channel, message, &whole[head.args], tell);
                }
            }
        }
        self.said.bytes = rest.to_vec();
    }
}

// ---- what the engine hears ----

/// Whether the frame is one.
fn hear_client(
    highest: &mut u64,
    calls: &mut BTreeMap<u64, Call>,
    head: &v1::Head,
    whole: &[u8],
    terms: &[Terms],
    tell: &mut dyn FnMut(Fact<'_>),
) -> bool {
    let args = &whole[head.args.clone()];
    if head.channel == 0 {
        return false;
    }
    if head.channel <= *highest {
        if let Some(call) = calls.get_mut(&head.channel).filter(|call| call.open) {
            hear_caller(call, head.message, args, tell);
        }
        return true;
    }
    *highest = head.channel;
    match head.message {
        v1::message::REVOKE => {
            let revoked = Args::new(args).and_then(|mut args| args.uint()).ok();
            if let Some(call) = revoked.and_then(|channel| calls.get(&channel)) {
                tell(Fact::Abandoned { req: call.req });
            }
        }
        0 => {
            let event = Args::new(args).and_then(|mut args| args.raw());
            if let Some(task) = event.ok().and_then(Task::read) {
                let Terms { timeout, tagged, malformed } = terms[task.req.0];
                calls.insert(head.channel, Call { req: task.req, open: true });
                tell(Fact::Asked { req: task.req, timeout, tagged, malformed });
            }
        }
        _ => {}
    }
    true
}

fn hear_caller(call: &mut Call, message: u32, args: &[u8], tell: &mut dyn FnMut(Fact<'_>)) {
    let req = call.req;
    match (message, single_raw(args)) {
        (v1::message::WRITE, Ok(range)) => return tell(Fact::Sent { req, bytes: &args[range] }),
        (v1::message::CLOSE, _) => tell(Fact::SentEnd { req, end: Ending::Closed }),
        (v1::message::ERROR, _) => match Failure::decode(args) {
            Ok(failure) => tell(Fact::SentEnd { req, end: Ending::Failed(failure.code) }),
            Err(_) => tell(Fact::Misused { req }),
        },
        _ => tell(Fact::Misused { req }),
    }
    call.open = false;
}

fn hear_v1(
    worker: WorkerId,
    sessions: &mut BTreeMap<u64, Talk>,
    channel: u64,
    message: u32,
    args: &[u8],
    tell: &mut dyn FnMut(Fact<'_>),
) -> bool {
    if channel == v1::CONTROL_CHANNEL {
        match message {
            v1::message::HEARTBEAT => tell(Fact::Beat(worker)),
            v1::message::TERMINATE if Args::new(args).and_then(|mut args| args.int()).is_ok() => {
                tell(Fact::Goodbye(worker));
            }
            _ => return false,
        }
        return true;
    }
    let Some(Talk { req, answering, .. }) = sessions.get_mut(&channel).filter(|talk| talk.answering) else {
        return channel != 0;
    };
    match (message, single_raw(args)) {
        (v1::message::WRITE, Ok(range)) => {
            tell(Fact::Reply { req: *req, bytes: &args[range] });
            return true;
        }
        (v1::message::CLOSE, _) => tell(Fact::ReplyEnd { req: *req, end: Ending::Closed }),
        (v1::message::ERROR, _) if let Ok(failure) = Failure::decode(args) => {
            tell(Fact::ReplyEnd { req: *req, end: Ending::Failed(failure.code) });
        }
        _ => tell(Fact::Misused { req: *req }),
    }
    *answering = false;
    true
}

fn hear_v0(
    worker: WorkerId,
    sessions: &mut BTreeMap<u64, Talk>,
    session: u64,
    message: u32,
    args: &[u8],
    tell: &mut dyn FnMut(Fact<'_>),
) -> bool {
    match message {
        v0::message::HEARTBEAT => tell(Fact::Beat(worker)),
        v0::message::TERMINATE => {
            tell(Fact::Goodbye(worker));
            return Args::new(args).and_then(|mut args| args.int()).is_ok();
        }
        v0::message::CHUNK | v0::message::ERROR | v0::message::CHOKE if session == 0 => return false,
        _ => {}
    }
    let Some(Talk { req, answering, .. }) = sessions.get_mut(&session).filter(|talk| talk.answering) else {
        return true;
    };
    match (message, single_raw(args)) {
        (v0::message::CHUNK, Ok(range)) => {
            tell(Fact::Reply { req: *req, bytes: &args[range] });
            return true;
        }
        (v0::message::CHOKE, _) => tell(Fact::ReplyEnd { req: *req, end: Ending::Closed }),
        (v0::message::ERROR, _) if let Ok(failure) = Failure::decode_v0_worker(args) => {
            tell(Fact::ReplyEnd { req: *req, end: Ending::Failed(failure.code) });
        }
        (v0::message::CHUNK | v0::message::ERROR, _) => tell(Fact::Misused { req: *req }),
        _ => return true,
    }
    *answering = false;
    true
}

// ---- what the engine says ----

fn failure_code(args: &[u8]) -> ErrorCode {
    Failure::decode(args).expect("the engine's errors can be read").code
}

fn payload(args: &[u8]) -> &[u8] {
    &args[single_raw(args).expect("the engine's chunks can be read")]
}

fn say_client(call: &mut Call, message: u32, args: &[u8], tell: &mut dyn FnMut(Fact<'_>)) {
    let req = call.req;
    match message {
        v1::message::WRITE => tell(Fact::Answer { req, bytes: payload(args) }),
        v1::message::CLOSE => tell(Fact::AnswerEnd { req, end: Ending::Closed }),
        v1::message::ERROR => tell(Fact::AnswerEnd { req, end: Ending::Failed(failure_code(args)) }),
        other => panic!("message {other} is no answer"),
    }
}

fn say_worker_v1(
    worker: WorkerId,
    sessions: &mut BTreeMap<u64, Talk>,
    channel: u64,
    message: u32,
    args: &[u8],
    tell: &mut dyn FnMut(Fact<'_>),
) {
    if channel == v1::CONTROL_CHANNEL {
        if message == v1::message::TERMINATE {
            tell(Fact::Terminate(worker));
        }
        return;
    }
    let Some(Talk { req, input, .. }) = sessions.get_mut(&channel) else {
        assert_eq!(message, v1::message::INVOKE, "channel {channel} of {worker} begins without an invoke");
        return invoke(worker, sessions, channel, args, tell);
    };
    assert!(*input, "message {message} on channel {channel} of {worker} after the end of its input");
    let req = *req;
    match message {
        v1::message::WRITE => return tell(Fact::Input { req, bytes: payload(args) }),
        v1::message::CLOSE => tell(Fact::InputEnd { req, end: Ending::Closed }),
        v1::message::ERROR => tell(Fact::InputEnd { req, end: Ending::Failed(failure_code(args)) }),
        other => panic!("message {other} for {worker}"),
    }
    *input = false;
}

fn say_worker_v0(
    worker: WorkerId,
    sessions: &mut BTreeMap<u64, Talk>,
    session: u64,
    message: u32,
    args: &[u8],
    tell: &mut dyn FnMut(Fact<'_>),
) {
    match message {
        v0::message::HEARTBEAT => return,
        v0::message::TERMINATE => return tell(Fact::Terminate(worker)),
        v0::message::INVOKE => return invoke(worker, sessions, session, args, tell),
        _ => {}
    }
    let Some(Talk { req, input, .. }) = sessions.get_mut(&session) else {
        panic!("message {message} for session {session} of {worker}, which was not invoked");
    };
    let req = *req;
    match message {
        // It follows an error, which was the end.
        v0::message::CHOKE if !*input => return,
        _ => assert!(*input, "message {message} in session {session} of {worker} after its end"),
    }
    match message {
        v0::message::CHUNK => return tell(Fact::Input { req, bytes: payload(args) }),
        v0::message::CHOKE => tell(Fact::InputEnd { req, end: Ending::Closed }),
        v0::message::ERROR => {
            let code = Failure::decode_v0_worker(args).expect("the engine's errors can be read").code;
            tell(Fact::InputEnd { req, end: Ending::Failed(code) });
        }
        other => panic!("message {other} for {worker}"),
    }
    *input = false;
}

fn invoke(
    worker: WorkerId,
    sessions: &mut BTreeMap<u64, Talk>,
    channel: u64,
    args: &[u8],
    tell: &mut dyn FnMut(Fact<'_>),
) {
    let fresh = sessions.keys().next_back().is_none_or(|highest| *highest < channel);
    assert!(fresh, "channel {channel} of {worker} is used again");
    let task = Task::read(payload(args)).expect("only what somebody asked for");
    sessions.insert(channel, Talk { req: task.req, answering: true, input: true });
    tell(Fact::Invoke { req: task.req, worker });
}

//! A client of a service, or of an app: calls, streams, and what came of them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cocaine_core::wire::v1::message::{CLOSE, ERROR, PING, WRITE};
use cocaine_core::wire::{Dialect, ErrorCode, Failure, Header, Value, v1};

use super::journal::PATIENCE;
use super::peer::{Got, Message, Peer, frame};

/// The method of an app's service that opens a stream.
pub(super) const ENQUEUE: u32 = 0;

/// A connection on which the test opens channels.
#[derive(Debug)]
pub(super) struct Client {
    peer: Peer,
    last: u64,
    /// Came while somebody waited for something else.
    stash: Vec<Message>,
}

/// What came on a channel until its end.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) chunks: Vec<Bytes>,
    pub(super) end: Result<(), Failure>,
}

impl Reply {
    /// All chunks of a stream that ended well.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.end.expect("a good end");
        self.chunks.concat()
    }

    pub(super) fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("text")
    }

    /// The error that ended the stream, which must have this code.
    pub(super) fn failed(self, code: ErrorCode) -> String {
        check_failure(self.end, code)
    }
}

fn check_failure<T: std::fmt::Debug>(result: Result<T, Failure>, code: ErrorCode) -> String {
    let failure = result.expect_err("it should have failed");
    assert_eq!(failure.code, code, "{failure}");
    let text = String::from_utf8(failure.text.to_vec()).expect("text");
    assert!(!text.is_empty(), "an error without a reason");
    text
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let peer = Peer::tcp(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self { peer, last: 0, stash: Vec::new() }
    }

    /// Calls a method; the channel's number.
    pub(super) fn open(&mut self, method: u32, args: &[Value]) -> u64 {
        self.last += 1;
        self.send(self.last, method, args);
        self.last
    }

    /// Calls a method with headers.
    pub(super) fn open_with(&mut self, method: u32, args: &[Value], headers: &[Header]) -> u64 {
        self.last += 1;
        let mut bytes = Vec::new();
        let list = Value::array(args.iter().cloned());
        v1::frame_with_headers(&mut bytes, self.last, method, headers, |out| list.encode(out));
        self.raw(&bytes);
        self.last
    }

    /// Opens a stream to an app.
    pub(super) fn enqueue(&mut self, event: &str) -> u64 {
        self.open(ENQUEUE, &[event.into()])
    }

    pub(super) fn send(&mut self, channel: u64, message: u32, args: &[Value]) {
        self.raw(&frame(Dialect::V1, channel, message, args));
    }

    pub(super) fn write(&mut self, channel: u64, bytes: impl Into<Bytes>) {
        self.send(channel, WRITE, &[Value::Raw(bytes.into())]);
    }

    /// A number instead of bytes, as levers take it.
    pub(super) fn write_number(&mut self, channel: u64, number: u64) {
        self.send(channel, WRITE, &[Value::Uint(number)]);
    }

    pub(super) fn close(&mut self, channel: u64) {
        self.send(channel, CLOSE, &[]);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.peer.raw(bytes).expect("the connection takes bytes");
    }

    /// Sends bytes whatever becomes of them: the other end may have closed already.
    pub(super) fn raw_regardless(&mut self, bytes: &[u8]) {
        let _ = self.peer.raw(bytes);
    }

    /// The next message of a channel.
    pub(super) fn next(&mut self, channel: u64) -> Message {
        self.next_within(channel, PATIENCE).unwrap_or_else(|| panic!("nothing comes on channel {channel}"))
    }

    pub(super) fn next_within(&mut self, channel: u64, time: Duration) -> Option<Message> {
        if let Some(index) = self.stash.iter().position(|message| message.channel == channel) {
            return Some(self.stash.remove(index));
        }
        loop {
            match self.peer.next(time) {
                Got::Message(message) if message.channel == channel => return Some(message),
                Got::Message(message) => self.stash.push(message),
                Got::End => panic!("the connection ended while channel {channel} was waited for"),
                Got::Nothing => return None,
            }
        }
    }

    /// The next chunk of a stream.
    pub(super) fn chunk(&mut self, channel: u64) -> Bytes {
        let message = self.next(channel);
        assert_eq!(message.message, WRITE, "{message:?}");
        raw(&message)
    }

    /// Everything on a stream until its end.
    pub(super) fn reply(&mut self, channel: u64) -> Reply {
        let mut chunks = Vec::new();
        loop {
            let message = self.next(channel);
            let end = match message.message {
                WRITE => {
                    chunks.push(raw(&message));
                    continue;
                }
                CLOSE => Ok(()),
                ERROR => Err(failure(&message)),
                other => panic!("message {other} on a stream"),
            };
            return Reply { chunks, end };
        }
    }

    /// The values of a single result.
    pub(super) fn result(&mut self, channel: u64) -> Result<Vec<Value>, Failure> {
        let message = self.next(channel);
        match message.message {
            ERROR => Err(failure(&message)),
            _ => Ok(message.args),
        }
    }

    /// Calls a method that has a single result.
    pub(super) fn call(&mut self, method: u32, args: &[Value]) -> Result<Vec<Value>, Failure> {
        let channel = self.open(method, args);
        self.result(channel)
    }

    /// Calls a method that must fail with this code; the reason.
    pub(super) fn refused(&mut self, method: u32, args: &[Value], code: ErrorCode) -> String {
        check_failure(self.call(method, args), code)
    }

    /// One whole request: the event, one chunk, the reply.
    pub(super) fn request(&mut self, event: &str, data: &str) -> Reply {
        let channel = self.enqueue(event);
        self.write(channel, data.as_bytes().to_vec());
        self.close(channel);
        self.reply(channel)
    }

    /// The app answers, with what it was sent.
    pub(super) fn echoes(&mut self, data: &str) {
        assert_eq!(self.request("echo", data).text(), data);
    }

    /// Waits until the other end has dealt with everything that was sent, and has sent everything before.
    pub(super) fn settle(&mut self) {
        assert_eq!(self.call(PING, &[]), Ok(vec![]));
    }

    /// Nothing more came on a channel, up to an answer that was asked for later.
    pub(super) fn nothing_on(&mut self, channel: u64) {
        self.settle();
        let unexpected = self.stash.iter().find(|message| message.channel == channel);
        assert!(unexpected.is_none(), "{unexpected:?}");
    }

    /// The other end closes the connection; nothing comes before.
    pub(super) fn is_closed(&mut self) {
        match self.peer.next(PATIENCE) {
            Got::End => {}
            other => panic!("the connection should have been closed: {other:?}"),
        }
    }
}

fn raw(message: &Message) -> Bytes {
    match message.args.as_slice() {
        [Value::Raw(bytes)] => bytes.clone(),
        other => panic!("a chunk is one raw: {other:?}"),
    }
}

fn failure(message: &Message) -> Failure {
    Failure::decode(&Value::array(message.args.clone()).to_vec()).expect("a well-formed error")
}

//! Connections to the services: frames in, calls out, answers back.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::BytesMut;

use super::Node;
use super::services::{Call, Message, ServiceKind};
use crate::engine::StreamId;
use crate::machine::{Batch, CloseReason, ConnId, ListenerId, Severity};
use crate::session::{Channels, Cut, Link, Lookup};
use crate::wire::{Failure, codes, encode, v1};

/// One connection of a client, or worker, to one service.
#[derive(Clone, Debug)]
pub(super) struct Conn {
    pub(super) link: Link,
    service: ServiceKind,
    channels: Channels<Owner>,
    /// Bytes that it gave us and that are still with an engine or the storage. Together with what waits to be
    /// written to it, they are bounded: above the bound it is not read.
    owed: usize,
}

/// What an open channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A call that is going to be answered.
    Call,
    /// A stream to an app.
    Stream(StreamId),
    /// A hold on the size of an app's pool.
    Lever(u64),
    /// A service outside, offered as long as the channel is open.
    Lease(u64),
    /// A receiver of routing groups.
    Router,
}

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller {
    pub(super) conn: ConnId,
    pub(super) channel: u64,
}

/// A call that is answered later. Made by [`Node::defer`], used up by the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "every call is answered exactly once"]
pub(super) struct Ticket(Caller);

impl Ticket {
    pub(super) const fn conn(&self) -> ConnId {
        self.0.conn
    }
}

/// The owner of bytes that belong to no stream.
pub(super) const NOBODY: u64 = u64::MAX;

impl Node {
    pub(super) fn on_accepted(&mut self, listener: ListenerId, conn: ConnId) {
        let mut link = Link::new(conn, self.config.limits.wire);
        let Some(service) = self.service_of(listener) else {
            return link.close(&mut self.out, CloseReason::Stopping);
        };
        if self.conns.len() >= self.config.connections {
            self.log(Severity::Warning, "too many connections to services; closing the newest");
            return link.close(&mut self.out, CloseReason::Fault("too many connections".into()));
        }
        link.read(&mut self.out);
        let _refused =
            self.conns.insert_at(conn, Conn { link, service, channels: Channels::default(), owed: 0 });
    }

    pub(super) fn on_received(&mut self, conn: ConnId, mut buf: BytesMut) {
        loop {
            let Some(entry) = self.conns.get_mut(conn) else { return };
            let cut = match entry.link.cut(&mut buf) {
                Ok(Some(cut)) => cut,
                Ok(None) => break,
                Err(text) => return self.on_fault(conn, text),
            };
            let result = self.on_frame(conn, &cut, &buf);
            Link::consume(&cut, &mut buf);
            if let Err(text) = result {
                return self.on_fault(conn, text);
            }
        }
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.link.put_back(buf);
        }
        self.read_on(conn);
    }

    /// One frame. An error says why the connection cannot go on.
    fn on_frame(&mut self, conn: ConnId, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let Some(Conn { link, channels, service, .. }) = self.conns.get_mut(conn) else { return Ok(()) };
        let bytes = cut.bytes(buf);
        let head = v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
        let headers = bytes.get(head.headers.clone()).unwrap_or_default();
        let caller = Caller { conn, channel: head.channel };
        match channels.lookup(head.channel) {
            Lookup::Invalid => return Err("a frame for channel 0".into()),
            Lookup::Finished => link.absorb_headers(headers)?,
            Lookup::Live(owner) => {
                link.absorb_headers(headers)?;
                self.on_message(caller, owner, &Message { head, cut, buf });
            }
            Lookup::New => {
                let headers = link.decode_headers(headers)?;
                channels.skip(head.channel);
                let (service, args) = (*service, bytes.get(head.args).unwrap_or_default());
                self.on_call(caller, service, Call { message: head.message, args, headers });
            }
        }
        Ok(())
    }

    /// A write is done: whatever waited for it goes on.
    pub(super) fn on_written(&mut self, conn: ConnId, batch: Batch) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let mut paid = Vec::new();
        let closed = entry.link.written(&mut self.out, batch, |owner, bytes| {
            if owner != NOBODY {
                paid.push((StreamId(owner), bytes));
            }
        });
        for (stream, bytes) in paid {
            self.on_stream_written(stream, bytes);
        }
        if closed {
            return self.on_lost(conn, CloseReason::Stopping);
        }
        self.read_on(conn);
    }

    /// The client is gone, but bytes that it sent may still be unread. Its streams are for nobody now; what else
    /// it asked for is done, for some clients leave as soon as they have asked.
    pub(super) fn on_hung_up(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        let channels = entry.channels.iter().map(|(channel, _)| channel).collect::<Vec<_>>();
        for channel in channels {
            self.drop_channel(Caller { conn, channel });
        }
        self.read_on(conn);
    }

    /// The peer broke the protocol: its connection ends, nobody else notices.
    fn on_fault(&mut self, conn: ConnId, text: String) {
        self.log(Severity::Warning, alloc::format!("closing connection {conn} to a service: {text}"));
        self.on_lost(conn, CloseReason::Fault(text));
    }

    /// A connection is gone, or has to go.
    pub(super) fn on_lost(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(mut entry) = self.conns.remove(conn) else { return };
        entry.link.close(&mut self.out, reason);
        for (_, owner) in entry.channels.iter() {
            self.drop_owner(owner);
        }
    }

    /// Asks for more bytes of a client, unless too many of the earlier ones are still on their way.
    fn read_on(&mut self, conn: ConnId) {
        let Some(entry) = self.conns.get_mut(conn) else { return };
        if entry.owed.saturating_add(entry.link.queued()) <= self.config.limits.soft_bytes {
            entry.link.read(&mut self.out);
        }
    }

    /// Bytes of a client are now with somebody who will give them back with [`repay`](Self::repay).
    pub(super) fn owe(&mut self, conn: ConnId, bytes: usize) {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.owed = entry.owed.saturating_add(bytes);
        }
    }

    /// Bytes of a client are dealt with.
    pub(super) fn repay(&mut self, conn: ConnId, bytes: usize) {
        if let Some(entry) = self.conns.get_mut(conn) {
            entry.owed = entry.owed.saturating_sub(bytes);
            self.read_on(conn);
        }
    }

    // ---- channels ----

    /// Keeps the channel of a call open.
    ///
    /// # Errors
    /// The client has too many open channels already.
    pub(super) fn open(&mut self, caller: Caller, owner: Owner) -> Result<(), Failure> {
        let most = self.config.limits.wire.channels;
        let Some(entry) = self.conns.get_mut(caller.conn) else { return Ok(()) };
        if entry.channels.len() >= most {
            return Err(Failure::new(codes::NO_RESOURCES, "too many channels of this connection are open"));
        }
        entry.channels.keep(caller.channel, owner);
        Ok(())
    }

    /// Forgets a channel. Its number is over.
    pub(super) fn finish(&mut self, caller: Caller) -> Option<Owner> {
        self.conns.get_mut(caller.conn)?.channels.finish(caller.channel)
    }

    /// A client gives a channel up: nothing is answered on it any more.
    pub(super) fn drop_channel(&mut self, caller: Caller) {
        if let Some(owner) = self.finish(caller) {
            self.drop_owner(owner);
        }
    }

    fn drop_owner(&mut self, owner: Owner) {
        match owner {
            Owner::Stream(stream) => self.cancel_stream(stream),
            Owner::Lever(lever) => self.release_lever(lever),
            Owner::Lease(lease) => self.end_lease(lease),
            Owner::Call | Owner::Router => {}
        }
    }

    /// The channels of all connections that have this owner.
    pub(super) fn callers(&self, owner: Owner) -> Vec<Caller> {
        let channels = |(conn, entry): (ConnId, &Conn)| {
            let own = entry.channels.iter().filter(|(_, there)| *there == owner);
            own.map(|(channel, _)| Caller { conn, channel }).collect::<Vec<_>>()
        };
        self.conns.iter().flat_map(channels).collect()
    }

    // ---- answers ----

    /// Puts the answer of a call off.
    ///
    /// # Errors
    /// The client has too many open channels already.
    pub(super) fn defer(&mut self, caller: Caller) -> Result<Ticket, Failure> {
        self.open(caller, Owner::Call)?;
        Ok(Ticket(caller))
    }

    /// Answers a call that was put off, unless the caller has left or revoked it.
    #[expect(clippy::needless_pass_by_value, reason = "an answer uses the ticket up")]
    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Answer, Failure>) {
        let Ticket(caller) = ticket;
        if self.finish(caller).is_none() {
            return;
        }
        match result {
            Ok(answer) => self.send_value(caller, answer.count, |out| out.extend_from_slice(&answer.fields)),
            Err(failure) => self.send_error(caller, &failure),
        }
    }

    /// Answers with `count` values, which `fields` appends.
    pub(super) fn send_value(&mut self, caller: Caller, count: usize, fields: impl FnOnce(&mut Vec<u8>)) {
        self.send(caller.conn, NOBODY, |out| v1::value(out, caller.channel, count, fields));
    }

    /// Answers that it is done.
    pub(super) fn send_done(&mut self, caller: Caller) {
        self.send_value(caller, 0, |_| ());
    }

    /// Answers that it failed.
    pub(super) fn send_error(&mut self, caller: Caller, failure: &Failure) {
        self.send(caller.conn, NOBODY, |out| v1::error(out, caller.channel, failure));
    }

    /// Queues a frame on the account of `owner`; returns its length.
    pub(super) fn send(&mut self, conn: ConnId, owner: u64, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.conns.get_mut(conn).map_or(0, |entry| entry.link.send(&mut self.out, owner, write))
    }
}

/// The values of an answer, encoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    count: usize,
    fields: Vec<u8>,
}

impl Answer {
    /// No value: it is done.
    pub(super) const DONE: Self = Self { count: 0, fields: Vec::new() };

    /// One value.
    pub(super) fn one(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut fields = Vec::new();
        write(&mut fields);
        Self { count: 1, fields }
    }

    /// One list of texts.
    pub(super) fn texts<'a>(items: impl ExactSizeIterator<Item = &'a str>) -> Self {
        Self::one(|out| {
            encode::array(out, items.len());
            items.for_each(|item| encode::raw(out, item.as_bytes()));
        })
    }
}

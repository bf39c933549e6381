//! The app's service: what clients send.

use alloc::string::{String, ToString};

use super::request::{Hold, InputHalf, Request};
use super::requests::NOBODY;
use super::{Conn, Engine, Policy, RequestKey, Role, Source};
use crate::config::Tag;
use crate::machine::{CloseReason, ConnId};
use crate::session::{Channels, Control, Cut, Link, Lookup, unknown_method};
use crate::wire::v1::message::{CLOSE, ERROR, WRITE};
use crate::wire::{Args, Failure, codes, single_raw, v1};

/// The methods of an app's service.
const ENQUEUE: u32 = 0;
const INFO: u32 = 1;
const CONTROL: u32 = 2;

/// A client's connection.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientSide {
    channels: Channels<Owner>,
    /// How many of its requests keep it from being read because their workers are slow.
    pub(super) congested: u32,
    /// How many of its requests wait for a worker with much input.
    pub(super) waiting: u32,
}

impl ClientSide {
    /// The count of such holds.
    pub(super) const fn holds(&mut self, hold: Hold) -> &mut u32 {
        match hold {
            Hold::Waiting => &mut self.waiting,
            Hold::Congestion => &mut self.congested,
        }
    }
}

/// Who takes the frames of an open channel.
#[derive(Clone, Copy, Debug)]
enum Owner {
    Request(RequestKey),
    /// A hold on the pool's size, for as long as the channel is open.
    Lever(u64),
}

impl Engine {
    /// Whether a client may be read.
    ///
    /// Requests that wait with much input stop the reading only while none of the client's other requests
    /// needs it to go on: that one may be what the waiting ones wait for.
    pub(super) fn client_may_read(&self, client: &ClientSide) -> bool {
        client.congested == 0 && (client.waiting == 0 || self.some_input_runs(client))
    }

    fn some_input_runs(&self, client: &ClientSide) -> bool {
        client.channels.iter().any(|(_, owner)| match owner {
            Owner::Request(key) => self
                .requests
                .get(key)
                .is_some_and(|request| request.assigned().is_some() && request.input_open()),
            Owner::Lever(_) => false,
        })
    }

    pub(super) fn accept_client(&mut self, conn: ConnId) {
        let mut link = Link::new(conn, self.config.limits.wire);
        if self.clients >= self.config.limits.clients {
            self.log(crate::machine::Severity::Warning, "too many client connections; closing the newest");
            return link.close(&mut self.out, CloseReason::Fault("too many connections".into()));
        }
        link.read(&mut self.out);
        let role = Role::Client(ClientSide::default());
        if self.conns.insert_at(conn, Conn { link, role, waiting: alloc::vec::Vec::new() }).is_ok() {
            self.clients += 1;
        }
    }

    /// One frame of a client.
    ///
    /// # Errors
    /// The sentence says why the connection cannot go on.
    pub(super) fn on_client_frame(&mut self, conn: ConnId, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let Some(Conn { link, role: Role::Client(client), .. }) = self.conns.get_mut(conn) else {
            return Ok(());
        };
        let bytes = cut.bytes(buf);
        let head = v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
        let headers = bytes.get(head.headers.clone()).unwrap_or_default();
        match client.channels.lookup(head.channel) {
            Lookup::Invalid => Err("a frame for channel 0".into()),
            Lookup::Finished => {
                link.absorb_headers(headers)?;
                self.stats.ignored();
                Ok(())
            }
            Lookup::Live(Owner::Request(key)) => {
                link.absorb_headers(headers)?;
                if !self.requests.get(key).is_some_and(Request::input_open) {
                    self.stats.ignored();
                    return Ok(());
                }
                self.on_stream_frame(key, head.message, cut, buf, &head);
                Ok(())
            }
            Lookup::Live(Owner::Lever(lever)) => {
                link.absorb_headers(headers)?;
                let args = bytes.get(head.args).unwrap_or_default();
                self.on_lever_frame(conn, head.channel, lever, head.message, args);
                Ok(())
            }
            Lookup::New => self.on_call(conn, &head, bytes),
        }
    }

    /// A frame on the channel of a request.
    fn on_stream_frame(&mut self, key: RequestKey, message: u32, cut: &Cut, buf: &[u8], head: &v1::Head) {
        let args = cut.bytes(buf).get(head.args.clone()).unwrap_or_default();
        match message {
            WRITE => match single_raw(args) {
                Ok(range) => {
                    let start = head.args.start;
                    self.relay_input(key, cut.payload(buf, start + range.start..start + range.end));
                }
                Err(error) => self.refuse_frame(key, error.into()),
            },
            ERROR => match Failure::decode(args) {
                Ok(failure) => self.fail_input(key, failure),
                Err(error) => self.refuse_frame(key, error.into()),
            },
            CLOSE => self.close_input(key),
            other => self.refuse_frame(key, unknown_method(other)),
        }
    }

    /// A frame of the client, or of the worker, that makes no sense on its channel: the channel ends.
    pub(super) fn refuse_frame(&mut self, key: RequestKey, failure: Failure) {
        self.tell_worker_failed(key, &failure);
        self.answer_failure(key, failure);
        if let Some(request) = self.requests.get_mut(key) {
            request.input = InputHalf::Closed;
        }
        self.finish_if_over(key);
    }

    /// A frame that opens a channel: a call of one of the app's methods, or a control message.
    fn on_call(&mut self, conn: ConnId, head: &v1::Head, bytes: &[u8]) -> Result<(), String> {
        let Some(Conn { link, role: Role::Client(client), .. }) = self.conns.get_mut(conn) else {
            return Ok(());
        };
        let headers = link.decode_headers(bytes.get(head.headers.clone()).unwrap_or_default())?;
        let full = client.channels.len() >= self.config.limits.wire.channels;
        client.channels.skip(head.channel);
        let channel = head.channel;
        let args = bytes.get(head.args.clone()).unwrap_or_default();
        // These keep no channel, and one of them gives one up.
        if let Some(control) = Control::read(head.message, args) {
            match control {
                Ok(control) => self.on_control(conn, channel, control),
                Err(failure) => self.refuse_call(conn, channel, &failure),
            }
            return Ok(());
        }
        if full {
            self.refuse_call(conn, channel, &Failure::new(codes::NO_RESOURCES, "too many channels are open"));
            return Ok(());
        }
        let result = match head.message {
            ENQUEUE => enqueue_args(args).map(|(event, policy)| {
                self.on_enqueue(conn, channel, event, headers, policy);
            }),
            INFO => {
                let report = self.report(1);
                self.reply(conn, |out| v1::value(out, channel, 1, |out| report.encode(out)));
                Ok(())
            }
            CONTROL => {
                self.open_lever(conn, channel);
                Ok(())
            }
            other => Err(unknown_method(other)),
        };
        if let Err(failure) = result {
            self.refuse_call(conn, channel, &failure);
        }
        Ok(())
    }

    fn on_enqueue(
        &mut self,
        conn: ConnId,
        channel: u64,
        event: &[u8],
        headers: alloc::vec::Vec<crate::wire::Header>,
        policy: Policy,
    ) {
        let source = Source::Client { conn, channel };
        let Some(key) = self.open_request(source, event, headers, policy) else { return };
        if let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) {
            client.channels.keep(channel, Owner::Request(key));
        }
    }

    fn on_control(&mut self, conn: ConnId, channel: u64, control: Control) {
        if let Control::Revoke { channel: revoked, failure } = control {
            self.give_up(conn, revoked, &failure);
        }
        self.reply(conn, |out| v1::value(out, channel, 0, |_| ()));
    }

    /// The client gives one of its channels up.
    fn give_up(&mut self, conn: ConnId, channel: u64, failure: &Failure) {
        let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) else { return };
        match client.channels.finish(channel) {
            Some(Owner::Request(key)) => self.abandon_because(key, failure),
            Some(Owner::Lever(lever)) => self.release_lever(lever),
            None => {}
        }
    }

    fn open_lever(&mut self, conn: ConnId, channel: u64) {
        let lever = self.pool.next_lever();
        if let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) {
            client.channels.keep(channel, Owner::Lever(lever));
        }
    }

    fn on_lever_frame(&mut self, conn: ConnId, channel: u64, lever: u64, message: u32, args: &[u8]) {
        let wish = Args::new(args).and_then(|mut args| args.int());
        match (message, wish) {
            (WRITE, Ok(workers)) => return self.pull_lever(lever, workers),
            (WRITE, Err(error)) => self.refuse_call(conn, channel, &error.into()),
            (ERROR | CLOSE, _) => {
                self.reply(conn, |out| v1::value(out, channel, 0, |_| ()));
            }
            (other, _) => self.refuse_call(conn, channel, &unknown_method(other)),
        }
        self.finish_client_channel(conn, channel);
        self.release_lever(lever);
    }

    fn refuse_call(&mut self, conn: ConnId, channel: u64, failure: &Failure) {
        self.reply(conn, |out| v1::error(out, channel, failure));
    }

    fn reply(&mut self, conn: ConnId, write: impl FnOnce(&mut alloc::vec::Vec<u8>)) {
        if let Some(entry) = self.conns.get_mut(conn) {
            self.buffered += entry.link.send(&mut self.out, NOBODY, write);
        }
    }

    /// A request of this client is over.
    pub(super) fn finish_client_channel(&mut self, conn: ConnId, channel: u64) {
        if let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) {
            client.channels.finish(channel);
        }
    }

    /// A client is gone: its requests are for nobody now.
    pub(super) fn drop_client(&mut self, conn: ConnId, reason: CloseReason) {
        let Some(Conn { role: Role::Client(client), .. }) = self.conns.get_mut(conn) else { return };
        let channels = core::mem::take(&mut client.channels);
        self.clients = self.clients.saturating_sub(1);
        self.drop_conn(conn, reason);
        for (_, owner) in channels.iter() {
            match owner {
                Owner::Request(key) => self.abandon(key),
                Owner::Lever(lever) => self.release_lever(lever),
            }
        }
    }
}

/// The arguments of `enqueue`: the event, and perhaps the name of the worker that must take it.
fn enqueue_args(args: &[u8]) -> Result<(&[u8], Policy), Failure> {
    let mut args = Args::new(args)?;
    let event = args.raw()?;
    if args.is_empty() {
        return Ok((event, Policy::default()));
    }
    let tag = args.text()?;
    if tag.is_empty() {
        return Ok((event, Policy::default()));
    }
    let tag = Tag::new(tag).map_err(|error| Failure::new(codes::BAD_ARGUMENTS, error.to_string()))?;
    Ok((event, Policy { tag: Some(tag), ..Policy::default() }))
}

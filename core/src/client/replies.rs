//! What locators and services answer.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::calls::Stage;
use super::dial::{Heard, State};
use super::{CallError, CallId, Client, ClientNotice, End, Message};
use crate::machine::{CloseReason, Endpoint};
use crate::session::{Cut, Lookup};
use crate::wire::{Args, ArgsError, Failure, Graph, codes, v1};

/// What a locator says about a service.
#[derive(Debug)]
pub(super) struct Resolution {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) version: u32,
    pub(super) graph: Graph,
}

impl Client {
    /// One frame of the locator or the service.
    ///
    /// # Errors
    /// The sentence says why the connection cannot go on.
    pub(super) fn on_frame(&mut self, cut: &Cut, buf: &[u8]) -> Result<(), String> {
        let bytes = cut.bytes(buf);
        let head = v1::head(bytes, cut.frame()).map_err(|error| error.to_string())?;
        let headers = bytes.get(head.headers.clone()).unwrap_or_default();
        match &mut self.state {
            State::Resolving { link, .. } => {
                link.absorb_headers(headers)?;
                let args = bytes.get(head.args.clone()).unwrap_or_default();
                self.on_resolved(&head, args)
            }
            State::Ready(ready) => {
                ready.link.absorb_headers(headers)?;
                ready.heard = Heard::Something;
                self.failures = 0;
                match ready.channels.lookup(head.channel) {
                    Lookup::Invalid => Err("a frame for channel 0".into()),
                    // Frames behind an end are late; services open no channels.
                    Lookup::Finished | Lookup::New => Ok(()),
                    Lookup::Live(call) => {
                        self.on_reply(call, &head, cut, buf);
                        Ok(())
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn on_reply(&mut self, id: CallId, head: &v1::Head, cut: &Cut, buf: &[u8]) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Open { upstream, .. } = &mut call.stage else { return };
        let Some((name, next)) = upstream.step(u64::from(head.message)) else {
            return self.on_nonsense(id, format!("message {} is not one it may send now", head.message));
        };
        let payload = cut.payload(buf, head.args.clone());
        if !next.is_end() {
            let message = Message::of(name);
            *upstream = next;
            let args = payload.into_bytes();
            call.unread += args.len();
            self.unread += args.len();
            return self.out.notice(ClientNotice::Message { call: id, message, args });
        }
        if name == "error" {
            return match Failure::decode(payload.as_slice()) {
                Ok(failure) => self.on_failure(id, failure),
                Err(error) => self.on_nonsense(id, format!("error: {error}")),
            };
        }
        let end = End::Message { message: Message::of(name), args: payload.into_bytes() };
        self.end_call(id, end);
    }

    fn on_nonsense(&mut self, id: CallId, text: String) {
        let name = self.config.target.name().into();
        self.break_call(id, CallError::Protocol { name, text });
    }

    fn on_failure(&mut self, id: CallId, failure: Failure) {
        let stopped = failure.code == codes::APP_STOPPED;
        self.end_call(id, End::Failed(failure));
        // An app that has stopped is somewhere else when it runs again. Other calls may still be answered here.
        if stopped && self.calls.values().all(|call| !call.is_open()) {
            self.on_lost(CloseReason::Done, "the app has been stopped".into());
        }
    }

    fn on_resolved(&mut self, head: &v1::Head, args: &[u8]) -> Result<(), String> {
        if head.channel != super::dial::RESOLVE_CHANNEL {
            return Ok(());
        }
        match head.message {
            v1::message::VALUE => {
                let resolution = resolution(args).map_err(|error| format!("resolve: {error}"))?;
                self.on_resolution(resolution);
                Ok(())
            }
            v1::message::ERROR => {
                let failure = Failure::decode(args).map_err(|error| format!("resolve: {error}"))?;
                self.on_unresolved(failure);
                Ok(())
            }
            other => Err(format!("message {other} is no answer to resolve")),
        }
    }
}

/// Reads endpoints, version and method tree. Addresses that are not numeric are passed over.
fn resolution(args: &[u8]) -> Result<Resolution, ArgsError> {
    let mut args = Args::new(args)?;
    let mut list = args.array()?;
    let mut endpoints = Vec::new();
    while !list.is_empty() {
        let mut pair = list.array()?;
        let (host, port) = (pair.text()?, pair.uint()?);
        if let (Ok(host), Ok(port)) = (host.parse::<IpAddr>(), u16::try_from(port)) {
            endpoints.push(Endpoint::Tcp(SocketAddr::new(host, port)));
        }
    }
    let version = u32::try_from(args.int()?).unwrap_or(u32::MAX);
    let graph = Graph::decode(args.slice()?)?;
    Ok(Resolution { endpoints, version, graph })
}

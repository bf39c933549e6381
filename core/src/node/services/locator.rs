//! The locator: names to endpoints.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::super::Node;
use super::super::conns::{Caller, NOBODY, Owner};
use super::{Call, Message};
use crate::locator::{Entry, Lease};
use crate::session::unknown_method;
use crate::wire::v1::message::WRITE;
use crate::wire::{Args, ArgsError, Failure, Value, codes, encode, v1};

const RESOLVE: u32 = 0;
const CONNECT: u32 = 1;
const REFRESH: u32 = 2;
const CLUSTER: u32 = 3;
const PUBLISH: u32 = 4;
const ROUTING: u32 = 5;
const UUID: u32 = 6;
/// On the channel of `publish` and `routing`: that is enough.
const DISCARD: u32 = 0;

impl Node {
    pub(super) fn call_locator(&mut self, caller: Caller, call: &Call<'_>) -> Result<(), Failure> {
        let mut args = Args::new(call.args)?;
        match call.message {
            RESOLVE => self.on_resolve(caller, args.text()?),
            CONNECT => {
                args.text()?;
                // Without a cluster there is nothing to tell, now or later.
                self.send(caller.conn, NOBODY, |out| v1::close(out, caller.channel));
                Ok(())
            }
            REFRESH => {
                texts(&mut args)?;
                self.send_done(caller);
                Ok(())
            }
            CLUSTER => {
                self.send_value(caller, 1, |out| encode::map(out, 0));
                Ok(())
            }
            PUBLISH => self.on_publish(caller, &mut args),
            ROUTING => self.on_routing(caller, &mut args),
            UUID => {
                let uuid = self.uuid.clone();
                self.send_value(caller, 1, |out| encode::raw(out, uuid.as_bytes()));
                Ok(())
            }
            other => Err(unknown_method(other)),
        }
    }

    /// The seed that may follow the name chooses among the members of a routing group; a name that is no group
    /// stands for itself.
    fn on_resolve(&mut self, caller: Caller, name: &str) -> Result<(), Failure> {
        // Clients recognise the code's own text.
        let entry = self.names.get(name).ok_or(codes::SERVICE_NOT_AVAILABLE)?.clone();
        self.send_value(caller, Entry::FIELDS, |out| entry.encode(out));
        Ok(())
    }

    fn on_publish(&mut self, caller: Caller, args: &mut Args<'_>) -> Result<(), Failure> {
        let lease = lease(args)?;
        let number = self.next_number();
        self.open(caller, Owner::Lease(number))?;
        self.leases.grant(number, lease);
        self.send_done(caller);
        Ok(())
    }

    fn on_routing(&mut self, caller: Caller, args: &mut Args<'_>) -> Result<(), Failure> {
        args.text()?;
        self.open(caller, Owner::Router)?;
        self.send(caller.conn, NOBODY, |out| {
            v1::frame(out, caller.channel, WRITE, |out| {
                encode::array(out, 1);
                encode::map(out, 0);
            });
        });
        Ok(())
    }

    pub(super) fn on_lease_message(&mut self, caller: Caller, lease: u64, message: &Message<'_>) {
        // The call was answered when the lease began, so whatever else comes cannot be answered any more.
        if message.head.message == DISCARD {
            self.finish(caller);
            self.end_lease(lease);
        }
    }

    pub(in super::super) fn end_lease(&mut self, lease: u64) {
        self.leases.end(lease);
    }

    pub(super) fn on_router_message(&mut self, caller: Caller, message: &Message<'_>) {
        self.finish(caller);
        match message.head.message {
            DISCARD => self.close_router(caller),
            other => self.send_error(caller, &unknown_method(other)),
        }
    }

    pub(in super::super) fn close_router(&mut self, caller: Caller) {
        self.send(caller.conn, NOBODY, |out| v1::close(out, caller.channel));
    }
}

/// The arguments of `publish`: name, endpoints, and perhaps version and method tree.
fn lease(args: &mut Args<'_>) -> Result<Lease, Failure> {
    let name = args.text()?.to_owned();
    let endpoints = endpoints(args)?;
    let protocol = if args.is_empty() { Value::Nil } else { args.value()? };
    let protocol = match protocol {
        Value::Nil => None,
        Value::Array(pair) => match pair.as_slice() {
            [Value::Uint(0), ..] => return Err(codes::MISSING_VERSION.into()),
            [Value::Uint(version), graph @ Value::Map(_), ..] => Some((*version, graph.clone())),
            _ => return Err(no_protocol()),
        },
        _ => return Err(no_protocol()),
    };
    Ok(Lease { name, endpoints, protocol })
}

fn no_protocol() -> Failure {
    ArgsError { index: 2, expected: "a version and a method tree", found: "something else" }.into()
}

fn endpoints(args: &mut Args<'_>) -> Result<Vec<SocketAddr>, Failure> {
    let mut list = args.array()?;
    let mut endpoints = Vec::new();
    while !list.is_empty() {
        let mut pair = list.array()?;
        let (ip, port) = (pair.text()?, pair.uint()?);
        let wrong = ArgsError { index: 1, expected: "numeric addresses with ports", found: "something else" };
        let ip: IpAddr = ip.parse().map_err(|_| wrong.clone())?;
        endpoints.push(SocketAddr::new(ip, u16::try_from(port).map_err(|_| wrong)?));
    }
    Ok(endpoints)
}

/// A list of texts.
pub(super) fn texts(args: &mut Args<'_>) -> Result<Vec<String>, Failure> {
    let mut list = args.array()?;
    let mut texts = Vec::new();
    while !list.is_empty() {
        texts.push(list.text()?.to_owned());
    }
    Ok(texts)
}

//! The services of a node: what each method takes and answers.

mod apps;
mod locator;
mod logging;
mod storage;

use alloc::vec::Vec;

use super::Node;
use super::conns::{Caller, Owner};

pub(super) use apps::Lever;
pub(super) use storage::store_failure;

use crate::session::{Control, Cut};
use crate::wire::v1::Head;
use crate::wire::{Header, Protocol, protocols};

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceKind {
    /// Names to endpoints.
    Locator,
    /// Starting, stopping and looking at apps.
    Node,
    /// Values by collection and key.
    Storage,
    /// The node's log.
    Logging,
}

impl ServiceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Locator, Self::Node, Self::Storage, Self::Logging];

    /// Version and methods.
    #[must_use]
    pub const fn protocol(self) -> &'static Protocol {
        match self {
            Self::Locator => &protocols::LOCATOR,
            Self::Node => &protocols::NODE,
            Self::Storage => &protocols::STORAGE,
            Self::Logging => &protocols::LOGGING,
        }
    }

    /// The name that clients expect.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        self.protocol().name
    }

    /// Whether workers need it to finish what they have begun.
    pub(super) const fn serves_workers(self) -> bool {
        !matches!(self, Self::Node)
    }
}

/// A frame that opens a channel.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) message: u32,
    pub(super) args: &'a [u8],
    pub(super) headers: Vec<Header>,
}

/// A frame on an open channel.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) head: Head,
    pub(super) cut: &'a Cut,
    pub(super) buf: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn args(&self) -> &'a [u8] {
        self.cut.bytes(self.buf).get(self.head.args.clone()).unwrap_or_default()
    }
}

impl Node {
    /// Carries out a call. Whatever is wrong with it is answered on its own channel.
    pub(super) fn on_call(&mut self, caller: Caller, service: ServiceKind, call: Call<'_>) {
        let result = match Control::read(call.message, call.args) {
            Some(control) => control.map(|control| self.on_control(caller, &control)),
            None => match service {
                ServiceKind::Locator => self.call_locator(caller, &call),
                ServiceKind::Node => self.call_node(caller, call),
                ServiceKind::Storage => self.call_storage(caller, &call),
                ServiceKind::Logging => self.call_logging(caller, &call),
            },
        };
        if let Err(failure) = result {
            self.send_error(caller, &failure);
        }
    }

    /// Takes a message on an open channel.
    pub(super) fn on_message(&mut self, caller: Caller, owner: Owner, message: &Message<'_>) {
        match owner {
            // The one thing to do is to wait for the answer.
            Owner::Call => {}
            Owner::Stream(stream) => self.on_stream_message(stream, message),
            Owner::Lever(lever) => self.on_lever_message(caller, lever, message),
            Owner::Lease(lease) => self.on_lease_message(caller, lease, message),
            Owner::Router => self.on_router_message(caller, message),
        }
    }

    fn on_control(&mut self, caller: Caller, control: &Control) {
        if let Control::Revoke { channel, .. } = control {
            self.drop_channel(Caller { channel: *channel, ..caller });
        }
        self.send_done(caller);
    }
}

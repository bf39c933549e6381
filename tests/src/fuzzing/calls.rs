//! What a client has called, and what it has been answered.

use std::collections::BTreeMap;

use cocaine_core::wire::graph::{Next, Protocol, Transition, Tree};
use cocaine_core::wire::v1::message::{PING, REVOKE, WRITE};
use cocaine_core::wire::{Args, single_raw, v1};

use super::stream::Stream;

/// The calls of one connection.
///
/// Every method panics when an answer makes no sense: on a channel that was never opened, after the end of the
/// answer, or of a kind that the method does not have.
pub(super) struct Calls {
    protocol: &'static Protocol,
    calls: BTreeMap<u64, Call>,
    highest: u64,
    sent: Stream,
    received: Stream,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Call {
    method: &'static str,
    /// What may still be answered.
    tree: Tree,
    /// The chunks of the answer.
    pub(super) data: Vec<u8>,
    pub(super) failed: bool,
    revoked: bool,
}

/// The answer to what cannot be called.
const REFUSED: Tree = Tree(&[Transition { id: 1, name: "error", next: Next::Enter(Tree::END) }]);

impl Calls {
    pub(super) fn new(protocol: &'static Protocol) -> Self {
        let (sent, received) = (Stream::default(), Stream::default());
        Self { protocol, calls: BTreeMap::new(), highest: 0, sent, received }
    }

    /// Takes note of bytes that the machine was given.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        for (frame, bytes) in self.sent.frames(bytes) {
            let Ok(head) = v1::head(&bytes, &frame) else { return self.sent.break_off() };
            if head.channel <= self.highest {
                continue;
            }
            self.highest = head.channel;
            if head.message == REVOKE {
                self.note_revoked(&bytes[head.args]);
            }
            self.calls.insert(head.channel, Call::new(self.protocol, head.message));
        }
    }

    fn note_revoked(&mut self, args: &[u8]) {
        let revoked = Args::new(args).and_then(|mut args| args.uint()).ok();
        if let Some(call) = revoked.and_then(|channel| self.calls.get_mut(&channel)) {
            call.revoked = true;
        }
    }

    /// Takes note of bytes that the machine wrote.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        for (frame, bytes) in self.received.sound_frames(bytes) {
            let head = v1::head(&bytes, &frame).expect("the machine writes heads");
            let call = self.calls.get_mut(&head.channel);
            let call = call.unwrap_or_else(|| panic!("an answer on channel {}", head.channel));
            call.answered(head.channel, head.message, &bytes[head.args]);
        }
    }

    pub(super) fn get(&self, channel: u64) -> &Call {
        &self.calls[&channel]
    }

    /// Every call was answered that is not answered only as long as its caller likes (`open`).
    pub(super) fn assert_all_ended(&self, open: &[&str]) {
        for (channel, call) in &self.calls {
            let optional = call.revoked || open.contains(&call.method);
            assert!(call.ended() || optional, "channel {channel} was never answered: {call:?}");
        }
    }
}

impl Call {
    fn new(protocol: &'static Protocol, message: u32) -> Self {
        let (method, tree) = match (protocol.method(message), message) {
            (Some(method), _) => (method.name, method.upstream),
            (None, PING | REVOKE) => ("control message", Tree::VALUE),
            _ => ("nothing", REFUSED),
        };
        Self { method, tree, data: Vec::new(), failed: false, revoked: false }
    }

    pub(super) const fn ended(&self) -> bool {
        self.tree.0.is_empty()
    }

    fn answered(&mut self, channel: u64, message: u32, args: &[u8]) {
        let step = self.tree.0.iter().find(|transition| transition.id == message);
        let Some(step) = step else { panic!("message {message} on channel {channel}: {self:?}") };
        if (step.name, message) == ("write", WRITE)
            && let Ok(range) = single_raw(args)
        {
            self.data.extend_from_slice(&args[range]);
        }
        self.failed |= step.name == "error";
        if let Next::Enter(tree) = step.next {
            self.tree = tree;
        }
    }
}

//! A worker that sends back what it is sent.

use cocaine_core::engine::Engine;
use cocaine_core::machine::ConnId;
use cocaine_core::wire::{single_raw, v1};

use crate::fuzzing::driver::Driver;
use crate::fuzzing::stream::Stream;

pub(super) struct Echo {
    pub(super) conn: ConnId,
    inbox: Stream,
    outbox: Vec<u8>,
}

impl Echo {
    pub(super) fn new(conn: ConnId) -> Self {
        Self { conn, inbox: Stream::default(), outbox: Vec::new() }
    }

    pub(super) fn beat(&mut self) {
        v1::heartbeat(&mut self.outbox);
    }

    /// Answers what has come. Whether anything happened.
    pub(super) fn go_on(&mut self, driver: &mut Driver<Engine>) -> bool {
        let mut moved = driver.acknowledge(self.conn);
        for (frame, bytes) in self.inbox.sound_frames(&driver.take_received(self.conn)) {
            let head = v1::head(&bytes, &frame).expect("the engine writes heads");
            self.answer(&head, &bytes[head.args.clone()]);
        }
        let taken = driver.deliver(self.conn, &self.outbox, usize::MAX);
        self.outbox.drain(..taken);
        moved |= taken > 0;
        moved
    }

    fn answer(&mut self, head: &v1::Head, args: &[u8]) {
        use v1::message::{CLOSE, ERROR, TERMINATE, WRITE};
        match (head.channel, head.message) {
            (v1::CONTROL_CHANNEL, TERMINATE) => v1::terminate(&mut self.outbox, 1, b"bye"),
            (v1::CONTROL_CHANNEL, _) => {}
            // The invocation is a frame of the same shape: its event is sent back too.
            (channel, WRITE) => {
                let payload = &args[single_raw(args).expect("one raw")];
                v1::write(&mut self.outbox, channel, payload);
            }
            (channel, CLOSE | ERROR) => v1::close(&mut self.outbox, channel),
            other => panic!("the engine says {other:?} to a worker"),
        }
    }
}

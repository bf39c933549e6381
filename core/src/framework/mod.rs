//! The worker's end: what an app written in Rust has between its handlers and the runtime.
//!
//! ```text
//! dial ─▶ handshake, first heartbeat ─▶ invocations ⇄ chunks ─▶ terminate, both ways ─▶ over
//! ```
//!
//! [`Session`] is the machine. Heartbeats do not depend on handlers: they go out on time and overtake what the
//! handlers write. Both dialects are spoken; the command line says which ([`Options`]).

mod beat;
mod command;
mod frames;
mod options;
mod streams;
#[cfg(test)]
mod tests;

pub use command::{
    AppCommand, AppNotice, Farewell, SessionConfig, SessionLimits, SessionTimeouts, StreamKey,
};
pub use options::{Options, OptionsError};

use alloc::string::String;

use bytes::BytesMut;

use self::beat::Beat;
use self::streams::Stream;
use crate::machine::{CloseReason, ConnId, Input, Machine, Outbox, Output, Record, Severity, Slots};
use crate::session::{Channels, Link};
use crate::time::{TimerReason, Timestamp};
use crate::wire::error::ErrorCode;
use crate::wire::{Dialect, codes::category, v0, v1};

/// What workers answer to an event that they have no handler for.
pub const NO_HANDLER: ErrorCode = ErrorCode::new(category::WORKER, 200);
/// What workers answer when a handler failed without saying how.
pub const HANDLER_FAILED: ErrorCode = ErrorCode::new(category::WORKER, 100);

/// One worker's connection to its runtime, from dialing to the end.
///
/// It connects once. After [`AppNotice::Over`] there is nothing left to do but to exit.
#[derive(Clone, Debug)]
pub struct Session {
    config: SessionConfig,
    out: Outbox<AppNotice>,
    now: Timestamp,
    link: Link,
    phase: Phase,
    channels: Channels<StreamKey>,
    streams: Slots<StreamKey, Stream>,
    /// Bytes of chunks that handlers were given and have not consumed.
    unread: usize,
    /// Whether the connection is not being read because of them.
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    On,
    Paused,
}

#[derive(Clone, Debug)]
enum Phase {
    Connecting {
        deadline: Timestamp,
    },
    Serving(Beat),
    /// The runtime wants us gone; what runs may finish.
    Finishing {
        beat: Beat,
        deadline: Timestamp,
        code: i32,
        reason: String,
    },
    /// Our terminate is the last thing to be written.
    Leaving {
        deadline: Timestamp,
        code: i32,
        reason: String,
    },
    Over,
}

impl Session {
    /// A session that dials at once.
    #[must_use]
    pub fn new(config: SessionConfig, now: Timestamp) -> Self {
        let conn = ConnId::dialed(0, 0);
        let mut out = Outbox::default();
        out.push(Output::Connect { conn, endpoint: config.endpoint.clone() });
        let mut channels = Channels::default();
        if config.protocol == Dialect::V1 {
            channels.skip(v1::CONTROL_CHANNEL);
        }
        Self {
            link: Link::new(conn, config.limits.wire),
            phase: Phase::Connecting { deadline: now + config.timeouts.connect },
            out,
            now,
            channels,
            streams: Slots::default(),
            unread: 0,
            reading: Reading::On,
            config,
        }
    }

    /// How many invocations have not been answered to their end.
    #[must_use]
    pub fn running(&self) -> usize {
        self.streams.len()
    }

    fn on_connected(&mut self) {
        let uuid = self.config.uuid.as_bytes();
        let dialect = self.config.protocol;
        self.link.send_control(&mut self.out, |out| match dialect {
            Dialect::V0 => v0::handshake(out, uuid),
            Dialect::V1 => v1::handshake(out, uuid),
        });
        self.phase = Phase::Serving(Beat::new(self.now));
        self.link.read(&mut self.out);
    }

    fn on_received(&mut self, mut buf: BytesMut) {
        loop {
            match self.link.cut(&mut buf) {
                Ok(Some(cut)) => {
                    let result = self.on_frame(&cut, &buf);
                    Link::consume(&cut, &mut buf);
                    if let Err(text) = result {
                        return self.end(CloseReason::Fault(text.clone()), Farewell::Fault(text));
                    }
                }
                Ok(None) => break,
                Err(text) => return self.end(CloseReason::Fault(text.clone()), Farewell::Fault(text)),
            }
        }
        self.link.put_back(buf);
        self.read_on();
    }

    /// Reads on, unless handlers have more than enough to do.
    fn read_on(&mut self) {
        if self.unread > self.config.limits.unread_bytes {
            self.reading = Reading::Paused;
            return;
        }
        if self.reading == Reading::Paused {
            self.reading = Reading::On;
            self.forgive_silence();
        }
        self.link.read(&mut self.out);
    }

    /// The connection is gone. Whether that is the end we wanted depends on how far we were.
    fn on_lost(&mut self, text: String) {
        let farewell = match &mut self.phase {
            Phase::Leaving { code, reason, .. } | Phase::Finishing { code, reason, .. } => {
                Farewell::Terminated { code: *code, reason: core::mem::take(reason) }
            }
            _ => Farewell::Disconnected(text),
        };
        self.end(CloseReason::Gone, farewell);
    }

    fn on_terminate(&mut self, code: i32, reason: String) {
        let Phase::Serving(beat) = &self.phase else { return };
        let deadline = self.now + self.config.timeouts.finish;
        self.phase = Phase::Finishing { beat: beat.clone(), deadline, code, reason: reason.clone() };
        self.out.notice(AppNotice::Terminating { code, reason });
    }

    /// Says goodbye, behind everything that was written before.
    fn leave(&mut self, code: i32, reason: String) {
        let dialect = self.config.protocol;
        self.link.send(&mut self.out, streams::NOBODY, |out| match dialect {
            Dialect::V0 => v0::terminate(out, code, reason.as_bytes()),
            Dialect::V1 => v1::terminate(out, code, reason.as_bytes()),
        });
        self.link.close_when_written(&mut self.out, CloseReason::Done);
        self.phase = Phase::Leaving { deadline: self.now + self.config.timeouts.finish, code, reason };
    }

    /// Ends it all: what is still running is forgotten.
    fn end(&mut self, reason: CloseReason, farewell: Farewell) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        self.phase = Phase::Over;
        self.link.close(&mut self.out, reason);
        self.streams = Slots::default();
        self.channels = Channels::default();
        self.out.notice(AppNotice::Over { farewell });
    }

    /// Does what time and the end of streams ask for.
    fn settle(&mut self) {
        self.beat();
        match &mut self.phase {
            Phase::Connecting { deadline } if *deadline <= self.now => {
                let text = alloc::format!("connecting to {} took too long", self.config.endpoint);
                self.end(CloseReason::Done, Farewell::Unreachable(text));
            }
            Phase::Finishing { deadline, code, reason, .. }
                if self.streams.is_empty() || *deadline <= self.now =>
            {
                let (code, reason) = (*code, core::mem::take(reason));
                self.leave(code, reason);
            }
            Phase::Leaving { deadline, code, reason } if *deadline <= self.now => {
                let farewell = Farewell::Terminated { code: *code, reason: core::mem::take(reason) };
                self.end(CloseReason::Done, farewell);
            }
            _ => {}
        }
    }

    fn log(&mut self, severity: Severity, message: impl Into<String>) {
        self.out.push(Output::Log(Record::new(severity, "worker", message)));
    }
}

impl Machine for Session {
    type Command = AppCommand;
    type Notice = AppNotice;

    fn handle(&mut self, now: Timestamp, input: Input<AppCommand>) {
        self.now = self.now.max(now);
        match input {
            _ if matches!(self.phase, Phase::Over) => return,
            Input::Connected { conn } if conn == self.link.conn() => self.on_connected(),
            Input::ConnectFailed { conn, error } if conn == self.link.conn() => {
                // The name of the connection is dead already: there is nothing to close.
                self.phase = Phase::Over;
                self.out.notice(AppNotice::Over { farewell: Farewell::Unreachable(error.text) });
            }
            Input::Received { conn, buf } if conn == self.link.conn() => self.on_received(buf),
            Input::Written { conn, batch } if conn == self.link.conn() => self.on_written(batch),
            Input::Disconnected { conn, error } if conn == self.link.conn() => {
                self.on_lost(
                    error.map_or_else(|| "the runtime closed the connection".into(), |error| error.text),
                );
            }
            Input::HungUp { conn } if conn == self.link.conn() => {
                self.on_lost("the runtime closed the connection".into());
            }
            Input::Command(command) => self.on_command(command),
            // Time is looked at below; everything else is not for a worker.
            _ => {}
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Option<Output<AppNotice>> {
        let link = &mut self.link;
        self.out.poll(|_| link.take_write())
    }

    fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        if !self.out.is_empty() {
            return Some((self.now, TimerReason::OutputQueued));
        }
        match &self.phase {
            Phase::Connecting { deadline } => Some((*deadline, TimerReason::Reply)),
            Phase::Serving(beat) => Some(self.next_beat(beat)),
            Phase::Finishing { beat, deadline, .. } => {
                Some(self.next_beat(beat).min((*deadline, TimerReason::Terminate)))
            }
            Phase::Leaving { deadline, .. } => Some((*deadline, TimerReason::Terminate)),
            Phase::Over => None,
        }
    }
}

//! What runs in the workers: the events that a test needs.

use std::collections::BTreeMap;

use bytes::Bytes;
use cocaine_core::framework::{AppCommand, AppNotice, NO_HANDLER, StreamKey};
use cocaine_core::wire::{ErrorCode, Failure};

/// Handlers without tasks: an event is a rule for what comes next.
///
/// `ping` answers the first chunk and ends; `echo` answers every chunk and ends when the caller does; `error` fails
/// with `[42, 42]`; `hang` answers nothing; `crash` exits with code 1.
#[derive(Clone, Debug, Default)]
pub struct App {
    streams: BTreeMap<StreamKey, Event>,
    /// How many invocations there were.
    pub invoked: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Ping,
    Echo,
    Hang,
}

/// What an app does.
#[derive(Clone, Debug, PartialEq)]
pub enum Reaction {
    /// It tells its session.
    Say(AppCommand),
    /// Its process exits.
    Exit(i32),
}

impl App {
    /// What it does about a notice of its session.
    pub fn react(&mut self, notice: AppNotice) -> Vec<Reaction> {
        match notice {
            AppNotice::Invoke { stream, event, .. } => self.invoke(stream, &event),
            AppNotice::Chunk { stream, data } => self.chunk(stream, data),
            AppNotice::Closed { stream } if self.streams.get(&stream) == Some(&Event::Hang) => Vec::new(),
            AppNotice::Closed { stream } => self.end(AppCommand::Close { stream }, stream),
            AppNotice::Failed { stream, failure } => self.end(AppCommand::Fail { stream, failure }, stream),
            AppNotice::Drained { .. }
            | AppNotice::Refused { .. }
            | AppNotice::Terminating { .. }
            | AppNotice::Over { .. } => Vec::new(),
        }
    }

    fn invoke(&mut self, stream: StreamKey, event: &[u8]) -> Vec<Reaction> {
        self.invoked += 1;
        let event = match event {
            b"ping" => Event::Ping,
            b"echo" => Event::Echo,
            b"hang" => Event::Hang,
            b"crash" => return vec![Reaction::Exit(1)],
            b"error" => return fail(stream, ErrorCode::new(42, 42), "custom failure"),
            _ => return fail(stream, NO_HANDLER, "there is no handler"),
        };
        self.streams.insert(stream, event);
        Vec::new()
    }

    fn chunk(&mut self, stream: StreamKey, data: Bytes) -> Vec<Reaction> {
        let consumed = Reaction::Say(AppCommand::Consumed { stream, bytes: data.len() });
        let mut reactions = vec![Reaction::Say(AppCommand::Write { stream, chunk: data }), consumed];
        match self.streams.get(&stream) {
            Some(Event::Ping) => reactions.extend(self.end(AppCommand::Close { stream }, stream)),
            Some(Event::Echo) => {}
            Some(Event::Hang) | None => reactions.clear(),
        }
        reactions
    }

    fn end(&mut self, command: AppCommand, stream: StreamKey) -> Vec<Reaction> {
        self.streams.remove(&stream).map(|_| Reaction::Say(command)).into_iter().collect()
    }
}

fn fail(stream: StreamKey, code: ErrorCode, text: &'static str) -> Vec<Reaction> {
    vec![Reaction::Say(AppCommand::Fail { stream, failure: Failure::new(code, text) })]
}

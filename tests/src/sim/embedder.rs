//! An embedder, or a node, who opens streams by commands.

use std::collections::BTreeMap;

use cocaine_core::config::Tag;
use cocaine_core::engine::{EngineCommand, EngineNotice, Policy, StreamId, Urgency};
use cocaine_core::machine::Input;
use cocaine_core::wire::{ErrorCode, Failure};

use super::client;
use super::event::{Deed, Event};
use super::fact::{Ending, Fact};
use super::request::{Kind, Req, Task, Terms, Way, pattern};
use super::world::World;

/// Who opens streams.
#[derive(Debug)]
pub struct Embedder {
    /// Requests that it will still make.
    pub left: usize,
    streams: BTreeMap<u64, Stream>,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    sent: u64,
    left: usize,
    size: usize,
    /// Whether it still sends.
    open: bool,
    over: bool,
}

impl Embedder {
    /// One that makes so many requests.
    #[must_use]
    pub const fn new(left: usize) -> Self {
        Self { left, streams: BTreeMap::new() }
    }
}

impl World {
    pub(super) fn step_embedder(&mut self, deed: Deed) {
        match deed {
            Deed::Ask => self.embedder_asks(),
            Deed::Stream(stream) => self.embedder_streams(stream),
            Deed::Consume(stream, bytes) => {
                let stream = StreamId(stream);
                self.tell(Input::Command(EngineCommand::Consumed { stream, bytes }));
            }
        }
    }

    fn embedder_asks(&mut self) {
        if self.embedder.left == 0 || self.engine.is_over() {
            return;
        }
        self.embedder.left -= 1;
        let task = client::task(&mut self.dice, Req(self.terms.len()));
        let tag = self.dice.chance(40).then(|| Tag::new("green").expect("a tag"));
        let size = client::size(&mut self.dice);
        self.open_stream(&task, tag, size);
        let pause = self.dice.millis(0, self.options.pause_ms);
        self.agenda.after(pause, Event::Embedder(Deed::Ask));
    }

    /// A request without any malice.
    pub(super) fn embedder_asks_well(&mut self) {
        let task = Task { req: Req(self.terms.len()), kind: Kind::Patient, chunks: 3, size: 100 };
        self.open_stream(&task, None, 50);
    }

    fn open_stream(&mut self, task: &Task, tag: Option<Tag>, size: usize) {
        let req = task.req;
        let timeout = self.checks.timeouts().request;
        let (tagged, malformed) = (tag.is_some(), false);
        self.terms.push(Terms { timeout, tagged, malformed });
        let urgency = if self.dice.chance(200) { Urgency::Urgent } else { Urgency::Normal };
        let left = self.dice.size(0, 3);
        let stream = Stream { sent: 0, left, size, open: true, over: false };
        self.embedder.streams.insert(req.0 as u64, stream);
        self.state(&Fact::Asked { req, timeout, tagged, malformed });
        self.tell(Input::Command(EngineCommand::Open {
            stream: StreamId(req.0 as u64),
            event: task.event().into(),
            headers: Vec::new(),
            policy: Policy { tag, urgency },
        }));
        let soon = self.dice.millis(0, 3);
        self.agenda.after(soon, Event::Embedder(Deed::Stream(req.0 as u64)));
    }

    fn embedder_streams(&mut self, number: u64) {
        let Some(stream) = self.embedder.streams.get_mut(&number).filter(|stream| stream.open) else {
            return;
        };
        let (id, req) = (StreamId(number), Req(usize::try_from(number).unwrap_or(0)));
        if stream.left > 0 {
            let bytes: Vec<u8> = pattern(req, Way::Up, stream.sent, stream.size).collect();
            stream.sent += stream.size as u64;
            stream.left -= 1;
            if !stream.over {
                self.state(&Fact::Sent { req, bytes: &bytes });
            }
            self.tell(Input::Command(EngineCommand::Chunk { stream: id, data: bytes.into() }));
            let wait = self.dice.millis(0, 100);
            return self.agenda.after(wait, Event::Embedder(Deed::Stream(number)));
        }
        stream.open = false;
        let over = stream.over;
        let (command, fact) = match if self.stormy { self.dice.within(0, 9) } else { 9 } {
            0 => (EngineCommand::Cancel { stream: id }, Fact::Abandoned { req }),
            1 => {
                let failure = Failure::new(ErrorCode::new(7, 8), "no more");
                let end = Ending::Failed(failure.code);
                (EngineCommand::Fail { stream: id, failure }, Fact::SentEnd { req, end })
            }
            _ => (EngineCommand::End { stream: id }, Fact::SentEnd { req, end: Ending::Closed }),
        };
        if !over {
            self.state(&fact);
        }
        self.tell(Input::Command(command));
    }

    /// The engine answers.
    pub(super) fn embedder_hears(&mut self, notice: &EngineNotice) {
        let req = |stream: StreamId| Req(usize::try_from(stream.0).unwrap_or(0));
        let (over, fact) = match notice {
            EngineNotice::Chunk { stream, data } => {
                let wait = self.dice.millis(0, 50);
                self.agenda.after(wait, Event::Embedder(Deed::Consume(stream.0, data.len())));
                return self.state(&Fact::Answer { req: req(*stream), bytes: data });
            }
            EngineNotice::End { stream } => {
                (stream, Fact::AnswerEnd { req: req(*stream), end: Ending::Closed })
            }
            EngineNotice::Fail { stream, failure } => {
                (stream, Fact::AnswerEnd { req: req(*stream), end: Ending::Failed(failure.code) })
            }
            _ => return,
        };
        self.embedder.streams.get_mut(&over.0).expect("a stream of ours").over = true;
        self.state(&fact);
    }
}

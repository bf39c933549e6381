//! The bytes of a stream arrive in order, completely if it closes well, and never in another one.

use std::collections::BTreeMap;

use super::Promise;
use crate::sim::fact::{Ending, Fact, Moment};
use crate::sim::request::{Req, Way, pattern};

#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<Req, Stream>);

#[derive(Debug, Default)]
struct Stream {
    sent: u64,
    sent_end: Option<Ending>,
    input: u64,
    replied: u64,
    answered: u64,
    /// The worker, or the engine, has ended the request: input may be cut short.
    over: bool,
}

impl Promise for Streams {
    fn see(&mut self, _: &Moment, fact: &Fact<'_>) {
        let req = match *fact {
            Fact::Asked { req, .. } => {
                self.0.insert(req, Stream::default());
                return;
            }
            Fact::Sent { req, .. }
            | Fact::SentEnd { req, .. }
            | Fact::Input { req, .. }
            | Fact::InputEnd { req, .. }
            | Fact::Reply { req, .. }
            | Fact::ReplyEnd { req, .. }
            | Fact::Answer { req, .. }
            | Fact::AnswerEnd { req, .. }
            | Fact::Misused { req }
            | Fact::Abandoned { req } => req,
            _ => return,
        };
        let stream = self.0.get_mut(&req).expect("it was asked");
        match *fact {
            Fact::Sent { bytes, .. } => stream.sent += bytes.len() as u64,
            Fact::SentEnd { end, .. } => stream.sent_end = Some(end),
            Fact::Input { bytes, .. } => {
                matches_pattern(req, Way::Up, stream.input, bytes);
                stream.input += bytes.len() as u64;
                assert!(stream.input <= stream.sent, "request {}: input that nobody sent", req.0);
            }
            Fact::InputEnd { end: Ending::Closed, .. } if !stream.over => {
                assert_eq!(stream.sent_end, Some(Ending::Closed), "request {}: input ends early", req.0);
                assert_eq!(stream.input, stream.sent, "request {}: input was lost", req.0);
            }
            Fact::Reply { bytes, .. } => stream.replied += bytes.len() as u64,
            Fact::Answer { bytes, .. } => {
                matches_pattern(req, Way::Down, stream.answered, bytes);
                stream.answered += bytes.len() as u64;
                assert!(stream.answered <= stream.replied, "request {}: an answer of nobody", req.0);
            }
            Fact::AnswerEnd { end, .. } => {
                stream.over = true;
                if end == Ending::Closed {
                    assert_eq!(stream.answered, stream.replied, "request {}: answer was lost", req.0);
                }
            }
            Fact::ReplyEnd { .. } | Fact::Misused { .. } | Fact::Abandoned { .. } => stream.over = true,
            _ => {}
        }
    }
}

fn matches_pattern(req: Req, way: Way, from: u64, bytes: &[u8]) {
    let same = pattern(req, way, from, bytes.len()).eq(bytes.iter().copied());
    assert!(same, "request {}: bytes {from}… on the way {way:?} are not its own", req.0);
}

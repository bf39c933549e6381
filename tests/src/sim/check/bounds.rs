//! What is buffered stays below `engine_bytes`, but for frames of our own and one of each peer.

use cocaine_core::engine::Engine;

use super::{Promise, Rules};
use crate::sim::fact::Moment;

#[derive(Debug)]
pub(super) struct Bounds {
    most: usize,
}

/// What answers to refused requests, errors and heads of frames may add.
const SMALL_CHANGE: usize = 200_000;

impl Bounds {
    pub(super) const fn new(rules: &Rules) -> Self {
        Self { most: rules.limits.engine_bytes + SMALL_CHANGE }
    }
}

impl Promise for Bounds {
    fn rest(&mut self, _: &Moment, engine: &Engine) {
        let buffered = engine.buffered();
        assert!(buffered <= self.most, "{buffered} bytes are buffered, but {} is the bound", self.most);
    }
}

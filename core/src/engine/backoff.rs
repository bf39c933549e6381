#![expect(missing_docs, reason = "replaced by the real counters next")]
#![allow(dead_code)]
use crate::rng::Rng;
use crate::time::Timestamp;
#[derive(Clone, Debug)]
pub struct Backoff {
    r: Rng,
}
impl Backoff {
    pub fn new(r: Rng) -> Self {
        Self { r }
    }
    pub fn activated(&mut self, _: Timestamp) {}
    pub fn failed(&mut self, _: Timestamp, _: bool, _: bool) {}
    pub fn is_crash_looping(&self) -> bool {
        false
    }
    pub fn until(&self) -> Option<Timestamp> {
        None
    }
    pub fn may_spawn(&self, _: Timestamp) -> bool {
        true
    }
}

#![expect(missing_docs, reason = "replaced by the real counters next")]
#![allow(dead_code)]
use crate::time::Timestamp;
use alloc::vec::Vec;
use core::time::Duration;
#[derive(Clone, Debug)]
pub struct Stats;
impl Stats {
    pub fn new(_: Timestamp) -> Self {
        Self
    }
    pub fn accepted(&mut self, _: Timestamp) {}
    pub fn rejected(&mut self, _: Timestamp) {}
    pub fn ignored(&mut self) {}
    pub fn answered(&mut self, _: Timestamp, _: Duration) {}
    pub fn queue_depth(&mut self, _: Timestamp, _: usize) {}
    pub fn rates(&self, _: Timestamp) -> [f64; 3] {
        [0.; 3]
    }
    pub fn rate_mean(&self, _: Timestamp) -> f64 {
        0.
    }
    pub fn timings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    pub fn timings_reversed(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    pub fn accepted_total(&self) -> u64 {
        0
    }
    pub fn rejected_total(&self) -> u64 {
        0
    }
    pub fn ignored_total(&self) -> u64 {
        0
    }
    pub fn queue_average(&self, _: Timestamp) -> f64 {
        0.
    }
}

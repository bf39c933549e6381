#![expect(missing_docs, reason = "replaced by the real counters next")]
#![allow(dead_code)]
use crate::config::Profile;
use crate::machine::WorkerId;
use alloc::vec::Vec;
pub struct Candidate {
    pub worker: WorkerId,
    pub load: usize,
    pub accepts: bool,
}
pub struct PoolView {
    pub queued: usize,
    pub load: usize,
    pub usable: usize,
    pub starting: usize,
    pub total: usize,
}
pub enum Plan {
    Keep,
    Spawn(usize),
    Shrink(usize),
}
pub fn plan(v: &PoolView, m: Option<usize>, f: usize, p: &Profile) -> Plan {
    let t = m.unwrap_or(f.max(if v.queued > 0 { 1 } else { 0 })).min(p.pool_limit());
    if v.usable < t { Plan::Spawn(t - v.usable) } else { Plan::Keep }
}
pub fn select(c: impl Iterator<Item = Candidate>, n: usize) -> Option<WorkerId> {
    c.filter(|c| c.accepts && c.load < n).min_by_key(|c| (c.load, c.worker)).map(|c| c.worker)
}
pub fn shrink(c: impl Iterator<Item = Candidate>, n: usize) -> Vec<WorkerId> {
    c.filter(|c| c.accepts).take(n).map(|c| c.worker).collect()
}

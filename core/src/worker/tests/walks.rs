//! The promises, on random walks.

use super::*;
use crate::rng::Rng;

/// Counts what has to come exactly once.
#[derive(Default)]
struct Promises {
    failed: u32,
    crashed: u32,
    died: u32,
    terminates: u32,
    closed: Vec<ConnId>,
    refused: Vec<ConnId>,
}

impl Promises {
    fn note(&mut self, actions: &[Action], state: &State) {
        for action in actions {
            let late = matches!(action, Action::Refuse { .. } | Action::Kill(_));
            assert!(self.died == 0 || late, "{action:?} after Died");
            match action {
                Action::FailSessions(_) => self.failed += 1,
                Action::Crashed(_) => self.crashed += 1,
                Action::Died(outcome) => {
                    self.died += 1;
                    assert_eq!(self.crashed == 1, matches!(outcome, Outcome::Crash(_)));
                    assert_eq!(*state, State::Dead(outcome.clone()));
                }
                Action::SendTerminate(_) => self.terminates += 1,
                Action::Close { conn, .. } => self.closed.push(*conn),
                Action::Refuse { conn } => self.refused.push(*conn),
                Action::SendHeartbeat | Action::Activated | Action::Idle | Action::Kill(_) => {}
            }
        }
        assert!(self.failed <= 1 && self.crashed <= 1 && self.died <= 1 && self.terminates <= 1);
        let serving = matches!(state, State::Active { .. } | State::Sealed { .. });
        assert!(!serving || self.failed == 0);
    }
}

#[test]
fn every_walk_keeps_the_promises() {
    for seed in 0..3_000 {
        walk(seed);
    }
}

fn walk(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut bench = Bench::new();
    let mut promises = Promises::default();
    let (mut offered, mut spawned) = (Vec::new(), false);
    for step in 0..60_u32 {
        let all = events();
        let pick = usize::try_from(rng.below(all.len() as u64)).unwrap();
        let mut event = all[pick].clone();
        if let Event::Handshake { conn, .. } = &mut event {
            *conn = ConnId::accepted(step, 0);
            offered.push(*conn);
        }
        if event == SPAWNED && core::mem::replace(&mut spawned, true) {
            continue;
        }
        if event == Event::Timeout {
            bench.now = bench.worker.next_timeout().map_or(bench.now, |(at, _)| at.max(bench.now));
        }
        let actions = bench.tell(event);
        promises.note(&actions, bench.worker.state());
    }
    let actions = bench.tell(Event::Abort);
    promises.note(&actions, bench.worker.state());
    for _ in 0..2 {
        bench.now = bench.worker.next_timeout().map_or(bench.now, |(at, _)| at);
        let actions = bench.tell(Event::Timeout);
        promises.note(&actions, bench.worker.state());
    }
    let actions = bench.tell(EXITED);
    promises.note(&actions, bench.worker.state());
    assert!(matches!(bench.worker.state(), State::Dead(_)));
    assert_eq!((promises.failed, promises.died), (1, 1));
    // Each offered connection was closed or refused, once.
    let mut done = [promises.closed, promises.refused].concat();
    done.sort_unstable();
    assert_eq!(done, offered);
}

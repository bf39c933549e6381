//! How many workers there should be and which one gets the next request: pure functions.
//!
//! [`target`] says how many workers are wanted, [`plan`] what to do about it right now, [`select`]
//! who gets a request, [`shrink`] who goes.

use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::config::{Growth, Profile, QueueMode};
use crate::machine::WorkerId;

/// A pool as far as its size goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolView {
    /// Requests that wait for any worker.
    pub queued: usize,
    /// Unfinished sessions.
    pub load: usize,
    /// Workers that accept sessions, or will when they have started.
    pub usable: usize,
    /// Those of them that have not started.
    pub starting: usize,
    /// All workers; one that is on its way out still takes its place.
    pub total: usize,
}

/// A worker as far as its load goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The worker.
    pub worker: WorkerId,
    /// Its unfinished sessions.
    pub load: usize,
    /// Whether it may get new ones at all.
    pub accepts: bool,
}

/// What to do about a pool's size right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing.
    Keep,
    /// Start so many workers, at least one.
    Spawn(usize),
    /// Stop so many, at least one.
    Shrink(usize),
}

/// How many usable workers are wanted: never more than `pool-limit`.
///
/// What someone set by hand (`manual`) overrides everything else; without it there are at least
/// `floor`. Automatic growth never asks for less than there is: workers without work go by their
/// idle timeout, so that a short spike leaves no full pool behind.
#[must_use]
pub fn target(view: &PoolView, manual: Option<usize>, floor: usize, profile: &Profile) -> usize {
    let wanted = manual.unwrap_or_else(|| grown(view, profile).max(view.usable).max(floor));
    wanted.min(profile.pool_limit())
}

/// The formula's own answer, without floor and limit.
fn grown(view: &PoolView, profile: &Profile) -> usize {
    if view.queued == 0 {
        return 0;
    }
    let by_threshold = view.queued / profile.grow_threshold();
    match (profile.queue_mode(), profile.growth()) {
        (QueueMode::Vacancy, _) => view.usable.saturating_add(lack(view, profile.concurrency())),
        (QueueMode::Bounded(_), Growth::Demand) => by_threshold.max(1),
        (QueueMode::Bounded(_), Growth::Threshold) => {
            // As long as the queue is short for this many workers, they will manage.
            if view.usable.saturating_mul(profile.grow_threshold()) >= view.queued {
                return 0;
            }
            by_threshold.max(view.load.div_ceil(profile.concurrency())).max(1)
        }
    }
}

/// How many workers it takes beside those there are, to run all that waits.
fn lack(view: &PoolView, concurrency: usize) -> usize {
    let vacant = view.usable.saturating_mul(concurrency).saturating_sub(view.load);
    view.queued.saturating_sub(vacant).div_ceil(concurrency)
}

/// What to do now to come nearer to the [`target`].
///
/// No more than `starting-limit` workers start at the same time: the next ones follow when those
/// have started, if they are still wanted then. Only a size set by hand makes active workers go.
#[must_use]
pub fn plan(view: &PoolView, manual: Option<usize>, floor: usize, profile: &Profile) -> Plan {
    let target = target(view, manual, floor, profile);
    let room = profile.pool_limit().saturating_sub(view.total);
    let at_once = profile.starting_limit().saturating_sub(view.starting);
    let missing = target.saturating_sub(view.usable).min(room).min(at_once);
    let active = view.usable.saturating_sub(view.starting);
    match (missing, manual) {
        (0, Some(_)) if active > target => Plan::Shrink(active - target),
        (0, _) => Plan::Keep,
        (missing, _) => Plan::Spawn(missing),
    }
}

/// The worker for the next request: the least loaded one with room; of several, the oldest.
#[must_use]
pub fn select(candidates: impl IntoIterator<Item = Candidate>, concurrency: usize) -> Option<WorkerId> {
    let free = candidates.into_iter().filter(|worker| worker.accepts && worker.load < concurrency);
    free.min_by_key(|worker| (worker.load, worker.worker)).map(|found| found.worker)
}

/// The `count` workers to stop: the least loaded ones; of several, the youngest, since [`select`]
/// gives the least to those.
#[must_use]
pub fn shrink(candidates: impl IntoIterator<Item = Candidate>, count: usize) -> Vec<WorkerId> {
    let mut active: Vec<Candidate> = candidates.into_iter().filter(|worker| worker.accepts).collect();
    active.sort_unstable_by_key(|worker| (worker.load, Reverse(worker.worker)));
    active.into_iter().take(count).map(|found| found.worker).collect()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec;

    use super::*;
    use crate::machine::Document;
    use crate::wire::Value;

    fn profile(entries: &[(&str, u64)]) -> Profile {
        with(entries, "threshold")
    }

    fn with(entries: &[(&str, u64)], growth: &str) -> Profile {
        let mut map: Vec<(Value, Value)> =
            entries.iter().map(|(key, number)| ((*key).into(), Value::Uint(*number))).collect();
        map.push(("growth".into(), growth.into()));
        let document = Document { source: "p".into(), value: Value::Map(map), positions: BTreeMap::new() };
        Profile::read(&document).unwrap().value
    }

    /// A pool in which all workers are active.
    fn pool(queued: usize, load: usize, usable: usize) -> PoolView {
        PoolView { queued, load, usable, starting: 0, total: usable }
    }

    #[test]
    fn the_older_formula_row_by_row() {
        // queue-limit 100, pool-limit 10, concurrency 10: grow-threshold 5.
        let profile = profile(&[]);
        let rows = [
            // queued, load, workers: wanted
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (5, 0, 0, 1),
            (9, 0, 0, 1),
            (10, 0, 0, 2),
            (49, 0, 0, 9),
            (50, 0, 0, 10),
            (100, 0, 0, 10),
            // The gate: five for each of them is not enough to grow,
            (5, 10, 1, 1),
            // six is, but the division asks for one only,
            (6, 10, 1, 1),
            (9, 10, 1, 1),
            (10, 10, 1, 2),
            (10, 20, 2, 2),
            (14, 20, 2, 2),
            (15, 20, 2, 3),
            (50, 100, 10, 10),
            (100, 100, 10, 10),
        ];
        for (queued, load, workers, wanted) in rows {
            let view = pool(queued, load, workers);
            assert_eq!(target(&view, None, 0, &profile), wanted, "{view:?}");
        }
    }

    #[test]
    fn the_newer_formula_row_by_row() {
        let profile = with(&[], "demand");
        let rows =
            [(0, 0, 0), (1, 0, 1), (4, 0, 1), (10, 1, 2), (10, 2, 2), (14, 2, 2), (51, 3, 10), (90, 9, 10)];
        for (queued, workers, wanted) in rows {
            let view = pool(queued, 0, workers);
            assert_eq!(target(&view, None, 0, &profile), wanted, "{view:?}");
        }
    }

    #[test]
    fn without_a_queue_there_are_as_many_workers_as_it_takes() {
        for growth in ["threshold", "demand"] {
            let profile = with(&[("queue-limit", 0), ("concurrency", 3), ("pool-limit", 4)], growth);
            let rows = [
                (0, 0, 0, 0),
                (1, 0, 0, 1),
                (3, 0, 0, 1),
                (4, 0, 0, 2),
                (1, 3, 1, 2),
                (1, 2, 1, 1),
                (2, 2, 1, 2),
                (12, 0, 0, 4),
                (99, 0, 0, 4),
            ];
            for (queued, load, workers, wanted) in rows {
                let view = pool(queued, load, workers);
                assert_eq!(target(&view, None, 0, &profile), wanted, "{growth} {view:?}");
            }
        }
    }

    #[test]
    fn engine_defect_35_more_load_than_room_does_not_wrap() {
        let profile = profile(&[("queue-limit", 0), ("concurrency", 2)]);
        assert_eq!(target(&pool(1, 50, 2), None, 0, &profile), 3);
        assert_eq!(lack(&pool(0, usize::MAX, usize::MAX), 2), 0);
        assert_eq!(lack(&pool(usize::MAX, 0, 0), 1), usize::MAX);
    }

    #[test]
    fn what_is_on_its_way_out_takes_a_place_but_is_of_no_use() {
        let profile = profile(&[("pool-limit", 3)]);
        let dying = PoolView { queued: 1, load: 0, usable: 0, starting: 0, total: 2 };
        assert_eq!(plan(&dying, None, 0, &profile), Plan::Spawn(1));
        assert_eq!(plan(&PoolView { total: 3, ..dying }, None, 0, &profile), Plan::Keep);
    }

    #[test]
    fn engine_defect_12_a_cold_start_is_no_burst_and_a_spike_leaves_no_demand() {
        let profile = profile(&[("starting-limit", 4)]);
        let cold = |starting| PoolView { queued: 100, load: 0, usable: starting, starting, total: starting };
        assert_eq!(plan(&cold(0), None, 0, &profile), Plan::Spawn(4));
        assert_eq!(plan(&cold(3), None, 0, &profile), Plan::Spawn(1));
        assert_eq!(plan(&cold(4), None, 0, &profile), Plan::Keep);
        let two_started = PoolView { starting: 2, ..cold(4) };
        assert_eq!(plan(&two_started, None, 0, &profile), Plan::Spawn(2));
        let over = PoolView { queued: 0, starting: 2, ..cold(4) };
        assert_eq!(plan(&over, None, 0, &profile), Plan::Keep);
    }

    #[test]
    fn engine_defect_13_nothing_wants_a_pool_that_has_no_work() {
        // Automatic mode does not stop workers itself, but the floor for the idle ones is what is wanted.
        assert_eq!(grown(&pool(0, 0, 10), &profile(&[])), 0);
        assert_eq!(grown(&pool(0, 100, 10), &with(&[], "demand")), 0);
        assert_eq!(grown(&pool(0, 100, 10), &profile(&[("queue-limit", 0)])), 0);
    }

    #[test]
    fn the_floor_is_kept_without_any_request() {
        let profile = profile(&[("pool-limit", 3)]);
        assert_eq!(plan(&pool(0, 0, 0), None, 2, &profile), Plan::Spawn(2));
        assert_eq!(plan(&pool(0, 0, 2), None, 2, &profile), Plan::Keep);
        assert_eq!(target(&pool(0, 0, 0), None, 9, &profile), 3, "the limit is above the floor");
    }

    #[test]
    fn a_size_set_by_hand_overrides_floor_and_formula() {
        let profile = profile(&[]);
        assert_eq!(plan(&pool(100, 0, 0), Some(1), 5, &profile), Plan::Spawn(1));
        assert_eq!(plan(&pool(100, 0, 1), Some(1), 5, &profile), Plan::Keep);
        assert_eq!(plan(&pool(100, 90, 9), Some(2), 5, &profile), Plan::Shrink(7));
        assert_eq!(target(&pool(0, 0, 0), Some(99), 0, &profile), 10);
        // Those that start are not counted as active: they may never get there.
        let starting = PoolView { queued: 0, load: 0, usable: 5, starting: 3, total: 5 };
        assert_eq!(plan(&starting, Some(2), 0, &profile), Plan::Keep);
        assert_eq!(plan(&starting, Some(1), 0, &profile), Plan::Shrink(1));
    }

    fn candidates(loads: &[(usize, bool)]) -> Vec<Candidate> {
        let numbered = (1..).zip(loads);
        numbered
            .map(|(id, (load, accepts))| Candidate {
                worker: WorkerId::new(id),
                load: *load,
                accepts: *accepts,
            })
            .collect()
    }

    #[test]
    fn the_least_loaded_worker_is_next_and_of_several_the_oldest() {
        let next = |loads: &[(usize, bool)], room| select(candidates(loads), room).map(WorkerId::number);
        assert_eq!(next(&[(2, true), (1, true), (1, true)], 10), Some(2));
        assert_eq!(next(&[(0, false), (1, true)], 10), Some(2));
        assert_eq!(next(&[(1, true), (0, true)], 1), Some(2));
        assert_eq!(next(&[(1, true), (1, true)], 1), None);
        assert_eq!(next(&[(9, true), (10, true)], 10), Some(1));
        assert_eq!(next(&[], 10), None);
    }

    #[test]
    fn the_least_loaded_workers_go_first_and_of_several_the_youngest() {
        let loads = [(3, true), (0, true), (0, true), (0, false), (1, true)];
        let gone = |count| -> Vec<u64> {
            shrink(candidates(&loads), count).into_iter().map(WorkerId::number).collect()
        };
        assert_eq!(gone(2), [3, 2]);
        assert_eq!(gone(9), vec![3, 2, 5, 1]);
        assert_eq!(gone(0), vec![]);
    }
}

//! A worker never has more requests than `concurrency`.

use cocaine_core::wire::Value;

use super::{Promise, Rules, number, workers};

#[derive(Debug)]
pub(super) struct Load {
    concurrency: usize,
}

impl Load {
    pub(super) const fn new(rules: &Rules) -> Self {
        Self { concurrency: rules.profile.concurrency() }
    }
}

impl Promise for Load {
    fn report(&mut self, report: &Value) {
        let mut sum = 0;
        for (name, worker) in workers(report) {
            let load = number(worker, &["load:total"]);
            assert!(load <= self.concurrency, "{name:?} has {load} requests");
            assert_eq!(load, number(worker, &["load:rx"]), "the load of {name:?} is not what it works on");
            sum += load;
        }
        assert_eq!(sum, number(report, &["load"]), "the load is the sum of the workers' loads");
    }
}

//! The queue never holds more than `queue-limit`.

use cocaine_core::wire::Value;

use super::{Promise, Rules, number};

#[derive(Debug)]
pub(super) struct Queue {
    room: usize,
}

impl Queue {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { room: rules.profile.queue_room(0) }
    }
}

impl Promise for Queue {
    fn report(&mut self, report: &Value) {
        let depth = number(report, &["queue", "depth"]);
        assert!(depth <= self.room, "{depth} requests wait, but there is room for {}", self.room);
        let age = number(report, &["queue", "oldest_event_age"]);
        assert!(depth > 0 || age == 0, "nobody waits, for {age} ms");
    }
}

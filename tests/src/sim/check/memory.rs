//! A machine that has nothing to do keeps nothing.

use cocaine_core::engine::Engine;

use super::Promise;
use crate::sim::fact::Moment;

#[derive(Debug)]
pub(super) struct Memory;

impl Promise for Memory {
    fn settled(&mut self, _: &Moment, engine: &Engine) {
        assert_eq!(engine.buffered(), 0, "nobody waits, but bytes are buffered");
        assert!(format!("{engine:?}").contains(" streams: {}"), "nobody waits, but streams are kept");
    }

    fn stopped(&mut self, engine: &Engine) {
        let state = format!("{engine:?}");
        for nothing in ["buffered: 0,", " streams: {}", " workers: {}", " late: {}", " strangers: []"] {
            assert!(state.contains(nothing), "it has stopped, but not {nothing}");
        }
    }
}

//! Crash logs in the storage: one for each worker that failed, the oldest ones given up.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Engine;
use super::stop::Phase;
use crate::machine::{Output, Severity, StoreError, StoreId, StoreReply, StoreRequest};
use crate::worker::{COLLECTION, CrashLog};

/// Crash logs that are being written. When one is, those that are too many are looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Crashes {
    writes: BTreeSet<StoreId>,
}

impl Engine {
    /// Keeps what a failed worker wrote last.
    pub(super) fn store_crash_log(&mut self, uuid: &str, log: &CrashLog) {
        if log.is_empty() {
            return self.log(Severity::Debug, format!("worker {uuid} has died in silence"));
        }
        let micros = self.wall.unix_micros(self.now);
        let mut value = Vec::new();
        log.to_value().encode(&mut value);
        let store = self.store(StoreRequest::Write {
            collection: COLLECTION.into(),
            key: CrashLog::key(micros, uuid),
            value: value.into(),
            tags: CrashLog::tags(self.config.app.as_str(), micros),
        });
        self.crashes.writes.insert(store);
    }

    pub(super) fn on_stored(&mut self, store: StoreId, result: Result<StoreReply, StoreError>) {
        let written = self.crashes.writes.remove(&store);
        match result {
            Err(error) => {
                let doing = if written { "stored" } else { "trimmed" };
                self.log(Severity::Error, format!("crash logs could not be {doing}: {error}"));
            }
            // Nobody waits for the answers after the end.
            Ok(_) if self.phase == Phase::Over => {}
            Ok(StoreReply::Done) if written => self.look_for_surplus(),
            Ok(StoreReply::Keys(keys)) => self.trim(keys),
            Ok(StoreReply::Done | StoreReply::Value(_)) => {}
        }
    }

    fn look_for_surplus(&mut self) {
        let app = self.config.app.as_str();
        // Under this name the logs of all apps of a day would be found.
        if CrashLog::is_day(app) {
            return;
        }
        let request = StoreRequest::Find { collection: COLLECTION.into(), tags: Vec::from([app.into()]) };
        self.store(request);
    }

    /// Removes the oldest crash logs of the app, whichever start of it they are from. Back-off limits how fast
    /// they come; this is why there are never more than so many.
    fn trim(&mut self, keys: Vec<String>) {
        let mut logs: Vec<(u64, String)> =
            keys.into_iter().filter_map(|key| Some((CrashLog::time(&key)?, key))).collect();
        logs.sort_unstable();
        let surplus = logs.len().saturating_sub(self.config.limits.crash_logs);
        for (_, key) in logs.into_iter().take(surplus) {
            self.store(StoreRequest::Remove { collection: COLLECTION.into(), key });
        }
    }

    fn store(&mut self, request: StoreRequest) -> StoreId {
        let store = self.out.next_store();
        self.out.push(Output::Store { store, request });
        store
    }
}

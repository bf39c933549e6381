//! Heartbeats as the worker sees them.

use core::time::Duration;

use super::{Farewell, Phase, Reading, Session};
use crate::machine::CloseReason;
use crate::time::{TimerReason, Timestamp};
use crate::wire::{Dialect, v0, v1};

/// When the next heartbeat is due and since when the last one waits for its answer.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    next: Timestamp,
    unanswered: Option<Timestamp>,
}

/// A worker that finds itself this late was not running itself: the answer may be there, unread.
const STALLED: Duration = Duration::from_secs(1);

impl Beat {
    /// The first heartbeat is due at once.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { next: now, unanswered: None }
    }
}

impl Session {
    /// Sends a heartbeat if it is time, and notices when no answer comes.
    pub(super) fn beat(&mut self) {
        let (now, timeouts) = (self.now, self.config.timeouts);
        let paused = self.reading == Reading::Paused;
        let (Phase::Serving(beat) | Phase::Finishing { beat, .. }) = &mut self.phase else { return };
        // An answer that we do not read cannot be missed.
        if let Some(sent) = beat.unanswered.filter(|_| !paused) {
            let deadline = sent + timeouts.disown;
            if now >= deadline {
                if now.since(deadline) <= STALLED {
                    return self.end(CloseReason::Gone, Farewell::Disowned);
                }
                beat.unanswered = Some(now - timeouts.disown + STALLED.min(timeouts.disown));
            }
        }
        if now < beat.next {
            return;
        }
        beat.next = now + timeouts.heartbeat;
        beat.unanswered.get_or_insert(now);
        let dialect = self.config.protocol;
        self.link.send_control(&mut self.out, |out| match dialect {
            Dialect::V0 => v0::heartbeat(out),
            Dialect::V1 => v1::heartbeat(out),
        });
    }

    pub(super) fn on_heartbeat(&mut self) {
        if let Phase::Serving(beat) | Phase::Finishing { beat, .. } = &mut self.phase {
            beat.unanswered = None;
        }
    }

    /// The connection was not read for a while, for reasons of our own: the answer is waited for anew.
    pub(super) fn forgive_silence(&mut self) {
        let now = self.now;
        if let Phase::Serving(beat) | Phase::Finishing { beat, .. } = &mut self.phase
            && let Some(sent) = &mut beat.unanswered
        {
            *sent = now;
        }
    }

    pub(super) fn next_beat(&self, beat: &Beat) -> (Timestamp, TimerReason) {
        let disown = match beat.unanswered {
            Some(sent) if self.reading == Reading::On => sent + self.config.timeouts.disown,
            _ => Timestamp::NEVER,
        };
        (beat.next.min(disown), TimerReason::Beat)
    }
}

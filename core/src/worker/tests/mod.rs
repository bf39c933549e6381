//! What the tests of a worker share: a bench, a way into every state, and every event.

mod defects;
mod table;
mod timeouts;
mod walks;

use alloc::vec::Vec;

use super::*;
use crate::machine::ExitStatus;
use crate::wire::ErrorCode;

const UUID: &str = "u-1";
const T0: Timestamp = Timestamp::from_secs(1_000);
const CONN: ConnId = ConnId::accepted(1, 0);
const STRANGER: ConnId = ConnId::accepted(2, 0);

struct Bench {
    worker: Worker,
    now: Timestamp,
    timeouts: Timeouts,
}

impl Bench {
    fn new() -> Self {
        let timeouts = Timeouts::default();
        Self { worker: Worker::new(WorkerId::new(1), UUID.into(), T0, &timeouts, 50), now: T0, timeouts }
    }

    /// A worker after these events, all at the same moment.
    fn after(events: &[Event]) -> Self {
        let mut bench = Self::new();
        for event in events {
            bench.tell(event.clone());
        }
        bench
    }

    fn tell(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.worker.step(self.now, event, &self.timeouts, &mut actions);
        actions
    }

    fn at(&mut self, offset: Duration, event: Event) -> Vec<Action> {
        self.now = T0 + offset;
        self.tell(event)
    }
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const JUST_BEFORE: Duration = Duration::from_micros(1);

fn handshake() -> Event {
    Event::Handshake { conn: CONN, protocol: Protocol::V1 }
}

fn terminate(code: i64) -> Event {
    Event::Terminate { code, reason: "bye".into() }
}

fn seal(why: StopReason) -> Event {
    Event::Seal { why, cap: secs(60) }
}

const SPAWNED: Event = Event::Spawned { pid: 7 };
const BUSY: Event = Event::SessionsChanged { load: 1 };
const EMPTY: Event = Event::SessionsChanged { load: 0 };
const EXITED: Event = Event::Exited(ExitStatus::Code(3));

fn active() -> Vec<Event> {
    [SPAWNED, handshake(), Event::Heartbeat].to_vec()
}

fn busy() -> Vec<Event> {
    [active(), [BUSY].to_vec()].concat()
}

fn then(mut events: Vec<Event>, more: &[Event]) -> Vec<Event> {
    events.extend_from_slice(more);
    events
}

/// A way into every state.
fn states() -> Vec<(&'static str, Vec<Event>)> {
    let stop = || seal(StopReason::Stop);
    [
        ("Spawning", [].to_vec()),
        ("Spawning, early handshake", [handshake()].to_vec()),
        ("Spawning, early heartbeat", [handshake(), Event::Heartbeat].to_vec()),
        ("Spawned", [SPAWNED].to_vec()),
        ("Handshaken", [SPAWNED, handshake()].to_vec()),
        ("Active, idle", active()),
        ("Active, busy", busy()),
        ("Sealed", then(busy(), &[seal(StopReason::Shrink)])),
        ("Draining, shrink", then(active(), &[seal(StopReason::Shrink)])),
        ("Draining, stop", then(active(), &[stop()])),
        ("Exiting, normal", then(busy(), &[terminate(1)])),
        ("Exiting, abnormal, no connection", then(busy(), &[terminate(2), Event::Disconnected])),
        ("Reaped", then(busy(), &[EXITED])),
        ("Reaped while draining", then(active(), &[stop(), EXITED])),
        ("Killing, unspawned", [stop()].to_vec()),
        ("Killing, SIGTERM", then(busy(), &[Event::Disconnected])),
        ("Killing, SIGKILL", then(busy(), &[Event::Abort])),
        ("Dead, normal", then(active(), &[terminate(1), EXITED])),
        ("Dead, crash", [SPAWNED, EXITED].to_vec()),
    ]
    .to_vec()
}

/// Every event, in every kind that makes a difference.
fn events() -> Vec<Event> {
    [
        SPAWNED,
        Event::SpawnFailed("no such file".into()),
        handshake(),
        Event::Handshake { conn: STRANGER, protocol: Protocol::V0 },
        Event::Disowned,
        Event::Heartbeat,
        terminate(1),
        terminate(ABNORMAL),
        Event::Disconnected,
        Event::Fault("bad frame".into()),
        EXITED,
        seal(StopReason::Idle),
        seal(StopReason::Shrink),
        seal(StopReason::Stop),
        Event::Abort,
        BUSY,
        EMPTY,
        Event::Timeout,
    ]
    .to_vec()
}

fn first_loss(actions: &[Action]) -> &Loss {
    actions
        .iter()
        .find_map(|action| if let Action::FailSessions(loss) = action { Some(loss) } else { None })
        .expect("sessions fail")
}

//! Time as the core sees it: a number the driver hands in.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment on the driver's monotonic clock, in microseconds since an epoch the driver picks.
///
/// Machines compare moments, never ask for the current one. A driver must not let the clock go
/// backwards; a machine that sees it do so clamps it to the latest moment it knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The driver's epoch.
    pub const ZERO: Self = Self(0);
    /// A moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The moment `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it is in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at [`Timestamp::NEVER`].
    fn add(self, rhs: Duration) -> Self {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    /// Saturates at the epoch.
    fn sub(self, rhs: Duration) -> Self {
        let micros = u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Wall-clock time, in microseconds since the Unix epoch, that belongs to one [`Timestamp`].
///
/// The driver gives it at start and again when the wall clock jumps; the core adds the monotonic
/// time that has passed since. It appears in crash-log keys and records, never in a timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallClock {
    at: Timestamp,
    unix_micros: u64,
}

impl WallClock {
    /// Says that the wall clock showed `unix_micros` at the moment `at`.
    #[must_use]
    pub const fn new(at: Timestamp, unix_micros: u64) -> Self {
        Self { at, unix_micros }
    }

    /// What the wall clock shows at `now`, in microseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_micros(self, now: Timestamp) -> u64 {
        self.unix_micros.saturating_add(now.as_micros().saturating_sub(self.at.as_micros()))
    }
}

/// Why a machine wants to be woken: the answer to "what is it waiting for?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerReason {
    /// Output is waiting to be drained: the driver should not sleep at all.
    OutputQueued,
    /// A worker must finish starting (spawn, connect, handshake, first heartbeat).
    Startup,
    /// A worker must send a heartbeat.
    Heartbeat,
    /// A worker without work is stopped.
    Idle,
    /// A sealed worker must finish its sessions.
    Seal,
    /// A worker must answer a terminate.
    Terminate,
    /// A worker that said goodbye must exit by itself.
    Grace,
    /// A worker that got SIGTERM must exit before it is killed.
    Kill,
    /// A failed worker is replaced.
    Backoff,
    /// A request must be answered.
    Request,
    /// A throttled connection may be read again.
    Throttle,
    /// A connection attempt, or a reply, must come.
    Reply,
    /// A client tries again.
    Retry,
    /// A worker (framework side) sends its heartbeat, or the runtime must answer one.
    Beat,
    /// Everything must have stopped.
    Stop,
    /// Averages and rates are brought up to date.
    Metrics,
}

/// The earlier of two optional deadlines.
#[must_use]
pub fn soonest(
    a: Option<(Timestamp, TimerReason)>,
    b: Option<(Timestamp, TimerReason)>,
) -> Option<(Timestamp, TimerReason)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

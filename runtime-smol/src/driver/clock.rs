//! The monotonic clock that machines are told, and the wall clock beside it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use cocaine_core::time::{Timestamp, WallClock};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The epoch of a process: machines that exchange messages must be driven with the same one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch_nanos: u64,
}

impl Clock {
    /// A clock whose epoch is now.
    #[must_use]
    pub fn start() -> Self {
        Self { epoch_nanos: nanos(clock_gettime(ClockId::Monotonic)) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(self) -> Timestamp {
        let nanos = nanos(clock_gettime(ClockId::Monotonic));
        Timestamp::from_micros(nanos.saturating_sub(self.epoch_nanos) / 1_000)
    }

    /// What the wall clock shows now.
    #[must_use]
    pub fn wall(self) -> WallClock {
        WallClock::new(self.now(), nanos(clock_gettime(ClockId::Realtime)) / 1_000)
    }

    /// The same moment as the kernel counts it.
    fn kernel_time(self, at: Timestamp) -> Timespec {
        timespec(self.epoch_nanos.saturating_add(at.as_micros().saturating_mul(1_000)))
    }
}

fn nanos(time: Timespec) -> u64 {
    let secs = u64::try_from(time.tv_sec).unwrap_or(0);
    secs.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

fn timespec(nanos: u64) -> Timespec {
    let secs = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
    Timespec { tv_sec: secs, tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0) }
}

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// One kernel timer for all deadlines of a machine.
///
/// A machine's next deadline mostly moves away while it works, so the timer is only ever set to
/// something earlier: one that fires early costs a wake-up, setting it anew costs a system call for
/// every request.
pub(super) struct Alarm {
    fd: OwnedFd,
    clock: Clock,
    armed: Option<Timestamp>,
}

impl Alarm {
    pub(super) fn new(clock: Clock) -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self { fd: timerfd_create(TimerfdClockId::Monotonic, flags)?, clock, armed: None })
    }

    /// Sees to it that the alarm rings at `at` or before.
    pub(super) fn ring_by(&mut self, at: Timestamp) -> Result<(), Errno> {
        if at == Timestamp::NEVER || self.armed.is_some_and(|armed| armed <= at) {
            return Ok(());
        }
        // A time of zero would disarm it.
        let it_value = self.clock.kernel_time(at.max(Timestamp::from_micros(1)));
        let new = Itimerspec { it_interval: ZERO, it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &new)?;
        self.armed = Some(at);
        Ok(())
    }

    /// Takes note that it rang.
    pub(super) fn rang(&mut self) {
        let mut count = [0; 8];
        // Setting it anew clears the count too, so that there may be nothing to read.
        let _ = rustix::io::read(&self.fd, &mut count);
        self.armed = None;
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Tells when somebody sets the wall clock: a timer of the distant future that the kernel cancels then.
pub(super) struct WallWatch(OwnedFd);

impl WallWatch {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let watch = Self(timerfd_create(TimerfdClockId::Realtime, flags)?);
        watch.arm()?;
        Ok(watch)
    }

    fn arm(&self) -> Result<(), Errno> {
        let distant = Timespec { tv_sec: i64::from(u32::MAX) * 16, tv_nsec: 0 };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(&self.0, flags, &Itimerspec { it_interval: ZERO, it_value: distant }).map(drop)
    }

    /// Whether it was set; watches on.
    pub(super) fn was_set(&self) -> bool {
        let mut count = [0; 8];
        let set = rustix::io::read(&self.0, &mut count) == Err(Errno::CANCELED);
        // Arming a timer that was armed before cannot fail; if it did, only jumps would be missed.
        let _ = self.arm();
        set
    }
}

impl AsFd for WallWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

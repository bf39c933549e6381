//! The kernel's timers behind a machine's deadlines and behind jumps of the wall clock.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use cocaine_core::time::Timestamp;
use cocaine_runtime_std::host::clock::Clock;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

const ZERO: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

fn timespec(delay: Duration) -> Timespec {
    let tv_sec = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: i64::from(delay.subsec_nanos()) }
}

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
        let delay = at.since(self.clock.now()).max(Duration::from_micros(1));
        timerfd_settime(
            &self.fd,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: ZERO, it_value: timespec(delay) },
        )?;
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

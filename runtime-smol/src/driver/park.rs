//! How a driver sleeps: on its executor's reactor, or directly on its own thread.
//!
//! A shared reactor is polled by one thread at a time, so an event often wakes the wrong thread
//! first. A thread of [`Spread`](super::Spread) sleeps in an epoll of its own that holds the sets of
//! its drivers; nothing is armed again and no other thread takes part.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use async_io::Async;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Tells a driver that its set of descriptors has events.
pub(super) enum Sleeper {
    Reactor(Async<OwnedFd>),
    Thread(Arc<Watch>),
}

impl Sleeper {
    /// Watches a set: by the thread if it is one of ours, else by the reactor.
    pub(super) fn new(set: impl AsFd) -> io::Result<Self> {
        if let Some(watch) = PARK.with_borrow(|park| park.as_ref().map(|park| park.watch(&set))) {
            return Ok(Self::Thread(watch?));
        }
        let copy = rustix::io::fcntl_dupfd_cloexec(set, 0)?;
        Ok(Self::Reactor(Async::new_nonblocking(copy)?))
    }

    /// Whether there are events; if not, the task is woken when there are.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        match self {
            Self::Reactor(set) => match set.poll_readable(cx) {
                Poll::Ready(result) => result.map(|()| true),
                Poll::Pending => Ok(false),
            },
            Self::Thread(watch) => Ok(watch.poll(cx)),
        }
    }
}

/// A driver's set, watched by the driver's thread.
#[derive(Default)]
pub(super) struct Watch {
    ready: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Watch {
    fn poll(&self, cx: &Context<'_>) -> bool {
        if self.ready.swap(false, Ordering::AcqRel) {
            return true;
        }
        let mut waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        drop(waker);
        self.ready.swap(false, Ordering::AcqRel)
    }

    fn wake(&self) {
        self.ready.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }
}

thread_local! {
    static PARK: RefCell<Option<Rc<Park>>> = const { RefCell::new(None) };
}

/// Runs a future to its end on this thread, sleeping in an epoll of its own.
///
/// # Errors
///
/// If the operating system refuses that epoll.
pub fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let park = Rc::new(Park::new()?);
    PARK.set(Some(Rc::clone(&park)));
    let waker = Waker::from(Arc::clone(&park.bell));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // What rang before this poll is dealt with by this poll.
        park.bell.state.swap(RUNNING, Ordering::AcqRel);
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            PARK.set(None);
            return Ok(value);
        }
        park.sleep()?;
    }
}

struct Park {
    epoll: OwnedFd,
    bell: Arc<Bell>,
    watches: RefCell<Vec<Weak<Watch>>>,
    events: RefCell<Vec<Event>>,
}

/// Stands for the bell among the places of watches.
const BELL: u64 = u64::MAX;
/// How many events one call brings.
const EVENTS: usize = 64;

impl Park {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let rope = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &rope, EventData::new_u64(BELL), EventFlags::IN)?;
        Ok(Self {
            epoll,
            bell: Arc::new(Bell { state: AtomicU8::new(RUNNING), rope }),
            watches: RefCell::default(),
            events: RefCell::new(Vec::with_capacity(EVENTS)),
        })
    }

    /// Watches a set until it is closed.
    fn watch(&self, set: impl AsFd) -> io::Result<Arc<Watch>> {
        let watch = Arc::new(Watch::default());
        let mut watches = self.watches.borrow_mut();
        let place = watches.iter().position(|watch| watch.strong_count() == 0).unwrap_or(watches.len());
        epoll::add(&self.epoll, set, EventData::new_u64(place as u64), EventFlags::IN)?;
        if place == watches.len() {
            watches.push(Weak::new());
        }
        if let Some(free) = watches.get_mut(place) {
            *free = Arc::downgrade(&watch);
        }
        Ok(watch)
    }

    /// Sleeps until something happens; only looks if the bell rang already.
    fn sleep(&self) -> io::Result<()> {
        let quiet = self.bell.state.compare_exchange(RUNNING, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        let timeout = if quiet.is_ok() { None } else { Some(Timespec::default()) };
        let mut events = self.events.borrow_mut();
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Awake before the wakers are called: they need not pull the rope then.
        self.bell.state.swap(RUNNING, Ordering::AcqRel);
        for event in &*events {
            self.happened(event.data.u64());
        }
        Ok(())
    }

    fn happened(&self, place: u64) {
        if place == BELL {
            self.bell.quiet();
            return;
        }
        let watches = self.watches.borrow();
        let watch = usize::try_from(place).ok().and_then(|place| watches.get(place)).and_then(Weak::upgrade);
        if let Some(watch) = watch {
            watch.wake();
        }
    }
}

const RUNNING: u8 = 0;
const RANG: u8 = 1;
const ASLEEP: u8 = 2;

/// Wakes the thread from any thread; a system call only if it sleeps.
struct Bell {
    state: AtomicU8,
    rope: OwnedFd,
}

impl Bell {
    fn quiet(&self) {
        let mut count = [0; 8];
        // Nothing to read means that it is quiet already.
        let _ = rustix::io::read(&self.rope, &mut count);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(RANG, Ordering::AcqRel) == ASLEEP {
            // It can only fail when the counter is full, and then the thread wakes anyway.
            let _ = rustix::io::write(&self.rope, &1_u64.to_ne_bytes());
        }
    }
}

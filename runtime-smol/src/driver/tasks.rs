//! The tasks of one thread. General executors are made for tasks that many threads share, and their
//! queues allocate; here a wake-up is a place in a list.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// A task of one thread.
pub(super) type Task = Pin<Box<dyn Future<Output = ()>>>;

/// How many tasks run before the thread looks for new events.
const TURN: usize = 32;

pub(super) struct Tasks {
    tasks: Vec<Option<Slot>>,
    woken: Arc<Woken>,
}

struct Slot {
    task: Task,
    waker: Arc<TaskWaker>,
    /// The same, in the form that tasks want.
    handle: Waker,
}

/// The places of tasks that were woken, in order, each once.
struct Woken {
    places: Mutex<VecDeque<usize>>,
    thread: Waker,
}

impl Woken {
    fn places(&self) -> MutexGuard<'_, VecDeque<usize>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    /// No tasks yet; `thread` wakes the thread that is to run them.
    pub(super) fn new(thread: &Waker) -> Self {
        let woken = Woken { places: Mutex::default(), thread: thread.clone() };
        Self { tasks: Vec::new(), woken: Arc::new(woken) }
    }

    /// Adds a task, which runs in the next turn.
    pub(super) fn add(&mut self, task: Task) {
        let free = self.tasks.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.tasks.push(None);
            self.tasks.len() - 1
        });
        let waker =
            Arc::new(TaskWaker { place, queued: AtomicBool::new(false), woken: Arc::clone(&self.woken) });
        waker.wake_by_ref();
        if let Some(slot) = self.tasks.get_mut(place) {
            *slot = Some(Slot { task, handle: Waker::from(Arc::clone(&waker)), waker });
        }
    }

    /// Runs tasks that were woken. The thread is woken for those that are left.
    pub(super) fn run(&mut self) {
        for _ in 0..TURN {
            let Some(place) = self.woken.places().pop_front() else {
                return;
            };
            self.poll(place);
        }
        if !self.woken.places().is_empty() {
            self.woken.thread.wake_by_ref();
        }
    }

    fn poll(&mut self, place: usize) {
        let Some(place) = self.tasks.get_mut(place) else {
            return;
        };
        if let Some(slot) = place {
            // Before it runs, so that a wake-up from now on counts.
            slot.waker.queued.store(false, Ordering::Release);
            if slot.task.as_mut().poll(&mut Context::from_waker(&slot.handle)).is_ready() {
                *place = None;
            }
        }
    }
}

/// Wakes the task at a place. One that outlives its task wakes whoever has the place then, for nothing.
struct TaskWaker {
    place: usize,
    queued: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.woken.places().push_back(self.place);
            self.woken.thread.wake_by_ref();
        }
    }
}

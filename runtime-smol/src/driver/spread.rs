//! Executor threads, and the drivers spread over them.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;

use smol::channel::{Receiver, Sender};
use smol::future::FutureExt;
use smol::stream::Stream;

use super::park;
use super::tasks::{Task, Tasks};

/// Makes a task on the thread where it is to run.
type Job = Box<dyn FnOnce() -> Task + Send>;
type OnPanic = dyn Fn(&str, &str) + Send + Sync;

/// A fixed number of threads, each with an executor of its own. A task stays on its thread, so that
/// nothing on the data path is shared between threads.
///
/// Dropping it drops all tasks and ends the threads.
pub struct Spread {
    threads: Vec<Thread>,
    next: AtomicUsize,
    on_panic: Arc<OnPanic>,
}

struct Thread {
    jobs: Sender<Job>,
    handle: Option<JoinHandle<()>>,
}

/// A task that panicked. It was logged; nobody else is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    /// What the panic said.
    pub message: String,
}

impl Spread {
    /// Starts `count` threads (at least one). `on_panic` is told the name of a task that panicked
    /// and what the panic said; it must not block.
    ///
    /// # Errors
    ///
    /// If the operating system gives no thread.
    pub fn new(count: usize, on_panic: impl Fn(&str, &str) + Send + Sync + 'static) -> io::Result<Self> {
        let threads = (0..count.max(1)).map(Thread::start).collect::<io::Result<_>>()?;
        Ok(Self { threads, next: AtomicUsize::new(0), on_panic: Arc::new(on_panic) })
    }

    /// Starts a task on the next thread in turn. What it returns can be received once; dropping the
    /// receiver does not stop the task.
    pub fn spawn<F>(
        &self,
        name: &str,
        start: impl FnOnce() -> F + Send + 'static,
    ) -> Receiver<Result<F::Output, Panicked>>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (done, result) = smol::channel::bounded(1);
        let (name, on_panic) = (name.to_owned(), Arc::clone(&self.on_panic));
        let job: Job = Box::new(move || {
            Box::pin(async move {
                let outcome = AssertUnwindSafe(async { start().await }).catch_unwind().await;
                let outcome = outcome.map_err(|panic| {
                    let message = message_of(&*panic);
                    on_panic(&name, &message);
                    Panicked { message }
                });
                // Nobody may be interested.
                let _ = done.try_send(outcome);
            })
        });
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(thread) = self.threads.get(turn % self.threads.len()) {
            // A thread that is gone drops the job, and the receiver says so.
            let _ = thread.jobs.try_send(job);
        }
        result
    }
}

impl Thread {
    fn start(number: usize) -> io::Result<Self> {
        let (jobs, inbox) = smol::channel::unbounded();
        let work = move || {
            if let Err(error) = park::block_on(run(inbox)) {
                // Without its epoll a thread cannot go on; whoever waits for its tasks sees them end.
                std::panic::panic_any(format!("an executor thread cannot wait for events: {error}"));
            }
        };
        let handle = std::thread::Builder::new().name(format!("driver-{number}")).spawn(work)?;
        Ok(Self { jobs, handle: Some(handle) })
    }
}

/// Runs tasks until the inbox is closed and empty.
async fn run(inbox: Receiver<Job>) {
    let mut inbox = pin!(inbox);
    let mut tasks = None;
    poll_fn(|cx| {
        let tasks = tasks.get_or_insert_with(|| Tasks::new(cx.waker()));
        loop {
            match inbox.as_mut().poll_next(cx) {
                Poll::Ready(Some(job)) => tasks.add(job()),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        tasks.run();
        Poll::Pending
    })
    .await;
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

impl Drop for Spread {
    fn drop(&mut self) {
        for thread in &self.threads {
            thread.jobs.close();
        }
        let this = std::thread::current().id();
        for handle in self.threads.iter_mut().filter_map(|thread| thread.handle.take()) {
            if handle.thread().id() != this {
                // A thread that panicked has said so itself.
                let _ = handle.join();
            }
        }
    }
}

//! Apps written in Rust: handlers by event, each an async function over a [`Stream`].
//!
//! Everything runs on one thread. A handler is a task of its own; while it waits, others run, and heartbeats
//! are sent whatever handlers do, as long as they do not block the thread.
//!
//! ```no_run
//! use cocaine_runtime_smol::worker::{Handlers, Options, run};
//!
//! let options = Options::from_args(std::env::args().skip(1)).expect("a runtime starts this program");
//! let handlers = Handlers::new().on("ping", |mut stream| async move {
//!     while let Some(chunk) = stream.recv().await? {
//!         stream.send(chunk).await?;
//!     }
//!     Ok(())
//! });
//! let farewell = run(options.session(), handlers).expect("the system lets us wait for events");
//! println!("{farewell}");
//! ```

mod stream;
mod tasks;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use cocaine_core::framework::{AppNotice, Session};
pub use cocaine_core::framework::{
    Farewell, Options, OptionsError, SessionConfig, SessionLimits, SessionTimeouts,
};
pub use cocaine_core::wire::{ErrorCode, Failure, Header};

pub use self::stream::Stream;
use self::tasks::Tasks;
use crate::bare::Bare;
use crate::driver::{World, block_on, drive};

/// A handler at work. What it returns ends the answer.
type Running = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;
type Handler = Box<dyn Fn(Stream) -> Running>;

/// What an app can do: its handlers by event.
#[derive(Default)]
pub struct Handlers {
    by_event: BTreeMap<Vec<u8>, Handler>,
}

impl Handlers {
    /// An app that can do nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same app with one event more. `Ok` ends the answer, an error is its end; a panic is an error too.
    #[must_use]
    pub fn on<F, R>(mut self, event: &str, handler: F) -> Self
    where
        F: Fn(Stream) -> R + 'static,
        R: Future<Output = Result<(), Failure>> + 'static,
    {
        self.by_event.insert(event.into(), Box::new(move |stream| Box::pin(handler(stream))));
        self
    }

    fn find(&self, event: &[u8]) -> Option<&Handler> {
        self.by_event.get(event)
    }
}

/// Serves on this thread until the runtime, or a handler, ends it. Then the program should exit.
///
/// # Errors
/// The operating system refuses what is needed to wait for events.
pub fn run(config: SessionConfig, handlers: Handlers) -> io::Result<Farewell> {
    block_on(serve(config, handlers))?
}

/// Serves until the runtime, or a handler, ends it; for programs with an executor of their own.
///
/// # Errors
/// As for [`run`].
pub async fn serve(config: SessionConfig, handlers: Handlers) -> io::Result<Farewell> {
    let world = World::new(Arc::new(Bare));
    let (commands, inbox) = smol::channel::unbounded();
    let mut tasks = Tasks::new(handlers, commands, config.limits.window_bytes);
    let session = Session::new(config, world.clock().now());
    let notices: Rc<RefCell<VecDeque<AppNotice>>> = Rc::default();
    let arrivals = Rc::clone(&notices);
    let driver = drive(session, inbox, move |notice| arrivals.borrow_mut().push_back(notice), &world);
    let mut driver = pin!(driver);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = driver.as_mut().poll(cx) {
                return Poll::Ready(result.map(|()| Farewell::Disconnected("the driver has ended".into())));
            }
            while let Some(notice) = { notices.borrow_mut().pop_front() } {
                if let AppNotice::Over { farewell } = notice {
                    return Poll::Ready(Ok(farewell));
                }
                tasks.tell(notice);
            }
            if !tasks.run(cx) {
                return Poll::Pending;
            }
        }
    })
    .await
}

//! An invocation as its handler sees it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use cocaine_core::framework::{AppCommand, StreamKey};
use cocaine_core::wire::{Failure, Header};
use smol::channel::Sender;

/// One invocation: what the caller sends and what it is answered.
///
/// When the handler returns, the answer ends.
pub struct Stream {
    pub(super) key: StreamKey,
    pub(super) event: Bytes,
    pub(super) headers: Vec<Header>,
    pub(super) inbox: Rc<RefCell<Inbox>>,
    pub(super) commands: Sender<AppCommand>,
    pub(super) window: usize,
}

/// What has come for a handler and was not taken.
#[derive(Default)]
pub(super) struct Inbox {
    chunks: VecDeque<Bytes>,
    input: Input,
    /// Bytes taken that the session does not know of.
    taken: usize,
    /// Bytes sent since all was written the last time.
    given: usize,
    /// Why nothing more can be sent.
    refused: Option<Failure>,
    waker: Option<Waker>,
}

#[derive(Default)]
enum Input {
    #[default]
    Open,
    Closed,
    Failed(Failure),
}

/// Bytes that may be taken without telling the session while more is at hand.
const UNTOLD: usize = 64 * 1024;

impl Stream {
    /// The event that was invoked.
    #[must_use]
    pub const fn event(&self) -> &Bytes {
        &self.event
    }

    /// The caller's headers.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// The next chunk from the caller; `None` when there will be no more.
    ///
    /// # Errors
    /// The caller ended its half with an error: mostly, it has left.
    pub async fn recv(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Sends a chunk of the answer. Waits when much is on its way that is not written yet.
    ///
    /// # Errors
    /// The answer has been ended: too much was sent without waiting.
    pub async fn send(&mut self, chunk: impl Into<Bytes>) -> Result<(), Failure> {
        let chunk = chunk.into();
        {
            let mut inbox = self.inbox.borrow_mut();
            if let Some(failure) = &inbox.refused {
                return Err(failure.clone());
            }
            inbox.given += chunk.len();
        }
        self.tell(AppCommand::Write { stream: self.key, chunk });
        poll_fn(|cx| self.poll_window(cx)).await
    }

    /// Ends the worker: what was sent goes out first, then the runtime is told to replace it. `code` is 1 if all
    /// is well, 2 if not.
    pub fn terminate(&self, code: i32, reason: &str) {
        self.tell(AppCommand::Terminate { code, reason: reason.into() });
    }

    fn tell(&self, command: AppCommand) {
        // Without a session nobody wants to know.
        let _ = self.commands.try_send(command);
    }

    fn poll_recv(&self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        let inbox = &mut *self.inbox.borrow_mut();
        let chunk = inbox.chunks.pop_front();
        inbox.taken += chunk.as_ref().map_or(0, Bytes::len);
        // The session counts what is taken of a stream only while it is open: one chunk and its end need no word.
        let waits = chunk.is_none() && matches!(inbox.input, Input::Open);
        if inbox.taken > 0 && (waits || inbox.taken >= UNTOLD) {
            let bytes = std::mem::take(&mut inbox.taken);
            self.tell(AppCommand::Consumed { stream: self.key, bytes });
        }
        match (chunk, &inbox.input) {
            (Some(chunk), _) => Poll::Ready(Ok(Some(chunk))),
            (None, Input::Closed) => Poll::Ready(Ok(None)),
            (None, Input::Failed(failure)) => Poll::Ready(Err(failure.clone())),
            (None, Input::Open) => inbox.wait(cx),
        }
    }

    fn poll_window(&self, cx: &Context<'_>) -> Poll<Result<(), Failure>> {
        let mut inbox = self.inbox.borrow_mut();
        match &inbox.refused {
            Some(failure) => Poll::Ready(Err(failure.clone())),
            None if inbox.given < self.window => Poll::Ready(Ok(())),
            None => inbox.wait(cx),
        }
    }
}

impl Inbox {
    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        self.chunks.push_back(chunk);
        self.wake();
    }

    pub(super) fn close(&mut self) {
        self.input = Input::Closed;
        self.wake();
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.input = Input::Failed(failure);
        self.wake();
    }

    pub(super) fn drained(&mut self) {
        self.given = 0;
        self.wake();
    }

    pub(super) fn refuse(&mut self, failure: Failure) {
        self.refused = Some(failure);
        self.wake();
    }

    /// Makes it as new, but for its memory.
    pub(super) fn reset(&mut self) {
        self.chunks.clear();
        (self.input, self.taken, self.given, self.refused) = (Input::Open, 0, 0, None);
    }
}

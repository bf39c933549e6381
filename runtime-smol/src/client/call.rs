//! One call as its caller sees it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use cocaine_core::client::{Advice, CallError, CallId, ClientCommand, End, Message};
use cocaine_core::wire::{Failure, Value, single_raw};

use super::{Link, encode_args};

/// A call that was made. Dropping it before its end cancels it, and the service is told.
///
/// All methods take `&self`, so that one task can send while another receives.
pub struct Call {
    id: CallId,
    inbox: Arc<Inbox>,
    link: Arc<Link>,
}

/// What a service says on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message that is not the last.
    Message {
        /// Which message.
        message: Message,
        /// The encoded array of its arguments.
        args: Bytes,
    },
    /// The call has ended.
    Ended(End),
}

/// How a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The service answered with an error.
    Service(Failure),
    /// There was no answer.
    Client(CallError),
    /// Something was sent that cannot be sent (any more).
    Refused(Failure),
    /// The answer is not what the caller expects.
    Unexpected(String),
}

impl Error {
    /// What can be done about it.
    #[must_use]
    pub const fn advice(&self) -> Advice {
        match self {
            Self::Service(failure) => Advice::on(failure.code),
            Self::Client(error) => error.advice(),
            Self::Refused(_) => Advice::Fix,
            Self::Unexpected(_) => Advice::MayHaveRun,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(failure) | Self::Refused(failure) => failure.fmt(f),
            Self::Client(error) => error.fmt(f),
            Self::Unexpected(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// What has come for a caller and was not taken.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    /// The end was among the events.
    over: bool,
    /// Bytes taken that the client does not know of.
    taken: usize,
    /// Bytes of chunks since all was written the last time.
    given: usize,
    refused: Option<Failure>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Bytes that may be taken without telling the client while more is at hand.
const UNTOLD: usize = 64 * 1024;

impl Call {
    pub(super) const fn new(id: CallId, inbox: Arc<Inbox>, link: Arc<Link>) -> Self {
        Self { id, inbox, link }
    }

    // ---- receiving ----

    /// The next thing the service says. After the end it is the end again.
    pub async fn event(&self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The next chunk of the answer; `None` when it is complete. For methods that answer a stream of bytes.
    ///
    /// # Errors
    /// The call failed, or a message is no chunk.
    pub async fn recv(&self) -> Result<Option<Bytes>, Error> {
        match self.next().await? {
            Some(args) => Ok(Some(chunk(&args)?)),
            None => Ok(None),
        }
    }

    /// The arguments of the next message of the answer, encoded; `None` when it is complete. For methods that
    /// answer a stream of anything.
    ///
    /// # Errors
    /// The call failed.
    pub async fn next(&self) -> Result<Option<Bytes>, Error> {
        match self.event().await {
            Event::Message { args, .. } => Ok(Some(args)),
            Event::Ended(End::Message { .. } | End::Written) => Ok(None),
            Event::Ended(End::Failed(failure)) => Err(Error::Service(failure)),
            Event::Ended(End::Broken(error)) => Err(Error::Client(error)),
        }
    }

    /// The encoded array of the result's values. For methods that answer one value.
    ///
    /// # Errors
    /// The call failed, or the answer is a stream.
    pub async fn value(self) -> Result<Bytes, Error> {
        match self.event().await {
            Event::Ended(End::Message { args, .. }) => Ok(args),
            Event::Ended(End::Written) => Ok(encode_args(&[])),
            Event::Ended(End::Failed(failure)) => Err(Error::Service(failure)),
            Event::Ended(End::Broken(error)) => Err(Error::Client(error)),
            Event::Message { .. } => {
                Err(Error::Unexpected("the method answers a stream, not a value".into()))
            }
        }
    }

    fn poll_event(&self, cx: &Context<'_>) -> Poll<Event> {
        let mut state = self.inbox.lock();
        let event = match state.events.front() {
            Some(end @ Event::Ended(_)) => return Poll::Ready(end.clone()),
            Some(Event::Message { .. }) => state.events.pop_front(),
            None => None,
        };
        if let Some(Event::Message { args, .. }) = &event {
            state.taken += args.len();
        }
        if state.taken >= UNTOLD || (state.taken > 0 && state.events.is_empty()) {
            let bytes = std::mem::take(&mut state.taken);
            self.link.tell(ClientCommand::Consumed { call: self.id, bytes });
        }
        match event {
            Some(event) => Poll::Ready(event),
            None => wait(&mut state.reader, cx),
        }
    }

    // ---- sending ----

    /// Sends a chunk. Waits while much is on its way that is not written yet. Whatever is sent behind the end of
    /// the call is dropped.
    ///
    /// # Errors
    /// The caller's half has ended, or the method takes no chunks.
    pub async fn send(&self, chunk: impl Into<Bytes>) -> Result<(), Error> {
        let chunk = chunk.into();
        self.inbox.lock().given += chunk.len();
        self.link.tell(ClientCommand::Write { call: self.id, chunk });
        poll_fn(|cx| self.poll_window(cx)).await
    }

    /// Sends any message that the method takes, with these arguments.
    pub fn say(&self, message: &'static str, args: &[Value]) {
        self.link.tell(ClientCommand::Send {
            call: self.id,
            message: message.into(),
            args: encode_args(args),
        });
    }

    /// Says that nothing more will be sent.
    pub fn close(&self) {
        self.link.tell(ClientCommand::Close { call: self.id });
    }

    /// Ends the caller's half with an error.
    pub fn fail(&self, failure: Failure) {
        self.link.tell(ClientCommand::Fail { call: self.id, failure });
    }

    fn poll_window(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.inbox.lock();
        match &state.refused {
            Some(failure) => Poll::Ready(Err(Error::Refused(failure.clone()))),
            None if state.over || state.given < self.link.window => Poll::Ready(Ok(())),
            None => wait(&mut state.writer, cx),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Behind its end a call may still hold something for its caller: a lease.
        self.link.tell(ClientCommand::Cancel { call: self.id });
        self.link.calls.lock().remove(&self.id);
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: Event) {
        let mut state = self.lock();
        if matches!(event, Event::Ended(_)) {
            state.over = true;
            wake(state.writer.take());
        }
        state.events.push_back(event);
        wake(state.reader.take());
    }

    pub(super) fn drained(&self) {
        let mut state = self.lock();
        state.given = 0;
        wake(state.writer.take());
    }

    pub(super) fn refuse(&self, failure: Failure) {
        let mut state = self.lock();
        state.refused = Some(failure);
        wake(state.writer.take());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn wait<T>(waker: &mut Option<Waker>, cx: &Context<'_>) -> Poll<T> {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
    Poll::Pending
}

fn chunk(args: &Bytes) -> Result<Bytes, Error> {
    match single_raw(args) {
        Ok(range) => Ok(args.slice(range)),
        Err(error) => Err(Error::Unexpected(format!("the answer is no stream of bytes: {error}"))),
    }
}

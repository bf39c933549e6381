//! Handlers at work, each in the place that the session gave its invocation.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use cocaine_core::framework::{AppCommand, AppNotice, HANDLER_FAILED, NO_HANDLER, StreamKey};
use cocaine_core::machine::Key;
use cocaine_core::wire::{Failure, Header};
use smol::channel::Sender;

use super::stream::{Inbox, Stream};
use super::{Handlers, Running};

/// All handlers at work. Places, with their wakers and inboxes, are used again: a request costs no more than
/// the memory of its handler.
pub(super) struct Tasks {
    handlers: Handlers,
    commands: Sender<AppCommand>,
    window: usize,
    places: Vec<Place>,
    ready: Arc<Ready>,
    /// The ready ones of one round.
    round: Vec<usize>,
}

struct Place {
    key: Option<StreamKey>,
    running: Option<Running>,
    inbox: Rc<RefCell<Inbox>>,
    waker: Waker,
    bell: Arc<Bell>,
}

/// The places whose handlers can go on.
#[derive(Default)]
struct Ready {
    places: Mutex<Vec<usize>>,
    outer: Mutex<Option<Waker>>,
}

struct Bell {
    place: usize,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.places.lock().unwrap_or_else(PoisonError::into_inner).push(self.place);
            if let Some(outer) = &*self.ready.outer.lock().unwrap_or_else(PoisonError::into_inner) {
                outer.wake_by_ref();
            }
        }
    }
}

impl Tasks {
    pub(super) fn new(handlers: Handlers, commands: Sender<AppCommand>, window: usize) -> Self {
        Self { handlers, commands, window, places: Vec::new(), ready: Arc::default(), round: Vec::new() }
    }

    /// Passes on what the session says.
    pub(super) fn tell(&mut self, notice: AppNotice) {
        match notice {
            AppNotice::Invoke { stream, event, headers } => self.invoke(stream, event, headers),
            AppNotice::Chunk { stream, data } => self.with(stream, |inbox| inbox.push(data)),
            AppNotice::Closed { stream } => self.with(stream, Inbox::close),
            AppNotice::Failed { stream, failure } => self.with(stream, |inbox| inbox.fail(failure)),
            AppNotice::Drained { stream } => self.with(stream, Inbox::drained),
            AppNotice::Refused { stream, failure } => self.with(stream, |inbox| inbox.refuse(failure)),
            // What runs may finish; nothing new will come.
            AppNotice::Terminating { .. } | AppNotice::Over { .. } => {}
        }
    }

    /// Lets every handler that can go on do so once. Says whether the session has something to do now.
    pub(super) fn run(&mut self, cx: &Context<'_>) -> bool {
        self.watch(cx);
        std::mem::swap(
            &mut self.round,
            &mut *self.ready.places.lock().unwrap_or_else(PoisonError::into_inner),
        );
        for index in 0..self.round.len() {
            if let Some(place) = self.round.get(index) {
                self.poll(*place);
            }
        }
        self.round.clear();
        !self.commands.is_empty()
    }

    fn watch(&self, cx: &Context<'_>) {
        let mut outer = self.ready.outer.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *outer {
            Some(known) => known.clone_from(cx.waker()),
            None => *outer = Some(cx.waker().clone()),
        }
    }

    fn invoke(&mut self, key: StreamKey, event: Bytes, headers: Vec<Header>) {
        let index = key.slot() as usize;
        while self.places.len() <= index {
            self.places.push(Place::new(self.places.len(), &self.ready));
        }
        let (Some(place), commands) = (self.places.get_mut(index), self.commands.clone()) else { return };
        let Some(handler) = self.handlers.find(&event) else {
            let text = format!("there is no handler for event {:?}", String::from_utf8_lossy(&event));
            return self.say(AppCommand::Fail { stream: key, failure: Failure::new(NO_HANDLER, text) });
        };
        let inbox = place.clean_inbox();
        let stream = Stream { key, event, headers, inbox, commands, window: self.window };
        place.key = Some(key);
        place.running = Some(handler(stream));
        place.waker.wake_by_ref();
    }

    fn with(&self, key: StreamKey, act: impl FnOnce(&mut Inbox)) {
        if let Some(place) = self.places.get(key.slot() as usize).filter(|place| place.key == Some(key)) {
            act(&mut place.inbox.borrow_mut());
        }
    }

    fn poll(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else { return };
        place.bell.rung.store(false, Ordering::Release);
        let (Some(key), Some(running)) = (place.key, &mut place.running) else { return };
        let mut cx = Context::from_waker(&place.waker);
        let outcome = match catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(_) => Err(Failure::new(HANDLER_FAILED, "the handler panicked")),
        };
        (place.key, place.running) = (None, None);
        self.say(match outcome {
            Ok(()) => AppCommand::Close { stream: key },
            Err(failure) => AppCommand::Fail { stream: key, failure },
        });
    }

    fn say(&self, command: AppCommand) {
        // Without a session nobody wants to know.
        let _ = self.commands.try_send(command);
    }
}

impl Place {
    fn new(place: usize, ready: &Arc<Ready>) -> Self {
        let bell = Arc::new(Bell { place, rung: AtomicBool::new(false), ready: Arc::clone(ready) });
        Self { key: None, running: None, inbox: Rc::default(), waker: Waker::from(Arc::clone(&bell)), bell }
    }

    /// The inbox for the next handler; another one if somebody still holds the last one's.
    fn clean_inbox(&mut self) -> Rc<RefCell<Inbox>> {
        if Rc::strong_count(&self.inbox) > 1 {
            self.inbox = Rc::default();
        } else {
            self.inbox.borrow_mut().reset();
        }
        Rc::clone(&self.inbox)
    }
}

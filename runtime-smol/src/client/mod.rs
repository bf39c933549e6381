//! Services as their callers see them: async handles over the client machine.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use cocaine_runtime_smol::client::{App, Service, locators};
//!
//! let locators = locators("127.0.0.1:10053").await?;
//! let echo = App(Service::connect(locators, "echo"));
//! let call = echo.enqueue("ping");
//! call.send("hello").await?;
//! call.close();
//! while let Some(chunk) = call.recv().await? {
//!     println!("{} bytes", chunk.len());
//! }
//! # Ok(()) }
//! ```

mod address;
mod call;
mod services;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
pub use cocaine_core::client::{
    Advice, CallError, ClientConfig, ClientLimits, ClientTimeouts, Deadline, End, Message, Target,
};
use cocaine_core::client::{CallId, Client, ClientCommand, ClientNotice};
pub use cocaine_core::machine::Endpoint;
use cocaine_core::wire::encode;
pub use cocaine_core::wire::{ErrorCode, Failure, Header, Value};
use smol::channel::Sender;

pub use self::address::{DEFAULT_LOCATOR, locators};
use self::call::Inbox;
pub use self::call::{Call, Error, Event};
pub use self::services::{App, Locator, Node, Resolved, Storage};
use crate::bare::Bare;
use crate::driver::{World, drive};

/// One service. Clones share its one connection, which is made when there is something to call, and closed when
/// the last clone and the last call are gone.
#[derive(Clone)]
pub struct Service {
    link: Arc<Link>,
}

/// What the handles of a service share with its driver.
struct Link {
    commands: Sender<ClientCommand>,
    calls: Arc<Calls>,
    next: AtomicU64,
    window: usize,
}

/// The calls that have not ended.
#[derive(Default)]
struct Calls {
    inboxes: Mutex<BTreeMap<CallId, Arc<Inbox>>>,
}

impl Service {
    /// The service of this name, found through these locators; driven on smol's own threads.
    #[must_use]
    pub fn connect(locators: Vec<Endpoint>, name: impl Into<String>) -> Self {
        Self::start(ClientConfig::new(Target::named(name, locators), seed()))
    }

    /// The locator at these addresses, tried in this order; driven on smol's own threads.
    #[must_use]
    pub fn locator(endpoints: Vec<Endpoint>) -> Self {
        Self::start(ClientConfig::new(Target::locator(endpoints), seed()))
    }

    /// A service with a configuration of its own; driven on smol's own threads.
    #[must_use]
    pub fn start(config: ClientConfig) -> Self {
        let (service, driver) = Self::open(config);
        smol::spawn(async move {
            if let Err(error) = driver.await {
                eprintln!("client: {error}");
            }
        })
        .detach();
        service
    }

    /// A service, and the driver of its connection for an executor of the caller's choice. Nothing happens until
    /// the driver runs; it ends when the last handle is gone.
    ///
    /// The driver fails if the operating system refuses what is needed to wait for events; all calls fail then.
    pub fn open(config: ClientConfig) -> (Self, impl Future<Output = io::Result<()>> + Send) {
        let (commands, inbox) = smol::channel::unbounded();
        let calls = Arc::new(Calls::default());
        let window = config.limits.window_bytes;
        let link = Link { commands, calls: Arc::clone(&calls), next: AtomicU64::new(1), window };
        let last = LastWord(Arc::clone(&calls));
        let driver = async move {
            let world = World::new(Arc::new(Bare));
            let client = Client::new(config, world.clock().now());
            let result = drive(client, inbox, move |notice| calls.deliver(notice), &world).await;
            drop(last);
            result
        };
        (Self { link: Arc::new(link) }, driver)
    }

    /// Calls a method with these arguments. The call starts at once; what becomes of it is with the handle.
    #[must_use]
    pub fn call(&self, method: impl Into<Cow<'static, str>>, args: &[Value]) -> Call {
        self.call_with(method, encode_args(args), Vec::new(), Deadline::Never)
    }

    /// Calls a method with an encoded array of arguments, headers and a deadline.
    #[must_use]
    pub fn call_with(
        &self,
        method: impl Into<Cow<'static, str>>,
        args: Bytes,
        headers: Vec<Header>,
        deadline: Deadline,
    ) -> Call {
        let id = CallId(self.link.next.fetch_add(1, Ordering::Relaxed));
        let inbox = Arc::new(Inbox::default());
        self.link.calls.lock().insert(id, Arc::clone(&inbox));
        let call = Call::new(id, inbox, Arc::clone(&self.link));
        let method = method.into();
        if !self.link.tell(ClientCommand::Call { call: id, method, args, headers, deadline }) {
            self.link.calls.end(id, End::Broken(no_driver()));
        }
        call
    }
}

impl Link {
    /// Whether there is still a driver to tell.
    fn tell(&self, command: ClientCommand) -> bool {
        self.commands.try_send(command).is_ok()
    }
}

impl Calls {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<CallId, Arc<Inbox>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, notice: ClientNotice) {
        match notice {
            ClientNotice::Message { call, message, args } => {
                self.with(call, |inbox| inbox.push(Event::Message { message, args }));
            }
            ClientNotice::Ended { call, end } => self.end(call, end),
            ClientNotice::Drained { call } => self.with(call, Inbox::drained),
            ClientNotice::Refused { call, failure } => self.with(call, |inbox| inbox.refuse(failure)),
        }
    }

    fn with(&self, call: CallId, act: impl FnOnce(&Inbox)) {
        let inbox = self.lock().get(&call).cloned();
        if let Some(inbox) = inbox {
            act(&inbox);
        }
    }

    fn end(&self, call: CallId, end: End) {
        let inbox = self.lock().remove(&call);
        if let Some(inbox) = inbox {
            inbox.push(Event::Ended(end));
        }
    }
}

/// Sees to it that no call waits for a driver that is gone, however it went.
struct LastWord(Arc<Calls>);

impl Drop for LastWord {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.0.lock());
        for inbox in left.into_values() {
            inbox.push(Event::Ended(End::Broken(no_driver())));
        }
    }
}

fn no_driver() -> CallError {
    CallError::Disconnected { name: "of this client".into(), text: "its driver has ended".into() }
}

/// The encoded array of these arguments.
#[must_use]
pub fn encode_args(args: &[Value]) -> Bytes {
    let mut out = Vec::new();
    encode::array(&mut out, args.len());
    args.iter().for_each(|arg| arg.encode(&mut out));
    out.into()
}

/// Jitter wants to differ from client to client; it need not be secret.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if getrandom::fill(&mut seed).is_err() {
        let id = u64::from(std::process::id()).to_le_bytes();
        seed.iter_mut().zip(id).for_each(|(byte, id)| *byte = id);
    }
    seed
}

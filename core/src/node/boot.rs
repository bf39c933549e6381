//! From the first listener to the moment when everything is there.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::config::{DEFAULT_RUNLIST, ServiceConfig};
use super::services::ServiceKind;
use super::start::{NO_ENTRY, document};
use super::stores::Storing;
use super::{ListenFailure, Node, NodeNotice};
use crate::config::{AppName, Runlist};
use crate::locator::{Entry, Holder, reachable};
use crate::machine::{Endpoint, IoError, ListenAt, ListenerId, Output, Severity, StoreError, StoreRequest};
use crate::time::{TimerReason, Timestamp};

/// Where the node is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has been asked for.
    Idle,
    /// The services open their listeners; these could not.
    Opening(Vec<ListenFailure>),
    /// The runlist is read.
    Reading,
    /// The first apps are started; these are not decided yet.
    Starting(BTreeSet<AppName>),
    Serving,
    /// Apps stop.
    Stopping {
        deadline: Timestamp,
    },
    /// The last answers are being written.
    Flushing {
        deadline: Timestamp,
    },
    Over,
}

impl Phase {
    pub(super) const fn is_ending(&self) -> bool {
        matches!(self, Self::Stopping { .. } | Self::Flushing { .. } | Self::Over)
    }

    pub(super) const fn next_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        match self {
            Self::Stopping { deadline } | Self::Flushing { deadline } => Some((*deadline, TimerReason::Stop)),
            _ => None,
        }
    }
}

/// A service's listener.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    service: ServiceConfig,
    /// Its addresses, once it listens.
    bound: Vec<SocketAddr>,
}

impl Listener {
    pub(super) const fn kind(&self) -> ServiceKind {
        self.service.kind
    }
}

impl Node {
    pub(super) fn start(&mut self) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Opening(Vec::new());
        for service in self.config.services.clone() {
            self.open_listener(service);
        }
        self.after_opening();
    }

    /// Opens a service's listener at its own port, or at one of the range.
    fn open_listener(&mut self, service: ServiceConfig) {
        let mut at = service.at;
        if at.port() == 0 {
            match self.ports.take(&service.name, &mut self.rng) {
                Ok(port) => at.set_port(port),
                Err(failure) => {
                    let error =
                        IoError { errno: 0, text: String::from_utf8_lossy(&failure.text).into_owned() };
                    return self.cannot_listen(service, error);
                }
            }
        }
        let listener = self.out.next_listener();
        let service = ServiceConfig { at, ..service };
        self.listeners.insert(listener, Listener { service, bound: Vec::new() });
        self.out.push(Output::Listen { listener, at: ListenAt::Tcp(at) });
    }

    fn cannot_listen(&mut self, service: ServiceConfig, error: IoError) {
        let failure = ListenFailure { service: service.name, at: service.at, error };
        self.log(Severity::Error, failure.to_string());
        if let Phase::Opening(failures) = &mut self.phase {
            failures.push(failure);
        }
    }

    pub(super) fn service_of(&self, listener: ListenerId) -> Option<ServiceKind> {
        self.listeners.get(&listener).map(Listener::kind)
    }

    pub(super) fn on_listening(&mut self, listener: ListenerId, endpoints: &[Endpoint]) {
        let Some(entry) = self.listeners.get_mut(&listener) else { return };
        let tcp = endpoints.iter().filter_map(|endpoint| match endpoint {
            Endpoint::Tcp(addr) => Some(*addr),
            Endpoint::Unix(_) => None,
        });
        entry.bound = tcp.collect();
        let offer = Entry {
            endpoints: reachable(&entry.bound, &self.config.advertised),
            protocol: entry.service.kind.protocol(),
            holder: Holder::Service(listener),
        };
        let name = entry.service.name.clone();
        if self.names.publish(&name, offer).is_err() {
            self.log(
                Severity::Error,
                format!("two services are called {name}: only the first can be resolved"),
            );
        }
        self.after_opening();
    }

    pub(super) fn on_listen_failed(&mut self, listener: ListenerId, error: IoError) {
        const ADDRESS_IN_USE: i32 = 98;
        let Some(Listener { service, .. }) = self.listeners.remove(&listener) else { return };
        let opening = matches!(self.phase, Phase::Opening(_));
        if opening && error.errno == ADDRESS_IN_USE && self.ports.lost(service.at.port()) {
            let any_port = SocketAddr::new(service.at.ip(), 0);
            self.open_listener(ServiceConfig { at: any_port, ..service });
        } else {
            self.cannot_listen(service, error);
        }
        self.after_opening();
    }

    /// Goes on when every listener is decided.
    fn after_opening(&mut self) {
        let Phase::Opening(failures) = &self.phase else { return };
        if self.listeners.values().any(|listener| listener.bound.is_empty()) {
            return;
        }
        if !failures.is_empty() {
            let errors = failures.clone();
            self.close_listeners(|_| true);
            self.phase = Phase::Over;
            return self.out.notice(NodeNotice::Failed { errors });
        }
        self.phase = Phase::Reading;
        match self.config.runlist.clone() {
            Some(key) => {
                let request = StoreRequest::Read { collection: "runlists".to_owned(), key };
                self.store(request, Storing::Runlist);
            }
            None => self.start_first_apps(Runlist::default()),
        }
    }

    pub(super) fn on_runlist(&mut self, read: Result<Bytes, StoreError>) {
        if self.phase != Phase::Reading {
            return;
        }
        let name = self.config.runlist.as_deref();
        if matches!(&read, Err(error) if error.errno == NO_ENTRY && name == Some(DEFAULT_RUNLIST)) {
            // A new node has none. One that was asked for by name is missed.
            self.log(Severity::Info, "no app is started from the runlist: there is none yet");
            return self.start_first_apps(Runlist::default());
        }
        let source = format!("runlists/{}", self.config.runlist.as_deref().unwrap_or_default());
        let runlist = document(source, read)
            .map_err(|failure| String::from_utf8_lossy(&failure.text).into_owned())
            .and_then(|document| Runlist::read(&document).map_err(|complaint| complaint.to_string()));
        match runlist {
            Ok(checked) => {
                for warning in checked.warnings {
                    self.log(Severity::Warning, warning.to_string());
                }
                self.start_first_apps(checked.value);
            }
            Err(text) => {
                self.log(Severity::Warning, format!("no app is started from the runlist: {text}"));
                self.start_first_apps(Runlist::default());
            }
        }
    }

    /// Starts the apps of the runlist and of the command line, all at once.
    fn start_first_apps(&mut self, runlist: Runlist) {
        let local = self.config.local_apps().keys().map(|app| (app.clone(), String::new()));
        let mut apps: BTreeMap<AppName, String> = local.collect();
        apps.extend(runlist.apps.into_iter().map(|(app, profile)| (app, profile.to_string())));
        self.phase = Phase::Starting(apps.keys().cloned().collect());
        for (app, profile) in apps {
            self.start_app(&app, &profile, None);
        }
        self.ready_if_started();
    }

    /// It is decided how a start went. The node is ready when none of the first is undecided.
    pub(super) fn start_is_over(&mut self, app: &AppName) {
        if let Phase::Starting(undecided) = &mut self.phase {
            undecided.remove(app);
        }
        self.ready_if_started();
    }

    fn ready_if_started(&mut self) {
        if !matches!(&self.phase, Phase::Starting(undecided) if undecided.is_empty()) {
            return;
        }
        self.phase = Phase::Serving;
        let services = self.listeners.values().map(|listener| {
            let endpoints = reachable(&listener.bound, &self.config.advertised);
            (listener.service.name.clone(), endpoints)
        });
        let endpoints = services.collect();
        let names = self.listeners.values().filter_map(|listener| {
            let at = listener.bound.first()?;
            Some(format!("{}={at}", listener.service.name))
        });
        let places: Vec<String> = names.collect();
        self.log(Severity::Info, format!("node {} serves: {}", self.uuid, places.join(" ")));
        self.out.notice(NodeNotice::Ready { endpoints });
    }

    /// Stops listening for some services. Their connections live on.
    pub(super) fn close_listeners(&mut self, which: impl Fn(ServiceKind) -> bool) {
        let closed = self.listeners.extract_if(.., |_, listener| which(listener.kind()));
        for (listener, Listener { service, .. }) in closed {
            self.names.withdraw(&service.name, Holder::Service(listener));
            self.out.push(Output::Unlisten { listener });
        }
    }

    /// The locator's addresses for workers, which run on this machine.
    pub(super) fn worker_locators(&self) -> Vec<String> {
        if !self.config.locators.is_empty() {
            return self.config.locators.clone();
        }
        const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let locators = self.listeners.values().filter(|entry| entry.kind() == ServiceKind::Locator);
        let bound: Vec<SocketAddr> = locators.flat_map(|entry| entry.bound.iter().copied()).collect();
        reachable(&bound, &LOOPBACKS).iter().map(SocketAddr::to_string).collect()
    }
}

//! The apps of the node, and what becomes of their engines.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;
use core::net::SocketAddr;

use super::conns::{Answer, Ticket};
use super::start::Preparation;
use super::{Node, NodeNotice};
use crate::config::AppName;
use crate::engine::{EngineCommand, EngineNotice};
use crate::locator::{Entry, Holder, reachable};
use crate::machine::{Endpoint, EngineId, Severity};
use crate::wire::{Failure, Value, codes, protocols};

/// Where an app is in its life.
#[derive(Clone, Debug)]
pub(super) enum App {
    /// Manifest, profile and code are fetched.
    Preparing(Preparation),
    /// The engine opens its sockets.
    Starting { engine: EngineId, ticket: Option<Ticket> },
    /// It serves.
    Running { engine: EngineId },
    /// It ends; these wait for it.
    Stopping { engine: EngineId, tickets: Vec<Ticket> },
    /// Its last start failed, or it broke down. Kept so that `info` can say why; no obstacle to another start.
    Broken { failure: Failure },
}

impl App {
    /// The state as `info` has it.
    pub(super) const fn state(&self) -> &'static str {
        match self {
            Self::Preparing(_) | Self::Starting { .. } => "spooling",
            Self::Running { .. } => "running",
            Self::Stopping { .. } => "stopping",
            Self::Broken { .. } => "broken",
        }
    }
}

/// Somebody who waits for an engine's report.
#[derive(Clone, Debug)]
pub(super) struct Query {
    engine: EngineId,
    ticket: Ticket,
}

/// What the node knows about an engine.
#[derive(Clone, Debug)]
pub(super) struct EngineSide {
    pub(super) app: AppName,
    /// The port its service was given; 0 for any.
    pub(super) port: u16,
}

impl Node {
    /// The apps that are there: those that cannot be started now. A broken one can.
    pub(super) fn present_apps(&self) -> Vec<AppName> {
        let present = self.apps.iter().filter(|(_, app)| !matches!(app, App::Broken { .. }));
        present.map(|(name, _)| name.clone()).collect()
    }

    /// The engine of an app that serves.
    pub(super) fn running_engine(&self, name: &str) -> Result<EngineId, Failure> {
        match self.app(name) {
            Some((_, App::Running { engine })) => Ok(*engine),
            Some((_, app)) => Err(not_running(name, Some(app.state()))),
            None => Err(not_running(name, None)),
        }
    }

    pub(super) fn app(&self, name: &str) -> Option<(&AppName, &App)> {
        self.apps.iter().find(|(app, _)| app.as_str() == name)
    }

    pub(super) fn tell_engine(&mut self, engine: EngineId, command: EngineCommand) {
        self.out.notice(NodeNotice::ToEngine { engine, command });
    }

    /// Answers `info`.
    pub(super) fn report_app(&mut self, name: &str, flags: u32, ticket: Ticket) {
        let report = match self.app(name) {
            Some((_, App::Running { engine } | App::Stopping { engine, .. })) => {
                let (engine, query) = (*engine, self.next_number());
                self.queries.insert(query, Query { engine, ticket });
                return self.tell_engine(engine, EngineCommand::Info { query, flags });
            }
            Some((_, app)) => Ok(Answer::one(|out| short_report(app).encode(out))),
            None => {
                let text = format!("there is no app {name:?}");
                Err(Failure::new(codes::INVALID_ARGUMENT, text))
            }
        };
        self.answer(ticket, report);
    }

    pub(super) fn on_engine(&mut self, engine: EngineId, notice: EngineNotice) {
        let Some(EngineSide { app, .. }) = self.engines.get(&engine) else { return };
        let app = app.clone();
        match notice {
            EngineNotice::Started => self.on_started(&app),
            EngineNotice::Broken { failure } => self.on_engine_over(engine, &failure, "has broken down"),
            EngineNotice::Stopped => self.on_engine_over(engine, &codes::APP_STOPPED.into(), "has stopped"),
            EngineNotice::Published { endpoints } => self.publish_app(engine, &app, &endpoints),
            EngineNotice::Unpublished => self.names.withdraw(app.as_str(), Holder::App(engine)),
            EngineNotice::Chunk { stream, data } => self.on_stream_chunk(stream, data),
            EngineNotice::End { stream } => self.on_stream_end(stream),
            EngineNotice::Fail { stream, failure } => self.on_stream_failed(stream, &failure),
            EngineNotice::Consumed { stream, bytes } => self.on_stream_consumed(stream, bytes),
            EngineNotice::Info { query, report } => {
                if let Some(Query { ticket, .. }) = self.queries.remove(&query) {
                    self.answer(ticket, Ok(Answer::one(|out| report.encode(out))));
                }
            }
        }
    }

    /// The driver has lost an engine.
    pub(super) fn on_engine_gone(&mut self, engine: EngineId) {
        let failure = Failure::new(codes::APP_STOPPED, "the application's engine is gone");
        self.on_engine_over(engine, &failure, "has lost its engine");
    }

    fn on_started(&mut self, name: &AppName) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let App::Starting { engine, ticket } = app else { return };
        let ticket = ticket.take();
        *app = App::Running { engine: *engine };
        let place = self.names.get(name.as_str()).map(|entry| format!(" at {}", listed(&entry.endpoints)));
        self.log(Severity::Info, format!("app {name} has started{}", place.unwrap_or_default()));
        if let Some(ticket) = ticket {
            self.answer(ticket, Ok(Answer::DONE));
        }
        self.start_is_over(name);
    }

    fn publish_app(&mut self, engine: EngineId, app: &AppName, endpoints: &[Endpoint]) {
        let bound: Vec<_> = endpoints.iter().filter_map(tcp).collect();
        let endpoints = reachable(&bound, &self.config.advertised);
        if self.running_engine(app.as_str()).is_ok() {
            // It has started before and waited for its workers; otherwise its start tells.
            self.log(Severity::Info, format!("app {app} is published at {}", listed(&endpoints)));
        }
        let entry = Entry { endpoints, protocol: &protocols::APP, holder: Holder::App(engine) };
        // The name cannot be a service's, which was checked at the start; nor another start's, as one ends
        // before the next begins.
        if self.names.publish(app.as_str(), entry).is_err() {
            self.log(Severity::Error, format!("the name {app} is taken: clients cannot resolve the app"));
        }
    }

    /// An engine has ended, in whatever way: nothing of it may stay behind.
    fn on_engine_over(&mut self, engine: EngineId, failure: &Failure, what: &str) {
        let Some(EngineSide { app: name, port }) = self.engines.remove(&engine) else { return };
        self.names.withdraw(name.as_str(), Holder::App(engine));
        if failure.code == codes::PUBLISH_FAILED {
            self.ports.lost(port);
        }
        self.ports.give_back(port);
        self.break_streams(engine, failure);
        self.break_levers(engine, failure);
        self.break_queries(engine, failure);
        self.settle_app(&name, engine, failure, what);
    }

    /// Whoever waits for the app's start or stop learns how it went.
    fn settle_app(&mut self, name: &AppName, engine: EngineId, failure: &Failure, what: &str) {
        let Some(app) = self.apps.get_mut(name) else { return };
        match mem::replace(app, App::Broken { failure: failure.clone() }) {
            App::Starting { engine: own, ticket } if own == engine => {
                self.start_failed(name, ticket, failure);
            }
            App::Running { engine: own } if own == engine => {
                self.log(Severity::Error, format!("app {name} {what}: {failure}"));
            }
            App::Stopping { engine: own, tickets } if own == engine => {
                self.apps.remove(name);
                self.log(Severity::Info, format!("app {name} has stopped"));
                for ticket in tickets {
                    self.answer(ticket, Ok(Answer::DONE));
                }
            }
            other => *app = other,
        }
    }

    fn break_queries(&mut self, engine: EngineId, failure: &Failure) {
        let broken = self.queries.extract_if(.., |_, query| query.engine == engine);
        let tickets: Vec<Ticket> = broken.map(|(_, query)| query.ticket).collect();
        for ticket in tickets {
            self.answer(ticket, Err(failure.clone()));
        }
    }
}

/// The report of an app without an engine to ask.
fn short_report(app: &App) -> Value {
    let mut report = Vec::from([(Value::from("state"), Value::from(app.state()))]);
    if let App::Broken { failure } = app {
        report.push(("error".into(), i64::from(failure.code.code).into()));
        report.push(("cause".into(), failure.to_string().into()));
    }
    Value::Map(report)
}

pub(super) fn not_running(name: &str, state: Option<&str>) -> Failure {
    let state = state.map_or_else(|| "there is no such app".to_string(), |state| format!("it is {state}"));
    Failure::new(codes::NOT_RUNNING, format!("application {name:?} is not running: {state}"))
}

fn listed(addresses: &[SocketAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

const fn tcp(endpoint: &Endpoint) -> Option<SocketAddr> {
    match endpoint {
        Endpoint::Tcp(addr) => Some(*addr),
        Endpoint::Unix(_) => None,
    }
}

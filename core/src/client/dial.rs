//! From nothing to a connection, and back.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::replies::Resolution;
use super::{CallError, CallId, Client, Target};
use crate::machine::{CloseReason, ConnId, Endpoint, IoError, Output, Severity};
use crate::session::{Channels, Link};
use crate::time::{TimerReason, Timestamp};
use crate::wire::{Failure, Graph, codes, encode, v1};

/// Where a client is on its way to its service. Only `Ready` has channels.
#[derive(Clone, Debug)]
pub(super) enum State {
    Idle,
    /// Connecting to this locator.
    Locator {
        conn: ConnId,
        index: usize,
        deadline: Timestamp,
    },
    /// Waiting for its answer.
    Resolving {
        link: Link,
        index: usize,
        deadline: Timestamp,
    },
    /// Connecting to this endpoint of the service.
    Service {
        conn: ConnId,
        index: usize,
        route: Route,
        deadline: Timestamp,
    },
    Ready(Ready),
    Backoff {
        until: Timestamp,
    },
}

/// Where a service is and what it can do.
#[derive(Clone, Debug)]
pub(super) struct Route {
    endpoints: Vec<Endpoint>,
    graph: Graph,
}

/// A connection to the service.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) link: Link,
    pub(super) channels: Channels<CallId>,
    pub(super) graph: Graph,
    pub(super) heard: Heard,
}

/// Whether the service has said anything on this connection: only then it counts as a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Something,
}

/// The channel of the one call on a locator's connection.
pub(super) const RESOLVE_CHANNEL: u64 = 1;
/// The locator's method.
const RESOLVE: u32 = 0;

impl State {
    /// The link of this connection, if it is the present one and up.
    pub(super) fn link(&mut self, conn: ConnId) -> Option<&mut Link> {
        let link = match self {
            Self::Resolving { link, .. } => link,
            Self::Ready(ready) => &mut ready.link,
            _ => return None,
        };
        (link.conn() == conn).then_some(link)
    }
}

impl Client {
    pub(super) fn connect_if_wanted(&mut self) {
        let free = match self.state {
            State::Idle => true,
            State::Backoff { until } => until <= self.now,
            _ => false,
        };
        if free && self.waiting > 0 {
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        match &self.config.target {
            Target::Named { .. } => self.dial_locator(0, "there is no locator to ask".into()),
            Target::Fixed { endpoints, graph, .. } => {
                let route = Route { endpoints: endpoints.clone(), graph: graph.clone() };
                self.dial_service(0, route, "it has no address".into());
            }
        }
    }

    /// Connects to a locator. `text` says what went wrong with the one before.
    fn dial_locator(&mut self, index: usize, text: String) {
        let Target::Named { locators, .. } = &self.config.target else { return };
        let Some(endpoint) = locators.get(index).cloned() else {
            return self.fail_round(&self.unreachable(text));
        };
        let conn = self.dial(endpoint);
        self.state = State::Locator { conn, index, deadline: self.now + self.config.timeouts.connect };
    }

    /// Connects to the service. `text` says what went wrong with the endpoint before.
    fn dial_service(&mut self, index: usize, route: Route, text: String) {
        let Some(endpoint) = route.endpoints.get(index).cloned() else {
            return self.fail_round(&self.unreachable(text));
        };
        let conn = self.dial(endpoint);
        self.state = State::Service { conn, index, route, deadline: self.now + self.config.timeouts.connect };
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves of one number")]
    fn dial(&mut self, endpoint: Endpoint) -> ConnId {
        let conn = ConnId::dialed((self.dialed >> 32) as u32, self.dialed as u32);
        self.dialed += 1;
        self.out.push(Output::Connect { conn, endpoint });
        conn
    }

    pub(super) fn on_connected(&mut self, conn: ConnId) {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Locator { conn: dialed, index, .. } if dialed == conn => self.resolve(conn, index),
            State::Service { conn: dialed, route, .. } if dialed == conn => {
                let mut link = Link::new(conn, self.config.limits.wire);
                link.read(&mut self.out);
                let graph = route.graph;
                self.state =
                    State::Ready(Ready { link, channels: Channels::default(), graph, heard: Heard::Nothing });
            }
            other => self.state = other,
        }
    }

    fn resolve(&mut self, conn: ConnId, index: usize) {
        let mut link = Link::new(conn, self.config.limits.wire);
        let name = self.config.target.name();
        link.send_control(&mut self.out, |out| {
            v1::frame(out, RESOLVE_CHANNEL, RESOLVE, |out| {
                encode::array(out, 1);
                encode::raw(out, name.as_bytes());
            });
        });
        link.read(&mut self.out);
        self.state = State::Resolving { link, index, deadline: self.now + self.config.timeouts.resolve };
    }

    pub(super) fn on_resolution(&mut self, found: Resolution) {
        self.leave_locator();
        let Target::Named { name, version, .. } = &self.config.target else { return };
        if *version != 0 && *version != found.version {
            let error = CallError::Version { name: name.clone(), wanted: *version, found: found.version };
            return self.fail_round(&error);
        }
        if found.endpoints.is_empty() {
            return self.on_unresolved(Failure::new(
                codes::SERVICE_NOT_AVAILABLE,
                "the locator knows no numeric address of it",
            ));
        }
        let route = Route { endpoints: found.endpoints, graph: found.graph };
        self.dial_service(0, route, String::new());
    }

    pub(super) fn on_unresolved(&mut self, failure: Failure) {
        self.leave_locator();
        let name = self.config.target.name().into();
        self.fail_round(&CallError::Unresolved { name, failure });
    }

    fn leave_locator(&mut self) {
        if let State::Resolving { link, .. } = &mut self.state {
            link.close(&mut self.out, CloseReason::Done);
            self.state = State::Idle;
        }
    }

    pub(super) fn on_connect_failed(&mut self, conn: ConnId, error: &IoError) {
        if matches!(&self.state, State::Locator { conn: dialed, .. } | State::Service { conn: dialed, .. } if *dialed == conn)
        {
            self.try_next(error.text.clone());
        }
    }

    /// This attempt failed: the next locator or endpoint, if there is one.
    fn try_next(&mut self, text: String) {
        match core::mem::replace(&mut self.state, State::Idle) {
            State::Locator { index, .. } | State::Resolving { index, .. } => {
                self.dial_locator(index + 1, text);
            }
            State::Service { index, route, .. } => self.dial_service(index + 1, route, text),
            other => self.state = other,
        }
    }

    /// The connection is gone or has to go.
    pub(super) fn on_lost(&mut self, reason: CloseReason, text: String) {
        match &mut self.state {
            State::Resolving { link, .. } => {
                link.close(&mut self.out, reason);
                self.try_next(format!("the locator gave no answer: {text}"));
            }
            State::Ready(ready) => {
                ready.link.close(&mut self.out, reason);
                let heard = ready.heard;
                self.state = State::Idle;
                self.disconnect_calls(&text);
                if heard == Heard::Nothing {
                    self.fail_round(&self.unreachable(text));
                }
            }
            _ => {}
        }
    }

    fn fail_round(&mut self, error: &CallError) {
        self.log(Severity::Debug, format!("{error}"));
        self.disappoint_calls(error);
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        let pause =
            self.config.timeouts.backoff.saturating_mul(doubled).min(self.config.timeouts.backoff_limit);
        self.state = State::Backoff { until: self.now + self.rng.jittered(pause) };
    }

    fn unreachable(&self, text: String) -> CallError {
        CallError::Unreachable { name: self.config.target.name().into(), text }
    }

    pub(super) fn expire_state(&mut self) {
        let (conn, deadline, limit, what) = match &self.state {
            State::Locator { conn, deadline, .. } | State::Service { conn, deadline, .. } => {
                (*conn, *deadline, self.config.timeouts.connect, "no connection")
            }
            State::Resolving { link, deadline, .. } => {
                (link.conn(), *deadline, self.config.timeouts.resolve, "no answer to resolve")
            }
            _ => return,
        };
        if deadline <= self.now {
            self.out.push(Output::Close { conn, reason: CloseReason::Done });
            self.try_next(format!("{what} within {}", seconds(limit)));
        }
    }

    pub(super) fn state_timeout(&self) -> Option<(Timestamp, TimerReason)> {
        match &self.state {
            State::Locator { deadline, .. }
            | State::Service { deadline, .. }
            | State::Resolving { deadline, .. } => Some((*deadline, TimerReason::Reply)),
            State::Backoff { until } if self.waiting > 0 => Some((*until, TimerReason::Retry)),
            _ => None,
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f32())
}

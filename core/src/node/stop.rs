//! Stopping an app, and stopping the node.

use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use super::apps::{App, not_running};
use super::boot::Phase;
use super::conns::{Answer, Owner, Ticket};
use super::start::stopped_while_starting;
use super::stores::Storing;
use super::{Node, NodeNotice};
use crate::config::AppName;
use crate::engine::EngineCommand;
use crate::machine::{CloseReason, ConnId, Severity};
use crate::time::Timestamp;

/// How long clients get to take their last answers.
const FLUSH: Duration = Duration::from_secs(1);

impl Node {
    /// Stops an app. The ticket is answered when its last process is gone, so that it can be started again at
    /// once. A broken app is forgotten.
    pub(super) fn pause_app(&mut self, name: &str, ticket: Ticket) {
        let Some(name) = self.app(name).map(|(name, _)| name.clone()) else {
            return self.answer(ticket, Err(not_running(name, None)));
        };
        match self.apps.get_mut(&name) {
            Some(App::Preparing(preparation)) => preparation.pausers.push(ticket),
            Some(App::Stopping { tickets, .. }) => tickets.push(ticket),
            Some(App::Starting { .. } | App::Running { .. }) => self.stop_engine(&name, Some(ticket)),
            Some(App::Broken { .. }) | None => {
                self.apps.remove(&name);
                self.answer(ticket, Ok(Answer::DONE));
            }
        }
    }

    /// Tells an app's engine to stop.
    fn stop_engine(&mut self, name: &AppName, ticket: Option<Ticket>) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let (engine, starter) = match app {
            App::Starting { engine, ticket } => (*engine, ticket.take()),
            App::Running { engine } => (*engine, None),
            App::Preparing(_) | App::Stopping { .. } | App::Broken { .. } => return,
        };
        let was = mem::replace(app, App::Stopping { engine, tickets: ticket.into_iter().collect() });
        self.tell_engine(engine, EngineCommand::Stop);
        if let Some(starter) = starter {
            self.answer(starter, Err(stopped_while_starting(name)));
        }
        if matches!(was, App::Starting { .. }) {
            self.start_is_over(name);
        }
    }

    /// Stops everything. What workers need to finish their work stays until the last app has stopped.
    pub(super) fn shut_down(&mut self, within: Duration) {
        if self.phase.is_ending() {
            return;
        }
        self.log(Severity::Debug, "shutting down");
        self.phase = Phase::Stopping { deadline: self.now + within };
        self.close_listeners(|service| !service.serves_workers());
        for name in self.present_apps() {
            match self.apps.get(&name) {
                Some(App::Preparing(_)) => self.start_abandoned(&name),
                _ => self.stop_engine(&name, None),
            }
        }
    }

    /// Takes the next step towards the end, if it is time for it.
    pub(super) fn go_on_stopping(&mut self) {
        if let Phase::Stopping { deadline } = self.phase
            && (self.nothing_runs() || deadline <= self.now)
        {
            self.begin_flush(deadline);
        }
        if let Phase::Flushing { deadline } = self.phase
            && (self.conns.is_empty() || deadline <= self.now)
        {
            for conn in self.conn_ids() {
                self.on_lost(conn, CloseReason::Stopping);
            }
            self.phase = Phase::Over;
            self.out.notice(NodeNotice::Stopped);
        }
    }

    fn nothing_runs(&self) -> bool {
        let calls = self.stores.values().any(|storing| matches!(storing, Storing::Call { .. }));
        self.engines.is_empty() && !calls
    }

    /// Closes each connection as soon as its last bytes are written.
    fn begin_flush(&mut self, deadline: Timestamp) {
        if !self.engines.is_empty() {
            let names: Vec<&str> = self.engines.values().map(|side| side.app.as_str()).collect();
            let text = alloc::format!("out of time: these apps are left behind: {}", names.join(", "));
            self.log(Severity::Error, text);
        }
        self.phase = Phase::Flushing { deadline: deadline.min(self.now + FLUSH) };
        self.close_listeners(|_| true);
        for caller in self.callers(Owner::Router) {
            self.finish(caller);
            self.close_router(caller);
        }
        for conn in self.conn_ids() {
            let Some(entry) = self.conns.get_mut(conn) else { continue };
            if entry.link.close_when_written(&mut self.out, CloseReason::Stopping) {
                self.on_lost(conn, CloseReason::Stopping);
            }
        }
    }

    fn conn_ids(&self) -> Vec<ConnId> {
        self.conns.iter().map(|(conn, _)| conn).collect()
    }
}

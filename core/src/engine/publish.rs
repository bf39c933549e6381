//! The two listeners of an app: its workers' socket, and its service for clients.

use alloc::format;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::stop::Phase;
use super::{Engine, EngineNotice};
use crate::machine::{CloseReason, ConnId, Endpoint, IoError, ListenAt, ListenerId, Output, Peer, Severity};
use crate::wire::{Failure, codes};

/// Both listeners.
#[derive(Clone, Debug, Default)]
pub(super) struct Publication {
    workers: Option<ListenerId>,
    service: Service,
}

/// The app's service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Service {
    #[default]
    Closed,
    Opening(ListenerId),
    Open(ListenerId),
}

impl Publication {
    pub(super) fn is_published(&self) -> bool {
        matches!(self.service, Service::Open(_))
    }
}

impl Engine {
    pub(super) fn open_worker_socket(&mut self) {
        let listener = self.out.next_listener();
        self.publication.workers = Some(listener);
        let owner = self.config.profile.identity().map(|(uid, _)| uid);
        let at = ListenAt::Unix { path: self.config.socket.clone(), owner };
        self.out.push(Output::Listen { listener, at });
    }

    pub(super) fn close_worker_socket(&mut self) {
        if let Some(listener) = self.publication.workers.take() {
            self.out.push(Output::Unlisten { listener });
        }
    }

    pub(super) fn on_accepted(&mut self, listener: ListenerId, conn: ConnId, peer: Peer) {
        if matches!(self.phase, Phase::Flushing { .. } | Phase::Over) {
            // Nobody is left to talk to. A late worker must not be taken for a client.
            self.out.push(Output::Close { conn, reason: CloseReason::Stopping });
        } else if self.publication.workers == Some(listener) {
            self.accept_stranger(conn, peer);
        } else {
            // A client that was accepted just before the service closed is told so when it asks.
            self.accept_client(conn);
        }
    }

    pub(super) fn on_listening(&mut self, listener: ListenerId, endpoints: Vec<Endpoint>) {
        if self.publication.workers == Some(listener) && self.phase == Phase::Starting {
            self.phase = Phase::Running;
            // An app that is published at once has started when clients can reach it.
            if self.config.profile.publish_on() > 0 {
                self.out.notice(EngineNotice::Started);
            }
        } else if self.publication.service == Service::Opening(listener) {
            self.publication.service = Service::Open(listener);
            self.out.notice(EngineNotice::Published { endpoints });
            if self.config.profile.publish_on() == 0 {
                self.out.notice(EngineNotice::Started);
            }
        }
    }

    pub(super) fn on_listen_failed(&mut self, listener: ListenerId, error: &IoError) {
        if self.publication.workers == Some(listener) {
            self.publication.workers = None;
        } else if self.publication.service == Service::Opening(listener) {
            self.publication.service = Service::Closed;
        } else {
            return;
        }
        self.log(Severity::Error, format!("cannot listen: {error}"));
        let failure = Failure::new(codes::PUBLISH_FAILED, format!("cannot listen: {error}"));
        self.break_down(failure);
    }

    /// Opens or closes the app's service when the number of active workers says so.
    pub(super) fn publish_or_not(&mut self) {
        let active = self.active_workers();
        let profile = &self.config.profile;
        match self.publication.service {
            Service::Closed if self.phase == Phase::Running && active >= profile.publish_on() => {
                let listener = self.out.next_listener();
                let (ip, port) = self.config.listen;
                self.publication.service = Service::Opening(listener);
                self.out.push(Output::Listen { listener, at: ListenAt::Tcp(SocketAddr::new(ip, port)) });
            }
            Service::Open(_) if active < profile.unpublish_under() => self.unpublish(),
            _ => {}
        }
    }

    /// Closes the app's service for new clients.
    pub(super) fn unpublish(&mut self) {
        match core::mem::take(&mut self.publication.service) {
            Service::Closed => {}
            Service::Opening(listener) => self.out.push(Output::Unlisten { listener }),
            Service::Open(listener) => {
                self.out.push(Output::Unlisten { listener });
                self.out.notice(EngineNotice::Unpublished);
            }
        }
    }
}

//! How long a worker may take for what.

use core::time::Duration;

/// The time limits of a profile, both generations' keys already mapped to one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Spawn, connect, handshake and first heartbeat together.
    pub startup: Duration,
    /// Between two heartbeats of a worker.
    pub heartbeat: Duration,
    /// A worker without sessions; `None` for ever.
    pub idle: Option<Duration>,
    /// A worker that is to go because the pool shrinks, to finish its sessions.
    pub seal: Duration,
    /// The same when the app stops.
    pub stop: Duration,
    /// To react to `terminate`.
    pub terminate: Duration,
    /// To react to SIGTERM before SIGKILL.
    pub kill: Duration,
    /// A request that says nothing itself, in the queue and running.
    pub request: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            startup: Duration::from_secs(10),
            heartbeat: Duration::from_secs(30),
            idle: Some(Duration::from_secs(600)),
            seal: Duration::from_secs(60),
            stop: Duration::from_secs(5),
            terminate: Duration::from_secs(10),
            kill: Duration::from_secs(5),
            request: Duration::from_secs(86_400),
        }
    }
}

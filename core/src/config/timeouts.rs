//! How long a worker may take for what.

use core::time::Duration;

use super::complaint::Complaint;
use super::section::Section;
use crate::wire::Value;

/// The time limits of a profile, both generations' keys already mapped to one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Key `startup-timeout` (10 s): spawn, connect, handshake and first heartbeat together. More
    /// than 0. Without it, `spawn-timeout` plus `handshake-timeout` if there is either.
    pub startup: Duration,
    /// Key `heartbeat-timeout` (30 s): between two heartbeats of a worker. More than 0.
    pub heartbeat: Duration,
    /// Key `idle-timeout` (600 s): a worker without sessions; `None`, from 0, for ever.
    pub idle: Option<Duration>,
    /// Key `seal-timeout` (60 s): a worker that goes because the pool shrinks, to finish its sessions.
    pub seal: Duration,
    /// Key `stop-timeout` (5 s): the same when the app stops.
    pub stop: Duration,
    /// Key `terminate-timeout`, or `termination-timeout` (10 s): to react to `terminate`.
    pub terminate: Duration,
    /// Key `kill-timeout`, or `isolate.args.kill_timeout` (5 s): to react to SIGTERM before SIGKILL.
    pub kill: Duration,
    /// Key `request-timeout` (86400 s): a request that says nothing itself, in the queue and running.
    /// More than 0.
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

impl Timeouts {
    /// Reads the time limits in both generations' keys. `kill` is what the isolate says.
    pub(super) fn read(section: &mut Section<'_>, kill: Option<Duration>) -> Result<Self, Complaint> {
        let default = Self::default();
        let older = section.seconds("termination-timeout")?;
        let terminate = section.seconds("terminate-timeout")?.or(older);
        let kill = section.seconds("kill-timeout")?.or(kill);
        let idle = section.seconds("idle-timeout")?;
        Ok(Self {
            startup: startup(section)?.unwrap_or(default.startup),
            heartbeat: section.some_seconds("heartbeat-timeout")?.unwrap_or(default.heartbeat),
            idle: idle.map_or(default.idle, |idle| Some(idle).filter(|idle| !idle.is_zero())),
            seal: section.seconds("seal-timeout")?.unwrap_or(default.seal),
            stop: section.seconds("stop-timeout")?.unwrap_or(default.stop),
            terminate: terminate.unwrap_or(default.terminate),
            kill: kill.unwrap_or(default.kill),
            request: section.some_seconds("request-timeout")?.unwrap_or(default.request),
        })
    }

    /// Whether a step of stopping a worker may take no time at all: the next one follows at once.
    pub(crate) const fn has_instant(&self) -> bool {
        self.seal.is_zero() || self.stop.is_zero() || self.terminate.is_zero() || self.kill.is_zero()
    }

    pub(super) fn to_entries(&self) -> [(Value, Value); 8] {
        [
            ("startup-timeout".into(), seconds(self.startup)),
            ("heartbeat-timeout".into(), seconds(self.heartbeat)),
            ("idle-timeout".into(), seconds(self.idle.unwrap_or_default())),
            ("seal-timeout".into(), seconds(self.seal)),
            ("stop-timeout".into(), seconds(self.stop)),
            ("terminate-timeout".into(), seconds(self.terminate)),
            ("kill-timeout".into(), seconds(self.kill)),
            ("request-timeout".into(), seconds(self.request)),
        ]
    }
}

/// The whole start. The newer generation limits its two halves, a missing one at its own default.
fn startup(section: &mut Section<'_>) -> Result<Option<Duration>, Complaint> {
    let whole = section.some_seconds("startup-timeout")?;
    let spawn = section.seconds("spawn-timeout")?;
    let handshake = section.seconds("handshake-timeout")?;
    if whole.is_some() || (spawn.is_none() && handshake.is_none()) {
        return Ok(whole);
    }
    let both = spawn.unwrap_or(Duration::from_secs(1)) + handshake.unwrap_or(Duration::from_secs(5));
    if both.is_zero() {
        return Err(section.about("handshake-timeout", "and spawn-timeout are both 0: no worker could start"));
    }
    Ok(Some(both))
}

fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { time.as_secs().into() } else { time.as_secs_f64().into() }
}

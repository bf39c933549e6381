//! What a daemon can be told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use cocaine_core::machine::Severity;

use super::limits::Limits;
use super::setting::Setting;

/// The port where everybody looks for a locator.
pub const LOCATOR_PORT: u16 = 10_053;

/// Names that apps cannot have, since the node's own services have them.
pub const SERVICES: [&str; 4] = ["locator", "node", "storage", "logging"];

/// The configuration of a daemon, complete and checked. Each setting knows who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Where the locator listens. Port 0 takes any free one.
    pub listen: Setting<SocketAddr>,
    /// Where services and apps listen.
    pub bind: Setting<IpAddr>,
    /// The addresses that clients are told, if not those that are listened on.
    pub advertise: Setting<Vec<IpAddr>>,
    /// Where everything that must survive is kept; one daemon at a time.
    pub data: Setting<PathBuf>,
    /// Where sockets of workers are; short, and private.
    pub runtime: Setting<PathBuf>,
    /// The directory of the `files` storage.
    pub storage: Setting<PathBuf>,
    /// Where archives of apps are unpacked, unless a profile says otherwise.
    pub spool: Setting<PathBuf>,
    /// The list of apps to start; `None` for no such list.
    pub runlist: Setting<Option<String>>,
    /// The name of this node in a cluster; `None` to make one at each start.
    pub uuid: Setting<Option<String>>,
    /// Fixed ports of services and apps by name; 0 takes any free one.
    pub pinned: BTreeMap<String, Setting<u16>>,
    /// The ports for everything that is not pinned; `None` leaves them to the system.
    pub shared: Setting<Option<PortRange>>,
    /// Apps that run in place, by name.
    pub apps: BTreeMap<String, Setting<PathBuf>>,
    /// Threads that carry connections.
    pub threads: Setting<u64>,
    /// Open files at a time; `None` for as many as the system allows us.
    pub file_limit: Setting<Option<u64>>,
    /// The log.
    pub log: LogConfig,
    /// Limits.
    pub limits: Limits,
}

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Its file; `None` for standard error.
    pub file: Setting<Option<PathBuf>>,
    /// How lines look.
    pub format: Setting<LogFormat>,
    /// The least important lines that are written.
    pub level: Setting<Severity>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "human" => Some(Self::Human),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port, never 0.
    pub first: u16,
    /// The highest port, not below the lowest.
    pub last: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl DaemonConfig {
    /// What a daemon does that was told nothing but its two directories.
    pub(crate) fn new(data: Setting<PathBuf>, runtime: Setting<PathBuf>) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        Self {
            listen: Setting::default(SocketAddr::new(loopback, LOCATOR_PORT)),
            bind: Setting::default(loopback),
            advertise: Setting::default(Vec::new()),
            storage: Setting::default(data.value.join("storage")),
            spool: Setting::default(data.value.join("spool")),
            data,
            runtime,
            runlist: Setting::default(Some("default".into())),
            uuid: Setting::default(None),
            pinned: BTreeMap::new(),
            shared: Setting::default(None),
            apps: BTreeMap::new(),
            threads: Setting::default(threads),
            file_limit: Setting::default(None),
            log: LogConfig {
                file: Setting::default(None),
                format: Setting::default(LogFormat::Human),
                level: Setting::default(Severity::Info),
            },
            limits: Limits::default(),
        }
    }

    /// The port that a service or app should listen on; 0 for any of the shared ones.
    #[must_use]
    pub fn port_of(&self, name: &str) -> u16 {
        self.pinned.get(name).map_or(0, |port| port.value)
    }
}

/// The name of a severity in files and logs.
pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The severity of this name.
pub(crate) fn severity_named(name: &str) -> Option<Severity> {
    [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error]
        .into_iter()
        .find(|severity| severity_name(*severity) == name)
}

//! What a node must know before it starts.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use thiserror::Error;

use super::services::ServiceKind;
use crate::config::{AppName, NameError};
use crate::engine::EngineLimits;
use crate::machine::Severity;

/// What a node must know before it starts.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's uuid; `None` for a random one, made from the seed.
    pub uuid: Option<String>,
    /// The services, each with a name and an address of its own. Without one of a kind, it is not offered.
    pub services: Vec<ServiceConfig>,
    /// What clients connect to when a listener is bound to a wildcard address, best first.
    pub advertised: Vec<IpAddr>,
    /// The address that the services of apps listen on.
    pub app_address: IpAddr,
    /// The ports of services and apps that have none of their own.
    pub ports: PortConfig,
    /// The runlist to start, by name; `None` for none.
    pub runlist: Option<String>,
    /// Where the workers' sockets are.
    pub runtime_dir: String,
    /// The locator's addresses for the workers' command line, best first. Empty for this node's own.
    pub locators: Vec<String>,
    /// The user that the daemon, and workers whose profile names no other, run as.
    pub uid: u32,
    /// Bounds: of each engine; framing and soft bound also of the connections to services.
    pub limits: EngineLimits,
    /// Connections to services at a time; one more is closed at once. Default 4096.
    pub connections: usize,
    /// Seeds uuids, jitter and the choice of ports.
    pub seed: [u8; 32],
    /// What the logging service lets through until somebody sets it.
    pub verbosity: Severity,
    local_apps: BTreeMap<AppName, String>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// What it does.
    pub kind: ServiceKind,
    /// What clients resolve.
    pub name: String,
    /// Where it listens. Port 0 is any free one, of the range if there is a range.
    pub at: SocketAddr,
}

/// Ports for services and apps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortConfig {
    /// The port of each service or app that has a fixed one.
    pub pinned: BTreeMap<String, u16>,
    /// The ports to choose from for all others: the first, and the one behind the last. `None` leaves the
    /// choice to the operating system.
    pub range: Option<(u16, u16)>,
}

/// Why an app cannot run under a name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AppNameRefused {
    /// It is no name.
    #[error("{name:?} cannot be an app's name: {error}")]
    Invalid {
        /// What was given.
        name: String,
        /// The rule that it breaks.
        error: NameError,
    },
    /// It is the name of a service of this node.
    #[error("{name:?} cannot be an app's name: the node has a service of this name")]
    Service {
        /// What was given.
        name: String,
    },
    /// Two directories under one name.
    #[error("the app {name:?} is given twice, as {first} and as {second}")]
    Twice {
        /// What was given.
        name: String,
        /// Its directory.
        first: String,
        /// Its other directory.
        second: String,
    },
    /// The path of the workers' socket would be longer than the operating system allows.
    #[error(
        "{name:?} is too long for an app's name: its socket {path} would have more than {limit} bytes; choose a shorter name or another runtime directory"
    )]
    SocketPath {
        /// What was given.
        name: String,
        /// The path.
        path: String,
        /// The most bytes.
        limit: usize,
    },
}

/// The runlist of those who name none. It need not exist.
pub(super) const DEFAULT_RUNLIST: &str = "default";

/// The longest path of a Unix socket, in bytes.
pub const SOCKET_PATH_LIMIT: usize = 107;

impl NodeConfig {
    /// A node with its locator at `locator`, and the node, storage and logging services on any free port of the
    /// same address; with the runlist `default`.
    #[must_use]
    pub fn new(locator: SocketAddr, runtime_dir: impl Into<String>, seed: [u8; 32]) -> Self {
        let any_port = SocketAddr::new(locator.ip(), 0);
        let service = |kind: ServiceKind| {
            let at = if kind == ServiceKind::Locator { locator } else { any_port };
            ServiceConfig { kind, name: kind.default_name().to_owned(), at }
        };
        Self {
            uuid: None,
            services: ServiceKind::ALL.map(service).to_vec(),
            advertised: Vec::new(),
            app_address: locator.ip(),
            ports: PortConfig::default(),
            runlist: Some(DEFAULT_RUNLIST.to_owned()),
            runtime_dir: runtime_dir.into(),
            locators: Vec::new(),
            uid: 0,
            limits: EngineLimits::default(),
            connections: 4096,
            seed,
            verbosity: Severity::Debug,
            local_apps: BTreeMap::new(),
        }
    }

    /// Adds an app that runs in place, in a directory of the machine. It is started with the node and hides an
    /// app of the same name in the storage.
    ///
    /// # Errors
    ///
    /// The name cannot be an app's: the sentence says why.
    pub fn add_local_app(
        &mut self,
        name: &str,
        directory: impl Into<String>,
    ) -> Result<AppName, AppNameRefused> {
        let directory = directory.into();
        let app =
            AppName::new(name).map_err(|error| AppNameRefused::Invalid { name: name.to_owned(), error })?;
        self.check_app_name(&app, MOST_STARTS)?;
        if let Some(first) = self.local_apps.get(&app) {
            let (name, first) = (name.to_owned(), first.clone());
            return Err(AppNameRefused::Twice { name, first, second: directory });
        }
        self.local_apps.insert(app.clone(), directory);
        Ok(app)
    }

    /// The apps that run in place, with their directories.
    #[must_use]
    pub const fn local_apps(&self) -> &BTreeMap<AppName, String> {
        &self.local_apps
    }

    /// Says whether an app can run under this name, for its start number `start` on this node.
    pub(super) fn check_app_name(&self, app: &AppName, start: u64) -> Result<(), AppNameRefused> {
        let name = app.to_string();
        if self.services.iter().any(|service| service.name == name) {
            return Err(AppNameRefused::Service { name });
        }
        let path = self.socket_path(app, start);
        if path.len() > SOCKET_PATH_LIMIT {
            return Err(AppNameRefused::SocketPath { name, path, limit: SOCKET_PATH_LIMIT });
        }
        Ok(())
    }

    /// The socket of an app's workers: another one at each start, so that a late worker of an earlier start
    /// finds nobody.
    pub(super) fn socket_path(&self, app: &AppName, start: u64) -> String {
        format!("{}/{app}.{start}", self.runtime_dir)
    }
}

/// How many starts the check of a local app's name allows for.
const MOST_STARTS: u64 = 999_999;

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig::new(([127, 0, 0, 1], 10053).into(), "/run/node", [7; 32])
    }

    #[test]
    fn engine_defect_40_a_local_app_named_like_a_service_is_refused() {
        let mut config = config();
        for name in ["locator", "node", "storage", "logging"] {
            let text = config.add_local_app(name, "/app").unwrap_err().to_string();
            assert_eq!(
                text,
                format!("{name:?} cannot be an app's name: the node has a service of this name")
            );
        }
        config.services.retain(|service| service.kind != ServiceKind::Storage);
        assert!(config.add_local_app("storage", "/app").is_ok(), "no such service here");
    }

    #[test]
    fn names_that_cannot_be_are_refused_with_a_sentence() {
        let mut config = config();
        let mut text = |name: &str| config.add_local_app(name, "/app").unwrap_err().to_string();
        assert_eq!(text("a/b"), "\"a/b\" cannot be an app's name: a name must not contain '/'");
        assert_eq!(text(""), "\"\" cannot be an app's name: a name must not be empty");
        assert!(text(&"x".repeat(91)).contains("more than 107 bytes"));
        assert!(config.add_local_app(&"x".repeat(90), "/app").is_ok());
        config.add_local_app("echo", "/one").unwrap();
        let text = config.add_local_app("echo", "/two").unwrap_err().to_string();
        assert_eq!(text, "the app \"echo\" is given twice, as /one and as /two");
    }
}

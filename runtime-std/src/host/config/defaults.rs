//! Where things go if nobody says.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::model::DaemonConfig;
use super::setting::{Origin, Setting};

/// The longest path of a Unix socket, in bytes.
pub const MAX_SOCKET_PATH: usize = 107;

/// What follows an app's name in its socket's path: a point and a number.
const SOCKET_SUFFIX: usize = ".4294967295".len();

/// Names of apps at least this long must be possible.
const MIN_APP_NAME: usize = 16;

/// What the configuration needs to know of the process.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// `$HOME`.
    pub home: Option<OsString>,
    /// `$XDG_DATA_HOME`.
    pub xdg_data: Option<OsString>,
    /// `$XDG_RUNTIME_DIR`.
    pub xdg_runtime: Option<OsString>,
    /// The user we run as.
    pub uid: u32,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            home: variable("HOME"),
            xdg_data: variable("XDG_DATA_HOME"),
            xdg_runtime: variable("XDG_RUNTIME_DIR"),
            uid: rustix::process::geteuid().as_raw(),
        }
    }
}

/// The data directory: of the system for root, else the user's.
pub(crate) fn data(around: &Surroundings) -> Result<Setting<PathBuf>, ConfigError> {
    if around.uid == 0 {
        return Ok(Setting::default("/var/lib/cocaine".into()));
    }
    let below = |base: &OsString, rest: &str, name| {
        Setting::new(Path::new(base).join(rest), Origin::Environment(name))
    };
    let xdg = around.xdg_data.as_ref().map(|base| below(base, "cocaine", "XDG_DATA_HOME"));
    xdg.or_else(|| around.home.as_ref().map(|base| below(base, ".local/share/cocaine", "HOME")))
        .ok_or(ConfigError::NoDataDirectory)
}

/// The runtime directory of a data directory. The shared places belong to the daemon on the default
/// data directory; others keep theirs inside their own, where paths are short enough for it.
pub(crate) fn runtime(data: &Setting<PathBuf>, around: &Surroundings) -> Setting<PathBuf> {
    let inside = data.value.join("run");
    let ours = matches!(data.origin, Origin::Flag(_) | Origin::File(_));
    let fits = max_app_name(&inside) >= 2 * MIN_APP_NAME;
    let Some((shared, origin)) = shared_place(around) else { return Setting::default(inside) };
    match (ours, fits) {
        (true, true) => Setting::default(inside),
        (true, false) => {
            Setting::new(shared.join(format!("cocaine-{:016x}", fingerprint(&data.value))), origin)
        }
        (false, _) => Setting::new(shared.join("cocaine"), origin),
    }
}

/// A short directory that only we, or only root, can write to.
fn shared_place(around: &Surroundings) -> Option<(PathBuf, Origin)> {
    let xdg = around.xdg_runtime.as_ref().map(PathBuf::from).filter(|path| path.is_dir());
    match xdg {
        Some(path) => Some((path, Origin::Environment("XDG_RUNTIME_DIR"))),
        None if around.uid == 0 && Path::new("/run").is_dir() => Some(("/run".into(), Origin::Default)),
        None => None,
    }
}

/// Tells data directories apart (FNV-1a).
fn fingerprint(path: &Path) -> u64 {
    path.as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// How long the name of an app may be, in bytes, so that its socket fits into this runtime directory.
#[must_use]
pub fn max_app_name(runtime: &Path) -> usize {
    MAX_SOCKET_PATH.saturating_sub(runtime.as_os_str().len() + 1 + SOCKET_SUFFIX)
}

/// Checks that sockets fit: those of the configured apps, and of others with names of usual length.
pub(crate) fn check_sockets(config: &DaemonConfig) -> Result<(), ConfigError> {
    let room = max_app_name(&config.runtime.value);
    let too_long = |app: Option<&str>| ConfigError::SocketPath {
        directory: config.runtime.value.clone(),
        origin: config.runtime.origin.clone(),
        app: app.map_or_else(String::new, |app| format!(" for app {app:?}")),
    };
    if let Some(name) = config.apps.keys().find(|name| name.len() > room) {
        return Err(too_long(Some(name)));
    }
    if room < MIN_APP_NAME { Err(too_long(None)) } else { Ok(()) }
}

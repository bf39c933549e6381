//! Configuration of a daemon: defaults, a file, flags; each over the one before.
//!
//! The file is either TOML of our own or JSON of the original runtime (versions 2 and 4); a file
//! whose first sign is `{` (after comments) is JSON. Paths in it are relative to the file.

mod claim;
mod defaults;
mod document;
mod json;
mod limits;
mod model;
mod node;
mod original;
mod ours;
mod parse;
mod report;
mod setting;
mod source;
#[cfg(test)]
mod tests;
mod toml;

use std::path::{Path, PathBuf};

use cocaine_core::machine::Severity;
use thiserror::Error;

pub use claim::{Claim, ClaimError, RuntimeAccess, prepare};
pub use defaults::{MAX_SOCKET_PATH, Surroundings, max_app_name};
pub use document::read_document;
pub use limits::Limits;
pub use model::{DaemonConfig, LOCATOR_PORT, LogConfig, LogFormat, PortRange, SERVICES};
pub use node::Position;
pub use parse::{app_argument, app_name, listen_address};
pub use report::{Row, report, report_json};
pub use setting::{Origin, Place, Setting};
pub use source::Warning;

use json::Dialect;
use source::Source;

/// Why there is no configuration. One line each; the operator has to change something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A file cannot be read at all.
    #[error("{}: cannot read it: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The POSIX error number.
        errno: i32,
        /// What the system says.
        reason: String,
    },
    /// Something in a file is wrong.
    #[error("{place}: {problem}")]
    Invalid {
        /// Where.
        place: Place,
        /// What, and what to do.
        problem: String,
        /// The line of the file.
        line: String,
    },
    /// The value of a flag is wrong.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag, with its dashes.
        flag: &'static str,
        /// What, and what to do.
        problem: String,
    },
    /// There is no place for the data.
    #[error("no data directory: neither $XDG_DATA_HOME nor $HOME is set; give --data DIR")]
    NoDataDirectory,
    /// The sockets of workers cannot have a path below the runtime directory.
    #[error(
        "runtime directory {} (from {origin}) is too long{app}: socket paths have at most {MAX_SOCKET_PATH} \
         bytes; give a shorter --runtime-dir DIR", directory.display()
    )]
    SocketPath {
        /// The directory.
        directory: PathBuf,
        /// Who chose it.
        origin: Origin,
        /// Of which app, if it is only too long for one.
        app: String,
    },
}

impl ConfigError {
    /// The line of the file with a sign under the place, to show below the message.
    #[must_use]
    pub fn snippet(&self) -> Option<String> {
        match self {
            Self::Invalid { place, line, .. } => {
                let indent = line.chars().take(place.at.column.saturating_sub(1) as usize);
                let spaces: String = indent.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
                Some(format!("{line}\n{spaces}^"))
            }
            _ => None,
        }
    }
}

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config FILE`
    pub config: Option<PathBuf>,
    /// `--listen HOST:PORT`, see [`listen_address`].
    pub listen: Option<std::net::SocketAddr>,
    /// `--data DIR`
    pub data: Option<PathBuf>,
    /// `--runtime-dir DIR`
    pub runtime: Option<PathBuf>,
    /// `--app NAME=DIR`, any number of times, see [`app_argument`].
    pub apps: Vec<(String, PathBuf)>,
    /// `--log-file FILE`
    pub log_file: Option<PathBuf>,
    /// `--log-format human|json`
    pub log_format: Option<LogFormat>,
    /// `-v`
    pub log_level: Option<Severity>,
}

/// A configuration, and what its author should know.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: DaemonConfig,
    /// What was accepted with a doubt.
    pub warnings: Vec<Warning>,
}

/// Reads and checks everything. The only file touched is that of `flags.config`.
pub fn load(flags: &Flags, around: &Surroundings) -> Result<Loaded, ConfigError> {
    let placeholder = || Setting::default(PathBuf::new());
    let mut config = DaemonConfig::new(placeholder(), placeholder());
    let warnings = match &flags.config {
        Some(path) => read_file(path, &mut config)?,
        None => Vec::new(),
    };
    apply_flags(flags, &mut config)?;
    fill_in(&mut config, around)?;
    defaults::check_sockets(&config)?;
    Ok(Loaded { config, warnings })
}

fn read_file(path: &Path, config: &mut DaemonConfig) -> Result<Vec<Warning>, ConfigError> {
    let source = Source::read(path)?;
    let result = if is_json(&source.text) {
        let root = json::parse(&source.text, Dialect::Relaxed).map_err(|error| source.syntax(error))?;
        let extension = json::parse(&source.text, Dialect::Strict).err().map(|error| error.at);
        original::apply(&source, &root, extension, config)
    } else {
        let root = toml::parse(&source.text).map_err(|error| source.syntax(error))?;
        ours::apply(&source, &root, config)
    };
    result.map(|()| source.warnings.into_inner())
}

/// TOML cannot begin with a brace, nor with comments of C.
fn is_json(text: &str) -> bool {
    let first = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with(['{', '/']))
}

fn apply_flags(flags: &Flags, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    config.listen.flag("--listen", flags.listen);
    config.data.flag("--data", flags.data.clone());
    config.runtime.flag("--runtime-dir", flags.runtime.clone());
    config.log.file.flag("--log-file", flags.log_file.clone().map(Some));
    config.log.format.flag("--log-format", flags.log_format);
    config.log.level.flag("-v", flags.log_level);
    for (name, directory) in &flags.apps {
        app_name(name).map_err(|problem| ConfigError::Flag { flag: "--app", problem })?;
        let origin = Origin::Flag("--app");
        let before = config.apps.insert(name.clone(), Setting::new(directory.clone(), origin.clone()));
        if before.is_some_and(|before| before.origin == origin) {
            let problem = format!("app {name:?} is given twice");
            return Err(ConfigError::Flag { flag: "--app", problem });
        }
    }
    Ok(())
}

/// Settings that follow from others.
fn fill_in(config: &mut DaemonConfig, around: &Surroundings) -> Result<(), ConfigError> {
    if config.data.origin == Origin::Default {
        config.data = defaults::data(around)?;
    }
    make_absolute(&mut config.data);
    if config.runtime.origin == Origin::Default {
        config.runtime = defaults::runtime(&config.data, around);
    }
    for (setting, name) in [(&mut config.storage, "storage"), (&mut config.spool, "spool")] {
        if setting.origin == Origin::Default {
            setting.value = config.data.value.join(name);
        }
        make_absolute(setting);
    }
    make_absolute(&mut config.runtime);
    config.apps.values_mut().for_each(make_absolute);
    ours::bind_follows_listen(config);
    Ok(())
}

/// Workers run elsewhere: a relative path would mean something else there.
fn make_absolute(setting: &mut Setting<PathBuf>) {
    if let Ok(path) = std::path::absolute(&setting.value) {
        setting.value = path;
    }
}

//! Preparing an app's code: in place, or unpacked into the spool.

mod archive;
mod entry;
mod generations;
mod spool;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cocaine_core::config::AppName;
use cocaine_core::machine::{Document, LaunchError, LaunchRequest, Launched};
use rustix::io::Errno;

use super::config::{ConfigError, read_document};
use super::os;

pub use archive::ArchiveLimits;

/// Carries out [`LaunchRequest`]s. Calls block, for as long as unpacking takes; different apps may be
/// prepared at once.
#[derive(Clone, Debug)]
pub struct Launcher {
    spool: PathBuf,
    limits: ArchiveLimits,
}

impl Launcher {
    /// A launcher that unpacks below `spool` unless a profile names another directory.
    #[must_use]
    pub fn new(spool: impl Into<PathBuf>, limits: ArchiveLimits) -> Self {
        Self { spool: spool.into(), limits }
    }

    /// Removes old code of all apps in the daemon's own spool. To be called once, at start, when no
    /// worker runs any more.
    pub fn clean(&self) {
        generations::clean_all(&self.spool);
    }

    /// Prepares an app's code. When it fails, what was prepared before is untouched.
    pub fn launch(&self, request: &LaunchRequest) -> Result<Launched, LaunchError> {
        match request {
            LaunchRequest::InPlace { app, directory } => in_place(app, Path::new(directory)),
            LaunchRequest::Unpack { app, archive, spool } => {
                let spool = spool_directory(app, spool.as_deref(), &self.spool)?;
                let directory = spool::unpack(&spool, app, archive, &self.limits)?;
                Ok(Launched { directory: utf8(app, directory)?, manifest: None, profile: None })
            }
        }
    }
}

fn in_place(app: &str, directory: &Path) -> Result<Launched, LaunchError> {
    let absolute = fs::canonicalize(directory)
        .map_err(|error| failed(app, &format!("cannot use directory {}", directory.display()), &error))?;
    let manifest = document(app, &absolute.join("manifest.json"))?.ok_or_else(|| {
        let text = format!(
            "{} is missing; an app that runs in place needs it",
            absolute.join("manifest.json").display()
        );
        refused(app, Errno::NOENT, &text)
    })?;
    let profile = document(app, &absolute.join("profile.json"))?;
    Ok(Launched {
        directory: utf8(app, absolute)?,
        manifest: Some(Box::new(manifest)),
        profile: profile.map(Box::new),
    })
}

/// A document, if there is such a file.
fn document(app: &str, path: &Path) -> Result<Option<Document>, LaunchError> {
    match read_document(path) {
        Ok(document) => Ok(Some(document)),
        Err(ConfigError::Unreadable { errno, .. }) if errno == Errno::NOENT.raw_os_error() => Ok(None),
        Err(ConfigError::Unreadable { errno, path, reason }) => {
            Err(LaunchError { errno, text: format!("app {app:?}: cannot read {}: {reason}", path.display()) })
        }
        Err(error) => Err(refused(app, Errno::INVAL, &error.to_string())),
    }
}

/// The spool for an app: that of its profile, or the daemon's own.
fn spool_directory(app: &str, wanted: Option<&str>, own: &Path) -> Result<PathBuf, LaunchError> {
    AppName::new(app).map_err(|error| refused(app, Errno::INVAL, &error.to_string()))?;
    match wanted {
        Some(path) if Path::new(path).is_absolute() => Ok(path.into()),
        Some(path) => {
            let text = format!("isolate.args.spool of the profile must be an absolute path, not {path:?}");
            Err(refused(app, Errno::INVAL, &text))
        }
        None => Ok(own.to_owned()),
    }
}

fn utf8(app: &str, path: PathBuf) -> Result<String, LaunchError> {
    path.into_os_string().into_string().map_err(|path| {
        refused(app, Errno::ILSEQ, &format!("the directory's name {} is not UTF-8", path.display()))
    })
}

/// An error of our own finding.
fn refused(app: &str, errno: Errno, text: &str) -> LaunchError {
    LaunchError { errno: errno.raw_os_error(), text: format!("app {app:?}: {text}") }
}

/// An error of the operating system.
fn failed(app: &str, doing: &str, error: &io::Error) -> LaunchError {
    LaunchError { errno: os::errno(error), text: format!("app {app:?}: {doing}: {}", os::reason(error)) }
}

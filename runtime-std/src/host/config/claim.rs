//! Making the directories of a daemon its own.

use std::fs::{self, DirBuilder};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::model::DaemonConfig;
use crate::host::lock::FileLock;
use crate::host::os;

/// The directories of this daemon, for as long as this lives. They are free again when the process
/// ends, however it does.
#[derive(Debug)]
pub struct Claim {
    _data: FileLock,
    _runtime: FileLock,
}

/// Why the directories cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClaimError {
    /// Another daemon uses one of them.
    #[error("{} is in use by another daemon ({}); stop it or give another {flag} DIR", directory.display(),
            pid.map_or_else(|| "its pid is unknown".into(), |pid| format!("pid {pid}")))]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The other daemon's process, as it wrote down.
        pid: Option<u32>,
        /// The flag that chooses another.
        flag: &'static str,
    },
    /// A directory cannot be made, written to, or made private.
    #[error("{}: {reason}; give another {flag} DIR", directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What is wrong.
        reason: String,
        /// The POSIX error number.
        errno: i32,
        /// The flag that chooses another.
        flag: &'static str,
    },
}

/// Makes the data and runtime directories, as private as `access` allows, and locks both.
pub fn prepare(config: &DaemonConfig, access: RuntimeAccess) -> Result<Claim, ClaimError> {
    let data = claim(&config.data.value, "--data", access.mode())?;
    let runtime = claim(&config.runtime.value, "--runtime-dir", access.mode())?;
    Ok(Claim { _data: data, _runtime: runtime })
}

/// Who must reach sockets in the runtime directory, and code in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuntimeAccess {
    /// Only our own user.
    Private,
    /// Workers of other users too: they may pass through, but not look around.
    OtherUsers,
}

impl RuntimeAccess {
    const fn mode(self) -> u32 {
        match self {
            Self::Private => 0o700,
            Self::OtherUsers => 0o711,
        }
    }
}

fn claim(directory: &Path, flag: &'static str, mode: u32) -> Result<FileLock, ClaimError> {
    let unusable = |error: io::Error| ClaimError::Unusable {
        directory: directory.to_owned(),
        reason: os::reason(&error),
        errno: os::errno(&error),
        flag,
    };
    make(directory, mode).map_err(unusable)?;
    let path = directory.join(LOCK);
    let Some(mut lock) = FileLock::try_now(&path).map_err(unusable)? else {
        let pid = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        return Err(ClaimError::InUse { directory: directory.to_owned(), pid, flag });
    };
    note_pid(&mut lock).map_err(unusable)?;
    Ok(lock)
}

/// Makes the directory, or sees to it that nobody else can put things into the one that is there.
fn make(directory: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(directory)?;
    let meta = fs::metadata(directory)?;
    let denied = |rule: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, rule));
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return denied("it belongs to another user");
    }
    let now = meta.permissions().mode() & 0o777;
    if now & 0o022 != 0 {
        return denied("other users can write to it");
    }
    // One that was somebody's before, like a home directory, keeps its mode.
    if now != mode && directory.join(LOCK).is_file() {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// In each claimed directory.
const LOCK: &str = "lock";

fn note_pid(lock: &mut FileLock) -> io::Result<()> {
    let file = lock.file();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::super::setting::Setting;
    use super::*;

    fn config(root: &Path) -> DaemonConfig {
        DaemonConfig::new(Setting::default(root.join("data")), Setting::default(root.join("run")))
    }

    #[test]
    fn a_second_daemon_is_told_who_was_first() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let first = prepare(&config, RuntimeAccess::Private).unwrap();
        let error = prepare(&config, RuntimeAccess::Private).unwrap_err();
        let pid = std::process::id();
        let directory = config.data.value.clone();
        assert_eq!(error, ClaimError::InUse { directory, pid: Some(pid), flag: "--data" });
        assert!(error.to_string().contains(&format!("(pid {pid})")), "{error}");
        drop(first);
        prepare(&config, RuntimeAccess::Private).unwrap();
    }

    #[test]
    fn two_daemons_cannot_share_a_runtime_directory() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let _first = prepare(&config, RuntimeAccess::Private).unwrap();
        let other = DaemonConfig { data: Setting::default(dir.path().join("other")), ..config };
        let error = prepare(&other, RuntimeAccess::Private).unwrap_err();
        assert!(matches!(error, ClaimError::InUse { flag: "--runtime-dir", .. }), "{error}");
    }

    #[test]
    fn the_directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        drop(prepare(&config, RuntimeAccess::OtherUsers).unwrap());
        assert_eq!((mode(&config.data.value), mode(&config.runtime.value)), (0o711, 0o711));
        drop(prepare(&config, RuntimeAccess::Private).unwrap());
        assert_eq!((mode(&config.data.value), mode(&config.runtime.value)), (0o700, 0o700));
    }

    #[test]
    fn a_foreign_directory_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let data = &config.data.value;
        fs::create_dir(data).unwrap();
        fs::set_permissions(data, fs::Permissions::from_mode(0o1777)).unwrap();
        let error = prepare(&config, RuntimeAccess::Private).unwrap_err();
        assert!(error.to_string().contains("other users can write to it"), "{error}");
        fs::set_permissions(data, fs::Permissions::from_mode(0o755)).unwrap();
        drop(prepare(&config, RuntimeAccess::Private).unwrap());
        assert_eq!(fs::metadata(data).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_file_in_the_way_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("data"), "").unwrap();
        let error = prepare(&config(dir.path()), RuntimeAccess::Private).unwrap_err();
        assert!(matches!(error, ClaimError::Unusable { flag: "--data", .. }), "{error}");
    }
}

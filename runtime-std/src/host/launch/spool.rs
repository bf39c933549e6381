//! The spool: every unpacking gets a directory of its own, and becomes the current one in one step.
//!
//! ```text
//! <spool>/<app>/.lock         held while something is changed here
//! <spool>/<app>/.new-7        being unpacked, or left by a daemon that died
//! <spool>/<app>/generation-7  whole, and never changed again
//! <spool>/<app>/current       a link to the newest generation
//! ```
//!
//! Workers run in the generation, not in `current`, so that they keep the code they started with.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use cocaine_core::machine::LaunchError;

use super::archive::{self, ArchiveLimits};
use super::{failed, generations};
use crate::host::lock::FileLock;
use crate::host::os::sync_directory;

/// Unpacks an archive for an app and makes it the current generation, whose directory is returned.
pub(super) fn unpack(
    spool: &Path,
    app: &str,
    archive: &[u8],
    limits: &ArchiveLimits,
) -> Result<PathBuf, LaunchError> {
    let cannot = |error: io::Error| failed(app, &format!("cannot use the spool {}", spool.display()), &error);
    let home = spool.join(app);
    DirBuilder::new().recursive(true).mode(0o755).create(&home).map_err(cannot)?;
    let home = fs::canonicalize(home).map_err(cannot)?;
    let _lock = FileLock::wait(&home.join(LOCK)).map_err(cannot)?;
    generations::remove_unfinished(&home);
    let number = generations::next(&home).map_err(cannot)?;

    let fresh = Fresh::new(home.join(format!("{UNFINISHED}{number}"))).map_err(cannot)?;
    archive::unpack(archive, &fresh.0, limits).map_err(|failure| LaunchError {
        errno: failure.errno,
        text: format!("app {app:?}: {}", failure.text),
    })?;
    let generation = home.join(format!("{GENERATION}{number}"));
    fresh.put(&generation).and_then(|()| switch(&home, &generation)).map_err(cannot)?;
    generations::remove_unused(&home);
    Ok(generation)
}

/// Held while an app's directory is changed.
pub(super) const LOCK: &str = ".lock";
/// What the name of a generation begins with until it is whole.
pub(super) const UNFINISHED: &str = ".new-";
/// What the name of a generation begins with.
pub(super) const GENERATION: &str = "generation-";
/// The link to the newest generation.
pub(super) const CURRENT: &str = "current";

/// A directory that goes away unless it is put in its place.
struct Fresh(PathBuf);

impl Fresh {
    fn new(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o755).create(&path)?;
        Ok(Self(path))
    }

    /// Makes everything durable before it can be seen.
    fn put(self, place: &Path) -> io::Result<()> {
        rustix::fs::syncfs(fs::File::open(&self.0)?)?;
        fs::rename(&self.0, place)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After `put` there is nothing under this name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Lets `current` name a generation. There is no moment without one.
fn switch(home: &Path, generation: &Path) -> io::Result<()> {
    let link = home.join(format!("{UNFINISHED}current"));
    let name = generation.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    symlink(name, &link)?;
    fs::rename(&link, home.join(CURRENT))?;
    sync_directory(home)
}

//! Which generations of an app's code there are, and which nobody needs any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::spool::{CURRENT, GENERATION, LOCK, UNFINISHED};
use crate::host::lock::FileLock;

/// The number for a new generation: above all that are there.
pub(super) fn next(home: &Path) -> io::Result<u64> {
    Ok(numbers(home)?.last().map_or(1, |(number, _)| number + 1))
}

/// Removes what unpacking left behind when its daemon died. The lock is held.
pub(super) fn remove_unfinished(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            remove(&entry.path());
        }
    }
}

/// Removes generations before the last two in which no process works any more. The lock is held.
///
/// The one before the current one stays in any case: its workers may still be told to finish.
pub(super) fn remove_unused(home: &Path) {
    let Ok(mut generations) = numbers(home) else { return };
    generations.truncate(generations.len().saturating_sub(2));
    generations.retain(|(_, path)| !is_current(home, path));
    if generations.is_empty() {
        return;
    }
    let Some(used) = working_directories() else { return };
    for (_, path) in generations {
        if !used.iter().any(|directory| directory.starts_with(&path)) {
            remove(&path);
        }
    }
}

/// Removes everything but the current generation of every app, where no process works in it.
pub(super) fn clean_all(spool: &Path) {
    let used = working_directories().unwrap_or_default();
    for app in fs::read_dir(spool).into_iter().flatten().flatten() {
        let home = app.path();
        // Only what has our lock file is ours.
        let Some(_lock) =
            home.join(LOCK).is_file().then(|| FileLock::try_now(&home.join(LOCK)).ok()?).flatten()
        else {
            continue;
        };
        remove_unfinished(&home);
        for (_, path) in numbers(&home).unwrap_or_default() {
            if !is_current(&home, &path) && !used.iter().any(|directory| directory.starts_with(&path)) {
                remove(&path);
            }
        }
    }
}

/// The generations, oldest first.
fn numbers(home: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(home)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.strip_prefix(GENERATION)?.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

fn is_current(home: &Path, generation: &Path) -> bool {
    fs::read_link(home.join(CURRENT)).is_ok_and(|target| Some(target.as_os_str()) == generation.file_name())
}

/// The working directories of all processes that we may look at, which our workers are among.
fn working_directories() -> Option<Vec<PathBuf>> {
    let processes = fs::read_dir("/proc").ok()?;
    Some(processes.flatten().filter_map(|process| fs::read_link(process.path().join("cwd")).ok()).collect())
}

fn remove(path: &Path) {
    // What cannot be removed now is tried again at the next unpacking.
    let _ =
        if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

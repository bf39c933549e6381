//! Storage in plain files.
//!
//! ```text
//! <root>/<collection>/<key>          the value, a regular file
//! <root>/<collection>/<tag>/<key>    a symbolic link: the key carries the tag
//! ```
//!
//! A link counts by its name alone: it is alive while the key's file is there, wherever it points.
//! So a store of the original, whose links are absolute, can be read and moved.
//!
//! Values are replaced in one step: a temporary file in the same directory, made durable, then
//! renamed. Whoever changes something holds a lock file, which keeps other processes out too;
//! reading takes no lock. Names that begin with `.cocaine-` are ours.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cocaine_core::machine::StoreError;
use rustix::io::Errno;

use super::Storage;
use super::name::{Collection, Key, OWN_PREFIX};
use crate::host::lock::FileLock;
use crate::host::os::{errno, reason, sync_directory};

/// A directory of values in the original's layout.
#[derive(Debug)]
pub struct FilesStorage {
    root: PathBuf,
    max_value: u64,
    temporaries: AtomicU64,
}

impl FilesStorage {
    /// A store in this directory, which is made if it is not there. Values of more than `max_value`
    /// bytes are neither written nor read (error 27). What writers that died have left is removed.
    ///
    /// Errors: the directory can be neither made nor read. One that cannot be written is accepted.
    pub fn open(root: impl Into<PathBuf>, max_value: u64) -> Result<Self, StoreError> {
        let store = Self { root: root.into(), max_value, temporaries: AtomicU64::new(0) };
        let collections =
            store.make_root().and_then(|()| entries(&store.root)).map_err(|error| StoreError {
                errno: errno(&error),
                text: format!("cannot use storage {}: {}", store.root.display(), reason(&error)),
            })?;
        store.clean(&collections);
        Ok(store)
    }

    fn clean(&self, collections: &[String]) {
        let Ok(_lock) = self.lock() else { return };
        for directory in collections.iter().map(|collection| self.root.join(collection)) {
            for name in entries(&directory).unwrap_or_default() {
                if name.starts_with(TEMPORARY) {
                    let _ = fs::remove_file(directory.join(name));
                }
            }
        }
    }

    /// A new store is for our own user; one that is there stays as open as it is.
    fn make_root(&self) -> io::Result<()> {
        if self.root.is_dir() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
        self.root.parent().map_or(Ok(()), sync_directory)
    }

    fn lock(&self) -> io::Result<FileLock> {
        FileLock::wait(&self.root.join(format!("{OWN_PREFIX}lock")))
    }

    fn lock_for(&self, key: Key<'_>, doing: &str) -> Result<FileLock, StoreError> {
        self.lock().map_err(|error| key.failed(doing, &error))
    }

    /// Writes a value beside its place. The file removes itself unless it is put in place.
    fn temporary(&self, directory: &Path, value: &[u8]) -> io::Result<Temporary> {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let temporary = Temporary(path);
        file.write_all(value)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn check_size(&self, key: Key<'_>, size: u64) -> Result<(), StoreError> {
        if size <= self.max_value {
            return Ok(());
        }
        let rule = format!("{size} bytes are more than the configured limit of {}", self.max_value);
        Err(key.error(Errno::FBIG, &rule))
    }

    /// Removes links whose key is gone, as removals by the original leave them.
    fn remove_dangling(&self, collection: Collection<'_>, links: &[PathBuf]) {
        if links.is_empty() {
            return;
        }
        let Ok(_lock) = self.lock() else { return };
        for link in links {
            // A writer may have made the key since.
            if link.file_name().is_some_and(|name| !collection.directory().join(name).is_file()) {
                let _ = unlink_tag(link);
            }
        }
    }
}

impl Storage for FilesStorage {
    fn read(&self, collection: &str, key: &str) -> Result<Bytes, StoreError> {
        let key = Collection::new(&self.root, collection)?.key(key)?;
        let size = match fs::metadata(key.path()) {
            Ok(meta) if meta.is_file() => meta.len(),
            Ok(meta) if meta.is_dir() => return Err(key.error(Errno::NOENT, "no such key; it is a tag")),
            Ok(_) => return Err(key.error(Errno::INVAL, "this is not a regular file")),
            Err(error) => return Err(key.failed("read", &error)),
        };
        self.check_size(key, size)?;
        let mut value = Vec::new();
        File::open(key.path())
            .and_then(|file| file.take(self.max_value.saturating_add(1)).read_to_end(&mut value))
            .map_err(|error| key.failed("read", &error))?;
        self.check_size(key, value.len() as u64)?;
        Ok(Bytes::from(value))
    }

    fn write(&self, collection: &str, key: &str, value: &[u8], tags: &[String]) -> Result<(), StoreError> {
        let collection = Collection::new(&self.root, collection)?;
        let key = collection.key(key)?;
        self.check_size(key, value.len() as u64)?;
        let tags = tag_directories(collection, key, tags)?;
        let failed = |error: io::Error| key.failed("write", &error);

        self.make_root().map_err(failed)?;
        let _lock = self.lock_for(key, "write")?;
        let directory = collection.directory();
        make_directory(&directory).map_err(failed)?;
        if key.path().is_dir() {
            return Err(key.error(Errno::ISDIR, "this name is a tag of the collection already"));
        }
        // Up to the rename a failure leaves everything as it was.
        let temporary = self.temporary(&directory, value).map_err(failed)?;
        let added = AddedLinks::add(key, &tags)?;
        temporary.put(&key.path()).map_err(failed)?;
        added.keep();
        drop_other_tags(key, &tags).map_err(failed)?;
        tags.iter().chain([&directory]).try_for_each(|path| sync_directory(path)).map_err(failed)
    }

    fn remove(&self, collection: &str, key: &str) -> Result<(), StoreError> {
        let key = Collection::new(&self.root, collection)?.key(key)?;
        let directory = key.collection.directory();
        if !directory.is_dir() {
            return Ok(());
        }
        let _lock = self.lock_for(key, "remove")?;
        if key.path().is_dir() {
            return Ok(());
        }
        let removed = match fs::remove_file(key.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        removed
            .and_then(|()| drop_other_tags(key, &BTreeSet::new()))
            .and_then(|()| sync_directory(&directory))
            .map_err(|error| key.failed("remove", &error))
    }

    fn find(&self, collection: &str, tags: &[String]) -> Result<Vec<String>, StoreError> {
        let collection = Collection::new(&self.root, collection)?;
        let mut found: Option<BTreeSet<String>> = None;
        for tag in tags {
            let tagged = match entries(&collection.tag(tag)?) {
                Ok(names) => names,
                Err(error) if is_absent(&error) => Vec::new(),
                Err(error) => return Err(collection.failed("find by tag", &error)),
            };
            found = Some(match found {
                None => tagged.into_iter().collect(),
                Some(before) => tagged.into_iter().filter(|key| before.contains(key)).collect(),
            });
        }
        let directory = collection.directory();
        let (alive, dead): (Vec<_>, Vec<_>) =
            found.unwrap_or_default().into_iter().partition(|key| directory.join(key).is_file());
        let directory = &directory;
        let links: Vec<_> =
            dead.iter().flat_map(|key| tags.iter().map(move |tag| directory.join(tag).join(key))).collect();
        self.remove_dangling(collection, &links);
        Ok(alive)
    }
}

/// The directories of some tags, each once.
fn tag_directories(
    collection: Collection<'_>,
    key: Key<'_>,
    tags: &[String],
) -> Result<BTreeSet<PathBuf>, StoreError> {
    tags.iter()
        .map(|tag| {
            if tag == key.name {
                return Err(key.error(Errno::NOTDIR, "a key cannot carry its own name as a tag"));
            }
            collection.tag(tag)
        })
        .collect()
}

/// A value that is on disk but not yet in its place.
struct Temporary(PathBuf);

const TEMPORARY: &str = ".cocaine-new-";

impl Temporary {
    fn put(self, place: &Path) -> io::Result<()> {
        fs::rename(&self.0, place)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After `put` there is nothing left under this name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Links of one write, taken back unless the value gets into its place.
#[derive(Default)]
struct AddedLinks(Vec<PathBuf>);

impl AddedLinks {
    fn add(key: Key<'_>, tags: &BTreeSet<PathBuf>) -> Result<Self, StoreError> {
        let mut added = Self::default();
        for directory in tags {
            if directory.is_file() {
                let rule = format!("the tag {:?} is a key of the collection already", file_name(directory));
                return Err(key.error(Errno::NOTDIR, &rule));
            }
            let link = directory.join(key.name);
            let linked =
                make_directory(directory).and_then(|()| symlink(Path::new("..").join(key.name), &link));
            match linked {
                Ok(()) => added.0.push(link),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(key.failed("tag", &error)),
            }
        }
        Ok(added)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for AddedLinks {
    fn drop(&mut self) {
        for link in &self.0 {
            // One that stays is found dangling later.
            let _ = unlink_tag(link);
        }
    }
}

/// Removes the key's links in all tag directories but these.
fn drop_other_tags(key: Key<'_>, keep: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(key.collection.directory())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !keep.contains(&entry.path()) {
            unlink_tag(&entry.path().join(key.name))?;
        }
    }
    Ok(())
}

/// Removes one link, if it is one, and its tag with the last one.
fn unlink_tag(link: &Path) -> io::Result<()> {
    if !link.is_symlink() {
        return Ok(());
    }
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(directory) = link.parent() {
        // It refuses while there are other links.
        let _ = fs::remove_dir(directory);
    }
    Ok(())
}

/// Makes a directory that may be there, and its name durable.
fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match fs::create_dir(path) {
        // Somebody else has just made it; or there is something that is no directory.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                Ok(())
            } else {
                Err(Errno::NOTDIR.into())
            }
        }
        made => made.and_then(|()| path.parent().map_or(Ok(()), sync_directory)),
    }
}

/// The names in a directory, sorted, without those that are no text.
fn entries(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

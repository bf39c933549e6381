//! Which names can be files, and the directory they are files in.

use std::path::{Path, PathBuf};

use cocaine_core::machine::StoreError;
use rustix::io::Errno;

/// What our own files in a store begin with. No collection, key or tag may.
pub(super) const OWN_PREFIX: &str = ".cocaine-";

/// The longest name that file systems take, in bytes.
const MAX_NAME: usize = 255;

/// One collection whose name was found harmless.
#[derive(Clone, Copy, Debug)]
pub(super) struct Collection<'a> {
    root: &'a Path,
    name: &'a str,
}

impl<'a> Collection<'a> {
    /// Errors: 22 if the name cannot be a directory directly below the root.
    pub(super) fn new(root: &'a Path, name: &'a str) -> Result<Self, StoreError> {
        check(name).map_err(|rule| StoreError {
            errno: Errno::INVAL.raw_os_error(),
            text: format!("{name:?} cannot be a collection: {rule}"),
        })?;
        Ok(Self { root, name })
    }

    /// Where its values are files.
    pub(super) fn directory(self) -> PathBuf {
        self.root.join(self.name)
    }

    /// One key of it. Errors: 22 if the name cannot be a file directly in the collection.
    pub(super) fn key(self, name: &'a str) -> Result<Key<'a>, StoreError> {
        let key = Key { collection: self, name };
        check(name).map_err(|rule| key.error(Errno::INVAL, &format!("this cannot be a key: {rule}")))?;
        Ok(key)
    }

    /// The directory of a tag. Errors: 22 like those of a key.
    pub(super) fn tag(self, tag: &str) -> Result<PathBuf, StoreError> {
        check(tag).map_err(|rule| {
            let text = format!("{tag:?} in collection {:?} cannot be a tag: {rule}", self.name);
            StoreError { errno: Errno::INVAL.raw_os_error(), text }
        })?;
        Ok(self.directory().join(tag))
    }

    /// An error that concerns the whole collection.
    pub(super) fn failed(self, doing: &str, error: &std::io::Error) -> StoreError {
        let text =
            format!("cannot {doing} in collection {:?}: {}", self.name, crate::host::os::reason(error));
        StoreError { errno: crate::host::os::errno(error), text }
    }
}

/// One key whose name was found harmless.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    /// The collection it is in.
    pub(super) collection: Collection<'a>,
    /// Its name.
    pub(super) name: &'a str,
}

impl Key<'_> {
    /// The file that holds its value.
    pub(super) fn path(self) -> PathBuf {
        self.collection.directory().join(self.name)
    }

    /// An error of our own making.
    pub(super) fn error(self, errno: Errno, rule: &str) -> StoreError {
        let text = format!("key {:?} in collection {:?}: {rule}", self.name, self.collection.name);
        StoreError { errno: errno.raw_os_error(), text }
    }

    /// An error of the operating system.
    pub(super) fn failed(self, doing: &str, error: &std::io::Error) -> StoreError {
        let (key, collection) = (self.name, self.collection.name);
        let text = format!(
            "cannot {doing} key {key:?} in collection {collection:?}: {}",
            crate::host::os::reason(error)
        );
        StoreError { errno: crate::host::os::errno(error), text }
    }
}

/// Says which rule a name breaks.
fn check(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        "." | ".." => Err("it is a directory of its own"),
        _ if name.contains('/') => Err("it contains \"/\""),
        _ if name.contains('\0') => Err("it contains a zero byte"),
        _ if name.starts_with(OWN_PREFIX) => Err("names that begin with \".cocaine-\" are the storage's own"),
        _ if name.len() > MAX_NAME => Err("it is longer than 255 bytes"),
        _ => Ok(()),
    }
}

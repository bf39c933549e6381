//! Unpacking an archive that nobody has looked at.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use super::entry::{Made, Tree, check_target, place};
use crate::host::config::Limits;
use crate::host::os;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Files, directories and links.
    pub entries: u64,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of everything, headers of the archive included.
    pub total_bytes: u64,
    /// Directories inside each other.
    pub depth: u64,
}

impl From<&Limits> for ArchiveLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            entries: limits.archive_entries.value,
            file_bytes: limits.archive_file_bytes.value,
            total_bytes: limits.archive_bytes.value,
            depth: limits.archive_depth.value,
        }
    }
}

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) errno: i32,
    pub(super) text: String,
}

impl Failure {
    fn refused(text: impl Into<String>) -> Self {
        Self { errno: Errno::INVAL.raw_os_error(), text: text.into() }
    }

    fn system(doing: &str, error: &io::Error) -> Self {
        Self { errno: os::errno(error), text: format!("{doing}: {}", os::reason(error)) }
    }
}

/// Unpacks a tar archive, plain or gzipped, into an empty directory of ours. After a failure the
/// directory holds a part.
///
/// Regular files, directories, and links that end inside are taken; modes keep at most `0755`;
/// anything else, a second entry of one name, and more than the limits allow is refused.
pub(super) fn unpack(archive: &[u8], into: &Path, limits: &ArchiveLimits) -> Result<(), Failure> {
    if archive.is_empty() {
        return Err(Failure::refused("the archive is empty"));
    }
    if archive.starts_with(&[0x1f, 0x8b]) {
        return unpack_tar(MultiGzDecoder::new(archive), into, limits);
    }
    match other_format(archive) {
        Some(format) => {
            Err(Failure::refused(format!("the archive is {format}; only tar, plain or gzipped, can be read")))
        }
        None => unpack_tar(archive, into, limits),
    }
}

fn other_format(archive: &[u8]) -> Option<&'static str> {
    let formats: [(&[u8], &str); 6] = [
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"\x1f\x9d", "compressed with compress"),
        (b"PK\x03\x04", "a zip file"),
        (b"hsqs", "a squashfs image"),
    ];
    formats.into_iter().find(|(magic, _)| archive.starts_with(magic)).map(|(_, format)| format)
}

fn unpack_tar(reader: impl Read, into: &Path, limits: &ArchiveLimits) -> Result<(), Failure> {
    let mut archive = Archive::new(Bounded { inner: reader, left: limits.total_bytes });
    let unreadable =
        |error: &io::Error| Failure::refused(format!("the archive cannot be read: {}", os::reason(error)));
    let mut unpacking = Unpacking { into, limits, tree: Tree::default(), entries: 0 };
    for entry in archive.entries().map_err(|error| unreadable(&error))? {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        unpacking.entry(&mut entry).map_err(|failure| Failure {
            text: format!("entry {:?}: {}", String::from_utf8_lossy(&entry.path_bytes()), failure.text),
            ..failure
        })?;
    }
    if unpacking.entries == 0 {
        return Err(Failure::refused("the archive holds nothing"));
    }
    Ok(())
}

struct Unpacking<'a> {
    into: &'a Path,
    limits: &'a ArchiveLimits,
    tree: Tree,
    entries: u64,
}

impl Unpacking<'_> {
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Failure> {
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(Failure::refused(format!("there are more than {} entries", self.limits.entries)));
        }
        let path = place(&entry.path_bytes(), self.limits.depth).map_err(Failure::refused)?;
        // Before POSIX a directory was a file whose name ends in a slash.
        let directory = kind.is_dir() || (kind.is_file() && entry.path_bytes().ends_with(b"/"));
        match kind {
            _ if directory => self.directory(entry, &path),
            _ if path.as_os_str().is_empty() => Err(Failure::refused("it has no name")),
            EntryType::Regular | EntryType::Continuous => self.file(entry, &path),
            EntryType::Symlink => self.symbolic_link(entry, &path),
            EntryType::Link => self.hard_link(entry, &path),
            other => Err(Failure::refused(format!("{other:?} is neither file nor directory nor link"))),
        }
    }

    /// Takes the place for an entry, and makes the directories above it.
    fn claim(&mut self, path: &Path, made: Made) -> Result<(), Failure> {
        for parent in self.tree.claim(path, made).map_err(Failure::refused)? {
            make_directory(&self.into.join(parent))
                .map_err(|error| Failure::system("cannot make it", &error))?;
        }
        Ok(())
    }

    fn directory(&mut self, entry: &Entry<'_, impl Read>, path: &Path) -> Result<(), Failure> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        self.claim(path, Made::Directory)?;
        let place = self.into.join(path);
        let mode = (mode(entry)? & 0o755) | 0o700;
        let made = if place.is_dir() { Ok(()) } else { make_directory(&place) };
        made.and_then(|()| fs::set_permissions(&place, Permissions::from_mode(mode)))
            .map_err(|error| Failure::system("cannot make it", &error))
    }

    fn file(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> Result<(), Failure> {
        let size = entry.size();
        if size > self.limits.file_bytes {
            let limit = self.limits.file_bytes;
            return Err(Failure::refused(format!(
                "{size} bytes are more than the limit of {limit} for a file"
            )));
        }
        self.claim(path, Made::File)?;
        let mode = (mode(entry)? & 0o755) | 0o400;
        let modified = entry.header().mtime().map_or(UNIX_EPOCH, |at| UNIX_EPOCH + Duration::from_secs(at));
        let cannot = |error: &io::Error| Failure::system("cannot write it", error);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.into.join(path))
            .map_err(|error| cannot(&error))?;
        let copied = io::copy(entry, &mut file).map_err(|error| cannot(&error))?;
        if copied != size {
            return Err(Failure::refused("the archive ends in the middle of it"));
        }
        file.set_permissions(Permissions::from_mode(mode))
            .and_then(|()| file.set_modified(modified))
            .map_err(|error| cannot(&error))
    }

    fn symbolic_link(&mut self, entry: &Entry<'_, impl Read>, path: &Path) -> Result<(), Failure> {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = check_target(path, &target).map_err(Failure::refused)?;
        self.claim(path, Made::Link)?;
        std::os::unix::fs::symlink(target, self.into.join(path))
            .map_err(|error| Failure::system("cannot link it", &error))
    }

    fn hard_link(&mut self, entry: &Entry<'_, impl Read>, path: &Path) -> Result<(), Failure> {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = place(&target, self.limits.depth).map_err(Failure::refused)?;
        if !self.tree.is_file(&target) {
            let text = format!("it links to {}, which is no file before it in the archive", target.display());
            return Err(Failure::refused(text));
        }
        self.claim(path, Made::File)?;
        fs::hard_link(self.into.join(target), self.into.join(path))
            .map_err(|error| Failure::system("cannot link it", &error))
    }
}

fn mode(entry: &Entry<'_, impl Read>) -> Result<u32, Failure> {
    entry.header().mode().map_err(|error| Failure::system("its mode cannot be read", &error))
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)
}

/// Reads no more than is allowed, however small the archive was before it was unpacked.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to more than the limit"));
            }
        }
        Ok(count)
    }
}

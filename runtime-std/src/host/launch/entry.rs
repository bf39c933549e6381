//! Where the entries of an archive may go.
//!
//! The destination starts empty and only we write to it, so the list of what we made is the truth
//! about it. Two rules keep everything inside. Nothing is written through a link. And a link's
//! target climbs first and descends after: climbing starts in a real directory, so counting is
//! enough; descending may pass other links, which end inside for the same reason.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What stands at a path of the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Directory,
    File,
    Link,
}

/// Everything made so far, by path relative to the destination.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<PathBuf, Made>);

impl Tree {
    /// Claims a place. Gives the directories above it that have to be made first.
    ///
    /// Errors: the place is taken, or is below something that is no directory.
    pub(super) fn claim(&mut self, path: &Path, made: Made) -> Result<Vec<PathBuf>, String> {
        let mut missing = Vec::new();
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            match self.0.get(parent) {
                Some(Made::Directory) => {}
                Some(Made::Link) => return Err(format!("it leads through the link {}", parent.display())),
                Some(Made::File) => {
                    return Err(format!("it is inside {}, which is a file", parent.display()));
                }
                None => missing.push(parent.to_owned()),
            }
        }
        match (self.0.get(path), made) {
            // Directories are often listed again, or after what is in them.
            (Some(Made::Directory), Made::Directory) => return Ok(Vec::new()),
            (Some(_), _) => return Err("it is in the archive twice".into()),
            (None, _) => {}
        }
        missing.reverse();
        self.0.extend(missing.iter().map(|parent| (parent.clone(), Made::Directory)));
        self.0.insert(path.to_owned(), made);
        Ok(missing)
    }

    /// Whether a regular file was made there.
    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.0.get(path) == Some(&Made::File)
    }
}

/// The path of an entry, relative to the destination; empty for the destination itself.
pub(super) fn place(name: &[u8], max_depth: u64) -> Result<PathBuf, String> {
    if name.contains(&0) {
        return Err("its name contains a zero byte".into());
    }
    // Python's archiver, and so the frameworks' tool, calls the root of what it packs so.
    if name == b"/" {
        return Ok(PathBuf::new());
    }
    let mut path = PathBuf::new();
    let mut depth = 0;
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(part) => {
                path.push(part);
                depth += 1;
            }
            Component::CurDir => {}
            Component::ParentDir => return Err("its name contains \"..\"".into()),
            Component::RootDir | Component::Prefix(_) => return Err("its name is absolute".into()),
        }
    }
    if depth > max_depth {
        return Err(format!("it is more than {max_depth} directories deep"));
    }
    Ok(path)
}

/// Checks that a symbolic link at `path` points inside the destination.
pub(super) fn check_target(path: &Path, target: &[u8]) -> Result<PathBuf, String> {
    let target = Path::new(OsStr::from_bytes(target));
    let outside = || format!("it points outside, to {}", target.display());
    // The link's own name is not a directory that can be climbed out of.
    let mut room = path.components().count().saturating_sub(1);
    let mut descending = false;
    for component in target.components() {
        match component {
            Component::Normal(_) => descending = true,
            Component::CurDir => {}
            Component::ParentDir if descending => {
                return Err(format!("\"..\" after a name is not allowed in its target {}", target.display()));
            }
            Component::ParentDir => room = room.checked_sub(1).ok_or_else(outside)?,
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    if target.as_os_str().is_empty() { Err("it points nowhere".into()) } else { Ok(target.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        assert_eq!(place(b"./a//b/./c", 3).unwrap(), Path::new("a/b/c"));
        assert_eq!(place(b"./", 3).unwrap(), Path::new(""));
        assert_eq!(place(b"/", 3).unwrap(), Path::new(""));
        for wrong in [&b"../a"[..], b"a/../b", b"/a", b"/.", b"/./a", b"a\0b", b"a/b/c/d", b".."] {
            assert!(place(wrong, 3).is_err(), "{:?}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn links_stay_inside() {
        let check = |path: &str, target: &str| check_target(Path::new(path), target.as_bytes());
        for (path, target) in
            [("l", "a"), ("l", "./a/b"), ("d/l", "../a"), ("d/e/l", "../../a"), ("d/l", "..")]
        {
            assert!(check(path, target).is_ok(), "{path} -> {target}");
        }
        for (path, target) in [
            ("l", ".."),
            ("l", "/etc"),
            ("d/l", "../.."),
            ("d/l", "../../a"),
            ("l", "a/../../b"),
            ("l", ""),
            ("l", "a/.."),
        ] {
            assert!(check(path, target).is_err(), "{path} -> {target}");
        }
    }

    #[test]
    fn nothing_goes_through_a_link_or_twice() {
        let mut tree = Tree::default();
        assert_eq!(tree.claim(Path::new("a/b/c"), Made::File).unwrap(), [Path::new("a"), Path::new("a/b")]);
        assert_eq!(tree.claim(Path::new("a"), Made::Directory).unwrap(), [""; 0].map(PathBuf::from));
        tree.claim(Path::new("l"), Made::Link).unwrap();
        assert!(tree.claim(Path::new("l/x"), Made::File).unwrap_err().contains("the link l"));
        assert!(tree.claim(Path::new("l/x/y"), Made::Directory).unwrap_err().contains("the link l"));
        assert!(tree.claim(Path::new("a/b/c/d"), Made::File).unwrap_err().contains("is a file"));
        for made in [Made::File, Made::Link, Made::Directory] {
            assert!(tree.claim(Path::new("a/b/c"), made).unwrap_err().contains("twice"));
        }
        assert!(tree.claim(Path::new("a"), Made::Link).is_err());
    }
}

//! Files that other processes append to, and that tests wait on.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// How long anything may take that is expected to happen. Only a failing test waits so long, even on a machine
/// that is busy with other things.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A file that grows.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    /// An empty journal in a new file.
    pub(super) fn create(path: &Path) -> Self {
        File::create(path).unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        Self { path: path.to_owned() }
    }

    /// The journal in a file that is there.
    pub(super) fn existing(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file, to be given to another process.
    pub(super) fn file(&self) -> File {
        File::options().append(true).open(&self.path).expect("the journal was created")
    }

    /// What was written so far.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.path).unwrap_or_default()).into_owned()
    }

    /// Appends a line in one piece.
    pub(super) fn note(&self, line: &str) {
        let line = format!("{line}\n");
        // The directory is gone when the test is over; nobody reads any more.
        let _ = File::options()
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
    }

    /// Waits until something is found in the whole text. With `giving_up`, also until that becomes readable,
    /// which is the end of whoever writes.
    pub(super) fn find<T>(
        &self,
        what: &str,
        giving_up: Option<BorrowedFd<'_>>,
        mut search: impl FnMut(&str) -> Option<T>,
    ) -> T {
        let changes = Changes::of(self.path.parent().expect("a file is in a directory"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = search(&self.text()) {
                return found;
            }
            let ended = giving_up.is_some_and(|other| readable(other, Duration::ZERO));
            if ended || Instant::now() >= deadline {
                // What was written between the two looks counts.
                return search(&self.text()).unwrap_or_else(|| {
                    panic!("{what}: not in {}:\n{}", self.path.display(), self.text());
                });
            }
            changes.wait(deadline, giving_up);
        }
    }

    /// Waits for a whole line that begins with these words, and returns the rest of it.
    pub(super) fn line(&self, beginning: &str) -> String {
        self.nth_line(beginning, 1)
    }

    /// Waits for line number `count` of those that begin with these words, and returns the rest of it.
    pub(super) fn nth_line(&self, beginning: &str, count: usize) -> String {
        self.find(&format!("line {count} that begins with {beginning:?}"), None, |text| {
            let rest = lines(text).filter_map(|line| line.strip_prefix(beginning)).nth(count - 1)?;
            Some(rest.trim().to_owned())
        })
    }

    /// Waits for text anywhere.
    pub(super) fn contains(&self, words: &str) {
        self.find(&format!("{words:?}"), None, |text| text.contains(words).then_some(()));
    }

    /// How many whole lines begin with these words now.
    pub(super) fn count(&self, beginning: &str) -> usize {
        lines(&self.text()).filter(|line| line.starts_with(beginning)).count()
    }
}

/// The lines that are complete.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'))
}

/// Changes of the files in a directory.
struct Changes(OwnedFd);

impl Changes {
    fn of(directory: &Path) -> Self {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let changes = inotify::init(flags).expect("inotify is available");
        let events =
            inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&changes, directory, events).expect("the directory can be watched");
        Self(changes)
    }

    fn wait(&self, deadline: Instant, other: Option<BorrowedFd<'_>>) {
        let mut all = vec![PollFd::new(&self.0, PollFlags::IN)];
        all.extend(other.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
        let _ = poll(&mut all, Some(&timespec(deadline.saturating_duration_since(Instant::now()))));
        let mut events = [0; 4096];
        while rustix::io::read(&self.0, &mut events).is_ok_and(|count| count > 0) {}
    }
}

/// Waits until a descriptor is readable; false if it is not in time.
pub(super) fn readable(what: impl AsFd, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::new(&what, PollFlags::IN)], Some(&timespec(left))) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(_) if Instant::now() >= deadline => return false,
            Err(_) => {}
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec::try_from(time).expect("a test does not wait for ever")
}

/// Tries again and again until there is something. Only for what announces itself in no other way.
pub(super) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: it did not happen");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

//! The log: lines go through a bounded queue to a thread that writes them.
//!
//! Whoever logs never waits, however slow the file or terminal is. What does not fit into the queue,
//! or cannot be written, is counted, and the count is logged as soon as writing works again.

mod format;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cocaine_core::machine::{Record, Severity};
use thiserror::Error;

use super::clock::unix_micros;
use super::config::{DaemonConfig, LogFormat};
use super::os;
use writer::{Target, Writer};

/// What a log is made of.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Its file, which is appended to; `None` for standard error.
    pub file: Option<PathBuf>,
    /// How lines look.
    pub format: LogFormat,
    /// The least important lines that are written.
    pub level: Severity,
    /// How many lines may wait.
    pub queue: usize,
}

impl From<&DaemonConfig> for LogOptions {
    fn from(config: &DaemonConfig) -> Self {
        Self {
            file: config.log.file.value.clone(),
            format: config.log.format.value,
            level: config.log.level.value,
            queue: usize::try_from(config.limits.log_queue.value).unwrap_or(usize::MAX),
        }
    }
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// Its file cannot be opened for appending.
    #[error("log file {}: {reason}; give another --log-file FILE", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
        /// The POSIX error number.
        errno: i32,
    },
    /// Its thread cannot be started.
    #[error("cannot start the thread that writes the log: {reason}")]
    Thread {
        /// What the system says.
        reason: String,
    },
}

/// The way into the log. Clones write into the same one; its thread ends with the last of them.
#[derive(Clone, Debug)]
pub struct Log {
    queue: SyncSender<Line>,
    shared: Arc<Shared>,
}

/// What waits in the queue.
enum Line {
    Record(Record, u64),
    /// Look at the flags.
    Wake,
    /// Say when everything before is written.
    Flush(SyncSender<()>),
}

#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    dropped: AtomicU64,
    reopen: AtomicBool,
}

impl Log {
    /// Opens the log and starts its thread.
    pub fn open(options: LogOptions) -> Result<Self, LogError> {
        let target = match options.file {
            None => Target::standard_error(),
            Some(path) => Target::file(path.clone()).map_err(|error| LogError::File {
                path,
                reason: os::reason(&error),
                errno: os::errno(&error),
            })?,
        };
        Self::start(target, options.format, options.level, options.queue)
    }

    fn start(target: Target, format: LogFormat, level: Severity, queue: usize) -> Result<Self, LogError> {
        let (queue, lines) = sync_channel(queue);
        let shared = Arc::new(Shared {
            level: AtomicU8::new(level as u8),
            dropped: AtomicU64::new(0),
            reopen: AtomicBool::new(false),
        });
        let mut writer = Writer::new(target, format, lines, Arc::clone(&shared));
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || writer.run())
            .map_err(|error| LogError::Thread { reason: os::reason(&error) })?;
        Ok(Self { queue, shared })
    }

    /// Whether lines of this severity are written.
    #[must_use]
    pub fn enabled(&self, severity: Severity) -> bool {
        severity as u8 >= self.shared.level.load(Ordering::Relaxed)
    }

    /// From now on writes lines of this severity and more important ones.
    pub fn set_level(&self, level: Severity) {
        self.shared.level.store(level as u8, Ordering::Relaxed);
    }

    /// Logs a record, with the time it is now. Never waits.
    pub fn write(&self, record: Record) {
        self.write_at(record, unix_micros());
    }

    /// Logs a record of this wall time (microseconds since the Unix epoch). Never waits.
    pub fn write_at(&self, record: Record, unix_micros: u64) {
        if self.enabled(record.severity) && self.queue.try_send(Line::Record(record, unix_micros)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the file anew before the next line, since it may have been moved away. If that is not
    /// possible the old one stays, and says so.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        // With a full queue the thread is awake anyway.
        let _ = self.queue.try_send(Line::Wake);
    }

    /// Waits until everything logged so far is written, at most this long: a terminal that takes
    /// nothing must not keep a daemon from stopping. Returns whether it was.
    pub fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let (done, written) = sync_channel(1);
        while self.queue.try_send(Line::Flush(done.clone())).is_err() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        written.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

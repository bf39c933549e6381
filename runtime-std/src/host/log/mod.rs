//! The log: lines go through a bounded queue to a thread that writes them.
//!
//! Whoever logs never waits, however slow the file or terminal is. What does not fit into the queue,
//! or cannot be written, is counted, and the count is logged as soon as writing works again.

mod format;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use cocaine_core::machine::{Record, Severity};

use super::config::{DaemonConfig, LogFormat};
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

/// The way into the log. Clones write into the same one.
#[derive(Clone, Debug)]
pub struct Log {
    queue: SyncSender<Line>,
    shared: Arc<Shared>,
}

/// The thread behind a log.
#[derive(Debug)]
pub struct LogThread {
    log: Log,
    finished: Receiver<()>,
}

/// What waits in the queue.
enum Line {
    Record(Record, u64),
    /// Look at the flags.
    Wake,
}

#[derive(Debug)]
struct Shared {
    level: AtomicU8,
    dropped: AtomicU64,
    reopen: AtomicBool,
    finish: AtomicBool,
}

impl Log {
    /// Opens the log and starts its thread. Errors: the file cannot be opened.
    pub fn start(options: &LogOptions) -> io::Result<(Self, LogThread)> {
        let target = Target::open(options.file.as_deref())?;
        Self::start_with(target, options)
    }

    fn start_with(target: Target, options: &LogOptions) -> io::Result<(Self, LogThread)> {
        let (queue, lines) = sync_channel(options.queue);
        let (done, finished) = sync_channel(1);
        let shared = Arc::new(Shared {
            level: AtomicU8::new(options.level as u8),
            dropped: AtomicU64::new(0),
            reopen: AtomicBool::new(false),
            finish: AtomicBool::new(false),
        });
        let mut writer = Writer::new(target, options.format, lines, Arc::clone(&shared));
        std::thread::Builder::new().name("log".into()).spawn(move || {
            writer.run();
            let _ = done.send(());
        })?;
        let log = Self { queue, shared };
        Ok((log.clone(), LogThread { log, finished }))
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

    /// Logs a record of this wall time (microseconds since the Unix epoch). Never waits.
    pub fn write(&self, record: Record, unix_micros: u64) {
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
}

impl LogThread {
    /// Writes what waits and ends the thread. Returns whether that was possible within `patience`:
    /// a terminal that takes nothing must not keep a daemon from stopping.
    pub fn finish(self, patience: Duration) -> bool {
        self.log.shared.finish.store(true, Ordering::Release);
        let _ = self.log.queue.try_send(Line::Wake);
        !matches!(self.finished.recv_timeout(patience), Err(RecvTimeoutError::Timeout))
    }
}

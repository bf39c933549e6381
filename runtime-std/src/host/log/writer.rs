//! The thread that writes the log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use cocaine_core::machine::{Record, Severity};

use super::format::line;
use super::{Line, Shared};
use crate::host::clock::unix_micros;
use crate::host::config::LogFormat;
use crate::host::os;

/// Lines are gathered up to this many bytes for one write.
const GATHER: usize = 64 * 1024;

/// Where lines go.
pub(super) enum Target {
    File(PathBuf, File),
    Stream(Box<dyn Write + Send>),
}

impl Target {
    pub(super) fn standard_error() -> Self {
        Self::Stream(Box::new(io::stderr()))
    }

    pub(super) fn file(path: PathBuf) -> io::Result<Self> {
        let file = append_to(&path)?;
        Ok(Self::File(path, file))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::File(_, file) => file.write_all(text.as_bytes()),
            Self::Stream(stream) => stream.write_all(text.as_bytes()).and_then(|()| stream.flush()),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File(path, file) = self {
            *file = append_to(path)?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

pub(super) struct Writer {
    target: Target,
    format: LogFormat,
    lines: Receiver<Line>,
    shared: Arc<Shared>,
    text: String,
    gathered: u64,
}

impl Writer {
    pub(super) fn new(target: Target, format: LogFormat, lines: Receiver<Line>, shared: Arc<Shared>) -> Self {
        Self { target, format, lines, shared, text: String::new(), gathered: 0 }
    }

    /// Writes until nobody can log any more.
    pub(super) fn run(&mut self) {
        while let Ok(first) = self.lines.recv() {
            self.reopen_if_wanted();
            self.gather(first);
            self.write_out();
        }
    }

    /// Takes what waits, as far as it makes a good write.
    fn gather(&mut self, first: Line) {
        let mut next = Some(first);
        while let Some(waiting) = next {
            match waiting {
                Line::Record(record, at) => {
                    self.note_dropped();
                    self.gathered += 1;
                    line(&mut self.text, self.format, &record, at);
                }
                Line::Flush(done) => {
                    self.note_dropped();
                    self.write_out();
                    // Whoever waited may have lost patience.
                    let _ = done.try_send(());
                }
                Line::Wake => {}
            }
            next = if self.text.len() < GATHER { self.lines.try_recv().ok() } else { None };
        }
    }

    /// Says how many lines are missing before the next one.
    fn note_dropped(&mut self) {
        let dropped = self.shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let record = Record::new(
                Severity::Warning,
                "log",
                "lines are missing here, they came faster than they could be written",
            );
            line(&mut self.text, self.format, &record.with("lines", dropped), unix_micros());
            // If this note is lost too, its count must not be.
            self.gathered += dropped;
        }
    }

    fn write_out(&mut self) {
        if !self.text.is_empty() && self.target.write(&self.text).is_err() {
            self.shared.dropped.fetch_add(self.gathered, Ordering::Relaxed);
        }
        self.text.clear();
        self.gathered = 0;
    }

    fn reopen_if_wanted(&mut self) {
        if !self.shared.reopen.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.target.reopen() {
            let message = "cannot open the log file again; the old one is used on";
            let record = Record::new(Severity::Error, "log", message).with("error", os::reason(&error));
            line(&mut self.text, self.format, &record, unix_micros());
            self.gathered += 1;
        }
    }
}

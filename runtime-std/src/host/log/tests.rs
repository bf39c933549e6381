use std::fs;
use std::io::{self, PipeReader, Read, Write};
use std::sync::{Condvar, Mutex};

use super::*;

fn options() -> LogOptions {
    LogOptions { file: None, format: LogFormat::Human, level: Severity::Info, queue: 16 }
}

fn record(text: &str) -> Record {
    Record::new(Severity::Info, "test", text)
}

fn to_stream(stream: impl Write + Send + 'static) -> Log {
    Log::start(Target::Stream(Box::new(stream)), LogFormat::Human, Severity::Info, 16).unwrap()
}

const PATIENCE: Duration = Duration::from_secs(10);

fn messages(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once(" test  ").map_or(line, |(_, message)| message)).collect()
}

#[test]
fn lines_arrive_in_order_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let log = Log::open(LogOptions { file: Some(path.clone()), ..options() }).unwrap();
    for n in 0..10 {
        log.write(record(&n.to_string()));
    }
    assert!(log.flush(PATIENCE));
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(messages(&text), ["before", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn unimportant_lines_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::open(LogOptions { file: Some(path.clone()), ..options() }).unwrap();
    let say = |severity, text| log.write(Record::new(severity, "test", text));
    say(Severity::Debug, "no");
    say(Severity::Info, "a");
    log.set_level(Severity::Error);
    say(Severity::Warning, "no");
    assert!(!log.enabled(Severity::Warning) && log.enabled(Severity::Error));
    log.set_level(Severity::Debug);
    say(Severity::Debug, "b");
    assert!(log.flush(PATIENCE));
    assert_eq!(messages(&fs::read_to_string(path).unwrap()), ["a", "b"]);
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
    let log = Log::open(LogOptions { file: Some(path.clone()), ..options() }).unwrap();
    log.write(record("a"));
    while fs::read_to_string(&path).unwrap().is_empty() {
        std::thread::yield_now();
    }
    fs::rename(&path, &old).unwrap();
    log.reopen();
    while !path.exists() {
        std::thread::yield_now();
    }
    log.write(record("b"));
    assert!(log.flush(PATIENCE));
    assert_eq!(messages(&fs::read_to_string(old).unwrap()), ["a"]);
    assert_eq!(messages(&fs::read_to_string(path).unwrap()), ["b"]);
}

#[test]
fn a_file_that_cannot_be_opened_again_is_used_on() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("logs");
    fs::create_dir(&place).unwrap();
    let path = place.join("log");
    let log = Log::open(LogOptions { file: Some(path), ..options() }).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(place, &moved).unwrap();
    log.reopen();
    log.write(record("b"));
    assert!(log.flush(PATIENCE));
    let text = fs::read_to_string(moved.join("log")).unwrap();
    assert!(text.contains("cannot open the log file again") && text.ends_with("  b\n"), "{text}");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let options = LogOptions { file: Some("/no/such/directory/log".into()), ..options() };
    let error = Log::open(options).unwrap_err();
    let text = "log file /no/such/directory/log: no such file or directory; give another --log-file FILE";
    assert_eq!(error.to_string(), text);
}

fn read_line(pipe: &mut PipeReader) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while pipe.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn who_logs_never_waits_and_what_is_missing_is_counted() {
    let (mut read, write) = io::pipe().unwrap();
    let log = to_stream(write);
    // Far more than pipe and queue hold; nobody reads.
    let long = "x".repeat(10_000);
    for _ in 0..200 {
        log.write(record(&long));
    }
    let dropped = loop {
        let line = read_line(&mut read);
        if let Some((_, count)) = line.split_once("lines=") {
            assert!(line.contains("WARN  log  lines are missing here"), "{line}");
            break count.parse::<usize>().unwrap();
        }
        assert!(line.ends_with(&long));
        // Every line makes room for one that is behind those that are missing.
        log.write(record(&long));
    };
    assert!(dropped > 100, "{dropped}");
    drop(read);
    assert!(log.flush(PATIENCE));
}

#[test]
fn a_stuck_terminal_does_not_keep_the_daemon_alive() {
    let (_read, write) = io::pipe().unwrap();
    let log = to_stream(write);
    for _ in 0..20 {
        log.write(record(&"x".repeat(10_000)));
    }
    assert!(!log.flush(Duration::from_millis(20)));
}

/// A disk that is full until told otherwise.
#[derive(Clone, Default)]
struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    space: bool,
    refused: usize,
    text: String,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().unwrap();
        self.0.1.notify_all();
        if !state.space {
            state.refused += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.text.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_a_full_disk_refused_are_counted() {
    let disk = Disk::default();
    let log = to_stream(disk.clone());
    for n in 1..=3 {
        log.write(record("lost"));
        let state = disk.0.0.lock().unwrap();
        drop(disk.0.1.wait_while(state, |state| state.refused < n).unwrap());
    }
    disk.0.0.lock().unwrap().space = true;
    log.write(record("kept"));
    assert!(log.flush(PATIENCE));
    let state = disk.0.0.lock().unwrap();
    assert!(state.text.contains(" lines=3\n") && state.text.ends_with("  test  kept\n"), "{}", state.text);
}

//! Running a program to its end, or until it has said what is waited for.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Pid, Signal};

pub(crate) const RUNTIME: &str = env!("CARGO_BIN_EXE_cocaine-runtime");
pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_cocaine-tool");

/// After this long a program is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a program ended, and what it has said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) err: String,
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, bytes, err } = self;
        write!(f, "exit code {code:?}\n-- out\n{}\n-- err\n{err}", String::from_utf8_lossy(bytes))
    }
}

impl Ended {
    /// What is on standard output, which is text.
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap()
    }

    /// Its standard output, after it has succeeded without a complaint.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{self:?}");
        self.out()
    }

    /// What it complains about, in one line, after it has failed with this exit code.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.err.matches('\n').count(), 1, "one line: {self:?}");
        self.err.trim_end()
    }
}

/// A program, without what the environment of these tests may say to it.
pub(crate) fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    command.env_remove("COCAINE_LOCATOR").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    end(command.spawn().unwrap())
}

/// Waits for a program's end, with all it has to say.
#[track_caller]
pub(crate) fn end(child: Child) -> Ended {
    let id = child.id();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = receive.recv_timeout(PATIENCE) else {
        signal(id, Signal::KILL);
        panic!("the program hangs");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    Ended { code: status.code(), bytes: stdout, err: String::from_utf8_lossy(&stderr).into_owned() }
}

pub(crate) fn signal(id: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A program that serves until it is told to stop; it is killed when the test is over.
pub(crate) struct Serving {
    child: Option<Child>,
    out: BufReader<ChildStdout>,
    /// The lines before the one that says it is ready.
    pub(crate) story: Vec<String>,
    pub(crate) ready: String,
}

impl Serving {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut story: Vec<String> = Vec::new();
        while !story.last().is_some_and(|line| line.starts_with("ready ")) {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                break;
            }
            story.push(line.trim_end().to_owned());
        }
        match story.pop() {
            Some(ready) if ready.starts_with("ready ") => Self { child: Some(child), out, story, ready },
            last => panic!("it is not ready: {story:?}, {last:?}, {:?}", end(child)),
        }
    }

    /// The address behind `NAME=` on the line that says it is ready.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let pair = self.ready.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap_or_else(|| panic!("no {name} in {}", self.ready)).parse().unwrap()
    }

    pub(crate) fn signal(&self, what: Signal) {
        signal(self.child.as_ref().unwrap().id(), what);
    }

    /// Tells it to stop; what it still says, and how it ends.
    #[track_caller]
    pub(crate) fn stop(mut self, with: Signal) -> Ended {
        self.signal(with);
        let mut ended = end(self.child.take().unwrap());
        self.out.read_to_end(&mut ended.bytes).unwrap();
        ended
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address where nobody answers, for as long as it is held: the port is taken and nothing listens.
pub(crate) struct Dead {
    _socket: OwnedFd,
    pub(crate) address: SocketAddr,
}

impl Dead {
    pub(crate) fn take() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        Self { _socket: socket, address }
    }
}

/// The files below a directory.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        found.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        }
    }
    found
}

/// The processes that have this text in their command line.
pub(crate) fn processes_about(text: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let lines = processes.filter_map(|path| fs::read(path).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(text)).collect()
}

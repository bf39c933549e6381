//! A daemon with a life of its own: directories, apps, logs, and its end.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use cocaine_core::wire::Value;
use rustix::process::Signal;
use tempfile::TempDir;

use super::Binaries;
use super::app::{App, AppSpec};
use super::client::Client;
use super::journal::Journal;
use super::process::Process;

/// Directories for a daemon and its apps; they go when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    root: TempDir,
    apps: Vec<App>,
}

impl Place {
    pub(super) fn new(apps: &[AppSpec]) -> Self {
        let root = tempfile::Builder::new().prefix("bb").tempdir().expect("a temporary directory");
        // Workers of other users pass through.
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(root.path(), open).expect("it is ours");
        let made = apps.iter().map(|app| app.make(&root.path().join("apps"))).collect();
        Self { root, apps: made }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(super) fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    pub(super) fn app(&self, name: &str) -> &App {
        self.apps.iter().find(|app| app.name == name).expect("an app of this test")
    }

    /// Writes a file and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("our own directory");
        path
    }

    /// The command that runs the daemon here, on any free port.
    pub(super) fn command(&self, binaries: &Binaries) -> Command {
        let mut command = Command::new(&binaries.daemon);
        command.args(["run", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        command.arg("--runtime-dir").arg(self.runtime());
        for app in &self.apps {
            command.arg("--app").arg(format!("{}={}", app.name, app.directory.display()));
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs a daemon here.
    pub(super) fn run(self, binaries: &Binaries) -> Node {
        self.run_with(binaries, [""; 0])
    }

    /// Runs a daemon here, with more flags.
    pub(super) fn run_with<S: AsRef<OsStr>>(
        self,
        binaries: &Binaries,
        flags: impl IntoIterator<Item = S>,
    ) -> Node {
        let mut command = self.command(binaries);
        command.args(flags);
        Node::start(self, command)
    }

    /// Runs the daemon where it must fail: exit code, and what it said to standard error.
    pub(super) fn fails<S: AsRef<OsStr>>(
        &self,
        binaries: &Binaries,
        flags: impl IntoIterator<Item = S>,
    ) -> (Option<i32>, String) {
        let stderr = Journal::create(&self.path("failure"));
        let mut command = self.command(binaries);
        command.args(flags).stdout(Stdio::null()).stderr(stderr.file());
        let status = Process::start(&mut command).wait();
        (status.code(), stderr.text())
    }
}

/// A daemon that serves.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) process: Process,
    pub(super) place: Place,
    /// Its standard error.
    pub(super) log: Journal,
    /// The pairs of its ready line.
    ready: Vec<(String, SocketAddr)>,
}

impl Node {
    /// Starts a daemon with these apps and waits until it is ready.
    pub(super) fn with(binaries: &Binaries, apps: &[AppSpec]) -> Self {
        Place::new(apps).run(binaries)
    }

    pub(super) fn start(place: Place, mut command: Command) -> Self {
        let stdout = Journal::create(&place.path("stdout"));
        let log = Journal::create(&place.path("stderr"));
        command.stdout(stdout.file()).stderr(log.file());
        let process = Process::start(&mut command);
        let mut node = Self { process, place, log, ready: Vec::new() };
        // The node's Drop shows its log if this fails.
        let line = stdout.find("the ready line", Some(node.process.end().as_fd()), |text| {
            text.split_once('\n').map(|(line, _)| line.to_owned())
        });
        node.ready = ready_line(&line);
        node
    }

    /// Ends with a signal; the exit status.
    pub(super) fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.process.signal(signal);
        self.process.wait()
    }

    /// Starts another daemon in the same place after this one has ended.
    pub(super) fn again(mut self, binaries: &Binaries) -> Self {
        assert!(self.process.wait_within(std::time::Duration::ZERO).is_some(), "the first one still runs");
        let empty = Place::new(&[]);
        let place = std::mem::replace(&mut self.place, empty);
        place.run(binaries)
    }

    pub(super) fn address(&self, name: &str) -> SocketAddr {
        let found = self.ready.iter().find(|(have, _)| have == name);
        found.unwrap_or_else(|| panic!("{name} is not in the ready line: {:?}", self.ready)).1
    }

    pub(super) fn locator(&self) -> Client {
        Client::connect(self.address("locator"))
    }

    /// A client of a service or app, found through the locator.
    pub(super) fn client(&self, name: &str) -> Client {
        Client::connect(self.resolve(name))
    }

    pub(super) fn resolve(&self, name: &str) -> SocketAddr {
        let values = self.locator().call(0, &[name.into()]).unwrap_or_else(|error| panic!("{name}: {error}"));
        endpoints(&values[0])[0]
    }

    pub(super) fn app(&self, name: &str) -> &App {
        self.place.app(name)
    }

    /// The node service's report about an app.
    pub(super) fn info(&self, app: &str) -> Value {
        self.client("node").call(3, &[app.into(), Value::Uint(7)]).expect("a report").swap_remove(0)
    }

    /// One number of the report, by its path.
    pub(super) fn figure(&self, app: &str, path: &[&str]) -> u64 {
        let info = self.info(app);
        let found = path.iter().try_fold(&info, |value, key| value.get(key));
        found.and_then(Value::as_u64).unwrap_or_else(|| panic!("no number {path:?} in {info:?}"))
    }

    /// The socket of an app's workers.
    pub(super) fn worker_socket(&self, app: &str) -> PathBuf {
        let line = self.app(app).journal.line("arguments ");
        let mut words = line.split(' ');
        words.find(|word| *word == "--endpoint").expect("the flag");
        Path::new(words.next().expect("its value")).to_owned()
    }

    /// The records of crashed workers, oldest first.
    pub(super) fn crash_logs(&self, app: &str) -> Vec<String> {
        let mut storage = self.client("storage");
        let tags = Value::array([app]);
        let found = storage.call(3, &["crashlogs".into(), tags]).expect("keys").swap_remove(0);
        let keys = found.as_array().expect("a list").to_vec();
        keys.into_iter().map(|key| crash_log(&mut storage, key)).collect()
    }
}

fn crash_log(storage: &mut Client, key: Value) -> String {
    let value = storage.call(0, &["crashlogs".into(), key]).expect("a value").swap_remove(0);
    let (lines, _) = Value::decode(value.as_bytes().expect("raw")).expect("msgpack");
    let lines = lines.as_array().expect("lines").to_vec();
    let lines = lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes().expect("raw")).into_owned());
    lines.collect::<Vec<_>>().join("\n")
}

/// The addresses in a resolved name.
pub(super) fn endpoints(value: &Value) -> Vec<SocketAddr> {
    let pairs = value.as_array().expect("a list").iter();
    let address = |pair: &Value| {
        let [host, port] = pair.as_array().expect("a pair") else { panic!("not a pair: {pair:?}") };
        let host = host.as_str().expect("text").parse().expect("a numeric address");
        SocketAddr::new(host, u16::try_from(port.as_u64().expect("a number")).expect("a port"))
    };
    pairs.map(address).collect()
}

fn ready_line(line: &str) -> Vec<(String, SocketAddr)> {
    let rest = line.strip_prefix("ready ").unwrap_or_else(|| panic!("not a ready line: {line:?}"));
    let pairs: Vec<_> = rest
        .split(' ')
        .map(|pair| pair.split_once('=').unwrap_or_else(|| panic!("not a pair: {pair:?}")))
        .map(|(name, address)| (name.to_owned(), address.parse().expect("an address")))
        .collect();
    assert_eq!(pairs.first().map(|(name, _)| name.as_str()), Some("locator"), "{line:?}");
    pairs
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the daemon's log:\n{}----", self.log.text());
            for app in &self.place.apps {
                eprintln!("---- journal of app {}:\n{}----", app.name, app.journal.text());
            }
        }
    }
}

/// Words as arguments.
pub(super) fn flags(words: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}

//! From flags to a running node, and to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cocaine_core::engine::EngineLimits;
use cocaine_core::machine::{Record, Severity};
use cocaine_core::node::{NodeConfig, NodeNotice, PortConfig, ServiceKind};
use cocaine_core::wire::Limits;
use cocaine_runtime_std::host::config::{self, Claim, DaemonConfig, Flags, RuntimeAccess, Surroundings};
use cocaine_runtime_std::host::launch::{ArchiveLimits, Launcher};
use cocaine_runtime_std::host::log::{Log, LogOptions};
use cocaine_runtime_std::host::process::{self, GroupRecords, ShimConfig};
use cocaine_runtime_std::host::ready::ready_line;
use cocaine_runtime_std::host::storage::FilesStorage;
use smol::future::FutureExt;

use super::cli::{RunArgs, SHIM};
use super::exit::Exit;
use super::host::DaemonHost;
use super::node::{News, NodeHandle};
use super::signals::{Wish, Wishes};
use crate::driver::{Spread, World};
use crate::print;

/// How long apps may take to stop. With what the log and the sockets need, the daemon is gone within 20 s.
const STOP: Duration = Duration::from_secs(18);

/// How long to wait until what an earlier daemon left behind is gone, after it was killed.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Runs a node until it is told to stop.
pub(super) fn run(arguments: &RunArgs) -> Result<(), Exit> {
    let mut daemon = Daemon::start(&arguments.flags())?;
    smol::block_on(async {
        let mut wishes =
            Wishes::listen().map_err(|error| Exit::Other(format!("cannot listen to signals: {error}")))?;
        let line = daemon.wait_until_ready(&mut wishes).await?;
        if let Some(line) = line {
            print::line(line);
            daemon.serve(&mut wishes).await?;
        }
        daemon.stop(&mut wishes).await;
        Ok(())
    })
}

/// A daemon with its directories claimed and its node started.
pub(super) struct Daemon {
    node: NodeHandle,
    log: Log,
    // Given back last, when nothing runs any more.
    _claim: Claim,
}

impl Daemon {
    /// Reads the configuration, claims the directories, gets rid of what an earlier daemon left behind, and
    /// starts the node.
    pub(super) fn start(flags: &Flags) -> Result<Self, Exit> {
        let loaded = config::load(flags, &Surroundings::of_process())?;
        let config = loaded.config;
        let root = rustix::process::geteuid().is_root();
        // Only root can run workers as somebody else, who must then reach their socket.
        let access = if root { RuntimeAccess::OtherUsers } else { RuntimeAccess::Private };
        let claim = config::prepare(&config, access)?;
        let log = Log::open(LogOptions::from(&config)).map_err(|error| Exit::Config(error.to_string()))?;
        for warning in &loaded.warnings {
            say(&log, Severity::Warning, "config", warning.to_string());
        }
        for leftover in process::kill_leftovers(&config.runtime.value, LEFTOVERS) {
            let text = format!("killed process group {} that an earlier daemon left behind", leftover.group);
            say(&log, Severity::Warning, "node", text);
        }
        let host = make_host(&config, &log)?;
        let panicked = log.clone();
        let threads = usize::try_from(config.threads.value).unwrap_or(1);
        let spread = Spread::new(threads, move |task, message| {
            say(&panicked, Severity::Error, task, format!("panicked: {message}"));
        });
        let spread =
            Arc::new(spread.map_err(|error| Exit::Other(format!("cannot start a thread: {error}")))?);
        let node_config = node_config(&config)?;
        let node = NodeHandle::start(&spread, &World::new(Arc::new(host)), node_config);
        node.open();
        Ok(Self { node, log, _claim: claim })
    }

    /// Waits until everything listens. `None` if the operator wants it to stop before.
    pub(super) async fn wait_until_ready(&mut self, wishes: &mut Wishes) -> Result<Option<String>, Exit> {
        loop {
            match self.next(wishes).await {
                Event::News(NodeNotice::Ready { endpoints }) => {
                    let first =
                        endpoints.into_iter().filter_map(|(name, at)| Some((name, at.into_iter().next()?)));
                    return Ok(Some(ready_line(first)));
                }
                Event::News(NodeNotice::Failed { errors }) => {
                    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    return Err(Exit::Listen(sentences.join("; ")));
                }
                Event::News(_) => {}
                Event::Gone => return Err(Exit::Other("the node's thread died; see the log".into())),
                Event::Wish(Wish::ReopenLog) => self.log.reopen(),
                Event::Wish(Wish::Stop) => return Ok(None),
            }
        }
    }

    /// Serves until the operator wants it to stop.
    pub(super) async fn serve(&mut self, wishes: &mut Wishes) -> Result<(), Exit> {
        loop {
            match self.next(wishes).await {
                Event::Wish(Wish::Stop) => return Ok(()),
                Event::Wish(Wish::ReopenLog) => self.log.reopen(),
                Event::Gone => return Err(Exit::Other("the node's thread died; see the log".into())),
                Event::News(_) => {}
            }
        }
    }

    /// Stops politely; at once if the operator insists.
    pub(super) async fn stop(mut self, wishes: &mut Wishes) {
        say(&self.log, Severity::Info, "node", "stopping".into());
        self.node.shut_down(STOP);
        loop {
            match self.next(wishes).await {
                Event::News(NodeNotice::Stopped) | Event::Gone | Event::Wish(Wish::Stop) => break,
                Event::Wish(Wish::ReopenLog) => self.log.reopen(),
                Event::News(_) => {}
            }
        }
        self.log.flush(Duration::from_secs(1));
    }

    async fn next(&mut self, wishes: &mut Wishes) -> Event {
        let news = async { self.node.news.recv().await.map_or(Event::Gone, Event::News) };
        news.or(async { Event::Wish(wishes.next().await) }).await
    }
}

enum Event {
    News(News),
    Wish(Wish),
    /// The node's driver has ended without saying that it stopped.
    Gone,
}

fn say(log: &Log, severity: Severity, source: &str, message: String) {
    log.write(Record::new(severity, source, message));
}

fn make_host(config: &DaemonConfig, log: &Log) -> Result<DaemonHost, Exit> {
    let limits = &config.limits;
    let archive = ArchiveLimits::from(limits);
    let program = std::env::current_exe()
        .map_err(|error| Exit::Other(format!("cannot find my own program: {error}")))?;
    let file_limit = process::raise_file_limit(config.file_limit.value);
    let records = GroupRecords::create(&config.runtime.value).map_err(|error| {
        Exit::Config(format!("{}: cannot record worker processes: {error}", config.runtime.value.display()))
    })?;
    let storage = FilesStorage::open(&config.storage.value, limits.value_bytes.value);
    let launcher = Launcher::new(&config.spool.value, archive);
    launcher.clean();
    Ok(DaemonHost {
        storage: storage.map_err(|error| Exit::Config(error.to_string()))?,
        launcher,
        shim: ShimConfig { program, arguments: vec![SHIM.into()], file_limit: Some(file_limit) },
        records: records.into(),
        log: log.clone(),
    })
}

/// The node's configuration, from the daemon's.
fn node_config(config: &DaemonConfig) -> Result<NodeConfig, Exit> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| Exit::Other(format!("no randomness: {error}")))?;
    let runtime = path_text(&config.runtime.value)?;
    let mut node = NodeConfig::new(config.listen.value, runtime, seed);
    for service in &mut node.services {
        if service.kind != ServiceKind::Locator {
            service.at = SocketAddr::new(config.bind.value, config.port_of(&service.name));
        }
    }
    node.uuid = config.uuid.value.clone();
    node.advertised = config.advertise.value.clone();
    node.app_address = config.bind.value;
    node.ports = PortConfig {
        pinned: config.pinned.iter().map(|(name, port)| (name.clone(), port.value)).collect(),
        range: config.shared.value.map(|range| (range.first, range.last.saturating_add(1))),
    };
    node.runlist = config.runlist.value.clone();
    node.uid = rustix::process::geteuid().as_raw();
    node.limits = engine_limits(config);
    node.connections = usize::try_from(config.limits.clients.value).unwrap_or(usize::MAX);
    for (name, directory) in &config.apps {
        let directory = path_text(&directory.value)?;
        node.add_local_app(name, directory).map_err(|error| Exit::Config(error.to_string()))?;
    }
    Ok(node)
}

fn engine_limits(config: &DaemonConfig) -> EngineLimits {
    let limits = &config.limits;
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    EngineLimits {
        wire: Limits {
            frame_bytes: size(limits.frame_bytes.value),
            depth: u8::try_from(limits.depth.value).unwrap_or(u8::MAX),
            header_bytes: size(limits.header_bytes.value),
            headers: size(limits.headers.value),
            channels: size(limits.channels.value),
        },
        soft_bytes: size(limits.soft_bytes.value),
        channel_bytes: size(limits.channel_bytes.value),
        engine_bytes: size(limits.app_bytes.value),
        clients: size(limits.clients.value),
        strangers: size(limits.strangers.value),
        crash_logs: size(limits.crash_logs.value),
    }
}

fn path_text(path: &PathBuf) -> Result<String, Exit> {
    let absolute =
        std::path::absolute(path).map_err(|error| Exit::Config(format!("{}: {error}", path.display())))?;
    absolute.into_os_string().into_string().map_err(|path| {
        Exit::Config(format!("{}: the path is not UTF-8, which workers could not be told", path.display()))
    })
}

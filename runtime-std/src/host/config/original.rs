//! Configuration files of the original runtime: JSON, versions 2 and 4.
//!
//! What we have, we take over; what we do not have, or not yet, is a warning that names the key.
//! Only a storage that we cannot read is an error: starting with another one would look like lost data.

use super::ConfigError;
use super::limits::number;
use super::model::DaemonConfig;
use super::node::{Kind, Node, Position};
use super::parse;
use super::source::{Section, Source};

/// What a version calls its parts.
struct Version {
    /// The section of addresses and ports.
    network: &'static str,
    /// The key of the ports that are not pinned.
    range: &'static str,
    /// Top-level keys that do nothing here.
    without_effect: &'static [&'static str],
}

const VERSION_2: Version = Version { network: "locator", range: "port-range", without_effect: &["network"] };
const VERSION_4: Version =
    Version { network: "network", range: "shared", without_effect: &["unicorns", "context"] };

/// Lays the file's settings over what is known so far.
pub(crate) fn apply(
    source: &Source,
    root: &Node,
    extension: Option<Position>,
    config: &mut DaemonConfig,
) -> Result<(), ConfigError> {
    let mut top = Section::root(source, root)?;
    let version = version(&mut top, root.at)?;
    if let (2, Some(at)) = (version, extension) {
        return Err(source.error(at, "comments and trailing commas need version 4"));
    }
    let names = if version == 2 { VERSION_2 } else { VERSION_4 };
    paths(&mut top, config)?;
    network(&mut top, &names, config)?;
    if version == 2 {
        top.set("uuid", &mut config.uuid, |node| parse::text(node).map(Some))?;
        loggers_2(&mut top, config)?;
    } else {
        logging_4(&mut top, config)?;
        access(&mut top)?;
    }
    services(&mut top, config)?;
    storages(&mut top, config)?;
    names.without_effect.iter().for_each(|name| ignore(&mut top, name));
    top.warn_unknown();
    Ok(())
}

fn version(top: &mut Section<'_>, start: Position) -> Result<u64, ConfigError> {
    match top.entry("version").map(|entry| (&entry.node.kind, entry.node.at)) {
        Some((Kind::Uint(version @ (2 | 4)), _)) => Ok(*version),
        Some((Kind::Uint(3), at)) => {
            let problem = "version 3 was never released for long and is not read; write it as version 4, \
                           whose logging section is {\"severity\": …, \"loggers\": {…}}";
            Err(top.source.error(at, problem))
        }
        Some((other, at)) => {
            Err(top.source.error(at, format!("version must be 2 or 4, not {}", other.describe())))
        }
        None => Err(top.source.error(start, "\"version\" is missing: it must be 2 or 4")),
    }
}

fn paths(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(mut paths) = top.section("paths")? else { return Ok(()) };
    let source = top.source;
    paths.set("runtime", &mut config.runtime, |node| source.path(node))?;
    ignore(&mut paths, "plugins");
    ignore(&mut paths, "spool");
    paths.warn_unknown();
    Ok(())
}

fn network(top: &mut Section<'_>, names: &Version, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let source = top.source;
    let Some(mut network) = top.section(names.network)? else { return Ok(()) };
    if let Some(endpoint) = network.take("endpoint", parse::ip)? {
        config.listen.value.set_ip(endpoint.value);
        config.listen.origin = endpoint.origin.clone();
        config.bind = endpoint;
    } else if let Some(entry) = network.all().first() {
        let endpoint = network.full("endpoint");
        source.warn(
            entry.at,
            format!("without \"{endpoint}\" the daemon listens on loopback only; \"::\" means every address"),
        );
    }
    if let Some(port) = network.take("port", parse::port)? {
        config.listen.value.set_port(port.value);
        config.listen.origin = port.origin;
    }
    network.set(names.range, &mut config.shared, parse::open_range)?;
    pinned(&mut network, config)?;
    hostname(&mut network, config)?;
    network.set("pool", &mut config.threads, |node| number(&node.kind, 1, 1024))?;
    ["group", "gateway"].into_iter().for_each(|name| ignore(&mut network, name));
    network.warn_unknown();
    Ok(())
}

fn pinned(network: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(pinned) = network.section("pinned")? else { return Ok(()) };
    for entry in pinned.all() {
        let port = pinned.value(entry, parse::port)?;
        if entry.name == "locator" {
            config.listen.value.set_port(port.value);
            config.listen.origin = port.origin;
        } else {
            config.pinned.insert(entry.name.clone(), port);
        }
    }
    Ok(())
}

/// Clients are told numeric addresses, so a name is of use only if it is one.
fn hostname(network: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    if let Some(name) = network.take("hostname", parse::text)? {
        match (name.value.parse(), network.all().iter().find(|entry| entry.name == "hostname")) {
            (Ok(ip), _) => config.advertise = super::Setting::new(vec![ip], name.origin),
            (Err(_), Some(entry)) => {
                let key = network.full("hostname");
                let text = format!("\"{key}\" has no effect: clients are told addresses, not names");
                network.source.warn(entry.at, text);
            }
            (Err(_), None) => {}
        }
    }
    Ok(())
}

/// Version 2: `loggers.core` with one sink.
fn loggers_2(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(mut loggers) = top.section("loggers")? else { return Ok(()) };
    if let Some(mut core) = loggers.section("core")? {
        let kind = core.take("type", parse::text)?;
        if let Some(mut args) = core.section("args")? {
            args.set("verbosity", &mut config.log.level, parse::severity)?;
            let source = args.source;
            if kind.as_ref().is_some_and(|kind| kind.value == "files") {
                args.set("path", &mut config.log.file, |node| source.path(node).map(Some))?;
            } else {
                ignore(&mut args, "identity");
            }
            args.warn_unknown();
        }
        core.warn_unknown();
    }
    loggers.warn_unknown();
    Ok(())
}

/// Version 4: a severity, and sinks by logger. The sinks of `core` say where the log goes.
fn logging_4(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(mut logging) = top.section("logging")? else { return Ok(()) };
    logging.set("severity", &mut config.log.level, parse::severity)?;
    if let Some(mut loggers) = logging.section("loggers")? {
        for entry in loggers.entry("core").map(|core| lists(&core.node)).unwrap_or_default() {
            sinks(&loggers, entry, config)?;
        }
        loggers.warn_unknown();
    }
    logging.warn_unknown();
    Ok(())
}

fn lists(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    }
}

fn sinks(loggers: &Section<'_>, handler: &Node, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let source = loggers.source;
    for sink in handler.get("sinks").map(lists).unwrap_or_default() {
        match (sink.get("type").and_then(Node::text), sink.get("path")) {
            (Some("console"), _) => {}
            (Some("file" | "files"), Some(path)) => {
                let file = source.path(path).map_err(|rule| source.error(path.at, format!("path {rule}")))?;
                config.log.file = super::Setting::new(Some(file), source.origin(path.at));
            }
            (kind, _) => {
                let key = loggers.full("core");
                let text = format!(
                    "\"{key}\": a sink of type {:?} is ignored; console and file are known",
                    kind.unwrap_or_default()
                );
                source.warn(sink.at, text);
            }
        }
    }
    Ok(())
}

/// Who may do what. The types without checks are what we do; others would promise safety.
fn access(top: &mut Section<'_>) -> Result<(), ConfigError> {
    for name in ["authentications", "authorizations"] {
        let Some(section) = top.section(name)? else { continue };
        for entry in section.all() {
            if !matches!(entry.node.get("type").and_then(Node::text), Some("promiscuous" | "disabled")) {
                let key = section.full(&entry.name);
                section
                    .source
                    .warn(entry.at, format!("\"{key}\" is ignored: every client may do everything"));
            }
        }
    }
    Ok(())
}

/// All our services run; the file may say with which arguments.
fn services(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(services) = top.section("services")? else { return Ok(()) };
    for entry in services.all() {
        let key = services.full(&entry.name);
        let mut service = services.inside(entry)?;
        let kind = service.take("type", parse::text)?.map(|kind| kind.value).unwrap_or_default();
        if kind != entry.name || !super::model::SERVICES.contains(&entry.name.as_str()) {
            services.source.warn(entry.at, format!("service \"{key}\" of type {kind:?} is ignored"));
            continue;
        }
        if let Some(mut args) = service.section("args")? {
            if entry.name == "node" {
                args.set("runlist", &mut config.runlist, |node| parse::text(node).map(Some))?;
            }
            if entry.name == "storage" {
                args.demand("backend", "core")?;
            }
            args.warn_unknown();
        }
        service.warn_unknown();
    }
    Ok(())
}

fn storages(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let Some(mut storages) = top.section("storages")? else { return Ok(()) };
    // Our storage needs no cache before it.
    ignore(&mut storages, "cache");
    if let Some(mut core) = storages.section("core")? {
        let source = core.source;
        core.demand("type", "files")?;
        if let Some(mut args) = core.section("args")? {
            args.set("path", &mut config.storage, |node| source.path(node))?;
            args.warn_unknown();
        }
        core.warn_unknown();
    }
    storages.warn_unknown();
    Ok(())
}

impl Section<'_> {
    /// Refuses any other value of a key than the one we have.
    fn demand(&mut self, name: &'static str, only: &str) -> Result<(), ConfigError> {
        self.take(name, |node| match node.text() {
            Some(text) if text == only => Ok(()),
            _ => Err(format!("must be \"{only}\", the only one there is, not {}", node.kind.describe())),
        })
        .map(|_| ())
    }
}

/// Takes note of a key that we know and do nothing with.
fn ignore(section: &mut Section<'_>, name: &'static str) {
    if let Some(entry) = section.entry(name) {
        let key = section.full(name);
        section.source.warn(entry.at, format!("\"{key}\" has no effect here"));
    }
}

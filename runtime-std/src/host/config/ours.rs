//! The daemon's own configuration file, in TOML. Unknown keys are errors.

use super::ConfigError;
use super::limits::number;
use super::model::DaemonConfig;
use super::node::Node;
use super::parse;
use super::setting::Setting;
use super::source::{Section, Source};

/// Lays the file's settings over what is known so far.
pub(crate) fn apply(source: &Source, root: &Node, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let mut top = Section::root(source, root)?;
    addresses(&mut top, config)?;
    directories(&mut top, config)?;
    top.set("runlist", &mut config.runlist, |node| {
        // An empty name is how one says: none.
        if node.text() == Some("") { Ok(None) } else { parse::text(node).map(Some) }
    })?;
    top.set("uuid", &mut config.uuid, |node| parse::text(node).map(Some))?;
    top.set("threads", &mut config.threads, |node| number(&node.kind, 1, 1024))?;
    top.set("file-limit", &mut config.file_limit, |node| number(&node.kind, 64, 1 << 30).map(Some))?;
    if let Some(mut ports) = top.section("ports")? {
        self::ports(&mut ports, config)?;
    }
    if let Some(apps) = top.section("apps")? {
        self::apps(&apps, config)?;
    }
    if let Some(mut log) = top.section("log")? {
        self::log(&mut log, config)?;
    }
    if let Some(mut limits) = top.section("limits")? {
        config.limits.take(&mut limits)?;
        limits.deny_unknown()?;
    }
    top.deny_unknown()
}

fn addresses(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    top.set("listen", &mut config.listen, parse::listen)?;
    top.set("bind", &mut config.bind, parse::ip)?;
    top.set("advertise", &mut config.advertise, parse::ips)
}

fn directories(top: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let source = top.source;
    top.set("data", &mut config.data, |node| source.path(node))?;
    top.set("runtime-dir", &mut config.runtime, |node| source.path(node))?;
    top.set("storage", &mut config.storage, |node| source.path(node))?;
    top.set("spool", &mut config.spool, |node| source.path(node))
}

fn ports(section: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    section.set("shared", &mut config.shared, |node| parse::closed_range(node).map(Some))?;
    if let Some(pinned) = section.section("pinned")? {
        for entry in pinned.all() {
            config.pinned.insert(entry.name.clone(), pinned.value(entry, parse::port)?);
        }
    }
    section.deny_unknown()
}

fn apps(section: &Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    for entry in section.all() {
        parse::app_name(&entry.name).map_err(|problem| section.source.error(entry.at, problem))?;
        let directory = section.value(entry, |node| section.source.path(node))?;
        config.apps.insert(entry.name.clone(), directory);
    }
    Ok(())
}

fn log(section: &mut Section<'_>, config: &mut DaemonConfig) -> Result<(), ConfigError> {
    let (source, log) = (section.source, &mut config.log);
    section.set("file", &mut log.file, |node| source.path(node).map(Some))?;
    section.set("format", &mut log.format, parse::format)?;
    section.set("level", &mut log.level, parse::severity)?;
    section.deny_unknown()
}

/// `listen` of the locator also says where services and apps listen, unless `bind` does.
pub(crate) fn bind_follows_listen(config: &mut DaemonConfig) {
    if config.bind.origin == super::Origin::Default {
        config.bind = Setting::new(config.listen.value.ip(), config.listen.origin.clone());
    }
}

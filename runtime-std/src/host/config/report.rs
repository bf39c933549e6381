//! Every setting, its value, and who set it.

use std::fmt::Display;

use cocaine_core::wire::Value;

use super::model::{DaemonConfig, severity_name};
use super::setting::Setting;
use crate::host::json::to_json;

/// One line of `check-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The dotted name, as in the configuration file.
    pub name: String,
    /// The value, for people; `-` if there is none.
    pub value: String,
    /// Who set it.
    pub origin: String,
}

/// Everything the daemon would run with.
#[must_use]
pub fn report(config: &DaemonConfig) -> Vec<Row> {
    let mut rows = vec![
        plain("listen", &config.listen),
        plain("bind", &config.bind),
        row("advertise", &config.advertise, |ips| {
            optional(ips.iter().map(ToString::to_string).reduce(|all, ip| format!("{all} {ip}")).as_ref())
        }),
        row("data", &config.data, |path| path.display().to_string()),
        row("runtime-dir", &config.runtime, |path| path.display().to_string()),
        row("storage", &config.storage, |path| path.display().to_string()),
        row("spool", &config.spool, |path| path.display().to_string()),
        row("runlist", &config.runlist, |name| optional(name.as_ref())),
        row("uuid", &config.uuid, |uuid| optional(uuid.as_ref())),
        plain("threads", &config.threads),
        row("file-limit", &config.file_limit, |limit| optional(limit.as_ref())),
        row("ports.shared", &config.shared, |range| optional(range.as_ref())),
        row("log.file", &config.log.file, |file| optional(file.as_ref().map(|path| path.display()).as_ref())),
        plain("log.format", &config.log.format),
        row("log.level", &config.log.level, |level| severity_name(*level).into()),
    ];
    rows.extend(config.pinned.iter().map(|(name, port)| plain(&format!("ports.pinned.{name}"), port)));
    let apps = config.apps.iter();
    rows.extend(apps.map(|(name, dir)| row(&format!("apps.{name}"), dir, |path| path.display().to_string())));
    rows.extend(config.limits.all().into_iter().map(|(name, limit)| plain(&format!("limits.{name}"), limit)));
    rows
}

/// The same for programs, as JSON in one line: name to `{"value": …, "origin": …}`.
#[must_use]
pub fn report_json(config: &DaemonConfig) -> String {
    let entry = |row: Row| {
        let fields = vec![("value".into(), row.value.into()), ("origin".into(), row.origin.into())];
        (Value::from(row.name), Value::Map(fields))
    };
    to_json(&Value::Map(report(config).into_iter().map(entry).collect()))
}

fn row<T>(name: &str, setting: &Setting<T>, show: impl FnOnce(&T) -> String) -> Row {
    Row { name: name.into(), value: show(&setting.value), origin: setting.origin.to_string() }
}

fn plain(name: &str, setting: &Setting<impl Display>) -> Row {
    row(name, setting, ToString::to_string)
}

fn optional(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "-".into(), ToString::to_string)
}

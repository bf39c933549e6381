//! `info`: what apps run, and how they are.

use super::Session;
use super::cli;
use super::exit::Exit;
use super::output::{self, Format};
use super::report;
use crate::client::{Error, Value};

/// Flags of the node's `info`: the report, the manifest, the profile's content.
const REPORT: u64 = 1;
const MANIFEST: u64 = 2;
const PROFILE: u64 = 4;

pub(super) async fn info(session: &Session, command: &cli::Info) -> Result<(), Exit> {
    let node = session.node();
    let apps = if command.apps.is_empty() { node.list().await? } else { command.apps.clone() };
    let mut reports = Vec::new();
    for app in apps {
        let report = match node.info(&app, flags(command)).await {
            Ok(report) => report,
            // One app's failure is no reason to say nothing of the others, unless it is the only one.
            Err(Error::Service(failure)) if command.apps.len() != 1 => Value::from(failure.to_string()),
            Err(error) => return Err(error.into()),
        };
        reports.push((app, report));
    }
    match session.format {
        Format::Json => {
            let count = reports.len() as u64;
            output::json(&Value::map([("apps", Value::map(reports)), ("count", count.into())]));
        }
        Format::Human => report::print(reports),
    }
    Ok(())
}

fn flags(command: &cli::Info) -> u64 {
    if command.brief {
        return 0;
    }
    REPORT | if command.manifest { MANIFEST } else { 0 } | if command.profile { PROFILE } else { 0 }
}

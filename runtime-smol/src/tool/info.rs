//! `info`: what apps run, and how they are.

use std::future::Future;

use super::cli;
use super::exit::Exit;
use super::output::{self, Format};
use super::report;
use super::{Session, within};
use crate::client::{Node, Value};
use crate::print;

/// Flags of the node's `info`: the report, the manifest, the profile's content.
const REPORT: u64 = 1;
const MANIFEST: u64 = 2;
const PROFILE: u64 = 4;

pub(super) async fn info(session: &Session, command: &cli::Info) -> Result<(), Exit> {
    let node = session.node();
    let named = !command.apps.is_empty();
    let apps = match named {
        true => command.apps.clone(),
        false => session.within(async { Ok(node.list().await?) }).await?,
    };
    // All at once, each with a time limit of its own: one that gives no answer does not keep the others' back.
    let asked: Vec<_> =
        apps.iter().map(|app| smol::spawn(ask(session, &node, app, flags(command)))).collect();
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for (app, answer) in apps.into_iter().zip(asked) {
        match answer.await {
            Ok(report) => reports.push((app, report)),
            // One app's failure is no reason to say nothing of the others.
            Err(failure @ (Exit::Service(_) | Exit::TimedOut(_))) => {
                reports.push((app, excuse(&failure)));
                failures.push(failure);
            }
            Err(exit) => return Err(exit),
        }
    }
    match (failures.pop(), reports.len()) {
        (Some(only), 1) if named => return Err(only),
        (Some(_), _) if named => {
            show(session, command, reports);
            return Err(Exit::Partial);
        }
        _ => show(session, command, reports),
    }
    Ok(())
}

fn ask(
    session: &Session,
    node: &Node,
    app: &str,
    flags: u64,
) -> impl Future<Output = Result<Value, Exit>> + Send + 'static {
    let (node, app) = (node.clone(), app.to_owned());
    within(session.limit, async move { Ok(node.info(&app, flags).await?) })
}

fn flags(command: &cli::Info) -> u64 {
    if command.brief {
        return 0;
    }
    REPORT | if command.manifest { MANIFEST } else { 0 } | if command.profile { PROFILE } else { 0 }
}

/// What stands where a report should.
fn excuse(failure: &Exit) -> Value {
    match failure {
        Exit::TimedOut(_) => {
            Value::map([("state", "unresponsive".to_owned()), ("error", failure.to_string())])
        }
        other => other.to_string().into(),
    }
}

fn show(session: &Session, command: &cli::Info, reports: Vec<(String, Value)>) {
    if session.format == Format::Json {
        let count = reports.len() as u64;
        return output::json(&Value::map([("apps", Value::map(reports)), ("count", count.into())]));
    }
    if reports.is_empty() {
        eprintln!("No app runs on this node; `cocaine-tool app start NAME` starts one.");
        return;
    }
    report::print(&reports);
    for (wanted, part) in [(command.manifest, "manifest"), (command.profile, "profile")] {
        for (app, report) in reports.iter().filter(|_| wanted) {
            let Some(content) = report.get(part) else { continue };
            print::line(format_args!("\nThe {part} of {app}:"));
            output::json(content);
        }
    }
}

//! Reports of apps as a table, for people.

use super::output;
use crate::client::Value;

const HEADER: [&str; 8] = ["APP", "STATE", "UPTIME", "PROFILE", "WORKERS", "LOAD", "QUEUE", "REQUESTS"];

/// Prints a line for every app.
pub(crate) fn print(reports: impl IntoIterator<Item = (String, Value)>) {
    output::table(HEADER, reports.into_iter().map(|(app, report)| row(&app, &report)));
}

/// One app as one line.
fn row(app: &str, report: &Value) -> [String; 8] {
    let text = |path: &[&str]| find(report, path).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = |path: &[&str]| find(report, path).and_then(Value::as_u64);
    let pair = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => format!("{a}/{b}"),
        _ => "-".to_owned(),
    };
    let state = report.as_str().unwrap_or_default();
    let workers = number(&["pool", "active"]).zip(number(&["pool", "idle"])).map(|(busy, idle)| busy + idle);
    let requests = match (number(&["requests", "accepted"]), number(&["requests", "rejected"])) {
        (Some(accepted), Some(0)) => accepted.to_string(),
        (Some(accepted), Some(rejected)) => format!("{accepted} (+{rejected} refused)"),
        _ => "-".to_owned(),
    };
    [
        app.to_owned(),
        if state.is_empty() { text(&["state"]) } else { state.to_owned() },
        number(&["uptime"]).map_or("-".to_owned(), |seconds| format!("{seconds} s")),
        text(&["profile", "name"]),
        pair(workers, number(&["pool", "capacity"])),
        number(&["load"]).map_or("-".to_owned(), |load| load.to_string()),
        pair(number(&["queue", "depth"]), number(&["queue", "capacity"])),
        requests,
    ]
}

fn find<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

//! Reports of apps as a table, for people.

use crate::client::Value;
use crate::print;

const HEADER: [&str; 8] = ["APP", "STATE", "UPTIME", "PROFILE", "WORKERS", "LOAD", "QUEUE", "REQUESTS"];

/// Prints a line for every app, and below what is wrong with some.
pub(crate) fn print(reports: &[(String, Value)]) {
    print::table(HEADER, reports.iter().map(|(app, report)| row(app, report)));
    for (app, report) in reports {
        if let Some(text) = trouble(report) {
            print::line(format_args!("\n{app}: {}", printable(text)));
        }
    }
}

/// One app as one line.
fn row(app: &str, report: &Value) -> [String; 8] {
    let text = |path: &[&str]| find(report, path).and_then(Value::as_str).unwrap_or("-").to_owned();
    let number = |path: &[&str]| find(report, path).and_then(Value::as_u64);
    let pair = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => format!("{a}/{b}"),
        _ => "-".to_owned(),
    };
    let workers = number(&["pool", "active"]).zip(number(&["pool", "idle"])).map(|(busy, idle)| busy + idle);
    let requests = match (number(&["requests", "accepted"]), number(&["requests", "rejected"])) {
        (Some(accepted), Some(0)) => accepted.to_string(),
        (Some(accepted), Some(rejected)) => format!("{accepted} (+{rejected} refused)"),
        _ => "-".to_owned(),
    };
    [
        app.to_owned(),
        text(&["state"]),
        number(&["uptime"]).map_or("-".to_owned(), age),
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

/// What is wrong with an app: the cause of its state, or what there is instead of a report.
fn trouble(report: &Value) -> Option<&str> {
    let told = ["cause", "error"].iter().find_map(|key| report.get(key)?.as_str());
    told.or_else(|| report.as_str())
}

/// Seconds in the two largest units that they fill.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

/// An app's own words may be among these: further lines are indented, and nothing reaches the terminal that could
/// move its cursor or change its colours.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.trim_end().chars() {
        match letter {
            '\n' => out.push_str("\n    "),
            '\t' => out.push(' '),
            letter if letter.is_control() => out.extend(letter.escape_default()),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m0s"), (3_599, "59m59s"), (3_660, "1h1m"), (90_000, "1d1h")]
        {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn an_apps_words_cannot_leave_their_place() {
        assert_eq!(printable("one\ntwo\t\u{1b}[2J\n"), "one\n    two \\u{1b}[2J");
    }

    #[test]
    fn a_report_without_figures_has_its_cause() {
        let broken = Value::map([
            ("state", Value::from("broken")),
            ("error", Value::from(2_i64)),
            ("cause", "why".into()),
        ]);
        assert_eq!(row("web", &broken), ["web", "broken", "-", "-", "-", "-", "-", "-"].map(str::to_owned));
        assert_eq!(trouble(&broken), Some("why"));
        assert_eq!(trouble(&Value::from("there is no app")), Some("there is no app"));
    }
}

//! How a line of the log looks.

use cocaine_core::machine::{Record, Severity};
use cocaine_core::wire::Value;

use crate::host::config::LogFormat;
use crate::host::json::{push, write_text, write_value};

/// Appends one line with its end.
pub(super) fn line(out: &mut String, format: LogFormat, record: &Record, unix_micros: u64) {
    match format {
        LogFormat::Human => human(out, record, unix_micros),
        LogFormat::Json => json(out, record, unix_micros),
    }
    out.push('\n');
}

/// `2026-11-22T12:00:00.123Z INFO  node  message key=value`
fn human(out: &mut String, record: &Record, unix_micros: u64) {
    time(out, unix_micros, 3);
    let severity = match record.severity {
        Severity::Debug => "DEBUG",
        Severity::Info => "INFO ",
        Severity::Warning => "WARN ",
        Severity::Error => "ERROR",
    };
    push(out, format_args!(" {severity} "));
    write_plain(out, &record.source);
    out.push_str("  ");
    write_plain(out, &record.message);
    for (name, value) in &record.attributes {
        out.push(' ');
        write_plain(out, name);
        out.push('=');
        human_value(out, value);
    }
}

/// Texts without quotes where they need none, everything else as JSON.
fn human_value(out: &mut String, value: &Value) {
    match value {
        Value::Raw(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let quoted = |letter: char| {
                letter.is_control() || letter.is_whitespace() || "\"\\=\u{fffd}".contains(letter)
            };
            if text.is_empty() || text.contains(quoted) {
                write_text(out, &text);
            } else {
                out.push_str(&text);
            }
        }
        other => write_value(out, other),
    }
}

/// Text that cannot break its line or colour the terminal.
fn write_plain(out: &mut String, text: &str) {
    for letter in text.chars() {
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
}

/// `{"time":…,"severity":…,"source":…,"message":…,"attributes":{…}}`
fn json(out: &mut String, record: &Record, unix_micros: u64) {
    let severity = match record.severity {
        Severity::Debug => "debug",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    out.push_str("{\"time\":\"");
    time(out, unix_micros, 6);
    push(out, format_args!("\",\"severity\":\"{severity}\",\"source\":"));
    write_text(out, &record.source);
    out.push_str(",\"message\":");
    write_text(out, &record.message);
    out.push_str(",\"attributes\":{");
    for (index, (name, value)) in record.attributes.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push_str("}}");
}

/// The moment in UTC, with this many digits of the second.
fn time(out: &mut String, unix_micros: u64, digits: usize) {
    let (seconds, micros) = (unix_micros / 1_000_000, unix_micros % 1_000_000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    push(out, format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}."));
    let fraction = format!("{micros:06}");
    out.push_str(fraction.get(..digits).unwrap_or(&fraction));
    out.push('Z');
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from March,
/// so that the leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record::new(Severity::Info, "node", "app started\nx")
            .with("app", "echo")
            .with("why", "it was asked for")
            .with("workers", 3_u64)
            .with("empty", "")
    }

    #[test]
    fn a_line_for_people() {
        let mut out = String::new();
        line(&mut out, LogFormat::Human, &record(), 1_795_348_800_123_456);
        let expected = "2026-11-22T12:00:00.123Z INFO  node  app started\\nx app=echo \
                        why=\"it was asked for\" workers=3 empty=\"\"\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_line_for_programs() {
        let mut out = String::new();
        line(&mut out, LogFormat::Json, &record(), 1_795_348_800_123_456);
        assert!(out.ends_with("}}\n") && out.matches('\n').count() == 1);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            read,
            serde_json::json!({
                "time": "2026-11-22T12:00:00.123456Z", "severity": "info", "source": "node",
                "message": "app started\nx",
                "attributes": {"app": "echo", "why": "it was asked for", "workers": 3, "empty": ""}
            })
        );
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (20_088, (2024, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}

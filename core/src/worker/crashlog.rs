//! The last lines of a worker's output, and the record they become when it crashes.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::wire::Value;

/// The storage collection of crash logs.
pub const COLLECTION: &str = "crashlogs";

/// The most bytes that are kept of one line; the rest of a longer one is dropped.
pub const LINE_LIMIT: usize = 4096;

/// What the tag of a day begins with.
const DAY: &str = "cocaine-";

/// A ring of the last lines of output.
///
/// Memory is bounded by the number of lines times [`LINE_LIMIT`], whatever a worker writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashLog {
    limit: usize,
    lines: VecDeque<Bytes>,
    tail: Vec<u8>,
}

impl CrashLog {
    /// An empty ring for `limit` lines; 0 keeps nothing.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, lines: VecDeque::new(), tail: Vec::new() }
    }

    /// Splits `bytes` at line feeds, however they are cut, and calls `line` for each complete line.
    pub fn push(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LINE_LIMIT.saturating_sub(self.tail.len());
            self.tail.extend_from_slice(text.get(..room).unwrap_or(text));
            if complete {
                line(&self.tail);
                self.keep();
            }
        }
    }

    /// Moves the finished line into the ring.
    fn keep(&mut self) {
        if self.limit > 0 {
            if self.lines.len() >= self.limit {
                self.lines.pop_front();
            }
            self.lines.push_back(Bytes::copy_from_slice(&self.tail));
        }
        self.tail.clear();
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines().next().is_none()
    }

    /// The lines, oldest first; an unfinished one is the last. Never more than the limit.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let tail = (self.limit > 0 && !self.tail.is_empty()).then_some(self.tail.as_slice());
        let surplus = (self.lines.len() + usize::from(tail.is_some())).saturating_sub(self.limit);
        self.lines.iter().skip(surplus).map(AsRef::as_ref).chain(tail)
    }

    /// The record's value: an array of raw lines.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Array(self.lines().map(|line| Value::Raw(Bytes::copy_from_slice(line))).collect())
    }

    /// The last lines as one text of at most `limit` bytes, for an error message.
    #[must_use]
    pub fn excerpt(&self, limit: usize) -> String {
        let lines: Vec<&[u8]> = self.lines().collect();
        let text = String::from_utf8_lossy(&lines.join(&b'\n')).into_owned();
        let mut start = text.len().saturating_sub(limit);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text.get(start..).unwrap_or_default().into()
    }

    /// The record's key.
    #[must_use]
    pub fn key(unix_micros: u64, uuid: &str) -> String {
        format!("{unix_micros}:{uuid}")
    }

    /// When the record of this key was made, in microseconds since the Unix epoch; `None` if it is none of ours.
    #[must_use]
    pub fn time(key: &str) -> Option<u64> {
        key.split_once(':')?.0.parse().ok()
    }

    /// The record's tags: the app, and the day (UTC) that the operator's tool lists by.
    #[must_use]
    pub fn tags(app: &str, unix_micros: u64) -> Vec<String> {
        let (year, month, day) = civil_date(unix_micros / 86_400_000_000);
        vec![app.into(), format!("{DAY}{year:04}-{month:02}-{day:02}")]
    }

    /// Whether an app of this name would share its tag with a day.
    #[must_use]
    pub fn is_day(app: &str) -> bool {
        let date = app.strip_prefix(DAY);
        date.is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
    }
}

/// Year, month and day (Gregorian, UTC) of the `days`th day after 1970-01-01.
///
/// Counts in years that begin on the first of March, so that the leap day is a year's last day and
/// the lengths of the months before it follow one linear rule.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_400_YEARS: u64 = 146_097;
    // Days since 0000-03-01.
    let days = days.saturating_add(719_468);
    let era = days / DAYS_PER_400_YEARS;
    let day_of_era = days % DAYS_PER_400_YEARS;
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, later) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + later, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(limit: usize, pieces: &[&str]) -> (CrashLog, Vec<String>) {
        let mut log = CrashLog::new(limit);
        let mut seen = Vec::new();
        for piece in pieces {
            log.push(piece.as_bytes(), |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        }
        (log, seen)
    }

    fn kept(log: &CrashLog) -> Vec<String> {
        log.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn lines_are_joined_over_reads_and_the_tail_is_kept() {
        let (log, seen) = log(50, &["a", "b\nc", "\n\nhalf"]);
        assert_eq!(seen, ["ab", "c", ""]);
        assert_eq!(kept(&log), ["ab", "c", "", "half"]);
    }

    #[test]
    fn engine_defect_33_crash_logs_are_bounded_in_lines_and_bytes() {
        let long = "x".repeat(3 * LINE_LIMIT);
        let (log, seen) = log(2, &["1\n2\n3\n", &long, &long, "\n", "tail"]);
        assert_eq!(seen.len(), 4);
        assert_eq!(kept(&log), [&long[..LINE_LIMIT], "tail"]);
        assert_eq!(log.tail.capacity().max(2 * LINE_LIMIT), 2 * LINE_LIMIT);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing_but_still_reports_lines() {
        let (log, seen) = log(0, &["a\nb"]);
        assert_eq!(seen, ["a"]);
        assert!(log.is_empty());
        assert_eq!(log.to_value(), Value::Array(vec![]));
    }

    #[test]
    fn any_cut_gives_the_same_lines() {
        let text = "one\ntwo\n\nthree";
        let whole = log(10, &[text]);
        for at in 0..text.len() {
            assert_eq!(log(10, &[&text[..at], &text[at..]]), whole, "cut at {at}");
        }
    }

    #[test]
    fn the_excerpt_ends_with_the_last_words_on_a_character_edge() {
        let (log, _) = log(10, &["first\nзла"]);
        assert_eq!(log.excerpt(100), "first\nзла");
        assert_eq!(log.excerpt(3), "а");
    }

    #[test]
    fn keys_and_tags_are_those_the_operators_tool_looks_for() {
        assert_eq!(CrashLog::key(1_467_331_200_000_001, "u-1"), "1467331200000001:u-1");
        assert_eq!(CrashLog::tags("echo", 1_467_331_200_000_000), ["echo", "cocaine-2016-07-01"]);
        assert_eq!(CrashLog::tags("echo", 1_467_331_199_999_999), ["echo", "cocaine-2016-06-30"]);
        assert_eq!(CrashLog::time("1467331200000001:u-1"), Some(1_467_331_200_000_001));
        assert_eq!((CrashLog::time("note"), CrashLog::time("x:u-1")), (None, None));
        assert!(CrashLog::is_day("cocaine-2016-06-30"));
        assert!(!CrashLog::is_day("echo") && !CrashLog::is_day("cocaine-echo"));
    }

    #[test]
    fn civil_dates_at_the_edges() {
        let expected = [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (10_956, (1999, 12, 31)),
            (10_957, (2000, 1, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (20_000, (2024, 10, 4)),
        ];
        for (days, date) in expected {
            assert_eq!(civil_date(days), date, "day {days}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_one_before() {
        let mut last = civil_date(0);
        for days in 1..146_097 {
            let next = civil_date(days);
            let (year, month, day) = last;
            let fits = next == (year, month, day + 1)
                || (next == (year, month + 1, 1) && day >= 28)
                || (next == (year + 1, 1, 1) && (month, day) == (12, 31));
            assert!(fits, "{last:?} then {next:?}");
            last = next;
        }
        assert_eq!(last, (2369, 12, 31));
    }
}

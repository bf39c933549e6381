//! Medians, ratios, and how they are shown.

use serde_json::json;

use crate::CASES;
use crate::client::Run;

#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// All runs of one target in one case.
struct Row {
    case: &'static str,
    target: &'static str,
    runs: Vec<Run>,
}

impl Row {
    fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.runs.iter().map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        let middle = figures.len() / 2;
        if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[middle - 1], figures[middle])
        } else {
            figures[middle]
        }
    }

    fn per_second(&self) -> f64 {
        self.median(|run| run.per_second)
    }
}

impl Report {
    pub(crate) fn add(&mut self, case: &'static str, target: &'static str, run: Run) {
        match self.rows.iter_mut().find(|row| (row.case, row.target) == (case, target)) {
            Some(row) => row.runs.push(run),
            None => self.rows.push(Row { case, target, runs: vec![run] }),
        }
    }

    /// How fast a row is beside another target in the same case.
    fn ratio(&self, row: &Row, target: &str) -> f64 {
        let other = self.rows.iter().find(|other| (other.case, other.target) == (row.case, target));
        other.map_or(f64::NAN, |other| row.per_second() / other.per_second())
    }

    fn in_order(&self) -> impl Iterator<Item = &Row> {
        CASES.iter().flat_map(|case| self.rows.iter().filter(|row| row.case == case.name))
    }

    pub(crate) fn print_table(&self) {
        println!(
            "{:7} {:8} {:>10} {:>9} {:>9} {:>11} {:>9} {:>9} {:>9}",
            "case", "target", "req/s", "p50 us", "p99 us", "cpu us/req", "peak KB", "of floor", "of relay"
        );
        for row in self.in_order() {
            println!(
                "{:7} {:8} {:10.0} {:9.1} {:9.1} {:11.2} {:9.0} {:9.3} {:9.3}",
                row.case,
                row.target,
                row.per_second(),
                row.median(|run| run.p50),
                row.median(|run| run.p99),
                row.median(|run| run.cpu),
                row.median(|run| run.peak),
                self.ratio(row, "floor"),
                self.ratio(row, "relay"),
            );
        }
    }

    pub(crate) fn print_json(&self) {
        let rows: Vec<_> = self
            .in_order()
            .map(|row| {
                json!({
                    "case": row.case,
                    "target": row.target,
                    "requests_per_second": row.per_second(),
                    "p50_us": row.median(|run| run.p50),
                    "p99_us": row.median(|run| run.p99),
                    "cpu_us_per_request": row.median(|run| run.cpu),
                    "peak_rss_kib": row.median(|run| run.peak),
                    "of_floor": self.ratio(row, "floor"),
                    "of_relay": self.ratio(row, "relay"),
                })
            })
            .collect();
        println!("{}", json!(rows));
    }
}

//! How results are printed: tables and sentences for people, JSON for programs.

use clap::ValueEnum;
use cocaine_runtime_std::host::json::to_json;
use comfy_table::{Table, presets};

use crate::client::Value;
use crate::print;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables and sentences, for people.
    Human,
    /// JSON, for programs.
    Json,
}

/// Prints a value as one JSON document, indented, its keys sorted.
pub(super) fn json(value: &Value) {
    let text = to_json(value);
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(document) => print::line(format_args!("{document:#}")),
        // A number that JSON has no notation for: better as it is than not at all.
        Err(_) => print::line(text),
    }
}

/// Prints a value as one line of JSON.
pub(super) fn json_line(value: &Value) {
    print::line(to_json(value));
}

/// Prints rows below a header.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for line in table.to_string().lines() {
        print::line(line.trim_end());
    }
}

//! How results are printed: tables and sentences for people, JSON for programs.

use clap::ValueEnum;
use cocaine_runtime_std::host::json::to_json;

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

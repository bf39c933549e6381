//! What is wrong, or odd, in a document of configuration.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::wire::Value;

/// One thing that is wrong with a document, or odd about it.
///
/// Reads `profiles/default: pool-limit is 0: must be at least 1`, with line and column behind the
/// source where they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The document: a file name, or `profiles/default`.
    pub source: String,
    /// Line and column in it, from 1, if it is a file.
    pub position: Option<(u32, u32)>,
    /// The key it is about, dotted; empty for the document as a whole.
    pub key: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        match self.key.as_str() {
            "" => write!(f, ": {}", self.text),
            key => write!(f, ": {key} {}", self.text),
        }
    }
}

// By hand: the derive takes a field named `source` for the cause.
impl core::error::Error for Complaint {}

/// A document that is right, and what is odd about it all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked<T> {
    /// What it says.
    pub value: T,
    /// Unknown keys, and keys without effect.
    pub warnings: Vec<Complaint>,
}

/// A value as it may stand in a message: short, and on one line.
pub(super) fn shown(value: &Value) -> String {
    const LONGEST: usize = 40;
    match value {
        Value::Nil => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Map(entries) => format!("a map of {}", entries.len()),
        Value::Raw(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            let mut short: String = text.chars().take(LONGEST).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            format!("{short:?}")
        }
    }
}

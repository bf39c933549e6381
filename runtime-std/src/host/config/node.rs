//! One tree for JSON and TOML alike, that knows where everything stands.

use std::collections::BTreeMap;

use cocaine_core::wire::Value;

/// A place in a text: line and column from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    /// Where a byte of a text stands.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Uint(u64),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key with its value, in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

impl Kind {
    /// What it is, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(flag) => flag.to_string(),
            Self::Uint(number) => number.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".into(),
            Self::Table(_) => "a table".into(),
        }
    }
}

impl Node {
    /// The entries, if it is a table.
    pub(crate) fn table(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// One entry of a table.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.table()?.iter().find(|entry| entry.name == name).map(|entry| &entry.node)
    }

    /// The value without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Nil,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Uint(number) => Value::Uint(*number),
            Kind::Int(number) => Value::from(*number),
            Kind::Float(number) => Value::Float(*number),
            Kind::Text(text) => Value::from(text.as_str()),
            Kind::List(nodes) => Value::Array(nodes.iter().map(Self::to_value).collect()),
            Kind::Table(entries) => Value::Map(
                entries
                    .iter()
                    .map(|entry| (Value::from(entry.name.as_str()), entry.node.to_value()))
                    .collect(),
            ),
        }
    }

    /// Dotted path to line and column, for every key and list element below.
    pub(crate) fn positions(&self) -> BTreeMap<String, (u32, u32)> {
        let mut all = BTreeMap::new();
        self.collect_positions("", &mut all);
        all
    }

    fn collect_positions(&self, prefix: &str, all: &mut BTreeMap<String, (u32, u32)>) {
        let mut visit = |name: &str, at: Position, node: &Self| {
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            node.collect_positions(&path, all);
            all.insert(path, (at.line, at.column));
        };
        match &self.kind {
            Kind::Table(entries) => {
                for entry in entries {
                    visit(&entry.name, entry.at, &entry.node);
                }
            }
            Kind::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    visit(&index.to_string(), node.at, node);
                }
            }
            _ => {}
        }
    }
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: Position,
    pub(crate) problem: String,
}

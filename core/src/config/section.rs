//! Reading one map of a document, key by key.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::complaint::{Complaint, shown};
use crate::machine::Document;
use crate::wire::Value;

/// The longest time that can be configured: more than three hundred years.
const LONGEST: Duration = Duration::from_secs(10_000_000_000);

/// A map of a document. Remembers which keys were asked for, so that it can name the others.
pub(super) struct Section<'a> {
    document: &'a Document,
    path: String,
    entries: &'a [(Value, Value)],
    known: Vec<&'a str>,
    warnings: Vec<Complaint>,
}

impl<'a> Section<'a> {
    /// The document's own map.
    pub(super) fn root(document: &'a Document) -> Result<Self, Complaint> {
        Self::open(document, String::new(), &document.value)
    }

    fn open(document: &'a Document, path: String, value: &'a Value) -> Result<Self, Complaint> {
        let Value::Map(entries) = value else {
            let text = format!("is {}: must be a map", shown(value));
            let text = if path.is_empty() { format!("the document {text}") } else { text };
            return Err(complaint(document, path, text));
        };
        Ok(Self { document, path, entries, known: Vec::new(), warnings: Vec::new() })
    }

    /// The map below `key`, if there is one. Hand it to [`absorb`](Self::absorb) when it was read.
    pub(super) fn section(&mut self, key: &'a str) -> Result<Option<Self>, Complaint> {
        let path = self.dotted(key);
        self.get(key).map(|value| Self::open(self.document, path, value)).transpose()
    }

    /// The value of `key`. Of several, the last counts; null counts as absent.
    pub(super) fn get(&mut self, key: &'a str) -> Option<&'a Value> {
        self.known.push(key);
        let found = self.entries.iter().rev().find(|(name, _)| is_text(name, key));
        found.map(|(_, value)| value).filter(|value| **value != Value::Nil)
    }

    /// All entries, whatever their keys: for maps whose keys are data.
    pub(super) fn entries(&mut self) -> Result<Vec<(&'a str, &'a Value)>, Complaint> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (key, value) in self.entries {
            let Some(name) = text(key) else {
                return Err(self.about("", format!("has the key {}: keys must be strings", shown(key))));
            };
            self.known.push(name);
            entries.push((name, value));
        }
        Ok(entries)
    }

    /// A time in seconds.
    pub(super) fn seconds(&mut self, key: &'a str) -> Result<Option<Duration>, Complaint> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let time = match value {
            Value::Uint(seconds) => Some(Duration::from_secs(*seconds)),
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).ok(),
            _ => None,
        };
        match time {
            Some(time) if time <= LONGEST => Ok(Some(time)),
            Some(_) => Err(self.wrong(key, value, "must be at most 10000000000 seconds")),
            None => Err(self.wrong(key, value, "must be a finite number of seconds, 0 or more")),
        }
    }

    /// A time in seconds that cannot be zero.
    pub(super) fn some_seconds(&mut self, key: &'a str) -> Result<Option<Duration>, Complaint> {
        let time = self.seconds(key)?;
        if time.is_some_and(|time| time < Duration::from_micros(1)) {
            return Err(self.wrong(key, &self.raw(key), "must be more than 0 seconds"));
        }
        Ok(time)
    }

    /// A whole number between two bounds.
    pub(super) fn number(&mut self, key: &'a str, least: u64, most: u64) -> Result<Option<u64>, Complaint> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value {
            Value::Uint(number) if (least..=most).contains(number) => Ok(Some(*number)),
            Value::Uint(number) if *number > most => {
                Err(self.wrong(key, value, &format!("must be at most {most}")))
            }
            Value::Uint(_) | Value::Int(_) => {
                Err(self.wrong(key, value, &format!("must be at least {least}")))
            }
            _ => Err(self.wrong(key, value, "must be a whole number")),
        }
    }

    /// A number of things, up to what fits 32 bits.
    pub(super) fn size(&mut self, key: &'a str, least: u64) -> Result<Option<usize>, Complaint> {
        let number = self.number(key, least, u64::from(u32::MAX))?;
        Ok(number.map(|number| usize::try_from(number).unwrap_or(usize::MAX)))
    }

    /// A string without NUL, for it ends up in paths and arguments.
    pub(super) fn text(&mut self, key: &'a str) -> Result<Option<&'a str>, Complaint> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match text(value) {
            Some(found) if !found.is_empty() && !found.contains('\0') => Ok(Some(found)),
            Some(_) => Err(self.wrong(key, value, "must not be empty, nor contain NUL")),
            None => Err(self.wrong(key, value, "must be a string")),
        }
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'a str) -> Result<Option<bool>, Complaint> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(value) => Err(self.wrong(key, value, "must be true or false")),
        }
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'a str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, Complaint> {
        let Some(value) = self.get(key) else { return Ok(None) };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| is_text(value, word)) {
            return Ok(Some(*meaning));
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(self.wrong(key, value, &format!("must be {}", words.join(" or "))))
    }

    /// That the value of `key` breaks `rule`.
    pub(super) fn wrong(&self, key: &str, value: &Value, rule: &str) -> Complaint {
        self.about(key, format!("is {}: {rule}", shown(value)))
    }

    /// Something about `key`.
    pub(super) fn about(&self, key: &str, text: impl Into<String>) -> Complaint {
        complaint(self.document, self.dotted(key), text.into())
    }

    /// Something odd about `key`.
    pub(super) fn warn(&mut self, key: &str, text: impl Into<String>) {
        let warning = self.about(key, text);
        self.warnings.push(warning);
    }

    /// Takes over what a section below had to say.
    pub(super) fn absorb(&mut self, below: Section<'_>) {
        self.warnings.extend(below.finish());
    }

    /// All that is odd about this map, unknown keys included.
    pub(super) fn finish(mut self) -> Vec<Complaint> {
        for (key, _) in self.entries {
            match text(key) {
                Some(name) if self.known.contains(&name) => {}
                Some(name) => self.warn(name, "is not a known key and is ignored"),
                None => self.warn("", format!("the key {} is not a string and is ignored", shown(key))),
            }
        }
        self.warnings
    }

    /// The value of `key` as it stands, for a message.
    fn raw(&self, key: &str) -> Value {
        let found = self.entries.iter().rev().find(|(name, _)| is_text(name, key));
        found.map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn dotted(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }
}

fn complaint(document: &Document, key: String, text: String) -> Complaint {
    let position = document.positions.get(&key).copied();
    Complaint { source: document.source.clone(), position, key, text }
}

/// A value's text, if it is valid text.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Raw(bytes) => core::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn is_text(value: &Value, expected: &str) -> bool {
    matches!(value, Value::Raw(bytes) if bytes.as_ref() == expected.as_bytes())
}

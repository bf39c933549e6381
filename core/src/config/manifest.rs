//! The manifest: what an app is.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;

use super::Protocol;
use super::complaint::{Checked, Complaint};
use super::section::{Section, text};
use crate::machine::Document;
use crate::wire::Value;

/// What an app is: the same wherever it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    executable: String,
    environment: BTreeMap<String, String>,
    protocol: Protocol,
}

impl Manifest {
    /// Key `slave`: the executable, absolute or relative to the app's directory. Never empty.
    #[must_use]
    pub fn executable(&self) -> &str {
        &self.executable
    }

    /// Key `environment`: what the worker's environment has beside, or instead of, the daemon's own.
    #[must_use]
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// Key `protocol` (0 or 1, default 1): whose command line the worker gets. What is spoken is
    /// decided by its handshake.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Checks a document.
    ///
    /// # Errors
    /// The first thing that is wrong, naming key, value and rule.
    pub fn read(document: &Document) -> Result<Checked<Self>, Complaint> {
        let mut section = Section::root(document)?;
        let Some(executable) = section.text("slave")? else {
            return Err(section.about("slave", "is missing: runnable object has not been specified"));
        };
        let manifest = Self {
            executable: executable.to_owned(),
            environment: environment(&mut section)?,
            protocol: protocol(&mut section)?,
        };
        obsolete(&mut section);
        Ok(Checked { value: manifest, warnings: section.finish() })
    }

    /// The manifest as a value, with every key that counts.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let protocol = match self.protocol {
            Protocol::V0 => 0_u64,
            Protocol::V1 => 1,
        };
        let environment = self.environment.iter();
        let environment = environment.map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        Value::Map(vec![
            ("slave".into(), self.executable.as_str().into()),
            ("environment".into(), Value::Map(environment.collect())),
            ("protocol".into(), protocol.into()),
        ])
    }
}

fn protocol(section: &mut Section<'_>) -> Result<Protocol, Complaint> {
    match section.number("protocol", 0, 1)? {
        Some(0) => Ok(Protocol::V0),
        _ => Ok(Protocol::V1),
    }
}

fn environment(section: &mut Section<'_>) -> Result<BTreeMap<String, String>, Complaint> {
    const RULE: &str = "environment should be a map of string -> string";
    let Some(mut variables) = section.section("environment")? else { return Ok(BTreeMap::new()) };
    let mut environment = BTreeMap::new();
    for (name, value) in variables.entries()? {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(variables.about(name, "cannot be a variable's name: it is empty, or has = or NUL"));
        }
        let Some(text) = text(value) else { return Err(variables.wrong(name, value, RULE)) };
        if text.contains('\0') {
            return Err(variables.wrong(name, value, "must not contain NUL"));
        }
        environment.insert(name.to_owned(), text.to_owned());
    }
    Ok(environment)
}

/// Keys of generation 0.11 that are not wrong, but do nothing here.
fn obsolete(section: &mut Section<'_>) {
    if section.get("drivers").is_some_and(|drivers| *drivers != Value::Map(vec![])) {
        section.warn("drivers", "has no effect: there are no in-process event sources");
    }
    if section.get("local") == Some(&Value::Bool(true)) {
        section.warn("local", "has no effect: an app is withdrawn when it stops");
    }
}

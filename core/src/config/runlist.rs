//! The runlist: which apps a node starts, and with which profiles.

use alloc::collections::BTreeMap;

use super::complaint::{Checked, Complaint};
use super::names::AppName;
use super::section::{Section, text};
use crate::machine::Document;
use crate::wire::Value;

/// Which apps a node starts, and with which profiles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runlist {
    /// The profile of each app.
    pub apps: BTreeMap<AppName, AppName>,
}

impl Runlist {
    /// Checks a document. An entry that is wrong is left out, with a warning: it must not keep the
    /// others from starting.
    ///
    /// # Errors
    /// That it is no map.
    pub fn read(document: &Document) -> Result<Checked<Self>, Complaint> {
        let mut section = Section::root(document)?;
        let mut apps = BTreeMap::new();
        for (app, profile) in section.entries()? {
            match entry(&section, app, profile) {
                Ok((app, profile)) => drop(apps.insert(app, profile)),
                Err(complaint) => section.warn(&complaint.key, complaint.text),
            }
        }
        Ok(Checked { value: Self { apps }, warnings: section.finish() })
    }

    /// The runlist as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let entries = self.apps.iter();
        Value::Map(entries.map(|(app, profile)| (app.as_str().into(), profile.as_str().into())).collect())
    }
}

fn entry(section: &Section<'_>, app: &str, profile: &Value) -> Result<(AppName, AppName), Complaint> {
    let skipped = |why| section.about(app, alloc::format!("is not started: {why}"));
    let name = AppName::new(app).map_err(|error| skipped(alloc::format!("{error}")))?;
    let Some(profile) = text(profile) else {
        return Err(section.wrong(app, profile, "must be a profile's name; the app is not started"));
    };
    let profile = AppName::new(profile)
        .map_err(|error| skipped(alloc::format!("its profile {profile:?} cannot be: {error}")))?;
    Ok((name, profile))
}

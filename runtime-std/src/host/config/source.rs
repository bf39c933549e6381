//! A configuration file: its text, and what is said about it.

use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::ConfigError;
use super::node::{Entry, Node, Position, SyntaxError};
use super::setting::{Origin, Place, Setting};
use crate::host::os;

/// A file of more bytes is no configuration.
const MAX_FILE: u64 = 1 << 20;

/// Something in a file that is not as its author may think. The file is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// The text of one file.
#[derive(Debug)]
pub(crate) struct Source {
    name: String,
    directory: PathBuf,
    pub(crate) text: String,
    pub(crate) warnings: RefCell<Vec<Warning>>,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let mut bytes = Vec::new();
        let unreadable =
            |errno: i32, reason: String| ConfigError::Unreadable { path: path.to_owned(), errno, reason };
        File::open(path)
            .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| unreadable(os::errno(&error), os::reason(&error)))?;
        if bytes.len() as u64 > MAX_FILE {
            let reason = format!("it has more than {MAX_FILE} bytes");
            return Err(unreadable(rustix::io::Errno::FBIG.raw_os_error(), reason));
        }
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let name = path.display().to_string();
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, directory, text, warnings: RefCell::default() }),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let source = Self { name, directory, text, warnings: RefCell::default() };
                Err(source.error(Position::of(&source.text, valid), "this is not UTF-8 text"))
            }
        }
    }

    pub(crate) fn error(&self, at: Position, problem: impl Into<String>) -> ConfigError {
        let line = self.text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
        ConfigError::Invalid { place: self.place(at), problem: problem.into(), line: line.to_owned() }
    }

    pub(crate) fn syntax(&self, error: SyntaxError) -> ConfigError {
        self.error(error.at, error.problem)
    }

    pub(crate) fn warn(&self, at: Position, text: impl Into<String>) {
        self.warnings.borrow_mut().push(Warning { place: self.place(at), text: text.into() });
    }

    pub(crate) fn origin(&self, at: Position) -> Origin {
        Origin::File(self.place(at))
    }

    fn place(&self, at: Position) -> Place {
        Place { file: self.name.clone(), at }
    }

    /// A path of the file: relative ones are meant from where the file is.
    pub(crate) fn path(&self, node: &Node) -> Result<PathBuf, String> {
        match node.text() {
            Some("") | None => Err(format!("must be a path, not {}", node.kind.describe())),
            Some(path) => Ok(self.directory.join(path)),
        }
    }
}

/// A table of a file, from which the known keys are taken one by one.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    pub(crate) source: &'a Source,
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file. Errors: it is no table.
    pub(crate) fn root(source: &'a Source, node: &'a Node) -> Result<Self, ConfigError> {
        let Some(entries) = node.table() else {
            return Err(source.error(node.at, format!("a table is expected, not {}", node.kind.describe())));
        };
        Ok(Self { source, path: String::new(), entries, known: Vec::new() })
    }

    /// The dotted path of a key of this table.
    pub(crate) fn full(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// One entry, from now on a known one.
    pub(crate) fn entry(&mut self, name: &'static str) -> Option<&'a Entry> {
        self.known.push(name);
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// All entries, whatever their names; all are known from now on.
    pub(crate) fn all(&self) -> &'a [Entry] {
        self.entries
    }

    /// A table inside this one.
    pub(crate) fn section(&mut self, name: &'static str) -> Result<Option<Self>, ConfigError> {
        self.entry(name).map(|entry| self.inside(entry)).transpose()
    }

    /// The table of an entry of this one.
    pub(crate) fn inside(&self, entry: &'a Entry) -> Result<Self, ConfigError> {
        let path = self.full(&entry.name);
        let Some(entries) = entry.node.table() else {
            let problem = format!("{path} must be a table, not {}", entry.node.kind.describe());
            return Err(self.source.error(entry.node.at, problem));
        };
        Ok(Self { source: self.source, path, entries, known: Vec::new() })
    }

    /// The value of a key. `parse` says what it must be; its words follow the key's name.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Result<Option<Setting<T>>, ConfigError> {
        self.entry(name).map(|entry| self.value(entry, parse)).transpose()
    }

    /// Like [`take`](Self::take), into a setting that keeps its value if there is none.
    pub(crate) fn set<T>(
        &mut self,
        name: &'static str,
        setting: &mut Setting<T>,
        parse: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Result<(), ConfigError> {
        if let Some(new) = self.take(name, parse)? {
            *setting = new;
        }
        Ok(())
    }

    /// The value of an entry.
    pub(crate) fn value<T>(
        &self,
        entry: &Entry,
        parse: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Result<Setting<T>, ConfigError> {
        let value = parse(&entry.node)
            .map_err(|rule| self.source.error(entry.node.at, format!("{} {rule}", self.full(&entry.name))))?;
        Ok(Setting::new(value, self.source.origin(entry.at)))
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn deny_unknown(&self) -> Result<(), ConfigError> {
        match self.unknown().next() {
            None => Ok(()),
            Some(entry) => {
                let hint = nearest(&entry.name, &self.known)
                    .map_or_else(|| "remove it".into(), |name| format!("did you mean \"{name}\"?"));
                let problem = format!("unknown key \"{}\": {hint}", self.full(&entry.name));
                Err(self.source.error(entry.at, problem))
            }
        }
    }

    /// Warns about keys that nobody asked for.
    pub(crate) fn warn_unknown(&self) {
        for entry in self.unknown() {
            self.source.warn(entry.at, format!("unknown key \"{}\" is ignored", self.full(&entry.name)));
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(|entry| !self.known.contains(&entry.name.as_str()))
    }
}

/// The known name that differs in at most two letters.
fn nearest<'n>(wrong: &str, known: &[&'n str]) -> Option<&'n str> {
    known
        .iter()
        .map(|name| (distance(wrong, name), *name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be added, dropped or changed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_key() {
        let known = ["listen", "data", "limits"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("dtaa", &known), Some("data"));
        assert_eq!(nearest("limist", &known), Some("limits"));
        assert_eq!(nearest("unicorns", &known), None);
        assert_eq!(distance("", "abc"), 3);
    }
}

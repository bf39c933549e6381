//! Manifest and profile files, for the core to validate.

use std::path::Path;

use cocaine_core::machine::Document;

use super::ConfigError;
use super::json::{self, Dialect};
use super::source::Source;
use super::toml;

/// Reads a file (UTF-8, at most 1 MiB) into the core's values, with the place of every key and list
/// element: TOML if its name ends so, else JSON without comments.
pub fn read_document(path: &Path) -> Result<Document, ConfigError> {
    let source = Source::read(path)?;
    let node = if path.extension().is_some_and(|extension| extension == "toml") {
        toml::parse(&source.text)
    } else {
        json::parse(&source.text, Dialect::Strict)
    };
    let node = node.map_err(|error| source.syntax(error))?;
    Ok(Document { source: path.display().to_string(), value: node.to_value(), positions: node.positions() })
}

#[cfg(test)]
mod tests {
    use cocaine_core::wire::Value;

    use super::*;

    #[test]
    fn a_manifest_keeps_its_places() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest.json");
        std::fs::write(&path, "{\n  \"slave\": \"run\",\n  \"environment\": {\"A\": \"1\"}\n}\n").unwrap();
        let document = read_document(&path).unwrap();
        assert_eq!(document.source, path.display().to_string());
        let environment = Value::Map(vec![("A".into(), "1".into())]);
        let entries = vec![("slave".into(), "run".into()), ("environment".into(), environment)];
        assert_eq!(document.value, Value::Map(entries));
        assert_eq!(document.positions["environment.A"], (3, 19));
    }

    #[test]
    fn toml_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profile.toml");
        std::fs::write(&path, "pool-limit = 2\n").unwrap();
        let document = read_document(&path).unwrap();
        assert_eq!(document.value, Value::Map(vec![("pool-limit".into(), Value::Uint(2))]));
        assert_eq!(document.positions["pool-limit"], (1, 1));
    }

    #[test]
    fn a_broken_manifest_names_file_line_and_column() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("manifest.json");
        std::fs::write(&path, "{\n  \"slave\": run\n}\n").unwrap();
        let error = read_document(&path).unwrap_err();
        let name = path.display();
        assert_eq!(error.to_string(), format!("{name}:2:12: a value is expected here, not 'r'"));
        assert_eq!(error.snippet().unwrap(), "  \"slave\": run\n           ^");
        assert!(matches!(read_document(dir.path()), Err(ConfigError::Unreadable { errno: 21, .. })));
        std::fs::write(&path, b"{\n \xff}").unwrap();
        assert!(read_document(&path).unwrap_err().to_string().ends_with(":2:2: this is not UTF-8 text"));
    }
}

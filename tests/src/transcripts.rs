//! Frames that other people's clients and workers really sent, with what a stand-in answered them.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

/// One recorded frame.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The recording, by the name of its file.
    pub file: String,
    /// Connection (its number and name) and direction.
    pub stream: (String, String),
    /// The frame.
    pub bytes: Vec<u8>,
    /// What it says.
    pub decoded: Json,
}

/// All of them, in order.
///
/// # Panics
/// If they cannot be read, or some are missing.
#[must_use]
pub fn recorded() -> Vec<Recorded> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let frames: Vec<Recorded> = paths.iter().flat_map(|path| read(path)).collect();
    assert!(paths.len() >= 60 && frames.len() >= 700, "{} files, {} frames", paths.len(), frames.len());
    frames
}

fn read(path: &Path) -> Vec<Recorded> {
    let entries: Vec<Json> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let text = |entry: &Json, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let frames = entries.iter().filter(|entry| !text(entry, "dir").is_empty());
    frames
        .map(|entry| Recorded {
            file: path.file_stem().unwrap().to_string_lossy().into_owned(),
            stream: (text(entry, "conn"), text(entry, "dir")),
            bytes: unhex(&text(entry, "hex")),
            decoded: entry["decoded"].clone(),
        })
        .collect()
}

/// The bytes behind hexadecimal digits.
///
/// # Panics
/// If they are something else.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

//! Plays every script in `tests/scenarios` and compares what the engine does with what stands there.
//!
//! `SCENARIO=part-of-a-name` plays some, `RECORD=1` writes down what happens now.

use std::fs;
use std::path::{Path, PathBuf};

use cocaine_tests::scenario;

#[test]
fn every_scenario_goes_as_written() {
    let mut wrong = Vec::new();
    let files = files();
    assert!(!files.is_empty(), "no scenario matches");
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let script = fs::read_to_string(file).expect("a scenario is UTF-8");
        assert!(script.starts_with("# "), "{name} begins without a story");
        match std::panic::catch_unwind(|| scenario::play(&name, &script)) {
            Ok(played) if played == script => {}
            Ok(played) if std::env::var_os("RECORD").is_some() => {
                fs::write(file, played).expect("the script can be written");
                println!("recorded {name}");
            }
            Ok(played) => wrong.push(format!("{name}:\n{}", difference(&script, &played))),
            Err(_) => wrong.push(format!("{name}: the engine broke its contract, see above")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} scenarios went wrong\n\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n")
    );
}

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let filter = std::env::var("SCENARIO").unwrap_or_default();
    let entries = fs::read_dir(directory).expect("the scenarios");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".txt") && name.contains(&filter)
    });
    files.sort();
    files
}

/// The lines that differ, with the command above them: `-` as written, `+` as it went.
fn difference(written: &str, played: &str) -> String {
    let (written, played) = (blocks(written), blocks(played));
    let mut shown = String::new();
    for (was, is) in written.iter().zip(&played).filter(|(was, is)| was != is) {
        shown += &format!("  {}\n", is[0]);
        let kept = |line: &&str| was.contains(line) && is.contains(line);
        for line in was[1..].iter().filter(|line| !kept(line)) {
            shown += &format!("- {line}\n");
        }
        for line in is[1..].iter() {
            shown += &format!("{} {line}\n", if kept(line) { ' ' } else { '+' });
        }
    }
    shown
}

/// Each line at the left margin with the indented ones below it.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match blocks.last_mut() {
            Some(block) if line.starts_with("  ") => block.push(line),
            _ => blocks.push(vec![line]),
        }
    }
    blocks
}

//! The table in `DEFECTS.md` says what is true: each row has a test of its name, each mark a patch, each black-box
//! case it names exists.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MARK: char = '⟲';

struct Row {
    /// `engine_defect_8`: the beginning of the names of its tests.
    name: String,
    patches: usize,
    text: String,
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of both tables.
fn rows() -> Vec<Row> {
    let table = fs::read_to_string(here().join("DEFECTS.md")).expect("the table");
    let mut rows = Vec::new();
    let mut part = "engine";
    for line in table.lines() {
        if line.starts_with("## The node") {
            part = "services";
        }
        let Some(rest) = line.strip_prefix("| ") else { continue };
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() {
            continue;
        }
        let patches =
            rest.chars().take_while(|letter| *letter != '|').filter(|letter| *letter == MARK).count();
        rows.push(Row { name: format!("{part}_defect_{digits}"), patches, text: line.to_owned() });
    }
    assert!(rows.len() > 45, "{} rows", rows.len());
    rows
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() && !path.ends_with("target") => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

/// How often each defect names a test or scenario: `engine_defect_8`, whatever zeros it is written with.
fn tests() -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for directory in ["core", "runtime-std", "runtime-smol", "tests/tests", "tests/src"] {
        for file in files(&here().join("..").join(directory)) {
            if file.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&file).expect("a source file");
                let functions = text.lines().filter_map(|line| line.trim().strip_prefix("fn "));
                functions.filter_map(defect).for_each(|name| *names.entry(name).or_default() += 1);
            }
        }
    }
    for file in files(&here().join("scenarios")) {
        let name = file.file_name().and_then(|name| name.to_str()).and_then(defect);
        name.into_iter().for_each(|name| *names.entry(name).or_default() += 1);
    }
    names
}

/// The defect that a test of this name is about.
fn defect(name: &str) -> Option<String> {
    let (part, rest) = name.split_once("_defect_")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let number: u32 = digits.parse().ok()?;
    Some(format!("{part}_defect_{number}"))
}

#[test]
fn every_defect_has_a_test_of_its_name() {
    let tests = tests();
    let without: Vec<String> =
        rows().into_iter().map(|row| row.name).filter(|name| !tests.contains_key(name)).collect();
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn every_mark_has_its_patch() {
    let mut patches: BTreeMap<String, usize> = BTreeMap::new();
    for file in files(&here().join("reverts")) {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        let name = defect(&stem.replacen('_', "_defect_", 1)).expect("a patch is named after its defect");
        *patches.entry(name).or_default() += 1;
    }
    for row in rows() {
        assert_eq!(patches.remove(&row.name).unwrap_or(0), row.patches, "{}", row.name);
    }
    assert!(patches.is_empty(), "no row has these: {patches:?}");
}

#[test]
fn every_black_box_case_exists() {
    for row in rows() {
        for quoted in row.text.split('`').skip(1).step_by(2) {
            let Some((topic, case)) = quoted.split_once("::") else { continue };
            let file = here().join(format!("src/blackbox/cases/{topic}.rs"));
            let text = fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}: {quoted}", row.name));
            assert!(text.contains(&format!("fn {case}(")), "{}: {quoted}", row.name);
        }
    }
}

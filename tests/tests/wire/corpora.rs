//! The fuzz targets over their committed corpora.

use std::fs;
use std::path::{Path, PathBuf};

use cocaine_tests::fuzzing::TARGETS;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

#[test]
fn every_target_accepts_its_corpus() {
    for (target, run) in TARGETS {
        let files: Vec<PathBuf> =
            fs::read_dir(corpus(target)).expect(target).map(|entry| entry.expect(target).path()).collect();
        assert!(files.len() >= 4, "the corpus of {target} is missing");
        for file in files {
            println!("{}", file.display());
            run(&fs::read(file).expect(target));
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    for entry in fs::read_dir(corpus("")).expect("the corpora") {
        let name = entry.expect("a corpus").file_name();
        assert!(TARGETS.iter().any(|(target, _)| name == *target), "{name:?} has no target");
    }
}

#[test]
fn every_target_has_a_binary() {
    let manifest =
        fs::read_to_string(corpus("").join("../Cargo.toml")).expect("the manifest of the fuzz package");
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
    }
}

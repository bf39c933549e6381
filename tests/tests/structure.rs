//! Defects that cannot happen because of how the code is built: what would let them in is not there.

use std::fs;
use std::panic::RefUnwindSafe;
use std::path::{Path, PathBuf};

use cocaine_core::client::Client;
use cocaine_core::engine::Engine;
use cocaine_core::framework::Session;
use cocaine_core::node::Node;

/// What decides, and what touches the world.
const CORE: [&str; 1] = ["core/src"];
const RUNTIMES: [&str; 2] = ["runtime-std/src", "runtime-smol/src"];

/// What a lock, or state shared behind a plain reference, is written with.
const SHARED: [&str; 9] = [
    "Mutex",
    "RwLock",
    "RefCell",
    "Cell<",
    "Atomic",
    "OnceLock",
    "thread_local",
    "static mut",
    "critical_section",
];

/// Lines of code below these directories with one of these words.
fn lines_with(directories: &[&str], words: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut files = 0;
    for file in directories.iter().flat_map(|directory| sources(&root.join(directory))) {
        files += 1;
        let text = fs::read_to_string(&file).expect("a source file");
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let hits = code.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.extend(hits.map(|(number, line)| format!("{}:{}: {line}", file.display(), number + 1)));
    }
    assert!(files >= 10, "the sources are not where they were");
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a source directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[track_caller]
fn nowhere(directories: &[&str], words: &[&str]) {
    let found = lines_with(directories, words);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn engine_defect_21_there_are_no_locks_to_take_in_the_wrong_order() {
    nowhere(&CORE, &SHARED);
}

/// A timer is a number in a machine's state; whoever may change it has the machine for himself.
#[test]
fn engine_defect_25_nothing_changes_behind_a_shared_reference() {
    fn owned_alone<M: RefUnwindSafe + Send>() {}
    owned_alone::<Engine>();
    owned_alone::<Node>();
    owned_alone::<Client>();
    owned_alone::<Session>();
    nowhere(&CORE, &["Rc<", "RefCell", "Cell<"]);
}

/// Nothing can be read without its lock where there is no lock, and no iterator outlives what it walks over where
/// there is no unsafe code.
#[test]
fn engine_defect_34_no_state_is_read_past_its_owner() {
    nowhere(&CORE, &["unsafe {", "unsafe fn", "unsafe impl", "*mut ", "*const "]);
    let root = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/src/lib.rs"));
    assert!(root.expect("the core").contains("#![forbid(unsafe_code)]"));
}

#[test]
fn engine_defect_28_nothing_runs_between_fork_and_exec() {
    nowhere(&RUNTIMES, &["pre_exec", "fork(", "vfork", "clone3"]);
}

/// Reaping asks whether a process has ended; nothing that serves waits until it has.
#[test]
fn engine_defect_27_nothing_that_serves_waits_for_a_process() {
    nowhere(
        &["runtime-smol/src/driver", "runtime-smol/src/daemon"],
        &["waitpid", ".wait()", "wait_with_output"],
    );
}

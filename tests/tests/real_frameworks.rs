//! Workers and clients on frameworks that nobody here wrote, against the real daemon.
//!
//! The cases are in `tests/interop`, written with the framework itself. They need an interpreter that
//! has it installed: `.ci/real-frameworks` makes one and runs these tests; without it they are
//! skipped, loudly. Variables, all of them paths:
//!
//! | variable | what |
//! |---|---|
//! | `COCAINE_INTEROP_PYTHON` | a Python 3 with the framework |
//! | `COCAINE_INTEROP_PYTHON2` | a Python 2.7 with the framework and its command-line tool |
//! | `COCAINE_INTEROP_DAEMON` | the daemon; by default the workspace's release build |

use std::env;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn python_3_worker_and_client() {
    run("Python 3", "COCAINE_INTEROP_PYTHON");
}

#[test]
fn python_2_worker_client_and_tool() {
    run("Python 2", "COCAINE_INTEROP_PYTHON2");
}

fn run(framework: &str, variable: &str) {
    let Some(python) = env::var_os(variable) else { return skipped(framework, variable) };
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/suite.py");
    let mut command = Command::new(&python);
    command.arg("-u").arg(suite).arg(daemon()).args(["--title", framework]);
    let output = command.output().unwrap_or_else(|error| panic!("{variable} names {python:?}: {error}"));
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{framework}: see the cases that failed above");
}

/// Written past the test harness, which swallows what a passing test prints.
fn skipped(framework: &str, variable: &str) {
    let words = "SKIPPED: the framework is not here";
    let _ = writeln!(
        stderr(),
        "{framework} {words}: {variable} is not set; .ci/real-frameworks installs and runs it"
    );
}

fn daemon() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/cocaine-runtime");
    let path = env::var_os("COCAINE_INTEROP_DAEMON").map_or_else(built, PathBuf::from);
    assert!(path.is_file(), "no daemon at {}: cargo build --release -p cocaine-runtime-smol", path.display());
    path
}

//! The black-box suite: what a daemon does, seen from outside, with real sockets and processes.
//!
//! The suite knows nothing of the daemon but the path of its program, so it runs over every runtime. A test
//! program of a runtime's package has one line, which makes a test of each case:
//!
//! ```text
//! cocaine_tests::black_box_suite!(env!("CARGO_BIN_EXE_cocaine-runtime"));
//! ```
//!
//! The variable `COCAINE_RUNTIME` names another program instead. Workers are that test program again, started by
//! a script in the app's directory (see `worker`). All cases run in parallel, also with other runs of the suite:
//! each has its own directories and ports. Nothing sleeps; what is expected is waited for, with a deadline.

mod app;
pub mod cases;
mod client;
mod journal;
mod node;
mod peer;
mod process;
mod stage;
mod worker;

use std::io::Write;
use std::path::PathBuf;

pub use worker::main as worker_main;

/// The programs under test.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// `cocaine-runtime`.
    pub daemon: PathBuf,
}

impl Binaries {
    /// This daemon, unless the variable `COCAINE_RUNTIME` names another.
    #[must_use]
    pub fn new(daemon: &str) -> Self {
        let daemon = std::env::var_os("COCAINE_RUNTIME").map_or_else(|| daemon.into(), PathBuf::from);
        Self { daemon }
    }
}

/// Says loudly that a case, or a part of one, could not be run here.
fn skipped(case: &str, why: &str) {
    // Not by `eprintln`, which the test harness swallows.
    let _ = writeln!(std::io::stderr(), "SKIPPED {case}: {why}");
}

/// Makes a test of each case, and the entry of the scripted workers.
#[macro_export]
macro_rules! black_box_suite {
    ($daemon:expr) => {
        #[test]
        #[ignore = "is how scripted workers start"]
        fn worker_entry() {
            $crate::blackbox::worker_main();
        }
        $crate::black_box_cases!($daemon);
    };
}

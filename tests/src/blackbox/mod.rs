//! The black-box suite: what a daemon does, seen from outside, with real sockets and processes.
//!
//! The suite knows nothing of the daemon but the path of its program, so it runs over every runtime. A test
//! program of a runtime's package has one line, which makes a test of each case:
//!
//! ```text
//! cocaine_tests::black_box_suite!(env!("CARGO_BIN_EXE_cocaine-runtime"), env!("CARGO_BIN_EXE_cocaine-tool"));
//! ```
//!
//! The tool may be left out. The variables `COCAINE_RUNTIME` and `COCAINE_TOOL` name other programs instead. Workers are that test program again, started by
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
    /// `cocaine-tool`, if it is to be tested too.
    pub tool: Option<PathBuf>,
}

impl Binaries {
    /// These, unless the variables `COCAINE_RUNTIME` and `COCAINE_TOOL` name others.
    #[must_use]
    pub fn new(daemon: &str, tool: Option<&str>) -> Self {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        Self {
            daemon: variable("COCAINE_RUNTIME").unwrap_or_else(|| daemon.into()),
            tool: variable("COCAINE_TOOL").or_else(|| tool.map(Into::into)),
        }
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
        $crate::black_box_suite! { @ $crate::blackbox::Binaries::new($daemon, None) }
    };
    ($daemon:expr, $tool:expr) => {
        $crate::black_box_suite! { @ $crate::blackbox::Binaries::new($daemon, Some($tool)) }
    };
    (@ $binaries:expr) => {
        #[test]
        #[ignore = "is how scripted workers start"]
        fn worker_entry() {
            $crate::blackbox::worker_main();
        }
        $crate::black_box_cases!($binaries);
    };
}

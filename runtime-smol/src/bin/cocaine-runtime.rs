//! The daemon: see `cocaine-runtime --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cocaine_runtime_smol::daemon::main()
}

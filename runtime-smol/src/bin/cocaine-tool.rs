//! The operator's tool: see `cocaine-tool --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cocaine_runtime_smol::tool::main()
}

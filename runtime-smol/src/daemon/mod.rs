//! The daemon `cocaine-runtime`: configuration, signals, and the drivers of one node and its apps.
//!
//! ```text
//! cli      flags and subcommands        start   from flags to a claimed, logged, listening process
//! node     the node's driver and those of its engines, and the messages between them
//! host     storage, app code and worker processes for the drivers
//! signals  TERM, INT, QUIT and HUP      demo    a node, an app and a client in one command
//! exit     what the exit codes mean     check   check-config
//! ```

mod check;
mod cli;
mod demo;
mod exit;
mod host;
mod node;
mod signals;
mod start;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use cocaine_runtime_std::host::process::shim_main;

use cli::{Cli, Command};
pub use exit::Exit;

/// Runs the daemon's command line to its end.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    // The two hidden commands are what workers are started with: their arguments are not ours to judge.
    match arguments.nth(1).as_ref().and_then(|command| command.to_str()) {
        Some(cli::SHIM) => return shim_main(arguments),
        Some(cli::ECHO_WORKER) => return echo_worker(arguments),
        _ => {}
    }
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => start::run(&cli.run),
        Some(Command::Run(run)) => start::run(&run),
        Some(Command::CheckConfig(command)) => check::check_config(&command),
        Some(Command::Demo(command)) => demo::demo(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("cocaine-runtime: {exit}");
            exit.code()
        }
    }
}

fn echo_worker(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    crate::echo::main(arguments.map(|argument| argument.to_string_lossy().into_owned()))
}

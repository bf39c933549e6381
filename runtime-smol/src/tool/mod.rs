//! `cocaine-tool`: the operator's hand.
//!
//! One file a group of commands; `cli` is the whole command line, `exit` what the exit codes mean, `output` how
//! results are printed.

mod app;
mod call;
mod cli;
mod exit;
mod info;
mod output;
pub(crate) mod report;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use smol::future::FutureExt;

use crate::client::{Endpoint, Node, Service, locators};
use cli::{Cli, Command};
use exit::Exit;

/// Runs the tool's command line to its end.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match smol::block_on(run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("cocaine-tool: {exit}");
            exit.code()
        }
    }
}

async fn run(cli: &Cli) -> Result<(), Exit> {
    let session = Session {
        locators: locators(&cli.common.locator).await.map_err(|error| Exit::Usage(error.to_string()))?,
        limit: Duration::from_secs(cli.common.timeout),
        format: cli.common.output,
    };
    match &cli.command {
        Command::Call(command) => call::call(&session, command).await,
        Command::Info(command) => session.within(info::info(&session, command)).await,
        Command::App(command) => session.within(app::app(&session, command)).await,
    }
}

/// What all commands share.
struct Session {
    locators: Vec<Endpoint>,
    limit: Duration,
    format: output::Format,
}

impl Session {
    /// A service of the node.
    fn service(&self, name: &str) -> Service {
        Service::connect(self.locators.clone(), name.to_owned())
    }

    fn node(&self) -> Node {
        Node(self.service("node"))
    }

    /// Gives up when `--timeout` has passed.
    async fn within<T>(&self, work: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
        let limit = self.limit;
        work.or(async move {
            smol::Timer::after(limit).await;
            Err(Exit::TimedOut(limit))
        })
        .await
    }
}

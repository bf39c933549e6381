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

use crate::client::{self, Endpoint, Node, Service, Target, locators};
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
        locators: locators(&cli.common.locator)
            .await
            .map_err(|error| Exit::Usage(format!("--locator: {error}")))?,
        limit: Duration::from_secs(cli.common.timeout),
        format: cli.common.output,
    };
    match &cli.command {
        Command::Call(command) => call::call(&session, command).await,
        Command::Info(command) => info::info(&session, command).await,
        Command::App(command) => session.within(app::app(&session, command)).await,
    }
}

/// What all commands share.
struct Session {
    locators: Vec<Endpoint>,
    limit: Duration,
    format: output::Format,
}

/// How long one attempt to connect may take: long enough for one lost packet.
const CONNECT: Duration = Duration::from_millis(1500);

impl Session {
    /// A service of the node. Whoever types a command wants to know at once if nobody is there.
    fn service(&self, name: &str) -> Service {
        let mut config = client::config(Target::named(name, self.locators.clone()));
        config.rounds = 1;
        config.timeouts.connect = CONNECT;
        Service::start(config)
    }

    fn node(&self) -> Node {
        Node(self.service("node"))
    }

    /// Gives up when `--timeout` has passed.
    async fn within<T>(&self, work: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
        within(self.limit, work).await
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Exit>>) -> Result<T, Exit> {
    work.or(async move {
        smol::Timer::after(limit).await;
        Err(Exit::TimedOut(limit))
    })
    .await
}

//! The command line of the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use cocaine_core::machine::Severity;
use cocaine_runtime_std::host::config::{self, Flags};

/// The hidden command that becomes a worker.
pub(super) const SHIM: &str = "shim";
/// The hidden command that is the demo's worker.
pub(super) const ECHO_WORKER: &str = "echo-worker";

/// Runs apps on this machine and offers them, and services, by name.
///
/// Needs no arguments: it listens on loopback and keeps its data in a directory of its own. When it serves,
/// it prints one line to standard output: `ready locator=HOST:PORT …`.
#[derive(Debug, Parser)]
#[command(name = "cocaine-runtime", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

const AFTER_HELP: &str = "\
Examples:
  cocaine-runtime                                   a node on 127.0.0.1:10053
  cocaine-runtime --app echo=./echo                 and the app in ./echo, run in place
  cocaine-runtime --listen 127.0.0.1:0 --data /tmp/n1 --runtime-dir /tmp/n1/run
  cocaine-runtime --config node.toml check-config   what it would do, and why
  cocaine-runtime demo                              a node, an app and a client in one command

Signals:
  TERM, INT, QUIT   stop accepting, let workers finish, exit within 20 s; a second one: at once
  HUP               open the log file anew

Exit codes:
  0  done
  1  something failed that is not listed here
  2  usage: a flag is wrong
  3  configuration: a file is wrong, or a directory cannot be used
  4  another daemon uses the data or runtime directory
  5  an address cannot be listened on";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the node; the same as no command at all.
    Run(RunArgs),
    /// Prints every setting, its value, and where it came from; starts nothing.
    CheckConfig(CheckArgs),
    /// Starts a node with an echo app, calls it, shows what happens, and serves until Ctrl-C.
    Demo(DemoArgs),
}

/// What a node is told.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct RunArgs {
    /// Address of the locator; port 0 takes any free one [default: 127.0.0.1:10053]
    #[arg(long, value_name = "HOST:PORT", value_parser = config::listen_address)]
    listen: Option<SocketAddr>,
    /// Directory of everything that must survive a restart
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Directory of the workers' sockets; private and short
    #[arg(long, value_name = "DIR")]
    runtime_dir: Option<PathBuf>,
    /// Runs the app in DIR (manifest.json, perhaps profile.json) in place; may be given several times
    #[arg(long = "app", value_name = "NAME=DIR", value_parser = config::app_argument)]
    apps: Vec<(String, PathBuf)>,
    /// Configuration file: ours in TOML, or the original's in JSON
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes the log to this file instead of standard error
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// How log lines look [default: human]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Logs more: what goes right too
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// How to print it
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) output: OutputFormat,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Address of the locator [default: 127.0.0.1:10053, or any free port if that is taken]
    #[arg(long, value_name = "HOST:PORT", value_parser = config::listen_address)]
    pub(super) listen: Option<SocketAddr>,
    /// Stops after the calls instead of serving on
    #[arg(long)]
    pub(super) once: bool,
}

impl RunArgs {
    /// As the configuration takes it.
    pub(super) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            listen: self.listen,
            data: self.data.clone(),
            runtime: self.runtime_dir.clone(),
            apps: self.apps.clone(),
            log_file: self.log_file.clone(),
            log_format: self.log_format.map(|format| match format {
                LogFormat::Human => config::LogFormat::Human,
                LogFormat::Json => config::LogFormat::Json,
            }),
            log_level: (self.verbose > 0).then_some(Severity::Debug),
        }
    }
}

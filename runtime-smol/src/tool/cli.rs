//! The command line of the tool.

use clap::{Args, Parser, Subcommand};

use super::output::Format;
use crate::client::DEFAULT_LOCATOR;

/// Talks to a Cocaine node: calls apps, shows what runs, starts and stops.
#[derive(Debug, Parser)]
#[command(name = "cocaine-tool", version, after_help = AFTER_HELP)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) common: Common,
}

const AFTER_HELP: &str = "\
Examples:
  cocaine-tool call echo ping hello                 send one chunk, print the reply
  cocaine-tool call echo echo - < movie.bin > copy  stream standard input, stream the reply
  cocaine-tool info                                 a line for every app of the node
  cocaine-tool info echo --manifest --output json   all there is to know about one
  cocaine-tool app start echo --profile small
  cocaine-tool --locator 10.0.0.7:10053 app list

Exit codes:
  0  done
  1  the service refused or failed; its category, code and reason are printed
  2  usage: an argument is wrong
  3  the node, or the app, cannot be reached
  4  no answer within --timeout";

/// What every command takes.
#[derive(Args, Debug)]
pub(super) struct Common {
    /// Locators to ask, in this order: HOST:PORT, separated by commas
    #[arg(long, global = true, value_name = "HOST:PORT", env = "COCAINE_LOCATOR", default_value = DEFAULT_LOCATOR)]
    pub(super) locator: String,
    /// Seconds a command may take; for call, seconds between two pieces of the reply
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: u64,
    /// How results are printed
    #[arg(long, global = true, value_name = "FORMAT", default_value = "human")]
    pub(super) output: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Calls an event of an app and prints the reply as it comes
    Call(Call),
    /// Shows what apps run and how they are
    Info(Info),
    /// Starts, stops and lists apps
    #[command(subcommand)]
    App(App),
}

#[derive(Args, Debug)]
pub(super) struct Call {
    /// The app
    pub(super) app: String,
    /// The event
    pub(super) event: String,
    /// What to send: one chunk, or `-` to stream standard input; nothing if left out
    pub(super) data: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Info {
    /// The apps; all of the node if none is given
    #[arg(value_name = "APP")]
    pub(super) apps: Vec<String>,
    /// With the manifest (shown in json only)
    #[arg(long, short)]
    pub(super) manifest: bool,
    /// With the profile's content (shown in json only)
    #[arg(long, short)]
    pub(super) profile: bool,
    /// State only, without queue and pool
    #[arg(long, short)]
    pub(super) brief: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum App {
    /// Starts an app; returns when it runs
    Start {
        /// The app
        name: String,
        /// The profile to run it with
        #[arg(long, short = 'r', default_value = "default")]
        profile: String,
    },
    /// Stops an app; returns when its last worker is gone
    Stop {
        /// The app
        name: String,
    },
    /// Lists the apps of the node
    List,
}

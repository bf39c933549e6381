//! `app start`, `app stop` and `app list`.

use super::Session;
use super::cli;
use super::exit::Exit;
use super::output::{self, Format};
use crate::client::Value;
use crate::print;

pub(super) async fn app(session: &Session, command: &cli::App) -> Result<(), Exit> {
    let node = session.node();
    match command {
        cli::App::Start { name, profile } => {
            node.start_app(name, profile).await?;
            say(session, name, "started");
        }
        cli::App::Stop { name } => {
            node.pause_app(name).await?;
            say(session, name, "stopped");
        }
        cli::App::List => {
            let apps = node.list().await?;
            match session.format {
                Format::Json => output::json(&Value::array(apps)),
                Format::Human => apps.iter().for_each(print::line),
            }
        }
    }
    Ok(())
}

fn say(session: &Session, name: &str, what: &str) {
    match session.format {
        Format::Json => output::json(&Value::map([("app", name), ("status", what)])),
        Format::Human => print::line(format_args!("app {name} has been {what}")),
    }
}

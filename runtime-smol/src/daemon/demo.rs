//! `demo`: a node, an app and a client in one command.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use cocaine_core::machine::Severity;
use cocaine_runtime_std::host::config::{Flags, LOCATOR_PORT};
use tempfile::TempDir;

use super::cli::{DemoArgs, ECHO_WORKER};
use super::exit::Exit;
use super::signals::Wishes;
use super::start::Daemon;
use crate::client::{App, Error, Node, Service, locators};
use crate::print;
use crate::tool::report;

/// The demo's app.
const APP: &str = "echo";

/// Starts a node with an echo app in a temporary directory, calls it, shows what happens, and serves on.
pub(super) fn demo(arguments: &DemoArgs) -> Result<(), Exit> {
    let folder = TempDir::with_prefix("cocaine-demo-")
        .map_err(|error| cannot("make a temporary directory", &error))?;
    let app = folder.path().join(APP);
    write_app(&app).map_err(|error| cannot("write the demo's app", &error))?;
    print::line("Starting a node with an app called `echo` (one script, one manifest, one profile) …");
    smol::block_on(async {
        let mut wishes = Wishes::listen().map_err(|error| cannot("listen to signals", &error))?;
        let Some((mut daemon, ready)) = start(arguments, &folder, &app, &mut wishes).await? else {
            return Ok(());
        };
        let locator = ready.split([' ', '=']).nth(2).unwrap_or_default().to_owned();
        let shown = show(&locator).await;
        print::line(&ready);
        if shown.is_ok() && !arguments.once {
            invite(&locator);
            daemon.serve(&mut wishes).await?;
        }
        print::line("Stopping …");
        daemon.stop(&mut wishes).await;
        shown
    })
}

/// The app: a script that calls this very program, a manifest that names it, a profile.
fn write_app(app: &Path) -> io::Result<()> {
    fs::create_dir(app)?;
    let program = std::env::current_exe()?;
    let script = app.join("worker");
    let quoted = program.to_string_lossy().replace('\'', r"'\''");
    fs::write(&script, format!("#!/bin/sh\nexec '{quoted}' {ECHO_WORKER} \"$@\"\n"))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    fs::write(app.join("manifest.json"), "{\"slave\": \"worker\"}\n")?;
    fs::write(app.join("profile.json"), "{\"pool-limit\": 4, \"concurrency\": 10, \"queue-limit\": 100}\n")
}

/// Starts the node; on another port if the usual one is taken and nobody asked for it.
async fn start(
    arguments: &DemoArgs,
    folder: &TempDir,
    app: &Path,
    wishes: &mut Wishes,
) -> Result<Option<(Daemon, String)>, Exit> {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, LOCATOR_PORT));
    let flags = |listen| Flags {
        listen: Some(listen),
        data: Some(folder.path().join("data")),
        apps: vec![(APP.to_owned(), app.to_owned())],
        // The demo tells its own story; only what goes wrong is added to it.
        log_level: Some(Severity::Error),
        ..Flags::default()
    };
    match open(&flags(arguments.listen.unwrap_or(usual)), wishes).await {
        Err(Exit::Listen(_)) if arguments.listen.is_none() => {
            print::line(format_args!("Port {LOCATOR_PORT} is taken (another node?), so I take a free one."));
            open(&flags(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), wishes).await
        }
        other => other,
    }
}

async fn open(flags: &Flags, wishes: &mut Wishes) -> Result<Option<(Daemon, String)>, Exit> {
    let mut daemon = Daemon::start(flags)?;
    match daemon.wait_until_ready(wishes).await {
        Ok(Some(ready)) => Ok(Some((daemon, ready))),
        Ok(None) => {
            daemon.stop(wishes).await;
            Ok(None)
        }
        Err(exit) => Err(exit),
    }
}

/// Calls the app as any client would, over TCP, and shows what comes back.
async fn show(locator: &str) -> Result<(), Exit> {
    let endpoints = locators(locator).await.map_err(|error| cannot("find my own locator", &error))?;
    let echo = App(Service::connect(endpoints.clone(), APP));
    print::line("\nA client resolves `echo` at the locator, connects, and sends events:\n");
    for text in ["hello", "again", "and again"] {
        let start = Instant::now();
        let reply = ping(&echo, text).await?;
        let micros = start.elapsed().as_micros();
        print::line(format_args!("  ping {text:<12?} -> {reply:<12?} after {micros} µs"));
    }
    print::line("  (the first call found no worker: it waited until one had been started)\n");
    let refused = echo.enqueue("error").value().await;
    if let Err(error @ Error::Service(_)) = refused {
        print::line(format_args!("  an event that fails gives its error: {error}\n"));
    }
    print::line("Forty calls at once, and the pool while they run:\n");
    let calls: Vec<_> = (0..40).map(|number| (number, echo.enqueue("ping"))).collect();
    let node = Node(Service::connect(endpoints, "node"));
    let pool = node.info(APP, 1).await.map_err(failed)?;
    for (number, call) in calls {
        call.send(format!("call {number}").into_bytes()).await.map_err(failed)?;
        call.close();
        while call.recv().await.map_err(failed)?.is_some() {}
    }
    report::print([(APP.to_owned(), pool)]);
    print::line("\nAnd afterwards:\n");
    report::print([(APP.to_owned(), node.info(APP, 1).await.map_err(failed)?)]);
    print::line("");
    Ok(())
}

async fn ping(echo: &App, text: &str) -> Result<String, Exit> {
    let call = echo.enqueue("ping");
    call.send(text.as_bytes().to_vec()).await.map_err(failed)?;
    call.close();
    let mut reply = Vec::new();
    while let Some(chunk) = call.recv().await.map_err(failed)? {
        reply.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn invite(locator: &str) {
    let other = if locator == format!("127.0.0.1:{LOCATOR_PORT}") {
        String::new()
    } else {
        format!(" --locator {locator}")
    };
    print::line(format_args!(
        "\nThe node serves until Ctrl-C. From another terminal:\n\n  \
         cargo run --release --bin cocaine-tool -- call echo ping hello{other}\n  \
         cargo run --release --bin cocaine-tool -- info{other}\n"
    ));
}

fn cannot(what: &str, error: &io::Error) -> Exit {
    Exit::Other(format!("cannot {what}: {error}"))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: Error) -> Exit {
    Exit::Other(format!("a call of the demo failed: {error}"))
}

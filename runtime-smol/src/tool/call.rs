//! `call`: one event of an app, its input and its reply streamed.

use std::cell::Cell;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

use cocaine_runtime_std::host::json::to_json;
use smol::Unblock;
use smol::future::FutureExt;
use smol::io::AsyncReadExt;

use super::Session;
use super::cli;
use super::exit::Exit;
use super::output::Format;
use crate::client::{App, Call, Error, Failure, Value};

/// How much of standard input goes into one chunk.
const CHUNK: usize = 64 * 1024;

pub(super) async fn call(session: &Session, command: &cli::Call) -> Result<(), Exit> {
    let app = App(session.service(&command.app));
    let call = app.enqueue(&command.event);
    let patience = Patience::new(session.limit);
    let send = async {
        send(&call, command.data.as_deref(), &patience).await?;
        // The reply decides when the command ends.
        smol::future::pending().await
    };
    match receive(session.format, &call, &patience).or(send).or(patience.run_out()).await {
        // Whoever reads our output has seen enough, as `head` does.
        Err(Exit::Local(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

async fn send(call: &Call, data: Option<&str>, patience: &Patience) -> Result<(), Exit> {
    let sent = match data {
        None => Ok(()),
        Some("-") => send_input(call, patience).await?,
        Some(text) => call.send(text.as_bytes().to_vec()).await,
    };
    match sent {
        Ok(()) => call.close(),
        // An app may answer before it has read everything; its answer counts.
        Err(Error::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn send_input(call: &Call, patience: &Patience) -> Result<Result<(), Error>, Exit> {
    let mut input = Unblock::new(io::stdin());
    let mut chunk = vec![0; CHUNK];
    loop {
        patience.pause();
        let count = input.read(&mut chunk).await?;
        patience.renew();
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(Ok(())) };
        if let Err(error) = call.send(bytes.to_vec()).await {
            return Ok(Err(error));
        }
    }
}

async fn receive(format: Format, call: &Call, patience: &Patience) -> Result<(), Exit> {
    loop {
        match call.recv().await {
            Ok(Some(chunk)) => print_chunk(format, &chunk)?,
            Ok(None) => return Ok(()),
            Err(Error::Service(failure)) => {
                print_failure(format, &failure)?;
                return Err(Exit::Service(failure));
            }
            Err(error) => return Err(error.into()),
        }
        patience.progress();
    }
}

fn print_chunk(format: Format, chunk: &[u8]) -> io::Result<()> {
    if format == Format::Json {
        let (key, text) = match std::str::from_utf8(chunk) {
            Ok(text) => ("chunk", text.to_owned()),
            Err(_) => ("chunk_hex", chunk.iter().map(|byte| format!("{byte:02x}")).collect()),
        };
        return json_line(&Value::map([(key, text)]));
    }
    let mut out = io::stdout().lock();
    out.write_all(chunk)?;
    // On a terminal each chunk gets a line of its own; into a file go the bytes and nothing else.
    if out.is_terminal() && !chunk.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Whoever reads JSON finds the app's error behind its chunks.
fn print_failure(format: Format, failure: &Failure) -> io::Result<()> {
    match format {
        Format::Human => Ok(()),
        Format::Json => {
            let error = Value::map([
                ("category", Value::from(u64::from(failure.code.category))),
                ("code", i64::from(failure.code.code).into()),
                ("text", String::from_utf8_lossy(&failure.text).into_owned().into()),
            ]);
            json_line(&Value::map([("error", error)]))
        }
    }
}

fn json_line(value: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", to_json(value))?;
    out.flush()
}

/// How long nothing may happen. It is the app's time that counts: while standard input has nothing to send, nobody
/// can be late.
struct Patience {
    limit: Duration,
    /// When something happened the last time; `None` while we wait for standard input.
    since: Cell<Option<Instant>>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, since: Cell::new(Some(Instant::now())) }
    }

    fn pause(&self) {
        self.since.set(None);
    }

    fn renew(&self) {
        self.since.set(Some(Instant::now()));
    }

    fn progress(&self) {
        if self.since.get().is_some() {
            self.renew();
        }
    }

    /// Ends when nothing has happened for too long.
    async fn run_out(&self) -> Result<(), Exit> {
        loop {
            let deadline = self.since.get().unwrap_or_else(Instant::now) + self.limit;
            if deadline <= Instant::now() {
                return Err(Exit::TimedOut(self.limit));
            }
            smol::Timer::at(deadline).await;
        }
    }
}

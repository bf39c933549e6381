//! `call`: one event of an app, its input and its reply streamed.

use std::io::{IsTerminal, Write};

use smol::Unblock;
use smol::future::FutureExt;
use smol::io::AsyncReadExt;

use super::Session;
use super::cli;
use super::exit::Exit;
use super::output::{self, Format};
use crate::client::{App, Call, Error, Value};

/// How much of standard input goes into one chunk.
const CHUNK: usize = 64 * 1024;

pub(super) async fn call(session: &Session, command: &cli::Call) -> Result<(), Exit> {
    let app = App(session.service(&command.app));
    let call = app.enqueue(&command.event);
    let receive = receive(session, &call);
    let send = async {
        send(&call, command.data.as_deref()).await?;
        // The reply decides when the command ends.
        smol::future::pending().await
    };
    match receive.or(send).await {
        Err(Exit::Service(failure)) if session.format == Format::Json => {
            output::json_line(&Value::map([(
                "error",
                Value::map([
                    ("category", Value::from(u64::from(failure.code.category))),
                    ("code", i64::from(failure.code.code).into()),
                    ("text", String::from_utf8_lossy(&failure.text).into_owned().into()),
                ]),
            )]));
            Err(Exit::Service(failure))
        }
        other => other,
    }
}

async fn send(call: &Call, data: Option<&str>) -> Result<(), Exit> {
    let sent = match data {
        None => Ok(()),
        Some("-") => send_input(call).await?,
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

async fn send_input(call: &Call) -> Result<Result<(), Error>, Exit> {
    let mut input = Unblock::new(std::io::stdin());
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = input.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(Ok(())) };
        if let Err(error) = call.send(bytes.to_vec()).await {
            return Ok(Err(error));
        }
    }
}

async fn receive(session: &Session, call: &Call) -> Result<(), Exit> {
    while let Some(chunk) = session.within(async { Ok(call.recv().await?) }).await? {
        print(session.format, &chunk)?;
    }
    Ok(())
}

fn print(format: Format, chunk: &[u8]) -> Result<(), Exit> {
    match format {
        Format::Json => {
            let (key, text) = match std::str::from_utf8(chunk) {
                Ok(text) => ("chunk", text.to_owned()),
                Err(_) => ("chunk_hex", chunk.iter().map(|byte| format!("{byte:02x}")).collect()),
            };
            output::json_line(&Value::map([(key, text)]));
            Ok(())
        }
        Format::Human => {
            let mut out = std::io::stdout().lock();
            out.write_all(chunk)?;
            // On a terminal each chunk gets a line of its own; into a file go the bytes and nothing else.
            if out.is_terminal() && !chunk.ends_with(b"\n") {
                out.write_all(b"\n")?;
            }
            Ok(out.flush()?)
        }
    }
}

//! The worker of the demo, the tests and the benches: a handler for everything a worker can do.

use std::process::ExitCode;
use std::time::Duration;

use cocaine_core::wire::encode;

use crate::worker::{ErrorCode, Failure, Farewell, Handlers, Header, Options, Stream, run};

/// Runs the worker with the arguments that the runtime gave it.
///
/// | event | answer |
/// |---|---|
/// | `ping` | the first chunk, and the end |
/// | `echo` | every chunk, until the caller ends its half |
/// | `silent` | the end, when the caller has ended its half |
/// | `error` | error `[42, 42]` |
/// | `panic` | what the framework makes of a panic, error `[42, 100]` |
/// | `http` | a small page about the request, in the conventional form |
/// | `headers` | each header, `name=value`, the value in hexadecimal |
/// | `who` | uuid and process id |
/// | `size` | as many bytes as the first chunk says, in pieces of 64 KiB |
/// | `sleep` | the first chunk, after as many milliseconds as it says |
/// | `hang` | nothing, ever |
/// | `crash` | none: the process exits with the code that the first chunk says, or 1 |
/// | `flood` | the end, after as many lines on standard error as the first chunk says |
/// | `terminate` | `bye`; then the worker terminates by itself, and the runtime ends the answer |
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let options = match Options::from_args(args) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("echo worker: {error}");
            return ExitCode::from(2);
        }
    };
    match run(options.session(), handlers(&options)) {
        Ok(Farewell::Terminated { .. }) => ExitCode::SUCCESS,
        Ok(farewell) => {
            eprintln!("echo worker: {farewell}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("echo worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The handlers of the echo worker.
#[must_use]
pub fn handlers(options: &Options) -> Handlers {
    let who = format!("{} {}", options.uuid, std::process::id());
    Handlers::new()
        .on("ping", ping)
        .on("echo", echo)
        .on("silent", silent)
        .on("error", |_| async { Err(Failure::new(ErrorCode::new(42, 42), "custom failure")) })
        .on("panic", |_| async { panic!("asked to") })
        .on("http", http)
        .on("headers", headers)
        .on("who", move |stream| answer(stream, who.clone()))
        .on("size", size)
        .on("sleep", sleep)
        .on("hang", |_| std::future::pending())
        .on("crash", crash)
        .on("flood", flood)
        .on("terminate", terminate)
}

async fn ping(mut stream: Stream) -> Result<(), Failure> {
    match stream.recv().await? {
        Some(chunk) => stream.send(chunk).await,
        None => Ok(()),
    }
}

async fn echo(mut stream: Stream) -> Result<(), Failure> {
    while let Some(chunk) = stream.recv().await? {
        stream.send(chunk).await?;
    }
    Ok(())
}

async fn silent(mut stream: Stream) -> Result<(), Failure> {
    while stream.recv().await?.is_some() {}
    Ok(())
}

async fn answer(mut stream: Stream, text: String) -> Result<(), Failure> {
    stream.send(text).await
}

async fn http(mut stream: Stream) -> Result<(), Failure> {
    let request = stream.recv().await?.unwrap_or_default();
    let request =
        cocaine_core::wire::Value::decode(&request).map_err(|error| bad_input(&error.to_string()))?.0;
    let part = |index: usize| request.as_array()?.get(index)?.as_str();
    let (method, uri) = (part(0).unwrap_or_default(), part(1).unwrap_or_default());
    let mut head = Vec::new();
    encode::array(&mut head, 2);
    encode::uint(&mut head, 200);
    encode::array(&mut head, 1);
    encode::array(&mut head, 2);
    encode::raw(&mut head, b"Content-Type");
    encode::raw(&mut head, b"text/plain; charset=utf-8");
    stream.send(head).await?;
    stream.send(format!("echo worker: {method} {uri}\n")).await
}

async fn headers(mut stream: Stream) -> Result<(), Failure> {
    for Header { name, value } in stream.headers().to_vec() {
        let value: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        stream.send(format!("{}={value}", String::from_utf8_lossy(&name))).await?;
    }
    Ok(())
}

async fn size(mut stream: Stream) -> Result<(), Failure> {
    let mut left = number(&mut stream).await?;
    let piece = bytes::Bytes::from(vec![b'x'; 64 * 1024]);
    while left > 0 {
        let len = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.send(piece.slice(..len)).await?;
        left -= len as u64;
    }
    Ok(())
}

async fn sleep(mut stream: Stream) -> Result<(), Failure> {
    let millis = number(&mut stream).await?;
    smol::Timer::after(Duration::from_millis(millis)).await;
    stream.send(millis.to_string()).await
}

async fn crash(mut stream: Stream) -> Result<(), Failure> {
    let code = number(&mut stream).await.unwrap_or(1);
    std::process::exit(i32::try_from(code).unwrap_or(1));
}

async fn flood(mut stream: Stream) -> Result<(), Failure> {
    for line in 0..number(&mut stream).await? {
        eprintln!("line {line} of what an app writes when it is unhappy");
    }
    Ok(())
}

async fn terminate(mut stream: Stream) -> Result<(), Failure> {
    stream.send("bye").await?;
    stream.terminate(1, "asked to");
    Ok(())
}

/// The first chunk as a number.
async fn number(stream: &mut Stream) -> Result<u64, Failure> {
    let chunk = stream.recv().await?.unwrap_or_default();
    let text = String::from_utf8_lossy(&chunk);
    text.trim().parse().map_err(|_| bad_input(&format!("the first chunk must be a number, not {text:?}")))
}

fn bad_input(text: &str) -> Failure {
    Failure::new(ErrorCode::new(42, 400), text.to_owned())
}

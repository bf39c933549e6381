//! The commands of a scenario.

use std::time::Duration;

use cocaine_core::config::Protocol;
use cocaine_core::machine::ExitStatus;
use cocaine_core::wire::Value;

use super::json;
use super::words::{Words, hex, payload};

/// One line of a scenario that is not its output.
#[derive(Debug)]
pub(super) enum Command {
    /// Sets a bound of the engine that `app` starts next.
    Limits(Vec<(String, usize)>),
    /// Lets this many of the next listeners fail, after letting some pass.
    ListenFails(usize),
    /// Starts an engine.
    App {
        profile: Value,
        manifest: Value,
    },
    /// A client connects.
    Client(String),
    /// Somebody connects to the workers' socket.
    Stranger {
        name: String,
        uid: u32,
        pgid: Option<u32>,
    },
    /// Something that a client, worker or stranger does, or that happens to it.
    Peer {
        name: String,
        act: Act,
    },
    /// Time passes.
    Advance(Duration),
    Stall(Duration),
    /// A stream of the embedder.
    Stream {
        name: u64,
        act: StreamAct,
    },
    /// A wish for so many workers.
    Control {
        lever: u64,
        workers: i64,
    },
    Release {
        lever: u64,
    },
    Stop,
    /// A report, or the part of it at a path.
    Info {
        flags: u32,
        path: String,
    },
    /// When the engine wants to be woken.
    Timeout,
    /// How the worker was to be spawned.
    Spec(String),
}

/// What a peer does.
#[derive(Debug)]
pub(super) enum Act {
    // any connection
    Raw(Vec<u8>),
    Gone,
    HungUp,
    Clog,
    Unclog,
    /// From now on it sends byte by byte.
    Drip,
    Write {
        channel: u64,
        data: Vec<u8>,
        count: usize,
    },
    Close {
        channel: u64,
    },
    Error {
        channel: u64,
        category: u32,
        code: i32,
        text: String,
    },
    // clients
    Enqueue {
        channel: u64,
        event: Vec<u8>,
        tag: Option<String>,
        headers: Vec<(Vec<u8>, Vec<u8>)>,
    },
    Call {
        channel: u64,
        message: u32,
        args: Value,
    },
    // worker processes
    Spawned,
    SpawnFailed(String),
    Print {
        data: Vec<u8>,
    },
    Exited(ExitStatus),
    // worker connections
    Connect,
    Handshake {
        protocol: Protocol,
        uuid: Option<String>,
    },
    /// Says how to read what it gets, after a raw handshake.
    Speaks(Protocol),
    Heartbeat,
    /// A heartbeat every so often while time passes; its answers are checked, not shown.
    Beats(Option<Duration>),
    Ready(Protocol),
    Terminate {
        code: i64,
        text: String,
    },
}

/// What the embedder does with a stream.
#[derive(Debug)]
pub(super) enum StreamAct {
    Open { event: Vec<u8>, urgent: bool, tag: Option<String>, timeout_ms: Option<u64> },
    Chunk(Vec<u8>),
    End,
    Fail { category: u32, code: i32, text: String },
    Cancel,
    Consumed(usize),
}

impl Command {
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let mut words = Words::new(line);
        let first = words.word("a command")?;
        let command = match first {
            "limits" => Self::Limits(limits(&mut words)?),
            "listen-fails" => Self::ListenFails(words.number("how many come before it")?),
            "app" => app(words.rest())?,
            "client" => Self::Client(words.word("a name")?.into()),
            "stranger" => stranger(&mut words)?,
            "advance" => Self::Advance(words.duration()?),
            "stall" => Self::Stall(words.duration()?),
            "open" => open(&mut words)?,
            "chunk" => stream(&mut words, |words| words.payload().map(StreamAct::Chunk))?,
            "end" => stream(&mut words, |_| Ok(StreamAct::End))?,
            "cancel" => stream(&mut words, |_| Ok(StreamAct::Cancel))?,
            "consumed" => stream(&mut words, |words| words.number("bytes").map(StreamAct::Consumed))?,
            "fail" => stream(&mut words, fail)?,
            "control" => Self::Control { lever: words.number("a lever")?, workers: words.number("workers")? },
            "release" => Self::Release { lever: words.number("a lever")? },
            "stop" => Self::Stop,
            "info" => info(&mut words)?,
            "timeout?" => Self::Timeout,
            "spec" => Self::Spec(words.word("a worker")?.into()),
            name => Self::Peer { name: name.into(), act: act(&mut words)? },
        };
        if words.is_empty() { Ok(command) } else { Err(format!("{:?} is too much", words.rest())) }
    }
}

fn limits(words: &mut Words<'_>) -> Result<Vec<(String, usize)>, String> {
    let number = |(key, value): (&str, &str)| {
        value.parse().map(|value| (key.to_owned(), value)).map_err(|_| format!("{value:?} is no number"))
    };
    words.options()?.into_iter().map(number).collect()
}

fn app(text: &str) -> Result<Command, String> {
    let mut documents = json::documents(text)?.into_iter();
    let profile = documents.next().unwrap_or(Value::Map(Vec::new()));
    let manifest = documents.next().unwrap_or_else(|| Value::map([("slave", "worker")]));
    Ok(Command::App { profile, manifest })
}

fn stranger(words: &mut Words<'_>) -> Result<Command, String> {
    let name = words.word("a name")?.to_owned();
    let (mut uid, mut pgid) = (None, None);
    for (key, value) in words.options()? {
        let number = value.parse().map_err(|_| format!("{value:?} is no number"));
        match key {
            "uid" => uid = Some(number?),
            "pgid" => pgid = number.ok(),
            other => return Err(format!("a stranger has uid and pgid, not {other}")),
        }
    }
    Ok(Command::Stranger { name, uid: uid.ok_or("uid is missing")?, pgid })
}

fn stream(
    words: &mut Words<'_>,
    act: impl FnOnce(&mut Words<'_>) -> Result<StreamAct, String>,
) -> Result<Command, String> {
    let word = words.word("a stream")?;
    let name = word.strip_prefix('s').and_then(|digits| digits.parse().ok());
    Ok(Command::Stream {
        name: name.ok_or_else(|| format!("{word:?} is no stream: say s1"))?,
        act: act(words)?,
    })
}

fn open(words: &mut Words<'_>) -> Result<Command, String> {
    stream(words, |words| {
        let event = payload(words.word("an event")?)?;
        let (mut urgent, mut tag, mut timeout_ms) = (false, None, None);
        while let Some(word) = words.maybe() {
            match word.split_once('=') {
                None if word == "urgent" => urgent = true,
                Some(("tag", value)) => tag = Some(value.to_owned()),
                Some(("timeout_ms", value)) => timeout_ms = value.parse().ok(),
                _ => return Err(format!("{word:?} is not for a stream")),
            }
        }
        Ok(StreamAct::Open { event, urgent, tag, timeout_ms })
    })
}

fn fail(words: &mut Words<'_>) -> Result<StreamAct, String> {
    let (category, code) = (words.number("a category")?, words.number("a code")?);
    Ok(StreamAct::Fail { category, code, text: words.rest().into() })
}

fn info(words: &mut Words<'_>) -> Result<Command, String> {
    let (mut flags, mut path) = (1, String::new());
    while let Some(word) = words.maybe() {
        match word.parse() {
            Ok(number) => flags = number,
            Err(_) => path = word.into(),
        }
    }
    Ok(Command::Info { flags, path })
}

fn act(words: &mut Words<'_>) -> Result<Act, String> {
    Ok(match words.word("what it does")? {
        "raw" => Act::Raw(hex(words.rest())?),
        "gone" => Act::Gone,
        "hungup" => Act::HungUp,
        "clog" => Act::Clog,
        "unclog" => Act::Unclog,
        "drip" => Act::Drip,
        "write" => write(words)?,
        "close" => Act::Close { channel: words.number("a channel")? },
        "error" => Act::Error {
            channel: words.number("a channel")?,
            category: words.number("a category")?,
            code: words.number("a code")?,
            text: words.rest().into(),
        },
        "enqueue" => enqueue(words)?,
        "call" => Act::Call {
            channel: words.number("a channel")?,
            message: words.number("a message")?,
            args: json::documents(words.rest())?.into_iter().next().unwrap_or(Value::Array(Vec::new())),
        },
        "spawned" => Act::Spawned,
        "spawnfailed" => Act::SpawnFailed(words.rest().into()),
        "output" => Act::Print { data: words.payload()? },
        "exited" => Act::Exited(exit_status(words)?),
        "connect" => Act::Connect,
        "handshake" => handshake(words)?,
        "speaks" => Act::Speaks(protocol(words.maybe())?),
        "heartbeat" => Act::Heartbeat,
        "beats" => Act::Beats(if words.is_empty() { None } else { Some(words.duration()?) }),
        "ready" => Act::Ready(protocol(words.maybe())?),
        "terminate" => Act::Terminate { code: words.number("a code")?, text: words.rest().into() },
        other => return Err(format!("nobody knows how to {other:?}")),
    })
}

/// `write CHANNEL [×COUNT] PAYLOAD`.
fn write(words: &mut Words<'_>) -> Result<Act, String> {
    let channel = words.number("a channel")?;
    let mut ahead = words.clone();
    let count = ahead.maybe().and_then(|word| word.strip_prefix('×')).and_then(|word| word.parse().ok());
    if count.is_some() {
        *words = ahead;
    }
    Ok(Act::Write { channel, data: words.payload()?, count: count.unwrap_or(1) })
}

fn enqueue(words: &mut Words<'_>) -> Result<Act, String> {
    let channel = words.number("a channel")?;
    let event = payload(words.word("an event")?)?;
    let (mut tag, mut headers) = (None, Vec::new());
    while let Some(word) = words.maybe() {
        match word.split_once('=') {
            Some(("tag", value)) => tag = Some(value.into()),
            Some(("timeout_ms", value)) => {
                let millis: u64 = value.parse().map_err(|_| format!("{value:?} is no number"))?;
                headers.push((b"request_timeout".to_vec(), millis.to_le_bytes().to_vec()));
            }
            None if word == "header" => {
                let word = words.word("a header")?;
                let (name, value) = word.split_once('=').ok_or("a header is name=value")?;
                headers.push((name.into(), payload(value)?));
            }
            _ => return Err(format!("{word:?} is not for enqueue")),
        }
    }
    Ok(Act::Enqueue { channel, event, tag, headers })
}

fn handshake(words: &mut Words<'_>) -> Result<Act, String> {
    let (mut speaks, mut uuid) = (Protocol::V1, None);
    while let Some(word) = words.maybe() {
        match word.strip_prefix("uuid=") {
            Some(value) => uuid = Some(value.into()),
            None => speaks = protocol(Some(word))?,
        }
    }
    Ok(Act::Handshake { protocol: speaks, uuid })
}

fn protocol(word: Option<&str>) -> Result<Protocol, String> {
    match word {
        None | Some("v1") => Ok(Protocol::V1),
        Some("v0") => Ok(Protocol::V0),
        Some(other) => Err(format!("{other:?} is no dialect: say v0 or v1")),
    }
}

fn exit_status(words: &mut Words<'_>) -> Result<ExitStatus, String> {
    match words.word("code or signal")? {
        "code" => Ok(ExitStatus::Code(words.number("a code")?)),
        "signal" => Ok(ExitStatus::Signal(words.number("a signal")?)),
        other => Err(format!("exited with code or signal, not {other:?}")),
    }
}

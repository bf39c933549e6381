//! What a scripted worker does with a request: the event says it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cocaine_core::wire::{Dialect, Value, v0, v1};

use super::Worker;
use crate::blackbox::peer::{Got, Peer};

/// The open sessions.
#[derive(Debug, Default)]
pub(super) struct Events {
    sessions: BTreeMap<u64, Session>,
}

#[derive(Debug, Default)]
struct Session {
    event: String,
    input: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Events {
    pub(super) fn knows(&self, channel: u64) -> bool {
        self.sessions.contains_key(&channel)
    }
}

impl Worker {
    /// Some events need no input.
    pub(super) fn on_invoke(&mut self, channel: u64, event: String, headers: Vec<(Vec<u8>, Vec<u8>)>) {
        if event != "echo" {
            self.journal.note(&format!("invoke {event}"));
        }
        match event.as_str() {
            "crash" => std::process::exit(7),
            "hang" => super::wait_for_the_end(),
            "talk" => self.talk(channel),
            "garbage" => self.raw(b"\xc1\xc1\xc1\xc1"),
            "huge" => self.raw(b"\x93\x02\x00\x91\xc6\x80\x00\x00\x00"),
            "wrong" => self.wrong_chunk(channel),
            "linger" => self.linger(1),
            "abnormal" => self.linger(2),
            "fork" => self.fork(channel),
            "disconnect" => return self.disconnect(),
            _ => {}
        }
        self.events.sessions.insert(channel, Session { event, headers, ..Session::default() });
    }

    pub(super) fn on_chunk(&mut self, channel: u64, bytes: Bytes) {
        let Some(session) = self.events.sessions.get_mut(&channel) else { return };
        if session.event == "echo" {
            return self.chunk(channel, bytes);
        }
        session.input.extend_from_slice(&bytes);
        if session.event == "early" {
            // Its half is over before the client's.
            self.chunk(channel, bytes);
            self.end(channel);
        }
    }

    /// The client's half is over: now most events answer.
    pub(super) fn on_end(&mut self, channel: u64) {
        let Some(session) = self.events.sessions.remove(&channel) else { return };
        let input = String::from_utf8_lossy(&session.input).into_owned();
        let reply: Vec<u8> = match session.event.as_str() {
            "hold" | "early" | "wrong" => return,
            "echo" => return self.end(channel),
            "error" => return self.fail(channel, 200, "there is no such thing"),
            "variable" => std::env::var(&input).unwrap_or_else(|_| "(not set)".into()).into(),
            "file" => fs::read(&input).unwrap_or_else(|error| error.to_string().into()),
            "directory" => std::env::current_dir().expect("a directory").display().to_string().into(),
            "pid" => std::process::id().to_string().into(),
            "helper" => helper(),
            "twice" => self.second_handshake(),
            "uuid" => self.uuid.clone().into(),
            "size" => session.input.len().to_string().into(),
            "header" => value_of(&session.headers, input.as_bytes()),
            "bytes" => vec![b'x'; input.parse().expect("a number of bytes")],
            "flood" => flood(),
            "bulk" => return self.bulk(channel, input.parse().expect("a number of chunks")),
            _ => input.into(),
        };
        self.chunk(channel, reply);
        self.end(channel);
    }

    fn raw(&mut self, bytes: &[u8]) {
        let _ = self.peer.raw(bytes);
    }

    /// Says something, and would go on as long as somebody listens.
    fn talk(&mut self, channel: u64) {
        self.chunk(channel, &b"and another thing"[..]);
    }

    /// A chunk that is a number.
    fn wrong_chunk(&mut self, channel: u64) {
        let message = match self.peer.dialect() {
            Dialect::V1 => v1::message::WRITE,
            Dialect::V0 => v0::message::CHUNK,
        };
        self.send(channel, message, &[Value::Uint(5)]);
    }

    /// Sends so many chunks of 64 KiB and heartbeats in between, and notes how long the answers to those took.
    fn bulk(&mut self, channel: u64, chunks: usize) {
        let chunk = vec![b'b'; 64 * 1024];
        let mut sent = Instant::now();
        self.beat_now();
        let mut waiting = true;
        for _ in 0..chunks {
            self.chunk(channel, chunk.clone());
            while let Got::Message(_) = self.peer.next(Duration::from_millis(1)) {
                self.journal.note(&format!("answered {}", sent.elapsed().as_millis()));
                waiting = false;
            }
            if !waiting {
                sent = Instant::now();
                self.beat_now();
                waiting = true;
            }
        }
        self.end(channel);
    }

    /// Says goodbye, and stays.
    fn linger(&mut self, code: i64) {
        self.goodbye(code);
        while !matches!(self.peer.next(Duration::from_secs(600)), Got::End) {}
        super::wait_for_the_end();
    }

    /// Has a child that holds on to everything it inherits, tells its id, and dies.
    fn fork(&mut self, channel: u64) {
        let child = Command::new("sleep").arg("1000").spawn().expect("a child");
        self.journal.note(&format!("child {}", child.id()));
        self.chunk(channel, &b"forked"[..]);
        std::process::exit(7);
    }

    /// Introduces itself once more, on a second connection.
    fn second_handshake(&mut self) -> Vec<u8> {
        let mut peer = Peer::unix(Path::new(&self.endpoint), Dialect::V1).expect("the endpoint is there");
        let _ = peer.send(1, v1::message::HANDSHAKE, &[self.uuid.as_str().into()]);
        match peer.next(Duration::from_secs(10)) {
            Got::End => b"refused".to_vec(),
            other => format!("{other:?}").into(),
        }
    }

    /// Its connection ends, it does not.
    fn disconnect(&mut self) {
        let nowhere = std::os::unix::net::UnixStream::pair().expect("a pair");
        self.peer.replace(nowhere.0);
        super::wait_for_the_end();
    }
}

fn value_of(headers: &[(Vec<u8>, Vec<u8>)], name: &[u8]) -> Vec<u8> {
    headers
        .iter()
        .find(|(have, _)| have == name)
        .map_or_else(|| b"(none)".to_vec(), |(_, value)| value.clone())
}

/// A child that outlives its worker: its process id.
fn helper() -> Vec<u8> {
    Command::new("sleep").arg("1000").spawn().expect("a child").id().to_string().into()
}

/// Writes far more than any pipe holds.
fn flood() -> Vec<u8> {
    let line = [b'e'; 1023];
    let mut stderr = std::io::stderr().lock();
    for _ in 0..8 * 1024 {
        stderr.write_all(&line).and_then(|()| stderr.write_all(b"\n")).expect("somebody reads it");
    }
    b"flooded".to_vec()
}

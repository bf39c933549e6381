//! Our two ends in the place of the clients and workers that were recorded: they are told what the recorded ones
//! wanted to say, hear what those heard, and must have said the same.

use std::collections::BTreeMap;

use bytes::BytesMut;
use cocaine_core::client::{
    CallId, Client, ClientCommand, ClientConfig, ClientNotice, Deadline, End, Target,
};
use cocaine_core::framework::{AppCommand, AppNotice, Session, SessionConfig, StreamKey};
use cocaine_core::framework::{SessionLimits, SessionTimeouts};
use cocaine_core::machine::{Batch, ConnId, Endpoint, Input, Machine, Output};
use cocaine_core::time::Timestamp;
use cocaine_core::wire::graph::State;
use cocaine_core::wire::{Dialect, Failure, Graph, Value, protocols};
use cocaine_tests::transcripts::{Recorded, recorded};

const NOW: Timestamp = Timestamp::from_secs(1);

/// A machine with one connection, and what it did.
struct OneEnd<M: Machine> {
    machine: M,
    conn: ConnId,
    read: Option<BytesMut>,
    written: Vec<u8>,
    notices: Vec<M::Notice>,
}

impl<M: Machine> OneEnd<M> {
    /// A machine whose connection is up as soon as it asks for it.
    fn new(machine: M) -> Self {
        let conn = ConnId::dialed(0, 0);
        Self { machine, conn, read: None, written: Vec::new(), notices: Vec::new() }
    }

    fn input(&mut self, input: Input<M::Command>) {
        self.machine.handle(NOW, input);
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Connect { conn, .. } => {
                    self.conn = conn;
                    self.machine.handle(NOW, Input::Connected { conn });
                }
                Output::Read { buf, .. } => self.read = Some(buf),
                Output::Write { conn, batch } => {
                    self.written.extend(batch.to_vec());
                    self.machine.handle(NOW, Input::Written { conn, batch: Batch::new() });
                }
                Output::Notice(notice) => self.notices.push(notice),
                Output::Close { .. } => self.read = None,
                _ => {}
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut buf = self.read.take().expect("it reads");
        buf.extend_from_slice(bytes);
        self.input(Input::Received { conn: self.conn, buf });
    }

    /// What it wrote: channel, message and arguments of each frame.
    fn frames(&self) -> Vec<String> {
        let (mut rest, mut frames) = (&self.written[..], Vec::new());
        while !rest.is_empty() {
            let (frame, after) = Value::decode(rest).expect("whole frames");
            frames.push(parts(&frame));
            rest = after;
        }
        frames
    }
}

fn parts(frame: &Value) -> String {
    Value::Array(frame.as_array().expect("an array")[..3].to_vec()).to_string()
}

/// A frame with another channel.
fn on_channel(bytes: &[u8], channel: u64) -> Vec<u8> {
    let Value::Array(mut elements) = Value::decode(bytes).unwrap().0 else { panic!("no frame") };
    elements[0] = channel.into();
    Value::Array(elements).to_vec()
}

fn fields(frame: &Recorded) -> (u64, u64, Vec<u8>) {
    let value = Value::decode(&frame.bytes).unwrap().0;
    let elements = value.as_array().unwrap();
    (elements[0].as_u64().unwrap(), elements[1].as_u64().unwrap(), elements[2].to_vec())
}

/// The recorded frames of each connection, in the order in which connections were opened.
fn conversations() -> Vec<Vec<Recorded>> {
    let mut by_conn: BTreeMap<(String, usize, String), Vec<Recorded>> = BTreeMap::new();
    for frame in recorded() {
        let number = frame.stream.0.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        by_conn.entry((frame.file.clone(), number, frame.stream.0.clone())).or_default().push(frame);
    }
    by_conn.into_values().collect()
}

/// One recorded call in ours.
struct Told {
    channel: u64,
    dispatch: State,
    upstream: State,
}

#[test]
fn our_client_says_what_recorded_clients_said() {
    let (mut graph, mut calls, mut conversations_seen) = (None, 0, 0);
    for conversation in conversations() {
        if !conversation.iter().any(|frame| frame.stream.1 == "C->S") {
            continue;
        }
        let is_locator = conversation[0].stream.0.ends_with("locator");
        let known =
            if is_locator { Graph::from(&protocols::LOCATOR) } else { graph.clone().expect("a resolve") };
        calls += replay_client(&conversation, &known);
        conversations_seen += 1;
        for reply in conversation.iter().filter(|frame| is_locator && frame.stream.1 == "S->C") {
            let value = Value::decode(&reply.bytes).unwrap().0;
            if let Some([_, version, methods, ..]) = value.as_array().unwrap()[2].as_array()
                && version.as_u64().is_some()
            {
                graph = Some(Graph::decode(&methods.to_vec()).expect("a method tree"));
            }
        }
    }
    assert!(calls >= 100 && conversations_seen >= 60, "{calls} calls in {conversations_seen} conversations");
}

/// Replays one connection; how many calls it carried.
fn replay_client(conversation: &[Recorded], graph: &Graph) -> usize {
    let name = format!("{} {}", conversation[0].file, conversation[0].stream.0);
    let endpoint = Endpoint::Unix("/service".into());
    let target = Target::Fixed { name: name.clone(), endpoints: vec![endpoint], graph: graph.clone() };
    let mut end = OneEnd::new(Client::new(ClientConfig::new(target, [0; 32]), NOW));
    let mut told: BTreeMap<u64, Told> = BTreeMap::new();
    let (mut expected, mut ends) = (Vec::new(), 0);
    for frame in conversation {
        let (recorded_channel, message, args) = fields(frame);
        let next = told.len() as u64 + 1;
        if frame.stream.1 == "S->C" {
            let Some(call) = told.get_mut(&recorded_channel) else { panic!("{name}: a reply to nothing") };
            let (_, after) = call.upstream.step(message).expect("a legal reply");
            ends += usize::from(after.is_end() && !call.upstream.is_end());
            call.upstream = after;
            end.receive(&on_channel(&frame.bytes, call.channel));
            continue;
        }
        let channel = told.get(&recorded_channel).map_or(next, |call| call.channel);
        expected.push(parts(&Value::decode(&on_channel(&frame.bytes, channel)).unwrap().0));
        let call = CallId(channel);
        let command = if let Some(told) = told.get_mut(&recorded_channel) {
            let (word, after) =
                told.dispatch.step(message).map(|(word, after)| (word.to_owned(), after)).unwrap();
            told.dispatch = after;
            ClientCommand::Send { call, message: word.into(), args: args.into() }
        } else {
            let method = graph.methods().find(|method| method.id == message).expect("a method");
            let (dispatch, upstream) = (method.dispatch.clone().unwrap(), method.upstream.clone().unwrap());
            ends += usize::from(upstream.is_end());
            told.insert(recorded_channel, Told { channel, dispatch, upstream });
            let (method, headers, deadline) = (method.name.clone().into(), Vec::new(), Deadline::Never);
            ClientCommand::Call { call, method, args: args.into(), headers, deadline }
        };
        end.input(Input::Command(command));
    }
    let frames = end.frames();
    let mut said = frames.iter();
    for frame in &expected {
        assert!(said.any(|said| said == frame), "{name}: {frame} is missing in {frames:?}");
    }
    let own = frames.iter().filter(|frame| !expected.contains(frame));
    assert!(
        own.clone().all(|frame| frame.ends_with(", 2, []]")),
        "{name}: {frames:?} is more than {expected:?}"
    );
    let ended = end.notices.iter().filter(|notice| matches!(notice, ClientNotice::Ended { .. })).count();
    assert_eq!(ended, ends, "{name}: {:?}", end.notices);
    let broken = |notice: &&ClientNotice| matches!(notice, ClientNotice::Ended { end: End::Broken(_), .. });
    assert_eq!(end.notices.iter().find(broken), None, "{name}");
    told.len()
}

#[test]
fn our_worker_says_what_recorded_workers_said() {
    let mut answered = 0;
    for conversation in conversations() {
        if conversation.iter().any(|frame| frame.stream.1 == "W->R") {
            answered += replay_worker(&conversation);
        }
    }
    assert!(answered >= 20, "{answered} answers");
}

/// Replays one worker's connection; how many of its frames were answers.
fn replay_worker(conversation: &[Recorded]) -> usize {
    let name = format!("{} {}", conversation[0].file, conversation[0].stream.0);
    let uuid = Value::decode(&fields(&conversation[0]).2).unwrap().0;
    let config = SessionConfig {
        endpoint: Endpoint::Unix("/runtime".into()),
        uuid: uuid.as_array().unwrap()[0].as_str().unwrap().into(),
        protocol: Dialect::V1,
        timeouts: SessionTimeouts::default(),
        limits: SessionLimits::default(),
    };
    let mut end = OneEnd::new(Session::new(config, NOW));
    // Lets it connect.
    end.input(Input::Timeout);
    let mut expected = Vec::new();
    for frame in conversation {
        let (channel, message, args) = fields(frame);
        if frame.stream.1 == "R->W" {
            if end.read.is_some() {
                end.receive(&frame.bytes);
            }
            continue;
        }
        if channel == 1 {
            // Handshake, heartbeats and goodbyes it says by itself, when it is time.
            continue;
        }
        expected.push(parts(&Value::decode(&frame.bytes).unwrap().0));
        let stream =
            stream_of(&end, channel, conversation).unwrap_or_else(|| panic!("{name}: no stream {channel}"));
        let args_value = Value::decode(&args).unwrap().0;
        end.input(Input::Command(match message {
            0 => AppCommand::Write {
                stream,
                chunk: args_value.as_array().unwrap()[0].as_bytes().unwrap().clone(),
            },
            1 => AppCommand::Fail { stream, failure: Failure::decode(&args).unwrap() },
            _ => AppCommand::Close { stream },
        }));
    }
    let said: Vec<String> = end.frames().into_iter().filter(|frame| !frame.starts_with("[1, ")).collect();
    assert_eq!(said, expected, "{name}");
    assert!(end.written.starts_with(&conversation[0].bytes), "{name}: the handshake is the same to the byte");
    expected.len()
}

/// The stream of a channel: invocations come in the order of their channels.
fn stream_of(end: &OneEnd<Session>, channel: u64, conversation: &[Recorded]) -> Option<StreamKey> {
    let mut channels: Vec<u64> = Vec::new();
    for frame in conversation.iter().filter(|frame| frame.stream.1 == "R->W") {
        let channel = fields(frame).0;
        if channel > 1 && !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    let index = channels.iter().position(|known| *known == channel)?;
    let mut streams = end.notices.iter().filter_map(|notice| match notice {
        AppNotice::Invoke { stream, .. } => Some(*stream),
        _ => None,
    });
    streams.nth(index)
}

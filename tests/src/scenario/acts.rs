//! What the commands of a scenario do.

use bytes::Bytes;
use cocaine_core::config::{Protocol, Tag};
use cocaine_core::engine::{EngineCommand, EngineNotice, Policy, StreamId, Urgency};
use cocaine_core::machine::{Endpoint, Input, IoError, Output, Peer as Credentials, PeerProcess, Severity};
use cocaine_core::wire::{ErrorCode, Failure, Header, Value, v0, v1};

use super::parse::{Act, Command, StreamAct};
use super::peers::{Process, Speaks};
use super::render;
use super::world::{World, seconds};

/// The user that workers run as unless their profile says otherwise.
pub(super) const UID: u32 = 1000;

impl World {
    pub(super) fn act(&mut self, command: Command) {
        match command {
            Command::App { .. } | Command::Limits(_) | Command::ListenFails(_) => {
                unreachable!("starts a world")
            }
            Command::Client(name) => self.connect_client(&name),
            Command::Stranger { name, uid, pgid } => {
                let process = PeerProcess { pid: 7777, uid, pgid };
                self.connect_stranger(&name, process);
            }
            Command::Peer { name, act } => self.peer_acts(&name, act),
            Command::Advance(by) => self.advance(by),
            Command::Stall(by) => self.stall(by),
            Command::Stream { name, act } => self.tell(Input::Command(stream_command(StreamId(name), act))),
            Command::Control { lever, workers } => {
                self.tell(Input::Command(EngineCommand::Control { lever, workers }));
            }
            Command::Release { lever } => self.tell(Input::Command(EngineCommand::Release { lever })),
            Command::Stop => self.tell(Input::Command(EngineCommand::Stop)),
            Command::Info { flags, path } => {
                self.info_path = path;
                self.tell(Input::Command(EngineCommand::Info { query: 1, flags }));
            }
            Command::Timeout => self.show_timeout(),
            Command::Spec(name) => {
                let line = self.process(&name).command_line.clone();
                self.say(line);
            }
        }
    }

    fn show_timeout(&mut self) {
        use cocaine_core::machine::Machine as _;
        let line = match self.engine.next_timeout() {
            Some((at, reason)) => format!("wakes at {}s: {reason:?}", seconds(at)),
            None => "never wakes".into(),
        };
        self.say(line);
    }

    fn connect_client(&mut self, name: &str) {
        let listener = *self.listeners.get(1).expect("the service was never published");
        let conn = self.add_peer(name, Speaks::Client(Default::default()));
        self.tell(Input::Accepted { listener, conn, peer: Credentials::default() });
    }

    fn connect_stranger(&mut self, name: &str, process: PeerProcess) {
        let listener = *self.listeners.first().expect("the workers' socket is open");
        let conn = self.add_peer(name, Speaks::Worker { protocol: Protocol::V1, known: 1 });
        let peer = Credentials { process: Some(process) };
        self.tell(Input::Accepted { listener, conn, peer });
    }

    fn peer_acts(&mut self, name: &str, act: Act) {
        match act {
            Act::Spawned => {
                let (worker, pid) = (self.process(name).worker, self.process(name).pid());
                self.tell(Input::Spawned { worker, pid });
            }
            Act::SpawnFailed(text) => {
                let worker = self.process(name).worker;
                self.tell(Input::SpawnFailed { worker, error: IoError { errno: 2, text } });
            }
            Act::Exited(status) => {
                let process = self.process(name);
                (process.output_wanted, process.beats) = (false, None);
                let worker = process.worker;
                self.tell(Input::WorkerExited { worker, status });
            }
            Act::Print { mut data } => {
                data.push(b'\n');
                self.process(name).output.extend(data);
                self.run();
            }
            Act::Beats(every) => {
                let now = self.now;
                self.process(name).beats = every.map(|every| (every, now + every));
            }
            Act::Connect => {
                let process = self.process(name);
                let (pid, uid) = (process.pid(), process.identity.map_or(UID, |(uid, _)| uid));
                self.connect_stranger(name, PeerProcess { pid, uid, pgid: Some(pid) });
            }
            Act::Ready(protocol) => {
                for act in
                    [Act::Spawned, Act::Connect, Act::Handshake { protocol, uuid: None }, Act::Heartbeat]
                {
                    self.peer_acts(name, act);
                }
            }
            Act::Unclog => {
                let peer = self.peer(name);
                peer.clogged = false;
                let (conn, bytes) = (peer.conn, peer.write.as_ref().map(|batch| batch.to_vec()));
                self.show_frames(conn, &bytes.unwrap_or_default());
                self.run();
            }
            Act::HungUp => {
                let conn = self.peer(name).conn;
                self.peer(name).gone = true;
                self.tell(Input::HungUp { conn });
            }
            other => self.peer_sends(name, other),
        }
    }

    fn peer_sends(&mut self, name: &str, act: Act) {
        let own_uuid = |world: &mut Self| world.process(name).uuid.clone();
        match act {
            Act::Handshake { protocol, uuid } => {
                let uuid = match uuid {
                    None => own_uuid(self),
                    Some(other) if self.processes.values().any(|p| p.worker.to_string() == other) => {
                        self.process(&other).uuid.clone()
                    }
                    Some(other) => other,
                };
                self.handshake(name, protocol, &uuid);
            }
            Act::Enqueue { channel, event, tag, headers } => {
                let mut args = vec![Value::Raw(event.into())];
                args.extend(tag.map(Value::from));
                let headers: Vec<Header> =
                    headers.into_iter().map(|(name, value)| Header::new(name, value)).collect();
                self.call(name, channel, 0, &Value::Array(args), &headers);
            }
            Act::Call { channel, message, args } => self.call(name, channel, message, &args, &[]),
            Act::Raw(bytes) => self.peer(name).send(|out| out.extend(bytes)),
            Act::Gone => self.peer(name).gone = true,
            Act::Clog => self.peer(name).clogged = true,
            Act::Drip => self.peer(name).drip = true,
            Act::Write { channel, data, count } => {
                (0..count).for_each(|_| self.peer(name).send_write(channel, &data));
            }
            Act::Close { channel } => self.peer(name).send_close(channel),
            Act::Error { channel, category, code, text } => {
                let failure = Failure::new(ErrorCode::new(category, code), text);
                let protocol = self.peer(name).protocol();
                self.peer(name).send(|out| match protocol {
                    Protocol::V1 => v1::error(out, channel, &failure),
                    Protocol::V0 => v0::error(out, channel, code, &failure.text),
                });
            }
            Act::Speaks(speaks) => self.peer(name).speak(speaks),
            Act::Heartbeat => self.peer(name).send_heartbeat(),
            Act::Terminate { code, text } => self.terminate(name, code, &text),
            _ => unreachable!("not something to send"),
        }
        self.run();
    }

    fn handshake(&mut self, name: &str, speaks: Protocol, uuid: &str) {
        let peer = self.peer(name);
        peer.speak(speaks);
        peer.send(|out| match speaks {
            Protocol::V1 => v1::handshake(out, uuid.as_bytes()),
            Protocol::V0 => v0::handshake(out, uuid.as_bytes()),
        });
    }

    fn call(&mut self, name: &str, channel: u64, message: u32, args: &Value, headers: &[Header]) {
        let peer = self.peer(name);
        if let Speaks::Client(calls) = &mut peer.speaks {
            calls.entry(channel).or_insert(message);
        }
        peer.send(|out| v1::frame_with_headers(out, channel, message, headers, |out| args.encode(out)));
    }

    fn terminate(&mut self, name: &str, code: i64, text: &str) {
        let args = Value::Array(vec![code.into(), text.into()]);
        let protocol = self.peer(name).protocol();
        let args = |out: &mut Vec<u8>| args.encode(out);
        self.peer(name).send(|out| match protocol {
            Protocol::V1 => v1::frame(out, v1::CONTROL_CHANNEL, v1::message::TERMINATE, args),
            Protocol::V0 => v0::frame(out, v0::message::TERMINATE, v0::CONTROL_SESSION, args),
        });
    }

    /// Shows an output that is not about a connection.
    pub(super) fn show(&mut self, output: Output<EngineNotice>) {
        match output {
            Output::Listen { listener, at } => {
                self.say(format!("listen {listener} {}", render::listen_at(&at)));
                self.listen(listener);
            }
            Output::Unlisten { listener } => self.say(format!("unlisten {listener}")),
            Output::Spawn { worker, spec } => {
                let uuid = spec.arguments.last().cloned().unwrap_or_default();
                let named = if uuid.len() == 36 { String::new() } else { format!(" named {uuid}") };
                let process = Process {
                    worker,
                    uuid,
                    output_wanted: false,
                    output: Vec::new(),
                    command_line: format!(
                        "{}/{} {}",
                        spec.directory,
                        spec.executable,
                        spec.arguments.join(" ")
                    ),
                    identity: spec.identity,
                    beats: None,
                    unanswered: 0,
                };
                self.processes.insert(worker, process);
                self.say(format!("spawn {worker}{named}"));
            }
            Output::Kill { worker, signal } => self.say(format!("{} to {worker}", render::signal(signal))),
            Output::Log(record) if record.severity >= Severity::Warning => {
                self.say(format!("{}: {}", render::severity(record.severity), record.message));
            }
            Output::Log(_) => {}
            Output::Notice(notice) => self.show_notice(notice),
            other => self.say(format!("{other:?}")),
        }
    }

    fn show_notice(&mut self, notice: EngineNotice) {
        let line = match notice {
            EngineNotice::Started => "notice: started".into(),
            EngineNotice::Broken { failure } => format!("notice: broken, {}", render::failure(&failure)),
            EngineNotice::Published { endpoints } => {
                let endpoints: Vec<String> = endpoints.iter().map(Endpoint::to_string).collect();
                format!("notice: published at {}", endpoints.join(", "))
            }
            EngineNotice::Unpublished => "notice: unpublished".into(),
            EngineNotice::Stopped => "notice: stopped".into(),
            EngineNotice::Chunk { stream, data } => {
                format!("s{} <- chunk {}", stream.0, render::payload(&data))
            }
            EngineNotice::End { stream } => format!("s{} <- end", stream.0),
            EngineNotice::Fail { stream, failure } => {
                format!("s{} <- fail {}", stream.0, render::failure(&failure))
            }
            EngineNotice::Consumed { stream, bytes } => format!("s{} <- consumed {bytes}", stream.0),
            EngineNotice::Info { report, .. } => self.show_info(&report),
        };
        self.say(line);
    }

    /// The part of a report that was asked for. A worker's name in the path means its uuid.
    fn show_info(&self, report: &Value) -> String {
        let mut at = report;
        for key in self.info_path.split('.').filter(|key| !key.is_empty()) {
            let process = self.processes.values().find(|process| process.worker.to_string() == key);
            let key = process.map_or(key, |process| process.uuid.as_str());
            match at.get(key) {
                Some(part) => at = part,
                None => return format!("info: no {key}"),
            }
        }
        format!("info: {}", render::value(at))
    }
}

fn stream_command(stream: StreamId, act: StreamAct) -> EngineCommand {
    match act {
        StreamAct::Open { event, urgent, tag, timeout_ms } => {
            let urgency = if urgent { Urgency::Urgent } else { Urgency::Normal };
            let tag = tag.map(|tag| Tag::new(&tag).expect("a tag"));
            let header = |millis: u64| Header::new("request_timeout", millis.to_le_bytes().to_vec());
            let headers = timeout_ms.map(header).into_iter().collect();
            EngineCommand::Open { stream, event: event.into(), headers, policy: Policy { tag, urgency } }
        }
        StreamAct::Chunk(data) => EngineCommand::Chunk { stream, data: Bytes::from(data) },
        StreamAct::End => EngineCommand::End { stream },
        StreamAct::Fail { category, code, text } => {
            EngineCommand::Fail { stream, failure: Failure::new(ErrorCode::new(category, code), text) }
        }
        StreamAct::Cancel => EngineCommand::Cancel { stream },
        StreamAct::Consumed(bytes) => EngineCommand::Consumed { stream, bytes },
    }
}

//! Starts that fail, hang, or come too late.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;

use super::request::StreamId;
use super::{Engine, EngineCommand, EngineConfig, EngineLimits, EngineNotice, Policy};
use crate::config::{AppName, Manifest, Profile};
use crate::machine::{Document, Input, IoError, Machine, Output, Signal, WorkerId};
use crate::time::{Timestamp, WallClock};
use crate::wire::Value;

fn document(entries: &[(&str, Value)]) -> Document {
    let entries = entries.iter().map(|(key, value)| (Value::from(*key), value.clone()));
    Document { source: "test".into(), value: Value::Map(entries.collect()), positions: BTreeMap::new() }
}

fn engine(min_pool: u64) -> Engine {
    let config = EngineConfig {
        app: AppName::new("echo").unwrap(),
        manifest: Manifest::read(&document(&[("slave", "echo".into())])).unwrap().value,
        profile: Profile::read(&document(&[("min-pool", Value::Uint(min_pool))])).unwrap().value,
        profile_name: "default".into(),
        directory: "/app".into(),
        socket: "/run/echo".into(),
        listen: (IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        locators: Vec::new(),
        uid: 1,
        limits: EngineLimits::default(),
        seed: [1; 32],
    };
    Engine::new(config, Timestamp::ZERO, WallClock::default())
}

fn drain(engine: &mut Engine) -> Vec<Output<EngineNotice>> {
    core::iter::from_fn(|| engine.poll_output()).collect()
}

fn spawned(outputs: &[Output<EngineNotice>]) -> Vec<WorkerId> {
    let spawns = outputs.iter().filter_map(|output| match output {
        Output::Spawn { worker, .. } => Some(*worker),
        _ => None,
    });
    spawns.collect()
}

/// Answers whatever it asks for, at the very start.
fn settle(engine: &mut Engine) -> Vec<Output<EngineNotice>> {
    let mut all = Vec::new();
    loop {
        let outputs = drain(engine);
        if outputs.is_empty() {
            return all;
        }
        for output in &outputs {
            if let Output::Listen { listener, .. } = output {
                let input = Input::Listening { listener: *listener, endpoints: Vec::new() };
                engine.handle(Timestamp::ZERO, input);
            }
        }
        all.extend(outputs);
    }
}

/// An engine that keeps one worker, and that worker.
fn started() -> (Engine, WorkerId) {
    let mut engine = engine(1);
    let workers = spawned(&settle(&mut engine));
    assert_eq!(workers.len(), 1);
    (engine, workers[0])
}

/// Lets time pass, and nothing else happen, up to `end`; gives the moments of starts.
fn run_failing(engine: &mut Engine, first: WorkerId, end: Timestamp) -> Vec<Timestamp> {
    let (mut now, mut starts, mut pending) = (Timestamp::ZERO, Vec::new(), Vec::from([first]));
    while now <= end {
        for worker in core::mem::take(&mut pending) {
            starts.push(now);
            let error = IoError { errno: 2, text: String::from("echo: no such file") };
            engine.handle(now, Input::SpawnFailed { worker, error });
        }
        pending = spawned(&drain(engine));
        if pending.is_empty() {
            let Some((at, _)) = engine.next_timeout() else { break };
            assert!(at > now, "the timer must lie ahead");
            now = at;
            engine.handle(now, Input::Timeout);
            pending = spawned(&drain(engine));
        }
    }
    starts
}

#[test]
fn engine_defect_09_a_crash_loop_backs_off_and_keeps_trying() {
    let (mut engine, worker) = started();
    let starts = run_failing(&mut engine, worker, Timestamp::from_secs(300));
    let waits = starts.windows(2).map(|pair| pair[1].since(pair[0]).as_secs_f64());
    let expected = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 32.0, 32.0];
    for (wait, seconds) in waits.zip(expected) {
        assert!((seconds..=seconds * 1.25).contains(&wait), "{starts:?}");
    }
    assert!((13..=15).contains(&starts.len()), "{starts:?}");
}

#[test]
fn an_app_that_crashes_at_start_is_tried_without_any_request() {
    let mut engine = engine(0);
    assert_eq!(spawned(&settle(&mut engine)), []);
    let (stream, event) = (StreamId(1), Bytes::from_static(b"ping"));
    let open = EngineCommand::Open { stream, event, headers: Vec::new(), policy: Policy::default() };
    engine.handle(Timestamp::ZERO, Input::Command(open));
    let workers = spawned(&drain(&mut engine));
    assert_eq!(workers.len(), 1);
    // The third failure ends the only request there is.
    let starts = run_failing(&mut engine, workers[0], Timestamp::from_secs(300));
    assert!(starts.len() > 9, "{starts:?}");
}

#[test]
fn engine_defect_19_a_process_that_comes_after_it_was_given_up_is_killed() {
    let (mut engine, worker) = started();
    let mut now = Timestamp::ZERO;
    while now < Timestamp::from_secs(15) {
        now = engine.next_timeout().unwrap().0;
        engine.handle(now, Input::Timeout);
        drain(&mut engine);
    }
    engine.handle(now, Input::Spawned { worker, pid: 7 });
    assert!(drain(&mut engine).contains(&Output::Kill { worker, signal: Signal::Kill }));
}

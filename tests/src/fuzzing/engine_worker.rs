//! A worker that sends anything, beside one that behaves and a client that needs both.

use std::time::Duration;

use cocaine_core::config::Protocol;
use cocaine_core::engine::EngineCommand;
use cocaine_core::machine::{ConnId, ExitStatus};
use cocaine_core::wire::{Value, v1};

use super::stage::Stage;

/// How many requests the client opens before the worker says anything.
const REQUESTS: u64 = 6;

/// The first byte chooses the size of the pieces in which the others arrive, the bits of the second after which
/// pieces the worker takes what was written to it, the third how it begins and ends; the others are what it
/// sends.
///
/// # Panics
///
/// The engine breaks its contract with the driver, the other worker's requests do not go on, or a request is
/// not answered exactly once.
pub fn run(data: &[u8]) {
    let [piece, takes, mode, stream @ ..] = data else { return };
    let mut stage = Stage::new(profile());
    stage.strange_workers = 1;
    stage.command(EngineCommand::Control { lever: 1, workers: 2 });
    let client = stage.connect_client();
    let stranger = begin(&mut stage, mode % 3);
    open_requests(&mut stage, client);
    let served: Vec<u64> =
        (1..=REQUESTS).filter(|channel| !stage.calls(client).get(*channel).data.is_empty()).collect();
    assert!(!served.is_empty(), "the other worker has none");

    for (number, bytes) in stream.chunks(usize::from(*piece) + 1).enumerate() {
        stage.driver.deliver(stranger, bytes, usize::MAX);
        stage.settle();
        if takes >> (number % 8) & 1 == 1 {
            stage.driver.acknowledge(stranger);
            stage.settle();
        }
        stage.assert_served(client, served[0]);
    }
    end(&mut stage, stranger, mode / 3 % 4);
    finish(stage, client);
}

fn profile() -> Value {
    Value::map([("pool-limit", 3_u64), ("concurrency", 4), ("queue-limit", 16), ("startup-timeout", 2)])
}

/// The worker's connection: without a handshake, or with one in either dialect and a heartbeat.
fn begin(stage: &mut Stage, how: u8) -> ConnId {
    match how {
        0 => stage.accept_worker(stage.workers[0].id),
        1 => stage.introduce(0, Protocol::V1),
        _ => stage.introduce(0, Protocol::V0),
    }
}

fn open_requests(stage: &mut Stage, client: usize) {
    for channel in 1..=REQUESTS {
        stage.send(client, |out| v1::invoke(out, channel, b"ping", &[]));
    }
}

/// The worker's last act: it hangs up, exits, or just goes on being there.
fn end(stage: &mut Stage, stranger: ConnId, how: u8) {
    let worker = stage.workers[0].id;
    match how {
        0 => stage.driver.hang_up(stranger),
        1 => stage.exit(worker, ExitStatus::Code(0)),
        2 => {
            stage.driver.hang_up(stranger);
            stage.exit(worker, ExitStatus::Signal(9));
        }
        _ => {}
    }
    // Long enough for every timeout of a worker and of its replacement.
    stage.advance(Duration::from_secs(60));
}

fn finish(mut stage: Stage, client: usize) {
    stage.send(client, |out| {
        (1..=REQUESTS).for_each(|channel| v1::close(out, channel));
        v1::invoke(out, REQUESTS + 1, b"ping", &[]);
        v1::close(out, REQUESTS + 1);
    });
    let last = stage.calls(client).get(REQUESTS + 1);
    assert!(last.ended() && !last.failed && last.data == b"ping", "{last:?}");
    stage.calls(client).assert_all_ended(&[]);
    assert_eq!(stage.driver.machine.buffered(), 0, "nobody waits for anything");
    stage.stop();
}

//! A client that sends anything, beside one that behaves.

use std::time::Duration;

use cocaine_core::engine::EngineCommand;
use cocaine_core::machine::CloseReason;
use cocaine_core::wire::{Value, protocols, v1};

use super::calls::Calls;
use super::stage::Stage;

/// The first byte chooses the size of the pieces in which the others arrive, the bits of the second after which
/// pieces the client takes what was written to it, the third how it ends; the others are what it sends.
///
/// # Panics
///
/// The engine breaks its contract with the driver, the other client does not get its answers, or a request is
/// not answered exactly once.
pub fn run(data: &[u8]) {
    let [piece, takes, ending, stream @ ..] = data else { return };
    let mut stage = Stage::new(profile());
    let innocent = stage.connect_client();
    stage.send(innocent, |out| v1::invoke(out, 1, b"ping", &[]));
    let calls = Calls::new(&protocols::APP);
    let mut stranger = Stranger { conn: stage.accept_client(), unread: Vec::new(), calls };
    for (number, bytes) in stream.chunks(usize::from(*piece) + 1).enumerate() {
        stranger.unread.extend_from_slice(bytes);
        stranger.go_on(&mut stage, takes >> (number % 8) & 1 == 1);
        stage.assert_served(innocent, 1);
    }
    match ending % 3 {
        0 => leave(&mut stage, innocent, &stranger),
        1 => stop(&mut stage, &mut stranger, true),
        _ => stop(&mut stage, &mut stranger, false),
    }
    stage.stop();
    stage.calls(innocent).assert_all_ended(&[]);
}

fn profile() -> Value {
    Value::map([("pool-limit", 2_u64), ("concurrency", 8), ("queue-limit", 16), ("request-timeout", 20)])
}

/// The client whose bytes are the input.
struct Stranger {
    conn: cocaine_core::machine::ConnId,
    unread: Vec<u8>,
    calls: Calls,
}

impl Stranger {
    fn go_on(&mut self, stage: &mut Stage, takes: bool) {
        // What the engine is about to read counts as sent: it may answer at once.
        let taken = stage.driver.deliver(self.conn, &self.unread, usize::MAX);
        self.calls.sent(&self.unread[..taken]);
        self.unread.drain(..taken);
        stage.settle();
        if takes {
            stage.driver.acknowledge(self.conn);
            stage.settle();
        }
        self.calls.received(&stage.driver.take_received(self.conn));
    }

    /// Reads and sends until nothing moves.
    fn take_all(&mut self, stage: &mut Stage) {
        self.go_on(stage, false);
        while stage.driver.acknowledge(self.conn) {
            self.go_on(stage, false);
        }
    }
}

/// The stranger leaves: nothing of it remains, and the innocent gets another answer.
fn leave(stage: &mut Stage, innocent: usize, stranger: &Stranger) {
    stage.driver.hang_up(stranger.conn);
    stage.settle();
    stage.send(innocent, |out| {
        v1::close(out, 1);
        v1::invoke(out, 2, b"ping", &[]);
        v1::close(out, 2);
    });
    let second = stage.calls(innocent).get(2);
    assert!(second.data == b"ping" && second.ended() && !second.failed, "{second:?}");
    assert_eq!(stage.driver.machine.buffered(), 0, "nobody waits for anything");
}

/// The app is stopped: whoever takes what is written gets an answer to everything.
fn stop(stage: &mut Stage, stranger: &mut Stranger, takes: bool) {
    stage.command(EngineCommand::Stop);
    for _ in 0..30 {
        if takes {
            stranger.take_all(stage);
        }
        stage.advance(Duration::from_millis(500));
    }
    let told = stage.driver.why_closed(stranger.conn) == Some(&CloseReason::Stopping);
    assert!(!stage.driver.is_open(stranger.conn), "stopped, and still connected");
    stranger.calls.received(&stage.driver.take_received(stranger.conn));
    if takes && told {
        stranger.calls.assert_all_ended(&["control"]);
    }
}

//! One run from its beginning to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cocaine_core::engine::EngineCommand;
use cocaine_core::machine::Input;

use super::event::{Deed, Event, Move};
use super::figures::Figures;
use super::options::Options;
use super::world::World;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Equal for equal runs.
    pub hash: u64,
    /// What was exercised.
    pub figures: Figures,
    /// The promise that was broken, and what happened before.
    pub failure: Option<Failure>,
}

/// A broken promise.
#[derive(Debug)]
pub struct Failure {
    /// The options of the run.
    pub options: Options,
    /// Which promise.
    pub promise: String,
    /// The last things that happened.
    pub last: Vec<String>,
}

/// Runs a seed. `aloud` prints everything that happens.
#[must_use]
pub fn run(seed: u64, aloud: bool) -> Outcome {
    let mut world = World::new(Options::from_seed(seed), aloud);
    let begun = world.now();
    let result = catch_unwind(AssertUnwindSafe(|| world.live()));
    world.figures.micros = u64::try_from(world.now().since(begun).as_micros()).unwrap_or(u64::MAX);
    let failure = result.err().map(|cause| Failure {
        options: world.options.clone(),
        promise: text(&*cause),
        last: world.trace.last().map(String::from).collect(),
    });
    Outcome { hash: world.trace.hash(), figures: world.figures, failure }
}

fn text(cause: &(dyn std::any::Any + Send)) -> String {
    let owned = cause.downcast_ref::<String>().cloned();
    owned.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default()
}

impl World {
    /// Faults, then peace, then the end.
    fn live(&mut self) {
        self.drain();
        self.begin();
        let storm = self.now() + self.options.storm;
        self.run_until(storm);
        // Sometimes the end comes in the middle of it all.
        if self.dice.chance(250) {
            return self.stop();
        }
        self.calm();
        self.settle();
        self.serve_one_more();
        self.stop();
    }

    fn begin(&mut self) {
        for client in 0..self.clients.len() {
            let wait = self.dice.millis(0, 2_000);
            self.agenda.after(wait, Event::Client(client, Move::Connect));
        }
        self.agenda.after(Duration::from_millis(1), Event::Embedder(Deed::Ask));
        self.agenda.after(Duration::from_millis(1), Event::Weather);
        self.agenda.after(Duration::from_millis(1), Event::Operator);
    }

    /// Faults end. Nobody asks for anything new.
    fn calm(&mut self) {
        self.stormy = false;
        self.net.stormy = false;
        self.embedder.left = 0;
        self.trace.note(self.agenda.now(), format_args!("faults end"));
        for end in self.net.clogged() {
            if self.net.unclog(end) {
                self.look(end);
            }
        }
        for client in 0..self.clients.len() {
            self.clients[client].left = 0;
            self.clients[client].sleepy = false;
            if let Some(end) = self.clients[client].end {
                self.look_client(client, end);
            }
        }
        // Whoever holds the pool lets go of it.
        for lever in 1_000_000..=1_000_002 {
            self.tell(Input::Command(EngineCommand::Release { lever }));
        }
    }

    /// Everything that was asked is answered within the longest time that anything may take.
    fn settle(&mut self) {
        let timeouts = self.checks.timeouts();
        let longest = timeouts.request
            + timeouts.startup
            + timeouts.heartbeat
            + timeouts.seal
            + timeouts.terminate
            + timeouts.kill;
        let end = self.now() + longest + Duration::from_secs(60);
        self.run_until(end);
        for client in 0..self.clients.len() {
            if let Some(end) = self.clients[client].end {
                self.leave(client, end);
            }
        }
        let end = self.now() + Duration::from_secs(1);
        self.run_until(end);
        let moment = self.moment();
        self.checks.settled(&moment, &self.engine.machine);
    }

    /// After all that it still works: a good client gets a good answer.
    fn serve_one_more(&mut self) {
        let before = self.figures.answered;
        self.embedder_asks_well();
        let end = self.now() + self.checks.timeouts().startup + Duration::from_secs(5);
        self.run_until(end);
        assert_eq!(self.figures.answered, before + 1, "it does not work any more, though nothing is wrong");
    }

    /// The app stops, and leaves nothing.
    fn stop(&mut self) {
        self.embedder.left = 0;
        self.trace.note(self.agenda.now(), format_args!("the end"));
        self.tell(Input::Command(EngineCommand::Stop));
        let timeouts = self.checks.timeouts();
        let longest = timeouts.startup + timeouts.stop + timeouts.terminate + timeouts.kill * 3;
        let end = self.now() + longest + Duration::from_secs(30);
        self.run_until(end);
        assert!(self.engine.is_over(), "it never stops");
        self.checks.stopped(&self.engine.machine);
        // Of some processes nobody knew whether they would come. They are sent away.
        let end = self.now() + Duration::from_secs(30);
        self.run_until(end);
        let alive = self.processes.values().filter(|process| process.is_alive()).count();
        assert_eq!(alive, 0, "processes are left behind");
    }
}

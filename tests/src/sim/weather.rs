//! What happens to connections, and what the operator does.

use std::time::Duration;

use cocaine_core::engine::EngineCommand;
use cocaine_core::machine::Input;

use super::event::Event;
use super::world::World;

impl World {
    /// A second, or so, of weather.
    pub(super) fn weather(&mut self) {
        if !self.stormy {
            return;
        }
        if self.dice.chance(self.options.clogs / 4) {
            self.swizzle();
        }
        let open = self.net.open();
        if !open.is_empty() && self.dice.chance(self.options.resets) {
            let end = self.dice.pick(&open);
            if self.dice.chance(500) {
                self.figures.fault("network resets");
                self.net.reset(&mut self.agenda, end);
            } else {
                self.figures.fault("network closes a half");
                self.net.half_close(&mut self.agenda, end);
            }
        }
        if self.dice.chance(self.options.spurious * 5) {
            self.agenda.after(Duration::ZERO, Event::Ghost(Box::new(Input::Timeout)));
        }
        let wait = self.dice.millis(100, 1_000);
        self.agenda.after(wait, Event::Weather);
    }

    /// Some directions are clogged at once, and others freed, in random order.
    fn swizzle(&mut self) {
        for end in self.net.clogged() {
            if self.dice.chance(500) && self.net.unclog(end) {
                self.look(end);
            }
        }
        for end in self.net.open() {
            if self.dice.chance(150) {
                self.figures.fault("network clogs a direction");
                self.net.clog(end);
            }
        }
    }

    /// The operator asks how things are, and pulls levers.
    pub(super) fn operator(&mut self) {
        if self.engine.is_over() {
            return;
        }
        self.tell(Input::Command(EngineCommand::Info { query: 1, flags: 7 }));
        if self.stormy && self.dice.chance(20) {
            let lever = self.dice.within(1_000_000, 1_000_002);
            let workers = i64::try_from(self.dice.within(0, 5)).unwrap_or(0) - 1;
            self.tell(Input::Command(EngineCommand::Control { lever, workers }));
        }
        let wait = self.dice.millis(1, 300);
        self.agenda.after(wait, Event::Operator);
    }
}

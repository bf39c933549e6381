//! What clients do, and what comes of it.

use std::time::Duration;

use cocaine_core::machine::Peer;

use super::client;
use super::event::{Event, Move, Owner, Party};
use super::net::{End, Read};
use super::request::Req;
use super::world::World;

impl World {
    pub(super) fn step_client(&mut self, client: usize, step: Move) {
        match step {
            Move::Connect => self.connect_client(client),
            Move::Ask => self.client_asks(client),
            Move::Stream { life, channel } => self.client_streams(client, life, channel),
            Move::Read => self.client_reads(client),
        }
    }

    fn connect_client(&mut self, client: usize) {
        if self.clients[client].end.is_some() || self.clients[client].left == 0 {
            return;
        }
        let Some(listener) = self.listeners[1] else {
            return self.agenda.after(Duration::from_millis(500), Event::Client(client, Move::Connect));
        };
        let (mine, end) = self.net.connect(Owner::Client(client), Owner::Machine(Party::Engine));
        self.clients[client].begin(mine);
        self.clients[client].sleepy = self.stormy && self.dice.chance(self.options.mischief / 2);
        self.figures.fault_if(self.clients[client].sleepy, "client reads slowly");
        self.agenda.after(Duration::ZERO, Event::Accept { end, listener, peer: Peer::default() });
        self.agenda.after(Duration::from_millis(1), Event::Client(client, Move::Ask));
    }

    fn client_asks(&mut self, client: usize) {
        let Some(end) = self.clients[client].end.filter(|_| self.clients[client].left > 0) else { return };
        let wild = self.stormy && self.dice.chance(self.options.mischief);
        if wild && self.dice.chance(500) {
            self.client_misbehaves(client, end);
        } else {
            self.client_requests(client, end, wild);
        }
        let pause = self.dice.millis(0, self.options.pause_ms);
        self.agenda.after(pause, Event::Client(client, Move::Ask));
    }

    fn client_requests(&mut self, client: usize, end: End, wild: bool) {
        let task = client::task(&mut self.dice, Req(self.terms.len()));
        let default = self.checks.timeouts().request;
        let who = &mut self.clients[client];
        who.left -= 1;
        let (words, channel, terms) = who.ask(&mut self.dice, &task, default, wild);
        self.terms.push(terms);
        self.net.send_all(&mut self.agenda, end, &words);
        let life = self.clients[client].life;
        let soon = self.dice.millis(0, 2);
        self.agenda.after(soon, Event::Client(client, Move::Stream { life, channel }));
    }

    fn client_misbehaves(&mut self, client: usize, end: End) {
        let name = match self.dice.within(0, 9) {
            0 => {
                self.leave(client, end);
                "client leaves"
            }
            1 => {
                self.net.half_close(&mut self.agenda, end);
                "client closes its half"
            }
            2 => {
                self.net.reset(&mut self.agenda, end);
                "client is reset"
            }
            _ => {
                let (words, name) = self.clients[client].mischief(&mut self.dice);
                self.net.send_all(&mut self.agenda, end, &words);
                name
            }
        };
        self.figures.fault(name);
        self.trace.note(self.agenda.now(), format_args!("client {client}: {name}"));
    }

    fn client_streams(&mut self, client: usize, life: u32, channel: u64) {
        let who = &mut self.clients[client];
        let Some(end) = who.end.filter(|_| who.life == life) else { return };
        let (words, more) = who.stream(channel);
        self.net.send_all(&mut self.agenda, end, &words);
        if more {
            let wait =
                if self.dice.chance(800) { self.dice.millis(0, 5) } else { self.dice.millis(0, 2_000) };
            self.agenda.after(wait, Event::Client(client, Move::Stream { life, channel }));
        }
    }

    /// Something came for a client.
    pub(super) fn look_client(&mut self, client: usize, end: End) {
        if self.clients[client].end != Some(end) {
            return;
        }
        if self.clients[client].sleepy {
            let wait = self.dice.millis(100, 6_000);
            return self.agenda.after(wait, Event::Client(client, Move::Read));
        }
        self.client_reads(client);
    }

    fn client_reads(&mut self, client: usize) {
        let Some(end) = self.clients[client].end else { return };
        loop {
            match self.net.read(&mut self.agenda, end, usize::MAX) {
                Read::Bytes(_) if self.clients[client].sleepy => {
                    return self.agenda.after(Duration::from_millis(50), Event::Client(client, Move::Read));
                }
                Read::Bytes(_) => {}
                Read::Nothing => return,
                Read::Fin | Read::Reset => return self.leave(client, end),
            }
        }
    }

    /// The client closes its connection and may come again.
    pub(super) fn leave(&mut self, client: usize, end: End) {
        self.clients[client].end = None;
        self.net.close(&mut self.agenda, end);
        let wait = self.dice.millis(1, 200);
        self.agenda.after(wait, Event::Client(client, Move::Connect));
    }
}

//! The loop: gather what happened, feed the machine, do what it asks, sleep.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use cocaine_core::machine::{
    ConnId, Input, IoError, LaunchError, LaunchId, Launched, ListenerId, Machine, Record, Severity,
    StoreError, StoreId, StoreReply, WorkerId,
};
use cocaine_core::time::Timestamp;
use smol::channel::{Receiver, Sender};
use smol::stream::Stream;

use super::clock::{Alarm, WallWatch};
use super::conns::Conns;
use super::host::World;
use super::listener::Listener;
use super::park::Sleeper;
use super::poller::{Interest, Poller, Readiness, Token};
use super::process::{Execution, Process};
use super::socket::READ_SIZE;
use super::stores::Stores;
use super::workers::Workers;

/// What one turn may move before other tasks of the thread get theirs, in bytes.
const TURN_BYTES: usize = 256 * 1024;
/// What an input without bytes counts for.
const TURN_STEP: usize = 256;

/// A machine and everything it has in the world.
pub(super) struct Driver<'w, M, N> {
    pub(super) machine: M,
    pub(super) notices: N,
    pub(super) world: &'w World,
    pub(super) now: Timestamp,
    pub(super) poller: Poller,
    pub(super) conns: Conns,
    pub(super) listeners: BTreeMap<ListenerId, Listener>,
    pub(super) workers: Workers,
    pub(super) stores: Stores,
    /// Where blocking work leaves its results.
    pub(super) results: Sender<Done>,
    pub(super) scratch: Box<[u8]>,
    /// What can go on now.
    pub(super) ready: VecDeque<Token>,
    /// Connections that are ending, to look at after each exchange with the machine.
    pub(super) ending: Vec<ConnId>,
    /// What is tried again later.
    pub(super) later: BTreeSet<(Timestamp, Token)>,
    /// What this turn may still move.
    pub(super) budget: usize,
    done: Pin<Box<Receiver<Done>>>,
    sleeper: Sleeper,
    alarm: Alarm,
    wall: WallWatch,
}

/// The result of something that was done on another thread.
pub(super) enum Done {
    Stored(StoreId, Result<StoreReply, StoreError>),
    Launched(LaunchId, Result<Launched, LaunchError>),
    Started(WorkerId, Result<(Process, Execution), IoError>),
}

impl<'w, M: Machine, N: FnMut(M::Notice)> Driver<'w, M, N> {
    pub(super) fn new(machine: M, notices: N, world: &'w World) -> io::Result<Self> {
        let poller = Poller::new()?;
        let alarm = Alarm::new(world.clock)?;
        poller.add(&alarm, Token::Alarm, Interest::Read)?;
        let wall = WallWatch::new()?;
        poller.add(&wall, Token::WallClock, Interest::Read)?;
        let sleeper = Sleeper::new(&poller)?;
        let (results, done) = smol::channel::unbounded();
        let mut driver = Self {
            machine,
            notices,
            world,
            now: world.clock.now(),
            poller,
            conns: Conns::default(),
            listeners: BTreeMap::new(),
            workers: Workers::default(),
            stores: Stores::default(),
            results,
            scratch: vec![0; READ_SIZE].into(),
            ready: VecDeque::new(),
            ending: Vec::new(),
            later: BTreeSet::new(),
            budget: 0,
            done: Box::pin(done),
            sleeper,
            alarm,
            wall,
        };
        driver.feed(Input::WallClock(world.clock.wall()));
        Ok(driver)
    }

    /// One wake-up. Ready when the commands have ended.
    pub(super) fn turn(
        &mut self,
        cx: &mut Context<'_>,
        mut commands: Pin<&mut Receiver<M::Command>>,
    ) -> Poll<io::Result<()>> {
        self.now = self.world.clock.now();
        self.budget = TURN_BYTES;
        let ended = match self.gather(cx, commands.as_mut()) {
            Ok(ended) => ended,
            Err(error) => return Poll::Ready(Err(error)),
        };
        self.try_again();
        self.settle();
        self.tick();
        if ended {
            return Poll::Ready(Ok(()));
        }
        if self.budget == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.set_alarm() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Collects from every source until each is empty and will wake this task. Says whether the
    /// commands have ended.
    fn gather(
        &mut self,
        cx: &mut Context<'_>,
        mut commands: Pin<&mut Receiver<M::Command>>,
    ) -> io::Result<bool> {
        while self.sleeper.poll(cx)? {
            self.collect()?;
        }
        while let Poll::Ready(Some(done)) = self.done.as_mut().poll_next(cx) {
            self.finish(done);
        }
        while self.budget > 0 {
            match commands.as_mut().poll_next(cx) {
                Poll::Ready(Some(command)) => self.feed(Input::Command(command)),
                Poll::Ready(None) => return Ok(true),
                Poll::Pending => break,
            }
        }
        Ok(false)
    }

    fn collect(&mut self) -> io::Result<()> {
        self.poller.collect()?;
        let mut index = 0;
        while let Some((token, readiness)) = self.poller.event(index) {
            index += 1;
            self.happened(token, readiness);
        }
        Ok(())
    }

    fn happened(&mut self, token: Token, readiness: Readiness) {
        match token {
            Token::Conn(id) => {
                if let Some(conn) = self.conns.get(id) {
                    if conn.note(readiness) {
                        self.ending.push(id);
                    }
                    self.work_on(id);
                }
            }
            Token::Alarm => self.alarm.rang(),
            Token::WallClock => {
                if self.wall.was_set() {
                    self.feed(Input::WallClock(self.world.clock.wall()));
                }
            }
            Token::Listener(_) | Token::Output(_) | Token::Executed(_) | Token::Exit(_) => {
                self.ready.push_back(token);
            }
        }
    }

    /// Puts a connection on the list of what can go on, once.
    pub(super) fn work_on(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get(id)
            && !conn.queued
        {
            conn.queued = true;
            self.ready.push_back(Token::Conn(id));
        }
    }

    /// Tells the machine one thing.
    pub(super) fn feed(&mut self, input: Input<M::Command>) {
        let bytes = if let Input::Received { buf, .. } = &input { buf.len() } else { 0 };
        self.budget = self.budget.saturating_sub(bytes.max(TURN_STEP));
        self.machine.handle(self.now, input);
    }

    /// Tells the machine that its time has come. It has seen what was ready before: after a stall of this
    /// process nobody counts as silent whose words only waited to be read.
    fn tick(&mut self) {
        if self.machine.next_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.feed(Input::Timeout);
            self.settle();
        }
    }

    /// Puts what was to be tried again by now on the list of what can go on.
    fn try_again(&mut self) {
        while let Some((at, token)) = self.later.first().copied().filter(|(at, _)| *at <= self.now) {
            self.later.remove(&(at, token));
            self.ready.push_back(token);
        }
    }

    /// Does what can be done until nothing is left or the budget is spent.
    fn settle(&mut self) {
        loop {
            self.work();
            self.act();
            if self.tell_endings() {
                continue;
            }
            if self.ready.is_empty() || self.budget == 0 {
                return;
            }
        }
    }

    /// Works once on everything that was ready when it began.
    fn work(&mut self) {
        for _ in 0..self.ready.len() {
            if self.budget == 0 {
                return;
            }
            match self.ready.pop_front() {
                Some(Token::Conn(id)) => self.work_conn(id),
                Some(Token::Listener(id)) => self.work_listener(id),
                Some(Token::Output(id)) => self.work_output(id),
                Some(Token::Executed(id)) => self.work_executed(id),
                Some(Token::Exit(id)) => self.work_exit(id),
                Some(Token::Alarm | Token::WallClock) | None => {}
            }
        }
    }

    /// Tells of connections that ended and have no read in flight. Says whether there were any.
    fn tell_endings(&mut self) -> bool {
        let mut told = false;
        for id in std::mem::take(&mut self.ending) {
            if let Some(input) = self.conns.get(id).and_then(|conn| conn.without_read()) {
                self.feed(input);
                told = true;
            }
        }
        told
    }

    fn set_alarm(&mut self) -> io::Result<()> {
        let machine = self.machine.next_timeout().map(|(at, _)| at);
        let later = self.later.first().map(|(at, _)| *at);
        if let Some(at) = machine.into_iter().chain(later).min() {
            self.alarm.ring_by(at)?;
        }
        Ok(())
    }

    pub(super) fn log(&self, severity: Severity, message: String) {
        self.world.host.log(Record::new(severity, "driver", message));
    }
}

//! Outputs into deeds, and what became possible into inputs.

use std::sync::Arc;
use std::time::Duration;

use cocaine_core::machine::{
    Batch, ConnId, Endpoint, Input, IoError, LaunchId, LaunchRequest, ListenAt, ListenerId, Machine, Output,
    Severity, Signal, SpawnSpec, WorkerId,
};

use super::conn::{Conn, Dial};
use super::listener::{Accepted, Listener};
use super::poller::{Interest, Token};
use super::process::{Execution, Process, on_spawner};
use super::run::{Done, Driver};
use super::socket::io_error;

/// How long to wait before accepting again when descriptors or memory ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait before dialing again when a Unix listener's queue was full.
const DIAL_PAUSE: Duration = Duration::from_millis(5);
/// How long to wait before reaping again when a process has ended but cannot be reaped (it is traced).
const REAP_PAUSE: Duration = Duration::from_millis(50);
/// How many connections are accepted before others get their turn.
const ACCEPTS: usize = 64;

impl<M: Machine, N: FnMut(M::Notice)> Driver<'_, M, N> {
    /// Does everything the machine asks for now.
    pub(super) fn act(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output<M::Notice>) {
        match output {
            Output::Read { conn, buf } => {
                if self.conns.get(conn).is_some_and(|known| known.start_read(buf)) {
                    self.work_on(conn);
                }
            }
            Output::Write { conn, batch } => self.write(conn, batch),
            Output::Close { conn, .. } => {
                if let Some(conn) = self.conns.remove(conn) {
                    conn.close(&mut self.scratch);
                }
            }
            Output::Connect { conn, endpoint } => self.connect(conn, endpoint),
            Output::Listen { listener, at } => self.listen(listener, &at),
            Output::Unlisten { listener } => drop(self.listeners.remove(&listener)),
            Output::Spawn { worker, spec } => self.spawn(worker, spec),
            Output::ReadOutput { worker } => {
                self.workers.want_output(worker);
                self.ready.push_back(Token::Output(worker));
            }
            Output::Kill { worker, signal } => self.kill(worker, signal),
            Output::Store { store, request } => {
                self.stores.push(store, request);
                self.start_stores();
            }
            Output::Launch { launch, request } => self.launch(launch, request),
            Output::Log(record) => self.world.host.log(record),
            Output::Notice(notice) => (self.notices)(notice),
        }
    }

    // Connections.

    fn write(&mut self, id: ConnId, batch: Batch) {
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        self.budget = self.budget.saturating_sub(batch.len());
        conn.start_write(batch);
        if self.budget == 0 {
            self.work_on(id);
        } else {
            self.flush(id);
        }
    }

    fn flush(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        let written = conn.flush(&self.poller);
        if conn.is_ending() {
            self.ending.push(id);
            if conn.can_fill() {
                self.work_on(id);
            }
        }
        if let Some(written) = written {
            self.feed(written);
        }
    }

    pub(super) fn work_conn(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        conn.queued = false;
        let dial = conn.dial(&self.poller);
        self.dialed(id, dial);
        self.flush(id);
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        let filled = conn.fill(&mut self.scratch);
        if conn.is_ending() {
            self.ending.push(id);
        }
        if let Some(filled) = filled {
            self.feed(filled);
        }
    }

    fn connect(&mut self, id: ConnId, endpoint: Endpoint) {
        let dial = Conn::dialing(id, endpoint).and_then(|mut conn| {
            let dial = conn.dial(&self.poller)?;
            let twice = |_| IoError { errno: 0, text: format!("connection {id} was named twice") };
            self.conns.insert(id, conn).map(|()| dial).map_err(twice)
        });
        self.dialed(id, dial);
    }

    fn dialed(&mut self, id: ConnId, dial: Result<Dial, IoError>) {
        match dial {
            Ok(Dial::Waiting) => {}
            Ok(Dial::Connected) => self.feed(Input::Connected { conn: id }),
            Ok(Dial::Busy) => drop(self.later.insert((self.now + DIAL_PAUSE, Token::Conn(id)))),
            Err(error) => {
                self.conns.remove(id);
                self.feed(Input::ConnectFailed { conn: id, error });
            }
        }
    }

    // Listeners.

    fn listen(&mut self, id: ListenerId, at: &ListenAt) {
        let opened = Listener::open(at).and_then(|(listener, endpoint)| {
            self.poller
                .add(&listener.fd, Token::Listener(id), Interest::Read)
                .map_err(|error| io_error(format_args!("watching {endpoint}"), error))?;
            Ok((listener, endpoint))
        });
        match opened {
            Ok((listener, endpoint)) => {
                self.listeners.insert(id, listener);
                self.feed(Input::Listening { listener: id, endpoints: vec![endpoint] });
            }
            Err(error) => self.feed(Input::ListenFailed { listener: id, error }),
        }
    }

    pub(super) fn work_listener(&mut self, id: ListenerId) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get_mut(&id) else {
                return;
            };
            match listener.accept() {
                Accepted::One(fd, peer) => {
                    listener.short = false;
                    self.accepted(id, fd, peer);
                }
                Accepted::Nobody => return,
                Accepted::Short(error) => {
                    self.later.insert((self.now + ACCEPT_PAUSE, Token::Listener(id)));
                    if !std::mem::replace(&mut listener.short, true) {
                        let error = io_error(format_args!("accepting on {listener}, trying again"), error);
                        self.log(Severity::Error, error.text);
                    }
                    return;
                }
                Accepted::Broken(error) => {
                    let error = io_error(format_args!("accepting on {listener}, giving up"), error);
                    return self.log(Severity::Error, error.text);
                }
            }
        }
        self.ready.push_back(Token::Listener(id));
    }

    fn accepted(
        &mut self,
        listener: ListenerId,
        fd: std::os::fd::OwnedFd,
        peer: cocaine_core::machine::Peer,
    ) {
        let Some(id) = self.conns.next_accepted() else {
            return self.log(Severity::Error, "too many connections; one was refused".to_owned());
        };
        let kept = Conn::accepted(id, fd, &self.poller).map(|conn| self.conns.insert(id, conn).is_ok());
        match kept {
            Ok(true) => self.feed(Input::Accepted { listener, conn: id, peer }),
            Ok(false) => {}
            Err(error) => {
                self.conns.forget(id);
                self.log(Severity::Error, io_error("watching an accepted connection", error).text);
            }
        }
    }

    // Processes.

    fn spawn(&mut self, worker: WorkerId, spec: Box<SpawnSpec>) {
        self.workers.starting(worker);
        let (host, results) = (Arc::clone(&self.world.host), self.results.clone());
        let started = on_spawner(move || {
            // If the driver is gone, the process is dropped here, which kills it.
            let _ = results.try_send(Done::Started(worker, Process::start(&*host, &spec)));
        });
        if let Err(error) = started {
            self.spawn_failed(worker, IoError { errno: 0, text: error.to_string() });
        }
    }

    fn started(&mut self, worker: WorkerId, process: Process, execution: Execution) {
        if let Err(error) = self.workers.started(worker, process, execution, &self.poller) {
            self.spawn_failed(worker, io_error("watching a new process", error));
        }
    }

    /// The exec shim has become the worker, or said why it could not.
    pub(super) fn work_executed(&mut self, worker: WorkerId) {
        match self.workers.executed(worker) {
            None => {}
            Some((pid, Ok(()))) => {
                self.feed(Input::Spawned { worker, pid });
                // What happened while it was open was put off.
                self.ready.extend([Token::Output(worker), Token::Exit(worker)]);
            }
            Some((pid, Err(error))) => {
                self.world.host.gone(pid);
                self.spawn_failed(worker, error);
            }
        }
    }

    fn spawn_failed(&mut self, worker: WorkerId, error: IoError) {
        self.workers.remove(worker);
        self.feed(Input::SpawnFailed { worker, error });
    }

    fn kill(&mut self, worker: WorkerId, signal: Signal) {
        if let Err(error) = self.workers.signal(worker, signal) {
            let error = io_error(format_args!("sending {signal:?} to the group of worker {worker}"), error);
            self.log(Severity::Error, error.text);
        }
    }

    pub(super) fn work_output(&mut self, worker: WorkerId) {
        if let Some(bytes) = self.workers.output(worker, &mut self.scratch) {
            self.feed(Input::WorkerOutput { worker, bytes });
        }
    }

    /// A worker's process has ended. Its group is killed while the dead leader still holds the group's
    /// number: once it is reaped the number could be someone else's.
    pub(super) fn work_exit(&mut self, worker: WorkerId) {
        let Some(pid) = self.workers.ended(worker) else {
            return;
        };
        self.kill(worker, Signal::Kill);
        self.world.host.gone(pid);
        for bytes in self.workers.last_output(worker, &mut self.scratch) {
            self.feed(Input::WorkerOutput { worker, bytes });
        }
        match self.workers.reap(worker) {
            Some(status) => {
                self.workers.remove(worker);
                self.feed(Input::WorkerExited { worker, status });
            }
            None => drop(self.later.insert((self.now + REAP_PAUSE, Token::Exit(worker)))),
        }
    }

    // Blocking work.

    fn start_stores(&mut self) {
        while let Some((store, request)) = self.stores.next() {
            let (host, results) = (Arc::clone(&self.world.host), self.results.clone());
            smol::unblock(move || {
                // If the driver is gone, nobody wants the result.
                let _ = results.try_send(Done::Stored(store, host.store(request)));
            })
            .detach();
        }
    }

    fn launch(&mut self, launch: LaunchId, request: LaunchRequest) {
        let (host, results) = (Arc::clone(&self.world.host), self.results.clone());
        smol::unblock(move || {
            // If the driver is gone, nobody wants the result.
            let _ = results.try_send(Done::Launched(launch, host.launch(request)));
        })
        .detach();
    }

    pub(super) fn finish(&mut self, done: Done) {
        match done {
            Done::Stored(store, result) => {
                self.stores.finished(store);
                self.feed(Input::Stored { store, result });
                self.start_stores();
            }
            Done::Launched(launch, result) => self.feed(Input::Launched { launch, result }),
            Done::Started(worker, Ok((process, execution))) => self.started(worker, process, execution),
            Done::Started(worker, Err(error)) => self.spawn_failed(worker, error),
        }
    }
}

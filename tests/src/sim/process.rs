//! The workers' processes.

use std::time::Duration;

use bytes::Bytes;
use cocaine_core::machine::{ExitStatus, Input, IoError, Peer, PeerProcess, Signal, SpawnSpec, WorkerId};

use super::event::{Event, Owner, Party, Step};
use super::fact::Fact;
use super::net::{End, Read};
use super::worker::{Manner, Script, Start, Then};
use super::world::World;

/// The user that workers run as.
const UID: u32 = 1_000;

/// A process of the simulated operating system.
#[derive(Debug)]
pub struct Process {
    pub(super) script: Script,
    life: Life,
    output_wanted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The driver was asked for it.
    Asked,
    /// It runs; the driver may not have noticed.
    Running,
    /// It is gone.
    Gone,
}

impl Process {
    /// Whether the operating system has it.
    pub(super) fn is_alive(&self) -> bool {
        self.life == Life::Running
    }
}

fn pid(worker: WorkerId) -> u32 {
    100 + u32::try_from(worker.number()).unwrap_or(0)
}

impl World {
    /// Whether the process on this end is the worker that it says it is.
    pub(super) fn is_itself(&self, worker: WorkerId, end: End) -> bool {
        let process = &self.processes[&worker];
        let honest = !matches!(process.script.start, Start::WrongName | Start::WrongGroup | Start::Garbage);
        process.script.end == Some(end) && honest
    }

    pub(super) fn spawn(&mut self, worker: WorkerId, spec: &SpawnSpec) {
        self.state(&Fact::Spawn(worker));
        let timeouts = self.checks.timeouts();
        let uuid = spec.arguments.last().cloned().unwrap_or_default();
        let beat = timeouts.heartbeat.mul_f64(0.4);
        let startup = timeouts.startup;
        let script = Script::cast(&self.options, &mut self.dice, self.stormy, uuid, beat);
        let start = script.start;
        self.processes.insert(worker, Process { script, life: Life::Asked, output_wanted: false });
        self.figures.fault_if(start != Start::Well, misstart(start));
        let soon = self.dice.millis(0, 30);
        let step = |step| Event::Process(worker, step);
        match start {
            Start::Fails => self.agenda.after(soon, step(Step::SpawnFailed)),
            Start::Early => {
                self.run_process(worker);
                self.agenda.after(Duration::ZERO, step(Step::Connect));
                let wait = self.dice.millis(20, 300);
                self.agenda.after(wait, step(Step::Spawned));
            }
            Start::LateNotice => {
                self.run_process(worker);
                let wait = self.dice.millis(0, 12_000);
                self.agenda.after(wait, step(Step::Spawned));
                self.agenda.after(soon, step(Step::Connect));
            }
            Start::LastMoment => {
                let exact = Duration::from_micros(self.dice.within(0, 2));
                self.agenda.after(Duration::ZERO, step(Step::Spawned));
                let wait = startup - Duration::from_micros(1) + exact;
                self.agenda.after(wait, step(Step::Connect));
            }
            _ => self.agenda.after(soon, step(Step::Spawned)),
        }
    }

    fn run_process(&mut self, worker: WorkerId) {
        if let Some(process) = self.processes.get_mut(&worker)
            && process.life == Life::Asked
        {
            process.life = Life::Running;
        }
    }

    pub(super) fn step_process(&mut self, worker: WorkerId, step: Step) {
        let Some(process) = self.processes.get(&worker) else { return };
        let (life, hangs) = (process.life, process.script.hangs);
        match step {
            Step::Spawned => self.spawned(worker),
            Step::SpawnFailed => {
                self.processes.get_mut(&worker).expect("it is there").life = Life::Gone;
                let error = IoError { errno: 2, text: "no such file".into() };
                self.tell(Input::SpawnFailed { worker, error });
            }
            Step::Exit(status) if life == Life::Running => self.exit(worker, status),
            Step::Reaped(status) => self.tell(Input::WorkerExited { worker, status }),
            Step::LetGo => self.let_go(worker),
            Step::Print if life == Life::Running => self.print(worker),
            Step::Impostor if life == Life::Running => self.impostor(worker),
            _ if life != Life::Running || hangs => {}
            Step::Connect => self.connect_worker(worker),
            Step::Beat => self.beat(worker),
            Step::Reply(channel) => self.reply(worker, channel),
            Step::Accident => self.accident(worker),
            Step::Exit(_) | Step::Print | Step::Impostor => {}
        }
    }

    /// The driver notices that a process runs; or that it ran.
    fn spawned(&mut self, worker: WorkerId) {
        self.run_process(worker);
        self.tell(Input::Spawned { worker, pid: pid(worker) });
        let process = &self.processes[&worker];
        if process.life == Life::Gone {
            // It was gone before anybody knew.
            let status = ExitStatus::Code(9);
            return self.agenda.after(Duration::ZERO, Event::Process(worker, Step::Reaped(status)));
        }
        let soon = self.dice.millis(0, 50);
        let step = |step| Event::Process(worker, step);
        match process.script.start {
            Start::Exits => self.agenda.after(soon, step(Step::Exit(ExitStatus::Code(1)))),
            Start::Mute | Start::Early | Start::LateNotice | Start::LastMoment => {}
            _ => self.agenda.after(soon, step(Step::Connect)),
        }
        if self.dice.chance(100) {
            self.agenda.after(soon, step(Step::Print));
        }
        if self.stormy && self.dice.chance(self.options.accidents / 10) {
            self.agenda.after(soon, step(Step::Impostor));
        }
        if self.stormy && self.dice.chance(self.options.accidents) {
            let wait = self.dice.millis(10, 15_000);
            self.agenda.after(wait, step(Step::Accident));
        }
    }

    fn connect_worker(&mut self, worker: WorkerId) {
        let script = &self.processes[&worker].script;
        let (start, mut words) = (script.start, script.handshake());
        let Some(end) = self.dial_engine(worker, start == Start::WrongGroup) else { return };
        let script = &mut self.processes.get_mut(&worker).expect("it is there").script;
        script.end = Some(end);
        match start {
            Start::Shy => return,
            Start::Garbage => words = vec![0xc1; 5],
            Start::Heartless => {}
            _ => words.extend(script.heartbeat()),
        }
        let beat = script.beat;
        self.net.send_all(&mut self.agenda, end, &words);
        if !matches!(start, Start::Heartless | Start::Garbage) {
            self.agenda.after(beat, Event::Process(worker, Step::Beat));
        }
    }

    /// A connection to the workers' socket, if there is one.
    fn dial_engine(&mut self, worker: WorkerId, wrong_group: bool) -> Option<End> {
        let listener = self.listeners[0]?;
        let pid = pid(worker);
        let pgid = if wrong_group { 1 } else { pid };
        let peer = Peer { process: Some(PeerProcess { pid, uid: UID, pgid: Some(pgid) }) };
        let (mine, end) = self.net.connect(Owner::Script(worker), Owner::Machine(Party::Engine));
        self.agenda.after(Duration::ZERO, Event::Accept { end, listener, peer });
        Some(mine)
    }

    /// Somebody else says that he is this worker.
    fn impostor(&mut self, worker: WorkerId) {
        self.figures.fault("impostor");
        let words = self.processes[&worker].script.handshake();
        if let Some(end) = self.dial_engine(worker, true) {
            self.net.send_all(&mut self.agenda, end, &words);
        }
    }

    fn beat(&mut self, worker: WorkerId) {
        let script = &self.processes[&worker].script;
        let (Some(end), words, every) = (script.end, script.heartbeat(), script.beat) else { return };
        self.net.send_all(&mut self.agenda, end, &words);
        self.agenda.after(every, Event::Process(worker, Step::Beat));
    }

    fn reply(&mut self, worker: WorkerId, channel: u64) {
        let script = &mut self.processes.get_mut(&worker).expect("it is there").script;
        let Some(end) = script.end else { return };
        let (words, again) = script.reply(channel, &mut self.dice);
        self.net.send_all(&mut self.agenda, end, &words);
        if let Some(wait) = again {
            self.agenda.after(wait, Event::Process(worker, Step::Reply(channel)));
        }
    }

    /// Something came for a script.
    pub(super) fn hear_script(&mut self, worker: WorkerId, end: End) {
        let mut then = Vec::new();
        loop {
            let read = self.net.read(&mut self.agenda, end, usize::MAX);
            let Some(process) = self.processes.get_mut(&worker) else { return };
            let script = &mut process.script;
            let deaf = process.life != Life::Running || script.hangs || script.end != Some(end);
            match read {
                Read::Bytes(bytes) if !deaf => script.hear(&bytes, &mut self.dice, &mut then),
                Read::Bytes(_) => {}
                Read::Nothing => break,
                Read::Fin | Read::Reset if deaf => break,
                // Without the engine it has nothing to live for.
                Read::Fin | Read::Reset => {
                    then.push(Then::Exit(0));
                    break;
                }
            }
        }
        for then in then {
            self.follow(worker, then);
        }
    }

    fn follow(&mut self, worker: WorkerId, then: Then) {
        let step = |step| Event::Process(worker, step);
        match then {
            Then::Reply(channel, wait) => self.agenda.after(wait, step(Step::Reply(channel))),
            Then::Exit(code) => {
                let script = &self.processes[&worker].script;
                let stays = code == 0 && matches!(script.manner, Manner::Deaf | Manner::Stone);
                let soon = self.dice.millis(0, 20);
                if !stays {
                    self.agenda.after(soon, step(Step::Exit(ExitStatus::Code(code))));
                }
            }
            Then::Terminated => self.terminated(worker),
        }
    }

    fn terminated(&mut self, worker: WorkerId) {
        let script = &mut self.processes.get_mut(&worker).expect("it is there").script;
        let (Some(end), words) = (script.end, script.goodbye(1)) else { return };
        let step = Event::Process(worker, Step::Exit(ExitStatus::Code(0)));
        match script.manner {
            Manner::Polite => {
                self.net.send_all(&mut self.agenda, end, &words);
                self.agenda.after(Duration::from_millis(5), step);
            }
            Manner::Short => self.agenda.after(Duration::ZERO, step),
            Manner::Slow => {
                script.end = None;
                self.net.close(&mut self.agenda, end);
                let wait = self.dice.millis(0, 4_000);
                self.agenda.after(wait, step);
            }
            Manner::Deaf | Manner::Stone => self.figures.fault("ignores terminate"),
        }
    }

    fn accident(&mut self, worker: WorkerId) {
        let script = &mut self.processes.get_mut(&worker).expect("it is there").script;
        let Some(end) = script.end else { return };
        let (goodbye, abnormal) = (script.goodbye(1), script.goodbye(2));
        let what = self.dice.within(0, 10);
        let exit = |code| Event::Process(worker, Step::Exit(ExitStatus::Code(code)));
        let name = match what {
            0 | 1 => {
                self.agenda.after(Duration::ZERO, exit(1));
                "crashes"
            }
            2 => {
                script.hangs = true;
                "hangs"
            }
            3 => {
                self.net.send_all(&mut self.agenda, end, &[0xc1; 3]);
                "talks garbage"
            }
            4 => {
                self.net.send_all(&mut self.agenda, end, &goodbye);
                self.agenda.after(Duration::from_millis(3), exit(0));
                "says goodbye"
            }
            5 => {
                self.net.send_all(&mut self.agenda, end, &abnormal);
                "says goodbye abnormally and stays"
            }
            6 => {
                script.end = None;
                self.net.close(&mut self.agenda, end);
                "disconnects"
            }
            7 => {
                self.net.half_close(&mut self.agenda, end);
                "closes its half"
            }
            8 => {
                self.net.send_all(&mut self.agenda, end, &[0x93, 0x02, 0x00, 0x91, 0xda]);
                self.net.reset(&mut self.agenda, end);
                "is reset in a frame"
            }
            9 => {
                script.beat = script.beat.mul_f64(2.5) + Duration::from_micros(self.dice.within(0, 2));
                script.beat -= Duration::from_micros(1);
                "beats at the last moment"
            }
            _ => {
                self.net.send_all(
                    &mut self.agenda,
                    end,
                    &[0x93, 0x02, 0x00, 0x91, 0xdb, 0x7f, 0xff, 0xff, 0xff],
                );
                "declares a huge frame"
            }
        };
        self.figures.fault(name);
        self.trace.note(self.agenda.now(), format_args!("{worker} {name}"));
    }

    pub(super) fn want_output(&mut self, worker: WorkerId) {
        self.processes.get_mut(&worker).expect("it was spawned").output_wanted = true;
    }

    fn print(&mut self, worker: WorkerId) {
        let process = self.processes.get_mut(&worker).expect("it is there");
        if !std::mem::take(&mut process.output_wanted) {
            return;
        }
        let bytes = Bytes::from(vec![b'\n'.saturating_add(self.dice.size(0, 1).to_le_bytes()[0]); 300]);
        self.tell(Input::WorkerOutput { worker, bytes });
        let wait = self.dice.millis(1, 3_000);
        self.agenda.after(wait, Event::Process(worker, Step::Print));
    }

    pub(super) fn kill(&mut self, worker: WorkerId, signal: Signal) {
        self.state(&Fact::Kill(worker, signal));
        let process = &self.processes[&worker];
        let hears = match signal {
            Signal::Kill => true,
            Signal::Term => process.script.manner != Manner::Stone && !process.script.hangs,
        };
        self.figures.fault_if(!hears, "ignores SIGTERM");
        if hears && process.life == Life::Running {
            let number = if signal == Signal::Term { 15 } else { 9 };
            let soon = self.dice.millis(0, 10);
            self.agenda.after(soon, Event::Process(worker, Step::Exit(ExitStatus::Signal(number))));
        }
        if signal == Signal::Kill {
            self.let_go(worker);
        }
    }

    /// A process is gone: in whatever order the driver notices that and the end of its connection.
    fn exit(&mut self, worker: WorkerId, status: ExitStatus) {
        let process = self.processes.get_mut(&worker).expect("it is there");
        process.life = Life::Gone;
        let unnoticed = self.checks.is_unspawned(worker);
        let orphan = self.stormy && self.dice.chance(100);
        if orphan {
            // A child of it keeps the connection open.
            self.figures.fault("a child keeps the connection");
        } else {
            let wait = self.dice.millis(0, 3);
            self.agenda.after(wait, Event::Process(worker, Step::LetGo));
        }
        if !unnoticed {
            let wait = self.dice.millis(0, 3);
            self.agenda.after(wait, Event::Process(worker, Step::Reaped(status)));
        }
    }

    fn let_go(&mut self, worker: WorkerId) {
        let process = self.processes.get_mut(&worker).expect("it is there");
        if process.life == Life::Gone
            && let Some(end) = process.script.end.take()
        {
            self.net.close(&mut self.agenda, end);
        }
    }
}

fn misstart(start: Start) -> &'static str {
    match start {
        Start::Well => "",
        Start::Fails => "spawn fails",
        Start::Mute => "never connects",
        Start::Shy => "never says who it is",
        Start::Heartless => "never beats",
        Start::WrongName => "wrong uuid",
        Start::Early => "handshake before spawn notice",
        Start::Garbage => "garbage for a handshake",
        Start::Exits => "exits before connecting",
        Start::LastMoment => "starts at the last moment",
        Start::LateNotice => "spawn notice late",
        Start::WrongGroup => "wrong process group",
    }
}

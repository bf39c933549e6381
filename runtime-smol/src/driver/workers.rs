//! The worker processes of one driver.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use cocaine_core::machine::{ExitStatus, IoError, Signal, WorkerId};
use rustix::io::Errno;

use super::poller::{Interest, Poller, Token};
use super::process::{Execution, Process};
use super::socket::Received;

/// The most output that is delivered after a process has ended, in bytes. Its pipe holds less; only
/// descendants that left its group can write more.
const LAST_OUTPUT: usize = 1024 * 1024;

#[derive(Default)]
pub(super) struct Workers {
    workers: BTreeMap<WorkerId, Worker>,
}

struct Worker {
    stage: Stage,
    /// Whether the machine has asked for output.
    wants_output: bool,
}

enum Stage {
    /// Being started; the strongest signal that was sent meanwhile.
    Starting(Option<Signal>),
    /// The exec shim runs.
    Executing(Process, Execution),
    Running(Process),
}

impl Stage {
    const fn process(&mut self) -> Option<&mut Process> {
        match self {
            Self::Starting(_) => None,
            Self::Executing(process, _) | Self::Running(process) => Some(process),
        }
    }
}

impl Workers {
    pub(super) fn starting(&mut self, id: WorkerId) {
        let worker = Worker { stage: Stage::Starting(None), wants_output: false };
        self.workers.insert(id, worker);
    }

    /// Takes a process that was started.
    pub(super) fn started(
        &mut self,
        id: WorkerId,
        process: Process,
        execution: Execution,
        poller: &Poller,
    ) -> Result<(), Errno> {
        poller.add(&process.exit, Token::Exit(id), Interest::Read)?;
        poller.add(&execution.reader, Token::Executed(id), Interest::Read)?;
        if let Some(output) = &process.output {
            poller.add(output, Token::Output(id), Interest::Read)?;
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return Ok(());
        };
        if let Stage::Starting(Some(signal)) = worker.stage {
            process.signal(signal)?;
        }
        worker.stage = Stage::Executing(process, execution);
        Ok(())
    }

    /// The process id of a worker and what came of executing it. `None` if that is still open or
    /// known already.
    pub(super) fn executed(&mut self, id: WorkerId) -> Option<(u32, Result<(), IoError>)> {
        let worker = self.workers.get_mut(&id)?;
        let Stage::Executing(process, execution) = &mut worker.stage else {
            return None;
        };
        let (pid, outcome) = (process.id(), execution.outcome()?);
        if let Stage::Executing(process, _) = std::mem::replace(&mut worker.stage, Stage::Starting(None)) {
            worker.stage = Stage::Running(process);
        }
        Some((pid, outcome))
    }

    /// Forgets a worker; kills it if it runs.
    pub(super) fn remove(&mut self, id: WorkerId) {
        self.workers.remove(&id);
    }

    pub(super) fn signal(&mut self, id: WorkerId, signal: Signal) -> Result<(), Errno> {
        match self.workers.get_mut(&id).map(|worker| &mut worker.stage) {
            Some(Stage::Starting(pending)) => {
                *pending = (*pending).max(Some(signal));
                Ok(())
            }
            Some(Stage::Executing(process, _) | Stage::Running(process)) => process.signal(signal),
            None => Ok(()),
        }
    }

    pub(super) fn want_output(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.wants_output = true;
        }
    }

    /// Output that the machine has asked for, if there is some; empty at its end.
    pub(super) fn output(&mut self, id: WorkerId, scratch: &mut [u8]) -> Option<Bytes> {
        let worker = self.workers.get_mut(&id).filter(|worker| worker.wants_output)?;
        let Stage::Running(process) = &mut worker.stage else {
            return None;
        };
        let mut buf = BytesMut::new();
        match process.read_output(scratch, &mut buf) {
            Received::Nothing => return None,
            Received::Some { .. } | Received::End(_) => worker.wants_output = false,
        }
        Some(buf.freeze())
    }

    /// Everything that a process which has ended left behind, asked for or not. Nothing is waited
    /// for: what the process wrote is in the pipe, and its group is killed first.
    pub(super) fn last_output(&mut self, id: WorkerId, scratch: &mut [u8]) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        let Some(Worker { stage: Stage::Running(process), .. }) = self.workers.get_mut(&id) else {
            return pieces;
        };
        let mut len = 0;
        while len < LAST_OUTPUT {
            let mut buf = BytesMut::new();
            let Received::Some { .. } = process.read_output(scratch, &mut buf) else {
                break;
            };
            len += buf.len();
            pieces.push(buf.freeze());
        }
        pieces
    }

    /// Reaps a process that has ended. `None` if it cannot be reaped yet.
    pub(super) fn reap(&mut self, id: WorkerId) -> Option<ExitStatus> {
        self.workers.get_mut(&id)?.stage.process()?.reap()
    }

    /// The process of a worker that was executed and has ended.
    pub(super) fn ended(&self, id: WorkerId) -> Option<u32> {
        match &self.workers.get(&id)?.stage {
            Stage::Running(process) if process.has_ended() => Some(process.id()),
            _ => None,
        }
    }
}

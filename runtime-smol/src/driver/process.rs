//! Worker processes: start, output, signals to the group, the one place that reaps.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::sync::OnceLock;
use std::sync::mpsc;

use async_process::{Child, Command};
use bytes::BytesMut;
use cocaine_core::machine::{ExitStatus, IoError, Signal, SpawnSpec};
use cocaine_runtime_std::host::process::{ExecErrorReader, Prepared};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use rustix::time::Timespec;

use super::host::Host;
use super::socket::Received;

/// A running process that leads a group of its own.
///
/// Its process id cannot become someone else's before [`reap`](Self::reap), so signals may be sent
/// until then and never after. If it is dropped before, the whole group is killed.
pub(super) struct Process {
    child: Child,
    pid: Pid,
    /// Becomes readable when the process has ended, reaped or not.
    pub(super) exit: OwnedFd,
    /// What it writes to its standard output and error; `None` after the end.
    pub(super) output: Option<OwnedFd>,
    life: Life,
}

#[derive(PartialEq, Eq)]
enum Life {
    Unreaped,
    Reaped,
}

impl Process {
    /// Starts a process, which is the exec shim at first. Blocks for some milliseconds in a large
    /// program.
    pub(super) fn start(host: &dyn Host, spec: &SpawnSpec) -> Result<(Self, Execution), IoError> {
        let prepared = host.prepare(spec)?;
        let program = prepared.command.get_program().to_owned();
        let started = Self::try_start(prepared).map_err(|error| IoError {
            errno: error.raw_os_error().unwrap_or(0),
            text: format!("starting {} for app {}: {error}", program.display(), spec.app),
        })?;
        host.started(started.0.id(), spec);
        Ok(started)
    }

    fn try_start(prepared: Prepared) -> io::Result<(Self, Execution)> {
        let Prepared { mut command, streams, output, exec_error } = prepared;
        rustix::io::ioctl_fionbio(&output, true)?;
        rustix::io::ioctl_fionbio(&exec_error, true)?;
        command.process_group(0);
        // The command holds the other ends of the pipes: it must be gone, or they would never end.
        let child = Command::from(command)
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr)
            .spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let exit = rustix::process::pidfd_open(pid, PidfdFlags::empty()).inspect_err(|_| {
            // It is a child of ours that nobody has reaped, so the group is still its own.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        })?;
        let process = Self { child, pid, exit, output: Some(output.into()), life: Life::Unreaped };
        Ok((process, Execution { reader: exec_error, answer: Vec::new() }))
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Sends a signal to the whole group. One that is gone is no error.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        if self.life == Life::Reaped {
            return Ok(());
        }
        let signal = match signal {
            Signal::Term => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        match rustix::process::kill_process_group(self.pid, signal) {
            Err(Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads some output if there is any.
    pub(super) fn read_output(&mut self, scratch: &mut [u8], buf: &mut BytesMut) -> Received {
        let Some(output) = &self.output else {
            return Received::Nothing;
        };
        loop {
            return match rustix::io::read(output, &mut *scratch) {
                Ok(0) => self.end_output(None),
                Ok(count) => {
                    buf.extend_from_slice(scratch.get(..count).unwrap_or_default());
                    Received::Some { more: true }
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Received::Nothing,
                Err(error) => self.end_output(Some(error)),
            };
        }
    }

    fn end_output(&mut self, error: Option<Errno>) -> Received {
        self.output = None;
        Received::End(error)
    }

    /// Whether it has ended, reaped or not.
    pub(super) fn has_ended(&self) -> bool {
        let mut exit = [PollFd::new(&self.exit, PollFlags::IN)];
        // A call that does not wait is not interrupted either.
        matches!(rustix::event::poll(&mut exit, Some(&Timespec::default())), Ok(1))
    }

    /// Reaps a process that has ended. `None` if it has not, or cannot be reaped yet.
    pub(super) fn reap(&mut self) -> Option<ExitStatus> {
        let status = match self.child.try_status() {
            Ok(status) => status?,
            // Somebody else reaped our child (a program that ignores SIGCHLD, for example).
            Err(_) => std::process::ExitStatus::from_raw(0xff00),
        };
        self.life = Life::Reaped;
        Some(match status.signal() {
            Some(signal) => ExitStatus::Signal(signal),
            None => ExitStatus::Code(status.code().unwrap_or(-1)),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child's own drop sees to it that it is reaped later.
        let _ = self.signal(Signal::Kill);
    }
}

/// What the exec shim says: nothing if it could execute the worker.
pub(super) struct Execution {
    pub(super) reader: ExecErrorReader,
    answer: Vec<u8>,
}

impl Execution {
    /// What came of it; `None` while that is open.
    pub(super) fn outcome(&mut self) -> Option<Result<(), IoError>> {
        let mut bytes = [0; 512];
        loop {
            match rustix::io::read(&self.reader, &mut bytes) {
                // A broken pipe says as little as an empty one.
                Ok(0) => return Some(self.reader.outcome(&self.answer)),
                Ok(count) => self.answer.extend_from_slice(bytes.get(..count).unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return None,
                Err(_) => return Some(Ok(())),
            }
        }
    }
}

/// Runs a job on the one thread that starts processes.
///
/// A worker's parent-death signal follows the *thread* that started it, so that thread must live as
/// long as the program; and starting blocks, so it must not be a thread that serves requests.
pub(super) fn on_spawner(job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    type Job = Box<dyn FnOnce() + Send>;
    static SPAWNER: OnceLock<Option<mpsc::Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        let work = move || jobs.into_iter().for_each(|job| job());
        std::thread::Builder::new().name("spawner".into()).spawn(work).ok().map(|_| sender)
    });
    let dead = || io::Error::other("the thread that starts processes is not running");
    spawner.as_ref().ok_or_else(dead)?.send(Box::new(job)).map_err(|_| dead())
}

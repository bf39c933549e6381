//! Processes that end with the test that started them.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::journal::{PATIENCE, readable};

/// A child process. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    end: OwnedFd,
}

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let end = pidfd_open(pid(child.id()), PidfdFlags::empty()).expect("a child that was not waited for");
        Self { child, end }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Becomes readable when the process has ended.
    pub(super) const fn end(&self) -> &OwnedFd {
        &self.end
    }

    pub(super) fn signal(&self, signal: Signal) {
        // One that has just ended needs no signal.
        let _ = kill_process(pid(self.id()), signal);
    }

    /// Waits for the end; panics if it does not come.
    pub(super) fn wait(&mut self) -> ExitStatus {
        let id = self.id();
        self.wait_within(PATIENCE).unwrap_or_else(|| panic!("process {id} does not end"))
    }

    /// Waits for the end; `None` if it does not come in time.
    pub(super) fn wait_within(&mut self, time: Duration) -> Option<ExitStatus> {
        readable(&self.end, time).then(|| self.child.wait().expect("a child can be waited for"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(id: u32) -> Pid {
    i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Somebody else's child, held so that its id cannot come to mean another process.
#[derive(Debug)]
pub(super) struct Watched {
    id: u32,
    end: Option<OwnedFd>,
}

impl Watched {
    /// Watches the process of this id, which may have ended already.
    pub(super) fn new(id: u32) -> Self {
        Self { id, end: pidfd_open(pid(id), PidfdFlags::empty()).ok() }
    }

    /// Waits for its end.
    pub(super) fn must_end(&self) {
        assert!(self.ends_within(PATIENCE), "process {} still lives", self.id);
    }

    pub(super) fn ends_within(&self, time: Duration) -> bool {
        self.end.as_ref().is_none_or(|end| readable(end, time))
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }
}

/// How many file descriptors a process has open.
pub(super) fn open_files(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).expect("the process lives").count()
}

/// The resident memory of a process, in bytes.
pub(super) fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says it");
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kib * 1024
}

/// The processor time that a process has used, in ticks of a hundredth of a second.
pub(super) fn processor_ticks(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("the process lives");
    let fields = stat.rsplit(')').next().expect("fields behind the name").split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

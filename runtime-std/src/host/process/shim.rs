//! The exec shim: prepares its own process, then becomes the worker.
//!
//! Changing ids clears the parent-death signal, so there are two stages when ids change: the first
//! sets limits while it still may raise them and executes itself anew with the other ids; the second
//! does the rest. Standard input is the pipe on which errors are told; it closes by itself when the
//! worker is executed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use rustix::thread::set_no_new_privs;

use super::command::answer;
use super::limits;
use crate::host::os;

/// Exit code if the worker could not be executed; the reason was told on the pipe.
const NOT_EXECUTED: u8 = 127;

/// What the binary does when it is called as shim, with the arguments behind those of
/// [`ShimConfig::arguments`](super::ShimConfig). Returns only if something failed.
///
/// To be called before any thread is started and anything is read from standard input.
pub fn shim_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let failure = match Plan::read(arguments) {
        Some(plan) => plan.carry_out(),
        None => {
            Failure::new("the shim does not understand its arguments: ", io::ErrorKind::InvalidInput.into())
        }
    };
    failure.tell();
    ExitCode::from(NOT_EXECUTED)
}

/// A step that failed.
struct Failure {
    doing: OsString,
    error: io::Error,
}

impl Failure {
    fn new(doing: impl Into<OsString>, error: io::Error) -> Self {
        Self { doing: doing.into(), error }
    }

    /// Standard input is the write end of a pipe, or whatever a curious user gave us.
    fn tell(&self) {
        let told = rustix::io::dup(rustix::stdio::stdin())
            .map_err(io::Error::from)
            .and_then(|pipe| File::from(pipe).write_all(&answer(os::errno(&self.error), &self.doing)));
        if told.is_err() {
            eprintln!("{}{}", self.doing.display(), os::reason(&self.error));
        }
    }
}

/// What to do, from the command line.
#[derive(Default)]
struct Plan {
    parent: Option<i32>,
    directory: OsString,
    limits: Vec<(String, u64, u64)>,
    identity: Option<(u32, u32)>,
    with: Vec<OsString>,
    executable: OsString,
    arguments: Vec<OsString>,
}

impl Plan {
    fn read(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut plan = Self::default();
        let mut arguments = arguments.into_iter();
        loop {
            let argument = arguments.next()?;
            if argument == "--" {
                break;
            }
            plan.option(argument.as_bytes())?;
        }
        plan.executable = arguments.next()?;
        plan.arguments = arguments.collect();
        Some(plan)
    }

    fn option(&mut self, option: &[u8]) -> Option<()> {
        let equals = option.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (option.get(..equals)?, OsStr::from_bytes(option.get(equals + 1..)?));
        match key {
            b"parent" => self.parent = Some(value.to_str()?.parse().ok()?),
            b"directory" => self.directory = value.to_owned(),
            b"limit" => {
                let mut parts = value.to_str()?.splitn(3, ':');
                let name = parts.next()?.to_owned();
                self.limits.push((name, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?));
            }
            b"identity" => {
                let (uid, gid) = value.to_str()?.split_once(':')?;
                self.identity = Some((uid.parse().ok()?, gid.parse().ok()?));
            }
            b"with" => self.with.push(value.to_owned()),
            _ => return None,
        }
        Some(())
    }

    fn carry_out(self) -> Failure {
        if let Err(failure) = self.set_limits() {
            return failure;
        }
        match self.identity {
            Some((uid, gid)) => self.second_stage(uid, gid),
            None => match self.prepare() {
                Ok(()) => self.become_worker(),
                Err(failure) => failure,
            },
        }
    }

    fn set_limits(&self) -> Result<(), Failure> {
        for (name, soft, hard) in &self.limits {
            limits::resource(name)
                .ok_or_else(|| io::ErrorKind::InvalidInput.into())
                .and_then(|resource| limits::set(resource, *soft, *hard))
                .map_err(|error| Failure::new(format!("cannot set limit {name}={soft}:{hard}: "), error))?;
        }
        Ok(())
    }

    /// Becomes the shim once more, as the other user.
    fn second_stage(self, uid: u32, gid: u32) -> Failure {
        let mut option = OsString::from("directory=");
        option.push(&self.directory);
        let error = Command::new("/proc/self/exe")
            .args(self.with)
            .args(self.parent.map(|parent| format!("parent={parent}")))
            .arg(option)
            .arg("--")
            .arg(self.executable)
            .args(self.arguments)
            .uid(uid)
            .gid(gid)
            .exec();
        Failure::new(format!("cannot run as user {uid} of group {gid}: "), error)
    }

    fn prepare(&self) -> Result<(), Failure> {
        set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| Failure::new("cannot tie it to the daemon's life: ", error.into()))?;
        // The daemon may have died before the signal was set.
        if self.parent.is_some_and(|parent| Pid::as_raw(getppid()) != parent) {
            std::process::exit(i32::from(NOT_EXECUTED));
        }
        std::env::set_current_dir(&self.directory).map_err(|error| {
            Failure::new(format!("cannot enter directory {}: ", self.directory.display()), error)
        })?;
        set_no_new_privs(true).map_err(|error| Failure::new("cannot give up privileges: ", error.into()))
    }

    fn become_worker(self) -> Failure {
        // `exec` replaces standard input, so errors need a place of their own from here on. It is
        // closed on execution.
        let pipe = match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) {
            Ok(pipe) => File::from(pipe),
            Err(error) => return Failure::new("", error.into()),
        };
        let error = Command::new(&self.executable).args(&self.arguments).stdin(Stdio::null()).exec();
        let _ = (&pipe).write_all(&answer(os::errno(&error), OsStr::new("")));
        std::process::exit(i32::from(NOT_EXECUTED))
    }
}

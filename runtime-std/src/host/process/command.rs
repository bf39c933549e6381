//! The command that starts a worker through the shim.

use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cocaine_core::machine::{IoError, SpawnSpec};
use rustix::io::Errno;

use super::limits::{FileLimit, resource};
use crate::host::os;

/// How the shim is called. The program is configuration: only the embedder knows which binary calls
/// [`shim_main`](super::shim_main).
#[derive(Clone, Debug)]
pub struct ShimConfig {
    /// The program, usually our own executable.
    pub program: PathBuf,
    /// The arguments that make it a shim, usually a hidden subcommand.
    pub arguments: Vec<OsString>,
    /// The limit of open files that workers get, if we raised our own (see
    /// [`raise_file_limit`](super::raise_file_limit)). A limit in the spec wins.
    pub file_limit: Option<FileLimit>,
}

/// A worker that is ready to be started.
///
/// To be started from a thread that lives as long as the worker may: the worker is killed when the
/// thread ends.
#[derive(Debug)]
pub struct Prepared {
    /// The command, without its streams: wrappers of other libraries replace those anyway.
    pub command: Command,
    /// The streams to give to it.
    pub streams: Streams,
    /// What the worker writes to both its outputs. It ends when the last process with them is gone,
    /// and only if command and streams were dropped after starting.
    pub output: PipeReader,
    /// What the shim says if the worker could not be executed.
    pub exec_error: ExecErrorReader,
}

/// The standard streams of a worker to be.
#[derive(Debug)]
pub struct Streams {
    /// Standard input: the shim answers here; the worker gets an empty one.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error, the same pipe.
    pub stderr: Stdio,
}

impl Prepared {
    /// A worker that is started by `command` as it is, without the shim: for programs that have none. Only
    /// its process group and its streams are ours; errors of starting it come from [`spawn`](Self::spawn).
    pub fn without_shim(mut command: Command) -> io::Result<Self> {
        let (output, write) = io::pipe()?;
        let stderr = write.try_clone()?;
        // Nobody answers on this one: the reader finds its end at once.
        let (pipe, _) = io::pipe()?;
        let executable = PathBuf::from(command.get_program());
        command.process_group(0);
        Ok(Self {
            command,
            streams: Streams { stdin: Stdio::null(), stdout: write.into(), stderr: stderr.into() },
            output,
            exec_error: ExecErrorReader { pipe, executable },
        })
    }

    /// Starts it. Errors concern the shim, see [`shim_error`].
    pub fn spawn(mut self) -> io::Result<(Child, PipeReader, ExecErrorReader)> {
        let Streams { stdin, stdout, stderr } = self.streams;
        let child = self.command.stdin(stdin).stdout(stdout).stderr(stderr).spawn()?;
        Ok((child, self.output, self.exec_error))
    }
}

/// Prepares to start a worker: in a process group of its own, with an environment of the daemon's
/// variables and over them those of the spec.
///
/// Errors: a limit of unknown name (22), no file descriptors (24).
pub fn prepare(spec: &SpawnSpec, shim: &ShimConfig) -> Result<Prepared, IoError> {
    let no_pipe = |error: io::Error| IoError {
        errno: os::errno(&error),
        text: format!("cannot make a pipe for a worker of app {:?}: {}", spec.app, os::reason(&error)),
    };
    let (output, write) = io::pipe().map_err(no_pipe)?;
    let (error, answer) = io::pipe().map_err(no_pipe)?;
    let stderr = write.try_clone().map_err(no_pipe)?;
    let executable = Path::new(&spec.directory).join(&spec.executable);

    let mut command = Command::new(&shim.program);
    command.args(&shim.arguments).args(options(spec, shim)?).arg("--");
    command.arg(&executable).args(&spec.arguments).envs(&spec.environment).process_group(0);
    Ok(Prepared {
        command,
        streams: Streams { stdin: answer.into(), stdout: write.into(), stderr: stderr.into() },
        output,
        exec_error: ExecErrorReader { pipe: error, executable },
    })
}

/// What the shim is told, as `key=value`.
fn options(spec: &SpawnSpec, shim: &ShimConfig) -> Result<Vec<OsString>, IoError> {
    let mut options: Vec<OsString> =
        vec![format!("parent={}", std::process::id()).into(), format!("directory={}", spec.directory).into()];
    let files = shim.file_limit.filter(|_| !spec.limits.contains_key("nofile"));
    options.extend(files.map(|limit| limit_option("nofile", limit.soft, limit.hard)));
    for (name, (soft, hard)) in &spec.limits {
        if resource(name).is_none() {
            let text = format!("app {:?}: there is no resource limit {name:?}", spec.app);
            return Err(IoError { errno: Errno::INVAL.raw_os_error(), text });
        }
        options.push(limit_option(name, *soft, *hard));
    }
    if let Some((uid, gid)) = spec.identity {
        options.push(format!("identity={uid}:{gid}").into());
        options.extend(shim.arguments.iter().map(|argument| {
            let mut option = OsString::from("with=");
            option.push(argument);
            option
        }));
    }
    Ok(options)
}

fn limit_option(name: &str, soft: u64, hard: u64) -> OsString {
    format!("limit={name}:{soft}:{hard}").into()
}

/// The error of a shim that could not be started, for `SpawnFailed`.
#[must_use]
pub fn shim_error(shim: &ShimConfig, error: &io::Error) -> IoError {
    let text = format!("cannot start the exec shim {}: {}", shim.program.display(), os::reason(error));
    IoError { errno: os::errno(error), text }
}

/// Tells whether the worker was executed. It ends without a byte as soon as it was.
#[derive(Debug)]
pub struct ExecErrorReader {
    pipe: PipeReader,
    executable: PathBuf,
}

/// More the shim never writes.
const MAX_ANSWER: usize = 512;

impl ExecErrorReader {
    /// Waits until the worker was executed or could not be.
    pub fn wait(mut self) -> Result<(), IoError> {
        let mut answer = Vec::new();
        // A broken pipe says as little as an empty one.
        let _ = self.pipe.by_ref().take(MAX_ANSWER as u64).read_to_end(&mut answer);
        self.outcome(&answer)
    }

    /// What the bytes mean that a driver has read from the descriptor until its end.
    pub fn outcome(&self, answer: &[u8]) -> Result<(), IoError> {
        let Some((number, doing)) = answer.split_first_chunk::<4>() else { return Ok(()) };
        let errno = i32::from_le_bytes(*number);
        let reason = os::reason(&io::Error::from_raw_os_error(errno));
        let doing = String::from_utf8_lossy(doing.get(..MAX_ANSWER).unwrap_or(doing));
        Err(IoError { errno, text: format!("cannot run {}: {doing}{reason}", self.executable.display()) })
    }
}

impl AsFd for ExecErrorReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl From<ExecErrorReader> for OwnedFd {
    fn from(reader: ExecErrorReader) -> Self {
        reader.pipe.into()
    }
}

/// The bytes that [`ExecErrorReader::outcome`] understands.
pub(super) fn answer(errno: i32, doing: &OsStr) -> Vec<u8> {
    let mut answer = errno.to_le_bytes().to_vec();
    answer.extend_from_slice(doing.as_encoded_bytes());
    answer.truncate(MAX_ANSWER);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between fork and exec of a threaded program almost nothing is allowed. So what a worker needs is
    /// arguments for the shim, a fresh program with one thread; its own command says nothing of it.
    #[test]
    fn engine_defect_28_what_needs_care_is_done_by_the_shim() {
        let shim = ShimConfig { program: "/bin/shim".into(), arguments: vec!["go".into()], file_limit: None };
        let spec = SpawnSpec {
            app: "echo".into(),
            executable: "worker".into(),
            arguments: vec!["--app".into()],
            environment: [].into(),
            directory: "/apps/echo".into(),
            identity: Some((33, 44)),
            limits: [("nofile".into(), (60, 70))].into(),
        };
        let command = prepare(&spec, &shim).unwrap().command;
        assert_eq!((command.get_program(), command.get_current_dir()), (OsStr::new("/bin/shim"), None));
        let arguments: Vec<&str> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        let parent = format!("parent={}", std::process::id());
        let expected = [
            "go",
            &parent,
            "directory=/apps/echo",
            "limit=nofile:60:70",
            "identity=33:44",
            "with=go",
            "--",
            "/apps/echo/worker",
            "--app",
        ];
        assert_eq!(arguments, expected);
    }
}

//! A node to talk to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{Ended, RUNTIME, Serving, TOOL, program, run};

/// A daemon with directories and a port of its own.
pub(crate) struct Node {
    pub(crate) daemon: Serving,
    pub(crate) folder: TempDir,
}

/// The start of a script that becomes the echo worker.
pub(crate) const ECHO: &str = "exec \"$RUNTIME\" echo-worker \"$@\"";

impl Node {
    /// With one app, `echo`.
    pub(crate) fn with_echo() -> Self {
        Self::with(&[("echo", ECHO)])
    }

    /// With these apps, whose workers are these shell scripts.
    pub(crate) fn with(apps: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("cocaine-cl-").unwrap();
        let mut command = program(RUNTIME);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(folder.path().join("data"));
        command.arg("--runtime-dir").arg(folder.path().join("run"));
        command.arg("--log-file").arg(folder.path().join("log"));
        for (name, script) in apps {
            let directory = write_app(folder.path(), name, script);
            command.arg("--app").arg(format!("{name}={}", directory.display()));
        }
        Self { daemon: Serving::start(&mut command), folder }
    }

    pub(crate) fn locator(&self) -> String {
        self.daemon.address("locator").to_string()
    }

    /// The tool, talking to this node.
    #[track_caller]
    pub(crate) fn tool(&self, arguments: &[&str]) -> Ended {
        run(program(TOOL).env("COCAINE_LOCATOR", self.locator()).args(arguments))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

fn write_app(folder: &Path, name: &str, script: &str) -> PathBuf {
    let directory = folder.join(name);
    fs::create_dir(&directory).unwrap();
    let worker = directory.join("worker");
    fs::write(&worker, format!("#!/bin/sh\nRUNTIME='{RUNTIME}'\n{script}\n")).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.join("manifest.json"), r#"{"slave": "worker"}"#).unwrap();
    fs::write(directory.join("profile.json"), r#"{"pool-limit": 2}"#).unwrap();
    directory
}

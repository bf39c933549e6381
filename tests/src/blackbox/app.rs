//! Directories of apps whose worker is this program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::journal::Journal;
use super::worker;

/// An app before its directory is made.
#[derive(Clone, Debug)]
pub(super) struct AppSpec {
    pub(super) name: String,
    plan: String,
    profile: String,
    manifest: String,
}

impl AppSpec {
    /// An app whose workers follow this plan (see [`worker`]).
    pub(super) fn new(name: &str, plan: &str) -> Self {
        let protocol = u8::from(!plan.split_whitespace().any(|word| word == "v0"));
        Self {
            name: name.into(),
            plan: plan.into(),
            profile: "{}".into(),
            manifest: format!(r#"{{"slave": "worker", "protocol": {protocol}}}"#),
        }
    }

    /// An app with well-behaved workers.
    pub(super) fn serving(name: &str) -> Self {
        Self::new(name, "serve")
    }

    pub(super) fn profile(mut self, json: &str) -> Self {
        self.profile = json.into();
        self
    }

    pub(super) fn manifest(mut self, json: &str) -> Self {
        self.manifest = json.into();
        self
    }

    /// Makes the directory, below `apps`.
    pub(super) fn make(&self, apps: &Path) -> App {
        let directory = apps.join(&self.name);
        fs::create_dir_all(&directory).expect("a directory of our own");
        // Workers of other users write to it too.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("it is ours");
        let journal = Journal::create(&directory.join("journal"));
        fs::set_permissions(journal.path(), fs::Permissions::from_mode(0o666)).expect("it is ours");
        let app = App { name: self.name.clone(), directory, journal };
        app.write("profile.json", &self.profile);
        app.write("manifest.json", &self.manifest);
        app.set_plan(&self.plan);
        app
    }
}

/// An app's directory.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    /// What its workers note.
    pub(super) journal: Journal,
}

impl App {
    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.join(file), text).expect("our own directory");
    }

    /// What workers do that start from now on.
    pub(super) fn set_plan(&self, plan: &str) {
        // A script that is being executed cannot be written; another one can take its name.
        let (new, script) = (self.directory.join("worker.new"), self.directory.join("worker"));
        fs::write(&new, worker::script(plan, self.journal.path())).expect("our own directory");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(new, script).expect("our own directory");
    }

    /// Process id and uuid of the worker that was started as number `count` of all.
    pub(super) fn worker(&self, count: usize) -> (u32, String) {
        let line = self.journal.nth_line("start ", count);
        let (pid, uuid) = line.split_once(' ').expect("two words");
        (pid.parse().expect("a process id"), uuid.to_owned())
    }
}

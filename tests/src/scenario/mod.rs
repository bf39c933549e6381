//! Scenarios: scripts of what happens around an engine, with what it does about it as golden output.
//!
//! A file begins with a story line. Commands stand at the beginning of a line; what came of each stands below
//! it, indented by two blanks. `# …` and empty lines are for the reader. Time stands still but for `advance`,
//! which goes from one timer to the next and tells when what happened, and `stall`, during which nobody is told.

mod acts;
mod contract;
mod json;
mod parse;
mod peers;
mod render;
mod words;
mod world;

use cocaine_core::config::{AppName, Manifest, Profile};
use cocaine_core::engine::{EngineConfig, EngineLimits};
use cocaine_core::machine::Document;
use cocaine_core::wire::Value;

pub use contract::{Contract, LastWord};
use parse::Command;
use world::World;

/// Plays a scenario and returns its text with the output as it really is.
///
/// # Panics
///
/// The script makes no sense, or the engine breaks its contract with the driver.
#[must_use]
pub fn play(name: &str, script: &str) -> String {
    let mut stage = Stage::default();
    let mut played = String::new();
    for (number, line) in script.lines().enumerate() {
        if line.starts_with("  ") {
            continue;
        }
        played += line;
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = format!("{name}:{}: {line}", number + 1);
        let _where = OnPanic(&at);
        let command = Command::parse(line).unwrap_or_else(|error| panic!("{error}"));
        for line in fold(stage.act(command)) {
            played += &format!("  {line}\n");
        }
    }
    played
}

/// Says which line of which file it was.
struct OnPanic<'a>(&'a str);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

/// Lines that repeat are counted.
fn fold(lines: Vec<String>) -> Vec<String> {
    let mut folded: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match folded.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => folded.push((line, 1)),
        }
    }
    let shown = |(line, count)| if count == 1 { line } else { format!("{line} ×{count}") };
    folded.into_iter().map(shown).collect()
}

/// The world, and what is set before there is one.
#[derive(Default)]
struct Stage {
    limits: EngineLimits,
    listen_fails: Option<usize>,
    world: Option<World>,
}

impl Stage {
    fn act(&mut self, command: Command) -> Vec<String> {
        match command {
            Command::Limits(limits) => limits.into_iter().for_each(|(key, value)| self.limit(&key, value)),
            Command::ListenFails(after) => self.listen_fails = Some(after),
            Command::App { profile, manifest } => {
                let config = config(profile, manifest, self.limits);
                self.world = Some(World::new(config, self.listen_fails.take()));
            }
            other => self.world.as_mut().expect("an app comes first").act(other),
        }
        self.world.as_mut().map(|world| std::mem::take(&mut world.lines)).unwrap_or_default()
    }

    fn limit(&mut self, key: &str, value: usize) {
        match key {
            "soft_bytes" => self.limits.soft_bytes = value,
            "channel_bytes" => self.limits.channel_bytes = value,
            "engine_bytes" => self.limits.engine_bytes = value,
            "clients" => self.limits.clients = value,
            "strangers" => self.limits.strangers = value,
            "crash_logs" => self.limits.crash_logs = value,
            "frame_bytes" => self.limits.wire.frame_bytes = value,
            "channels" => self.limits.wire.channels = value,
            other => panic!("there is no limit {other}"),
        }
    }
}

/// The configuration of an app called `echo`.
///
/// # Panics
///
/// Profile or manifest are wrong.
#[must_use]
pub fn config(profile: Value, manifest: Value, limits: EngineLimits) -> EngineConfig {
    let document =
        |source: &str, value| Document { source: source.into(), value, positions: Default::default() };
    let manifest = Manifest::read(&document("manifests/echo", manifest)).expect("a manifest");
    let profile = Profile::read(&document("profiles/default", profile)).expect("a profile");
    EngineConfig {
        app: AppName::new("echo").expect("a name"),
        manifest: manifest.value,
        profile: profile.value,
        profile_name: "default".into(),
        directory: "/apps/echo".into(),
        socket: "/run/echo.sock".into(),
        listen: ([127, 0, 0, 1].into(), 0),
        locators: vec!["127.0.0.1:10053".into(), "[::1]:10053".into()],
        uid: acts::UID,
        limits,
        seed: [7; 32],
    }
}

//! What a worker finds when it starts.

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::node::{Node, Place};
use super::super::process::resident;
use super::super::skipped;

const APP: &str = "app";

fn limit(text: &str, name: &str) -> Vec<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel knows it");
    line.split_whitespace().take(2).map(Into::into).collect()
}

/// The daemon raises its own limit of open files; workers get the old one back.
pub fn the_file_limit_is_restored(binaries: &Binaries) {
    let place = Place::new(&[AppSpec::serving(APP)]);
    let plain = place.command(binaries);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -S -n 123 && exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    let node = Node::start(place, command);
    let own = std::fs::read_to_string(format!("/proc/{}/limits", node.process.id())).expect("it lives");
    let own = limit(&own, "Max open files");
    assert_eq!(own[0], own[1], "the daemon takes all it may");
    let text = node.client(APP).request("file", "/proc/self/limits").text();
    assert_eq!(limit(&text, "Max open files"), ["123", own[1].as_str()]);
}

/// The profile's resource limits hold in workers.
pub fn the_profiles_limits_reach_the_worker(binaries: &Binaries) {
    let profile = r#"{"isolate": {"type": "process", "args": {"rlimits": {"nofile": [64, 96], "core": 0}}}}"#;
    let node = Node::with(binaries, &[AppSpec::serving(APP).profile(profile)]);
    let text = node.client(APP).request("file", "/proc/self/limits").text();
    assert_eq!(limit(&text, "Max open files"), ["64", "96"]);
    assert_eq!(limit(&text, "Max core file size"), ["0", "0"]);
}

/// A worker has the daemon's environment, and over it the manifest's.
pub fn the_environment_is_merged(binaries: &Binaries) {
    let manifest = r#"{"slave": "worker", "environment": {"SHAPE": "round", "COLOUR": "green"}}"#;
    let place = Place::new(&[AppSpec::serving(APP).manifest(manifest)]);
    let mut command = place.command(binaries);
    command.env("COLOUR", "red").env("SIZE", "large");
    let node = Node::start(place, command);
    let mut client = node.client(APP);
    for (name, value) in [("SHAPE", "round"), ("COLOUR", "green"), ("SIZE", "large")] {
        assert_eq!(client.request("variable", name).text(), value, "{name}");
    }
}

/// A worker runs in the app's directory, in a process group of its own, and is told what it must know.
pub fn a_worker_is_told_what_it_must_know(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(APP)]);
    let mut client = node.client(APP);
    assert_eq!(client.request("directory", "").text(), node.app(APP).directory.display().to_string());
    let (pid, uuid) = node.app(APP).worker(1);
    let stat = client.request("file", "/proc/self/stat").text();
    let group = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(2)).expect("a group");
    assert_eq!(group, pid.to_string());
    let arguments = node.app(APP).journal.line("arguments ");
    let locator = node.address("locator");
    let endpoint = node.worker_socket(APP).display().to_string();
    assert_eq!(
        arguments,
        format!("--app {APP} --endpoint {endpoint} --locator {locator} --protocol 1 --uuid {uuid}")
    );
    assert_eq!(uuid.len(), 36);
}

/// A node at rest with one app is small.
pub fn a_node_at_rest_is_small(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(APP)]);
    node.client(APP).echoes("then rest");
    let kib = resident(node.process.id()) / 1024;
    let release = binaries.daemon.components().any(|part| part.as_os_str() == "release");
    if release {
        assert!(kib < 12 * 1024, "{kib} KiB resident");
    } else {
        skipped(
            "a_node_at_rest_is_small",
            &format!("a debug build has {kib} KiB resident; release must be below 12 MiB"),
        );
    }
}

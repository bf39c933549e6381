//! `cocaine-tool`, as an operator and as a script use it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::super::app::AppSpec;
use super::super::node::Node;
use super::super::stage::SUBJECT;
use super::super::{Binaries, skipped};

/// The tool, told where this node's locator is; `None` if there is none to test.
fn tool(binaries: &Binaries, node: &Node, arguments: &[&str]) -> Option<Command> {
    let Some(tool) = &binaries.tool else {
        skipped("tool", "no path of cocaine-tool was given");
        return None;
    };
    let mut command = Command::new(tool);
    command.arg("--locator").arg(node.address("locator").to_string()).args(arguments);
    Some(command)
}

/// Runs it to its end with nothing to read.
fn run(binaries: &Binaries, node: &Node, arguments: &[&str]) -> Option<Output> {
    let mut command = tool(binaries, node, arguments)?;
    Some(command.stdin(Stdio::null()).output().expect("the tool's program"))
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// One chunk there, the reply back, byte by byte the same.
pub fn call(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(SUBJECT)]);
    let Some(output) = run(binaries, &node, &["call", SUBJECT, "echo", "hello"]) else { return };
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"hello"[..]), "{output:?}");
    let mut command = tool(binaries, &node, &["call", SUBJECT, "echo", "-"]).expect("as before");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the tool's program");
    let large: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut input = child.stdin.take().expect("a pipe");
    let sent = large.clone();
    let writer = std::thread::spawn(move || input.write_all(&sent));
    let output = child.wait_with_output().expect("an end");
    writer.join().expect("it does not panic").expect("all of it is taken");
    assert!(output.stdout == large, "the reply differs");
    let output =
        run(binaries, &node, &["--output", "json", "call", SUBJECT, "echo", "hello"]).expect("as before");
    assert_eq!(json(&output)["chunk"], "hello");
}

/// Failures: the reason on standard error, and an exit code that says whose fault it is.
pub fn failures(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(SUBJECT)]);
    for (arguments, code, words) in [
        (&["call", SUBJECT, "error", "x"] as &[&str], 1, "there is no such thing"),
        (&["call", "nobody", "echo", "x"], 3, "nobody"),
        (&["app", "stop", "nobody"], 1, "nobody"),
        (&["app", "start", SUBJECT], 1, "already"),
        (&["call", SUBJECT], 2, "EVENT"),
        (&["--timeout", "1", "call", SUBJECT, "hold", "x"], 4, "1 s"),
        (&["--locator", "127.0.0.1:1", "app", "list"], 3, "127.0.0.1:1"),
    ] {
        let Some(output) = run_plain(binaries, &node, arguments) else { return };
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(text.contains(words), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let Some(output) = run(binaries, &node, &["--output", "json", "call", SUBJECT, "error", "x"]) else {
        return;
    };
    let error = &json(&output)["error"];
    assert_eq!((&error["category"], &error["code"]), (&42.into(), &200.into()));
}

/// Like `run`, but the arguments may name a locator of their own.
fn run_plain(binaries: &Binaries, node: &Node, arguments: &[&str]) -> Option<Output> {
    if arguments.contains(&"--locator") {
        let command = Command::new(binaries.tool.as_ref()?).args(arguments).output();
        return Some(command.expect("the tool's program"));
    }
    run(binaries, node, arguments)
}

/// Starting, stopping, listing, looking.
pub fn apps(binaries: &Binaries) {
    let node = Node::with(binaries, &[AppSpec::serving(SUBJECT), AppSpec::serving("other")]);
    let Some(list) = run(binaries, &node, &["app", "list"]) else { return };
    let text = String::from_utf8(list.stdout).expect("text");
    assert_eq!(text.lines().collect::<Vec<_>>(), ["other", SUBJECT]);
    let stop = run(binaries, &node, &["app", "stop", SUBJECT]).expect("as before");
    assert_eq!(stop.status.code(), Some(0), "{stop:?}");
    let list = run(binaries, &node, &["--output", "json", "app", "list"]).expect("as before");
    assert_eq!(json(&list), serde_json::json!(["other"]));
    let start = run(binaries, &node, &["app", "start", SUBJECT]).expect("as before");
    assert_eq!(start.status.code(), Some(0), "{start:?}");
    node.client(SUBJECT).echoes("it runs");
    let info = run(binaries, &node, &["--output", "json", "info", SUBJECT, "--manifest"]).expect("as before");
    let report = &json(&info)["apps"][SUBJECT];
    assert_eq!(report["state"], "running");
    assert_eq!(report["requests"]["accepted"], 1);
    assert_eq!(report["manifest"]["slave"], "worker");
    let info = run(binaries, &node, &["info"]).expect("as before");
    let text = String::from_utf8(info.stdout).expect("text");
    assert!(text.contains(SUBJECT) && text.contains("other"), "{text}");
}

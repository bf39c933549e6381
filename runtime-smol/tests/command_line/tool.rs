//! `cocaine-tool info`, `app`, and what all its commands share.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{ECHO, Node};
use crate::program::{Dead, Ended, TOOL, program, run};

fn read(ended: &Ended) -> Value {
    serde_json::from_str(ended.done()).unwrap()
}

#[test]
fn info_is_a_table_with_a_line_for_every_app() {
    let node = Node::with(&[("echo", ECHO), ("a-longer-name", ECHO)]);
    node.tool(&["call", "echo", "ping", "x"]).done();
    let ended = node.tool(&["info"]);
    let lines: Vec<&str> = ended.done().lines().collect();
    let [header, longer, echo] = lines[..] else { panic!("{ended:?}") };
    assert!(header.starts_with("APP ") && longer.starts_with("a-longer-name ") && echo.starts_with("echo "));
    let words: Vec<&str> = echo.split_whitespace().collect();
    assert_eq!(
        [words[0], words[1], words[3], words[6], words[7]],
        ["echo", "running", "default", "0/100", "1"]
    );
    for (column, word) in [("STATE", "running"), ("PROFILE", "default"), ("QUEUE", "0/100")] {
        assert_eq!([longer.find(word), echo.find(word)], [header.find(column); 2], "{ended:?}");
    }
    assert_eq!(
        node.tool(&["i", "echo"]).done().lines().count(),
        2,
        "one app, by the short name of the command"
    );
}

#[test]
fn info_in_json_has_all_apps_and_their_count() {
    let node = Node::with(&[("echo", ECHO), ("other", ECHO)]);
    let all = read(&node.tool(&["info", "--output", "json"]));
    assert_eq!((&all["count"], all["apps"].as_object().unwrap().len()), (&json!(2), 2));
    assert_eq!(all["apps"]["echo"]["pool"]["capacity"], 2);
    assert_eq!(all["apps"]["other"]["state"], "running");
    let brief = read(&node.tool(&["info", "echo", "-bmp", "--output", "json"]));
    assert_eq!(brief["count"], 1);
    assert!(brief["apps"]["echo"].get("pool").is_none() && brief["apps"]["echo"].get("manifest").is_none());
    let full = read(&node.tool(&["info", "echo", "--manifest", "--profile", "--output", "json"]));
    assert_eq!(full["apps"]["echo"]["manifest"]["slave"], "worker");
    assert_eq!(full["apps"]["echo"]["profile"]["data"]["pool-limit"], 2);
    let people = node.tool(&["info", "echo", "--manifest"]);
    assert!(people.done().contains("\nThe manifest of echo:\n{\n"), "{people:?}");
}

#[test]
fn info_of_an_app_that_is_not_there_says_so() {
    let node = Node::with_echo();
    let one = node.tool(&["info", "nobody"]);
    assert_eq!((one.failed(1), one.out()), ("cocaine-tool: [12,22] there is no app \"nobody\"", ""));
    let among = node.tool(&["info", "nobody", "echo"]);
    assert_eq!(among.failed(1), "cocaine-tool: not every app has a report");
    assert!(among.out().contains("\necho "), "the other one is shown: {among:?}");
    assert!(among.out().contains("\nnobody: [12,22] there is no app"), "{among:?}");
}

#[test]
fn a_node_without_apps_is_no_error() {
    let node = Node::with(&[]);
    let table = node.tool(&["info"]);
    assert_eq!((table.code, table.out()), (Some(0), ""));
    assert!(table.err.contains("No app runs on this node"), "{table:?}");
    assert_eq!(read(&node.tool(&["info", "--output", "json"])), json!({"apps": {}, "count": 0}));
    assert_eq!(read(&node.tool(&["app", "list", "--output", "json"])), json!([]));
}

#[test]
fn apps_are_stopped_started_and_listed() {
    let node = Node::with(&[("echo", ECHO), ("Other", ECHO)]);
    assert_eq!(node.tool(&["app", "list"]).done(), "Other\necho\n");
    assert_eq!(node.tool(&["app", "stop", "echo"]).done(), "app echo has been stopped\n");
    assert_eq!(read(&node.tool(&["app", "list", "--output", "json"])), json!(["Other"]));
    assert!(node.tool(&["app", "stop", "echo"]).failed(1).contains("[20991,6]"));
    assert!(node.tool(&["call", "echo", "ping"]).failed(3).contains("\"echo\" was not found"));
    assert_eq!(node.tool(&["app", "start", "echo"]).done(), "app echo has been started\n");
    assert_eq!(node.tool(&["call", "echo", "ping", "back"]).done(), "back");
    let again = node.tool(&["app", "start", "echo"]);
    assert!(again.failed(1).contains("[20991,5] application \"echo\" has already been started"), "{again:?}");
    let paused = node.tool(&["app", "pause", "Other", "--output", "json"]);
    assert_eq!(read(&paused), json!({"app": "Other", "status": "stopped"}));
    let started = node.tool(&["app", "start", "Other", "-r", "default", "--output", "json"]);
    assert_eq!(read(&started), json!({"app": "Other", "status": "started"}));
    let unknown = node.tool(&["app", "start", "nobody"]);
    assert!(unknown.failed(1).contains("app nobody cannot start"), "{unknown:?}");
    let profile = node.tool(&["app", "start", "nobody", "--profile", "a/b"]);
    assert!(profile.failed(1).contains("\"a/b\""), "{profile:?}");
}

#[test]
fn nobody_at_the_locator_is_said_at_once() {
    let dead = Dead::take();
    let address = dead.address.to_string();
    for command in [&["info"] as &[&str], &["app", "list"], &["call", "echo", "ping", "x"]] {
        let start = Instant::now();
        let ended = run(program(TOOL).args(["--locator", &address]).args(command));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        let told = ended.failed(3);
        assert!(
            told.contains(&address) && told.contains("Connection refused") && told.contains("--locator"),
            "{told}"
        );
    }
}

#[test]
fn the_first_locator_that_answers_is_asked() {
    let (node, dead) = (Node::with_echo(), Dead::take());
    let locators = format!("{},{}", dead.address, node.locator());
    let call = run(program(TOOL).env("COCAINE_LOCATOR", &locators).args(["call", "echo", "ping", "x"]));
    assert_eq!(call.done(), "x");
    let flag = ["--locator", &node.locator(), "call", "echo", "ping", "y"];
    let call = run(program(TOOL).env("COCAINE_LOCATOR", dead.address.to_string()).args(flag));
    assert_eq!(call.done(), "y", "the flag wins over the variable");
}

#[test]
fn a_wrong_command_line_gets_a_hint() {
    for (arguments, hint) in [
        (&["call"] as &[&str], "<APP>"),
        (&["inf"], "'info'"),
        (&["info", "--breif"], "'--brief'"),
        (&["app"], "start"),
        (&["app", "start"], "<NAME>"),
        (&["info", "--timeout", "0"], "'0'"),
        (&["info", "--output", "yaml"], "human, json"),
        (&["info", "--locator", "somewhere:x"], "somewhere:x"),
    ] {
        let ended = run(program(TOOL).args(arguments));
        assert_eq!((ended.code, ended.out()), (Some(2), ""), "{ended:?}");
        assert!(ended.err.contains(hint), "{hint} is not in {}", ended.err);
    }
}

#[test]
fn every_command_explains_itself() {
    for command in [
        &[] as &[&str],
        &["call"],
        &["info"],
        &["app"],
        &["app", "start"],
        &["app", "stop"],
        &["app", "list"],
    ] {
        let help = run(program(TOOL).args(command).arg("--help"));
        let first = help.done().lines().next().unwrap();
        assert!(first.len() > 20, "says what it does: {first:?}");
        assert!(command.len() == 2 || help.done().contains("\nExamples:\n"), "{command:?}");
    }
    let version = run(program(TOOL).arg("--version"));
    assert_eq!(version.done(), concat!("cocaine-tool ", env!("CARGO_PKG_VERSION"), "\n"));
}

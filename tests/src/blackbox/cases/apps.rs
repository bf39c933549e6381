//! The node service: what is there, what is not, and what cannot be.

use cocaine_core::wire::{Value, codes};

use super::super::Binaries;
use super::super::app::AppSpec;
use super::super::node::{Node, Place, flags};
use super::super::stage::{SUBJECT, Stage};

const START: u32 = 0;
const PAUSE: u32 = 1;
const LIST: u32 = 2;
const INFO: u32 = 3;
const CONTROL: u32 = 4;
const ENQUEUE: u32 = 5;

/// Each question about an app that is not there has its answer.
pub fn unknown_apps(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut node = stage.node.client("node");
    node.refused(START, &["ghost".into(), "default".into()], codes::NOT_FOUND);
    node.refused(PAUSE, &["phantom".into()], codes::NOT_RUNNING);
    node.refused(INFO, &["phantom".into(), Value::Uint(1)], codes::INVALID_ARGUMENT);
    node.refused(ENQUEUE, &["phantom".into(), "echo".into()], codes::NOT_RUNNING);
    node.refused(CONTROL, &["phantom".into()], codes::NOT_RUNNING);
    stage.node.locator().refused(0, &["phantom".into()], codes::SERVICE_NOT_AVAILABLE);
    stage.nobody_noticed();
}

/// What runs is listed, reported, and not started twice.
pub fn running_apps(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut node = stage.node.client("node");
    assert_eq!(node.call(LIST, &[]), Ok(vec![Value::array(["bystander", SUBJECT])]));
    node.refused(START, &[SUBJECT.into(), "default".into()], codes::ALREADY_STARTED);
    stage.client().echoes("it goes on");
    let info = stage.node.info(SUBJECT);
    assert_eq!(info.get("state").and_then(Value::as_str), Some("running"));
    for key in ["published", "publushed"] {
        assert_eq!(info.get(key).and_then(Value::as_bool), Some(true), "{info:?}");
    }
    assert_eq!(stage.node.figure(SUBJECT, &["requests", "accepted"]), 1);
    assert_eq!(
        info.get("manifest").and_then(|manifest| manifest.get("slave")).and_then(Value::as_str),
        Some("worker")
    );
    let brief = node.call(INFO, &[SUBJECT.into()]).expect("a report").swap_remove(0);
    assert!(brief.get("uptime").is_some() && brief.get("queue").is_none(), "{brief:?}");
    let own = stage.client().call(1, &[]).expect("the app's own report").swap_remove(0);
    assert!(own.get("queue").is_some() && own.get("manifest").is_none(), "{own:?}");
    stage.nobody_noticed();
}

/// The size of a pool can be held by hand, for as long as the hold lasts.
pub fn the_lever(binaries: &Binaries) {
    let stage = Stage::new(binaries, "serve", r#"{"pool-limit": 4, "idle-timeout": 0.2}"#);
    let mut node = stage.node.client("node");
    let lever = node.open(CONTROL, &[SUBJECT.into()]);
    node.write_number(lever, 3);
    stage.subject().worker(3);
    stage.client().echoes("one of three");
    node.write_number(lever, 100);
    stage.subject().worker(4);
    node.settle();
    assert_eq!(stage.subject().journal.count("start "), 4, "the limit holds");
    node.close(lever);
    assert_eq!(node.result(lever), Ok(vec![]));
    stage.subject().journal.nth_line("terminate ", 4);
    let lever = node.open(CONTROL, &[SUBJECT.into()]);
    node.send(lever, 0, &["three".into()]);
    assert_eq!(node.result(lever).unwrap_err().code, codes::BAD_ARGUMENTS);
}

/// An app cannot take the name of a service, and the service does not suffer from the attempt.
pub fn an_app_named_like_a_service(binaries: &Binaries) {
    let mut stage = Stage::serving(binaries);
    let mut node = stage.node.client("node");
    let mut storage = stage.node.client("storage");
    for name in ["locator", "node", "storage", "logging"] {
        let address = stage.node.resolve(name);
        let failure = node.call(START, &[name.into(), "default".into()]).expect_err(name);
        assert!(failure.to_string().contains("service"), "{failure}");
        assert_eq!(stage.node.resolve(name), address);
    }
    storage.call(1, &["notes".into(), "key".into(), "value".into()]).expect("the storage service goes on");
    stage.nobody_noticed();
    let place = Place::new(&[AppSpec::serving("storage")]);
    let (code, text) = place.fails(binaries, [""; 0]);
    assert!(matches!(code, Some(2 | 3)), "{code:?} {text}");
    assert!(text.contains("storage") && text.contains("service"), "{text}");
}

/// Names that could not be paths, or are too long for a socket, are errors before anything starts.
pub fn impossible_names_of_apps(binaries: &Binaries) {
    let place = Place::new(&[]);
    let long = format!("{}={}", "x".repeat(120), place.path("").display());
    let slash = format!("a/b={}", place.path("").display());
    for app in [long.as_str(), slash.as_str(), "=directory", "name="] {
        let (code, text) = place.fails(binaries, flags(&[&"--app", &app]));
        assert!(matches!(code, Some(2 | 3)), "{app}: {code:?} {text}");
        assert!(text.trim().lines().count() >= 1, "{app}: {text}");
    }
}

/// What is wrong with an app's documents is said with file, line, key and rule; the node serves all the same.
pub fn bad_documents(binaries: &Binaries) {
    let cases = [
        (r#"{"environment": {}}"#, "{}", "manifest.json", "slave", "is missing"),
        ("{\n  \"slave\": 5\n}", "{}", "manifest.json:2:3", "slave", "5"),
        (r#"{"slave": "worker""#, "{}", "manifest.json:1:", "", ""),
        (GOOD, "{\n \"pool-limit\": 0\n}", "profile.json:2:2", "pool-limit", "at least 1"),
        (GOOD, r#"{"concurrency": "ten"}"#, "profile.json:1:2", "concurrency", "ten"),
        (GOOD, r#"{"grow-threshold": 0}"#, "profile.json:1:2", "grow-threshold", "at least 1"),
        (GOOD, r#"{"heartbeat-timeout": -1}"#, "profile.json:1:2", "heartbeat-timeout", "-1"),
        (GOOD, r#"{"publish-on": 11}"#, "profile.json:1:2", "publish-on", "pool-limit"),
        (GOOD, r#"{"isolate": {"type": "docker"}}"#, "profile.json:1:14", "type", "process"),
        (
            GOOD,
            r#"{"isolate": {"args": {"rlimits": {"noproc": 5}}}}"#,
            "profile.json:1:",
            "noproc",
            "resource",
        ),
    ];
    let specs: Vec<AppSpec> = cases
        .iter()
        .enumerate()
        .map(|(number, case)| AppSpec::serving(&format!("bad{number}")).manifest(case.0).profile(case.1))
        .chain([AppSpec::serving("good")])
        .collect();
    let node = Node::with(binaries, &specs);
    node.client("good").echoes("the others do not matter");
    let mut service = node.client("node");
    assert_eq!(service.call(LIST, &[]), Ok(vec![Value::array(["good"])]));
    for (number, (_, _, place, key, rule)) in cases.iter().enumerate() {
        let name = format!("bad{number}");
        let failure = service.call(START, &[name.as_str().into(), "".into()]).expect_err(&name);
        let text = failure.to_string();
        assert_eq!(failure.code, codes::INVALID_ARGUMENT, "{text}");
        for words in [place, key, rule] {
            assert!(text.contains(words), "{words:?} is not in: {text}");
        }
        let info = node.info(&name);
        assert_eq!(info.get("state").and_then(Value::as_str), Some("broken"), "{info:?}");
        assert!(node.log.text().contains(&format!("app {name} cannot start")), "the log says it too");
        node.locator().refused(0, &[name.as_str().into()], codes::SERVICE_NOT_AVAILABLE);
    }
}

const GOOD: &str = r#"{"slave": "worker"}"#;

/// A key that nobody knows is a warning that names it, not an error.
pub fn unknown_keys_are_warnings(binaries: &Binaries) {
    let spec = AppSpec::serving(SUBJECT).profile(r#"{"pool-limitt": 3}"#);
    let node = Node::with(binaries, &[spec]);
    node.client(SUBJECT).echoes("it serves");
    node.log.contains("pool-limitt");
}

/// A directory without a manifest, or no directory at all.
pub fn no_manifest_at_all(binaries: &Binaries) {
    let place = Place::new(&[AppSpec::serving("empty")]);
    std::fs::remove_file(place.app("empty").directory.join("manifest.json")).expect("it was made");
    let nowhere = format!("nowhere={}", place.path("nowhere").display());
    let node = place.run_with(binaries, flags(&[&"--app", &nowhere]));
    for name in ["empty", "nowhere"] {
        let failure = node.client("node").call(START, &[name.into(), "".into()]).expect_err(name);
        assert_eq!(failure.code, codes::NOT_FOUND, "{failure}");
        assert!(failure.to_string().contains(name), "{failure}");
    }
}
